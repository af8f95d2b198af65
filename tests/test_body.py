"""Whole bodies: what format they are in, and how far they can be read."""

from __future__ import annotations

import pytest

from mockserver.pipeline.body import objects_of, read, wire_format_of
from mockserver.pipeline.frame import DONE

CHUNK = b'{"choices": [{"delta": {"content": "\xe4\xbd\xa0"}}]}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"data: {}\n\n", "sse", id="sse"),
        pytest.param(b"\xef\xbb\xbf: hello\n\n", "sse", id="bom-and-comment"),
        pytest.param(b'{"a": 1}\n{"a": 2}\n', "json-lines", id="lines"),
        pytest.param(b'{"object": "chat.completion.chunk"}', "json-lines", id="one-line"),
        pytest.param(CHUNK[:30], "json-lines", id="half-a-line"),
        pytest.param(b'{\n"a": 1\n}', "json", id="body"),
        pytest.param(b'{"a": 1}{"a": 1}', "json", id="body-twice"),
        pytest.param(b'{\n"a"', "json", id="half-a-body"),
        pytest.param(b"<html>", "json", id="no-json"),
        pytest.param(b"", "json", id="nothing"),
    ],
)
def test_the_wire_format_is_told_from_the_bytes(body: bytes, expected: str) -> None:
    """Content types are unreliable, so what stands in the body decides."""
    assert wire_format_of(body) == expected


@pytest.mark.parametrize(
    ("body", "count", "problem"),
    [
        pytest.param(CHUNK + b"\n" + CHUNK + b"\n", 2, "", id="lines"),
        pytest.param(CHUNK + b"\n" + CHUNK[:30] + b"\n", 1, "object 2 of the body cannot be read: ", id="half-a-line"),
        pytest.param(
            b"data: " + CHUNK + b"\n\ndata: {\n\n", 1, "object 2 of the body cannot be read: ", id="half-an-event"
        ),
        pytest.param(b"[" * 100_000, 0, "object 1 of the body cannot be read: ", id="deep"),
    ],
)
def test_a_body_is_read_as_far_as_it_goes(body: bytes, count: int, problem: str) -> None:
    """What stands before the place that cannot be read is there, with the reason why it ends."""
    found, why = read(body, wire_format_of(body))

    assert len(found) == count
    assert why.startswith(problem)
    assert bool(why) == bool(problem)


def test_the_done_marker_is_read_and_is_no_object() -> None:
    """`read` has it in its place, `objects_of` leaves it out."""
    body = b"data: " + CHUNK + b"\n\ndata: [DONE]\n\n"

    assert read(body, "sse")[0][-1] is DONE
    assert objects_of(body) == [{"choices": [{"delta": {"content": "你"}}]}]

"""The way back from bytes to what was said: how far a body can be read, and the three views of it."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.contract.clauses.reading import Reading
from mockserver.core.exchange import Answer, Exchange, Head, Plan, Request, ToolCall, Usage
from mockserver.pipeline.frame import DONE
from mockserver.pipeline.read import Carried, answer_of, carried, meaning, objects_of, read, wire_format_of
from mockserver.pipeline.wire_templates import WireTemplates
from tests.conftest import load

WIRES = {
    f"{edition}-{chip}": profile.wire
    for edition in ("2024-tutorial", "2025-reference")
    for chip, profile in load(edition).chips.items()
}
HEAD = Head("chatcmpl-1", 1708486029, "mt-infini-3b")
PIECES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=8).map(tuple)
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
    found = read(body)

    assert len(found.events) == count
    assert found.problem.startswith(problem)
    assert bool(found.problem) == bool(problem)


def test_the_done_marker_is_read_and_is_no_object() -> None:
    """`read` has it in its place, `objects_of` leaves it out."""
    body = b"data: " + CHUNK + b"\n\ndata: [DONE]\n\n"

    assert read(body).events[-1] is DONE
    assert objects_of(body) == [{"choices": [{"delta": {"content": "你"}}]}]


@settings(max_examples=60)
@given(st.sampled_from(sorted(WIRES)), PIECES, st.sampled_from(["stop", "length"]), st.integers(1, 99))
def test_what_is_written_can_be_understood(name: str, pieces: tuple[str, ...], finish: str, tokens: int) -> None:
    """On every chip of every edition a stream means what was said: pieces, usage, finish, id and time."""
    answer = Answer(pieces, Usage(22, tokens), finish)

    frames = WireTemplates(WIRES[name]).stream(answer, HEAD, include_usage=False)
    found = meaning(Plan(200, (), frames))

    assert (found.pieces, found.usage, found.finish_reason) == (pieces, Usage(22, tokens), finish)
    assert (found.id, found.created) == (HEAD.id, HEAD.created)


@pytest.mark.parametrize("name", sorted(WIRES))
def test_a_whole_body_can_be_understood(name: str) -> None:
    """One completion means the same as its stream."""
    answer = Answer(("我是", "🙂\u2028"), Usage(22, 3))

    found = meaning(Plan(200, (), [WireTemplates(WIRES[name]).body(answer, HEAD)]))

    assert (found.text, found.usage, found.finish_reason) == (answer.text, answer.usage, "stop")


def test_tool_calls_and_reasoning() -> None:
    """Pieces of reasoning and of a function's arguments are put together by index."""
    chunk = b'{"choices": [{"index": 0, "delta": {%b}}]}\n'
    body = b"".join(
        chunk % part
        for part in (
            b'"reasoning_content": "hm"',
            b'"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}]',
            b'"tool_calls": [{"index": 0, "function": {"arguments": "{\\"a\\""}}]',
            b'"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]',
        )
    )

    found = meaning(Plan(200, (), [body]))

    assert found.reasoning == ("hm",)
    assert found.tool_calls == (ToolCall("c1", "f", ('{"a"', ": 1}")),)
    assert found.usage == Usage(0, 4, 1)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"code": 60000}', b"data: {", b"[" * 5000, b"\xff"])
def test_what_says_nothing_is_a_value_error(body: bytes) -> None:
    """No completion, no meaning: never another exception."""
    with pytest.raises(ValueError, match=r".*"):
        meaning(Plan(200, (), [body]))


ODD_PIECES = {
    "two-halves": (["\ud83d", "\ude00"], ("", "😀")),
    "in-one-piece": (["a\ud83d\ude00b"], ("a😀b",)),
    "no-other-half": (["a\ud800x", "b"], ("a?x", "b")),
    "at-the-end": (["a", "b\ud83d"], ("a", "b", "?")),
    "second-half-alone": (["\ude00"], ("?",)),
}


@pytest.mark.parametrize(("sent", "pieces"), ODD_PIECES.values(), ids=ODD_PIECES)
def test_halves_of_characters_find_each_other(sent: list[str], pieces: tuple[str, ...]) -> None:
    """JSON may cut an emoji's escapes over two chunks; what is said anew can always be written as UTF-8."""
    objects = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in sent]

    made = answer_of(objects)

    assert made.pieces == pieces
    assert "".join(made.pieces).encode()


def test_odd_values_are_not_believed() -> None:
    """Counts below zero, truth for a number, and indexes that are none do not get into an answer."""
    call = {"index": [1], "function": {"name": "f"}}
    objects: list[dict[str, Any]] = [
        {"created": True, "id": "\ud800", "usage": {"prompt_tokens": -5, "completion_tokens": 1.5}},
        {"choices": [5, {"index": 0, "delta": {"content": 5, "tool_calls": [6, call]}}]},
        {"choices": 5, "usage": [1]},
        {"choices": [{"index": 0, "delta": {"tool_calls": {"a": 1}}}]},
    ]

    made = answer_of(objects)

    assert (made.id, made.created, made.pieces, [call.name for call in made.tool_calls]) == ("?", None, (), ["f"])
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (0, 1)


# --- three views --------------------------------------------------------------------------------------------------


def event(data: str) -> bytes:
    """A server-sent event."""
    return f"data: {data}\n\n".encode()


def says(*choices: str, more: str = "") -> bytes:
    """A chunk with these choices."""
    return event(f'{{"choices": [{", ".join(choices)}]{more}}}')


FIRST, SECOND = '{"index": 0, "delta": {"content": "a"}}', '{"index": 1, "delta": {"content": "b"}}'
END = '{"index": 0, "delta": {}, "finish_reason": "stop"}'
ODD_END = '{"index": 0, "delta": {}, "finish_reason": 7}'
VIEWS: dict[str, tuple[bytes, tuple[str, str | None] | None, tuple[str, str | None], tuple[str, object]]] = {
    # text and finish reason: as it means, as it was carried, as the contract reads it
    "alike": (says(FIRST) + says(END), ("a", "stop"), ("a", "stop"), ("a", "stop")),
    "cut": (says(FIRST) + b"data: {", None, ("a", None), ("a", None)),
    "no-finish": (says(FIRST), ("a", "stop"), ("a", None), ("a", None)),
    "odd-finish": (says(FIRST) + says(ODD_END), ("a", "stop"), ("a", None), ("a", 7)),
    "two-choices": (says(FIRST) + says(SECOND) + says(END), ("a", "stop"), ("ab", "stop"), ("ab", "stop")),
    "two-in-a-chunk": (says(SECOND, FIRST) + says(END), ("a", "stop"), ("ba", "stop"), ("b", "stop")),
    "half-a-character": (
        says(r'{"delta": {"content": "\ud83d"}}') + says(r'{"delta": {"content": "\ude00"}}'),
        ("\U0001f600", "stop"),
        ("\U0001f600", None),
        ("\ud83d\ude00", None),
    ),
    "a-message": (says('{"message": {"content": "a"}}'), ("a", "stop"), ("a", None), ("", None)),
    "an-error": (event('{"error": {"message": "no"}}'), None, ("", None), ("", None)),
    "no-body": (b"", None, ("", None), ("", None)),
}


def exchange_of(body: bytes, headers: tuple[tuple[bytes, bytes], ...] = (), frames_sent: int = 1) -> Exchange:
    """An exchange that asked for a stream and got this body."""
    asked = Request("POST", "/", {}, b'{"stream": true}')
    return Exchange(asked, Plan(200, headers, [body, b"not sent"], [0.0, 1.0]), frames_sent=frames_sent)


@pytest.mark.parametrize(("body", "means", "carries", "shows"), VIEWS.values(), ids=VIEWS)
def test_the_three_views_differ_on_purpose(
    body: bytes, means: tuple[str, str] | None, carries: tuple[str, str | None], shows: tuple[str, object]
) -> None:
    """What is said anew is whole and sendable; what was carried goes as far as its bytes; what is judged is as sent."""
    try:
        found = meaning(Plan(200, (), [body]))
        said = (found.text, found.finish_reason)
    except ValueError:
        said = None
    wire = carried(exchange_of(body))
    judged = Reading(Exchange(Request("POST", "/", {}, b'{"stream": true}'), Plan(200, (), [body]), frames_sent=1))

    assert said == means
    assert (wire.text, wire.finish_reason) == carries
    assert (judged.text, judged.finish_reason) == shows


def test_what_was_carried_can_be_told_as_json() -> None:
    """Half a character in a text, a function's name or a finish reason does not stop the control API."""
    delta = r'{"content": "\ud800", "tool_calls": [{"function": {"name": "f\ud800"}}]}'

    found = carried(exchange_of(says(f'{{"delta": {delta}, "finish_reason": "\\ud800"}}')))

    assert (found.text, found.tool_calls, found.finish_reason) == ("?", ("f?",), "?")


def test_a_packed_body_carries_what_is_packed() -> None:
    """A client takes the content coding off; one that cannot be taken off is told as the problem."""
    body = says(FIRST) + says(END)

    assert carried(exchange_of(gzip.compress(body), ((b"Content-Encoding", b"gzip"),))).text == "a"
    assert carried(exchange_of(body, ((b"content-encoding", b"br"),))) == Carried(
        "json", problem="content-encoding 'br' is not read; known: gzip, deflate, identity"
    )


def test_only_what_was_sent_was_carried() -> None:
    """Frames that stayed behind do not count, and where none was sent nothing was carried."""
    assert carried(exchange_of(says(FIRST))).problem == ""
    assert carried(exchange_of(says(FIRST), frames_sent=0)) == Carried()
    assert carried(Exchange(Request("POST", "/"))) == Carried()

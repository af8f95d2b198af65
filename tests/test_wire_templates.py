"""The wire form compiled into byte templates writes the same bytes as the pure stages."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from mockserver.core.exchange import Answer, ChatRequest, Head, Usage
from mockserver.core.headers import ReadyHeaders
from mockserver.pipeline.head import head
from mockserver.pipeline.render import render_body, render_stream
from mockserver.pipeline.wire_templates import Frames, WireTemplates
from mockserver.profile import quirks
from mockserver.server.client_connection import SentHead, sent_head
from tests.conftest import EDITIONS, NASTY, answers, load, nasty_texts, wires

if TYPE_CHECKING:
    from mockserver.pipeline.wire_settings import WireSettings

heads = st.builds(Head, nasty_texts(), st.integers(0, 2**40), nasty_texts())
HEAD = Head("chatcmpl-1", 1_700_000_000, "some-model")
LONG = Answer(NASTY[1:], Usage(7, 12))


@settings(max_examples=100)
@given(answers(), heads, wires(), st.booleans())
@example(replace(LONG, usage=Usage(1, 9, reasoning_tokens=3)), HEAD, quirks.STANDARD, False)
@example(replace(LONG, finish_reason="100%"), HEAD, quirks.STANDARD, False)
def test_the_compiled_form_equals_the_pure_form(
    answer: Answer, head: Head, wire: WireSettings, include_usage: bool
) -> None:
    """For any answer, identity and quirks, the templates give the bytes of the pure stages, each time they are used."""
    templates = WireTemplates(wire)
    stream = render_stream(answer, head, wire, include_usage=include_usage)

    for _ in range(2):
        assert list(templates.stream(answer, head, include_usage=include_usage)) == stream
        assert templates.body(answer, head) == render_body(answer, head, wire)


@settings(max_examples=100)
@given(answers(), st.binary(min_size=32, max_size=32), wires(), st.booleans())
def test_ready_lines_are_those_that_a_head_is_sent_with(
    answer: Answer, entropy: bytes, wire: WireSettings, stream: bool
) -> None:
    """Where an answer's headers bring their lines, these are what the socket's side makes of the headers alone."""
    request = ChatRequest("m", "c", [], stream=stream)
    made = WireTemplates(wire).write(answer, head("m", wire.head, entropy, 1_700_000_000_000), request)[0]

    if isinstance(made, ReadyHeaders):
        assert sent_head(200, tuple(made)) == SentHead(STATUS_LINE[200], made.lines, made.length)
    else:
        assert not (wire.head.trace_header and wire.head.request_id_header and wire.frame.delivery != "buffered")


@pytest.mark.parametrize("name", quirks.QUIRKS)
@pytest.mark.parametrize("edition", EDITIONS)
def test_every_quirk_compiles(edition: str, name: str) -> None:
    """Each quirk alone, on a shipped chip, with an answer long enough for the template."""
    wire = quirks.changed(load(edition).chips["chip3"].wire, name)
    templates = WireTemplates(wire)

    for answer in (LONG, replace(LONG, blocked=True), replace(LONG, reasoning=("a", "b"))):
        for asked in (False, True):
            assert list(templates.stream(answer, HEAD, include_usage=asked)) == render_stream(
                answer, HEAD, wire, include_usage=asked
            )
        assert templates.body(answer, HEAD) == render_body(answer, HEAD, wire)


def test_templates_do_not_keep_what_was_said() -> None:
    """A long answer is not held in memory after it was sent: only pieces as short as tokens are remembered."""
    templates = WireTemplates(quirks.STANDARD)
    long = "long " * 1000
    references = sys.getrefcount(long)

    templates.body(Answer((long,), Usage(1, 2)), HEAD)
    templates.stream(Answer(("a", long, long), Usage(1, 2)), HEAD, include_usage=False)

    assert sys.getrefcount(long) == references


@given(pieces=st.lists(nasty_texts().filter(bool), min_size=3, max_size=9), cuts=st.tuples(*[st.integers(-12, 12)] * 2))
def test_frames_are_a_sequence(pieces: list[str], cuts: tuple[int, int]) -> None:
    """Frames that are made when asked for have the length, items and slices of the list that they stand for."""
    answer = Answer(tuple(pieces), Usage(3, 4))
    frames = WireTemplates(quirks.STANDARD).stream(answer, HEAD, include_usage=False)
    made = render_stream(answer, HEAD, quirks.STANDARD, include_usage=False)
    start, stop = cuts

    assert isinstance(frames, Frames)
    assert len(frames) == len(made)
    assert [frames[number] for number in range(-len(made), len(made))] == made + made
    assert (frames[start:stop], frames[start:], frames[::-2]) == (made[start:stop], made[start:], made[::-2])
    with pytest.raises(IndexError):
        frames[len(made)]

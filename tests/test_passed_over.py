"""What `run` says of each exchange, and of what common readers pass over in silence."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from mockserver.testing.client_saw import ADVICE
from mockserver.testing.passed_over import exchange_line, exchange_lines, passed_over
from tests.session_helpers import asked

if TYPE_CHECKING:
    from mockserver.testing.session import Session

QUIRKS = "X-Mock-Quirks"
FAULT = "X-Mock-Fault"
MERGED = "the last words came in the chunk that carries finish_reason"
CUT = "the stream ended as HTTP wants it, but without a finish_reason"
EMPTY = "a good status and no body at all"
WHOLE = "one JSON body where a stream was asked for"
BLOCKED = "the text review stopped the answer (`blocked: true`)"
NO_OBJECT = "chunks without `object`, which the OpenAI SDK's .stream() helper passes over"
ORDER = "a frame came twice or in the wrong place"
FIRST = "'我是来自无问芯穹的超大规模语言模型,我叫无问天权。'"
WHOLE_FIRST = FIRST.replace("超大", "大")
TOLD: dict[str, tuple[str, bool, dict[str, str], str, list[str]]] = {
    "events": ("nvidia", True, {}, f"200  sse, 17 pieces  {FIRST}  finish_reason stop  complete", []),
    "a whole answer": ("chip3", False, {}, f"200  json, 1 piece  {WHOLE_FIRST}  finish_reason stop  complete", []),
    "bare lines": (
        "chip3", True, {}, f"200  json-lines, 17 pieces  {FIRST}  finish_reason stop  complete",
        ["these are bare JSON lines without `data:`"],
    ),
    "an empty body": ("nvidia", True, {FAULT: "empty_body"}, "200  empty body  complete  faults empty_body", [EMPTY]),
    "an empty whole": ("nvidia", False, {FAULT: "empty_body"}, "200  empty body  complete  faults empty_body", [EMPTY]),
    "a clean cut": (
        "nvidia", True, {FAULT: "cut;after_frames=3;clean=true"},
        "200  sse, 2 pieces  '我是来自'  no finish_reason  complete  faults cut", [CUT],
    ),
    "a cut": (
        "nvidia", True, {FAULT: "cut;after_frames=3"},
        "200  sse, 2 pieces  '我是来自'  no finish_reason  cut  faults cut", [],
    ),
    "a merged finish": (
        "nvidia", True, {QUIRKS: "+finish-merged"},
        f"200  sse, 17 pieces  {FIRST}  finish_reason stop  complete", [MERGED],
    ),
    "a merged finish in lines": (
        "chip3", True, {QUIRKS: "+finish-merged"},
        f"200  json-lines, 17 pieces  {FIRST}  finish_reason stop  complete",
        ["these are bare JSON lines without `data:`", MERGED],
    ),
    "a stop of the review": (
        "nvidia", True, {FAULT: "blocked_at;after_pieces=2"},
        "200  sse, 2 pieces  '我是来自'  blocked  finish_reason stop  complete  faults blocked_at", [BLOCKED],
    ),
    "no object": (
        "nvidia", True, {QUIRKS: "+object-last"},
        f"200  sse, 17 pieces  {FIRST}  finish_reason stop  complete", [NO_OBJECT],
    ),
    "another order": (
        "nvidia", True, {FAULT: "duplicate_frame"},
        ("200  sse, 18 pieces  '我是我是来自无问芯穹的超大规模语言模型,我叫无问天权。'  finish_reason stop  complete  "
        "faults duplicate_frame"), [ORDER],
    ),
    "an error": ("nvidia", True, {FAULT: "status;status=503"}, "503  complete  faults status", []),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_an_exchange_and_what_is_passed_over(session: Session, name: str) -> None:
    """One line tells what left, and a sentence each what a reader passes over."""
    chip, stream, headers, line, sentences = TOLD[name]
    with suppress(httpx.RemoteProtocolError):
        asked(session.chip(chip), stream=stream, headers=headers)

    seen = session.last
    assert exchange_line(seen) == f"#1  {chip}  {line}"
    assert [one.startswith(start) for one, start in zip(passed_over(seen), sentences, strict=True)] == [True] * len(
        sentences
    )


def test_a_whole_answer_for_a_stream(session: Session) -> None:
    """A server that gives one JSON body where a stream was asked for."""
    asked(session, stream=False)

    assert [one.startswith(WHOLE) for one in passed_over(replace(session.last, stream=True))] == [True]


def test_a_refusal(session: Session) -> None:
    """It names the path, since no chip was understood."""
    asked(session, temperature="hot")

    assert exchange_line(session.last) == "#1  /maas/mt-infini-3b/nvidia/chat/completions  400  refused  complete"


def test_a_call(session: Session) -> None:
    """Calls are told by the functions' names."""
    session.answer(tool_calls=[{"name": "look", "arguments": {}}])
    asked(session)

    assert exchange_line(session.last) == (
        "#1  nvidia  200  json, 0 pieces  calls look  finish_reason tool_calls  complete"
    )


def test_the_first_words(session: Session) -> None:
    """Of a long answer only those."""
    session.answer("a" * 40 + "b")
    asked(session)

    assert f"  {'a' * 40!r}".replace("a'", "a…'") in exchange_line(session.last)


def test_many_exchanges(session: Session) -> None:
    """Each sentence is told once, with the first of its exchanges; of many exchanges the last are shown."""
    asked(session.chip("chip3"), stream=True)
    seen = session.last
    lines = exchange_lines([replace(seen, number=number) for number in range(1, 61)])

    assert lines[0] == "(10 earlier exchanges left out)"
    assert [line.partition("  ")[0] for line in lines[1:51]] == [f"#{number}" for number in range(11, 61)]
    assert lines[51:] == [f"look at #1, #2, #3, #4, #5 and 55 more: {ADVICE['json-lines']}"]

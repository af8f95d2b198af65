"""The way back from bytes to what was said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.data import shipped
from mockserver.core.exchange import Answer, Head, Plan, ToolCall, Usage
from mockserver.pipeline.meaning import answer_of, meaning
from mockserver.pipeline.wire_templates import WireTemplates
from mockserver.profile.edition import load_edition

ROOTS = [shipped("profiles")]
WIRES = {
    f"{edition}-{chip}": profile.wire
    for edition in ("2024-tutorial", "2025-reference")
    for chip, profile in load_edition(edition, ROOTS).chips.items()
}
HEAD = Head("chatcmpl-1", 1708486029, "mt-infini-3b")
PIECES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=8).map(tuple)


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
    assert found.usage == Usage(0, 2)


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

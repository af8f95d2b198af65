"""The text review: what is cut, what is kept, and how a blocked answer looks from outside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.exchange import Answer, ToolCall, Usage
from mockserver.files.pattern import compile_pattern
from mockserver.pipeline.frame import WIRE_FORMATS
from mockserver.pipeline.moderate import ModerationRules, moderate
from tests.conftest import EDITIONS, answers, ask, compose, load, nasty_texts

SAID = Answer(("ab", "cd", "ef"), Usage(3, 6, 2), reasoning=("r1", "r2"), tool_calls=(ToolCall("c", "f", ("{}",)),))


@pytest.mark.parametrize(
    ("rules", "texts", "kept"),
    [
        (ModerationRules(), ["anything"], None),
        (ModerationRules(input_words=("bad",)), ["good", "not bad"], ((), ())),
        (ModerationRules(input_words=("bad",)), ["good"], None),
        (ModerationRules(input_patterns=(compile_pattern("b.d", "test"),)), ["b\u2028d"], ((), ())),
        (ModerationRules(output_words=("ef",)), [], (("r1", "r2"), ("ab", "cd"))),
        (ModerationRules(output_words=("bcde",)), [], (("r1", "r2"), ("ab", "cd"))),
        (ModerationRules(output_words=("ab",)), [], (("r1", "r2"), ())),
        (ModerationRules(output_words=("r2",)), [], (("r1",), ())),
        (ModerationRules(output_words=("r2ab",)), [], None),
        (ModerationRules(output_patterns=(compile_pattern("c", "test"),)), [], (("r1", "r2"), ("ab",))),
        (ModerationRules(after_pieces=0), [], ((), ())),
        (ModerationRules(after_pieces=1), [], (("r1",), ())),
        (ModerationRules(after_pieces=3), [], (("r1", "r2"), ("ab",))),
        (ModerationRules(after_pieces=5), [], None),
    ],
    ids=["no-rules", "input-word", "input-clean", "input-pattern", "last-piece", "across-pieces", "first-piece",
         "in-reasoning", "not-across-reasoning", "pattern", "after-0", "after-1", "after-3", "after-all"],
)  # fmt: skip
def test_the_review_keeps_what_came_before_the_violation(
    rules: ModerationRules, texts: list[str], kept: tuple[tuple[str, ...], tuple[str, ...]] | None
) -> None:
    """Input violations leave nothing, output violations all pieces before the one that completes the word."""
    reviewed = moderate(SAID, texts, rules)

    if kept is None:
        assert reviewed is SAID
        return
    assert (reviewed.reasoning, reviewed.pieces) == kept
    assert reviewed.blocked
    assert reviewed.tool_calls == ()
    assert reviewed.usage.completion_tokens == len(kept[0]) + len(kept[1]) + 1


@given(answers(), st.lists(nasty_texts().filter(bool), max_size=3), st.none() | st.integers(0, 9))
def test_a_blocked_answer_is_a_clean_beginning(answer: Answer, words: list[str], after: int | None) -> None:
    """What the review lets through is a beginning of the answer, and holds none of the words."""
    reviewed = moderate(answer, [], ModerationRules(output_words=tuple(words), after_pieces=after))

    assert answer.pieces[: len(reviewed.pieces)] == reviewed.pieces
    assert answer.reasoning[: len(reviewed.reasoning)] == reviewed.reasoning
    if after is None:
        assert not any(word in reviewed.text for word in words)


def seen(plan: Any, framing: str) -> list[dict[str, Any]]:
    """The chunks of a streamed plan."""
    reader = WIRE_FORMATS[framing].reader()
    found = [one for frame in plan.frames for one in reader.feed(frame)] + reader.close()
    return [one for one in found if isinstance(one, dict)]


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
@pytest.mark.parametrize("edition", EDITIONS)
def test_blocked_is_absent_where_the_review_passes(edition: str, chip: str) -> None:
    """The key is never false: it is absent (tutorial, note under the sample of a body)."""
    service = compose(load(edition))
    path = f"{next(iter(service.rules.models))}/{chip}"

    framing = service.rules.wires[chip].frame.framing
    assert all("blocked" not in chunk for chunk in seen(ask(service, path, model=None, stream=True), framing))
    assert "blocked" not in json.loads(ask(service, path, model=None).frames[0])


@pytest.mark.parametrize("word", ["触发输入审核", "trigger-input-review"])
@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
@pytest.mark.parametrize("edition", EDITIONS)
def test_a_violating_prompt_gets_a_blocked_answer_with_nothing_in_it(edition: str, chip: str, word: str) -> None:
    """Status 200, `blocked: true` at the top level, no text; streamed and not; in a part of a message too."""
    service = compose(load(edition))
    path = f"{next(iter(service.rules.models))}/{chip}"
    said = [{"role": "user", "content": [{"type": "text", "text": f"请{word}。"}]}]

    streamed = ask(service, path, model=None, messages=said, stream=True)
    whole = ask(service, path, model=None, messages=said)

    chunks = seen(streamed, service.rules.wires[chip].frame.framing)
    assert [list(chunk) for chunk in chunks if "blocked" in chunk] == [list(chunks[-1])]
    assert list(chunks[-1])[-1] == "blocked"
    assert chunks[-1]["blocked"] is True
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [{"role": "assistant"}, {}]
    body = json.loads(whole.frames[0])
    assert list(body)[-1] == "blocked"
    assert (streamed.status, whole.status, body["blocked"]) == (200, 200, True)
    assert body["choices"] == [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}]
    assert body["usage"]["completion_tokens"] == 1


def test_a_violating_answer_is_cut_before_the_violation() -> None:
    """The shipped demonstration: the answer stops before the piece that completes the word."""
    service = compose(load("2024-tutorial"))
    said = [{"role": "user", "content": "演示输出审核"}]

    chunks = seen(ask(service, messages=said, stream=True), "json-lines")

    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == "下面的词会触发输出"
    assert chunks[-1]["blocked"] is True
    assert chunks[-1]["usage"]["completion_tokens"] == 7
    assert json.loads(ask(service, messages=said).frames[0])["choices"][0]["message"]["content"] == text

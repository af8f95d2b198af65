"""The stage `limit`: stop sequences and `max_tokens`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Answer, ToolCall, Usage
from mockserver.pipeline.limit import bounds, limit

pieces = st.lists(st.sampled_from(["a", "b", "ab", "中", "文字", "😀", "\u2028", "\x00", " "]), max_size=10).map(tuple)
stop_lists = st.lists(st.text("ab中文字😀 \u2028\u0085", max_size=3), max_size=4)
calls = st.lists(pieces.map(lambda cut: ToolCall("call_1", "f", cut)), max_size=2).map(tuple)


def said(content: tuple[str, ...], reasoning: tuple[str, ...] = (), tool_calls: tuple[ToolCall, ...] = ()) -> Answer:
    """An answer whose usage adds up."""
    size = len(content) + len(reasoning) + sum(len(call.pieces) for call in tool_calls)
    finish = "tool_calls" if tool_calls else "stop"
    return Answer(content, Usage(5, size + 1, len(reasoning)), finish, reasoning, tool_calls)


answers = st.builds(said, pieces, pieces, calls)


def sent(answer: Answer) -> int:
    """How many pieces an answer has, of all kinds."""
    return len(answer.reasoning) + len(answer.pieces) + sum(len(call.pieces) for call in answer.tool_calls)


@given(answer=answers, stops=stop_lists)
@settings(max_examples=100, deadline=None, database=None)
def test_no_stop_sequence_stays_in_the_content(answer: Answer, stops: list[str]) -> None:
    """The content is a prefix that holds none of the stop sequences, and what follows it begins with one of them."""
    made = limit(answer, None, stops)

    assert answer.text.startswith(made.text)
    assert not any(stop in made.text for stop in stops if stop)
    if made is not answer:
        assert answer.text[len(made.text) :].startswith(tuple(stop for stop in stops if stop))
        assert (made.finish_reason, made.usage.completion_tokens) == ("stop", sent(made) + 1)
        assert all(made.pieces)
    else:
        assert not any(stop in answer.text for stop in stops if stop)


@given(answer=answers, most=st.integers(1, 40))
@settings(max_examples=100, deadline=None, database=None)
def test_max_tokens_is_met_exactly(answer: Answer, most: int) -> None:
    """An answer that is too long keeps exactly `max_tokens` pieces, in order; any other is left as it is."""
    made = limit(answer, most, ())

    if sent(answer) + 1 <= most:
        assert made is answer
    else:
        assert sent(made) == made.usage.completion_tokens == most
        assert made.finish_reason == "length"
        assert made.reasoning == answer.reasoning[: len(made.reasoning)]
        assert made.text == "" or made.reasoning == answer.reasoning
        assert made.usage.reasoning_tokens == len(made.reasoning)


@pytest.mark.parametrize(
    ("content", "stops", "left"),
    [
        (("你", "好", "世界"), ["世"], ("你", "好")),
        (("你好", "世界"), ["好世"], ("你",)),
        (("ab", "cd", "ef"), ["de", "bc"], ("a",)),
        (("ab", "cd"), [""], ("ab", "cd")),
        (("ab", "cd"), ["", "c"], ("ab",)),
        (("ab", "cd"), ["ab"], ()),
        (("a", "a", "a"), ["aa"], ()),
        (("ab", "cd"), ["x"], ("ab", "cd")),
    ],
    ids=["at-a-piece", "across-pieces", "the-first-of-two", "empty", "empty-and-one", "all", "repeated", "not-there"],
)
def test_where_the_content_ends(content: tuple[str, ...], stops: list[str], left: tuple[str, ...]) -> None:
    """The content ends exactly before the first occurrence, cutting a piece where it must."""
    assert limit(said(content), None, stops).pieces == left


def test_a_stop_sequence_in_the_reasoning_does_not_count() -> None:
    """Only the content is searched."""
    answer = said(("b",), reasoning=("a",))

    assert limit(answer, None, ["a"]) is answer


def test_reasoning_counts_first() -> None:
    """With fewer tokens than the reasoning has, there is no content."""
    made = limit(said(("c", "d"), reasoning=("a", "b")), 1, ())

    assert (made.reasoning, made.pieces, made.usage) == (("a",), (), Usage(5, 1, 1))


def test_arguments_of_calls_are_cut_too() -> None:
    """A call past the bound is gone, the one at the bound is cut, and the reason is length."""
    first, second = ToolCall("1", "f", ('{"a"', ":1}")), ToolCall("2", "g", ("{}",))
    made = limit(said((), tool_calls=(first, second)), 1, ())

    assert made.tool_calls == (replace(first, pieces=('{"a"',)),)
    assert made.finish_reason == "length"


def test_a_stop_before_the_bound_is_a_stop() -> None:
    """Whichever comes first ends the answer."""
    answer = said(("a", "b", "c", "d"))

    assert limit(answer, 3, ["c"]).finish_reason == "stop"
    assert limit(answer, 2, ["d"]).finish_reason == "length"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (None, ())),
        ({"max_tokens": None, "stop": None}, (None, ())),
        ({"max_tokens": 3, "stop": "a"}, (3, ("a",))),
        ({"max_tokens": 3, "max_completion_tokens": 4, "stop": ["a", "b"]}, (3, ("a", "b"))),
        ({"max_tokens": 3, "max_completion_tokens": None}, (3, ())),
    ],
    ids=["nothing", "null", "old-name-and-string", "the-smaller-counts", "new-name-null"],
)
def test_bounds_of_a_body(body: dict[str, Any], expected: tuple[int | None, tuple[str, ...]]) -> None:
    """Both names of the bound and both forms of stop are read; null means absent."""
    assert bounds(body) == expected


def test_too_many_stop_sequences_are_refused() -> None:
    """The search's time is not the client's choice."""
    with pytest.raises(Refusal, match=r"^stop: 65 strings were sent; allowed: at most 64$") as refused:
        bounds({"stop": ["x"] * 65})

    assert refused.value.param == "stop"

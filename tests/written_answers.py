"""Answers as people might write them, right and wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Values = st.SearchStrategy[Any]


def some(**fields: Values) -> Values:
    """Objects with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


NUMBERS = st.sampled_from([0, 1, 3.0, 1.5, 400, 404.0, 600, 2**53, True, "1", None, -1])
TEXTS = st.sampled_from([None, "", "你好", 5])
ERRORS = st.one_of(
    st.sampled_from(["rate-limited", "no-such-kind", None]),
    some(kind=st.sampled_from([None, "internal", "no-such-kind"]), status=NUMBERS, code=NUMBERS, message=TEXTS),
)
ANSWERS = some(
    text=TEXTS, pieces=st.sampled_from([None, [], ["a", "b"], [1]]), reasoning=TEXTS, error=ERRORS, delay_ms=NUMBERS,
    blocked=st.sampled_from([True, False, 0]), created=NUMBERS, id=TEXTS,
    finish_reason=st.sampled_from([None, "stop", 1]),
    usage=st.one_of(st.none(), some(prompt_tokens=NUMBERS, completion_tokens=NUMBERS)),
    tool_calls=st.lists(some(name=TEXTS, arguments=st.sampled_from([{}, "{", {"a": 1.0}, 5])), max_size=1),
)  # fmt: skip

"""Conditions on texts and values, and the paths that lead to values."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockserver.sources.condition import (
    MISSING,
    SEARCHED,
    Text,
    folded,
    normal,
    shown,
    steps,
    text_condition,
    value_at,
    value_condition,
)

texts = st.text(
    st.sampled_from("你谁ａＢ？?é e\u0301\u0323ﷺ가ᄀ\u1161🙂\u2028\u0085\x00 \n")
    | st.characters(exclude_categories=["Cs"])
)

TEXTS: dict[str, tuple[object, str, bool]] = {
    "the same text": ("你是谁?", "你是谁?", True),
    "another text": ("你是谁?", "你是谁啊?", False),
    "full width is alike": ("你是谁?", "你是谁？", True),
    "full width in the file": ("ＡＢＣ：１", "ABC:1", True),
    "case is not": ("Hello", "hello", False),
    "space around it": ("你好", " 你好\n", True),
    "space within it": ("你好", "你 好", False),
    "composed or not": ("é", "e\u0301", True),
    "empty": ("", "", True),
    "contains": ({"contains": "谁"}, "你是谁?", True),
    "contains, full width": ({"contains": "谁?"}, "你是谁？好", True),
    "contains, not there": ({"contains": "他"}, "你是谁?", False),
    "contains, spaces count": ({"contains": " b"}, "ab", False),
    "regex": ({"regex": "^你.*[?？]$"}, "你是谁？", True),
    "regex, anywhere": ({"regex": "是"}, "你是谁", True),
    "regex, not there": ({"regex": "^是"}, "你是谁", False),
    "regex, digits": ({"regex": r"\d{3}"}, "a 123", True),
}


@pytest.mark.parametrize(("condition", "text", "fits"), TEXTS.values(), ids=TEXTS)
def test_a_text(condition: object, text: str, fits: bool) -> None:
    """A text stands for itself after NFKC; `contains` and `regex` look into it."""
    assert text_condition(condition).fits(Text(text)) is fits


BODY = {
    "temperature": 0.5,
    "n": 1,
    "user": "小明？",
    "stop": None,
    "stream": True,
    "tools": [{"function": {"name": "f"}}, {}],
}
VALUES: dict[str, tuple[str, object, bool]] = {
    "number": ("$.temperature", 0.5, True),
    "another number": ("$.temperature", 0.7, False),
    "integer or not": ("$.n", 1.0, True),
    "true is not 1": ("$.n", True, False),
    "1 is not true": ("$.stream", 1, False),
    "true": ("$.stream", True, True),
    "text": ("$.user", "小明?", True),
    "text with regex": ("$.user", {"regex": "^小"}, True),
    "text with contains": ("$.user", {"contains": "明"}, True),
    "number is no text": ("$.n", {"regex": "1"}, False),
    "null": ("$.stop", None, True),
    "null exists": ("$.stop", {"exists": True}, True),
    "missing is not null": ("$.seed", None, False),
    "missing": ("$.seed", {"exists": False}, True),
    "missing, wanted": ("$.seed", {"exists": True}, False),
    "into an array": ("$.tools[0].function.name", "f", True),
    "from its end": ("$.tools[-1]", {}, True),
    "beyond its end": ("$.tools[2]", {"exists": True}, False),
    "before its start": ("$.tools[-3]", {"exists": True}, False),
    "object": ("$.tools[0].function", {"name": "f"}, True),
    "object with true for 1": ("$.tools[0]", {"function": True}, False),
    "array": ("$.tools", [{"function": {"name": "f"}}, {}], True),
    "shorter array": ("$.tools", [{}], False),
    "name into an array": ("$.tools.name", {"exists": True}, False),
    "number into an object": ("$[0]", {"exists": True}, False),
    "through a text": ("$.user.name", {"exists": True}, False),
    "the body": ("$", {"exists": True}, True),
}


@pytest.mark.parametrize(("path", "condition", "fits"), VALUES.values(), ids=VALUES)
def test_a_value_of_the_body(path: str, condition: object, fits: bool) -> None:
    """A value stands for itself; `contains`, `regex` and `exists` are conditions."""
    assert value_condition(condition).fits(value_at(BODY, steps(path))) is fits


PATHS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "the body": ("$", ()),
    "names": ("$.a.b", ("a", "b")),
    "array": ("$.a[0][-1].b", ("a", 0, -1, "b")),
    "names of any script": ("$.城市.x-y z", ("城市", "x-y z")),
}


@pytest.mark.parametrize(("path", "expected"), PATHS.values(), ids=PATHS)
def test_a_path_is_read(path: str, expected: tuple[str | int, ...]) -> None:
    """A path is names and numbers."""
    assert steps(path) == expected


@pytest.mark.parametrize(
    "path", ["", "a", ".a", "$a", "$.", "$..a", "$.a[", "$.a[x]", "$.a[*]", "$.a[0", "$.a]", "$[1:2]"]
)
def test_a_path_that_is_none_says_how_to_write_one(path: str) -> None:
    """Slices, wildcards and deep search are not part of the paths."""
    with pytest.raises(ValueError, match="is not a path") as raised:
        steps(path)

    assert str(raised.value) == f"{path!r} is not a path; write it like $.temperature or $.tools[0].function.name"


FORMS = 'allowed: a text, {"contains": "a text"} or {"regex": "an expression"}'
WRONG: dict[str, tuple[object, str]] = {
    "number": (5, "5 is not allowed; " + FORMS),
    "null": (None, "null is not allowed; " + FORMS),
    "unknown key": (
        {"contain": "a"},
        '{"contain": "a"} is not allowed; ' + FORMS,
    ),
    "two keys": (
        {"contains": "a", "regex": "b"},
        '{"contains": "a", "regex": "b"} is not allowed; ' + FORMS,
    ),
    "exists of a text": (
        {"exists": True},
        '{"exists": true} is not allowed; ' + FORMS,
    ),
    "contains nothing": ({"contains": ""}, "contains: '' is not allowed; allowed: a text, not empty"),
    "contains a number": ({"contains": 1}, "contains: 1 is not allowed; allowed: a text, not empty"),
    "regex a number": ({"regex": 1}, "regex: 1 is not allowed; allowed: a text"),
    "regex broken": (
        {"regex": "("},
        "regex: '(' is not a regular expression in RE2's syntax: unclosed group (no look-around, no back-references)",
    ),
    "regex with look-around": (
        {"regex": "(?=a)"},
        (
            "regex: '(?=a)' is not a regular expression in RE2's syntax: look-around, including look-ahead and "
            "look-behind, is not supported (no look-around, no back-references)"
        ),
    ),
}


@pytest.mark.parametrize(("condition", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_condition_is_refused(condition: object, message: str) -> None:
    """The message says what was seen and what is allowed."""
    with pytest.raises(ValueError, match="is not a") as raised:
        text_condition(condition)

    assert str(raised.value) == message


def test_exists_takes_true_or_false_only() -> None:
    """`{"exists": 1}` is no condition."""
    with pytest.raises(ValueError, match=r"^exists: 1 is not allowed; allowed: true or false$"):
        value_condition({"exists": 1})


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*)*b", "(x+x+)+y"])
def test_a_pattern_that_backtracks_elsewhere_takes_linear_time(pattern: str) -> None:
    """These take longer than the universe is old with backtracking; here they end."""
    assert not text_condition({"regex": pattern + "c"}).fits(Text("a" * 1_000_000 + "!"))


@pytest.mark.parametrize("pattern", ["(?:a{1000}){1000}", r"[\pL]{900}[\pN]"])
def test_a_pattern_that_is_too_large_is_refused(pattern: str) -> None:
    """The memory of a pattern is bounded, so it cannot fill it."""
    with pytest.raises(ValueError, match="compiled regex exceeds size limit of 10485760 bytes"):
        text_condition({"regex": pattern})


@pytest.mark.parametrize("condition", [{"contains": "z"}, {"regex": "z"}], ids=["contains", "regex"])
def test_only_the_first_64_kib_are_searched(condition: dict[str, str]) -> None:
    """What stands after 65,536 characters is not found."""
    assert text_condition(condition).fits(Text("a" * (SEARCHED - 1) + "z"))
    assert not text_condition(condition).fits(Text("a" * SEARCHED + "z"))


def test_marks_without_end_do_not_take_quadratic_time() -> None:
    """NFKC of five million combining marks would take hours; the comparison ends, and still tells texts apart."""
    marks = "a" + "\u0301\u0323" * 2_500_000

    assert text_condition(marks).fits(Text(marks))
    assert not text_condition(marks).fits(Text(marks + "\u0301"))


@settings(max_examples=100)
@given(texts)
@example("e\u0301" * 300)
@example("ᄀ\u1161" * 100)
@example("谁\u0301？a\u0323")
def test_folding_is_nfkc(text: str) -> None:
    """Of texts without absurdly long runs of marks, the folded form is the NFKC form."""
    assert folded(text) == unicodedata.normalize("NFKC", text)


@settings(max_examples=50)
@given(texts)
def test_a_text_fits_itself(text: str) -> None:
    """What is written as it was sent fits, and so does its NFKC form."""
    assert text_condition(text).fits(Text(text))
    assert text_condition(unicodedata.normalize("NFKC", text)).fits(Text(text))
    assert normal(normal(text)) == normal(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, min_size=2, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(json_values)
def test_a_value_fits_itself(value: Any) -> None:
    """Every value that is no condition fits itself and does not fit nothing."""
    condition = value_condition(value)

    assert condition.fits(Text(value) if isinstance(value, str) else value)
    assert not condition.fits(MISSING)


@settings(max_examples=50)
@given(json_values)
def test_what_is_shown_is_one_short_line(value: Any) -> None:
    """A value in a message never breaks the line and never fills the screen."""
    text = shown(value)

    assert len(text) <= 60
    assert len(text.splitlines()) <= 1

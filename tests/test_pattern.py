"""Users' regular expressions: one syntax, RE2's, whoever searches; and nothing whose time has no bound."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.errors import OperatorError
from mockserver.files.pattern import compile_mask, compile_pattern

PLAIN = r"a B 0 é 中 - \d \D \w \W \s \S \b ^ $ . \- \< \> \/ \. \pL \p{Han} \P{Lu} \x41 \x{4e2d} \0 \012 } ] { {,2} ()"
CLASSES = (
    r"[a] [^a] []a] [^]a] [a-c] [[a] [a-] [-a] [--a] [!--] [&&a] [~~] [\d_] [^\W\d] [\]\\] [[:alpha:]] [^[:digit:]]"
)
ATOMS = (*PLAIN.split(), *CLASSES.split(), "(?i:k)", "(a)", " ")
TEXTS = "aAbBkK\u212a0é中-_ \n\t\v\0\\/.<>[]{},&~!z"


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions of a few atoms, repeated, grouped and offered as alternatives."""
    parts = [
        draw(st.sampled_from(ATOMS)) + draw(st.sampled_from(["", "", "", "*", "+?", "?", "{2}", "{0,2}", "{1,}"]))
        for _ in range(draw(st.integers(0, 5)))
    ]
    for place in draw(st.lists(st.integers(0, len(parts)), max_size=2)):
        parts.insert(place, "|")
    text = "".join(parts)
    return draw(st.sampled_from(["", "(?i)", "(?s)", "(?m)"])) + draw(st.sampled_from([text, f"({text})"]))


@given(expressions(), st.lists(st.text(TEXTS, max_size=6), min_size=5, max_size=5))
def test_the_syntax_is_that_of_re2(expression: str, texts: list[str]) -> None:
    """What RE2 takes is taken, and found in the same texts."""
    re2 = pytest.importorskip("re2", reason="google-re2 has no wheel for this system")
    options = re2.Options()
    options.log_errors = False
    try:
        expected = re2.compile(expression, options)
    except re2.error:
        return

    ours = compile_pattern(expression, "regex")

    for text in texts:
        assert ours.found_in(text) == (expected.search(text) is not None), (expression, text)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("(", "unclosed group"),
        ("a**?)", "unopened group"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?<!a)b", "look-around, including look-ahead and look-behind, is not supported"),
        (r"\p{Klingon}", "Unicode property not found"),
        ("[b-a]", "invalid character class range, the start must be <= the end"),
        ("(?:a{1000}){1000}", "compiled regex exceeds size limit of 10485760 bytes"),
    ],
)
@pytest.mark.parametrize("compiled", [compile_pattern, compile_mask])
def test_what_is_no_expression_is_one_line(compiled: object, expression: str, reason: str) -> None:
    """The message says where, what was seen, why, and what the syntax leaves out."""
    with pytest.raises(OperatorError) as caught:
        compiled(expression, "there")  # type: ignore[operator]

    assert str(caught.value) == (
        f"there: {expression!r} is not a regular expression in RE2's syntax: {reason[0].lower()}{reason[1:]} "
        "(no look-around, no back-references)"
    )


@pytest.fixture(params=["google-re2", "re"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine that masks search with: google-re2, or Python's where that is not installed."""
    name: str = request.param
    if name == "re":
        monkeypatch.setitem(sys.modules, "re2", None)
    else:
        pytest.importorskip("re2", reason="google-re2 has no wheel for this system")
    return name


@pytest.mark.parametrize(
    ("expression", "data", "masked"),
    [
        ("1[0-9]{10}", b"tel 13800138000, 13900139000.", b"tel ###########, ###########."),
        (r"\b1\d{3}\b", "号码1234。①1234x 1234".encode(), "号码####。①1234x ####".encode()),
        ("[张李].三", "李四三 张三".encode(), "######### 张三".encode()),
        ("(?i)secret|token", b"Secret TOKEN tok", b"###### ##### tok"),
        ("[a-z.]{1,64}@[a-z.]{1,64}", b"to: ab.c@d.e, x", b"to: ########, x"),
        ("a.c", b"\xff\xfeabc\xff", b"\xff\xfe###\xff"),
        ("x?", b"ab", b"ab"),
        ("(?P<year>[0-9]{4})-[01][0-9]", b"2024-12 2024-22", b"####### 2024-22"),
        ("^a|b$", b"aab\nab", b"#ab\na#"),
    ],
)
@pytest.mark.usefixtures("engine")
def test_a_mask_finds_the_same_with_both_engines(expression: str, data: bytes, masked: bytes) -> None:
    """Spans are those of the bytes, between characters of several bytes and beside what is no text."""
    seen = bytearray(data)
    for start, end in compile_mask(expression, "--scrub-pattern").spans(data):
        seen[start:end] = b"#" * (end - start)

    assert bytes(seen) == masked


BEYOND = {
    "a+@": "its repeat + has no upper bound, as {1,64} has",
    "张.*?三": "its repeat * has no upper bound, as {1,64} has",
    "a{3,}": "its repeat {3,} has no upper bound, as {1,64} has",
    "(?:a{1,9}){9}": "its repeat {9} is one of a group",
    "(?U)a{2}": "it has a group that begins with (?U",
    "a{0,99}b{0,99}": "its choices multiply to more than 5000 ways",
    "a?" * 13: "its choices multiply to more than 5000 ways",
    "(a|a)" * 13: "its choices multiply to more than 5000 ways",
    r"\}?" * 13: "its choices multiply to more than 5000 ways",
    "a" * 501: "it is longer than 500 characters",
    r"\p{Han}": r"Python's re does not take it: bad escape \p at position 0",
}


@pytest.mark.parametrize("expression", BEYOND, ids=BEYOND.values())
def test_without_re2_a_mask_has_a_bound(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's engine goes back over the data, so it is given nothing without a bound; the way out is said."""
    monkeypatch.setitem(sys.modules, "re2", None)

    with pytest.raises(OperatorError) as caught:
        compile_mask(expression, "--scrub-pattern")

    assert str(caught.value) == (
        f"--scrub-pattern: {expression!r}: {BEYOND[expression]}; google-re2 takes it: pip install 'google-re2>=1.1'"
    )


@pytest.mark.parametrize("expression", BEYOND)
def test_re2_takes_what_the_other_does_not(expression: str) -> None:
    """The way out leads out."""
    pytest.importorskip("re2", reason="google-re2 has no wheel for this system")
    compile_mask(expression, "--scrub-pattern")


def test_alternatives_of_words_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of names is tried once at each place, however long it is."""
    monkeypatch.setitem(sys.modules, "re2", None)
    names = "|".join(f"name{number}" for number in range(40))
    assert compile_mask(names, "--scrub-pattern").spans(b"to name39, name") == [(3, 8)]


def test_the_worst_mask_without_re2_ends_in_time_linear_in_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """An e-mail address is sought in what an image looks like: letters without end and no @."""
    monkeypatch.setitem(sys.modules, "re2", None)
    letters = bytes(random.Random(0).choices(b"abcdefghij", k=200_000))

    assert compile_mask("[a-z.]{1,64}@[a-z.]{1,64}", "--scrub-pattern").spans(letters) == []

"""What a fixture asks of a text or of a value of the body: conditions, and the paths that lead to a value.

A text (or any JSON value) stands for itself; an object with one of the keys of `CONDITIONS` is a condition. Texts are
compared after NFKC, so that `？` and `?` are alike, and without white space around them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Protocol

from mockserver.core import errors
from mockserver.core.errors import OperatorError
from mockserver.core.immutable import immutable
from mockserver.files.pattern import compile_pattern

if TYPE_CHECKING:
    from mockserver.files.pattern import TextPattern

SEARCHED: Final = 64 * 1024
"""Characters of a text that are normalised and searched; what comes after them is only compared as it was sent."""
Steps = tuple[str | int, ...]

# NFKC takes quadratic time in a run of combining marks (2.6 s for 64,000 of them), so it is applied to runs of bounded
# length that begin where it changes nothing: ASCII and common ideographs stay, and join nothing before them.
_RUN: Final = re.compile(r"[\x00-\x7f\u4e00-\u9fff]?[^\x00-\x7f\u4e00-\u9fff]{1,256}")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(-?[0-9]{1,9})\]")


SHORT: Final = 1024
"""Texts up to here are asked whether they are folded already; of a longer one that could take long."""


def folded(text: str) -> str:
    """The text after NFKC, as far as it is searched; linear in its length whatever it holds."""
    if text.isascii() or (len(text) <= SHORT and unicodedata.is_normalized("NFKC", text)):
        return text
    head, tail = text[:SEARCHED], text[SEARCHED:]
    return _RUN.sub(lambda run: unicodedata.normalize("NFKC", run[0]), head) + tail


def normal(text: str) -> str:
    """The text as it is compared: folded, without white space around it."""
    return folded(text).strip()


class Text:
    """A text of a request: as sent, and as it is compared.

    Attributes:
        sent: The text as sent.
        folded: The text after NFKC.
        normal: The same without white space around it.
    """

    __slots__ = ("folded", "normal", "sent")

    def __init__(self, sent: str) -> None:
        self.sent = sent
        self.folded = sent if sent.isascii() else folded(sent)
        self.normal = self.folded.strip()


class Missing:
    """Where a path leads to nothing."""

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = Missing()


class Condition(Protocol):
    """What a fixture asks of a text or a value; its `str` is how a near miss names what was expected."""

    @property
    def text(self) -> str:
        """The text that is written in the file, for measuring likeness; empty for none."""

    def fits(self, seen: object) -> bool:
        """Whether it holds; `seen` is a `Text` for a text, MISSING for nothing, else a JSON value."""


@immutable(frozen=True, slots=True)
class Same:
    """The text is this one, after NFKC."""

    text: str
    normal: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal", normal(self.text))

    def fits(self, seen: object) -> bool:
        """See `Condition`."""
        return isinstance(seen, Text) and seen.normal == self.normal

    def __str__(self) -> str:
        return shown(self.text)


@immutable(frozen=True, slots=True)
class Equal:
    """The value is this one; unlike in Python, `true` is not 1."""

    value: Any
    text: str = field(init=False, default="")

    def fits(self, seen: object) -> bool:
        """See `Condition`."""
        return _equal(self.value, seen)

    def __str__(self) -> str:
        return shown(self.value)


@immutable(frozen=True, slots=True)
class Contains:
    """The text holds this one, after NFKC."""

    text: str
    folded: str = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text:
            raise ValueError(f"contains: {shown(self.text)} is not allowed; allowed: a text, not empty")
        object.__setattr__(self, "folded", folded(self.text))

    def fits(self, seen: object) -> bool:
        """See `Condition`."""
        return isinstance(seen, Text) and self.folded in seen.folded[:SEARCHED]

    def __str__(self) -> str:
        return f"a text that contains {shown(self.text)}"


@immutable(frozen=True, slots=True)
class Regex:
    """The text as it was sent holds a match of this regular expression (RE2's syntax)."""

    text: str
    _pattern: TextPattern = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ValueError(f"regex: {shown(self.text)} is not allowed; allowed: a text")  # noqa: TRY004 - for pydantic
        try:
            object.__setattr__(self, "_pattern", compile_pattern(self.text, "regex"))
        except OperatorError as error:
            raise ValueError(str(error)) from None

    def fits(self, seen: object) -> bool:
        """See `Condition`."""
        return isinstance(seen, Text) and self._pattern.found_in(seen.sent[:SEARCHED])

    def __str__(self) -> str:
        return f"a match of {shown(self.text)}"


@immutable(frozen=True, slots=True)
class Exists:
    """The path leads to a value (null is one), or to nothing."""

    wanted: bool
    text: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if not isinstance(self.wanted, bool):
            raise ValueError(f"exists: {shown(self.wanted)} is not allowed; allowed: true or false")  # noqa: TRY004 - for pydantic

    def fits(self, seen: object) -> bool:
        """See `Condition`."""
        return (seen is not MISSING) is self.wanted

    def __str__(self) -> str:
        return "any value" if self.wanted else "nothing"


def text_condition(value: object) -> Condition:
    """A condition on a text, as a fixture writes it; raises ValueError for what is none."""
    if isinstance(value, str):
        return Same(value)
    if isinstance(value, dict) and len(value) == 1:
        key, said = next(iter(value.items()))
        if key in {"contains", "regex"}:
            return _condition(key, said)
    raise ValueError(
        f'{shown(value)} is not allowed; allowed: a text, {{"contains": "a text"}} or {{"regex": "an expression"}}'
    )


def head_condition(value: object) -> Condition:
    """A condition on a header or a parameter of the query; raises ValueError for what is none."""
    if isinstance(value, dict) and list(value) == ["exists"]:
        return Exists(value["exists"])
    try:
        return text_condition(value)
    except ValueError as error:
        raise ValueError(f'{error}, or {{"exists": true}}') from None


def value_condition(value: object) -> Condition:
    """A condition on a value of the body, as a fixture writes it: every value that is no condition means itself."""
    if isinstance(value, str):
        return Same(value)
    if isinstance(value, dict) and len(value) == 1:
        key, said = next(iter(value.items()))
        if key in CONDITIONS:
            return _condition(key, said)
    return Equal(value)


def _condition(key: str, said: object) -> Condition:
    made: Condition = CONDITIONS[key](said)
    return made


def steps(path: str) -> Steps:
    """The steps of a path such as `$.tools[0].function.name`; raises ValueError where it is none.

    A path begins with `$` (the body); `.name` goes into an object, `[0]` into an array, `[-1]` to its last element.
    """
    found: list[str | int] = []
    at = 1
    while path.startswith("$") and (step := _STEP.match(path, at)):
        found.append(step[1] if step[1] is not None else int(step[2]))
        at = step.end()
    if not path.startswith("$") or at != len(path):
        raise ValueError(f"{shown(path)} is not a path; write it like $.temperature or $.tools[0].function.name")
    return tuple(found)


def value_at(document: object, path: Steps) -> object:
    """Where a path leads: a `Text`, another JSON value, or MISSING."""
    value: Any = document
    for step in path:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return MISSING
        elif not isinstance(value, list) or not -len(value) <= step < len(value):
            return MISSING
        value = value[step]
    return Text(value) if isinstance(value, str) else value


def shown(value: object) -> str:
    """What stands at a path, as it may stand in a message."""
    if value is MISSING:
        return "nothing"
    return errors.shown(value.sent if isinstance(value, Text) else value)


def _equal(one: object, other: object) -> bool:
    if isinstance(other, Text):
        other = other.sent
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other


CONDITIONS: Final[dict[str, Any]] = {"contains": Contains, "regex": Regex, "exists": Exists}
"""The keys of an object that is a condition."""

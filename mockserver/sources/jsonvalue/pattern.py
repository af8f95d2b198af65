r"""Short readable texts that match a regular expression, and the match itself.

RE2 compiles a pattern first: its time is linear in the text and it refuses repetitions past 1000, so that nothing
hostile gets further. Then a small parser builds a tree in which every node knows its shortest and longest text, and
a text of a wanted length is written from it. A result counts only when RE2 finds the pattern in it.

The dialect is what schemas use: literals, classes, groups, alternation, repetition, `^` and `$`, `\uXXXX`, `\p{…}`.
Look-around, back-references and flags are refused (RE2 has no look-around or back-references).
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

UNBOUNDED: Final = 1 << 30
LONGEST_PATTERN: Final = 2_000  # characters
DEEPEST_GROUP: Final = 40
TRIES: Final = 24
_ROOM: Final = 6  # characters that a text may be longer than it must
_HAN: Final = (0x4E00, 0x9FFF)
_LETTERS: Final = tuple((ord(first), ord(last)) for first, last in ("az", "AZ"))
_DIGITS: Final = ((ord("0"), ord("9")),)
_SPACES: Final = tuple((ord(space), ord(space)) for space in " \t\n\r\f\v")
_SHORTHANDS: Final = {"d": _DIGITS, "w": (*_LETTERS, *_DIGITS, (ord("_"), ord("_"))), "s": _SPACES}
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_PROPERTIES: Final = {
    "L": (*_LETTERS, _HAN), "Letter": (*_LETTERS, _HAN), "Lu": _LETTERS[1:], "Ll": _LETTERS[:1],
    "N": _DIGITS, "Nd": _DIGITS, "Han": (_HAN,), "Latin": _LETTERS, "P": ((ord("!"), ord("!")), (ord(","), ord("."))),
}  # fmt: skip
_FAVOURITES: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_READABLE: Final = "".join(_FAVOURITES) + "-_ .,:/@+京海文数"
_AS_RE2: Final = (
    (re.compile(r"\\u\{([0-9a-fA-F]+)\}|\\u([0-9a-fA-F]{4})"), lambda m: rf"\x{{{m[1] or m[2]}}}"),
    (re.compile(r"\\([pP])\{(?:Script=|sc=|Script_Extensions=|scx=)(\w+)\}"), r"\\\1{\2}"),
    (re.compile(r"\\([pP])\{Letter\}"), r"\\\1{L}"),
)
_COUNT: Final = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|c([A-Za-z])|[pP]\{([^}]*)\})"
)


class PatternBeyondError(ValueError):
    """A pattern for which no text can be written, or none that was verified; the text is the reason."""


class _MisfitError(Exception):
    """This node has no text of the wanted length."""


@dataclass(frozen=True, slots=True)
class _Chars:
    """One character out of `options`."""

    options: str
    least: int = 1
    most: int = 1

    def write(self, dice: random.Random, length: int) -> str:
        return dice.choice(self.options) if length else ""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Nodes one after the other."""

    items: Sequence[Any]
    least: int
    most: int

    def write(self, dice: random.Random, length: int) -> str:
        return _shared(self.items, dice, length)


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of several nodes."""

    items: Sequence[Any]
    least: int
    most: int

    def write(self, dice: random.Random, length: int) -> str:
        fitting = [item for item in self.items if item.least <= length <= item.most]
        if not fitting:
            raise _MisfitError
        return str(dice.choice(fitting).write(dice, length))


@dataclass(frozen=True, slots=True)
class _Repeat:
    """One node between `fewest` and `times` times; `spare` repeats only where the length asks for it."""

    item: Any
    fewest: int
    times: int
    spare: bool = False

    @property
    def least(self) -> int:
        return int(self.item.least * self.fewest)

    @property
    def most(self) -> int:
        return min(int(self.item.most * self.times), UNBOUNDED)

    def write(self, dice: random.Random, length: int) -> str:
        if not length:
            return ""
        low = max(self.fewest, -(-length // self.item.most))
        high = min(self.times, length // self.item.least if self.item.least else length)
        if low > high:
            raise _MisfitError
        return _shared([self.item] * dice.randint(low, min(high, low + 2)), dice, length)


def _shared(items: Sequence[Any], dice: random.Random, length: int) -> str:
    """The texts of some nodes, together of the wanted length."""
    spare = length - sum(item.least for item in items)
    room = sum(min(item.most, UNBOUNDED) - item.least for item in items)
    parts = []
    for item in items:
        slack = item.most - item.least
        room -= slack
        low, high = max(0, spare - room), min(slack, spare)
        if spare < 0 or low > high:
            raise _MisfitError
        more = low if getattr(item, "spare", False) else dice.randint(low, high)
        spare -= more
        parts.append(item.write(dice, item.least + more))
    return "".join(parts)


_NOTHING: Final = _Sequence((), 0, 0)
_PADDING: Final = _Repeat(_Chars(string.ascii_lowercase), 0, UNBOUNDED, spare=True)


class _Parser:
    """Recursive descent over one pattern that RE2 has accepted."""

    def __init__(self, text: str, *, padded: bool) -> None:
        self.text = text
        self.padded = padded
        self.at = 0

    def sees(self, *tokens: str) -> str:
        """Step over the first of the tokens that comes next."""
        for token in tokens:
            if self.text.startswith(token, self.at):
                self.at += len(token)
                return token
        return ""

    def choice(self, depth: int) -> Any:
        if depth > DEEPEST_GROUP:
            raise PatternBeyondError(f"its groups nest deeper than {DEEPEST_GROUP}")
        branches = [self.sequence(depth)]
        while self.sees("|"):
            branches.append(self.sequence(depth))
        if len(branches) == 1:
            return branches[0]
        return _Choice(branches, min(b.least for b in branches), max(b.most for b in branches))

    def sequence(self, depth: int) -> Any:
        opened = not self.text.startswith("^", self.at)
        items = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            items.append(self.repeated(depth))
        if depth == 0 and self.padded:  # the pattern may be found anywhere in the text
            closed = self.text[self.at - 1 : self.at] == "$" and self.text[self.at - 2 : self.at - 1] != "\\"
            items = [*([_PADDING] if opened else []), *items, *([] if closed else [_PADDING])]
        return _Sequence(items, sum(i.least for i in items), min(sum(i.most for i in items), UNBOUNDED))

    def repeated(self, depth: int) -> Any:
        item = self.atom(depth)
        while True:
            if counted := _COUNT.match(self.text, self.at):
                self.at = counted.end()
                fewest = int(counted[1])
                times = int(counted[3]) if counted[3] else UNBOUNDED if counted[2] else fewest
            elif mark := self.sees("*", "+", "?"):
                fewest, times = {"*": (0, UNBOUNDED), "+": (1, UNBOUNDED), "?": (0, 1)}[mark]
            else:
                return item
            self.sees("?")  # lazy or not, the same texts match
            item = _Repeat(item, fewest, times) if item.most else _NOTHING

    def atom(self, depth: int) -> Any:
        if self.sees("^", "$", r"\b", r"\B"):
            return _NOTHING
        if self.sees("("):
            if self.sees("?") and not self.sees(":"):
                named = re.compile(r"P?<\w+>").match(self.text, self.at)
                if not named:
                    raise PatternBeyondError("it has look-around or flags")
                self.at = named.end()
            group = self.choice(depth + 1)
            self.sees(")")
            return group
        if self.sees("["):
            return self.char_class()
        if self.sees("."):
            return _chars([(ord("\n"), ord("\n")), (ord("\r"), ord("\r"))], negated=True)
        return _chars(*self.char())

    def char_class(self) -> _Chars:
        negated = bool(self.sees("^"))
        if self.text.startswith("]", self.at):
            raise PatternBeyondError("it has an empty class, which dialects read differently")
        ranges: list[tuple[int, int]] = []
        while not self.sees("]"):
            if self.text.startswith("[:", self.at):
                raise PatternBeyondError("it has a POSIX class")
            found, inverted = self.char()
            if inverted:
                ranges += _complement(found)
            elif len(found) == 1 and self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1] != "]":
                self.at += 1
                end, _ = self.char()
                ranges.append((found[0][0], end[0][1]))
            else:
                ranges += found
        return _chars(ranges, negated=negated)

    def char(self) -> tuple[list[tuple[int, int]], bool]:
        """The code point ranges of the next character or escape, and whether they are excluded."""
        if not self.text.startswith("\\", self.at):
            code = ord(self.text[self.at])
            self.at += 1
            return [(code, code)], False
        if escape := _ESCAPE.match(self.text, self.at):
            self.at = escape.end()
            if escape[5] is not None:
                known = _PROPERTIES.get(escape[5].rpartition("=")[2])
                if known is None:
                    raise PatternBeyondError(f"its property {escape[5]!r} is not among {', '.join(_PROPERTIES)}")
                return list(known), escape[0][1] == "P"
            code = ord(escape[4]) % 32 if escape[4] else int(escape[1] or escape[2] or escape[3], 16)
            return [(code, code)], False
        letter = self.text[self.at + 1]
        self.at += 2
        if letter.lower() in _SHORTHANDS:
            return list(_SHORTHANDS[letter.lower()]), letter.isupper()
        if letter.isalnum() and letter not in _CONTROLS:
            raise PatternBeyondError(f"its escape \\{letter} is not known here")
        code = ord(_CONTROLS.get(letter, letter))
        return [(code, code)], False


def _complement(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    result, start = [], 0x20
    for low, high in sorted(ranges):
        if low > start:
            result.append((start, low - 1))
        start = max(start, high + 1)
    return [*result, (start, 0xD7FF)]


def _chars(ranges: Sequence[tuple[int, int]], negated: bool = False) -> _Chars:  # noqa: FBT001, FBT002
    """The readable characters of a class; where it has none, its first ones."""
    allowed = _complement(ranges) if negated else ranges
    for favourite in (*_FAVOURITES, _READABLE):
        options = "".join(c for c in favourite if any(low <= ord(c) <= high for low, high in allowed))
        if options == favourite or (options and favourite == _READABLE):
            return _Chars(options)
    rest = [chr(code) for low, high in allowed for code in range(low, min(high + 1, low + 16))]
    if not rest:
        raise PatternBeyondError("it has a class without characters")
    return _Chars("".join(rest[:256]))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2

    if len(pattern) > LONGEST_PATTERN:
        raise PatternBeyondError(f"it is longer than {LONGEST_PATTERN} characters")
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    text = pattern
    for ours, theirs in _AS_RE2:
        text = ours.sub(theirs, text)
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0]
        raise PatternBeyondError(reason.decode() if isinstance(reason, bytes) else str(error)) from None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text; raises PatternBeyondError for one that RE2 does not take."""
    return _compiled(pattern).search(text) is not None


def write(pattern: str, dice: random.Random, shortest: int, longest: int) -> str:
    """A text that the pattern is found in, verified.

    Args:
        pattern: The regular expression, found anywhere unless anchored.
        dice: Decides among the texts.
        shortest: Least length in code points.
        longest: Greatest length in code points.

    Raises:
        PatternBeyondError: The pattern is beyond this generator, or has no text of such a length.
    """
    _compiled(pattern)
    for padded in (False, True):
        tree = _Parser(pattern, padded=padded).choice(0)
        low, high = max(shortest, tree.least), min(longest, tree.most)
        for tried in range(TRIES if low <= high else 0):
            length = min(high, max(low, 1) + (dice.randint(0, _ROOM) if tried < TRIES // 2 else tried - TRIES // 2))
            try:
                text = str(tree.write(dice, length))
            except _MisfitError:
                continue
            if shortest <= len(text) <= longest and matches(pattern, text):
                return text
    raise PatternBeyondError(f"no text of {shortest} to {longest} characters that matches it was found")

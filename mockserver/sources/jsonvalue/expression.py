r"""The tree of a regular expression, in which every node knows its shortest and longest text and can write one.

The dialect is what schemas use: literals, classes, groups, alternation, repetition, `^` and `$`, `\uXXXX`, `\p{…}`.
Look-around, back-references and flags are refused. What stands at `^`, `$` and `\b` is not weighed: whoever asks for a
text checks it.
"""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING, Any, Final, Protocol

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

UNBOUNDED: Final = 1 << 30
DEEPEST_GROUP: Final = 40
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
_COUNT: Final = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|c([A-Za-z])|[pP]\{([^}]*)\})"
)


class PatternBeyondError(ValueError):
    """A pattern for which no text can be written, or none that was verified; the text is the reason."""


class MisfitError(Exception):
    """This node has no text of the wanted length."""


class Node(Protocol):
    """A part of a pattern."""

    @property
    def least(self) -> int:
        """Code points of its shortest text."""

    @property
    def most(self) -> int:
        """Code points of its longest text, at most `UNBOUNDED`."""

    def write(self, dice: random.Random, length: int) -> str:
        """A text of this length; raises MisfitError where there is none."""


@immutable(frozen=True, slots=True)
class _Chars:
    """One character out of `options`."""

    options: str
    least: int = 1
    most: int = 1

    def write(self, dice: random.Random, length: int) -> str:
        return dice.choice(self.options) if length else ""


@immutable(frozen=True, slots=True)
class _Sequence:
    """Nodes one after the other."""

    items: Sequence[Any]
    least: int
    most: int

    def write(self, dice: random.Random, length: int) -> str:
        return _shared(self.items, dice, length)


@immutable(frozen=True, slots=True)
class _Choice:
    """One of several nodes."""

    items: Sequence[Any]
    least: int
    most: int

    def write(self, dice: random.Random, length: int) -> str:
        fitting = [item for item in self.items if item.least <= length <= item.most]
        if not fitting:
            raise MisfitError
        return str(dice.choice(fitting).write(dice, length))


@immutable(frozen=True, slots=True)
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
            raise MisfitError
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
            raise MisfitError
        more = low if getattr(item, "spare", False) else dice.randint(low, high)
        spare -= more
        parts.append(item.write(dice, item.least + more))
    return "".join(parts)


_NOTHING: Final = _Sequence((), 0, 0)
_PADDING: Final = _Repeat(_Chars(string.ascii_lowercase), 0, UNBOUNDED, spare=True)


def parsed(pattern: str, *, padded: bool) -> Node:
    """The tree of a pattern that was compiled before; raises PatternBeyondError for what this dialect lacks.

    Args:
        pattern: The regular expression.
        padded: Whether letters may stand around a text, where the pattern is not anchored.
    """
    node: Node = _Parser(pattern, padded=padded).choice(0)
    return node


class _Parser:
    """Recursive descent over one pattern."""

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
    if not negated and len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _Chars(chr(ranges[0][0]))
    allowed = _complement(ranges) if negated else ranges
    for favourite in (*_FAVOURITES, _READABLE):
        options = "".join(c for c in favourite if any(low <= ord(c) <= high for low, high in allowed))
        if options == favourite or (options and favourite == _READABLE):
            return _Chars(options)
    rest = [chr(code) for low, high in allowed for code in range(low, min(high + 1, low + 16))]
    if not rest:
        raise PatternBeyondError("it has a class without characters")
    return _Chars("".join(rest[:256]))

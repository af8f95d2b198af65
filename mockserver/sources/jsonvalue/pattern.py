"""Short readable texts that match a regular expression, and the match itself.

A pattern is compiled first, by an engine whose time is linear in the text and whose memory is bounded, so that nothing
hostile gets further. Then a text of a wanted length is written from the expression's tree. A result counts only when
the engine finds the pattern in it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mockserver.files.pattern import PatternError, TextPattern
from mockserver.sources.jsonvalue.expression import MisfitError, PatternBeyondError, parsed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

__all__ = ["PatternBeyondError", "matches", "write"]

LONGEST_PATTERN: Final = 2_000  # characters
HEAVIEST: Final = 4_000
"""Characters and classes of a pattern whose repeats are written out; a class of Unicode counts as some."""
_TOKEN: Final = re.compile(
    r"\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{([0-9]{1,6})(,?)([0-9]{0,6})\}|.", re.DOTALL
)
_WIDE: Final = 12  # what a class that reaches beyond ASCII is to the engine, in plain characters
TRIES: Final = 24
_ROOM: Final = 6  # characters that a text may be longer than it must


@lru_cache(maxsize=256)
def weight(pattern: str) -> tuple[int, int]:
    """How large a pattern is with its repeats written out, and how deep its groups nest."""
    groups, last, deepest = [0], 0, 1
    for found in _TOKEN.finditer(pattern):
        part = found[0]
        if part == "(":
            groups.append(0)
            deepest, last = max(deepest, len(groups)), 0
        elif part == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        elif found[1] is not None:
            times = max(int(found[1]), int(found[3] or 0), 1)
            groups[-1] += last * (times - 1)
            last *= times
        else:
            last = _WIDE if part in {".", "\\D", "\\W", "\\S"} or part[:2] in {"\\p", "\\P", "[^"} else 1
            last += len(part) // 4
            groups[-1] += last
    return sum(groups), deepest


def cost(pattern: str) -> int:
    """Steps that a search takes at most, its compilation among them."""
    return min(weight(pattern)[0], HEAVIEST) if len(pattern) <= LONGEST_PATTERN else 0


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> TextPattern:
    if len(pattern) > LONGEST_PATTERN:
        raise PatternBeyondError(f"it is longer than {LONGEST_PATTERN} characters")
    if weight(pattern)[0] > HEAVIEST:
        raise PatternBeyondError(f"with its repeats written out it is longer than {HEAVIEST} characters")
    try:
        return TextPattern(pattern)
    except PatternError as error:
        raise PatternBeyondError(str(error)) from None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text; raises PatternBeyondError for one that is none."""
    return _compiled(pattern).found_in(text)


def write(
    pattern: str,
    dice: random.Random,
    shortest: int,
    longest: int,
    *,
    also: Sequence[str] = (),
    spend: Callable[[int], None] = lambda _steps: None,
) -> str:
    """A text that the pattern is found in, verified.

    Args:
        pattern: The regular expression, found anywhere unless anchored.
        dice: Decides among the texts.
        shortest: Least length in code points.
        longest: Greatest length in code points.
        also: Further patterns that must be found in it.
        spend: Told of the work before it is done; what it raises ends the search.

    Raises:
        PatternBeyondError: The pattern is beyond this generator, or has no text of such a length.
    """
    heavy, deep = weight(pattern)
    spend(sum(map(cost, (pattern, *also))) + 4 * len(pattern))  # reading its classes is the most of it
    _compiled(pattern)
    for padded in (False, True):
        tree = parsed(pattern, padded=padded)
        low, high = max(shortest, tree.least), min(longest, tree.most)
        for tried in range(TRIES if low <= high else 0):
            length = min(high, max(low, 1) + (dice.randint(0, _ROOM) if tried < TRIES // 2 else tried - TRIES // 2))
            spend((length + heavy) * deep + sum(map(cost, also)))
            try:
                text = str(tree.write(dice, length))
            except MisfitError:
                continue
            if shortest <= len(text) <= longest and all(matches(asked, text) for asked in (pattern, *also)):
                return text
    raise PatternBeyondError(f"no text of {shortest} to {longest} characters that matches it was found")

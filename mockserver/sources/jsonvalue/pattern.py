"""Short readable texts that match a regular expression, and the match itself.

A pattern is compiled first, by an engine whose time is linear in the text and whose memory is bounded, so that nothing
hostile gets further. Then a text of a wanted length is written from the expression's tree. A result counts only when
the engine finds the pattern in it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mockserver.files.pattern import PatternError, TextPattern
from mockserver.sources.jsonvalue.expression import MisfitError, PatternBeyondError, parsed

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["PatternBeyondError", "matches", "write"]

LONGEST_PATTERN: Final = 2_000  # characters
TRIES: Final = 24
_ROOM: Final = 6  # characters that a text may be longer than it must


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> TextPattern:
    if len(pattern) > LONGEST_PATTERN:
        raise PatternBeyondError(f"it is longer than {LONGEST_PATTERN} characters")
    try:
        return TextPattern(pattern)
    except PatternError as error:
        raise PatternBeyondError(str(error)) from None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text; raises PatternBeyondError for one that is none."""
    return _compiled(pattern).found_in(text)


def write(pattern: str, dice: random.Random, shortest: int, longest: int, *, also: Sequence[str] = ()) -> str:
    """A text that the pattern is found in, verified.

    Args:
        pattern: The regular expression, found anywhere unless anchored.
        dice: Decides among the texts.
        shortest: Least length in code points.
        longest: Greatest length in code points.
        also: Further patterns that must be found in it.

    Raises:
        PatternBeyondError: The pattern is beyond this generator, or has no text of such a length.
    """
    _compiled(pattern)
    for padded in (False, True):
        tree = parsed(pattern, padded=padded)
        low, high = max(shortest, tree.least), min(longest, tree.most)
        for tried in range(TRIES if low <= high else 0):
            length = min(high, max(low, 1) + (dice.randint(0, _ROOM) if tried < TRIES // 2 else tried - TRIES // 2))
            try:
                text = str(tree.write(dice, length))
            except MisfitError:
                continue
            if shortest <= len(text) <= longest and all(matches(asked, text) for asked in (pattern, *also)):
                return text
    raise PatternBeyondError(f"no text of {shortest} to {longest} characters that matches it was found")

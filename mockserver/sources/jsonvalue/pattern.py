"""Short readable texts that match a regular expression, and the match itself.

RE2 compiles a pattern first: its time is linear in the text and it refuses repetitions past 1000, so that nothing
hostile gets further. Then a text of a wanted length is written from the expression's tree. A result counts only when
RE2 finds the pattern in it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from mockserver.sources.jsonvalue.expression import MisfitError, PatternBeyondError, parsed

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["PatternBeyondError", "matches", "write"]

LONGEST_PATTERN: Final = 2_000  # characters
TRIES: Final = 24
_ROOM: Final = 6  # characters that a text may be longer than it must
_AS_RE2: Final = (
    (re.compile(r"\\u\{([0-9a-fA-F]+)\}|\\u([0-9a-fA-F]{4})"), lambda m: rf"\x{{{m[1] or m[2]}}}"),
    (re.compile(r"\\([pP])\{(?:Script=|sc=|Script_Extensions=|scx=)(\w+)\}"), r"\\\1{\2}"),
    (re.compile(r"\\([pP])\{Letter\}"), r"\\\1{L}"),
)


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

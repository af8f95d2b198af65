"""Which of many `contains` conditions may hold for a text, without asking each of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Found = TypeVar("Found")

PART: Final = 6
"""Characters of the part that a wanted text is found by; all of it where it is shorter."""
_LOOKED_AT: Final = 16
_AS_DEAR: Final = 16
"""Asking one condition costs about as much as looking up so many parts of a text."""


class ContainsIndex(Generic[Found]):
    """Things by a part of the text that each wants to be contained: by the part of it that the fewest others have.

    A text is walked through once for each length of part that occurs, so the time depends on the text and on how many
    things fit, and hardly on how many there are.

    Args:
        wanted: Each thing and the text that it wants, not empty.
    """

    def __init__(self, wanted: Iterable[tuple[str, Found]]) -> None:
        entries = list(wanted)
        self._count = len(entries)
        frequency = Counter(part for text, _ in entries for part in set(_parts(text)))
        self._things: dict[str, list[Found]] = {}
        for text, thing in entries:
            self._things.setdefault(min(_parts(text), key=frequency.__getitem__), []).append(thing)
        self._lengths = sorted({len(part) for part in self._things})

    def candidates(self, text: str) -> Iterator[Found]:
        """The things whose part is in the text; those that are not cannot fit."""
        things = self._things
        if len(text) * len(self._lengths) > _AS_DEAR * self._count:
            for several in things.values():
                yield from several
            return
        for length in self._lengths:
            for part in {text[at : at + length] for at in range(len(text) - length + 1)} & things.keys():
                yield from things[part]


def _parts(text: str) -> list[str]:
    last = max(len(text) - PART, 0)
    step = last // _LOOKED_AT + 1
    return [text[at : at + PART] for at in range(0, last + 1, step)]

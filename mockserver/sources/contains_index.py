"""Which of many `contains` conditions may hold for a text, without asking each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from mockserver.sources.condition import SEARCHED

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    Attributes:
        things: Those that are found by each part.
    """

    def __init__(self) -> None:
        self._count = 0
        self.things: dict[str, tuple[Found, ...]] = {}
        self._lengths: frozenset[int] = frozenset()

    def add(self, wanted: str, thing: Found) -> None:
        """Take in a thing that wants a text to be contained, not an empty one."""
        things = self.things
        part = min(_parts(wanted), key=lambda part: len(things.get(part, ())))
        things[part] = (*things.get(part, ()), thing)
        self._lengths |= {len(part)}
        self._count += 1

    def remove(self, wanted: str, thing: Found) -> None:
        """Give up a thing that is there."""
        part = next(part for part in _parts(wanted) if thing in self.things.get(part, ()))
        left = tuple(one for one in self.things[part] if one is not thing)
        if left:
            self.things[part] = left
        else:
            del self.things[part]
        self._count -= 1

    def candidates(self, text: str) -> Iterator[Found]:
        """The things whose part is in the text, as far as that is searched; those that are not cannot fit."""
        things, text = self.things, text[:SEARCHED]
        if len(text) * len(self._lengths) > _AS_DEAR * self._count:
            for several in list(things.values()):  # a thread may take others in meanwhile
                yield from several
            return
        for length in self._lengths:
            for part in {text[at : at + length] for at in range(len(text) - length + 1)} & things.keys():
                yield from things.get(part, ())


def _parts(text: str) -> list[str]:
    last = max(len(text) - PART, 0)
    step = last // _LOOKED_AT + 1
    return [text[at : at + PART] for at in range(0, last + 1, step)]

"""Values behave as frozen dataclasses do, but for the lock that the type checker keeps instead."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field, fields, replace

import pytest

from mockserver.core.immutable import immutable


@immutable(frozen=True, slots=True)
class Pair:
    """Two fields that count and one that does not."""

    first: int
    second: tuple[str, ...] = ()
    note: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Plain:
    """The same as a dataclass of the standard library."""

    first: int
    second: tuple[str, ...] = ()
    note: str = field(default="", compare=False, repr=False)


@immutable(frozen=True, slots=True)
class Nothing:
    """No fields."""


@immutable(frozen=True, eq=False)
class Alone:
    """Equal to itself alone."""

    first: int


@immutable(frozen=True, slots=True)
class Named:
    """A text of its own, and an equality of its own."""

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and self.name.lower() == other.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())


PAIRS = [(1, ()), (1, ("a",)), (2, ("a",)), (1, (), "x"), (1, ("a",), "y")]


@pytest.mark.parametrize("one", PAIRS, ids=str)
@pytest.mark.parametrize("other", PAIRS, ids=str)
def test_values_are_compared_as_dataclasses_are(one: tuple[int], other: tuple[int]) -> None:
    """Equality and hash go by the fields that are compared, and by the class."""
    equal = Plain(*one) == Plain(*other)

    assert (Pair(*one) == Pair(*other)) is equal
    assert not equal or hash(Pair(*one)) == hash(Pair(*other))
    assert Pair(*one) not in list[object]([Plain(*one)])
    assert repr(Pair(*one)) == repr(Plain(*one)).replace("Plain", "Pair")


def test_values_are_copied_changed_and_pickled() -> None:
    """The tools for dataclasses take them."""
    pair = Pair(1, ("a",), "n")

    assert replace(pair, first=2) == Pair(2, ("a",))
    assert copy.deepcopy(pair) == pickle.loads(pickle.dumps(pair)) == pair  # noqa: S301 - our own
    assert [one.name for one in fields(Pair)] == ["first", "second", "note"]
    assert not hasattr(pair, "__dict__")


def test_what_a_class_says_itself_stays() -> None:
    """No fields are equal, identity is kept where it is asked for, and own methods are not replaced."""
    one = Alone(1)

    assert Nothing() == Nothing()
    assert one == one  # noqa: PLR0124 - itself
    assert one != Alone(1)
    assert repr(one) == "Alone(first=1)"
    assert (repr(Named("A")), Named("A") == Named("a"), hash(Named("A")) == hash(Named("a"))) == ("<A>", True, True)

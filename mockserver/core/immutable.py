"""Values: data classes that nothing changes once they are made.

To the type checker each is a frozen dataclass, so a change is an error before anything runs. While it runs it is the
cheapest of classes: fields are set as those of any other, where a frozen dataclass goes round its own lock for each,
and equality, hash and repr are shared, where a dataclass compiles its own. Making fifty such classes took 40 ms of each
start, and setting their fields more than all else in the making of a request's dozen values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["immutable"]

if TYPE_CHECKING:
    from dataclasses import dataclass as immutable
else:
    from dataclasses import dataclass, fields
    from functools import cache
    from operator import attrgetter

    def immutable(*, frozen: bool, slots: bool = False, eq: bool = True, kw_only: bool = False):
        """A dataclass that is compared and hashed by its fields; with `eq=False` by identity."""
        del frozen  # for the type checker
        shared = {"__repr__": _repr, **({"__eq__": _eq, "__hash__": _hash} if eq else {})}

        def made(cls: type) -> type:
            own = cls.__dict__
            given = {name: one for name, one in shared.items() if own.get(name) is None}
            cls = dataclass(slots=slots, eq=False, repr=False, match_args=False, kw_only=kw_only)(cls)
            for name, one in given.items():
                setattr(cls, name, one)
            return cls

        return made

    @cache
    def _compared(cls: type):
        names = [field.name for field in fields(cls) if field.compare]
        return attrgetter(*names) if names else bool

    def _eq(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        compared = _compared(self.__class__)
        return compared(self) == compared(other)

    def _hash(self: object) -> int:
        return hash(_compared(self.__class__)(self))

    def _repr(self: object) -> str:
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
        return f"{self.__class__.__qualname__}({', '.join(shown)})"

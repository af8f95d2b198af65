"""Values: data classes that nothing changes once they are made.

To the type checker each is a frozen dataclass, so a change is an error before anything runs. While it runs the fields
are set as those of any other class: a frozen dataclass goes round its own lock for each, which costs more than the rest
of its making, and a request makes a dozen of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["value"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(**options: bool) -> object:
        """A dataclass that is compared and hashed by its fields."""
        return dataclass(**{**options, "frozen": False, "unsafe_hash": True})

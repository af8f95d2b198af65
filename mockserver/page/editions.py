"""The shipped editions, read once where the page asks for them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.page.drawn import chip_claims
from mockserver.profile.edition import editions, load_edition

if TYPE_CHECKING:
    from mockserver.page.drawn import QuirkShown
    from mockserver.profile.edition import Edition


@cache
def shipped_editions() -> tuple[Edition, ...]:
    """All editions that come with the package, by name."""
    root = shipped("profiles")
    return tuple(load_edition(name, [root]) for name in sorted(editions([root])))


def claims_of(edition: str, chip: str) -> tuple[QuirkShown, ...] | None:
    """The quirks of a chip in a shipped edition; None where there is no such chip."""
    try:
        found = load_edition(edition, [shipped("profiles")]) if edition else None
    except OperatorError:
        return None
    return next((one.quirks for one in chip_claims(found) if one.name == chip), None) if found else None

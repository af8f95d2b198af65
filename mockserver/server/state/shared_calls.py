"""How often fixtures with several answers were asked, where several processes answer."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from mockserver.server.namespace import StateNeededError
from mockserver.sources.fixtures import Calls

if TYPE_CHECKING:
    from mockserver.sources.fixture_index import Place

DECIDING: ContextVar[dict[str, int] | None] = ContextVar("deciding", default=None)
"""The calls of the namespace whose copy may be changed here and now."""


class SharedCalls(Calls):
    """Counts the calls of fixtures with several answers where all processes see it."""

    def next(self, namespace: str, place: Place) -> int:  # noqa: ARG002 - the one that is decided for
        """How often it was asked before; counts. Raises StateNeededError where nothing is decided with the state."""
        calls = DECIDING.get()
        if calls is None:
            raise StateNeededError
        name = f"{place[0]}/{place[1]}"
        calls[name] = call = calls.get(name, -1) + 1
        return call

    def forget(self, namespace: str) -> None:  # noqa: ARG002 - the one that is decided for
        """Begin all of a namespace again; one that is given up takes its calls with it."""
        calls = DECIDING.get()
        if calls is not None:
            calls.clear()

"""The clock of a namespace, as a test sees and moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockserver.session import Session


class Clock:
    """The clock of one namespace, on which quotas run."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds on it."""
        elapsed: float = self._session.call("GET", "/clock")["elapsed_ms"]
        return elapsed

    def advance(self, ms: float) -> None:
        """Move it on; nobody waits, and no other namespace notices."""
        self._session.call("POST", "/clock", {"advance_ms": ms})

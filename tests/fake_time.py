"""A loop whose time moves only when a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from mockserver.server.clock import Wheel

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


@dataclass
class Timer:
    """What `call_at` returns.

    Attributes:
        when: Seconds on the loop's clock.
        callback: What is to be called.
        cancelled: Whether nobody wants it any more.
    """

    when: float
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Do not call."""
        self.cancelled = True


@dataclass
class FakeLoop:
    """The two methods of a loop that the wheel uses, and `advance`.

    Attributes:
        now: Seconds.
        timers: Every timer that was ever asked for.
        passed_at: When the last timer was called.
    """

    now: float = 100.0
    passed_at: float = 0.0
    timers: list[Timer] = field(default_factory=list)

    def time(self) -> float:
        """Seconds on this loop's clock."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Remember a timer."""
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def advance(self, ms: float) -> None:
        """Let time pass in one leap, as it does for a busy loop, then call what is due."""
        self.now += ms / 1000
        while due := [timer for timer in self.timers if not timer.cancelled and timer.when <= self.now + 1e-9]:
            first = min(due, key=lambda timer: timer.when)
            first.cancel()
            self.passed_at = self.now
            first.callback()

    @property
    def pending(self) -> list[Timer]:
        """Timers that still wait."""
        return [timer for timer in self.timers if not timer.cancelled]

    def wheel(self) -> Wheel:
        """A wheel on this loop's clock."""
        return Wheel(cast("asyncio.AbstractEventLoop", self))

"""Time: the wall clock behind ids and `created`, and the one scheduler that drives every paced stream.

`Wheel` calls back on a grid of one millisecond, at absolute deadlines. The callbacks that are due run in one pass of
the event loop, two milliseconds of them at a time: one timer, no task switch a chunk. Measured beforehand, one `sleep`
a chunk loses the schedule at a thousand streams; one shared wheel does not.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


HOLD_SECONDS: Final = 0.002
"""How long one pass of the wheel holds the loop, but for what its last callbacks take."""
LOOK_EVERY: Final = 16
"""Callbacks after which it looks at the time."""


def unix_s() -> float:
    """Seconds since the Unix epoch."""
    return time.time()


class RealClock:
    """Ids are random and `created` is now."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def dice(self) -> bytes:
        """Fresh random bytes for one answer."""
        return os.urandom(32)


class FixedClock:
    """Ids are derived from the request and `created` is always the same instant."""

    def __init__(self, created: int) -> None:
        self._now_ms = created * 1000

    def now_ms(self) -> int:
        """The fixed instant, in milliseconds since the Unix epoch."""
        return self._now_ms

    def dice(self) -> bytes:
        """None: the pipeline derives what it needs."""
        return b""


class Wheel:
    """Callbacks at absolute times, on a grid of one millisecond.

    Attributes:
        now: Gives the seconds on the loop's clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = loop.time
        self._slots: dict[int, list[Callable[[], None]]] = {}
        self._ticks: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0

    def at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back at or just after `when` (seconds on the loop's clock)."""
        tick = ceil(when * 1000)
        slot = self._slots.get(tick)
        if slot is None:
            self._slots[tick] = [callback]
            heapq.heappush(self._ticks, tick)
            self._arm()
        else:
            slot.append(callback)

    def _arm(self) -> None:
        if not self._ticks:
            return
        first = self._ticks[0]
        if self._timer is not None:
            if self._armed <= first:
                return
            self._timer.cancel()
        self._armed = first
        self._timer = self._loop.call_at(first / 1000, self._turn)

    def _turn(self) -> None:
        self._timer = None
        started = self._loop.time()
        now = started * 1000 + 0.5  # uvloop's timers may fire up to half a millisecond early
        while self._ticks and self._ticks[0] <= now:
            tick = heapq.heappop(self._ticks)
            due = self._slots.pop(tick)
            for number, callback in enumerate(due, start=1):
                callback()
                if number % LOOK_EVERY == 0 and self._loop.time() - started > HOLD_SECONDS and number < len(due):
                    self._put_back(tick, due[number:])
                    self._arm()
                    return
        self._arm()

    def _put_back(self, tick: int, left: list[Callable[[], None]]) -> None:
        """Leave callbacks for the next pass: what was written leaves the process before, and others have their turn."""
        again = self._slots.get(tick)
        if again is None:
            self._slots[tick] = left
            heapq.heappush(self._ticks, tick)
        else:
            again[:0] = left


async def until(
    when: float, wheel: Wheel, when_left: Callable[[Callable[[], None] | None], None] = lambda _tell: None
) -> None:
    """Wait until `when` (seconds on the loop's clock), or the client has left; not at all where that is past.

    Args:
        when: The end of the wait.
        wheel: What calls back then.
        when_left: Has somebody called as soon as the client has left, or nobody any more.
    """
    if when <= wheel.now():
        return
    reached = asyncio.get_running_loop().create_future()

    def reach() -> None:
        if not reached.done():
            reached.set_result(None)

    wheel.at(when, reach)
    when_left(reach)
    try:
        await reached
    finally:
        when_left(None)

"""The journal: a bounded ring of exchanges, kept for each namespace, that can be queried and waited for."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockserver.pipeline.compiled import held_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.exchange import Exchange

MOST_EXCHANGES = 1000
MOST_BYTES = 16 * 2**20
OVERHEAD_BYTES = 2048  # what an exchange weighs beyond its body and its frames, roughly


@dataclass(frozen=True, slots=True)
class Query:
    """Which exchanges are meant; None does not matter.

    Attributes:
        model: The model of the request.
        chip: The chip of the request.
        status: The HTTP status of the answer.
        stream: Whether a stream was asked for.
        text: What the request's body holds.
        after: Only exchanges with a higher number.
    """

    model: str | None = None
    chip: str | None = None
    status: int | None = None
    stream: bool | None = None
    text: str | None = None
    after: int = 0

    def fits(self, exchange: Exchange) -> bool:
        """Whether the exchange is meant."""
        chat = exchange.chat
        if exchange.number <= self.after:
            return False
        if self.status is not None and (exchange.plan is None or exchange.plan.status != self.status):
            return False
        if self.text is not None and self.text not in exchange.request.body.decode("utf-8", "replace"):
            return False
        if self.model is None and self.chip is None and self.stream is None:
            return True
        return (
            chat is not None
            and self.model in {None, chat.model}
            and self.chip in {None, chat.chip}
            and self.stream in {None, chat.stream}
        )


class Journal:
    """A ring of exchanges, bounded in entries and in bytes; the oldest go first.

    Attributes:
        dropped: Exchanges that had to go to make room.
    """

    def __init__(self, most_exchanges: int = MOST_EXCHANGES, most_bytes: int = MOST_BYTES) -> None:
        self._most_exchanges = most_exchanges
        self._most_bytes = most_bytes
        self._kept: deque[tuple[Exchange, int]] = deque()
        self._bytes = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Exchange]:
        return (exchange for exchange, _ in self._kept)

    def add(self, exchange: Exchange) -> None:
        """Keep a finished exchange and wake who waits for one."""
        size = OVERHEAD_BYTES + len(exchange.request.body)
        if exchange.plan is not None:
            size += held_bytes(exchange.plan.frames)
        self._kept.append((exchange, size))
        self._bytes += size
        while len(self._kept) > self._most_exchanges or (self._bytes > self._most_bytes and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[1]
            self.dropped += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def find(self, query: Query) -> list[Exchange]:
        """The exchanges that are meant, oldest first."""
        return [exchange for exchange in self if query.fits(exchange)]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = self.dropped = 0

    async def wait(self, query: Query, count: int, timeout_s: float) -> list[Exchange]:
        """The exchanges that are meant, as soon as there are `count` of them or the time is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while len(found := self.find(query)) < count and (left := until - loop.time()) > 0:
            waiter = loop.create_future()
            self._waiters.add(waiter)
            await asyncio.wait([waiter], timeout=left)
            self._waiters.discard(waiter)
        return found

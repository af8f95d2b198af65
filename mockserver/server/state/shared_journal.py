"""The journal of a namespace that several processes have: what ended lies in Redis, what is in flight in each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from mockserver.server.journal import Journal, Query, weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.core.exchange import Exchange


class Carrier(Protocol):
    """What brings exchanges to where all see them, and back."""

    def ended(self, journal: SharedJournal, exchange: Exchange) -> None:
        """An exchange ended here."""

    def told(self, journal: SharedJournal) -> None:
        """What is in flight here changed, and somebody waits for that."""

    async def gather(self, journal: SharedJournal, *, watch_s: float = 0.0) -> None:
        """Read what ended, and have all tell what they have in flight; for a while at each change too."""

    async def pull(self, journal: SharedJournal) -> None:
        """Read what ended, and what the others told last."""


class SharedJournal(Journal):
    """Exchanges of all processes, as far as they were read; those in flight here.

    Attributes:
        namespace: Whose it is: `default`, or the digest of an API key.
        epoch: Which of the namespace's journals, one after the other, this is; another one begins where it is cleared.
        cleared: Whether it is to be cleared.
        elsewhere: What the others have in flight.
        watched_until: Until when somebody wants to be told of what is in flight, in seconds on the loop's clock.
    """

    def __init__(self, namespace: str, carrier: Carrier) -> None:
        super().__init__()
        self.namespace = namespace
        self.epoch = "0"
        self.cleared = False
        self.elsewhere: list[Exchange] = []
        self.watched_until = 0.0
        self._carrier = carrier
        self._ended = self._open_elsewhere = 0

    def __len__(self) -> int:
        """How many have finished."""
        return self._ended

    def __iter__(self) -> Iterator[Exchange]:
        """Those that have finished, in the order in which they did, then those in flight as they came."""
        yield from self._kept
        yield from self.unfinished()

    @property
    def in_flight(self) -> int:
        """How many are going on."""
        return len(self._open) + self._open_elsewhere

    @property
    def read_until(self) -> int:
        """How many were read or dropped since it was last cleared."""
        return self.dropped + len(self._kept)

    def unfinished(self) -> list[Exchange]:
        """Those in flight, as they came."""
        return sorted([*self._open.values(), *self.elsewhere], key=lambda one: one.at_ms)

    def here(self) -> list[Exchange]:
        """Those in flight in this process, as they came."""
        return list(self._open.values())

    def begin(self, exchange: Exchange) -> None:
        """Take in an exchange that begins."""
        super().begin(exchange)
        if self.watched_until:
            self._carrier.told(self)

    def planned(self) -> None:
        """An exchange in flight is understood now, or there is something new to read."""
        super().planned()
        if self.watched_until:
            self._carrier.told(self)

    def wake(self) -> None:
        """Have those look again who wait."""
        super().planned()

    def end(self, exchange: Exchange) -> None:
        """Have an exchange kept that ended; not where it was forgotten meanwhile."""
        exchange.in_flight = False
        if self._open.pop(id(exchange), None) is not None:
            self._carrier.ended(self, exchange)
            if self.watched_until:
                self._carrier.told(self)

    def clear(self) -> None:
        """Have everything forgotten, once that is agreed with all."""
        self.cleared = True

    def begin_again(self, epoch: str) -> None:
        """Forget everything; what is in flight is not taken in when it ends."""
        super().clear()
        self.epoch, self.cleared = epoch, False
        self.elsewhere = []
        self._ended = self._open_elsewhere = 0

    def take(self, epoch: str, dropped: int, start: int, come: Sequence[Exchange], elsewhere: list[Exchange]) -> None:
        """Take in what was read.

        Args:
            epoch: Of which journal it is.
            dropped: How many had to go since that was last cleared.
            start: Where in those that are left `come` begins.
            come: The finished ones from there on.
            elsewhere: What the others have in flight; of one that has ended meanwhile there is the end already.
        """
        if epoch != self.epoch:
            self.begin_again(epoch)
        self._let_go(dropped - self.dropped)
        while len(self._kept) > start:
            self._kept.pop()
            self.weight -= self._weights.pop()
        self.dropped = dropped
        for exchange in come:
            size = weight(exchange)
            self._kept.append(exchange)
            self._weights.append(size)
            self.weight += size
        numbers = {exchange.number for exchange in self._kept}
        self.elsewhere = [one for one in elsewhere if one.number not in numbers]
        self._ended, self._open_elsewhere = len(self._kept), len(self.elsewhere)

    def count(self, ended: int, dropped: int, elsewhere: int) -> None:
        """Take in how many there are, without them; read again, those count that were read."""
        self._let_go(dropped - self.dropped)
        self._ended, self.dropped, self._open_elsewhere = ended, dropped, elsewhere

    def _let_go(self, count: int) -> None:
        for _ in range(min(max(count, 0), len(self._kept))):
            self._kept.popleft()
            self.weight -= self._weights.popleft()

    async def wait(self, query: Query, count: int, timeout_s: float) -> list[Exchange]:
        """The exchanges that are meant, as soon as there are `count` of them or the time is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        watched = False
        while True:
            found = self.find(query)
            left = until - loop.time()
            if self._counted(found, query) >= count or left <= 0:
                return found
            waiter = loop.create_future()
            self._waiters.add(waiter)
            try:
                if not watched:
                    watched = True
                    await self._carrier.gather(self, watch_s=left)
                    if self._counted(self.find(query), query) >= count:
                        continue
                await asyncio.wait([waiter], timeout=left)
            finally:
                self._waiters.discard(waiter)
            await self._carrier.pull(self)

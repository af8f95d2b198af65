"""What goes from a process to the common journal: exchanges that ended, gathered and sent off the answers' way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from mockserver.server.journal import MOST_BYTES, MOST_EXCHANGES, weight
from mockserver.server.namespace import StateLostError
from mockserver.server.state import scripts
from mockserver.server.state.exchange_bytes import bytes_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mockserver.core.exchange import Exchange
    from mockserver.server.state.link import Link
    from mockserver.server.state.shared_journal import SharedJournal

log = logging.getLogger("mockserver")

GATHER_S: Final = 0.01
"""How long exchanges that ended are gathered before they are sent."""
BATCH: Final = 50
"""Exchanges sent at once: what makes them into bytes holds the loop for about 2 ms."""
BATCH_BYTES: Final = 2**20
"""From so many bytes on a batch takes no more."""


class Outbox:
    """Exchanges that ended here and are not yet in the journal: while the state is lost, as many as a journal keeps.

    Args:
        link: Where they go.
        tell_open: Tells what is in flight here in a namespace.
    """

    def __init__(self, link: Link, tell_open: Callable[[str], Awaitable[None]]) -> None:
        self._link = link
        self._tell_open = tell_open
        self._waiting: deque[tuple[str, str, Exchange, int]] = deque()
        self._bytes = self._dropped = 0
        self._unsent: tuple[str, list[Any]] | None = None
        self._telling: set[str] = set()
        self._some = asyncio.Event()
        self._sending = asyncio.Lock()
        self._sender: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Send from now on."""
        self._sender = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Send what is left, if it can be sent."""
        if self._sender is None:
            return
        self._sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sender
        self._sender = None
        with contextlib.suppress(StateLostError):
            await self.flush()

    def add(self, journal: SharedJournal, exchange: Exchange) -> None:
        """Have an exchange sent soon."""
        size = weight(exchange)
        self._waiting.append((journal.namespace, journal.epoch, exchange, size))
        self._bytes += size
        while len(self._waiting) > MOST_EXCHANGES or (self._bytes > MOST_BYTES and len(self._waiting) > 1):
            self._bytes -= self._waiting.popleft()[3]
            self._dropped += 1
        if not self._some.is_set():
            self._some.set()

    def tell(self, namespace: str) -> None:
        """Have it told soon what is in flight here in a namespace."""
        self._telling.add(namespace)
        self._some.set()

    async def flush(self) -> None:
        """Send all that ended here; a batch is taken once, also where it is sent again. Raises StateLostError."""
        async with self._sending:
            while self._unsent is not None or self._waiting:
                if self._unsent is None:
                    self._unsent = os.urandom(6).hex(), self._batch()
                token, entries = self._unsent
                await self._link.run(scripts.APPEND, token, self._link.member, *entries)
                self._unsent = None
            if self._dropped:
                count, self._dropped = self._dropped, 0
                log.warning("%d exchanges are not in the journal: the state was lost for too long", count)

    def _batch(self) -> list[Any]:
        entries: list[Any] = []
        size = 0
        while self._waiting and len(entries) < 3 * BATCH and size < BATCH_BYTES:
            namespace, epoch, exchange, weighs = self._waiting.popleft()
            ended_ms = exchange.at_ms + exchange.duration_ms
            data = b"%d %.3f %.3f %b" % (exchange.number, exchange.at_ms, ended_ms, bytes_of(exchange))
            entries += (namespace, epoch, data)
            size += weighs
        self._bytes -= size
        return entries

    async def _send(self) -> None:
        """Send what ended, a batch after the other."""
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER_S)
            self._some.clear()
            try:
                await self.flush()
                while self._telling:
                    await self._tell_open(self._telling.pop())
            except StateLostError:
                await asyncio.sleep(GATHER_S * 10)
                self._some.set()

"""What brings exchanges to the common journals and back: those that ended, and those in flight in each process."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from mockserver.server.namespace import DEFAULT
from mockserver.server.state import scripts
from mockserver.server.state.check import PREFIX
from mockserver.server.state.exchange_bytes import bytes_of, exchange_of
from mockserver.server.state.link import UNREADABLE
from mockserver.server.state.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mockserver.core.exchange import Exchange
    from mockserver.server.state.link import Link
    from mockserver.server.state.shared_journal import SharedJournal
    from mockserver.server.state.shared_namespace import SharedNamespace


class JournalCarrier:
    """The carrier of all journals of a process.

    Args:
        link: By which it brings them.
        at: The namespace of a digest, or of `default`; None for one that is not known here.
    """

    def __init__(self, link: Link, at: Callable[[str], SharedNamespace | None]) -> None:
        self._link = link
        self._at = at
        self._outbox = Outbox(link, self._tell_open)

    def open(self) -> None:
        """Send from now on."""
        self._outbox.open()

    async def close(self) -> None:
        """Send what is left, if it can be sent."""
        await self._outbox.close()

    def ended(self, journal: SharedJournal, exchange: Exchange) -> None:
        """An exchange ended here: it is sent soon."""
        self._outbox.add(journal, exchange)

    def told(self, journal: SharedJournal) -> None:
        """What is in flight here changed, and somebody waits for that."""
        if asyncio.get_running_loop().time() > journal.watched_until:
            journal.watched_until = 0.0
        else:
            self._outbox.tell(journal.namespace)

    async def gather(self, journal: SharedJournal, *, watch_s: float = 0.0) -> None:
        """Read what ended, and have all tell what they have in flight; for a while at each change too."""
        if watch_s:
            await self._link.command("SET", f"{PREFIX}watch:{journal.namespace}", "1", "PX", int(watch_s * 1000) + 1000)
        await self.collect([journal.namespace], watch_s)
        await self.pull(journal)

    async def collect(self, namespaces: list[str], watch_s: float = 0.0) -> None:
        """Send what ended here, and have all tell what they have in flight; raises StateLostError."""
        await self._outbox.flush()
        await self._link.tell("gather", namespaces=namespaces, watch_s=watch_s)

    async def asked(self, namespaces: Iterable[str], watch_s: float) -> None:
        """Another process collects: send what ended, and tell what is in flight; for a while at each change too."""
        await self._outbox.flush()
        for name in namespaces:
            one = self._at(name)
            if one is None:
                continue
            await self._tell_open(name)
            if watch_s:
                until = asyncio.get_running_loop().time() + watch_s
                one.journal.watched_until = max(one.journal.watched_until, until)

    async def pull(self, journal: SharedJournal) -> None:
        """Read what ended, and what the others told last."""
        more = 1
        while more > 0:
            epoch, dropped, start, come, open_, more = await self._link.run(
                scripts.READ, journal.namespace, os.urandom(6).hex(), journal.epoch, journal.read_until,
                self._link.member,
            )  # fmt: skip
            try:
                found = [_ended(entry) for entry in come]
                elsewhere = [one for told in open_ for one in _opened(told)]
            except UNREADABLE as error:
                raise self._link.unreadable(error) from None
            if journal.namespace == DEFAULT:
                for one in found:
                    self._seed_late(one)
            journal.take(epoch.decode(), dropped, start, found, elsewhere)

    async def count(self, namespaces: list[str]) -> None:
        """Learn how many exchanges each journal has; raises StateLostError."""
        counts = await self._link.run(scripts.COUNTS, self._link.member, *namespaces)
        for name, count in zip(namespaces, counts, strict=True):
            one = self._at(name)
            if one is not None:
                one.journal.count(*count)

    def _seed_late(self, exchange: Exchange) -> None:
        """Give an exchange the seed of its number, which it had not when it was decided: no dice were thrown then."""
        default = self._at(DEFAULT)
        if default is not None and exchange.seed == default.seed_of(0):
            exchange.seed = default.seed_of(exchange.number)

    async def _tell_open(self, name: str) -> None:
        """Tell what is in flight here; each has a number then."""
        one = self._at(name)
        if one is None:
            return
        here = one.journal.here()
        unnumbered = [exchange for exchange in here if not exchange.number]
        if unnumbered:
            first = await self._link.run(scripts.NUMBER, one.key, os.urandom(6).hex(), len(unnumbered))
            for number, exchange in enumerate(unnumbered, first):
                exchange.number = exchange.number or number
                self._seed_late(exchange)
        parts = [b"%d\n" % len(here)]
        for exchange in here:
            data = bytes_of(exchange)
            parts.append(b"%d %d\n%b" % (exchange.number, len(data), data))
        await self._link.run(scripts.OPEN, one.key, self._link.member, b"".join(parts) if here else b"")


def _ended(entry: bytes) -> Exchange:
    number, _, _, data = entry.split(b" ", 3)
    return exchange_of(data, int(number))


def _opened(told: bytes) -> Iterator[Exchange]:
    at = told.index(b"\n") + 1
    while at < len(told):
        end = told.index(b"\n", at)
        number, size = map(int, told[at:end].split())
        yield exchange_of(told[end + 1 : end + 1 + size], number)
        at = end + 1 + size

"""One of the namespaces that several processes have in common, as this process has it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mockserver.server.namespace import DEFAULT, Namespace
from mockserver.server.state.document import NOTHING, document_of, fill
from mockserver.server.state.shared_journal import SharedJournal

if TYPE_CHECKING:
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import Edition
    from mockserver.server.state.link import Link
    from mockserver.server.state.shared_journal import Carrier


class SharedNamespace(Namespace):
    """One namespace's copy in this process.

    Attributes:
        key: What stands for its API key: `default`, or a digest.
        version: Which state it is a copy of.
        document: That state, without what is counted of exchanges.
        rows: The bodies of what is set up, by their digests.
        exchanges: The last number of an exchange.
        calls: How often each fixture with several answers was asked.
        lock: Held by who works on it.
    """

    journal: SharedJournal

    def __init__(self, name: str, key: str, seed: str, link: Link, carrier: Carrier) -> None:
        super().__init__(name, seed)
        self.key = key
        self.journal = SharedJournal(key, carrier)
        self.version = ""
        self.document = NOTHING
        self.exchanges = 0
        self.rows: dict[str, bytes] = {}
        self.calls: dict[str, int] = {}
        self.lock = asyncio.Lock()
        self._link = link
        self.seeded = key == DEFAULT

    def begin(self, exchange: Exchange) -> None:
        """Take an exchange in that begins; its number it gets when it is decided, or when it is kept."""
        self.journal.begin(exchange)

    @property
    def moved_ms(self) -> float:
        """How far its clock was moved on, beside what makes all processes' clocks one."""
        return round(self.advanced_ms - self._link.offset_ms, 3)

    @moved_ms.setter
    def moved_ms(self, moved_ms: float) -> None:
        self.advanced_ms = moved_ms + self._link.offset_ms

    def document_now(self) -> bytes:
        """The state as it is here now."""
        return document_of(self, self.moved_ms, self.calls)

    def be(self, version: str, document: bytes, rows: dict[str, bytes], exchanges: int, edition: Edition) -> None:
        """Become a copy of a state; `rows` has the body of each row that its document names."""
        self.moved_ms, calls = fill(self, document, rows, edition)
        self.calls.clear()  # the same dictionary: who decides has it at hand
        self.calls.update(calls)
        self.numbers["exchange"] = exchanges
        self.version, self.document, self.rows, self.exchanges = version, document, rows, exchanges

    def reset(self, *, journal: bool = True, setup: bool = True, counters: bool = True) -> None:
        """Forget the journal, what was set up, the counters, or all of it."""
        super().reset(journal=journal, setup=setup, counters=counters)
        if counters:
            self.moved_ms = 0.0

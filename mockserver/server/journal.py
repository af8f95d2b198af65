"""The journal: what happened in a namespace, and what is going on, to be queried and waited for.

Finished exchanges are a bounded ring, of which bytes are kept and weighed: what was made of a request's body can be
made again, and takes up to forty times its memory. Those in flight are bounded by the connections that clients hold.
Small ones are weighed some at a time, behind the answers and not between them, or as soon as somebody looks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import ChatRequest
from mockserver.pipeline.wire_templates import held_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mockserver.core.exchange import Exchange

MOST_EXCHANGES = 1000
MOST_BYTES = 16 * 2**20
MOST_BYTES_OF_ALL = 256 * 2**20
OVERHEAD_BYTES = 3072  # what an exchange weighs beyond its texts, its body and its frames
SAID_CHARACTERS = 200  # of the last question, for a row of the page
HEADER_BYTES = 200  # a header's name, its place in the dictionary, and its value but for its characters
FRAME_BYTES = 96  # what a frame weighs beyond its characters: an object and its place
TIME_BYTES = 32
WEIGHED_TOGETHER: Final = 32
WEIGHED_AT_ONCE_BYTES: Final = 4096  # of a body: what is made of larger ones is not left to lie
_NOTHING: Final[Mapping[str, Any]] = {}


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
        in_flight: Whether it is still going on.
    """

    model: str | None = None
    chip: str | None = None
    status: int | None = None
    stream: bool | None = None
    text: str | None = None
    after: int = 0
    in_flight: bool | None = None

    def fits(self, exchange: Exchange) -> bool:
        """Whether the exchange is meant."""
        chat = exchange.chat
        if exchange.number <= self.after or self.in_flight not in {None, exchange.in_flight}:
            return False
        if self.status is not None and (exchange.plan is None or exchange.plan.status != self.status):
            return False
        if self.text is not None and self.text.encode("utf-8", "replace") not in exchange.request.body:
            return False
        if self.model is None and self.chip is None and self.stream is None:
            return True
        return (
            chat is not None
            and self.model in {None, chat.model}
            and self.chip in {None, chat.chip}
            and self.stream in {None, chat.stream}
        )


def weight(exchange: Exchange) -> int:
    """Bytes that a finished exchange holds in memory, at most."""
    request, plan, chat = exchange.request, exchange.plan, exchange.chat
    headers = request.headers
    size = OVERHEAD_BYTES + len(request.body) + HEADER_BYTES * len(headers) + sum(map(len, headers.values()))
    size += 2 * getsizeof(request.path)  # its parts stand in its route too
    if exchange.writes:
        size += 8 * len(exchange.writes)
    if request.query:
        size += getsizeof(request.query)
    if chat is not None:
        for message in chat.messages:
            size += sum(map(getsizeof, message.values()))
        if chat.ignored:
            size += sum(map(getsizeof, chat.ignored))
    if plan is not None:
        size += held_bytes(plan.frames) + FRAME_BYTES * len(plan.frames)
        if plan.detail or plan.stale:
            size += getsizeof(plan.detail) + sum(map(getsizeof, plan.stale))
        if plan.at_ms is not None:
            size += TIME_BYTES * len(plan.at_ms)
    return size


def without_body(chat: ChatRequest) -> ChatRequest:
    """What was understood, without what was said but for the beginning of the last question."""
    said = ({"role": "user", "content": chat.last_user_text[:SAID_CHARACTERS]},)
    return ChatRequest(chat.model, chat.chip, said, chat.stream, chat.include_usage, _NOTHING, chat.ignored)


@dataclass(slots=True)
class JournalBudget:
    """What several journals may weigh together; where it is spent, the heaviest lets its oldest go.

    Attributes:
        most_bytes: The most that they may weigh; the newest exchange of all stays nevertheless.
        used_bytes: What they weigh now.
        journals: Those in which something is kept.
        ended: Small exchanges that ended and are not weighed yet, each with its journal, in their order.
    """

    most_bytes: int = MOST_BYTES_OF_ALL
    used_bytes: int = 0
    journals: set[Journal] = field(default_factory=set)
    ended: list[tuple[Journal, Exchange]] = field(default_factory=list)

    def settle(self) -> None:
        """Weigh what has ended, and make room for it."""
        ended, self.ended = self.ended, []
        for journal, exchange in ended:
            journal.keep(exchange)

    def make_room(self, growing: Journal) -> None:
        """Let the oldest of the heaviest go, down to an even share, until there is room; what just came stays."""
        while self.used_bytes > self.most_bytes:
            able = [one for one in self.journals if one is not growing or len(one) > 1]
            if not able:
                return
            heaviest = max(able, key=lambda one: one.weight)
            share = self.most_bytes // len(self.journals)
            heaviest.drop_oldest()
            while self.used_bytes > self.most_bytes and heaviest.weight > share and len(heaviest) > 1:
                heaviest.drop_oldest()


class Journal:
    """Finished exchanges, bounded in entries and in bytes (the oldest go first), and those in flight.

    Attributes:
        dropped: Exchanges that had to go to make room; exact once somebody has looked at the others.
        weight: Bytes that those which have finished hold in memory; likewise.
    """

    def __init__(
        self, most_exchanges: int = MOST_EXCHANGES, most_bytes: int = MOST_BYTES, budget: JournalBudget | None = None
    ) -> None:
        self._most_exchanges = most_exchanges
        self._most_bytes = most_bytes
        self._kept: deque[Exchange] = deque()
        self._weights: deque[int] = deque()  # beside them: a pair of each would be one more for the collector
        self._open: dict[int, Exchange] = {}
        self.weight = 0
        self._budget = budget or JournalBudget()
        self._waiters: set[asyncio.Future[None]] = set()
        self.dropped = 0

    def __len__(self) -> int:
        """How many have finished."""
        self._budget.settle()
        return len(self._kept)

    def __iter__(self) -> Iterator[Exchange]:
        """Those that have finished, in the order in which they did, then those in flight as they came."""
        self._budget.settle()
        yield from self._kept
        yield from self._open.values()

    @property
    def in_flight(self) -> int:
        """How many are going on."""
        return len(self._open)

    def begin(self, exchange: Exchange) -> None:
        """Take in an exchange that begins."""
        exchange.in_flight = True
        self._open[id(exchange)] = exchange

    def planned(self) -> None:
        """An exchange in flight is understood now: who waits for such a one looks again."""
        if self._waiters:
            self._wake()

    def end(self, exchange: Exchange) -> None:
        """Keep an exchange that ended and wake who waits for one; not where it was forgotten meanwhile."""
        exchange.in_flight = False
        if self._open.pop(id(exchange), None) is None:
            return
        ended, plan = self._budget.ended, exchange.plan
        ended.append((self, exchange))
        if (
            len(ended) >= WEIGHED_TOGETHER
            or plan is None
            or len(plan.frames) != 1
            or len(exchange.request.body) > WEIGHED_AT_ONCE_BYTES
        ):
            self._budget.settle()
        if self._waiters:
            self._wake()

    def keep(self, exchange: Exchange) -> None:
        """Weigh an exchange that ended, and keep it."""
        if exchange.chat is not None:
            exchange.chat = without_body(exchange.chat)
        size = weight(exchange)
        kept, budget = self._kept, self._budget
        if not kept:
            budget.journals.add(self)
        kept.append(exchange)
        self._weights.append(size)
        self.weight += size
        budget.used_bytes += size
        while len(kept) > self._most_exchanges or (self.weight > self._most_bytes and len(kept) > 1):
            self.drop_oldest()
        if budget.used_bytes > budget.most_bytes:
            budget.make_room(self)

    def drop_oldest(self) -> None:
        """Let the exchange go that ended first."""
        self._kept.popleft()
        size = self._weights.popleft()
        self.weight -= size
        self._budget.used_bytes -= size
        self.dropped += 1
        if not self._kept:
            self._budget.journals.discard(self)

    def find(self, query: Query) -> list[Exchange]:
        """The exchanges that are meant, in the order of the journal."""
        return [exchange for exchange in self if query.fits(exchange)]

    def since(self, last: Exchange | None) -> tuple[list[Exchange], bool]:
        """Those that finished after `last`, oldest first; and whether `last` is still there, so that they are all."""
        self._budget.settle()
        found: list[Exchange] = []
        for exchange in reversed(self._kept):
            if exchange is last:
                return found[::-1], True
            found.append(exchange)
        return found[::-1], last is None

    def unfinished(self) -> list[Exchange]:
        """Those in flight, as they came."""
        return list(self._open.values())

    def clear(self) -> None:
        """Forget everything; what is in flight is not taken in when it ends."""
        self._budget.settle()
        self._kept.clear()
        self._weights.clear()
        self._open.clear()
        self._budget.used_bytes -= self.weight
        self._budget.journals.discard(self)
        self.weight = self.dropped = 0

    async def wait(self, query: Query, count: int, timeout_s: float) -> list[Exchange]:
        """The exchanges that are meant, as soon as there are `count` of them or the time is over.

        Only those that have finished are counted; where the query asks for those in flight, those of
        which it is known what answers them.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while self._counted(found := self.find(query), query) < count and (left := until - loop.time()) > 0:
            waiter = loop.create_future()
            self._waiters.add(waiter)
            await asyncio.wait([waiter], timeout=left)
            self._waiters.discard(waiter)
        return found

    @staticmethod
    def _counted(found: list[Exchange], query: Query) -> int:
        if query.in_flight:
            return sum(one.plan is not None for one in found)
        return sum(not one.in_flight for one in found)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

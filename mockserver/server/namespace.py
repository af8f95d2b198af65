"""Namespaces: what one test has set up and what it has seen, apart from all other tests.

A namespace belongs to an API key. A test claims one by using its own key; keys that were never claimed share the
default namespace.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from mockserver.server.journal import Journal, JournalBudget
from mockserver.server.quota import Quota

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from mockserver.core.exchange import Answer, ChatRequest, Exchange, Plan
    from mockserver.pipeline.faults.content import RateLimit
    from mockserver.pipeline.faults.fault import Fault
    from mockserver.server.namespace_setup import ArmedFault, Expectation

T = TypeVar("T")
DEFAULT = "default"
MOST_NAMESPACES = 1000
SEED_STEP = 0x9E3779B97F4A7C15  # an odd number far from powers of two, so that neighbours get unlike seeds


class Touches(StrEnum):
    """What of a namespace an operation of the control API reads or changes."""

    NOTHING = "nothing"
    SETUP = "setup"
    """It reads what is set up, and counters."""
    JOURNAL = "journal"
    EVERYTHING = "everything"
    """It reads of all namespaces."""
    CHANGES = "changes"
    """It changes what is set up, counters or clock, or clears the journal."""


class StateNeededError(Exception):
    """A request can be decided only with the state that several processes have in common."""


class StateLostError(Exception):
    """That state cannot be reached; the text says so in one line."""


class Namespace:
    """One test's own scripted answers, armed faults, counters and journal.

    Attributes:
        name: What the operator sees: `default`, or `key-` and a number; the API key itself is a secret and stays one.
        faults: Armed faults, in the order they act.
        script: Scripted answers, tried in order.
        unexpected: Requests that no scripted answer was for, though some were set up.
        advanced_ms: How far its clock was moved on.
        numbers: The last number of each kind.
        quotas: The counters of each rate limit.
        journal: What happened.
    """

    journal: Journal

    def __init__(self, name: str, seed: str, budget: JournalBudget | None = None) -> None:
        self.name = name
        self.journal = Journal(budget=budget)
        self.faults: list[ArmedFault] = []
        self.script: list[Expectation] = []
        self.unexpected = 0
        self.advanced_ms = 0.0
        self.seed_with(seed)
        self.numbers: dict[str, int] = {}
        self.quotas: dict[RateLimit, Quota] = {}

    def seed_with(self, text: str) -> None:
        """Have the seeds of all its exchanges follow from a text."""
        self._seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest())

    def next(self, what: str) -> int:
        """The next number of a kind, from 1."""
        self.numbers[what] = number = self.numbers.get(what, 0) + 1
        return number

    def begin(self, exchange: Exchange) -> None:
        """Take an exchange in that begins, and number it."""
        exchange.number = self.next("exchange")
        self.journal.begin(exchange)

    def seed_of(self, number: int) -> int:
        """The seed of an exchange: the same server seed, namespace and number give the same."""
        return (self._seed + number * SEED_STEP) % 2**48

    def scripted(self, request: ChatRequest) -> Answer | Plan | None:
        """The scripted reply to a request, counted as used; raises Refusal where it is one."""
        for expectation in self.script:
            if (expectation.times is None or expectation.used < expectation.times) and expectation.which.fits(request):
                expectation.used += 1
                return expectation.reply(request, expectation.used - 1)
        self.unexpected += bool(self.script)
        return None

    def faults_for(self, request: ChatRequest, dice: random.Random) -> list[Fault]:
        """The armed faults that fire at a request."""
        return [armed.fault for armed in self.faults if armed.fires(request, dice)]

    def check_quotas(self, limits: Sequence[RateLimit], now_ms: float) -> None:
        """Raise the Refusal of the first rate limit that is used up."""
        for limit in limits:
            self.quotas.setdefault(limit, Quota()).check(limit, now_ms)

    def count(self, limits: Sequence[RateLimit], now_ms: float, tokens: int) -> None:
        """Count a request that was let in, and its tokens, against rate limits."""
        for limit in limits:
            self.quotas.setdefault(limit, Quota()).count(now_ms, tokens)

    def is_quiet(self) -> bool:
        """Whether nothing is set up: requests take the fast way."""
        return not (self.faults or self.script)

    def unmet(self) -> list[Expectation]:
        """Scripted answers that were not used as often as set up."""
        return [one for one in self.script if not one.met]

    def reset(self, *, journal: bool = True, setup: bool = True, counters: bool = True) -> None:
        """Forget the journal, what was set up, the counters, or all of it."""
        if journal:
            self.journal.clear()
            self.unexpected = 0
        if setup:
            self.faults.clear()
            self.script.clear()
        if counters:
            self.numbers.clear()
            self.quotas.clear()
            self.advanced_ms = 0.0


class Namespaces:
    """All namespaces of a server: their number and the weight of their journals are bounded.

    Where there are too many, the one goes that the control API has not been asked about for longest.

    Args:
        seed: Part of every exchange's seed.
        forget: Told the name of a namespace that goes.

    Attributes:
        shared: Whether other processes have these namespaces too.
        current: Whether what is known here is what they know; else `refreshed` finds a namespace.
    """

    shared = False
    current = True

    def __init__(self, seed: int = 0, forget: Callable[[str], None] = lambda _name: None) -> None:
        self._seed = seed
        self._forget = forget
        self._budget = JournalBudget()
        self.default = Namespace(DEFAULT, f"{seed}:", self._budget)
        self._claimed: dict[str, Namespace] = {}
        self._made = 0

    def __iter__(self) -> Iterator[Namespace]:
        """The default one, then the claimed ones, the longest unasked first."""
        yield self.default
        yield from self._claimed.values()

    def of(self, key: str) -> Namespace:
        """The namespace that a request with this API key belongs to."""
        return self._claimed.get(key, self.default)

    def named(self, name: str) -> tuple[str | None, Namespace] | None:
        """The API key and the namespace of a name, for those who look on; None where there is none of it.

        The key is None where only another process was ever told it.
        """
        if name == DEFAULT:
            return "", self.default
        return next((pair for pair in self._claimed.items() if pair[1].name == name), None)

    def claim(self, key: str) -> Namespace:
        """The key's own namespace, made where there is none."""
        if not key:
            return self.default
        found = self._claimed.pop(key, None)
        if found is None:
            while len(self._claimed) >= MOST_NAMESPACES:
                self.release(next(iter(self._claimed)))
            self._made += 1
            found = Namespace(f"key-{self._made}", f"{self._seed}:{key}", self._budget)
        self._claimed[key] = found
        return found

    def release(self, key: str) -> bool:
        """Give a key's namespace up; whether there was one."""
        gone = self._claimed.pop(key, None)
        if gone is None:
            return False
        gone.reset()
        self._forget(gone.name)
        return True

    async def open(self) -> None:
        """Begin: the loop runs, and nothing is answered yet."""

    async def close(self) -> None:
        """End: nothing is answered any more."""

    async def refreshed(self, key: str) -> Namespace:
        """The same as `of`, when what others know is learned; where they cannot be asked, what is known here counts."""
        return self.of(key)

    def concern(self, namespace: Namespace, headers: Mapping[bytes, bytes]) -> bool:  # noqa: ARG002 - what is shared asks
        """Whether a request can be decided only by what is common."""
        return False

    async def decide(self, namespace: Namespace, exchange: Exchange, do: Callable[[], Awaitable[T]]) -> T:  # noqa: ARG002
        """Number and decide an exchange as if nobody else did meanwhile; raises StateLostError."""
        return await do()

    async def act(self, touches: Touches, namespace: Namespace, do: Callable[[], Awaitable[T]]) -> T:  # noqa: ARG002
        """Do what an operation of the control API does, as if nobody else did anything meanwhile.

        Args:
            touches: What it reads or changes.
            namespace: Whose.
            do: Acts on the namespace; more than once where others were faster.

        Raises:
            StateLostError: what it touches cannot be reached; nothing is done.
        """
        return await do()

    async def claimed(self, key: str) -> Namespace:
        """The same as `claim`, for all processes; raises StateLostError."""
        return self.claim(key)

    async def give_up(self, key: str) -> bool:
        """The same as `release`, for all processes; raises StateLostError."""
        return self.release(key)

    async def look(self) -> None:
        """Learn what happened in all journals; raises StateLostError."""

"""The journal: bounded, queried, waited for; exchanges in flight; and against a simple model, a list."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from mockserver.core.exchange import ChatRequest, Exchange, Plan, Request
from mockserver.server.journal import FRAME_BYTES, OVERHEAD_BYTES, Journal, JournalBudget, Query, weight

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def exchange(number: int, chip: str = "left", status: int = 200, body: bytes = b"", *, stream: bool = True) -> Exchange:
    """An exchange whose plan holds 100 bytes."""
    chat = ChatRequest("m", chip, [], stream)
    return Exchange(Request("POST", "/", {}, body), Plan(status, (), (b"x" * 100,)), chat=chat, number=number)


def keep(journal: Journal, one: Exchange) -> None:
    """An exchange that begins and ends."""
    journal.begin(one)
    journal.end(one)


def numbers(found: object) -> list[int]:
    """Which exchanges these are."""
    return [one.number for one in found]  # type: ignore[attr-defined]


def test_entries_are_bounded() -> None:
    """The oldest go first, and how many went is told."""
    journal = Journal(most_exchanges=3)
    for number in range(1, 6):
        keep(journal, exchange(number))

    assert numbers(journal) == [3, 4, 5]
    assert journal.dropped == 2


def test_bytes_are_bounded() -> None:
    """Bodies and frames count; the newest stays even where it alone is too large."""
    journal = Journal(most_bytes=10_000)
    for number in range(1, 4):
        keep(journal, exchange(number, body=b"x" * 4_000))
    assert numbers(journal) == [3]

    keep(journal, exchange(4, body=b"x" * 50_000))
    assert numbers(journal) == [4]


def test_the_bytes_of_all_are_bounded() -> None:
    """Also where each has nothing but its newest: the heaviest ones give, a light one keeps what it has."""
    budget = JournalBudget(most_bytes=100_000)
    light, *others = (Journal(budget=budget) for _ in range(50))
    for number in range(3):
        keep(light, exchange(number))
    for one in others:
        keep(one, exchange(1, body=b"x" * 20_000))
        assert budget.used_bytes <= budget.most_bytes
        assert numbers(one) == [1]

    assert numbers(light) == [0, 1, 2]
    assert budget.used_bytes == sum(map(weight, [one for journal in (light, *others) for one in journal]))
    assert sum(one.dropped for one in others) == 49 - sum(map(len, others))

    light.clear()
    keep(light, exchange(9, body=b"x" * 200_000))
    assert (numbers(light), sum(map(len, others))) == ([9], 0)


def test_one_large_exchange_takes_the_place_of_many_small_ones() -> None:
    """The journal that has most gives them, as many as are needed."""
    budget = JournalBudget(most_bytes=1_000_000)
    many, few, new = (Journal(budget=budget) for _ in range(3))
    keep(few, exchange(1))
    for number in range(250):
        keep(many, exchange(number))
    keep(new, exchange(1, body=b"x" * 500_000))

    assert (len(few), len(new)) == (1, 1)
    assert 0 < many.dropped < 200
    assert budget.used_bytes <= budget.most_bytes < budget.used_bytes + weight(exchange(1))


QUERIES = {
    "all": (Query(), [1, 2, 3, 4]),
    "chip": (Query(chip="right"), [2]),
    "model": (Query(model="other"), []),
    "status": (Query(status=429), [3]),
    "stream": (Query(stream=False), [3]),
    "text": (Query(text="你好"), [1]),
    "after": (Query(after=1), [2, 3, 4]),
    "two at once": (Query(chip="left", status=200), [1, 4]),
    "in flight": (Query(in_flight=True), [4]),
    "ended": (Query(in_flight=False), [1, 2, 3]),
}


@pytest.mark.parametrize("name", QUERIES)
def test_query(name: str) -> None:
    """A query gives the exchanges that fit all it names, those in flight at the end."""
    query, expected = QUERIES[name]
    journal = Journal()
    journal.begin(exchange(4))
    keep(journal, exchange(1, body="你好".encode()))
    keep(journal, exchange(2, chip="right"))
    keep(journal, exchange(3, status=429, stream=False))

    assert numbers(journal.find(query)) == expected


def scene(play: Callable[[Journal], Coroutine[Any, Any, list[Exchange]]]) -> list[int]:
    """What was waited for, in a journal of its own."""
    return numbers(asyncio.run(play(Journal())))


def test_waiting_ends_with_the_exchange_that_was_waited_for() -> None:
    """Who waits for two exchanges is woken by the end of the second; one that only began does not count."""

    async def play(journal: Journal) -> list[Exchange]:
        waiting = asyncio.ensure_future(journal.wait(Query(), 2, 60))
        journal.begin(exchange(3))
        for number in (1, 2):
            await asyncio.sleep(0)
            assert not waiting.done()
            keep(journal, exchange(number))
        return await waiting

    assert scene(play) == [1, 2, 3]


def test_waiting_for_one_in_flight() -> None:
    """It is over as soon as such a request is understood, while its answer is still going on."""

    async def play(journal: Journal) -> list[Exchange]:
        waiting = asyncio.ensure_future(journal.wait(Query(in_flight=True, chip="left"), 1, 60))
        await asyncio.sleep(0)
        one = exchange(1)
        one.chat, chat = None, one.chat
        journal.begin(one)
        journal.planned()
        await asyncio.sleep(0)
        assert not waiting.done()
        one.chat = chat
        journal.planned()
        return await waiting

    assert scene(play) == [1]


def test_waiting_for_one_that_is_being_answered() -> None:
    """One whose body has not come is in flight and found, but nobody knows its answer, so it is not waited for."""

    async def play(journal: Journal) -> list[Exchange]:
        one = exchange(1)
        one.plan, plan = None, one.plan
        journal.begin(one)
        assert await journal.wait(Query(in_flight=True), 1, 0) == [one]
        waiting = asyncio.ensure_future(journal.wait(Query(in_flight=True), 1, 60))
        await asyncio.sleep(0)
        assert not waiting.done()
        one.plan = plan
        journal.planned()
        return await waiting

    assert scene(play) == [1]


def test_who_waits_for_nothing_is_not_kept() -> None:
    """Without time the answer comes at once."""

    async def play(journal: Journal) -> list[Exchange]:
        return await journal.wait(Query(), 1, 0)

    assert scene(play) == []


def test_what_was_forgotten_does_not_come_back() -> None:
    """An exchange that was in flight when all was forgotten is not taken in when it ends, nor does it wake anybody."""
    journal = Journal()
    old, new = exchange(1), exchange(1)
    journal.begin(old)
    journal.clear()
    journal.begin(new)
    journal.end(old)

    assert [one is new for one in journal] == [True]
    assert (len(journal), journal.in_flight, old.in_flight) == (0, 1, False)


class JournalMachine(RuleBasedStateMachine):
    """A journal does what two lists would: one of what ended, cut at its front, and one of what is in flight."""

    MOST: ClassVar = 4
    BYTES: ClassVar = 4 * (OVERHEAD_BYTES + FRAME_BYTES + 500)
    begun = Bundle("begun")

    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal(self.MOST, self.BYTES)
        self.ended: list[Exchange] = []
        self.open: list[Exchange] = []
        self.dropped = 0
        self.number = 0

    @rule(
        target=begun, chip=st.sampled_from(["left", "right"]), status=st.sampled_from([200, 429]), stream=st.booleans(),
        body=st.sampled_from([b"", "你好".encode(), b"x" * OVERHEAD_BYTES, b"x" * 5 * OVERHEAD_BYTES]),
    )  # fmt: skip
    def begin(self, chip: str, status: int, body: bytes, *, stream: bool) -> Exchange:
        """A request comes in."""
        self.number += 1
        made = exchange(self.number, chip, status, body, stream=stream)
        self.journal.begin(made)
        self.open.append(made)
        return made

    @rule(one=consumes(begun))
    def end(self, one: Exchange) -> None:
        """An exchange ends; where all was forgotten meanwhile, it is too."""
        self.journal.end(one)
        if one not in self.open:
            return
        self.open.remove(one)
        self.ended.append(one)
        while len(self.ended) > self.MOST or (self.weight() > self.BYTES and len(self.ended) > 1):
            self.ended.pop(0)
            self.dropped += 1

    def weight(self) -> int:
        """What the ended ones weigh."""
        return sum(map(weight, self.ended))

    @rule()
    def clear(self) -> None:
        """All is forgotten."""
        self.journal.clear()
        self.ended, self.open, self.dropped = [], [], 0

    @rule(
        chip=st.sampled_from([None, "left", "right"]), status=st.sampled_from([None, 200, 429]),
        stream=st.sampled_from([None, True, False]), text=st.sampled_from([None, "好", "x"]),
        after=st.integers(0, 6), in_flight=st.sampled_from([None, True, False]), count=st.integers(0, 3),
    )  # fmt: skip
    def find(self, chip: Any, status: Any, stream: Any, text: Any, after: int, in_flight: Any, count: int) -> None:
        """A query gives what a filter of the lists gives; waiting without time gives the same."""
        query = Query(None, chip, status, stream, text, after, in_flight)
        expected = [
            one.number
            for one in self.ended + self.open
            if one.chat is not None and one.plan is not None
            and one.number > after
            and chip in {None, one.chat.chip}
            and status in {None, one.plan.status}
            and stream in {None, one.chat.stream}
            and (text is None or text in one.request.body.decode())
            and in_flight in {None, one in self.open}
        ]  # fmt: skip
        assert numbers(self.journal.find(query)) == expected
        assert numbers(asyncio.run(self.journal.wait(query, count, 0))) == expected

    @invariant()
    def is_as_the_lists(self) -> None:
        """The same exchanges in the same order, and as many dropped."""
        assert list(self.journal) == self.ended + self.open
        assert (len(self.journal), self.journal.in_flight) == (len(self.ended), len(self.open))
        assert self.journal.dropped == self.dropped
        assert all(one.in_flight for one in self.open)
        assert not any(one.in_flight for one in self.ended)


TestJournalAgainstLists = JournalMachine.TestCase

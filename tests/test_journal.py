"""The journal: bounded, queried, waited for."""

from __future__ import annotations

import asyncio

import pytest

from mockserver.exchange import ChatRequest, Exchange, Plan, Request
from mockserver.server.journal import Journal, Query


def exchange(number: int, chip: str = "left", status: int = 200, body: bytes = b"", *, stream: bool = True) -> Exchange:
    """An exchange that has ended."""
    chat = ChatRequest("m", chip, [], stream)
    return Exchange(Request("POST", "/", {}, body), Plan(status, (), (b"x" * 100,)), chat=chat, number=number)


def test_entries_are_bounded() -> None:
    """The oldest go first, and how many went is told."""
    journal = Journal(most_exchanges=3)
    for number in range(1, 6):
        journal.add(exchange(number))

    assert [one.number for one in journal] == [3, 4, 5]
    assert journal.dropped == 2


def test_bytes_are_bounded() -> None:
    """Bodies and frames count; the newest stays even where it alone is too large."""
    journal = Journal(most_bytes=10_000)
    for number in range(1, 4):
        journal.add(exchange(number, body=b"x" * 4_000))
    assert [one.number for one in journal] == [3]

    journal.add(exchange(4, body=b"x" * 50_000))
    assert [one.number for one in journal] == [4]


QUERIES = {
    "all": (Query(), [1, 2, 3]),
    "chip": (Query(chip="right"), [2]),
    "model": (Query(model="other"), []),
    "status": (Query(status=429), [3]),
    "stream": (Query(stream=False), [3]),
    "text": (Query(text="你好"), [1]),
    "after": (Query(after=1), [2, 3]),
    "two at once": (Query(chip="left", status=200), [1]),
}


@pytest.mark.parametrize("name", QUERIES)
def test_query(name: str) -> None:
    """A query gives the exchanges that fit all it names."""
    query, expected = QUERIES[name]
    journal = Journal()
    journal.add(exchange(1, body="你好".encode()))
    journal.add(exchange(2, chip="right"))
    journal.add(exchange(3, status=429, stream=False))

    assert [one.number for one in journal.find(query)] == expected


def test_waiting_ends_with_the_exchange_that_was_waited_for() -> None:
    """Who waits for two exchanges is woken by the second; who waits for nothing is not kept."""

    async def scene() -> tuple[list[Exchange], list[Exchange]]:
        journal = Journal()
        waiting = asyncio.ensure_future(journal.wait(Query(), 2, 60))
        for number in (1, 2):
            await asyncio.sleep(0)
            journal.add(exchange(number))
        return await waiting, await Journal().wait(Query(), 1, 0)

    found, nothing = asyncio.run(scene())

    assert [one.number for one in found] == [1, 2]
    assert nothing == []

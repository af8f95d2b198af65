"""Chats that came together are decided together and answered together, and nobody waits long for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mockserver.server.chat_turns import MOST_TOGETHER, ChatTurns
from tests.conftest import compose, load, serve
from tests.doors import DirectDoor
from tests.raw_http import body, responses, whole

if TYPE_CHECKING:
    from collections.abc import Callable


class Chat:
    """A chat that notes what becomes of it."""

    def __init__(
        self, name: str, seen: list[str], takes: Callable[[], None] = lambda: None, *, due: bool = True
    ) -> None:
        self._name = name
        self._seen = seen
        self._takes = takes
        self._due = due

    def decide(self) -> bool:
        """Note it."""
        self._seen.append(f"decide {self._name}")
        self._takes()
        return self._due

    def write(self) -> bool:
        """Note it; `b` goes on elsewhere."""
        self._seen.append(f"write {self._name}")
        return self._name != "b"

    def end(self) -> None:
        """Note it."""
        self._seen.append(f"end {self._name}")


def taken(chats: Callable[[list[str]], list[Chat]], turns: int = 1) -> list[str]:
    """What became of chats that came together, after so many rounds of the loop."""
    seen: list[str] = []

    async def come() -> list[str]:
        waiting = ChatTurns()
        for chat in chats(seen):
            waiting.add(chat)
        assert seen == []
        for _ in range(turns):
            await asyncio.sleep(0)
        return list(seen)  # the loop goes on when this is over

    return asyncio.run(come())


def test_all_are_decided_before_the_first_is_written() -> None:
    """In the order in which they came, and all are written before the first is noted."""
    seen = taken(lambda seen: [Chat("a", seen), Chat("b", seen), Chat("c", seen)])

    assert seen == ["decide a", "decide b", "decide c", "write a", "write b", "write c", "end a", "end c"]


def test_what_went_another_way_meanwhile_is_not_written() -> None:
    """Nor is what came of it noted."""
    seen = taken(lambda seen: [Chat("a", seen, due=False), Chat("c", seen)])

    assert seen == ["decide a", "decide c", "write c", "end c"]


def test_a_turn_is_short_and_others_come_between() -> None:
    """No more than `MOST_TOGETHER` are decided in one turn; the next ones have theirs in the loop's next round."""
    seen = taken(lambda seen: [Chat(str(number), seen) for number in range(MOST_TOGETHER + 1)])
    assert seen[-1] == f"end {MOST_TOGETHER - 1}"

    seen = taken(lambda seen: [Chat(str(number), seen) for number in range(MOST_TOGETHER + 1)], turns=2)
    assert seen[-3:] == [f"{what} {MOST_TOGETHER}" for what in ("decide", "write", "end")]


def test_what_takes_long_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chat that takes over a millisecond to decide ends its turn."""
    now = 0.0
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda _loop: now)

    def slow() -> None:
        nonlocal now
        now += 0.0011

    seen = taken(lambda seen: [Chat("a", seen, slow), Chat("b", seen)])

    assert seen == ["decide a", "write a", "end a"]


@pytest.mark.parametrize("left", [False, True], ids=["all wait", "one has left"])
def test_many_connections_at_once(left: bool) -> None:
    """Each connection gets its own answer, whoever leaves before it is written."""
    with serve(compose(load("2024-tutorial")), door=DirectDoor) as live:
        socks = [live.connect() for _ in range(40)]
        for number, sock in enumerate(socks):
            asked = body(messages=[{"role": "user", "content": f"Question {number}"}])
            sock.sendall(whole(live, "connection: keep-alive", data=asked))
        if left:
            socks.pop(7).close()
        answers = [responses(sock, 1)[0] for sock in socks]
        for sock in socks:
            sock.close()

    numbers = [number for number in range(40) if not (left and number == 7)]
    assert [status for status, _ in answers] == [200] * len(numbers)
    assert [f"Question {number}”".encode() in said for number, (_, said) in zip(numbers, answers, strict=True)] == [
        True
    ] * len(numbers)

"""A chat's body that comes behind its head, in later reads: as most clients send it, and as a client's bug may."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest

from mockserver.core.exchange import Answer, Ending, Usage
from mockserver.server.known_heads import LONGEST_BODY_BYTES, KnownHeads
from mockserver.server.mock import LARGE_BODY_BYTES
from tests.by_hand import ByHand, Reading, pass_time, send
from tests.conftest import Live, compose, load, serve
from tests.doors import DATE, AsgiDoor, DirectDoor, noted
from tests.in_thread import WAIT_SECONDS
from tests.raw_http import answer, body, head, read_all, responses, say, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mockserver.core.exchange import ChatRequest


class Impatient(ByHand):
    """Waits for a body for a moment only."""

    body_seconds = 0.2


@pytest.fixture(scope="module")
def doors() -> Iterator[tuple[Live, Live]]:
    """The same mock behind each door: ASGI's, and the direct one."""
    yield from _both(Reading)


@pytest.fixture(scope="module")
def impatient() -> Iterator[tuple[Live, Live]]:
    """The same, of little patience."""
    yield from _both(Impatient)


def _both(protocol: type[Reading]) -> Iterator[tuple[Live, Live]]:
    with ExitStack() as stack:
        yield tuple(  # type: ignore[misc]  # two of them
            stack.enter_context(serve(compose(load("2024-tutorial")), protocol, door=door))
            for door in (AsgiDoor, DirectDoor)
        )


def parts_of(request: bytes, *ends: int) -> list[bytes]:
    """The head, and the body cut at `ends`."""
    size = request.index(b"\r\n\r\n") + 4
    cuts = [0, size, *(size + end for end in ends), len(request)]
    return [request[start:end] for start, end in pairwise(cuts)]


def both(
    doors: tuple[Live, Live], count: int, parts: Callable[[Live], list[bytes]], passing_s: float | None = None
) -> bytes:
    """What both doors answer, at once or when time has passed, which is the same and has the same notes."""
    seen = []
    for live in doors:
        before = len(live.exchanges)
        with live.connect() as sock:
            send(sock, *parts(live))
            if passing_s is not None:
                pass_time(live, passing_s)
            received = DATE.sub(b"\r\n", read_all(sock))
        live.wait_for(before + count)
        seen.append((received, [noted(one) for one in live.exchanges[before:]]))

    assert seen[0] == seen[1]
    return seen[0][0]


PARTS: Final[dict[str, Callable[[Live], list[bytes]]]] = {
    "head and body": lambda live: parts_of(whole(live)),
    "a body in four": lambda live: parts_of(whole(live), 1, 2, 10),
    "a stream": lambda live: parts_of(whole(live, data=body(stream=True))),
    "a body that is no JSON": lambda live: parts_of(whole(live, data=b"{{{{")),
    "a wrong chip": lambda live: parts_of(whole(live, path=live.path("nobody"))),
    "a fault that cuts": lambda live: parts_of(whole(live, "x-mock-fault: cut;after_frames=2", data=body(stream=True))),
    "a body over 64 KiB": lambda live: parts_of(whole(live, data=body(user="x" * 70_000)), 40_000),
    "a head in two": lambda live: [whole(live)[:30], *parts_of(whole(live)[30:])],
}


@pytest.mark.parametrize("name", PARTS)
def test_both_doors_take_a_body_in_later_reads(doors: tuple[Live, Live], name: str) -> None:
    """The answer and the notes do not tell in how many reads the request came."""
    assert both(doors, 1, PARTS[name]).startswith(b"HTTP/1.1 ")


def test_the_direct_door_waits_for_the_body(doors: tuple[Live, Live]) -> None:
    """What comes in several reads is answered there too."""
    answered = DirectDoor.answered
    for live in doors:
        with live.connect() as sock:
            for _ in range(2):
                send(sock, *parts_of(whole(live, "connection: keep-alive"), 3))
                assert [status for status, _ in responses(sock, 1)] == [200]

    assert DirectDoor.answered == answered + 2


def test_the_next_request_may_come_with_the_bodys_end(doors: tuple[Live, Live]) -> None:
    """A client that does not wait for its answer gets both, in order."""

    def two(live: Live) -> list[bytes]:
        first, last = whole(live, "connection: keep-alive"), whole(live, data=body(stream=True))
        start, rest = parts_of(first)
        return [start, rest + last]

    assert both(doors, 2, two).count(b"HTTP/1.1 200 OK\r\n") == 2


def test_a_client_that_leaves_within_its_body(doors: tuple[Live, Live]) -> None:
    """It is noted as one that left, by either door, and what it asked is in flight until then."""
    seen = []
    for live in doors:
        before = len(live.exchanges)
        with live.connect() as sock:
            send(sock, *parts_of(whole(live), 5)[:-1])
            in_flight = [one.number for kept in live.mock.namespaces for one in kept.journal.unfinished()]
        left = live.wait_for(before + 1)
        assert (left.ending, left.client_left, left.plan) == (Ending.CUT, True, None)
        seen.append((noted(left), in_flight))

    assert seen[0] == seen[1]
    assert seen[0][1]


def test_a_client_that_says_no_more_within_its_body(doors: tuple[Live, Live]) -> None:
    """Closing its side there is leaving."""
    for live in doors:
        before = len(live.exchanges)
        with live.connect() as sock:
            send(sock, parts_of(whole(live))[0])
            sock.shutdown(1)
            assert sock.recv(1) == b""
        assert live.wait_for(before + 1).client_left


def test_a_body_that_does_not_come_is_refused(impatient: tuple[Live, Live]) -> None:
    """The deadline of a body holds by either door: 408, and the exchange says what was answered."""
    received = both(impatient, 1, lambda live: parts_of(whole(live), 5)[:-1], passing_s=0.2)

    status, _, says = answer(received)
    assert status == 408
    assert "the request's body did not arrive within 0.2 s" in str(says)


def test_a_body_that_began_is_waited_for_when_the_server_stops() -> None:
    """A request of which the head is there gets its answer within the grace time."""
    for door in (AsgiDoor, DirectDoor):
        stopping = threading.Event()

        class Stopping(Reading):
            def shutdown(self, stopping: threading.Event = stopping) -> None:
                super().shutdown()
                stopping.set()

        served = serve(compose(load("2024-tutorial")), Stopping, door=door, grace_seconds=WAIT_SECONDS)
        with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
            live = served.__enter__()
            sock = stack.enter_context(live.connect())
            start, rest = parts_of(whole(live))
            send(sock, start)
            stopped = pool.submit(served.__exit__, None, None, None)
            assert stopping.wait(WAIT_SECONDS)
            send(sock, rest)
            assert answer(read_all(sock))[0] == 200
            stopped.result(WAIT_SECONDS)


def test_what_takes_its_time_is_decided_off_the_loop() -> None:
    """By either door; a short prompt is decided at once."""
    threads: list[int] = []

    def said(_request: ChatRequest) -> Answer:
        threads.append(threading.get_ident())
        return Answer(("hi",), Usage(1, 2))

    for door in (AsgiDoor, DirectDoor):
        with serve(compose(load("2024-tutorial"), answer=said), door=door) as live:
            for size in (1, LARGE_BODY_BYTES):
                assert answer(say(live, whole(live, data=body(user="x" * size))))[0] == 200
        loop, other = threads[-2:]
        assert loop != other


def test_a_head_is_known_with_any_length(live: Live) -> None:
    """Prompts of other lengths are asked under heads that differ in that alone; no other difference is passed over."""

    def learn(name: str, length: str) -> bytes:
        data = head(live, f"{name}: {length}", "x-a: b")
        lines = [line.partition(b": ") for line in data.split(b"\r\n")[1:-2]]
        heads.learn(data, tuple((n.lower(), value) for n, _, value in lines), live.path().encode(), keeps_alive=True)
        return data

    for name in ("content-length", "Content-Length"):
        heads = KnownHeads(LONGEST_BODY_BYTES)
        good = learn(name, "5")
        longer = good.replace(b": 5\r\n", b": 1234\r\n")
        found = heads.find(longer)
        assert found is not None
        assert (found.size, found.request_size) == (len(longer), len(longer) + 1234)
        for request in (found.asked, found.kept):
            assert request.headers[b"content-length"] == b"1234"
        assert dict(found.headers)[b"content-length"] == b"1234"
        assert heads.find(longer) is found
        assert len(heads) == 1
        for other in (b": 65537\r\n", b": 1234567\r\n", b": +5\r\n", b": 5 \r\n", b": \r\n", b": 5\r\nx-c: d\r\n"):
            assert heads.find(good.replace(b": 5\r\n", other)) is None
        assert heads.find(good.replace(b"x-a: b", b"x-a: c")) is None

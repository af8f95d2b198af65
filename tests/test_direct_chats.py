"""Two doors, one answer: a chat that comes without ASGI has the bytes, notes and limits of one that comes by it."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from mockserver.core.exchange import Answer, Plan, Usage
from mockserver.pipeline.pace import PaceSettings
from mockserver.server.client_connection import WholeAnswer
from mockserver.server.known_heads import MOST_HEADS, KnownHeads
from mockserver.server.namespace import StateNeededError
from mockserver.server.protocol import MockProtocol
from mockserver.server.serving import KEEP_ALIVE_SECONDS
from tests.by_hand import ByHand, pass_time, send
from tests.conftest import KEY, Live, compose, load, serve
from tests.doors import DATE, AsgiDoor, DirectDoor, noted
from tests.raw_http import answer, body, head, read_all, responses, say, whole

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from mockserver.core.exchange import ChatRequest, Exchange

REQUEST: Final = re.compile(rb" HTTP/1.[01]\r\n")
PIECES: Final = {"many": 2000, "few": 3, "none": 0, "large": 30}


def said(request: ChatRequest) -> Answer | Plan:
    """As many pieces as the last message says; `broken` fails, and a plan of its own has odd headers."""
    text = request.last_user_text
    if text == "broken":
        raise ZeroDivisionError
    if text.startswith("plan"):
        lines = {"plan-length": ((b"Content-Length", b"3"),), "plan-close": ((b"Connection", b"close"),)}
        return Plan(200, lines.get(text, ((b"X-Own", b"a"),)), (b"a", b"bc"), source="recording:x")
    count = PIECES.get(text, 3)
    return Answer(("x" * (20_000 if text == "large" else 5),) * count, Usage(1, count + 1))


class Nobody:
    """A connection on which nothing is asked."""

    def shutdown(self) -> None:
        """Nothing is to be done."""


class InCompany(MockProtocol):
    """A connection that is not the only one, so that its chats wait for their turn."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As ever, beside another one."""
        super().connection_made(transport)
        self.connections.add(cast("Any", Nobody()))

    def connection_lost(self, exc: Exception | None) -> None:
        """As ever, and the other one goes too."""
        super().connection_lost(exc)
        self.connections.clear()


@pytest.fixture(scope="module")
def doors() -> Iterator[tuple[Live, ...]]:
    """The same mock behind each door: ASGI's, and the direct one, for one connection and for one of several."""
    edition = load("2024-tutorial")
    rules = replace(edition.file.request, body_limit_bytes=70_000)
    edition = replace(edition, file=replace(edition.file, request=rules))
    paces = {"chip1": PaceSettings(5, 0)}
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(serve(compose(edition, answer=said, paces=paces), protocol, door=door))
            for protocol, door in ((MockProtocol, AsgiDoor), (MockProtocol, DirectDoor), (InCompany, DirectDoor))
        )


def ask(text: str = "few", **more: Any) -> bytes:
    """A body with one question."""
    return body(messages=[{"role": "user", "content": text}], **more)


WHOLE: Final[dict[str, Callable[[Live], bytes]]] = {
    "an answer": lambda live: whole(live, data=ask()),
    "kept open": lambda live: whole(live, "connection: keep-alive", data=ask()) + whole(live, data=ask("many")),
    "a stream of many frames": lambda live: whole(live, data=ask("many", stream=True)),
    "a stream of few": lambda live: whole(live, data=ask(stream=True)),
    "no piece": lambda live: whole(live, data=ask("none", stream=True)),
    "large frames": lambda live: whole(live, data=ask("large", stream=True)),
    "a large answer": lambda live: whole(live, data=ask("large")),
    "JSON lines": lambda live: whole(live, data=ask(stream=True), path=live.path("chip3")),
    "paced": lambda live: whole(live, data=ask(stream=True), path=live.path("chip1")),
    "paced, whole": lambda live: whole(live, data=ask(), path=live.path("chip1")),
    "a plan of its own": lambda live: whole(live, data=ask("plan")),
    "its own length": lambda live: whole(live, data=ask("plan-length")),
    "its own end": lambda live: whole(live, "connection: keep-alive", data=ask("plan-close")),
    "a query": lambda live: whole(live, data=ask(), path=live.path() + "?api_key=secret&a=b"),
    "escapes in the path": lambda live: whole(live, data=ask(), path=live.path().replace("-", "%2D")),
    "a model by the body": lambda live: whole(live, data=ask(model=live.model), path="/maas/v1/chat/completions"),
    "an unknown model": lambda live: whole(live, data=ask(), path="/maas/nobody/nvidia/chat/completions"),
    "no JSON": lambda live: whole(live, data=b"{"),
    "no body": lambda live: whole(live, data=b""),
    "a field of the wrong type": lambda live: whole(live, data=ask(n="x")),
    "the key in a refusal": lambda live: whole(live, data=ask(model=KEY)),
    "no key": lambda live: whole(live, data=ask()).replace(b"authorization", b"x-no-key-here"),
    "two hosts": lambda live: whole(live, data=ask(), host="host: a\r\nhost: b"),
    "no host": lambda live: whole(live, data=ask(), host=""),
    "no host and port": lambda live: whole(live, data=ask(), host="host: a, b"),
    "HTTP/1.0": lambda live: whole(live, data=ask(stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "quirks": lambda live: whole(live, "x-mock-quirks: no-done", data=ask(stream=True)),
    "an error": lambda live: whole(live, "x-mock-error: rate-limited", data=ask()),
    "a seed": lambda live: whole(live, "x-mock-seed: 7", data=ask()),
    "a wrong seed": lambda live: whole(live, "x-mock-seed: x", data=ask()),
    "a fault that cuts": lambda live: whole(live, "x-mock-fault: cut;after_frames=2", data=ask(stream=True)),
    "a fault of the framing": lambda live: whole(live, "x-mock-fault: slicer", data=ask(stream=True)),
    "a fault of the status": lambda live: whole(live, "x-mock-fault: status;status=503", data=ask()),
    "GET": lambda live: head(live, method="GET"),
    "an offer of HTTP/2": lambda live: whole(live, "connection: upgrade, close", "upgrade: h2c", data=ask()),
    "expected": lambda live: whole(live, "expect: 100-continue", data=ask()),
    "a body over 64 KiB": lambda live: whole(live, data=ask(user="x" * 66_000)),
    "a body over the limit": lambda live: whole(live, data=ask(user="x" * 71_000)),
    "unreadable behind it": lambda live: whole(live, "connection: keep-alive", data=ask()) + b"no http\r\n\r\n",
    "three at once": lambda live: whole(live, "connection: keep-alive", data=ask()) * 2 + whole(live, data=ask()),
    "empty lines before it": lambda live: b"\r\n\r\n" + whole(live, data=ask()),
    "a mock that fails": lambda live: whole(live, data=ask("broken")),
}


@pytest.mark.parametrize("name", WHOLE)
def test_both_doors_give_the_same_bytes_and_notes(doors: tuple[Live, ...], name: str) -> None:
    """Whatever is asked: the answer's bytes, what the journal keeps, and the number of the exchange."""
    seen = []
    for live in doors:
        before, sent = len(live.exchanges), WHOLE[name](live)
        received = DATE.sub(b"\r\n", say(live, sent))
        live.wait_for(before + len(REQUEST.findall(sent)))
        seen.append((received, [noted(one) for one in live.exchanges[before:]]))

    assert seen[0] == seen[1]
    assert seen[0] == seen[2]
    assert b"HTTP/1.1 " in seen[0][0]


@pytest.mark.parametrize("number", [1, 2], ids=["alone", "in company"])
def test_the_direct_door_was_gone_through(doors: tuple[Live, ...], number: int) -> None:
    """What can come without ASGI does, and what takes its time goes on there."""
    live = doors[number]

    def gone_through(*names: str) -> tuple[int, int]:
        before = DirectDoor.answered, DirectDoor.left
        for name in names:
            before_it, sent = len(live.exchanges), WHOLE[name](live)
            say(live, sent)
            live.wait_for(before_it + len(REQUEST.findall(sent)))
        return DirectDoor.answered - before[0], DirectDoor.left - before[1]

    assert gone_through("an answer", "no JSON", "a query", "a plan of its own", "a stream of few", "a seed") == (6, 0)
    assert gone_through("a stream of many frames", "paced", "a fault that cuts", "large frames", "its own end") == (
        0,
        5,
    )
    assert gone_through("two hosts", "no host", "no host and port", "HTTP/1.0", "expected", "GET") == (0, 0)
    assert gone_through("a body over 64 KiB", "three at once", "empty lines before it") == (0, 0)


def test_what_concerns_other_processes_goes_on_by_asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where namespaces are shared: what must be learned first, what may be set up, and what turns out to need it."""
    needed = iter([True, False, False, False, False, False])

    def said(_request: ChatRequest) -> Answer:
        if next(needed):
            raise StateNeededError
        return Answer(("hi",), Usage(1, 2))

    with serve(compose(load("2024-tutorial"), answer=said), door=DirectDoor) as live:

        def gone_through() -> tuple[int, int]:
            before = DirectDoor.answered, DirectDoor.left
            assert answer(say(live, whole(live)))[0] == 200
            return DirectDoor.answered - before[0], DirectDoor.left - before[1]

        namespaces = live.mock.namespaces
        monkeypatch.setattr(namespaces, "shared", True)
        assert [gone_through(), gone_through()] == [(0, 1), (1, 0)]
        monkeypatch.setattr(namespaces, "concern", lambda *_: True)
        assert gone_through() == (0, 1)
        monkeypatch.setattr(namespaces, "current", False)
        assert gone_through() == (0, 0)


HEADS: Final = {
    "line ends of another kind": lambda head: head.replace(b"\r\n", b"\n"),
    "one of them": lambda head: head.replace(b"host: mock\r\n", b"host: mock\n"),
    "a lone return": lambda head: head.replace(b"host: mock", b"host: mo\rck"),
    "two lengths": lambda head: head.replace(b"\r\n\r\n", b"\r\ncontent-length: 5\r\n\r\n"),
    "no end": lambda head: head[:-2],
    "a coding": lambda head: head.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n"),
    "another version": lambda head: head.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "another method": lambda head: head.replace(b"POST", b"PUT"),
    "a fragment": lambda head: head.replace(b"completions", b"completions#a"),
    "another path": lambda head: head.replace(b"completions", b"completion"),
    "too long": lambda head: head.replace(b"mock", b"m" * 5000),
    "a line before it": lambda head: b"\r\n" + head,
}


@pytest.mark.parametrize("name", HEADS)
def test_only_a_plain_head_is_known(live: Live, name: str) -> None:
    """A head that two readers could read in two ways is not, nor one behind which a body of another length may come."""
    good = head(live, "content-length: 5")

    def known(data: bytes) -> bool:
        heads = KnownHeads(1000)
        lines = [line.partition(b":") for line in data.replace(b"\n", b"\r\n").split(b"\r\n")[1:] if b":" in line]
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in lines)
        heads.learn(data + b"hello", headers, data.split(b" ", 2)[1], keeps_alive=True)
        return heads.find(data + b"hello") is not None

    assert known(good)
    assert not known(HEADS[name](good))


def test_a_known_head_wants_nothing_behind_its_body(live: Live) -> None:
    """What comes with the beginning of the next request is the parser's; the body may come later."""
    good, heads = head(live, "content-length: 5"), KnownHeads(1000)
    lines = [line.partition(b": ") for line in good.split(b"\r\n")[1:-2]]
    heads.learn(good, tuple((name, value) for name, _, value in lines), live.path().encode(), keeps_alive=False)

    assert all(heads.find(good + data) is not None for data in (b"hello", b"hell", b""))
    assert heads.find(good + b"hello!") is None


def test_known_heads_are_bounded(live: Live) -> None:
    """Clients whose every head is new fill no memory."""
    heads = KnownHeads(1000)
    for number in range(MOST_HEADS + 1):
        data = head(live, "content-length: 0", f"x-request: {number}")
        lines = [line.partition(b": ") for line in data.split(b"\r\n")[1:-2]]
        heads.learn(data, tuple((name, value) for name, _, value in lines), live.path().encode(), keeps_alive=True)

    assert heads.find(data) is not None
    assert len(heads) <= MOST_HEADS


def test_a_used_connection_is_kept_as_long_as_any() -> None:
    """An answer without ASGI stops the head's clock too, and a request that stops halfway starts it again."""
    with serve(compose(load("2024-tutorial")), ByHand, door=DirectDoor) as live, live.connect() as sock:
        answered = DirectDoor.answered
        for _ in range(2):
            send(sock, whole(live, "connection: keep-alive"))
            assert [status for status, _ in responses(sock, 1)] == [200]
        assert DirectDoor.answered == answered + 2
        pass_time(live, ByHand.head_seconds)
        send(sock, whole(live)[:-1])
        send(sock, whole(live)[-1:])
        assert answer(read_all(sock))[0] == 200


def test_an_open_connection_is_closed_when_nothing_is_asked() -> None:
    """So long after its last answer, however many went before it."""
    for door in (AsgiDoor, DirectDoor):
        with serve(compose(load("2024-tutorial")), ByHand, door=door) as live, live.connect() as sock:
            for _ in range(3):
                send(sock, whole(live, "connection: keep-alive"))
                assert [status for status, _ in responses(sock, 1)] == [200]
                pass_time(live, 0.9 * KEEP_ALIVE_SECONDS)
            pass_time(live, 0.1 * KEEP_ALIVE_SECONDS)
            assert sock.recv(1) == b""


@pytest.mark.parametrize("paused", [False, True])
def test_a_client_that_has_not_taken_the_last_answer_waits_for_the_next(paused: bool) -> None:
    """Nothing is written in one call while the socket takes no more: ASGI's `send` waits until it does."""
    written: list[bytes] = []
    transport: Any = SimpleNamespace(write=written.append)
    flow: Any = SimpleNamespace(write_paused=paused)
    writer = WholeAnswer(transport, flow, (), keeps_alive=True)

    assert writer.write_whole(200, (), [b"a"]) is not paused
    assert (writer.written, bool(written)) == (not paused, not paused)


def test_what_tells_of_exchanges_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """A listener that raises is told in the log, and the connection closes, behind either door."""
    for door in (AsgiDoor, DirectDoor):
        with serve(compose(load("2024-tutorial")), door=door) as live:
            live.mock.on_exchange = _fails
            received = say(live, whole(live, "connection: keep-alive"))
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        told = [record for record in caplog.records if record.exc_info]
        assert [record.getMessage() for record in told] == ["Exception in ASGI application\n"]
        caplog.clear()


def _fails(_exchange: Exchange) -> None:
    raise ZeroDivisionError

"""Plans are performed as decided: every byte, in order, not early; and clients and shutdowns end the work cleanly."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.server.connection import WatchedConnection
from mockserver.server.performer import JOINED_BYTES, JOINED_FRAMES, perform
from tests.fake_time import FakeLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from mockserver.core.exchange import Headers

FRAMES = tuple(b"<%d>" % number for number in range(40))


class Client:
    """The client's side: what it was sent, and whether it reads, left or was cut off.

    Attributes:
        sent: Time in ms and bytes of each body message.
        starts: How many response heads came.
        ended: Whether the body was ended as HTTP wants it.
        gone: Whether it has left.
        cuts: How often the server cut it off.
        reads: Cleared while the client does not read, so that a send has to wait.
    """

    def __init__(self, loop: FakeLoop) -> None:
        self._loop = loop
        self._began = loop.now
        self.sent: list[tuple[int, bytes]] = []
        self.starts = 0
        self.ended = False
        self.gone = False
        self.cuts = 0
        self.reads = asyncio.Event()
        self.reads.set()

    def cut(self) -> None:
        """Note that the server closed the connection."""
        self.cuts += 1

    async def reset(self) -> None:
        """As `cut`."""
        self.cut()

    def write(self, data: bytes) -> None:
        """Take network writes."""
        self.sent.append((round((self._loop.now - self._began) * 1000), data))

    def write_head(self, status: int, headers: Headers) -> bool:  # noqa: ARG002 - as the protocol says
        """Leave it to `send`."""
        return False

    @property
    def paused(self) -> bool:
        """It takes everything."""
        return False

    def write_part(self, data: bytes) -> bool:  # noqa: ARG002 - as the protocol says
        """Leave it to `send`."""
        return False

    def write_trailers(self, trailers: Headers) -> None:
        """Nobody sends any here."""

    async def drained(self) -> None:
        """Wait until the client reads."""
        await self.reads.wait()

    async def left(self) -> None:
        """Nobody waits for that here."""

    left_at: float | None = None
    refused: Plan | None = None

    def when_left(self, tell: Callable[[], None] | None) -> None:
        """Nobody is told here: the tests move time until the performer looks."""

    async def send(self, message: Any) -> None:
        """ASGI's send."""
        if not self.reads.is_set():
            await self.reads.wait()
        if message["type"] == "http.response.start":
            self.starts += 1
            return
        self.sent.append((round((self._loop.now - self._began) * 1000), message["body"]))
        self.ended = not message.get("more_body", False)

    @property
    def body(self) -> bytes:
        """All that was received."""
        return b"".join(data for _, data in self.sent)


class Stage:
    """A plan being performed for a client, on time that the test moves."""

    def __init__(self, frames: Sequence[bytes], at_ms: Sequence[float] | None = None) -> None:
        self.loop = FakeLoop()
        self.client = Client(self.loop)
        self.exchange = Exchange(Request("POST", "/"))
        plan = Plan(200, (), frames, at_ms)
        self.task = asyncio.ensure_future(
            perform(plan, self.client.send, self.client, self.loop.wheel(), self.exchange)
        )

    async def settle(self) -> None:
        """Let everything run that can run without time passing."""
        for _ in range(len(FRAMES)):
            await asyncio.sleep(0)

    async def advance(self, ms: float) -> None:
        """Let time pass in one leap."""
        await self.settle()
        self.loop.advance(ms)
        await self.settle()


def scene(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's coroutine."""
    asyncio.run(play())


@pytest.mark.parametrize("size", [1, 10, 3000])
def test_unpaced_frames_are_joined_within_bounds(size: int) -> None:
    """Without pacing, a send holds at most 16 frames and closes soon after 16 KiB."""

    async def play() -> None:
        frames = [b"x" * size] * 100
        stage = Stage(frames)
        await stage.task

        lengths = [len(data) for _, data in stage.client.sent]
        assert stage.client.body == b"".join(frames)
        assert max(lengths) <= min(JOINED_FRAMES * size, JOINED_BYTES + size)
        assert len(lengths) < len(frames) / 4
        assert (stage.client.starts, stage.client.ended, stage.exchange.frames_sent) == (1, True, 100)

    scene(play)


@pytest.mark.parametrize("frames", [(), (b"all",), FRAMES], ids=["none", "one", "many"])
@pytest.mark.parametrize("paced", [False, True])
def test_a_plan_of_any_length_is_sent_and_ended(frames: tuple[bytes, ...], paced: bool) -> None:
    """No frame, one frame or many: the body comes whole and is ended."""

    async def play() -> None:
        stage = Stage(frames, [float(number) for number in range(len(frames))] if paced else None)
        for _ in range(45):
            await stage.advance(1)
        await stage.task

        assert (stage.client.body, stage.client.ended) == (b"".join(frames), True)
        assert (stage.exchange.frames_sent, stage.exchange.ending) == (len(frames), Ending.COMPLETE)

    scene(play)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(min_value=0, max_value=60, allow_nan=False), min_size=1, max_size=20),
    st.lists(st.floats(min_value=0.5, max_value=40, allow_nan=False), min_size=1, max_size=30),
)
def test_paced_frames_come_in_order_and_not_early(gaps: list[float], leaps: list[float]) -> None:
    """However time leaps, every frame is sent once, in order, at most a millisecond before its time."""

    async def play() -> None:
        at_ms = [sum(gaps[: number + 1]) for number in range(len(gaps))]
        frames = FRAMES[: len(gaps)]
        stage = Stage(frames, at_ms)
        for leap in (*leaps, 1500.0, 1500.0):
            await stage.advance(leap)
        await stage.task

        sent_at = [at for at, data in stage.client.sent for _ in range(data.count(b"<"))]
        assert stage.client.body == b"".join(frames)
        assert all(at >= due - 1.5 for at, due in zip(sent_at, at_ms, strict=True))

    scene(play)


def test_paced_frames_keep_to_absolute_times() -> None:
    """A late frame does not delay those after it."""

    async def play() -> None:
        stage = Stage(FRAMES[:4], [20.0, 40.0, 60.0, 80.0])
        for leap in (20, 33, 7, 20):
            await stage.advance(leap)
        await stage.task

        assert [at for at, _ in stage.client.sent] == [20, 53, 60, 80]

    scene(play)


def test_overdue_frames_leave_together() -> None:
    """When the loop was busy, the frames it missed are joined in one send."""

    async def play() -> None:
        stage = Stage(FRAMES[:4], [0.0, 20.0, 40.0, 60.0])
        await stage.advance(50)
        await stage.advance(20)
        await stage.task

        assert stage.client.sent == [(0, b"<0>"), (50, b"<1><2>"), (70, b"<3>")]

    scene(play)


def test_a_client_that_does_not_read_is_not_scheduled() -> None:
    """While a send waits, the wheel holds nothing for the stream; afterwards it catches up."""

    async def play() -> None:
        stage = Stage(FRAMES[:4], [0.0, 20.0, 40.0, 60.0])
        await stage.settle()
        stage.client.reads.clear()
        await stage.advance(20)
        for _ in range(3):
            await stage.advance(20)
        assert (stage.client.body, stage.loop.pending) == (b"<0>", [])

        stage.client.reads.set()
        await stage.advance(1)
        await stage.advance(1)
        await stage.task

        assert stage.client.body == b"<0><1><2><3>"
        assert stage.exchange.frames_sent == 4

    scene(play)


@pytest.mark.parametrize("at_ms", [None, [20.0 * number for number in range(40)]], ids=["unpaced", "paced"])
def test_a_client_that_left_ends_the_work(at_ms: list[float] | None) -> None:
    """After the client left, nothing more is sent, nothing stays scheduled, and the exchange says `cut`."""

    async def play() -> None:
        stage = Stage(FRAMES, at_ms)
        await asyncio.sleep(0)
        stage.client.gone = True
        await stage.advance(20)
        await stage.task

        assert stage.exchange.frames_sent < len(FRAMES)
        assert (stage.exchange.ending, stage.client.ended) == (Ending.CUT, False)
        assert stage.loop.pending == []

    scene(play)


@pytest.mark.parametrize("reads", [True, False], ids=["between-frames", "within-a-send"])
def test_a_cancelled_stream_is_cut(reads: bool) -> None:
    """When the server stops, the client sees a body without its end, and later turns of the wheel do nothing."""

    async def play() -> None:
        stage = Stage(FRAMES[:4], [0.0, 20.0, 40.0, 60.0])
        await stage.settle()
        if not reads:
            stage.client.reads.clear()
            await stage.advance(20)
        stage.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stage.task
        stage.client.reads.set()
        await stage.advance(100)

        assert (stage.client.cuts, stage.client.ended, stage.client.body) == (1, False, b"<0>")
        assert stage.exchange.ending is Ending.CUT

    scene(play)


@pytest.mark.parametrize("blocked", [False, True], ids=["at-once", "after-waiting"])
def test_an_error_of_the_connection_reaches_the_server(blocked: bool) -> None:
    """What `send` raises is raised by the performance, also where the send had to wait first."""

    async def play() -> None:
        stage = Stage(FRAMES[:4], [0.0, 20.0, 40.0, 60.0])
        await stage.settle()

        async def broken(_message: Any) -> None:
            if blocked:
                await asyncio.sleep(0)
            raise OSError("the wire is cut")

        performed = asyncio.ensure_future(
            perform(
                Plan(200, (), FRAMES[:2], [0.0, 1.0]),
                _head_then(broken),
                stage.client,
                stage.loop.wheel(),
                stage.exchange,
            )
        )
        with pytest.raises(OSError, match="the wire is cut"):
            await performed
        stage.task.cancel()

    scene(play)


def _head_then(send: Callable[[Any], Coroutine[Any, Any, None]]) -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def after_head(message: Any) -> None:
        if message["type"] != "http.response.start":
            await send(message)

    return after_head


def test_the_pause_before_the_first_token_sends_nothing() -> None:
    """The head leaves with the first frame, so the time to the first byte is the time to the first token."""

    async def play() -> None:
        stage = Stage(FRAMES[:1], [300.0])
        await stage.advance(299)
        assert stage.client.starts == 0

        await stage.advance(1)
        await stage.task

        assert (stage.client.starts, stage.client.sent) == (1, [(300, b"<0>")])

    scene(play)


def test_a_watched_connection_notices_a_disconnect() -> None:
    """Where the server is not ours, `http.disconnect` says that the client left."""

    async def play() -> None:
        messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(messages)

        connection = WatchedConnection(receive)
        before = connection.gone
        await asyncio.sleep(0)

        assert (before, connection.gone) == (False, True)
        connection.release()

    scene(play)


class Direct(Client):
    """A client on a connection of ours: parts are written without ASGI, and what it does not read stays."""

    @property
    def paused(self) -> bool:
        """Whether it does not read."""
        return not self.reads.is_set()

    def write_part(self, data: bytes) -> bool:
        """Take a part."""
        self.sent.append((round((self._loop.now - self._began) * 1000), data))
        return True


def test_parts_written_directly_are_those_of_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paced stream has the same bytes at the same times, with ASGI's `send` for each chunk or without it."""
    seen = []

    async def play() -> None:
        stage = Stage(FRAMES, [20.0 * number for number in range(len(FRAMES))])
        for _ in FRAMES:
            await stage.advance(20)
        await stage.task
        assert stage.exchange.frames_sent == len(FRAMES)
        assert stage.client.ended
        seen.append(stage.client.sent)

    scene(play)
    monkeypatch.setattr(sys.modules[__name__], "Client", Direct)
    scene(play)

    assert seen[0] == seen[1]
    assert len(seen[0]) == len(FRAMES)


def test_parts_are_not_written_to_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the socket takes no more, no chunk is written; afterwards those that are due leave together."""
    monkeypatch.setattr(sys.modules[__name__], "Client", Direct)

    async def play() -> None:
        stage = Stage(FRAMES, [20.0 * number for number in range(len(FRAMES))])
        await stage.advance(20)
        before = len(stage.client.sent)
        stage.client.reads.clear()
        await stage.advance(20)
        await stage.advance(200)
        assert len(stage.client.sent) == before + 1
        stage.client.reads.set()
        await stage.advance(1)
        assert len(stage.client.sent) == before + 2
        await stage.advance(20 * len(FRAMES))
        await stage.task
        assert stage.client.body == b"".join(FRAMES)

    scene(play)

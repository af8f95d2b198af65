"""The one place that performs plans: bytes go out when they are due, and what came of it is an `Exchange`."""

from __future__ import annotations

import asyncio
import types
from array import array
from typing import TYPE_CHECKING, Any

from mockserver.core.exchange import Ending
from mockserver.server.clock import until
from mockserver.server.connection import CONNECTION_KEY
from mockserver.server.frame_by_frame import goes_frame_by_frame, perform_frame_by_frame

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Iterator, Sequence

    from starlette.types import Scope, Send

    from mockserver.core.exchange import Exchange, Plan
    from mockserver.server.clock import Wheel
    from mockserver.server.connection import Connection, WholeWriter

JOINED_FRAMES = 16  # frames in one send where nothing is paced: more no longer saves anything
JOINED_BYTES = 16 * 1024
WHOLE_FRAMES = 512  # of a plan in one write: joining so many takes a fraction of a millisecond
WHOLE_BYTES = 64 * 1024  # what a transport holds before it says that it has enough
DRAIN_FACTOR = 2  # how many times the body limit is read after a 413, so that the client can read the answer


async def perform(plan: Plan, send: Send, connection: Connection, wheel: Wheel, exchange: Exchange) -> None:
    """Send what the plan says, when it says so, and note in `exchange` what was sent and how it ended.

    A client that leaves ends the work. A cancelled performance (the server stops) cuts the stream visibly.
    """
    started = wheel.now()
    exchange.plan = plan
    try:
        if goes_frame_by_frame(plan):
            await perform_frame_by_frame(plan, send, connection, wheel, exchange, started)
        elif not plan.at_ms:
            await _at_once(plan, send, connection, wheel, exchange, started)
        else:
            if plan.at_ms[0] > 0:
                await until(started + plan.at_ms[0] / 1000, wheel, connection.when_left)
            await _Paced(plan, plan.at_ms, send, connection, wheel, exchange, started).run()
    except asyncio.CancelledError:
        connection.cut()
        exchange.ending = Ending.CUT
        raise
    if connection.gone and exchange.frames_sent < len(plan.frames):
        exchange.ending, exchange.client_left = Ending.CUT, True


async def answer_unread(plan: Plan, scope: Scope, send: Send, limit: int) -> None:
    """Answer a request whose body is not read; our own connection reads up to twice the limit of it away."""
    await send({"type": "http.response.start", "status": plan.status, "headers": plan.headers})
    connection = scope.get(CONNECTION_KEY)
    await send({"type": "http.response.body", "body": plan.frames[0], "more_body": connection is not None})
    if connection is not None:
        connection.linger(DRAIN_FACTOR * limit)


async def _at_once(
    plan: Plan, send: Send, connection: Connection, wheel: Wheel, exchange: Exchange, started: float
) -> None:
    """Everything as fast as the client reads: frames joined, the loop given to others between two sends."""
    await send({"type": "http.response.start", "status": plan.status, "headers": plan.headers})
    frames, count = plan.frames, len(plan.frames)
    if count <= 1:
        await send({"type": "http.response.body", "body": frames[0] if count else b""})
        exchange.frames_sent = count
        return
    writes = exchange.writes = array("d")  # eight bytes a number: a stream has thousands
    for data, number in _joined(frames):
        await send({"type": "http.response.body", "body": data, "more_body": number < count})
        if connection.gone:
            return
        exchange.frames_sent = number
        writes.extend(((wheel.now() - started) * 1000, number))
        if number < count:
            await asyncio.sleep(0)


def _joined(frames: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
    """Frames joined as one send takes them, and how many frames have gone with it."""
    number = 0
    while number < len(frames):
        joined = frames[number : number + JOINED_FRAMES]
        data = b"".join(joined)
        if len(data) > JOINED_BYTES:
            joined = joined[: max(1, JOINED_BYTES * len(joined) // len(data))]
            data = b"".join(joined)
        number += len(joined)
        yield data, number


def perform_whole(plan: Plan, connection: WholeWriter, wheel: Wheel, exchange: Exchange) -> bool:
    """Perform a plan in one write: as `perform` would, with the same bytes and the same notes.

    False where nothing is done: the plan takes time or is large, or only ASGI's `send` can write it.
    """
    frames, count = plan.frames, len(plan.frames)
    if plan.at_ms or count > WHOLE_FRAMES or goes_frame_by_frame(plan):
        return False
    if count <= 1:
        if not connection.write_whole(plan.status, plan.headers, frames):
            return False
    else:
        started = wheel.now()
        parts: list[bytes] = []
        writes = array("d")
        size = 0
        for data, number in _joined(frames):
            size += len(data)
            if size > WHOLE_BYTES:
                return False
            parts.append(data)
            writes.extend((0.0, number))
        if not connection.write_whole(plan.status, plan.headers, parts):
            return False
        writes[::2] = array("d", [(wheel.now() - started) * 1000]) * len(parts)
        exchange.writes = writes
    exchange.frames_sent = count
    return True


class _Paced:
    """A stream on the wheel: each turn sends all frames that are due, then asks for the next one's time."""

    __slots__ = (
        "_at", "_blocked", "_called", "_connection", "_count", "_exchange", "_frames", "_next", "_note", "_over",
        "_plan", "_send", "_started", "_wheel",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        at_ms: Sequence[float],
        send: Send,
        connection: Connection,
        wheel: Wheel,
        exchange: Exchange,
        started: float,
    ) -> None:
        self._frames = plan.frames
        self._count = len(plan.frames)
        self._plan = plan
        self._at = at_ms
        self._send = send
        self._connection = connection
        self._wheel = wheel
        self._exchange = exchange
        exchange.writes = writes = array("d")
        self._note = writes.append
        self._started = started
        self._next = 0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._blocked: asyncio.Task[None] | None = None
        self._called = self._turn  # bound once: the wheel is given it for each chunk

    async def run(self) -> None:
        await self._send({"type": "http.response.start", "status": self._plan.status, "headers": self._plan.headers})
        self._turn()
        self._connection.when_left(self._leave)
        try:
            await self._over
        finally:
            del self._called  # which refers to this
            self._connection.when_left(None)
            if self._blocked is not None:
                self._blocked.cancel()

    def _leave(self) -> None:
        """Called when the client has left: the next frame's time is not waited for."""
        if self._connection.gone and not self._over.done():
            self._over.set_result(None)

    def _turn(self) -> None:
        """Called by the wheel."""
        over, connection, wheel = self._over, self._connection, self._wheel
        if over.done():
            return
        if connection.gone:
            over.set_result(None)
            return
        at, count, number = self._at, self._count, self._next
        now_ms = (wheel.now() - self._started) * 1000
        end = number + 1
        while end < count and at[end] <= now_ms + 1:
            end += 1
        data = self._frames[number] if end == number + 1 else b"".join(self._frames[number:end])
        self._next = end
        more = end < count
        if more and connection.write_part(data):  # without the dict, the coroutine and the checks of `send`
            if connection.paused:
                self._blocked = asyncio.ensure_future(self._drained())
            else:
                self._exchange.frames_sent = end
                self._note(now_ms)  # what is written leaves when the wheel's pass is over
                self._note(end)
                wheel.at(self._started + at[end] / 1000, self._called)
            return
        sending = self._send({"type": "http.response.body", "body": data, "more_body": more})
        try:
            waited = sending.send(None)  # type: ignore[attr-defined]
        except StopIteration:
            self._sent()
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits for the stream
            over.set_exception(error)
        else:
            self._blocked = asyncio.ensure_future(self._rest(sending, waited))  # type: ignore[arg-type]

    def _sent(self) -> None:
        number = self._exchange.frames_sent = self._next
        self._note((self._wheel.now() - self._started) * 1000)
        self._note(number)
        if number >= self._count:
            self._over.set_result(None)
        else:
            self._wheel.at(self._started + self._at[number] / 1000, self._called)

    async def _drained(self) -> None:
        """The client takes no more at once: no more frames are scheduled until it does."""
        await self._connection.drained()
        self._blocked = None
        if not self._over.done():
            self._sent()

    async def _rest(self, sending: Coroutine[Any, Any, None], waited: object) -> None:
        """The rest of a send that had to wait for the client: no more frames are scheduled meanwhile."""
        try:
            await _continued(sending, waited)
        except Exception as error:  # noqa: BLE001 - handed to the one who waits for the stream
            if not self._over.done():
                self._over.set_exception(error)
            return
        self._blocked = None
        if not self._over.done():
            self._sent()


@types.coroutine
def _continued(sending: Coroutine[Any, Any, None], waited: object) -> Generator[object, Any, None]:
    """Await a coroutine that was already started by hand and waits for `waited`."""
    yield waited
    yield from sending

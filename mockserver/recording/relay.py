"""An answer on its way through: to the client with the read that brought it, and noted chunk by chunk."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mockserver.server.client_connection import ClientConnection

KEPT_BYTES: Final = 16 * 2**20
"""Longest answer that is kept, each send counted as its bytes and `SEND_COST`; a longer one only passes through."""
SEND_COST: Final = 200
HOLD_SECONDS: Final = 0.25  # how long the done marker waits for the body's end, so that it comes after the file
DONE_ENDINGS: Final = (b"[DONE]\n\n", b"[DONE]\r\n\r\n", b"[DONE]\n", b"[DONE]", b"[DONE]\r\n", b"[DONE]\r\r")


class Relay:
    """Takes the parts of one answer.

    What one read of the upstream brings is written to the client when that read was parsed, so the last bytes are
    still here where the body's end came with them. The done marker waits a little for the end: clients stop reading
    at it, and it shall not be seen before the file is there.

    Attributes:
        frames: The sends so far: transfer chunks, or reads where the body is not chunked.
        at_ms: When the first byte of each came, in milliseconds after the request was sent.
        head_at_ms: When the head came; None before.
        too_long: The answer passes through and is not kept.
        chunked: Whether the body is chunked.
        heard: When the upstream last said something, on the clock of `time.perf_counter`.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.frames: list[bytes] = []
        self.at_ms: list[float] = []
        self.head_at_ms: float | None = None
        self.too_long = False
        self.chunked = False
        self.heard = self._started = time.perf_counter()
        self._connection = connection
        self._unsent: list[bytes] = []
        self._chunk: list[bytes] = []
        self._weight = 0
        self._opened = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The request was sent: times count from here."""
        self.heard = self._started = time.perf_counter()

    @property
    def since_ms(self) -> float:
        """Milliseconds since the request was sent."""
        return (time.perf_counter() - self._started) * 1000

    @property
    def heard_ms(self) -> float:
        """When the upstream last said something, in milliseconds after the request was sent."""
        return (self.heard - self._started) * 1000

    def hear(self) -> None:
        """The upstream said something: all that one read brings came at this time."""
        self.heard = time.perf_counter()

    def head_came(self, *, chunked: bool) -> None:
        """The head is whole."""
        self.chunked = chunked
        self.head_at_ms = (self.heard - self._started) * 1000

    def take(self, data: bytes) -> None:
        """A part of a chunk, or of a body that is not chunked: there each read is a send."""
        self._unsent.append(data)
        if self.too_long:
            return
        self._weight += len(data) + SEND_COST
        if self._weight > KEPT_BYTES:
            self.too_long = True
            self.frames, self.at_ms, self._chunk = [], [], []
            return
        if not self._chunk:
            self.at_ms.append((self.heard - self._started) * 1000)
        self._chunk.append(data)
        if not self.chunked:
            self.chunk_ends()

    def chunk_ends(self) -> None:
        """The chunk is whole; also called at the end, where the last one may not be."""
        parts = self._chunk
        if parts:
            self.frames.append(parts[0] if len(parts) == 1 else b"".join(parts))
            self._chunk = []

    def open(self, *, over: bool) -> None:
        """The client has the head: what came is written from now on, or is still here where the answer is over."""
        self._opened = True
        if not over:
            self.flush()

    def flush(self) -> bool:
        """A read is over: write what it brought; whether the client is too slow to be sent more."""
        unsent = self._unsent
        if not unsent or not self._opened:
            return False
        if unsent[-1].endswith(DONE_ENDINGS):
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(HOLD_SECONDS, self._release)
            return False
        self._release()
        return self._connection.paused

    def rest(self) -> bytes:
        """The answer is over: all but the last bytes are written, those are returned."""
        self.chunk_ends()
        last = self._unsent.pop() if self._unsent else b""
        self._release()
        return last

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for data in self._unsent:
            self._connection.write_part(data)
        self._unsent.clear()

    async def drained(self) -> None:
        """Return when the client has read enough, or left."""
        await self._connection.drained()

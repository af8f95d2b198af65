"""The client's side of one request: what the performer asks of a connection beyond ASGI's `send`."""

from __future__ import annotations

import asyncio
import socket
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE

from mockserver.core.headers import ReadyHeaders

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Callable, Iterable, Sequence

    from uvicorn._types import ASGISendCallable, ASGISendEvent, HTTPScope
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from mockserver.core.exchange import Headers, Plan

_OK = STATUS_LINE[200]
FLUSH_SECONDS = 2.0
BODILESS = frozenset({204, 304})
FRAMING = frozenset({b"transfer-encoding", b"connection"})
LAST = b"0\r\n\r\n"
_CONTROLS = bytes(byte for byte in range(128) if HEADER_VALUE_RE.search(bytes([byte])))
"""What no header's value may hold; a line ends with two of them."""


class Line(Protocol):
    """What a request's connection asks of the HTTP protocol below it."""

    closed_at: float | None
    refused: Plan | None
    tell_left: Callable[[], None] | None

    def linger(self, most_bytes: int = 0) -> None:
        """Close our side only, and read on for a while."""


class ClientConnection:
    """The client's side of one request, as the performer sees it.

    Attributes:
        cycle: uvicorn's side of the request.
    """

    __slots__ = ("_protocol", "cycle")

    cycle: RequestResponseCycle

    def __init__(self, protocol: Line) -> None:
        self._protocol = protocol

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self.cycle.disconnected

    @property
    def paused(self) -> bool:
        """Whether more is waiting to be sent than the socket takes."""
        return self.cycle.flow.write_paused

    def write_head(self, status: int, headers: Headers) -> bool:
        """Begin the answer with header names in their own case, where ASGI's `send` writes them in lower case.

        A date is added where there is none; the framing is that of `send`. What no header may hold is left out.
        """
        cycle = self.cycle
        if cycle.disconnected:
            return True
        cycle.response_started, cycle.waiting_for_100_continue = True, False
        shown = [(name, b" ".join(value.split())) if b"\n" in value else (name, value) for name, value in headers]
        given = {name.lower(): value for name, value in shown}
        own = [pair for pair in cycle.default_headers if pair[0] not in given]
        bodiless = status in BODILESS or cycle.scope["method"] == "HEAD"
        cycle.chunked_encoding = not (bodiless or b"content-length" in given or knows_no_chunks(cycle.scope))
        cycle.expected_content_length = 0 if bodiless else int(given.get(b"content-length", b"0"))
        if cycle.chunked_encoding:
            own.append((b"transfer-encoding", b"chunked"))
        if not cycle.keep_alive:
            own.append((b"connection", b"close"))
        lines = [STATUS_LINE.get(status, b"HTTP/1.1 %d \r\n" % status)]
        lines += [b"%b: %b\r\n" % pair for pair in (*shown, *own)]
        cycle.transport.write(b"".join((*lines, b"\r\n")))
        return True

    def unchunked(self, send: ASGISendCallable) -> ASGISendCallable:
        """ASGI's `send` for a client that knows no chunks: the body goes out as it is, of a known length or not."""
        cycle = self.cycle

        async def send_plain(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start":
                cycle.chunked_encoding = False
                headers = [pair for pair in message.get("headers", ()) if pair[0] != b"connection"]
                message["headers"] = [*headers, (b"connection", b"close")]
            elif message["type"] == "http.response.body":
                cycle.expected_content_length = len(message["body"])  # so that this is all that is due
            await send(message)

        return send_plain

    def write_trailers(self, trailers: Iterable[tuple[bytes, bytes]]) -> None:
        """End a chunked body with headers behind it; the empty last `send`, which is due after it, writes nothing."""
        cycle = self.cycle
        if not cycle.chunked_encoding or cycle.disconnected:
            return
        lines = [b"%b: %b\r\n" % pair for pair in trailers]
        cycle.transport.write(b"".join((b"0\r\n", *lines, b"\r\n")))
        cycle.chunked_encoding, cycle.expected_content_length = False, 0

    def write_part(self, data: bytes) -> bool:
        """Send a part of a body that has begun and does not end here: in one call, where ASGI's `send` takes a task."""
        cycle = self.cycle
        if cycle.disconnected or not data:
            return True
        if cycle.chunked_encoding:
            cycle.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            cycle.expected_content_length -= len(data)
            cycle.transport.write(data)
        return True

    def cut(self) -> None:
        """Close now, without the body's end: a chunked body lacks its last chunk, which clients see."""
        self.cycle.disconnected = True
        self.cycle.transport.close()

    def linger(self, most_bytes: int) -> None:
        """End the answer and close, but first read away what the client still sends, at least up to `most_bytes`."""
        self.cycle.disconnected = True
        self._protocol.linger(most_bytes)

    def write(self, data: bytes) -> None:
        """Write bytes past the HTTP layer, which then takes the answer for begun."""
        self.cycle.response_started = True
        self.cycle.transport.write(data)

    async def drained(self) -> None:
        """Wait until the client has taken enough to write more."""
        if self.cycle.flow.write_paused and not self.cycle.disconnected:
            await self.cycle.flow.drain()

    @property
    def left_at(self) -> float | None:
        """When the client closed its sending side, in seconds on the loop's clock; None where it did not."""
        return self._protocol.closed_at

    @property
    def refused(self) -> Plan | None:
        """What was answered below, while the application waited for the rest of a body."""
        return self._protocol.refused

    def when_left(self, tell: Callable[[], None] | None) -> None:
        """Have `tell` called as soon as the connection is lost; None calls nobody."""
        self._protocol.tell_left = tell

    async def left(self) -> None:
        """Wait until the client has left; to one that nothing more is sent to, closing its sending side is that."""
        while not self.cycle.disconnected and self._protocol.closed_at is None:
            await self.cycle.message_event.wait()
            self.cycle.message_event.clear()

    async def reset(self) -> None:
        """Close with a TCP RST, after what was written has left (for at most FLUSH_SECONDS)."""
        until = asyncio.get_running_loop().time() + FLUSH_SECONDS
        while self.cycle.transport.get_write_buffer_size() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        self.cycle.disconnected = True
        sock = self.cycle.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cycle.transport.abort()


class WholeAnswer:
    """What writes whole answers in one call, where no application and no cycle of uvicorn's know of the request.

    Args:
        transport: The connection's.
        flow: The connection's.
        state: Has the server's own headers: another date each second.

    Attributes:
        keeps_alive: Whether the connection stays open behind the next answer.
    """

    __slots__ = ("_flow", "_state", "_transport", "keeps_alive")

    def __init__(self, transport: Transport, flow: FlowControl, state: ServerState) -> None:
        self._transport = transport
        self._flow = flow
        self._state = state
        self.keeps_alive = True

    def write_whole(self, status: int, headers: Headers, parts: Sequence[bytes]) -> bool:
        """Write a whole answer, each part as one `send` would write it; False where only ASGI's `send` can.

        The bytes are those of `send`. What it would refuse, and what changes the framing, is left to it, and so is a
        client that has not yet taken the answer before this one.
        """
        if self._flow.write_paused:
            return False
        if status == 200 and type(headers) is ReadyHeaders:
            first, given, length = _OK, headers.lines, headers.length
        elif (head := sent_head(status, headers)) is not None:
            first, given, length = head
        else:
            return False
        own = _lines(tuple(self._state.default_headers))
        closing = b"" if self.keeps_alive else b"connection: close\r\n"
        if length is None:
            chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part]
            lines = (first, own, given, closing, b"transfer-encoding: chunked\r\n\r\n", *chunks, LAST)
        elif length == sum(map(len, parts)):
            lines = (first, own, given, closing, b"\r\n", *parts)
        else:
            return False
        self._transport.write(b"".join(lines))
        if not self.keeps_alive:
            self._transport.close()
        return True


class SentHead(NamedTuple):
    """The head of an answer as ASGI's `send` writes it, but for the server's own headers.

    Attributes:
        status: The status line.
        headers: The headers' lines, with names in lower case.
        length: What is said of the body's length; None where its framing is chunked.
    """

    status: bytes
    headers: bytes
    length: int | None


@lru_cache(maxsize=128)
def sent_head(status: int, headers: Headers) -> SentHead | None:
    """The head of an answer; None where `send` has more to say on it: it refuses it, or something else frames it."""
    lines = []
    length = None
    for cased, value in headers:
        name = _name(cased)
        if name == b"content-length" and length is None and value.isdigit():
            length = int(value)
        elif name is None or name == b"content-length":
            return None
        lines.append(b"%b: %b\r\n" % (name, value))
    text = b"".join(lines)
    broken = len(text) - len(text.translate(None, _CONTROLS)) != 2 * len(lines)
    if broken or status not in STATUS_LINE or status in BODILESS or status < 200:
        return None
    return SentHead(STATUS_LINE[status], text, length)


@lru_cache(maxsize=4)
def _lines(headers: Headers) -> bytes:
    """Headers of the server's own: another date each second, and else the same."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


@lru_cache(maxsize=256)
def _name(cased: bytes) -> bytes | None:
    """A header's name as `send` writes it; None for one that it refuses, and for one that frames the body."""
    name = cased.lower()
    return None if name in FRAMING or HEADER_RE.search(name) else name


def knows_no_chunks(scope: HTTPScope) -> bool:
    """Whether the client is older than HTTP/1.1: it is sent no transfer coding, and the connection ends its answer."""
    return scope["http_version"] < "1.1"

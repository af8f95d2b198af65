"""The live service as the proxy sees it: one host, fixed at the start, spoken to in HTTP/1.1.

A client of its own, since the ready ones merge what arrives: here each transfer chunk is one send, taken from the
parser's own flags, and is handed on as it comes. How the answer ended is kept too: a body that is whole, a connection
that closed too early, a reset, or silence.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httptools

from mockserver.exchange import Ending

if TYPE_CHECKING:
    from mockserver.exchange import Headers
    from mockserver.recording.address import Upstream

CONNECT_SECONDS = 10.0
HIGH_WATER_BYTES = 256 * 1024
HEAD_LIMIT_BYTES = 64 * 1024


class GatewayError(Exception):
    """Why the proxy answers itself, in one line: the upstream gave no usable answer, or is not to be asked.

    Attributes:
        status: What to tell the client: 502, 504 for silence, 403 for what is not passed on.
    """

    def __init__(self, detail: str, status: int = 502) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Status and headers, in order and case."""

    status: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of the body.

    Attributes:
        data: As they came.
        starts: Whether a send begins with them.
        ends: Whether a send ends with them.
    """

    data: bytes
    starts: bool
    ends: bool


class UpstreamConnection(asyncio.Protocol):
    """One request's connection: parsed answers wait in a queue that stops the socket where it grows long."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._events: deque[AnswerHead | Part | Ending] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._queued = 0
        self._paused = False
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_done = False
        self._head_bytes = 0
        self._chunked = False
        self._sized = False
        self._chunk_begins = False
        self._held: Part | None = None
        self._chunk_open = False
        self._over = False
        self.fault = ""

    # --- for the proxy --------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send the request."""
        self._transport.write(data)

    async def next(self, seconds: float) -> AnswerHead | Part | Ending:
        """The next thing that came; `Ending.HANG` after `seconds` of silence."""
        if not self._events and not await self.arrives(seconds):
            return Ending.HANG
        event = self._events.popleft()
        if type(event) is Part:
            self._queued -= len(event.data)
            if self._paused and self._queued < HIGH_WATER_BYTES // 2:
                self._paused = False
                self._transport.resume_reading()
        return event

    async def arrives(self, seconds: float) -> bool:
        """Whether something came within `seconds`."""
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
        return bool(self._events)

    def waiting(self) -> bool:
        """Whether something has come that was not taken yet."""
        return bool(self._events)

    def close(self) -> None:
        """Let the connection go."""
        self._transport.abort()

    # --- asyncio --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Parse; what cannot be parsed ends the answer as a cut."""
        if self._over:
            return
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fault = "the upstream switched to another protocol"
            self._end(Ending.CUT)
        except httptools.HttpParserError as error:
            self.fault = f"the upstream's answer is no HTTP/1.1: {error}"
            self._end(Ending.CUT)
        if not self._head_done and self._head_bytes > HEAD_LIMIT_BYTES:
            self.fault = f"the upstream's headers are over {HEAD_LIMIT_BYTES} bytes"
            self._end(Ending.CUT)
        if self._queued > HIGH_WATER_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._flush_held()
        self._wake()

    def eof_received(self) -> None:
        """The upstream closed its side: the end of a body without a length, a cut of any other."""
        self._end(Ending.COMPLETE if self._head_done and not (self._chunked or self._sized) else Ending.CUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        reset = isinstance(exc, ConnectionError)
        self._end(Ending.RESET if reset else Ending.CUT)

    # --- the parser -----------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after the body, which has no place in an answer that is replayed."""
        if not self._head_done:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole; 1xx is not the answer yet."""
        status = self._parser.get_status_code()
        if status < 200:
            self._headers.clear()
            return
        for name, value in self._headers:
            lowered = name.lower()
            self._chunked = self._chunked or (lowered == b"transfer-encoding" and value.lower().endswith(b"chunked"))
            self._sized = self._sized or lowered == b"content-length"
        self._head_done = True
        self._status = status
        self._events.append(AnswerHead(status, tuple(self._headers)))

    def on_chunk_header(self) -> None:
        """A transfer chunk begins."""
        self._chunk_begins = True

    def on_body(self, data: bytes) -> None:
        """A part of a chunk, or of a body that is not chunked: there each read is a send."""
        if not self._chunked:
            self._put(Part(data, starts=True, ends=True))
            return
        if self._held is not None:
            self._put(self._held)
        self._held = Part(data, starts=self._chunk_begins, ends=False)
        self._chunk_begins, self._chunk_open = False, True

    def on_chunk_complete(self) -> None:
        """The chunk is whole."""
        if self._held is not None:
            self._put(Part(self._held.data, self._held.starts, ends=True))
            self._held = None
        elif self._chunk_open:
            self._put(Part(b"", starts=False, ends=True))
        self._chunk_open = False

    def on_message_complete(self) -> None:
        """The body is whole."""
        if self._head_done:
            self._end(Ending.COMPLETE)

    # --- within ---------------------------------------------------------------------------------------------------

    def _put(self, part: Part) -> None:
        self._events.append(part)
        self._queued += len(part.data)

    def _end(self, ending: Ending) -> None:
        if self._over:
            return
        self._flush_held()
        self._over = True
        self._events.append(ending)
        self._wake()

    def _flush_held(self) -> None:
        if self._held is not None:
            self._put(self._held)
            self._held = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def connect(upstream: Upstream) -> UpstreamConnection:
    """A connection for one request; raises GatewayError where there is none."""
    loop = asyncio.get_running_loop()
    arguments: dict[str, Any] = {}
    if upstream.tls is not None:
        arguments = {"ssl": upstream.tls, "server_hostname": upstream.host}
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if upstream.via is None:
                _, made = await loop.create_connection(UpstreamConnection, upstream.host, upstream.port, **arguments)
            else:
                tunnel = await _tunnel(loop, upstream)
                try:
                    _, made = await loop.create_connection(UpstreamConnection, sock=tunnel, **arguments)
                except BaseException:
                    tunnel.close()
                    raise
    except TimeoutError:
        raise GatewayError(f"the upstream did not take the connection within {CONNECT_SECONDS:g} s", 504) from None
    except ssl.SSLCertVerificationError as error:
        raise GatewayError(
            f"the upstream's certificate is not trusted: {error.verify_message}; --upstream-ca FILE"
        ) from None
    except OSError as error:
        raise GatewayError(f"the upstream cannot be reached: {error.strerror or type(error).__name__}") from None
    return made


async def _tunnel(loop: asyncio.AbstractEventLoop, upstream: Upstream) -> socket.socket:
    """A socket through the proxy of `HTTPS_PROXY`."""
    assert upstream.via is not None  # noqa: S101 - the caller looked
    host, port = upstream.via
    family, kind, _, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
    sock = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        name = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
        target = f"{name}:{upstream.port}".encode()
        await loop.sock_sendall(
            sock, b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, target, upstream.via_header)
        )
        await _open_tunnel(loop, sock)
    except BaseException:
        sock.close()
        raise
    return sock


async def _open_tunnel(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Read the proxy's answer, byte by byte: what follows its head belongs to TLS."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = await loop.sock_recv(sock, 1)
        if not byte or len(answer) > HEAD_LIMIT_BYTES:
            raise GatewayError("the proxy of HTTPS_PROXY closed the connection")
        answer += byte
    status = b"".join(answer.split(b" ", 2)[1:2]).decode("latin-1")
    if status != "200":
        raise GatewayError(f"the proxy of HTTPS_PROXY answered {status!r} to CONNECT")

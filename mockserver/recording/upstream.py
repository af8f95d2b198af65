"""The live service as the proxy sees it: one host, fixed at the start, spoken to in HTTP/1.1.

A client of its own, since the ready ones merge what arrives: here each transfer chunk is one send, taken from the
parser's own flags, and is handed on as it comes. How the answer ended is kept too: a body that is whole, a connection
that closed too early, a reset, or silence.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httptools

from mockserver.core.exchange import Ending

if TYPE_CHECKING:
    from mockserver.core.exchange import Headers
    from mockserver.recording.relay import Relay
    from mockserver.recording.upstream_address import Upstream

CONNECT_SECONDS = 10.0
HEAD_LIMIT_BYTES = 64 * 1024


class GatewayError(Exception):
    """Why the proxy answers itself, in one line: the upstream gave no usable answer, or is not to be asked.

    Attributes:
        status: What to tell the client: 502, 504 for silence, 403 for what is not passed on.
    """

    def __init__(self, detail: str, status: int = 502) -> None:
        super().__init__(detail)
        self.status = status


class BodyWholeError(Exception):
    """Nothing more is to be read."""


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Status and headers, in order and case."""

    status: int
    headers: Headers


class UpstreamConnection(asyncio.Protocol):
    """One request's connection.

    Each read is parsed and handed on within the callback that brought it: a task switch for each chunk would cost more
    than the chunk. Reading stops between the head and `pour`, and while the client is slow.

    Args:
        relay: Takes the body.

    Attributes:
        trailers: Headers after the body.
        fault: What is wrong with the answer, in words; empty where nothing is.
    """

    def __init__(self, relay: Relay) -> None:
        self._loop = asyncio.get_running_loop()
        self.on_body, self.on_chunk_complete = relay.take, relay.chunk_ends  # without a frame between
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(  # lines may end in LF alone (RFC 9112, 2.2); old servers pad chunk sizes
            lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._transport: asyncio.Transport
        self._relay = relay
        self._waiter: asyncio.Future[None] | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head: AnswerHead | None = None
        self._head_bytes = 0
        self._tail_bytes = 0
        self._sized = False
        self._ending: Ending | None = None
        self.trailers: list[tuple[bytes, bytes]] = []
        self.fault = ""

    # --- for the proxy --------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send the request."""
        self._relay.begin()
        self._transport.write(data)

    async def head(self, seconds: float) -> AnswerHead | Ending:
        """The answer's head, or how the connection ended without one; `Ending.HANG` after `seconds`."""
        if self._head is None and self._ending is None:
            await self._wait(seconds)
        return self._head or self._ending or Ending.HANG

    def pour(self) -> None:
        """Let the body through; call it when the client has the head."""
        self._relay.open(over=self._ending is not None)
        self._read_on()

    async def ended(self, seconds: float) -> Ending | None:
        """How the answer ended; None where it goes on after `seconds`."""
        if self._ending is None:
            await self._wait(seconds)
        return self._ending

    def close(self) -> None:
        """Let the connection go."""
        if self._resuming is not None:
            self._resuming.cancel()
        self._transport.abort()

    # --- asyncio --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Parse and hand on; what cannot be parsed ends the answer as a cut."""
        if self._ending is not None:
            return
        self._relay.hear()
        if self._head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("the upstream switched to another protocol")
        except httptools.HttpParserError as error:
            self._fail(f"the upstream's answer is no HTTP/1.1: {error}")  # says nothing where the answer is whole
        if self._head is None and self._head_bytes > HEAD_LIMIT_BYTES:
            self._fail(f"the upstream's headers are over {HEAD_LIMIT_BYTES} bytes")
        if self._ending is None and self._relay.flush() and self._resuming is None:
            self._stop_reading()
            self._resuming = self._loop.create_task(self._resume())

    def eof_received(self) -> None:
        """The upstream closed its side: the end of a body without a length, a cut of any other."""
        if self._ending is None:
            self._relay.hear()
        self._end(Ending.COMPLETE if self._head and not (self._relay.chunked or self._sized) else Ending.CUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end(Ending.RESET if isinstance(exc, ConnectionError) else Ending.CUT)

    # --- the parser -----------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after the body."""
        if self._head is None:
            self._headers.append((name, value))
            return
        self.trailers.append((name, value))
        self._tail_bytes += len(name) + len(value)
        if self._tail_bytes > HEAD_LIMIT_BYTES:
            self._fail(f"the upstream's trailers are over {HEAD_LIMIT_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """The head is whole; 1xx is not the answer yet."""
        status = self._parser.get_status_code()
        if status < 200:
            self._headers.clear()
            return
        chunked = False
        for name, value in self._headers:
            lowered = name.lower()
            if lowered == b"transfer-encoding":
                chunked = value.strip().lower() == b"chunked"
                if not chunked:
                    self._fail("the upstream's transfer coding is not chunked alone, which is all that was offered")
                    return
            self._sized = self._sized or lowered == b"content-length"
        self._head = AnswerHead(status, tuple(self._headers))
        self._relay.head_came(chunked=chunked)
        self._stop_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The body is whole; raises BodyWholeError, which stops the parser: what follows belongs to nobody."""
        if self._head is not None:
            self._end(Ending.COMPLETE)
            raise BodyWholeError

    # --- within ---------------------------------------------------------------------------------------------------

    def _fail(self, fault: str) -> None:
        if self._ending is None:
            self.fault = fault
            self._end(Ending.CUT)

    def _end(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
            self._wake()

    async def _wait(self, seconds: float) -> None:
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _resume(self) -> None:
        await self._relay.drained()
        self._resuming = None
        self._read_on()

    def _stop_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if self._ending is None and not self._transport.is_closing():
            self._transport.resume_reading()


async def connect(upstream: Upstream, relay: Relay) -> UpstreamConnection:
    """A connection for one request; raises GatewayError where there is none."""
    loop = asyncio.get_running_loop()
    made = partial(UpstreamConnection, relay)
    arguments: dict[str, Any] = {}
    if upstream.tls is not None:
        arguments = {"ssl": upstream.tls, "server_hostname": upstream.host}
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if upstream.via is None:
                _, line = await loop.create_connection(made, upstream.host, upstream.port, **arguments)
            else:
                tunnel = await _tunnel(loop, upstream)
                try:
                    _, line = await loop.create_connection(made, sock=tunnel, **arguments)
                except BaseException:
                    tunnel.close()
                    raise
    except TimeoutError:
        raise GatewayError(f"the upstream did not take the connection within {CONNECT_SECONDS:g} s", 504) from None
    except ssl.SSLCertVerificationError as error:
        raise GatewayError(f"the upstream's certificate is not trusted: {error.verify_message}; --ca FILE") from None
    except OSError as error:
        raise GatewayError(f"the upstream cannot be reached: {error.strerror or type(error).__name__}") from None
    return line


async def _tunnel(loop: asyncio.AbstractEventLoop, upstream: Upstream) -> socket.socket:
    """A socket through the proxy of `HTTPS_PROXY`."""
    assert upstream.via is not None  # noqa: S101 - the caller looked
    sock = await _connected(loop, *upstream.via)
    try:
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


async def _connected(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """A socket to the first address of a host that takes it: `localhost` is often ::1 first, where nobody listens."""
    refused: OSError = OSError("no address")
    for family, kind, _, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, socket.IPPROTO_TCP)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            refused = error
        else:
            return sock
    raise refused


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

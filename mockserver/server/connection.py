"""The HTTP connection: the only user of uvicorn's internals.

What stock uvicorn lacks, measured: it has no deadline for a request's head and body, takes heads of any size, answers
what it cannot read as plain text, and tells an application nothing of a client that left until it asks. All of it is
added here, in a subclass of its httptools protocol.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mockserver.pipeline.refuse import header_text

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

HEAD_LIMIT_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
LINGER_SECONDS = 2.0
LINGER_BYTES = 2 * 2**20
CONNECTION_KEY = "genstudio_mock.connection"


class ClientConnection:
    """The client's side of one request, as the performer sees it."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self._cycle.disconnected

    @property
    def paused(self) -> bool:
        """Whether more is waiting to be sent than the socket takes."""
        return self._cycle.flow.write_paused

    async def drained(self) -> None:
        """Return when the client has read enough, or left."""
        await self._cycle.flow.drain()

    def write(self, data: bytes) -> None:
        """Send a part of a body that has begun and does not end here: in one call, where ASGI's `send` takes a task."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        if cycle.chunked_encoding:
            cycle.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            cycle.expected_content_length -= len(data)
            cycle.transport.write(data)

    def cut(self) -> None:
        """Close now, without the body's end: a chunked body lacks its last chunk, which clients see."""
        self._cycle.disconnected = True
        self._cycle.transport.close()

    def reset(self) -> None:
        """Close with a TCP RST, dropping what was not sent yet."""
        self._cycle.disconnected = True
        sock = self._cycle.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._cycle.transport.abort()


class MockProtocol(HttpToolsProtocol):
    """One client connection with limits on the head's size and on the time that head and body may take."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        self._in_head = False
        self._in_body = False
        self._deadline: asyncio.TimerHandle | None = None
        self._lingering = False
        self._linger_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the head's deadline at once: a client that says nothing is let go too."""
        super().connection_made(transport)
        self._arm(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, count the head's bytes, and keep the deadline that fits what is still missing."""
        if self.parser is None:
            return
        if self._lingering:
            self._linger_bytes += len(data)
            if self._linger_bytes > LINGER_BYTES:
                self.transport.close()
            return
        if not self._in_body:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT_BYTES and self._refuse_large_head(data):
                return
        super().data_received(data)
        if self._in_body:
            if self._deadline is None:
                self._arm(BODY_SECONDS)
        elif self._in_head:
            if self._deadline is None:
                self._arm(HEAD_SECONDS)
        elif self._deadline is not None:
            self._disarm()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole: the application may start."""
        self._in_head = False
        self._in_body = True
        self._head_bytes = 0
        self._disarm()
        super().on_headers_complete()
        self.scope[CONNECTION_KEY] = ClientConnection(self.cycle)  # type: ignore[literal-required]

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body = False
        self._disarm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer HTTP that cannot be read, in the service's shape."""
        self._answer_and_close(b"400 Bad Request", b'{"code":40001,"msg":"%b"}' % header_text(msg))

    def _refuse_large_head(self, data: bytes) -> bool:
        """Refuse when the limit is passed before the head ends; a body in the same read does not count."""
        end = data.find(b"\r\n\r\n")
        if end >= 0 and self._head_bytes - len(data) + end <= HEAD_LIMIT_BYTES:
            return False
        message = b'{"code":43100,"msg":"the request line and headers are over %d bytes"}' % HEAD_LIMIT_BYTES
        self._answer_and_close(b"431 Request Header Fields Too Large", message)
        return True

    def _answer_and_close(self, status: bytes, body: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self.transport.write(
                b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
                % (status, len(body), body)
            )
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._linger()

    def _linger(self) -> None:
        """Close our side only and read on for a while: closing with unread bytes would reset the answer away."""
        self._lingering = True
        self._disarm()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _arm(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        """Let a slow client go: with a 408 where it began a request, silently where it said nothing."""
        self._deadline = None
        if self._in_head or self._in_body:
            what = b"headers" if self._in_head else b"body"
            limit = HEAD_SECONDS if self._in_head else BODY_SECONDS
            message = b'{"code":40800,"msg":"the request\'s %b did not arrive within %d s"}' % (what, limit)
            self._answer_and_close(b"408 Request Timeout", message)
        else:
            self.transport.close()

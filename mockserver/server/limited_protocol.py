"""An HTTP connection with limits: with `protocol.py` and `client_connection.py`, the only user of uvicorn's internals.

What stock uvicorn lacks, measured: it has no deadline for a request's head and body, takes heads, chunk extensions and
trailers of any size and trailers for headers, answers what it cannot read as plain text, and tells an application
nothing of a client that left until it asks. All of it is added here, in a subclass of its httptools protocol.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Exchange, Request
from mockserver.core.network_writes import as_writes
from mockserver.server.asgi_request import request_headers
from mockserver.server.client_connection import ClientConnection, knows_no_chunks
from mockserver.server.connection import CONNECTION_KEY
from mockserver.server.unreadable import why_unreadable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable
    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from mockserver.core.exchange import Plan
    from mockserver.server.connection import Refuser

HEAD_LIMIT_BYTES = 64 * 1024
CHUNK_LINE_BYTES = 20  # of a chunk's framing without extensions: 16 digits of its size and two line ends
SHOWN_LINE_BYTES = 4096  # of a request line that is refused
LINGER_SECONDS = 5.0
LINGER_BYTES = 2 * 2**20
UNKNOWN = "-"  # what stands for a method and a path that did not come


class LimitedProtocol(HttpToolsProtocol):
    """One client connection with limits on the head's size and on the time that head and body may take.

    Attributes:
        closed_at: When the client closed its sending side, in seconds on the loop's clock; None while it is open.
        refused: What was answered here while the application waited for the rest of a body; None where nothing was.
        tell_left: Called when the connection is lost.
        head_seconds: From the connection, or a request's first byte, to the end of its head.
        body_seconds: From there to the end of the body.
        half_closed_seconds: How long a client that closed its sending side may wait while it is sent nothing.
    """

    head_seconds = 10.0
    body_seconds = 30.0
    half_closed_seconds = 3.0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        refuser: Refuser,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._refuser = refuser
        self._head_bytes = 0
        self._framing_bytes = 0
        self._trailer_bytes = 0
        self._counts_framing = False
        self._in_head = False
        self._in_body = False
        self._deadline: asyncio.TimerHandle | None = None
        self._lingering = False
        self._linger_bytes = 0
        self._received = b""
        self._remaining = b""
        self._unanswered: list[RequestResponseCycle] = []
        self._noted: _NotedTransport | None = None
        self.closed_at: float | None = None
        self.refused: Plan | None = None
        self.tell_left: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the head's deadline at once: a client that says nothing is let go too."""
        super().connection_made(transport)
        self._arm(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock, and tell whatever is answered or waits for its turn."""
        self._disarm()
        self.pipeline.clear()
        for cycle in self._unanswered:  # uvicorn tells the last one alone
            cycle.disconnected = cycle.disconnected or not cycle.response_complete
            cycle.message_event.set()
        self._unanswered.clear()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        if self.tell_left is not None:
            self.tell_left()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, count what is not body, and keep the deadline that fits what is still missing."""
        if self._lingering:
            self._linger_bytes -= len(data)
            if self._linger_bytes < 0:
                self.transport.close()
            return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Feed the parser, and keep its limits."""
        if not self._in_body:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT_BYTES and self._refuse_large_head(data):
                return
        self._received = data
        self._unset_keepalive_if_required()
        while self._received:
            data, self._remaining = self._received, b""
            self._counts_framing = self._in_body
            self._framing_bytes += len(data)
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offered:
                self._pass_over(offered)
            except httptools.HttpParserCallbackError:
                self.send_400_response(why_unreadable(data, "the target is no path and no URL, or has a #"))
            except httptools.HttpParserError as error:
                self.send_400_response(why_unreadable(data, str(error)))
            if self._counts_framing:
                self._framing_bytes = max(self._framing_bytes, 0)
                self._limit_framing(self._framing_bytes)
            self._received = self._remaining
        self._watch_the_clock()

    def _watch_the_clock(self) -> None:
        """Keep the deadline of what is missing: none while an answer is due, else that of a body or of a head."""
        if self._lingering:
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and not self._in_head and not self._in_body:
            self._disarm()
        elif self._deadline is None:
            self._arm(self.body_seconds if self._in_body else self.head_seconds)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a client that has said all it will say (`printf … | nc -N`), where its request is whole.

        A client that left altogether looks the same until the next write is answered by a reset; the deadline ends
        the wait where nothing is written between it and the one before.
        """
        asked = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if not asked or self._in_head or self.cycle.disconnected:
            return False
        self.cycle.keep_alive = False
        self.cycle.transport = self._noted = _NotedTransport(self.transport)  # type: ignore[assignment]
        self.closed_at = self.loop.time()
        self.cycle.message_event.set()
        self._arm(self.half_closed_seconds)
        return True

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header in; behind the head comes a trailer, which is counted and dropped, and never is a header."""
        if not self._in_body:
            super().on_header(name, value)
            return
        self._trailer_bytes += len(name) + len(value) + len(": \r\n")
        self._limit_framing(self._trailer_bytes)

    def on_headers_complete(self) -> None:
        """The head is whole: the application may start."""
        if self._offers_upgrade():
            return
        self._head_bytes = self._framing_bytes = self._trailer_bytes = 0
        self._counts_framing = False
        self._disarm()
        self.scope["http_version"] = self.parser.get_http_version()
        if self.scope["http_version"] == "1.0":
            self.expect_100_continue = False  # RFC 9110, 10.1.1: its client may take the 100 for the answer
        served, connection = self.app, ClientConnection(self)
        self.app = connected(served, connection)
        try:
            if b"#" in self.url:
                raise ValueError(self.url)
            super().on_headers_complete()  # raises where the URL is none: the head is then one that cannot be read
        finally:
            self.app = served
        connection.cycle = self.cycle
        self._unanswered = [*(one for one in self._unanswered if not one.response_complete), self.cycle]
        self._in_head = False
        self._in_body = True
        self.cycle.keep_alive = self.parser.should_keep_alive() and not knows_no_chunks(self.scope)

    def on_chunk_header(self) -> None:
        """The line of a chunk's size has been read: what it takes without extensions is not counted."""
        if self._counts_framing:
            self._framing_bytes -= CHUNK_LINE_BYTES

    def on_body(self, body: bytes) -> None:
        """A part of the body, which is counted by who reads it."""
        if self._counts_framing:
            self._framing_bytes -= len(body)
        super().on_body(body)

    def _limit_framing(self, size: int) -> None:
        """Refuse a body with more chunk extensions and trailers than a head may have.

        Whole trailers are counted one by one, the rest read by read: as what is not body.
        """
        if size > HEAD_LIMIT_BYTES and self._in_body and not self._lingering:
            says = f"the request's chunk extensions and trailers are over {HEAD_LIMIT_BYTES} bytes"
            self._refuse(Refusal("head-too-large", says))

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._offers_upgrade():
            return
        self._in_body = False
        self._disarm()
        super().on_message_complete()

    def _offers_upgrade(self) -> bool:
        """Whether the client offers another protocol beside its request; CONNECT is no offer, and is refused."""
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _pass_over(self, offered: httptools.HttpParserUpgrade) -> None:
        """Go on in HTTP/1.1 where another protocol was offered (RFC 9110, 7.8): Java's client offers h2c by default.

        The parser stops behind the head and would lose the body, so a new one reads the head without the offer, and
        then the rest.
        """
        if self.parser.get_method() == b"CONNECT":
            return  # its request was read and is answered; read again it would stop the parser again
        rest = self._received[offered.args[0] :]
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", self.parser.get_http_version().encode(), b"\r\n"]
        head += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._remaining = b"".join((*head, b"\r\n", rest))

    def send_400_response(self, msg: str) -> None:
        """Answer HTTP that cannot be read, in the service's shape; what was asked before it keeps its own answer."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body or self.cycle.disconnected:
            self._refuse(Refusal("invalid-http", msg))
            return
        self.logger.warning("behind a request's body, %s; Content-Length counts bytes, not characters", msg)
        self.cycle.keep_alive = False
        self._in_head, self._lingering, self._linger_bytes = False, True, LINGER_BYTES
        self._disarm()

    def _refuse_large_head(self, data: bytes) -> bool:
        """Refuse when the limit is passed before the head ends; a body in the same read does not count."""
        end = data.find(b"\r\n\r\n")
        if end >= 0 and self._head_bytes - len(data) + end <= HEAD_LIMIT_BYTES:
            return False
        if not self._in_head:  # all of it came in one read: who was asked stands at its beginning
            with contextlib.suppress(httptools.HttpParserError):
                self.parser.feed_data(data.partition(b"\r\n")[0][:SHOWN_LINE_BYTES])
        self._refuse(Refusal("head-too-large", f"the request line and headers are over {HEAD_LIMIT_BYTES} bytes"))
        return True

    def _refuse(self, refusal: Refusal, waited_s: float = 0.0) -> None:
        """Answer a request that cannot be read, unless another one's answer has begun, and close."""
        if self.transport.is_closing():
            return
        answering = self.pipeline or (self.cycle is not None and self.cycle.response_started)
        if not answering or (not self.pipeline and self.cycle.response_complete and not self._in_body):
            asked = self._asked_so_far()
            plan = self._refuser.refusal(refusal, asked)
            self.transport.write(b"".join(as_writes(plan).frames))
            if self._in_body:
                self.refused = plan  # its exchange is begun already
            else:
                self._refuser.keep(Exchange(asked, plan, len(plan.frames), waited_s * 1000))
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.linger()

    def _asked_so_far(self) -> Request:
        """Method and path, as far as they have come; never the query, which may hold a key."""
        scope: Any = self.scope
        if self._in_body:
            return Request(scope["method"], scope["path"], request_headers(scope))
        if not self._in_head or not self.url.startswith(b"/"):
            return Request(UNKNOWN, UNKNOWN)
        path = unquote(self.url.partition(b"?")[0].decode("latin-1"))
        return Request(self.parser.get_method().decode("latin-1"), path, request_headers(scope))

    def linger(self, most_bytes: int = 0) -> None:
        """Close our side only and read on for a while: closing with unread bytes would reset the answer away."""
        self._lingering = True
        self._linger_bytes = max(most_bytes, LINGER_BYTES)
        self._disarm()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        self._let_go()

    def _let_go(self) -> None:
        """Let a slow client go: with a 408 where it began a request, silently where it said nothing."""
        if self._in_head or self._in_body:
            what, limit = ("headers", self.head_seconds) if self._in_head else ("body", self.body_seconds)
            says = f"the request's {what} did not arrive within {limit:.3g} s"
            self._refuse(Refusal("request-timeout", says), waited_s=limit)
        elif self._noted is not None and (self._noted.wrote or self.transport.get_write_buffer_size()):
            self._noted.wrote = False
            self._arm(self.half_closed_seconds)  # it still reads
        elif self._noted is not None:
            self.transport.abort()
        else:
            self.transport.close()


class _NotedTransport:
    """A transport that tells whether something was written, for a client that may have left."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.wrote = False

    def write(self, data: bytes) -> None:
        self.wrote = True
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def connected(app: ASGI3Application, connection: ClientConnection) -> ASGI3Application:
    """The application with the connection in its scope.

    It stands in a copy: in the cycle's own scope it would refer to itself, and each request would wait for the garbage
    collector.
    """

    def answer(scope: Any, receive: ASGIReceiveCallable, send: ASGISendCallable) -> Awaitable[None]:
        if knows_no_chunks(scope):
            send = connection.unchunked(send)
        whole: Any = {**scope, CONNECTION_KEY: connection}
        return app(whole, receive, send)

    return answer

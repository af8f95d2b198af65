"""A server on loopback that answers every request with one exchange, write by write."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import Ending
from mockserver.core.headers import has_length
from mockserver.core.route import CHAT, parse
from mockserver.files.exchange_file import exchange_of, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.core.exchange import Exchange


CUT_PAUSE_S: Final = 0.005
"""Waited after a write that ends within a line: some clients (Node's fetch) join all that lies ready when they read,
and a cut that never reaches them tests nothing. With less than 2 ms a bug of theirs is found by chance."""


HELD_OPEN_S: Final = 3.0
"""Where a body is not to end, its client has this long to go away; then it is reset, so that no client hangs."""


class StreamServer:
    """Serves until it is closed.

    Args:
        exchange: What every request is answered with; its request's path is where a client finds it.
        port: Port of loopback; 0 takes a free one.

    Raises:
        OSError: the port cannot be had.
    """

    def __init__(self, exchange: Exchange, port: int = 0) -> None:
        self._server = _Listening(exchange, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def exchange(self) -> Exchange:
        """What every request is answered with; it may be replaced between two requests."""
        return self._server.exchange

    @exchange.setter
    def exchange(self, exchange: Exchange) -> None:
        self._server.exchange = exchange
        self._server.waited = False

    @property
    def waited(self) -> bool:
        """Whether a client waited `HELD_OPEN_S` for the end of a body that has none, since the exchange was set."""
        return self._server.waited

    @property
    def base_url(self) -> str:
        """Where it listens, with the path of the exchange's request, as SDKs want it."""
        path = self.exchange.request.path
        route = parse(path)
        base = path.removesuffix(CHAT) if route is None else route.base
        return f"http://127.0.0.1:{self._server.server_address[1]}{base}"

    def close(self) -> None:
        """Stop serving; an answer that a client does not read to its end is broken off."""
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, exchange: Exchange, port: int) -> None:
        self.exchange = exchange
        self.waited = False
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def let_it_be_read(self, written: int) -> None:  # noqa: ARG002 - for a client that tells how much it has read
        """Wait for a client to read what was written by itself; `written` counts the body's bytes so far."""
        time.sleep(CUT_PAUSE_S)


_OF_THE_CONNECTION: Final = frozenset({b"connection", b"transfer-encoding"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing."""

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "0")
        self.rfile.read(int(length) if length.isdigit() else 0)
        assert isinstance(self.server, _Listening)  # noqa: S101 - for the type checker
        with contextlib.suppress(OSError):
            self._send(self.server.exchange, self.server)

    do_GET = do_POST  # noqa: N815 - the base class calls it

    def _send(self, exchange: Exchange, server: _Listening) -> None:
        plan = exchange.plan
        if plan is None:
            return
        self.send_response_only(plan.status)
        for name, value in plan.headers:
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name.decode("latin-1"), value.decode("latin-1"))
        self.send_header("connection", "close")
        whole = has_length(plan.headers)
        if not whole:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        written = 0
        started = time.monotonic()
        for data, at_ms in zip(plan.frames, plan.at_ms or [0.0] * len(plan.frames), strict=True):
            self._wait_until(started + at_ms / 1000, server)
            self.wfile.write(data if whole else b"%x\r\n%b\r\n" % (len(data), data))
            written += len(data)
            if not data.endswith((b"\n", b"\r")):
                server.let_it_be_read(written)
        self.close_connection = True
        if plan.ending is Ending.HANG:
            self._hold_open(exchange, server)
            return
        if not whole:
            self.wfile.write(b"0\r\n\r\n")
        self.connection.shutdown(socket.SHUT_WR)

    @staticmethod
    def _wait_until(at: float, server: _Listening) -> None:
        left = at - time.monotonic()
        if left > 0:
            server.closing.wait(left)

    def _hold_open(self, exchange: Exchange, server: _Listening) -> None:
        """Wait for the client to go away; who stays too long is noted, and the connection is reset."""
        until = time.monotonic() + HELD_OPEN_S
        while time.monotonic() < until and not server.closing.is_set():
            self.connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1024):
                    return
        if server.exchange is exchange and not server.closing.is_set():
            server.waited = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@contextmanager
def serving(exchange: Exchange) -> Iterator[str]:
    """The exchange on a free port; yields the base URL for a client.

    Raises:
        AssertionError: its body does not end, and the client waited for that.
    """
    server = StreamServer(exchange)
    try:
        yield server.base_url
        if server.waited:
            raise AssertionError("the client waited for the end of a body that has none")
    finally:
        server.close()


def load(path: Path) -> Exchange:
    """A saved stream, or any recording; raises OperatorError with the file and what is wrong with it.

    The pauses of a saved stream are kept; a recording comes without its own, which no client is tested by.
    """
    file = read(path)
    exchange = exchange_of(file)
    if file.provenance.origin != ORIGIN and exchange.plan is not None:
        exchange.plan = replace(exchange.plan, at_ms=None, end_at_ms=None)
    return exchange


ORIGIN: Final = "fuzz"
"""What a saved stream says that it comes from."""

"""Servers on loopback for the contract's tests: the mock in a thread, and small servers that are not ours."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from mockserver.contract import in_process
from mockserver.server.app import App
from mockserver.server.clock import FixedClock
from mockserver.server.mock import Mock
from tests import in_thread
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.profile.edition import Edition

KEY = "sk-very-secret-key-123"
"""A key that must not be seen anywhere but on the wire."""


@contextmanager
def serving(edition: Edition) -> Iterator[str]:
    """A mock of the edition on a free port of loopback; yields its base URL."""
    mock = Mock(edition, in_process.service(edition), FixedClock(edition.file.defaults.created))
    with in_thread.serving(App(mock), mock) as served:
        yield served.url


@contextmanager
def serving_with(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of the standard library on a free port of loopback; yields its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_SECONDS)


class Quiet(BaseHTTPRequestHandler):
    """A handler that reads its request whole and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing."""

    def request_body(self) -> bytes:
        """The request's body."""
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def send_chunk(self, data: bytes) -> None:
        """One chunk of the chunked coding."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

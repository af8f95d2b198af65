"""Targets on real sockets that say what they are told to, byte for byte."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    Behaviour = Callable[[socket.socket], None]


def request(connection: socket.socket) -> bytes:
    """One request, read whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head


def answers(status: str, *headers: str, body: str = "") -> Behaviour:
    """A server that has one answer to everything."""
    data = body.encode()
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(data)}", "", ""]

    def behave(connection: socket.socket) -> None:
        request(connection)
        connection.sendall("\r\n".join(lines).encode("latin-1") + data)

    return behave


def streams(data: bytes, times: int) -> Behaviour:
    """A server whose stream is as long as it is let."""

    def behave(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(times):
            connection.sendall(data)

    return behave


def says(data: bytes) -> Behaviour:
    """A server that has its own idea of what to say to a request."""

    def behave(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(data)

    return behave


def waits(connection: socket.socket) -> None:
    """A server that takes the request and never answers."""
    request(connection)
    connection.recv(1)  # until the client leaves


@contextmanager
def listening(behave: Behaviour, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on a free port of loopback that treats each connection so; yields the port."""
    server = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            try:
                with tls.wrap_socket(connection, server_side=True) if tls else connection as one:
                    behave(one)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(WAIT_SECONDS)

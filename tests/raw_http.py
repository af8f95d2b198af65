"""Requests of the chat endpoint as bytes on a socket, and what comes back as bytes."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

from tests.conftest import KEY, Live

if TYPE_CHECKING:
    import socket


def head(live: Live, *headers: str, method: str = "POST", path: str | None = None, host: str = "host: mock") -> bytes:
    """The head of a request with a good key; it closes the connection unless it says otherwise."""
    closing = () if any(one.startswith("connection:") for one in headers) else ("connection: close",)
    lines = [
        f"{method} {path or live.path()} HTTP/1.1",
        *([host] if host else []),
        f"authorization: Bearer {KEY}",
        *closing,
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def body(**fields: Any) -> bytes:
    """A request body, as JSON."""
    return json.dumps({"model": None, "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def whole(live: Live, *headers: str, data: bytes | None = None, **more: Any) -> bytes:
    """A whole request."""
    data = body() if data is None else data
    return head(live, f"content-length: {len(data)}", *headers, **more) + data


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server closes; a reset or a time-out fails the test."""
    received = b""
    while part := sock.recv(65_536):
        received += part
    return received


def say(live: Live, data: bytes) -> bytes:
    """Send bytes, read to the end."""
    with live.connect() as sock:
        sock.sendall(data)
        return read_all(sock)


def answer(raw: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of an answer that has a Content-Length."""
    top, _, content = raw.partition(b"\r\n\r\n")
    lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert int(headers["content-length"]) == len(content)
    return int(lines[0].split()[1]), headers, json.loads(content)


def responses(sock: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """The next answers on one connection."""
    found = []
    file = sock.makefile("rb")
    for _ in range(count):
        status = int(file.readline().split()[1])
        message = http.client.parse_headers(file)
        found.append((status, file.read(int(message["content-length"]))))
    return found

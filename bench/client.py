"""The clients: plain sockets, so that the measuring costs little and hides nothing."""

from __future__ import annotations

import gc
import json
import selectors
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TIMEOUT_SECONDS = 20.0
READ_BYTES = 16 * 1024  # a buffer so big that malloc maps it anew for each read would cost 50 µs a read
LAST_CHUNK = b"0\r\n\r\n"


def post(path: str, text: str, *, stream: bool = False, user: str = "") -> bytes:
    """The bytes of a chat request with one user message; `user` makes it another request with the same answer."""
    document = {"model": None, "stream": stream, "user": user, "messages": [{"role": "user", "content": text}]}
    body = json.dumps(document, ensure_ascii=False).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer bench\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send a request and read the whole response."""
    connection.sendall(request)
    return receive(connection)


def receive(connection: socket.socket) -> bytes:
    """One whole response with status 200; raises RuntimeError for another."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _read(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"a request of the benchmark was answered {data[:300]!r}")
    length = _content_length(head)
    parts, size, tail = [body], len(body), body[-len(LAST_CHUNK) :]
    while size < length if length is not None else tail != LAST_CHUNK:
        data = _read(connection)
        parts.append(data)
        size += len(data)
        tail = (tail + data)[-len(LAST_CHUNK) :]
    return head + b"\r\n\r\n" + b"".join(parts)


def ask(address: tuple[str, int], requests: Iterable[bytes], *, connections: int = 10) -> None:
    """Send the requests over kept connections, as many at once as there are connections."""
    waiting = iter(requests)
    with ExitStack() as stack:
        opened = [stack.enter_context(connect(address)) for _ in range(connections)]
        while together := list(zip(opened, waiting)):  # noqa: B905 - the last ones may be fewer
            for connection, request in together:
                connection.sendall(request)
            for connection, _ in together:
                receive(connection)


def connect(address: tuple[str, int]) -> socket.socket:
    """A connection that sends at once and never waits for ever."""
    made = socket.create_connection(address, TIMEOUT_SECONDS)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def dechunked(body: bytes) -> bytes:
    """A body without the chunked coding."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


@dataclass
class Stream:
    """One paced stream as it came in.

    Attributes:
        sent: When the request went out, seconds on the monotonic clock.
        reads: Time and bytes of each read.
    """

    sent: float
    reads: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The body without the chunked coding."""
        return dechunked(b"".join(data for _, data in self.reads).partition(b"\r\n\r\n")[2])

    def arrivals(self, mark: bytes) -> Iterator[float]:
        """When each occurrence of `mark` was there, seconds after the request went out."""
        whole = b"".join(data for _, data in self.reads)
        found, passed = whole.find(mark), 0
        for at, data in self.reads:
            passed += len(data)
            while 0 <= found <= passed - len(mark):
                yield at - self.sent
                found = whole.find(mark, found + 1)


def stream_together(address: tuple[str, int], request: bytes, count: int, apart_s: float) -> list[Stream]:
    """Run `count` streams at once, begun `apart_s` seconds after each other on open connections.

    All sockets that are ready together get the time at which the wait for them ended, since what they hold had come
    by then; so the time that reading them takes does not count as the server's lateness.
    """
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        opened = [stack.enter_context(connect(address)) for _ in range(count)]
        for connection in opened:
            connection.setblocking(False)
        gc.collect()
        gc.disable()
        stack.callback(gc.enable)
        return _run(opened, request, apart_s, selector)


def _run(opened: list[socket.socket], request: bytes, apart_s: float, selector: selectors.BaseSelector) -> list[Stream]:
    streams: list[Stream] = []
    running, first = 0, time.monotonic()
    give_up = first + TIMEOUT_SECONDS
    while running or len(streams) < len(opened):
        now = time.monotonic()
        if now > give_up:
            raise RuntimeError(f"{running} of {len(opened)} streams did not end within {TIMEOUT_SECONDS:g} s")
        if len(streams) < len(opened) and now >= first + apart_s * len(streams):
            connection = opened[len(streams)]
            streams.append(Stream(now))
            selector.register(connection, selectors.EVENT_READ, streams[-1])
            connection.sendall(request)
            running += 1
        next_start = first + apart_s * len(streams) - now if len(streams) < len(opened) else 1.0
        ready = selector.select(max(next_start, 0))
        now = time.monotonic()
        for key, _ in ready:
            ready_one = key.fileobj
            assert isinstance(ready_one, socket.socket)
            data = _read(ready_one)
            key.data.reads.append((now, data))
            if data.endswith(LAST_CHUNK):
                selector.unregister(ready_one)
                running -= 1
    return streams


def _read(connection: socket.socket) -> bytes:
    data = connection.recv(READ_BYTES)
    if not data:
        raise RuntimeError("the server closed a connection of the benchmark before its answer was whole")
    return data


def _content_length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return None

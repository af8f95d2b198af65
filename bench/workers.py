"""One worker and two: what an answer costs, what comes in a second, and how even the connections are.

Client and workers share the machine's cores: of two, the second worker has what the client leaves of its own, so the
answers a second tell of the machine. What tells of the workers is the CPU of an answer, beside that of one worker, and
how many connections each of them has.
"""

from __future__ import annotations

import socket
import struct
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.client import LAST_CHUNK, TIMEOUT_SECONDS, exchange
from bench.report import Figure, measured
from bench.servers import Command
from bench.users import CONNECTIONS, PATH, ROUNDS, SHORT, chat, new_prompt
from mockserver.settings.config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.servers import Bench

ANSWERS: Final = 2000
STREAMS: Final = 400
SHORT_LIVED: Final = 600
TRIALS: Final = 20
READ_BYTES: Final = 64 * 1024
LENGTH: Final = b"\r\ncontent-length: "


@dataclass
class _Seen:
    """What the turns of one number of workers gave."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    of_client: list[float] = field(default_factory=list)


def workers(_bench: Bench) -> list[Figure]:
    """Rows of one worker beside two; none where this version has no workers."""
    if "workers" not in SETTINGS:
        print("workers: this version has none; the rows are left out")
        return []
    with ExitStack() as held:
        one, two = (
            held.enter_context(Command(new_prompt(0), None, ("--workers", str(number), "--log-level", "warning")))
            for number in (1, 2)
        )
        figures = [
            *_rows("an answer", new_prompt, ANSWERS, kept, (one, two)),
            *_rows(f"a stream of {SHORT} chunks", _stream, STREAMS, kept, (one, two)),
            *_rows("an answer on a connection of its own", new_prompt, SHORT_LIVED, short_lived, (one, two)),
        ]
        fullest = [max(shares(two, CONNECTIONS)) for _ in range(TRIALS)]
    return [*figures, measured(f"2 workers: connections at the fuller one, of {CONNECTIONS}", fullest)]


def _rows(
    name: str,
    request: Callable[[int], bytes],
    count: int,
    client: Callable[[tuple[str, int], list[bytes]], None],
    mocks: tuple[Command, Command],
) -> Iterator[Figure]:
    """Two workers beside one, in turns: CPU, the client's too, and how much comes in a second."""
    found = (_Seen(), _Seen())
    number = 0
    for turn in range(ROUNDS + 1):
        for mock, seen in zip(mocks, found, strict=True):
            requests = [request(number + at) for at in range(count)]
            number += count
            cpu, own, began = mock.cpu_seconds(), time.process_time(), time.monotonic()
            client(mock.address, requests)
            if turn:  # the first warms up
                seen.rates.append(count / (time.monotonic() - began))
                seen.of_client.append((time.process_time() - own) * 1e6 / count)
                seen.costs.append((mock.cpu_seconds() - cpu) * 1e6 / count)
    one, two = found
    yield measured(f"2 workers beside 1: {name} (µs of CPU)", two.costs, one.costs)
    yield measured("  the client's (µs of CPU)", two.of_client, one.of_client)
    yield measured("  a second", two.rates, one.rates)


def _stream(number: int) -> bytes:
    return chat(f"Tell me about number {number}.", PATH, max_tokens=SHORT, stream=True)


def kept(address: tuple[str, int], requests: list[bytes]) -> None:
    """Ask over kept connections, each of which is asked again as soon as its answer is read."""
    with ExitStack() as held:
        opened = deque(held.enter_context(_connected(address)) for _ in range(CONNECTIONS))
        waiting = iter(requests)
        for connection, request in zip(opened, waiting, strict=False):
            connection.sendall(request)
        for request in waiting:
            connection = opened[0]
            opened.rotate(-1)
            _read(connection)
            connection.sendall(request)
        for connection in opened:
            _read(connection)


def short_lived(address: tuple[str, int], requests: list[bytes]) -> None:
    """Ask each on a connection of its own, one after the other."""
    for request in requests:
        with _connected(address) as connection:
            connection.sendall(request)
            _read(connection)


def _connected(address: tuple[str, int]) -> socket.socket:
    """A connection whose time limit the system keeps: Python's own takes a system call more for each read."""
    made = socket.create_connection(address)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(TIMEOUT_SECONDS), 0))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _read(connection: socket.socket) -> None:
    """One whole response with status 200, and as little work for it as that takes."""
    data = connection.recv(READ_BYTES)
    if not data.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"a request of the benchmark was answered {data[:300]!r}")
    while not _is_whole(data):
        more = connection.recv(READ_BYTES)
        if not more:
            raise RuntimeError("the server closed a connection of the benchmark before its answer was whole")
        data += more


def _is_whole(data: bytes) -> bool:
    at, end = data.find(LENGTH), data.find(b"\r\n\r\n")
    if end < 0 or at < 0 or at > end:
        return end >= 0 and data.endswith(LAST_CHUNK)
    at += len(LENGTH)
    return len(data) == end + 4 + int(data[at : data.index(b"\r", at)])


def shares(mock: Command, connections: int) -> list[int]:
    """How many of so many kept connections each worker has, from what it has open (Linux, IPv4)."""
    with ExitStack() as held:
        opened = [held.enter_context(_connected(mock.address)) for _ in range(connections)]
        for connection in opened:
            exchange(connection, new_prompt(0))
        ours = {f"{connection.getsockname()[1]:04X}" for connection in opened}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()]
        ends = {f"socket:[{row[9]}]" for row in rows if row[2][-4:] in ours}
        return [len(ends.intersection(_open_in(pid))) for pid in mock.children()]


def _open_in(pid: int) -> Iterator[str]:
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            yield str(one.readlink())

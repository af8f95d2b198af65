"""`serve --workers`: connections are shared out evenly, and none is lost with a process that was to have it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import ssl
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mockserver.server.guard import PREFIX
from tests.served import started

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes and their sockets in /proc")

WORKERS: Final = 3
EACH: Final = 8
ASKED: Final = f"GET {PREFIX}/health HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
WAIT_SECONDS: Final = 20.0


class Served:
    """A started server, and how clients connect to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        self.process, self.url = process, str(ready["url"])
        self.tls = ssl.create_default_context(cafile=ready["ca"]) if "ca" in ready else None

    @property
    def workers(self) -> list[int]:
        """The processes that answer, the oldest first."""
        pid = self.process.pid
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()))

    def connect(self) -> socket.socket:
        """A connection on which nothing was asked."""
        if self.url.startswith("unix:"):
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(WAIT_SECONDS)
            made.connect(self.url.removeprefix("unix:"))
            return made
        host, _, port = self.url.rpartition("/")[2].rpartition(":")
        made = socket.create_connection((host, int(port)), WAIT_SECONDS)
        return self.tls.wrap_socket(made, server_hostname=host) if self.tls else made

    def kept(self, held: ExitStack, count: int) -> list[socket.socket]:
        """Connections opened one after the other, each of which was answered once."""
        made = []
        for _ in range(count):
            made.append(held.enter_context(self.connect()))
            made[-1].sendall(ASKED)
            assert answered(made[-1])
        return made


@contextmanager
def served(*flags: str) -> Iterator[Served]:
    """A server of `WORKERS` processes."""
    with started("--workers", str(WORKERS), "--log-format", "json", *flags) as process:
        yield Served(process)


def answered(connection: socket.socket) -> bool:
    """Whether a request is answered; False where the connection ends without an answer."""
    read = b""
    while b'"status"' not in read:
        try:
            more = connection.recv(65536)
        except ConnectionResetError:
            return False
        if not more:
            return False
        read += more
    return read.startswith(b"HTTP/1.1 200 ")


def sockets_of(pid: int) -> int:
    """How many sockets a process has open."""
    return sum(link.startswith("socket:") for link in links_of(pid))


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("--port", "0"), id="a socket for each"),
        pytest.param(("--port", "0", "--tls", "self-signed"), id="TLS"),
        pytest.param(("--uds", "SOCKET"), id="one socket for all"),
    ],
)
def test_connections_one_after_the_other_are_shared_evenly(flags: tuple[str, ...], tmp_path: Path) -> None:
    """Each process has as many as each other, whatever the system's own sharing."""
    with served(*(one.replace("SOCKET", str(tmp_path / "s")) for one in flags)) as mock, ExitStack() as held:
        before = {pid: sockets_of(pid) for pid in mock.workers}
        mock.kept(held, WORKERS * EACH)

        assert {pid: sockets_of(pid) - count for pid, count in before.items()} == dict.fromkeys(before, EACH)


def test_connections_that_come_at_once_are_shared_nearly_evenly() -> None:
    """Two processes that look at the same time may choose the same: one more or less for each other process."""
    with served("--port", "0") as mock, ExitStack() as held:
        before = {pid: sockets_of(pid) for pid in mock.workers}
        opened = [held.enter_context(mock.connect()) for _ in range(WORKERS * EACH)]
        for connection in opened:
            connection.sendall(ASKED)
        assert all(map(answered, opened))
        have = [sockets_of(pid) - count for pid, count in before.items()]

    assert sum(have) == WORKERS * EACH
    assert max(have) - min(have) < WORKERS


def test_a_killed_process_loses_its_own_connections_and_its_successor_gets_the_next() -> None:
    """What the others have goes on, and new connections fill up what is missing."""
    with served("--port", "0") as mock, ExitStack() as held:
        opened = mock.kept(held, WORKERS * EACH)
        before = mock.workers
        at = [holder(connection, before) for connection in opened]
        os.kill(before[0], signal.SIGKILL)
        new = until_held(mock, lambda by: by not in before)

        assert [again(connection) for connection in opened] == [pid != before[0] for pid in at]
        assert {holder(connection, mock.workers) for connection in mock.kept(held, EACH)} == {new}
        assert {holder(connection, mock.workers) for connection in mock.kept(held, WORKERS)} == set(mock.workers)


def test_what_waits_for_a_process_that_is_killed_is_answered_by_its_successor() -> None:
    """Neither what the system gave to it is lost, nor what others handed to it, while it took nothing in."""
    with served("--port", "0") as mock, ExitStack() as held:
        stopped = mock.workers[0]
        os.kill(stopped, signal.SIGSTOP)
        opened = [held.enter_context(mock.connect()) for _ in range(WORKERS * EACH)]
        for connection in opened:
            connection.sendall(ASKED)
        os.kill(stopped, signal.SIGKILL)

        assert all(map(answered, opened))


def test_a_process_without_file_numbers_says_so_and_goes_on() -> None:
    """What was handed to it then is lost, and it has connections again once it has file numbers."""
    with served("--port", "0") as mock, ExitStack() as held:
        pid = mock.workers[0]
        most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (numbers_of(pid), most[1]))
        for _ in range(WORKERS * EACH):
            held.enter_context(mock.connect())
        assert mock.process.stderr is not None
        told = next(line for line in mock.process.stderr if "no file number left" in line)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
        until_held(mock, lambda by: by == pid)

    assert json.loads(told)["message"] == "a connection is lost, since the system has no file number left for it"


def until_held(mock: Served, wanted: Callable[[int], bool]) -> int:
    """Connect until a process that is wanted has taken a connection in; that process."""
    while True:
        with mock.connect() as connection:
            connection.sendall(ASKED)
            assert answered(connection)
            if wanted(by := holder(connection, mock.workers)):
                return by


def again(connection: socket.socket) -> bool:
    """Whether a kept connection is answered once more."""
    try:
        connection.sendall(ASKED)
    except OSError:
        return False
    return answered(connection)


def holder(connection: socket.socket, workers: list[int]) -> int:
    """The process that has the server's end of a connection, or 0 where that is none of these."""
    mine, theirs = connection.getsockname()[1], connection.getpeername()[1]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    ends = [row[9] for row in rows if (row[1][-4:], row[2][-4:]) == (f"{theirs:04X}", f"{mine:04X}")]
    return next((pid for pid in workers if f"socket:[{ends[0]}]" in links_of(pid)), 0)


def links_of(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    with contextlib.suppress(FileNotFoundError):  # the process ended
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since
                found.append(str(one.readlink()))
    return found


def numbers_of(pid: int) -> int:
    """The first file number that a process has not given out."""
    return max(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir()) + 1

"""Starting what is measured, each on a core of its own, and reading what it used."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bench.client import exchange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
OTHER: Final = os.environ.get("BENCH_AGAINST")
"""Another checkout, measured in the same turns; its figures stand in rows of their own."""
_USABLE: Final = os.sched_getaffinity(0) if sys.platform == "linux" else set()
STOP_SECONDS = 10.0
FIRST_ANSWER_SECONDS = 20.0


def cores() -> tuple[int, int] | None:
    """A core for the client and one for the server; None where processes cannot be pinned or there is only one."""
    if sys.platform != "linux":
        return None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else None


def pin(pid: int, core: int | None) -> None:
    """Keep a process on one core; None lets it have all that this one had before it was pinned, and passed on."""
    if sys.platform == "linux":
        os.sched_setaffinity(pid, _USABLE if core is None else {core})


def pin_client() -> None:
    """Keep this process, which is the client, off the server's core."""
    both = cores()
    if both is not None:
        pin(0, both[0])


class Running:
    """A process that ends with its block."""

    _process: subprocess.Popen[Any]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._process)


class Started(Running):
    """A process of `bench.serve` that is ready.

    Attributes:
        address: Where it listens.
        path: Where it answers.
    """

    def __init__(self, kind: str, fixtures: Path, core: int | None, root: str | Path = ROOT) -> None:
        command = [sys.executable, "-m", "bench.serve", kind, "--fixtures", str(fixtures)]
        self._process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if core is not None:
            pin(self._process.pid, core)
        told = self._line()
        if not told:
            raise RuntimeError(f"the server of {kind!r} did not start; its error stands above")
        ready: dict[str, Any] = json.loads(told)
        self.address = ("127.0.0.1", int(ready["port"]))
        self.path: str = ready["path"]

    def cpu_seconds(self) -> float:
        """CPU time used since the process began, user and system."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        return line


@dataclass(frozen=True)
class Bench:
    """What every benchmark is given.

    Attributes:
        fixtures: A folder with the answers of `write_fixtures`.
        core: Where servers run; None leaves it to the system.
    """

    fixtures: Path
    core: int | None

    def server(self, kind: str, root: str | Path = ROOT) -> Started:
        """A started process of `bench.serve`, of this checkout or another."""
        return Started(kind, self.fixtures, self.core, root)


class Command(Running):
    """The mock as a user starts it, or what is compared with it; ready when it has given its first answer.

    Args:
        request: What is asked first.
        core: Where it runs; None leaves it to the system.
        flags: Its flags beside the port.
        root: The folder that it runs in, from which its modules come.
        words: The command itself.
        port_flag: How it is told its port.
        patience_s: The most seconds to its first answer.

    Attributes:
        address: Where it listens.
        first_answer_ms: From the start of the command to the end of the first answer.
    """

    def __init__(
        self,
        request: bytes,
        core: int | None,
        flags: Sequence[str] = ("--log-level", "warning"),
        root: str | Path = ROOT,
        words: Sequence[str] = (sys.executable, "-m", "mockserver", "serve"),
        port_flag: str = "--port",
        patience_s: float = FIRST_ANSWER_SECONDS,
    ) -> None:
        port = free_port()
        self.address = ("127.0.0.1", port)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [*words, port_flag, str(port), *flags],
            cwd=root,
            stdout=self._log,
            stderr=self._log,
        )
        pin(self._process.pid, core)
        self._first_answer(request, started + patience_s)
        self.first_answer_ms = (time.perf_counter() - started) * 1000

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time used since the process began, of all its threads and children, user and system."""
        return tree_cpu_seconds(self._process.pid)

    def children(self) -> list[int]:
        """Its processes beside the first one (Linux)."""
        pid = self._process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]

    def resident_mb(self) -> float:
        """Memory in use (resident set), in MB of 10^6 bytes."""
        pid = self._process.pid
        statm = Path(f"/proc/{pid}/statm")
        if statm.exists():
            return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        out = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True, text=True).stdout
        return int(out) * 1024 / 1e6

    def _first_answer(self, request: bytes, deadline: float) -> None:
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(self.address) as connection:
                exchange(connection, request)
                return
            if time.perf_counter() > deadline or self._process.poll() is not None:
                stop(self._process)
                raise RuntimeError("the mock gave no first answer; its error stands above")
            time.sleep(0.002)


def tree_cpu_seconds(pid: int) -> float:
    """CPU time of a process, its threads and its living children, from what the scheduler counted (Linux)."""
    nanoseconds = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text().split()[0])
        children = (task / "children").read_text().split() if (task / "children").exists() else []
        nanoseconds += sum(int(tree_cpu_seconds(int(child)) * 1e9) for child in children)
    return nanoseconds / 1e9


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process and wait for it."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port

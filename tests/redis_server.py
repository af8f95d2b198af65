"""A Redis or Valkey server of a test's own, on a Unix socket."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS: Final = {"redis": "redis-server", "valkey": "valkey-server"}


class StateServer:
    """One server; what it holds lives through a restart."""

    def __init__(self, program: str, folder: Path, *flags: str) -> None:
        self._program = program
        self._flags = flags
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.url = f"unix://{folder / 'socket'}"

    def start(self) -> None:
        """Start; returns when it accepts connections."""
        socket = str(self._folder / "socket")
        self._process = process = subprocess.Popen(
            [self._program, "--port", "0", "--unixsocket", socket, "--dir", str(self._folder), "--save", "",
             *self._flags],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        next(line for line in process.stdout if "eady to accept connections" in line)

    def stop(self) -> None:
        """End it, and have it keep what it holds."""
        import redis

        assert self._process is not None
        with redis.Redis.from_url(self.url) as client:
            client.shutdown(save=True)
        self._process.communicate(timeout=WAIT_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate(timeout=WAIT_SECONDS)

    @contextmanager
    def held(self) -> Iterator[None]:
        """It answers nobody meanwhile, and its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def ask(self, *words: Any) -> Any:
        """What a command gives."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*words)


@contextmanager
def state_server(name: str, *flags: str) -> Iterator[StateServer]:
    """A server by its name in PROGRAMS, with flags of its own; skips where that is not installed."""
    pytest.importorskip("redis")
    program = shutil.which(PROGRAMS[name])
    if program is None:
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    with tempfile.TemporaryDirectory(prefix="mock-") as folder:  # a socket's path may have 107 bytes
        made = StateServer(program, Path(folder), *flags)
        made.start()
        try:
            yield made
        finally:
            made.kill()

"""One mock for all processes of a test run: the first that needs it starts it, the last that leaves ends it.

Each process holds a lease: a connection that it keeps open. The kernel closes it however the process ends, so a killed
run leaves no mock behind. Where the mock is stands in a file in a folder that the processes share, and a lock on a
second file lets one of them at a time look there.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.testing.running_mock import RunningMock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


START_SECONDS: Final = 60.0
LEAVE_SECONDS: Final = 30.0
WELCOME: Final = b"+"
OTHERS_STAY: Final = b"-"
WHERE_FILE: Final = "genstudio-mock.json"
LOCK_FILE: Final = "genstudio-mock.lock"
LOG_FILE: Final = "genstudio-mock.log"


class SharedMock(RunningMock):
    """The run's mock, held by a lease until `leave`.

    Args:
        folder: Shared by the processes of this run and by nobody else.
        flags: Flags of `genstudio-mock serve`, for the process that starts it.
        cwd: Where its configuration file is looked for.

    Raises:
        OperatorError: the mock did not start; the text is what it said.
    """

    def __init__(self, folder: Path, flags: Sequence[str], cwd: Path) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with _locked(folder / LOCK_FILE):
            where = _read_where(folder / WHERE_FILE)
            lease = _lease(where)
            if lease is None:
                self._process, where = _start(folder, flags, cwd)
                lease = _lease(where)
        if lease is None:
            raise OperatorError(f"the mock at {where.get('url')} ended at once; see {folder / LOG_FILE}")
        self._lease = lease
        super().__init__(where["url"])

    def leave(self) -> None:
        """Give the lease back; the last to do so returns when the mock has ended."""
        with self._lease:
            self._lease.settimeout(LEAVE_SECONDS)
            answer = b""
            with contextlib.suppress(OSError):  # it ended before us
                self._lease.shutdown(socket.SHUT_WR)
                answer = self._lease.recv(1)
        if self._process is None:
            return
        if answer == OTHERS_STAY:
            self._process.returncode = 0  # it outlives us: who leaves last ends it, so there is nothing to wait for
        else:
            self._process.wait(LEAVE_SECONDS)


def _read_where(path: Path) -> dict[str, Any]:
    """Where the mock is; empty where none was started."""
    try:
        where: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return where


def _lease(where: dict[str, Any]) -> socket.socket | None:
    """A lease of the mock there; None where it has ended."""
    if not where:
        return None
    try:
        made = socket.create_connection(("127.0.0.1", where["lease_port"]), START_SECONDS)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        if made.recv(1) == WELCOME:
            return made
    made.close()
    return None


def _start(folder: Path, flags: Sequence[str], cwd: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Start the mock and note where it is.

    It is out of reach of Ctrl-C, which would end it before the tests have said what they saw of it.
    """
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    with (folder / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "mockserver.cli.lease", *flags],
            cwd=cwd, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, **apart,
        )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 - asked for above
    with process.stdout as out:
        line = out.readline()
    if not line:
        process.wait(START_SECONDS)
        said = (folder / LOG_FILE).read_text("utf-8", "replace").strip().splitlines()
        raise OperatorError(said[-1] if said else f"the mock ended with exit code {process.returncode}")
    write_whole(folder / WHERE_FILE, line)
    where: dict[str, Any] = json.loads(line)
    return process, where


def _environment() -> dict[str, str]:
    """The environment, in which this very package is found and errors are written as they are."""
    home = str(Path(__file__).parent.parent.parent)
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{path}" if path else home, "PYTHONUTF8": "1"}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel gives back when this process ends."""
    with path.open("ab") as file:
        _lock(file)
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

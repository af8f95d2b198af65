"""One mock for all processes of a test run: the first that needs it starts it, the last that leaves ends it.

Each process holds a lease: a connection that it keeps open. The kernel closes it however the process ends, so a killed
run leaves no mock behind. Where the mock is stands in a file in a folder that the processes share, and a lock on a
second file lets one of them at a time look there. The process is `genstudio-mock serve --lease`, of this environment or
of another one; its side of the lease is `cli/lease.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.settings.config import COMMAND_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE: Final = (sys.executable, "-P", "-m", "mockserver")
"""The command line of this environment's genstudio-mock; a `mockserver` in the working directory is another one."""
WRONG_USE: Final = 2
START_SECONDS: Final = 60.0
LEAVE_SECONDS: Final = 30.0
WELCOME: Final = b"+"
OTHERS_STAY: Final = b"-"
WHERE_FILE: Final = "genstudio-mock.json"
LOCK_FILE: Final = "genstudio-mock.lock"
LOG_FILE: Final = "genstudio-mock.log"


class MockLease:
    """A hold on the process of the run's mock, until `leave`.

    Args:
        folder: Shared by the processes of this run and by nobody else.
        flags: Flags of `genstudio-mock serve`, for the process that starts it.
        cwd: Where its configuration file is looked for.
        command: The command line of genstudio-mock, of whatever environment.

    Attributes:
        url: The mock's address.

    Raises:
        OperatorError: the mock did not start; the text is what it said.
    """

    def __init__(self, folder: Path, flags: Sequence[str], cwd: Path, command: Sequence[str] = HERE) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with _locked(folder / LOCK_FILE):
            where = _read_where(folder / WHERE_FILE)
            lease = _lease(where)
            if lease is None:
                self._process, where = _start(folder, flags, cwd, command)
                try:
                    lease = _lease(where)
                finally:
                    if lease is None:  # Ctrl-C, or connections are forbidden here: nobody holds it
                        self._process.kill()
                        self._process.wait(LEAVE_SECONDS)
        if lease is None:
            raise OperatorError(
                f"the mock at {where.get('url')} gives no lease: it has ended, or is in a container without this "
                f"machine's network (--network host); see {folder / LOG_FILE}"
            )
        self._lease = lease
        self.url: str = where["url"]

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


def _start(
    folder: Path, flags: Sequence[str], cwd: Path, command: Sequence[str]
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Start the mock and note where it is.

    It is out of reach of Ctrl-C, which would end it before the tests have said what they saw of it.
    """
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    with (folder / LOG_FILE).open("ab") as log:
        try:
            process = subprocess.Popen(  # noqa: S603 - this very program, or the one that the user names
                [*command, "serve", "--lease", *flags],
                cwd=cwd, env=_environment(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                **apart,
            )  # fmt: skip
        except OSError as error:
            reason = error.strerror or error
            raise OperatorError(f"genstudio_mock_command: {command[0]!r} cannot be started: {reason}") from None
    assert process.stdout is not None  # noqa: S101 - asked for above
    with process.stdout as out:
        line = out.readline()
    where = _where(line)
    if not where:
        raise OperatorError(_ended(process, line, (folder / LOG_FILE).read_text("utf-8", "replace"), command))
    write_whole(folder / WHERE_FILE, line)
    return process, where


def _where(line: bytes) -> dict[str, Any]:
    """What the mock says of where it is; empty where that is something else."""
    try:
        where = json.loads(line)
    except ValueError:
        return {}
    return where if isinstance(where, dict) and {"url", "lease_port"} <= where.keys() else {}


def _ended(process: subprocess.Popen[bytes], line: bytes, log: str, command: Sequence[str]) -> str:
    """What to say of a process that did not become a mock: the operator's line is its own, all else is explained."""
    if line:
        process.kill()
    code = process.wait(START_SECONDS)
    said = [*log.strip().splitlines(), *filter(None, [line.decode("utf-8", "replace").strip()])]
    if code == WRONG_USE and said:
        return said[-1]
    told = f"{shlex.join(command)} serve --lease: ended with exit code {code}, and is no mock"
    advice = "genstudio_mock_command can start the one of another environment"
    if command is not HERE:
        advice = "genstudio_mock_command is the command line of genstudio-mock, like uvx --from PATH genstudio-mock"
    return f"{told}: {said[-1]}; {advice}" if said else f"{told}; {advice}"


def _environment(command: Sequence[str]) -> dict[str, str]:
    """The environment, in which this very package is found, or that of the command, and errors are written as they are.

    Another environment finds its packages by itself: ours on its path would stand before its own.
    """
    environ = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", COMMAND_VARIABLE}}
    if command is HERE:
        home = str(Path(__file__).parent.parent.parent)
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    return {**environ, "PYTHONUTF8": "1"}


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

"""One mock for all processes of a test run: the first that needs it starts it, the last that leaves ends it.

Each process holds a lease: a connection that it keeps open. The kernel closes it however the process ends, so a killed
run leaves no mock behind. Where the mock is stands in a file in a folder that the processes share, and a lock on a
second file lets one of them at a time look there.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from mockserver.errors import OperatorError
from mockserver.running import RunningMock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.config import Config

START_SECONDS: Final = 60.0
FIRST_LEASE_SECONDS: Final = 30.0
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
            [sys.executable, "-m", "mockserver.shared", *flags],
            cwd=cwd, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, **apart,
        )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 - asked for above
    with process.stdout as out:
        line = out.readline()
    if not line:
        process.wait(START_SECONDS)
        said = (folder / LOG_FILE).read_text("utf-8", "replace").strip().splitlines()
        raise OperatorError(said[-1] if said else f"the mock ended with exit code {process.returncode}")
    draft = folder / f"{WHERE_FILE}.{os.getpid()}"
    draft.write_bytes(line)
    draft.replace(folder / WHERE_FILE)
    where: dict[str, Any] = json.loads(line)
    return process, where


def _environment() -> dict[str, str]:
    """The environment, in which this very package is found and errors are written as they are."""
    home = str(Path(__file__).parent.parent)
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


# --- the other side: the process of the mock ----------------------------------------------------------------------


class Landlord:
    """Gives leases and waits until the last of them is over."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._leases: dict[int, socket.socket] = {}
        self.port: int = self._listening.getsockname()[1]

    def wait(self) -> None:
        """Wait for the last lease to end, or until it is clear that nobody comes.

        The last lease stays half open: to whoever gave it back, its end is that of this process.
        """
        with selectors.DefaultSelector() as selector, self._listening as listening:
            selector.register(listening, selectors.EVENT_READ)
            while True:
                ready = selector.select(None if self._leases else FIRST_LEASE_SECONDS)
                if not ready:
                    return
                for key, _ in ready:
                    if key.fileobj is listening:
                        selector.register(self._give(), selectors.EVENT_READ)
                    else:
                        selector.unregister(key.fileobj)
                        if self._take_back(key.fd):
                            return

    def _give(self) -> socket.socket:
        lease, _ = self._listening.accept()
        self._leases[lease.fileno()] = lease
        with contextlib.suppress(OSError):  # who asked is gone; that is seen at the next turn
            lease.send(WELCOME)
        return lease

    def _take_back(self, number: int) -> bool:
        """Whether it was the last one."""
        if len(self._leases) == 1:
            return True
        with contextlib.suppress(OSError), self._leases.pop(number) as lease:
            lease.send(OTHERS_STAY)
        return False


def configured(flags: Sequence[str], cwd: Path) -> Config:
    """The configuration of a run's mock: that of `serve`, on a free port of this machine and open to every key.

    Raises:
        OperatorError: a flag, a variable or the configuration file is wrong.
    """
    from mockserver.cli.arguments import configuration
    from mockserver.cli.serve import serve_parser
    from mockserver.cli.terminal import Console

    console = Console(sys.stdout, sys.stderr, os.environ)
    found = serve_parser().read(flags, console)
    if found is None:
        raise OperatorError("--help: not a setting; run genstudio-mock serve --help")
    config = configuration(found, console, cwd).config
    return replace(
        config, host="127.0.0.1", port=0, uds=None, port_file=None, api_key=(), control=True, control_token=None,
        grace_seconds=0.0,
    )  # fmt: skip


def main(flags: Sequence[str]) -> int:
    """Serve for as long as somebody holds a lease; says where on standard output."""
    from mockserver.live import MockServer

    landlord = Landlord()
    try:
        mock = MockServer(configured(flags, Path.cwd())).start()
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps({"url": mock.url, "lease_port": landlord.port}) + "\n")
    sys.stdout.close()
    landlord.wait()
    mock.stop()
    return 0


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(exit_code)  # at once: whoever left last waits for our end, and would see an end of the lease before it

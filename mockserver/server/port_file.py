"""The port file: it holds the port while connections are accepted, however the process ends."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole

if TYPE_CHECKING:
    from pathlib import Path

_WATCH: Final = """\
import os, sys
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
except (AttributeError, OSError):
    pass
name, text, more = sys.argv[1], b"", True
while more:
    more = os.read(0, 64)
    text += more
try:
    file = os.open(name, os.O_RDONLY)
    if text and os.read(file, 64) == text:
        os.unlink(name)
except OSError:
    pass
"""
"""What removes the file of a process that was killed: its standard input ends with that process.

It has a fraction of a millisecond until the shell that waits for the killed process goes on and looks for the file. So
it asks to be run at once, which root may, and does three calls of the system and no more.
"""
_WATCHER_SECONDS: Final = 2.0


class PortFile:
    """A file that holds the port while connections are accepted; None stands for no file.

    A script waits for the file, and starts to wait before we run. So a small process beside ours takes it away where
    ours is killed; and where both were, as with a whole container, the next start does before it binds.

    Raises:
        OperatorError: what stands there is no file, or cannot be removed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._text = ""
        self._watcher: subprocess.Popen[str] | None = None
        if path is None:
            return
        try:
            if path.is_file():
                path.unlink()
            elif path.exists():
                raise OperatorError(f"--port-file {path}: exists and is no file; name one that may be replaced")
        except OSError as error:
            raise OperatorError(
                f"--port-file {path}: that of an earlier run cannot be removed: {error.strerror or error}"
            ) from None
        with contextlib.suppress(OSError):  # no more processes are allowed: the next start removes it
            self._watcher = subprocess.Popen(  # noqa: S603 - our own words
                [sys.executable, "-I", "-S", "-c", _WATCH, str(path.absolute())],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
                process_group=0,  # what ends ours does not end it; in a session of its own it would be scheduled apart
            )  # fmt: skip

    def write(self, port: int) -> None:
        """Say the port, in one step; raises OperatorError where that cannot be written."""
        if self._path is None:
            return
        text = f"{port}\n"
        if self._watcher is not None and self._watcher.stdin is not None:
            with contextlib.suppress(OSError):
                self._watcher.stdin.write(text)
                self._watcher.stdin.flush()
        write_whole(self._path, text, named=f"--port-file {self._path}")
        self._text = text

    def remove(self) -> None:
        """Take it away, unless another mock took it over."""
        if self._path is not None and self._text:
            with contextlib.suppress(OSError):
                if self._path.read_text("ascii") == self._text:
                    self._path.unlink()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                watcher.communicate(timeout=_WATCHER_SECONDS)

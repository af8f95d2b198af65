"""The thread that writes the log: a line is put into words and written off the requests' way.

Who logs only leaves a line to be written. So a log that nobody reads (a full pipe, a stopped terminal) holds nothing
up: what does not fit is dropped and counted.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_LINES: Final = 10_000
"""Lines that wait to be written."""
GATHER_SECONDS: Final = 0.05
"""How long lines are gathered before they are written."""
CLOSE_SECONDS: Final = 1.0
"""How long the end waits for a reader of what is left."""
_LINES_A_WRITE: Final = 32  # the interpreter is held for half a millisecond at most while they are put into words
_POLL_MS: Final = 50
_PIPE_BYTES: Final = getattr(select, "PIPE_BUF", 512)  # what a pipe takes without blocking where it can be written to


class LogWriter:
    """Writes lines to a stream, in order, in a thread of its own.

    Args:
        stream: Where they go; past its buffer where it is a file, a pipe or a terminal.
        say: Puts a line of the writer's own into words.
        most_lines: Lines that may wait.
        turn: The number of a file that is locked while lines are written, where other processes write to the stream
            too; None where none do.
    """

    def __init__(
        self, stream: TextIO, say: Callable[[str], str], most_lines: int = MOST_LINES, turn: int | None = None
    ) -> None:
        self._stream = stream
        self._say = say
        self._most_lines = most_lines
        self._turn = turn
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._lines: deque[Callable[[], str]] = deque()
        self._dropped = self._told_dropped = 0
        self._drops = threading.Lock()
        self._some = threading.Event()
        self._closing = threading.Event()
        self._until = 0.0
        self._nobody_reads = False
        self._output = _output_of(stream)
        self._thread = threading.Thread(target=self._run, name="genstudio-mock log", daemon=True)
        self._thread.start()

    def add(self, line: Callable[[], str]) -> None:
        """Have a line written; `line` gives its text, without its end, and is called in the writer's thread."""
        if len(self._lines) >= self._most_lines:
            with self._drops:
                self._dropped += 1
            return
        self._lines.append(line)
        if not self._some.is_set():
            self._some.set()

    def close(self) -> None:
        """Write what is left, for CLOSE_SECONDS at most where nobody reads it."""
        self._until = time.monotonic() + CLOSE_SECONDS
        self._closing.set()
        self._some.set()
        self._thread.join(CLOSE_SECONDS + 1)  # it may hang in a write that was not to block; then it is left behind

    def _run(self) -> None:
        closing = False
        while not closing:
            self._some.wait()
            closing = self._closing.wait(GATHER_SECONDS)
            self._some.clear()
            self._drain()

    def _drain(self) -> None:
        while self._lines:
            count = min(len(self._lines), _LINES_A_WRITE)
            self._write([self._lines.popleft()() for _ in range(count)])
        dropped = self._dropped - self._told_dropped
        if dropped:
            self._told_dropped += dropped
            lines = "1 line was" if dropped == 1 else f"{dropped} lines were"
            self._write([self._say(f"{lines} not written: nobody read the log")])

    def _write(self, lines: list[str]) -> None:
        text = "\n".join([*lines, ""])
        if self._nobody_reads:
            return
        try:
            if self._output is None:
                self._stream.write(text)
                self._stream.flush()
            else:
                with _in_turn(self._turn):
                    self._write_bytes(self._output, text.encode(self._encoding, "backslashreplace"))
        except (OSError, ValueError):  # the reader is gone, or the stream is closed
            self._nobody_reads = True

    def _write_bytes(self, output: _Output, data: bytes) -> None:
        """Write bytes as the reader takes them; what is left when the time of the end is over is not written."""
        number, ready = output
        while data:
            if ready.poll(_POLL_MS):
                with contextlib.suppress(BlockingIOError):  # another writer to the same pipe was faster
                    data = data[os.write(number, data[:_PIPE_BYTES]) :]
            elif self._closing.is_set() and time.monotonic() > self._until:
                self._nobody_reads = True
                return


if TYPE_CHECKING:
    _Output = tuple[int, select.poll]


@contextlib.contextmanager
def _in_turn(number: int | None) -> Iterator[None]:
    """Be the one process that writes; the lock of one that is killed goes with it."""
    if number is None:
        yield
        return
    import fcntl

    fcntl.lockf(number, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.lockf(number, fcntl.LOCK_UN)


def _output_of(stream: TextIO) -> _Output | None:
    """The number of the file below a stream, and what tells whether it can be written to; None where there is none."""
    if not hasattr(select, "poll"):
        return None
    try:
        stream.flush()
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    ready = select.poll()
    ready.register(number, select.POLLOUT)
    return number, ready

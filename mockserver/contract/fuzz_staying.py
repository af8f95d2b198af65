"""A client program that stays for many streams: a line in for each stream, a line out for what it read.

The program is started once. For each stream it gets one line on standard input, the base URL, and answers with one line
on standard output: a JSON object with keys of the truth, `{"text": "…"}` at least, or `{"error": "…"}` where it could
not read the stream. It ends when its standard input does. One that ends before, prints something else, or takes too
long is started anew for the next stream.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Final

from mockserver.contract.fuzz_program import (
    LEAST_PATIENCE_S,
    MOST_BYTES,
    client_environ,
    end_all,
    found,
    how_it_ended,
    last_line,
    object_of,
)
from mockserver.core.web_address import past_proxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENDS_WITHIN_S: Final = 5.0
"""A program that has closed its standard output is about to end; one that has not ended after this time goes on."""


class StayingProgram:
    """A program as a client that reads one stream after the other.

    Args:
        words: Its command line.
        environ: Its environment, to which `client_environ` is added, and the way past a proxy.
        timeout_s: How long it may take for one stream, and to start; then it is ended, with all that it started.
    """

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], timeout_s: float = 10.0) -> None:
        self._words = found(words)
        self._environ = environ
        self._patience = timeout_s
        self._slowest = 0.0
        self._running: _Process | None = None

    def __call__(self, base_url: str, more_s: float = 0.0) -> Mapping[str, Any]:
        """Let it read one stream.

        Args:
            base_url: Where the stream is.
            more_s: How long the stream itself pauses, for which the program is given more time.

        Raises:
            TimeoutError: it printed no line in time.
            RuntimeError: it ended, printed without end, or said that it could not read the stream.
            ValueError: it printed something else than one JSON object.
        """
        if self._running is None:
            environ = {**self._environ, **client_environ(base_url), **past_proxy(self._environ, base_url)}
            self._running = _Process(self._words, environ)
        started = time.monotonic()
        try:
            read = dict(object_of(self._running.answer(base_url, self._patience + more_s), "error"))
        except TimeoutError:
            self._patience = min(self._patience, max(LEAST_PATIENCE_S, 10 * self._slowest))
            self.close()
            raise
        except BaseException:
            self.close()
            raise
        self._slowest = max(self._slowest, time.monotonic() - started - more_s)
        if "error" in read:
            raise RuntimeError(f"{read['error']}")
        return read

    def close(self) -> None:
        """End the program."""
        running, self._running = self._running, None
        if running is not None:
            running.end()


class _Process:
    """The program while it runs, and a thread that reads what it prints."""

    def __init__(self, words: list[str], environ: Mapping[str, str]) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the operator named the program
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=dict(environ),
                start_new_session=True,  # so that it can be ended with all that it started
            )
        except OSError as error:
            self._errors.close()
            raise RuntimeError(f"exit code 127: {words[0]}: {error.strerror or error}") from None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        while line := self._process.stdout.readline(MOST_BYTES + 1):
            self._lines.put(line)
        self._lines.put(b"")

    def answer(self, base_url: str, patience_s: float) -> str:
        """What it prints in answer to one line."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        if not self._lines.empty() and (early := self._lines.get()):
            raise RuntimeError(f"it printed a line before it was asked: {early[:100]!r}; {_A_LINE_EACH}")
        with contextlib.suppress(OSError):  # it has ended: that is seen below
            self._process.stdin.write(f"{base_url}\n".encode())
            self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=patience_s)
        except queue.Empty:
            raise TimeoutError(f"it printed no line within {patience_s:g} s") from None
        if len(line) > MOST_BYTES:
            raise RuntimeError(f"it printed over {MOST_BYTES} bytes")
        if not line:
            raise RuntimeError(self._why_no_line())
        return line.decode("utf-8", "backslashreplace")

    def _why_no_line(self) -> str:
        try:
            code = self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            return f"it closed its standard output and goes on; {_A_LINE_EACH}"
        if code:
            return f"{how_it_ended(code)}: {last_line(self._errors)}"
        return f"exit code 0: it ended before its standard input did; {_A_LINE_EACH}"

    def end(self) -> None:
        """End it, with all that it started, and wait until it is gone."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        end_all(self._process)
        self._reader.join(LEAST_PATIENCE_S)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()
        self._errors.close()


_A_LINE_EACH = "it is to print one line for each line that it gets"

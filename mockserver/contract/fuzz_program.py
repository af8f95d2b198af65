"""A client that is a program in any language: run for each stream, what it prints is what it read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Final

from mockserver.core.web_address import past_proxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_BYTES: Final = 4 * 2**20
LEAST_PATIENCE_S: Final = 1.0
"""Once it has hung, a program is waited for this long, or ten times as long as it ever took, if that is longer."""


class Program:
    """A program as a client.

    Args:
        words: Its command line.
        environ: Its environment, to which `client_environ` is added, and the way past a proxy.
        timeout_s: How long it may take for one stream; then it is killed, with all that it started.
        as_json: Whether it prints a JSON object with keys of the truth instead of the text alone.
    """

    def __init__(
        self, words: Sequence[str], environ: Mapping[str, str], timeout_s: float = 10.0, *, as_json: bool = False
    ) -> None:
        self._words = found(words)
        self._environ = environ
        self._patience = timeout_s
        self._slowest = 0.0
        self._as_json = as_json

    def __call__(self, base_url: str, more_s: float = 0.0) -> str | Mapping[str, Any]:
        """Run it once.

        Args:
            base_url: Where the stream is.
            more_s: How long the stream itself pauses, for which the program is given more time.

        Raises:
            TimeoutError: it did not end.
            RuntimeError: it ended with another exit code than 0, or printed without end.
            ValueError: JSON was due, and it printed something else.
        """
        started = time.monotonic()
        try:
            output = self._run(
                {**self._environ, **client_environ(base_url), **past_proxy(self._environ, base_url)}, more_s
            )
        except TimeoutError:
            self._patience = min(self._patience, max(LEAST_PATIENCE_S, 10 * self._slowest))
            raise
        self._slowest = max(self._slowest, time.monotonic() - started - more_s)
        text = output.decode("utf-8", "backslashreplace")
        return object_of(text) if self._as_json else text

    def close(self) -> None:
        """Nothing: it runs no longer than it is called."""

    def _run(self, environ: Mapping[str, str], more_s: float) -> bytes:
        with tempfile.TemporaryFile() as errors:
            run = _Run(self._words, environ, errors)
            try:
                run.start()
                run.join(self._patience + more_s)
                if run.is_alive():
                    raise TimeoutError(f"it did not end within {self._patience + more_s:g} s")
            finally:
                run.end()
            if len(run.output) > MOST_BYTES:
                raise RuntimeError(f"it printed over {MOST_BYTES} bytes")
            if run.code:
                raise RuntimeError(f"{how_it_ended(run.code)}: {run.failure or last_line(errors)}")
        return bytes(run.output)


class _Run(threading.Thread):
    """One run of a program, in a thread that Ctrl-C does not interrupt, so that no moment loses the process.

    Attributes:
        output: What it printed, up to a little over what is allowed.
        code: Its exit code, negative for a signal; 0 until it ended.
        failure: Why it could not be started; empty where it could.
    """

    def __init__(self, words: list[str], environ: Mapping[str, str], errors: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._words, self._environ, self._errors = words, environ, errors
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False
        self.output = bytearray()
        self.code = 0
        self.failure = ""

    def run(self) -> None:
        with self._lock:
            if self._over:
                return
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the operator named the program
                    self._words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=self._errors,
                    env=dict(self._environ),
                    start_new_session=True,  # so that it can be ended with all that it started
                )
            except OSError as error:
                self.code, self.failure = 127, f"{self._words[0]}: {error.strerror or error}"
                return
        process = self._process
        assert process.stdout is not None  # noqa: S101 - for the type checker
        with process.stdout as printed:
            while len(self.output) <= MOST_BYTES and (data := os.read(printed.fileno(), 2**16)):
                self.output += data
        if len(self.output) <= MOST_BYTES:
            self.code = process.wait()

    def end(self) -> None:
        """End the program if it runs, with all that it started, and wait until it is gone."""
        with self._lock:
            self._over = True
        if self._process is not None and self._process.returncode is None:
            end_all(self._process)
        if self.ident is not None:
            self.join(LEAST_PATIENCE_S)


def found(words: Sequence[str]) -> list[str]:
    """A command line with its program as the system finds it: `npm` is `npm.cmd` on Windows."""
    return [shutil.which(words[0]) or words[0], *words[1:]]


def client_environ(base_url: str) -> dict[str, str]:
    """Where the program finds the stream, by the names that SDKs read."""
    return {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "sk-test", "PYTHONUTF8": "1"}


def end_all(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session of its own, with all that it started, and wait until it is gone."""
    if sys.platform == "win32":
        words = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(words, capture_output=True, check=False)  # noqa: S603 - our own process
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # not waited for yet, so its number is still its own
    process.wait()


def how_it_ended(code: int) -> str:
    """An exit code in words; a negative one is a signal."""
    if code > 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def last_line(errors: IO[bytes]) -> str:
    """The last line on standard error that says something: that of a traceback, not the progress before it."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(size - 4096, 0))
    lines = [line.strip() for line in errors.read().decode("utf-8", "backslashreplace").splitlines()]
    return next((line for line in reversed(lines) if line), "it printed nothing on standard error")


TOLD: Final = ("text", "finish_reason", "usage", "tool_calls")
"""The keys of an object that a program prints, of which it may leave out some."""


def object_of(text: str, *further: str) -> Mapping[str, Any]:
    """The JSON object that a program printed, with a key of `TOLD` or a further one; raises ValueError for others."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"it was to print one JSON object and printed {text[:100]!r}")  # noqa: TRY004 - bad output
    if not any(key in found for key in (*TOLD, *further)):  # what is not told cannot be compared
        raise ValueError(f"the object that it printed has none of {', '.join((*TOLD, *further))}: {text[:100]!r}")
    return found

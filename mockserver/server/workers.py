"""Several processes on one port: a parent that starts, watches, restarts and ends them, and answers nothing itself.

The parent makes ready all that they need and forks, so that one start is paid for. `sharing.py` says how connections
come to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from mockserver.core.errors import OperatorError
from mockserver.server.serving import tcp_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import FrameType

PATIENCE_SECONDS: Final = 5.0
"""How much longer than the grace time a process may take to end, before it is killed."""
SETTLED_SECONDS: Final = 10.0
"""A process that lives so long has not failed at its start."""
LONGEST_PAUSE_SECONDS: Final = 5.0
"""Before a process that fails again and again is started anew."""
_FIRST_PAUSE_SECONDS: Final = 0.1
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


def sockets_for(workers: int, host: str, port: int) -> list[socket.socket]:
    """A listening socket for each process, so that one connection wakes one; one alone where no system call does that.

    Raises:
        OperatorError: the address cannot be had.
    """
    return _reusable_sockets(host, port, workers) if sys.platform == "linux" else [tcp_socket(host, port)]


def _reusable_sockets(host: str, port: int, count: int) -> list[socket.socket]:
    """Listening sockets on one port, between which the kernel shares connections out (Linux).

    Raises:
        OperatorError: the address cannot be had, also where another mock listens there in the same way.
    """
    if port:
        tcp_socket(host, port).close()  # one that is not reused is refused beside any other
    made = [tcp_socket(host, port, reused=True)]
    try:
        for _ in range(count - 1):
            made.append(tcp_socket(host, made[0].getsockname()[1], reused=True))
    except OperatorError:
        for one in made:
            one.close()
        raise
    return made


def need_fork() -> None:
    """Raise OperatorError where a process cannot hand its sockets on to others."""
    if not hasattr(os, "fork"):
        raise OperatorError("--workers: this system has no fork, so one process serves; start it without --workers")


@dataclass(slots=True)
class _Worker:
    """One process, as the parent knows it."""

    number: int
    process: int = 0
    started_s: float = 0.0
    failures: int = 0
    due_s: float | None = None
    """When it is started anew; None while it runs."""


@dataclass(slots=True)
class Workers:
    """The processes.

    Args:
        count: How many.
        work: What one does, by its number from 0: serve until a signal comes, and call what it is given once it
            accepts.
        on_ready: Called in the parent once all accept.
        tell: Writes a line to the log.
        grace_seconds: How long one may take to end, beside `PATIENCE_SECONDS`.
        on_closing: Called in the parent when they are about to be ended.
        on_ended: Told in the parent which one ended, by its number from 0, and the number of its process.
    """

    count: int
    work: Callable[[int, Callable[[], None]], None]
    on_ready: Callable[[], None]
    tell: Callable[[str], None]
    grace_seconds: float
    on_closing: Callable[[], None]
    on_ended: Callable[[int, int], None]
    _workers: list[_Worker] = field(init=False)
    _accepting: set[int] = field(init=False, default_factory=set)
    _told_ready: bool = field(init=False, default=False)
    _kill_at_s: float | None = field(init=False, default=None)
    _exit_code: int = field(init=False, default=0)

    def run(self) -> int:
        """Run them until a signal comes and all have ended; the exit code.

        That is 0, or what a process ended with that failed before all accepted.
        """
        self._workers = [_Worker(number) for number in range(self.count)]
        ready, accepting = os.pipe()
        alive, _held = os.pipe()  # what is held is closed by the parent's end, however it comes
        inherited = (ready, _held)
        try:
            with _signals() as (woken, came), selectors.DefaultSelector() as selector:
                selector.register(woken, selectors.EVENT_READ)
                selector.register(ready, selectors.EVENT_READ)
                for worker in self._workers:
                    self._start(worker, accepting, alive, inherited)
                while any(worker.process for worker in self._workers) or self._kill_at_s is None:
                    for key, _ in selector.select(self._timeout()):
                        heard = os.read(key.fd, 4096)
                        if key.fd == ready:
                            self._accept(heard)
                    for how in _taken(came):
                        self._end(how)
                    self._reap()
                    self._turn(accepting, alive, inherited)
        finally:
            for number in (ready, accepting, alive, _held):
                os.close(number)
        return self._exit_code

    def _start(self, worker: _Worker, accepting: int, alive: int, inherited: tuple[int, ...]) -> None:
        worker.started_s, worker.due_s = time.monotonic(), None
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (*_ENDING, signal.SIGCHLD))
        worker.process = os.fork()
        if worker.process == 0:
            for number in inherited:
                os.close(number)
            self._be(worker.number, accepting, alive, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _be(self, number: int, accepting: int, alive: int, mask: set[int | signal.Signals]) -> NoReturn:
        """The life of a process; nothing of the parent's is tidied up here."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for one in (*_ENDING, signal.SIGCHLD):
                signal.signal(one, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

            def ready() -> None:
                asyncio.get_running_loop().add_reader(alive, _orphaned, alive)
                os.write(accepting, bytes([number]))

            self.work(number, ready)
            code = 0
        except OperatorError as error:
            self.tell(str(error))
            code = 2
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:  # noqa: BLE001 - it must not go on as if it were the parent
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _accept(self, heard: bytes) -> None:
        self._accepting |= set(heard)
        if not self._told_ready and self._kill_at_s is None and len(self._accepting) == self.count:
            self._told_ready = True
            self.on_ready()

    def _end(self, how: signal.Signals) -> None:
        """Have all end; a second SIGINT does not wait for the answers in flight."""
        again = self._kill_at_s is not None
        if not again:
            self._kill_at_s = time.monotonic() + self.grace_seconds + PATIENCE_SECONDS
            self.on_closing()
        self._signal(signal.SIGINT if again and how == signal.SIGINT else signal.SIGTERM)

    def _signal(self, how: signal.Signals) -> None:
        for worker in self._workers:
            if worker.process:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process, how)

    def _reap(self) -> None:
        for worker in self._workers:
            process, status = os.waitpid(worker.process, os.WNOHANG) if worker.process else (0, 0)
            if process:
                worker.process = 0
                self.on_ended(worker.number, process)
                if self._kill_at_s is None:
                    self._failed(worker, process, os.waitstatus_to_exitcode(status))

    def _failed(self, worker: _Worker, process: int, code: int) -> None:
        """One ended that was not asked to: it is started anew, unless it never came as far as the others did."""
        if not self._told_ready:
            self._exit_code = code if code > 0 else 1
            self._end(signal.SIGTERM)
            return
        now_s = time.monotonic()
        worker.failures = 0 if now_s - worker.started_s > SETTLED_SECONDS else worker.failures + 1
        pause_s = 0.0 if worker.failures < 2 else _FIRST_PAUSE_SECONDS * 2.0 ** (worker.failures - 2)
        worker.due_s = now_s + min(pause_s, LONGEST_PAUSE_SECONDS)
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        self.tell(f"worker {worker.number + 1} of {self.count} (process {process}) ended {how}; it is started again")

    def _timeout(self) -> float | None:
        due = [worker.due_s for worker in self._workers if worker.due_s is not None]
        if self._kill_at_s is not None:
            due = [self._kill_at_s]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _turn(self, accepting: int, alive: int, inherited: tuple[int, ...]) -> None:
        """Start anew what is due, or kill what does not end."""
        now_s = time.monotonic()
        if self._kill_at_s is not None:
            if now_s >= self._kill_at_s:
                self._signal(signal.SIGKILL)
                self._kill_at_s = now_s + PATIENCE_SECONDS
            return
        for worker in self._workers:
            if worker.due_s is not None and now_s >= worker.due_s:
                self._start(worker, accepting, alive, inherited)


def _orphaned(alive: int) -> None:
    """The parent is gone: end in order."""
    asyncio.get_running_loop().remove_reader(alive)
    signal.raise_signal(signal.SIGTERM)


@contextlib.contextmanager
def _signals() -> Iterator[tuple[int, list[signal.Signals]]]:
    """A file number that can be read when a signal came, and the signals that came."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    came: list[signal.Signals] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(signal.Signals(number))

    before = {one: signal.signal(one, note) for one in (*_ENDING, signal.SIGCHLD)}
    old = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        yield woken, came
    finally:
        signal.set_wakeup_fd(old)
        for one, handler in before.items():
            signal.signal(one, handler)
        os.close(woken)
        os.close(wake)


def _taken(came: list[signal.Signals]) -> list[signal.Signals]:
    """The signals that ask for an end, taken off the list."""
    taken = [came.pop(0) for _ in range(len(came))]
    return [one for one in taken if one in _ENDING]

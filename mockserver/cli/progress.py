"""How far long work has come: a bar on a terminal, one line a step elsewhere, nothing where it shall be quiet."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TextIO

from mockserver.cli.terminal import wants_colour
from mockserver.core.errors import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 300
"""Characters of a line about a step."""


class Progress:
    """Tells of steps; a context, at whose end the bar is gone.

    Args:
        err: Standard error.
        environ: The environment, of which `NO_COLOR`, `FORCE_COLOR` and `TERM` count.
        quiet: Steps are not told; notes are.
    """

    def __init__(self, err: TextIO, environ: Mapping[str, str], *, quiet: bool = False) -> None:
        self._err = err
        self._environ = environ
        self._quiet = quiet
        self._draws = not quiet and err.isatty() and environ.get("TERM") != "dumb"
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def step(self, done: int, total: int, what: str, *, about: str = "", kept: bool = False) -> None:
        """One step is done.

        Args:
            done: Its number, from 1.
            total: How many there will be at most; 0 where nobody knows.
            what: What it was and what came of it.
            about: Whose steps these are, where there are several series.
            kept: It is worth a line that stays, on a terminal too.
        """
        if self._quiet:
            return
        count = f"{done}/{total}" if total else f"{done}"
        line = printable(f"{about} {count} {what}".strip()[:LONGEST])
        if not self._drawn():
            print(line, file=self._err, flush=True)
            return
        if kept:
            self.note(line)
        shown = printable(about or what)[:40]
        self._bar.update(self._task, completed=done, total=max(total, done) if total else None, description=shown)

    def note(self, line: str) -> None:
        """A line that is told however quiet it shall be, and stays."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self._err, flush=True)

    def _drawn(self) -> bool:
        """Whether there is a bar; made when first asked: what draws it is an extra and takes its time to import."""
        if self._draws and self._bar is None:
            self._draws = False
            with suppress(ImportError):
                self._bar = self._new_bar()
                self._bar.start()
                self._task = self._bar.add_task("", total=None)
        return self._bar is not None

    def _new_bar(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        terminal = Console(
            file=self._err, no_color=not wants_colour(self._err, self._environ), _environ=self._environ, markup=False
        )
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        return Bar(*columns, TimeElapsedColumn(), console=terminal, transient=True)

"""Text on a terminal: colour where it is wanted, and columns that stand under each other."""

from __future__ import annotations

import os
import sys
import textwrap
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, TextIO
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH: Final = 100
NARROWEST: Final = 40
"""Columns at most, and at least: on a terminal that has fewer it wraps by itself."""
STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
Cell = str | tuple[str, str]
"""A text, or a text and its style."""


@dataclass(frozen=True)
class Console:
    """What a command may touch of the world around it.

    Attributes:
        out: Standard output: what was asked for.
        err: Standard error: the log and errors.
        environ: The environment.
    """

    out: TextIO
    err: TextIO
    environ: Mapping[str, str]

    @cached_property
    def colour(self) -> bool:
        """Whether standard output takes colour."""
        return wants_colour(self.out, self.environ)

    @cached_property
    def width(self) -> int:
        """Columns to wrap at: those of the terminal where standard output is one that has fewer than `WIDTH`."""
        try:
            there = os.get_terminal_size(self.out.fileno()).columns if self.out.isatty() else 0
        except (OSError, ValueError):  # it says that it is a terminal, and has no size
            there = 0
        return max(NARROWEST, min(WIDTH, there or WIDTH))

    def paint(self, text: str, style: str) -> str:
        """The text in a style, or as it is where there is no colour."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.colour and text else text

    def print(self, *lines: str) -> None:
        """Write lines to standard output in one go."""
        self.out.write("".join(f"{line}\n" for line in lines))
        self.out.flush()

    def columns(self, rows: Iterable[Sequence[Cell]], *, indent: int = 2, gap: int = 2) -> list[str]:
        """Rows as lines with aligned columns; the last column is wrapped at `width` under itself."""
        table = [[cell if isinstance(cell, tuple) else (cell, "") for cell in row] for row in rows]
        count = max((len(row) for row in table), default=1) - 1
        widths = [max((width(row[at][0]) for row in table if len(row) > at + 1), default=0) for at in range(count)]
        lines = []
        for row in table:
            *cells, (last, style) = row
            left = [" " * indent]
            for (text, own), wide in zip(cells, widths, strict=False):
                left.append(self._styled(text, own) + " " * (wide - width(text) + gap))
            start = indent + sum(wide + gap for wide in widths[: len(cells)])
            parts = textwrap.wrap(
                last, max(self.width - start, 20), break_on_hyphens=False, break_long_words=False
            ) or [""]
            lines.append(("".join(left) + self._styled(parts[0], style)).rstrip())
            lines += [" " * start + self._styled(part, style) for part in parts[1:]]
        return lines

    def _styled(self, text: str, style: str) -> str:
        return self.paint(text, style) if style else text


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream takes colour: a terminal does, any stream with FORCE_COLOR, and none with NO_COLOR.

    The words are those of https://no-color.org and https://force-color.org: what they hold does not matter, if it is
    not empty; where both are set, NO_COLOR counts, as in Python's own tracebacks.
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    if environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    return sys.platform != "win32" or "WT_SESSION" in environ  # older consoles there print the codes


def width(text: str) -> int:
    """Columns that a text takes on a terminal: two for each full-width character."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)

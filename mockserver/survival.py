"""The survival matrix: which test survives which chip, as text, Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mockserver.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Fate = Literal["passed", "wrong text", "silent empty", "exception", "hang", "skipped"]
MEANINGS: Final[dict[Fate, str]] = {
    "passed": "the test passed",
    "wrong text": "an assertion failed",
    "silent empty": "assert_client_saw: the wire carried content, and the client showed nothing and raised nothing",
    "exception": "the client raised; the cell names the exception",
    "hang": "the test did not end in time",
    "skipped": "the test was skipped, or was expected to fail and did",
}
MISSING: Final = "-"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test on one chip.

    Attributes:
        test: The test's name, without the chip.
        chip: The chip.
        fate: What became of it.
        detail: The exception's name where the fate is `exception`.
        says: The first line of what was said; empty for a test that passed.
    """

    test: str
    chip: str
    fate: Fate
    detail: str = ""
    says: str = ""

    @property
    def cell(self) -> str:
        """What stands in the matrix."""
        return self.detail if self.fate == "exception" else self.fate


@dataclass(frozen=True, slots=True)
class Matrix:
    """Outcomes of tests on chips.

    Attributes:
        chips: The columns.
        outcomes: In the order in which they came.
    """

    chips: Sequence[str]
    outcomes: Sequence[Outcome]

    @property
    def columns(self) -> list[str]:
        """The chips asked for, and those that markers added."""
        return list(dict.fromkeys([*self.chips, *(one.chip for one in self.outcomes)]))

    @property
    def rows(self) -> dict[str, dict[str, Outcome]]:
        """Outcomes by test and chip; tests in alphabetical order, since workers end in any order."""
        rows: dict[str, dict[str, Outcome]] = {}
        for one in self.outcomes:
            rows.setdefault(one.test, {})[one.chip] = one
        return dict(sorted(rows.items()))

    @property
    def summary(self) -> str:
        """How many of each fate."""
        counts = {fate: sum(one.fate == fate for one in self.outcomes) for fate in MEANINGS}
        return ", ".join(f"{count} {fate}" for fate, count in counts.items() if count) or "no test uses the mock"

    def table(self) -> list[list[str]]:
        """Head and rows."""
        lines = [["test", *self.columns]]
        for test, row in self.rows.items():
            lines.append([test, *(row[chip].cell if chip in row else MISSING for chip in self.columns)])
        return lines


def as_text(matrix: Matrix) -> str:
    """For a terminal."""
    table = matrix.table()
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join([*lines, "", matrix.summary]) + "\n"


def as_markdown(matrix: Matrix) -> str:
    """For a person who reads it later: the matrix, and a line for each that did not survive."""
    head, *rows = [[cell.replace("|", "\\|") for cell in line] for line in matrix.table()]
    lines = ["## Which test survives which chip", "", _markdown_row(head), _markdown_row(["---"] * len(head))]
    lines += [_markdown_row([f"`{test}`", *cells]) for test, *cells in rows]
    lines += ["", matrix.summary, ""]
    told = [one for one in matrix.outcomes if one.fate not in {"passed", "skipped"}]
    lines += [f"- `{one.test}` on {one.chip}: {one.cell}: {one.says}" for one in sorted(told, key=lambda one: one.test)]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_json(matrix: Matrix) -> str:
    """For a program."""
    tests = [
        {
            "test": test,
            "chips": {
                chip: {"fate": one.fate, "detail": one.detail, "says": one.says} for chip, one in sorted(row.items())
            },
        }
        for test, row in matrix.rows.items()
    ]
    return json.dumps({"chips": matrix.columns, "tests": tests}, ensure_ascii=False, indent=2) + "\n"


FORMS: Final[dict[str, Callable[[Matrix], str]]] = {".md": as_markdown, ".json": as_json}


def write(matrix: Matrix, path: Path) -> None:
    """Write a report; its suffix decides the form.

    Raises:
        OperatorError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(FORMS[path.suffix](matrix), "utf-8")
        draft.replace(path)
    except OSError as error:
        raise OperatorError(f"--chips-report {path}: cannot be written: {error.strerror or error}") from None

"""The survival matrix: which test survives which chip, as text, Markdown, JSON and a page."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mockserver.files.atomic import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Fate = Literal["passed", "wrong text", "silent empty", "exception", "hang", "failed", "skipped"]
MEANINGS: Final[dict[Fate, str]] = {
    "passed": "the test passed",
    "wrong text": "an assertion failed",
    "silent empty": "assert_client_saw: the wire carried content, and the client showed nothing and raised nothing",
    "exception": "the client raised; the cell names the exception",
    "hang": "the test did not end in time",
    "failed": "nothing was raised where that was expected: a strict xfail",
    "skipped": "the test was skipped, or was expected to fail and did",
}
COLOURS: Final[dict[Fate, str]] = {
    "passed": "green",
    "wrong text": "red",
    "silent empty": "red",
    "exception": "red",
    "hang": "red",
    "failed": "red",
    "skipped": "yellow",
}
MISSING: Final = "-"
_ESCAPED: Final = re.compile(r"\\(?:\\|u[0-9a-f]{4}|U000[0-9a-f]{5}|U0010[0-9a-f]{4}|x[0-9a-f]{2})")
"""How pytest writes a character beyond ASCII in a test's name, and a backslash: as two, which stay."""


@dataclass(frozen=True, slots=True)
class ChipOutcome:
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

    @property
    def survived(self) -> bool:
        """Whether nothing went wrong."""
        return self.fate in {"passed", "skipped"}


@dataclass(frozen=True, slots=True)
class Matrix:
    """Outcomes of tests on chips.

    Attributes:
        chips: The columns.
        outcomes: In the order in which they came.
    """

    chips: Sequence[str]
    outcomes: Sequence[ChipOutcome]

    @property
    def columns(self) -> list[str]:
        """The chips asked for, and those that markers added."""
        return list(dict.fromkeys([*self.chips, *(one.chip for one in self.outcomes)]))

    @property
    def rows(self) -> dict[str, dict[str, ChipOutcome]]:
        """Outcomes by test and chip; tests in alphabetical order, since workers end in any order.

        A test may report several times (subtests, the call, the teardown): the first that went wrong counts.
        """
        rows: dict[str, dict[str, ChipOutcome]] = {}
        for one in self.outcomes:
            row = rows.setdefault(one.test, {})
            if one.chip not in row or row[one.chip].survived:
                row[one.chip] = one
        return {test: {chip: row[chip] for chip in self.columns if chip in row} for test, row in sorted(rows.items())}

    @property
    def summary(self) -> str:
        """How many of each fate."""
        fates = [one.fate for row in self.rows.values() for one in row.values()]
        counted = [f"{fates.count(fate)} {fate}" for fate in MEANINGS if fate in fates]
        return ", ".join(counted) or "no test uses the mock"


def as_text(matrix: Matrix, paint: Callable[[str, str], str] = lambda text, _: text) -> str:
    """For a terminal.

    Args:
        matrix: What is shown.
        paint: Gives a text in a colour (`green`, `red`, `yellow`), or as a head (`bold`).
    """
    rows, columns = matrix.rows, matrix.columns
    lines = [[("test", "bold"), *((chip, "bold") for chip in columns)]]
    for test, row in rows.items():
        cells = [(row[chip].cell, COLOURS[row[chip].fate]) if chip in row else (MISSING, "") for chip in columns]
        lines.append([(readable(test), ""), *cells])
    wide = [max(_columns(line[at][0]) for line in lines) for at in range(len(lines[0]))]
    text = "".join(
        "  ".join(
            (paint(cell, colour) if colour else cell) + " " * (wide[at] - _columns(cell))
            for at, (cell, colour) in enumerate(line)
        ).rstrip()
        + "\n"
        for line in lines
    )
    return f"{text}\n{matrix.summary}\n"


def readable(test: str) -> str:
    r"""A test's name for people: `test[\u4f60\u597d]`, as pytest writes it, is `test[你好]`."""

    def letter(found: re.Match[str]) -> str:
        digits = found[0].lstrip("\\uUx")
        return made if digits and (made := chr(int(digits, 16))).isprintable() else found[0]

    return _ESCAPED.sub(letter, test)


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def as_markdown(matrix: Matrix) -> str:
    """For a person who reads it later: the matrix, and a line for each that did not survive."""
    columns = matrix.columns
    lines = [
        "## Which test survives which chip",
        "",
        _markdown(["test", *columns]),
        _markdown(["---"] * (1 + len(columns))),
    ]
    told = []
    for test, row in matrix.rows.items():
        lines.append(
            _markdown([f"`{readable(test)}`", *(row[chip].cell if chip in row else MISSING for chip in columns)])
        )
        told += [
            ": ".join([f"- `{readable(test)}` on {chip}", one.cell, *([one.says] if one.says else [])])
            for chip, one in row.items()
            if not one.survived
        ]
    return "\n".join([*lines, "", matrix.summary, "", *told]).rstrip() + "\n"


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def as_json(matrix: Matrix) -> str:
    """For a program."""
    tests = [
        {
            "test": test,
            "chips": {chip: {"fate": one.fate, "detail": one.detail, "says": one.says} for chip, one in row.items()},
        }
        for test, row in matrix.rows.items()
    ]
    return json.dumps({"chips": matrix.columns, "tests": tests}, ensure_ascii=False, indent=2) + "\n"


def as_html(matrix: Matrix) -> str:
    """For a person who looks: one page that needs no server."""
    from mockserver.page.standalone import document

    told = json.loads(as_json(matrix))
    tests = [{**one, "test": readable(one["test"])} for one in told["tests"]]
    data = {**told, "tests": tests, "summary": matrix.summary, "meanings": MEANINGS}
    return document("Which test survives which chip", "survival", data)


FORMS: Final[dict[str, Callable[[Matrix], str]]] = {".md": as_markdown, ".json": as_json, ".html": as_html}


def write(matrix: Matrix, path: Path) -> None:
    """Write a report; its suffix decides the form.

    Raises:
        OperatorError: it cannot be written.
    """
    write_whole(path, FORMS[path.suffix](matrix), named=f"--chips-report {path}")

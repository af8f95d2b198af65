"""`make contract-score`: how good the contract, `fuzz` and `learn` are, in figures; each part is one module here.

A part is a module with `score()`, which measures and says what came out. Its table is printed, and stands in
`docs/contract.md` between `<!-- make contract-score: NAME -->` and `<!-- end -->`, where NAME is the module's.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tests.snippets import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENT: Final = ROOT / "docs" / "contract.md"


@dataclass(frozen=True)
class Score:
    """What a part measured.

    Attributes:
        sentence: The figures that count, in one or two sentences.
        headings: Of the table.
        rows: The table's cells, a row with as many as there are headings; a figure is text that begins with a digit.
    """

    sentence: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


class Part(Protocol):
    """A module of this package."""

    def score(self) -> Score:
        """Measure."""


def parts() -> dict[str, Part]:
    """The parts that are there, by name."""
    names = (found.name for found in pkgutil.iter_modules(__path__) if found.name != "__main__")
    return {name: importlib.import_module(f"{__name__}.{name}") for name in sorted(names)}


def aligned(score: Score) -> str:
    """The score as Markdown whose columns stand below each other, figures to the right."""
    lines = [list(score.headings), *(list(row) for row in score.rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(score.headings))]
    right = [all(row[column][:1].isdigit() for row in score.rows) for column in range(len(score.headings))]
    lines.insert(
        1, ["-" * (width - 1) + (":" if to_right else "-") for width, to_right in zip(widths, right, strict=True)]
    )

    def padded(line: list[str]) -> str:
        cells = zip(line, widths, right, strict=True)
        return f"| {' | '.join(one.rjust(width) if to_right else one.ljust(width) for one, width, to_right in cells)} |"

    return "\n".join([*map(padded, lines), "", score.sentence])


def written(document: str, name: str, made: str) -> str:
    """A document with a part's table between its marks; raises LookupError where it has no marks for it."""
    marks = re.compile(rf"(<!-- make contract-score: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    new, found = marks.subn(lambda old: f"{old[1]}{made}\n{old[2]}", document)
    if not found:
        raise LookupError(
            f"no <!-- make contract-score: {name} --> … <!-- end -->; write it where the table is to stand"
        )
    return new

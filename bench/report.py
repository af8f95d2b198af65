"""What a benchmark found, whether it reaches its goal, and how both are printed."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEADINGS = ("", "mock", "bare", "ratio", "least-most", "goal", "")


@dataclass(frozen=True)
class Goal:
    """The most that a figure may be.

    Attributes:
        limit: Reached when the figure is not above it.
        of: Which figure is judged: the `ratio` to the bare app, or the `mock`'s own.
    """

    limit: float
    of: Literal["ratio", "mock"] = "ratio"


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        name: What was measured, with its unit in brackets.
        mock: The mock's figure.
        bare: The same of what it is compared with, measured in the same run; None where nothing is.
        goal: What is asked of it; None for a row that only informs.
        spread: The least and the most of all turns: of the ratio, or of the mock's figure where there is no other.
    """

    name: str
    mock: float
    bare: float | None = None
    goal: Goal | None = None
    spread: tuple[float, float] | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the bare figure the mock's is."""
        return self.mock / self.bare if self.bare else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None where there is none to reach."""
        if self.goal is None:
            return None
        judged = self.ratio if self.goal.of == "ratio" else self.mock
        return judged is not None and judged <= self.goal.limit


def measured(
    name: str, ours: Sequence[float], theirs: Sequence[float] | None = None, goal: Goal | None = None
) -> Figure:
    """A row from all turns of the mock and of what took turns with it: medians, and the spread of the ratio."""
    seen = ours if theirs is None else [one / other for one, other in zip(ours, theirs, strict=True)]
    return Figure(name, median(ours), None if theirs is None else median(theirs), goal, (min(seen), max(seen)))


def table(figures: Sequence[Figure]) -> str:
    """The figures in aligned columns: names to the left, numbers to the right."""
    rows = [HEADINGS, *(_cells(figure) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_aligned(cell, width, left=not n) for n, (cell, width) in _columns(row, widths)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def markdown(figures: Sequence[Figure]) -> str:
    """The figures as a table of Markdown."""
    rows = ["| " + " | ".join(cell or "-" for cell in _cells(figure)) + " |" for figure in figures]
    return "\n".join(("| | mock | bare | ratio | least-most | goal | |", "| --- |" + " --- |" * 6, *rows))


def as_json(figures: Sequence[Figure], facts: Mapping[str, str]) -> dict[str, Any]:
    """The same for programs."""
    rows = [asdict(figure) | {"ratio": figure.ratio, "reached": figure.reached} for figure in figures]
    return {"machine": dict(facts), "figures": rows}


def chart(figures: Sequence[Figure]) -> str:
    """An SVG of the rows with a ratio: a bar for each, on a logarithmic scale from 0.1x to 1,000x, its goal a line."""
    rows = [figure for figure in figures if figure.ratio]
    height = 24 * len(rows) + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{height}" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/><g font-family="sans-serif">',
    ]
    for number, figure in enumerate(rows):
        top, ratio = 24 * number + 10, figure.ratio or 0.0
        colour = {None: "#999999", True: "#2e8b57", False: "#c0392b"}[figure.reached]
        lines.append(
            f'<text x="430" y="{top + 12}" text-anchor="end">{escape(figure.name)}</text>'
            f'<rect x="440" y="{top}" width="{_along(ratio):.0f}" height="16" fill="{colour}"/>'
            f'<text x="{446 + _along(ratio):.0f}" y="{top + 12}">{ratio:.2f}x</text>'
        )
        if figure.spread is not None:
            least, most = (440 + _along(one) for one in figure.spread)
            lines.append(f'<path d="M{least:.0f} {top + 8}H{most:.0f}" stroke="black"/>')
        if figure.goal is not None and figure.goal.of == "ratio":
            at = 440 + _along(figure.goal.limit)
            lines.append(f'<path d="M{at:.0f} {top - 3}v22" stroke="black" stroke-width="2"/>')
    return "\n".join((*lines, "</g></svg>", ""))


def _along(ratio: float) -> float:
    return min(max(math.log10(ratio) + 1, 0.02), 4) * 95


def machine() -> dict[str, str]:
    """What a reader must know of the machine to place the figures."""
    packages = [f"{name} {_version(name)}" for name in ("uvicorn", "uvloop", "httptools", "starlette", "pydantic")]
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(packages),
    }


def _columns(row: Sequence[str], widths: Sequence[int]) -> list[tuple[int, tuple[str, int]]]:
    return list(enumerate(zip(row, widths, strict=True)))


def _aligned(cell: str, width: int, *, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)


def _cells(figure: Figure) -> tuple[str, ...]:
    goal = figure.goal
    return (
        figure.name,
        _number(figure.mock),
        "" if figure.bare is None else _number(figure.bare),
        "" if figure.ratio is None else f"{figure.ratio:.2f}x",
        "" if figure.spread is None else "-".join(map(_number, figure.spread)),
        "" if goal is None else f"<= {goal.limit:g}{'x' if goal.of == 'ratio' else ''}",
        {None: "", True: "ok", False: "OVER"}[figure.reached],
    )


def _number(value: float) -> str:
    """About three digits: what is beyond is noise."""
    return (
        f"{value:.0f}" if value >= 100 or isinstance(value, int) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"

"""What a benchmark found, whether it reaches its goal, and how both are printed."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal
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
    return "\n".join(("| measured | mock | bare | ratio | least-most | goal | |", "| --- |" + " --- |" * 6, *rows))


def as_json(figures: Sequence[Figure], facts: Mapping[str, str]) -> dict[str, Any]:
    """The same for programs."""
    rows = [asdict(figure) | {"ratio": figure.ratio, "reached": figure.reached} for figure in figures]
    return {"machine": dict(facts), "figures": rows}


_ROW: Final = 21
_HEAD: Final = 52
_BARS: Final = 500
"""Where the bars begin; left of them stand the names and the ratios, which no bar, spread or goal reaches."""
_DECADE: Final = 95
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#1f2328}.n{font-weight:600}.dim{fill:#59636e}.ground{fill:#fff}"
    ".tick{stroke:#d8dee4}"
    ".bare{stroke:#59636e;stroke-dasharray:3 3}.line{stroke:#1f2328}.goal{stroke:#1f2328;stroke-width:2.5}"
    ".free{fill:#a0a8b1}.met{fill:#2e8b57}.missed{fill:#c0392b}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#9198a1}.ground{fill:#161b22}.tick{stroke:#30363d}"
    ".bare{stroke:#9198a1}.line,.goal{stroke:#e6edf3}.free{fill:#6e7681}.met{fill:#3fb27f}.missed{fill:#e5604d}}"
)


def chart(figures: Sequence[Figure]) -> str:
    """An SVG of the rows with a ratio: a bar for each, on a logarithmic scale from 0.1x to 1,000x, its goal a line."""
    rows = [figure for figure in figures if figure.ratio]
    bottom = _HEAD + _ROW * len(rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{bottom + 10}" viewBox="0 0 900 {bottom + 10}">',
        f"<style>{_STYLE}</style>",
        '<rect class="ground" width="100%" height="100%" rx="6"/>',
        *_legend(),
        *(
            f'<path class="{"bare" if ratio == 1 else "tick"}" d="M{_along(ratio)} {_HEAD - 6}V{bottom}"/>'
            f'<text class="dim" x="{_along(ratio)}" y="{_HEAD - 12}" text-anchor="middle">{ratio:g}x</text>'
            for ratio in (0.1, 1, 10, 100)
        ),
    ]
    for number, figure in enumerate(rows):
        top, ratio = _HEAD + _ROW * number, figure.ratio or 0.0
        kind = {None: "free", True: "met", False: "missed"}[figure.reached]
        lines.append(
            f'<g><text x="{_BARS - 62}" y="{top + 12}" text-anchor="end">{escape(figure.name)}</text>'
            f'<text class="n" x="{_BARS - 10}" y="{top + 12}" text-anchor="end">{ratio:.2f}x</text>'
            f'<rect class="{kind}" x="{_BARS}" y="{top + 1}" width="{_along(ratio) - _BARS}" height="14" rx="2"/>'
        )
        if figure.spread is not None:
            least, most = map(_along, figure.spread)
            lines.append(f'<path class="line" d="M{least} {top + 8}H{most}"/>')
        if figure.goal is not None and figure.goal.of == "ratio":
            lines.append(f'<path class="goal" d="M{_along(figure.goal.limit)} {top - 2}v20"/>')
        lines.append("</g>")
    return "\n".join((*lines, "</svg>", ""))


def _legend() -> list[str]:
    """What the colours and the lines are, in one row."""
    kinds = (("met", "goal reached"), ("missed", "goal missed"), ("free", "no goal"))
    drawn = [
        f'<rect class="{kind}" x="{12 + 110 * at}" y="9" width="10" height="10" rx="2"/>'
        f'<text class="dim" x="{27 + 110 * at}" y="18">{says}</text>'
        for at, (kind, says) in enumerate(kinds)
    ]
    return [
        *drawn,
        '<path class="goal" d="M322 6v16"/><text class="dim" x="332" y="18">the goal</text>',
        '<path class="line" d="M402 14h18"/><text class="dim" x="426" y="18">least to most of all turns</text>',
        '<path class="bare" d="M602 4v20"/><text class="dim" x="612" y="18">1x: the bare app</text>',
    ]


def _along(ratio: float) -> int:
    """Where a ratio stands on the scale."""
    decades: float = min(max(math.log10(ratio) + 1, 0.02), 4)
    return _BARS + round(decades * _DECADE)


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

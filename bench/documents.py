"""A run written into the documents: all rows into docs/speed.md, six into both READMEs, a chart, and the JSON.

Each table stands between two comments, `<!-- bench -->` and `<!-- end of bench -->`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from bench.report import Figure, Goal, as_json, chart, markdown
from bench.servers import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHART: Final = ROOT / "docs" / "pictures" / "speed.svg"
DATA: Final = ROOT / "docs" / "pictures" / "speed.json"
SIX: Final = {
    "synthetic, every prompt new (µs of CPU)": (
        "a prompt that is new, answered with synthetic text",
        "没问过的提示",
    ),
    "synthetic, asked before (µs of CPU)": ("the same, asked before", "问过的同一提示"),
    "fixture, request new (µs of CPU)": ("a fixture, the request new", "fixture，新的请求"),
    "--clock real, same request (µs of CPU)": ("`--clock real`, the same request", "`--clock real`，同样的请求"),
    "800 paced streams: p99 off schedule (ms)": ("800 paced streams, p99 off schedule", "800 个定速流，偏离时间的 p99"),
    "command to first answer, synthetic (ms)": ("command to first answer, synthetic", "从命令到第一个应答，合成的"),
}
"""The rows of the READMEs, in English and in Chinese."""
_BETWEEN: Final = re.compile(r"(<!-- bench -->\n).*?(<!-- end of bench -->)", re.DOTALL)


def write_documents(figures: Sequence[Figure], facts: Mapping[str, str], *, whole: bool = True) -> None:
    """Write all that the run found; what it did not measure is left out.

    Args:
        figures: What it found.
        facts: What a reader must know of the machine.
        whole: Whether it measured everything; what it did not measure stays as it was where it measured some parts.
    """
    if not whole:
        names = {figure.name for figure in figures}
        kept = [one for one in written() if one.name not in names]
        if kept:
            facts = {**facts, "measured in a run of their own": f"the {len(figures)} rows at the end"}
        figures = [*kept, *figures]
    CHART.write_text(chart(figures), "utf-8")
    DATA.write_text(json.dumps(as_json(figures, facts), indent=1, ensure_ascii=False) + "\n", "utf-8")
    machine = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
    _replace("docs/speed.md", f"{machine}\n\n{markdown(figures)}")
    for number, (name, now, goal) in enumerate((("README.md", "now", "goal"), ("README.zh-CN.md", "现在", "目标"))):
        rows = [f"| {SIX[one.name][number]} | {_shown(one)} | {_goal(one)} |" for one in figures if one.name in SIX]
        _replace(name, "\n".join((f"| | {now} | {goal} |", "| --- | --- | --- |", *rows)))


def written() -> list[Figure]:
    """The rows of the documents as they are."""
    rows = json.loads(DATA.read_text("utf-8"))["figures"]
    return [
        Figure(row["name"], row["mock"], row["bare"], Goal(**row["goal"]) if row["goal"] else None,
               tuple(row["spread"]) if row["spread"] else None)
        for row in rows
    ]  # fmt: skip


def _shown(figure: Figure) -> str:
    """What is judged of a row."""
    if figure.goal is not None and figure.goal.of == "mock":
        return f"{figure.mock:.1f} ms"
    return f"{figure.ratio:.1f}"


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return "-"
    return f"{figure.goal.limit:g} ms" if figure.goal.of == "mock" else f"{figure.goal.limit:g}"


def _replace(name: str, table: str) -> None:
    path = ROOT / name
    text, count = _BETWEEN.subn(lambda marks: f"{marks[1]}{table}\n{marks[2]}", path.read_text("utf-8"))
    if count != 1:
        raise RuntimeError(f"{name}: {count} places between <!-- bench --> and <!-- end of bench -->; one is needed")
    path.write_text(text, "utf-8")

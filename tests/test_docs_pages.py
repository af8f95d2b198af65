"""The pages beside the snippets: links, headings, sizes, and figures that stand in prose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bench.cases import BENCHMARKS
from bench.report import Figure, Goal
from mockserver.pipeline.request.rules import RequestRules
from mockserver.server.journal import MOST_BYTES_OF_ALL
from mockserver.server.limited_protocol import HEAD_LIMIT_BYTES
from mockserver.server.protocol import MockProtocol
from tests.snippets import ROOT, table

if TYPE_CHECKING:
    from pathlib import Path

READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
SPEED = DOCS / "speed.md"
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")))
MOST_LINES = 300
"""A README that is longer is not read."""
CHANGES = ("Added", "Changed", "Fixed", "Removed")
CHINESE = {
    "是": "yes",
    "否": "no",
    "SSE 事件": "events",
    "JSON 行": "JSON lines",
    "一个 JSON 对象": "one JSON body",
    "每一块": "every chunk",
    "最后一块": "last chunk",
    "在正文里": "in the body",
    "带 `finish_reason` 的块": "the finish chunk",
}
"""The words of the Chinese table of chips."""
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


def named(page: Path) -> str:
    """A page's path in the repository, as an id."""
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCED.sub("", page.read_text("utf-8"))


def headings(page: Path) -> list[tuple[int, str]]:
    """Level and text of each heading."""
    return [(len(marks), text) for marks, text in HEADING.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """What `#…` in a link to the page may name: its headings as the repository's hosts spell them."""
    return {re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for _, text in headings(page)}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links between the pages name files that are there, and headings that those have."""
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        target, _, anchor = link.partition("#")
        if "://" in link:
            continue
        there = (page.parent / target).resolve() if target else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.append(link)

    assert dead == []


def test_every_page_stands_in_the_index() -> None:
    """docs/README.md names each page of its folder once."""
    assert sorted(row[1] for row in table(INDEX, "you want to")) == sorted(
        f"[{page.name}]({page.name})" for page in DOCS.glob("*.md") if page != INDEX
    )


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=named)
def test_a_page_begins_with_what_it_is_for(page: Path) -> None:
    """A title, the way to the Chinese page, then a sentence or two; no list, no table and no command."""
    title, *parts = page.read_text("utf-8").split("\n\n")[:3]
    first = next(part for part in parts if not part.startswith("**[中文]("))

    assert re.fullmatch(r"# .+", title)
    assert re.match(r"[^\W\d]|[\[`]", first), first
    assert "```" not in first


@pytest.mark.parametrize("page", READMES, ids=named)
def test_a_readme_is_short(page: Path) -> None:
    """What is longer belongs into docs/."""
    assert len(page.read_text("utf-8").splitlines()) <= MOST_LINES


def test_both_readmes_have_the_same_sections() -> None:
    """As many headings, of the same levels in the same order."""
    english, chinese = ([level for level, _ in headings(page)] for page in READMES)

    assert chinese == english


def test_both_tables_of_chips_say_the_same() -> None:
    """The Chinese table is the English one, which is held against the server."""
    english, chinese = (table(page, first) for page, first in zip(READMES, ("edition", "版本"), strict=True))

    assert [[CHINESE.get(cell, cell) for cell in row] for row in chinese] == english


def test_the_changelog_keeps_its_form() -> None:
    """Known headings in their order, and each change a sentence on a line of its own."""
    changelog = ROOT / "CHANGELOG.md"
    for release in re.split(r"^## ", changelog.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", release, re.MULTILINE)
        _, *changes = re.split(r"^### .+\n", release, flags=re.MULTILINE)
        lines = [line for part in changes for line in part.splitlines() if line]

        assert kinds == [kind for kind in CHANGES if kind in kinds]
        assert [line for line in lines if not re.fullmatch(r"- .+\.", line)] == []


def test_every_part_of_the_benchmark_is_explained() -> None:
    """docs/speed.md has a row for each part that `make bench` takes, in its order."""
    assert [row[0].strip("`") for row in table(SPEED, "part")] == list(BENCHMARKS)


def judged() -> list[tuple[Figure, str]]:
    """The figures with a goal that docs/speed.md prints, and the mark that stands behind each."""
    found = []
    for name, mock, bare, _ratio, _spread, goal, mark in table(SPEED, "measured"):
        if goal != "-":
            limit = Goal(float(goal.strip("<= x")), "ratio" if goal.endswith("x") else "mock")
            found.append((Figure(name, float(mock), None if bare == "-" else float(bare), limit), mark))
    return found


@pytest.mark.parametrize(("figure", "mark"), judged(), ids=lambda value: getattr(value, "name", ""))
def test_a_printed_figure_is_marked_as_it_is_judged(figure: Figure, mark: str) -> None:
    """No figure that misses its goal is shown as reaching it."""
    assert mark == ("ok" if figure.reached else "OVER")


def test_the_limits_are_those_of_the_program() -> None:
    """SECURITY.md says the figures that the server keeps to."""
    told = (ROOT / "SECURITY.md").read_text("utf-8")
    allowed = RequestRules.body_limit_bytes

    assert f"{HEAD_LIMIT_BYTES // 2**10} KiB and {MockProtocol.head_seconds:g} s" in told
    assert f"its body {MockProtocol.body_seconds:g} s" in told
    assert f"({allowed // 2**20} MiB unless it says otherwise)" in told
    assert f"{MOST_BYTES_OF_ALL // 2**20} MiB" in told


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_files_that_are_named_are_there(name: str) -> None:
    """A path in code font lies in the checkout, or in the package where it begins with one of its folders."""
    paths = re.findall(r"[` ]((?:[a-z_]+/)+[a-z_]+\.(?:py|toml))\b", (ROOT / name).read_text("utf-8"))

    assert [path for path in paths if not (ROOT / path).exists() and not (ROOT / "mockserver" / path).exists()] == []

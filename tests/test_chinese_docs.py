"""The Chinese pages stand beside the English ones: the same headings, the same snippets, links to one another."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import pytest

from mockserver.pipeline.faults.table import FAULTS
from tests.snippets import ROOT, table
from tests.tables import quirk_table

if TYPE_CHECKING:
    from pathlib import Path

PAGES: Final = sorted((ROOT / "docs" / "zh").glob("*.md"))
README: Final = ROOT / "README.zh-CN.md"
ENGLISH_TOO: Final = {README: {ROOT / "docs" / "faults.md"}}
"""Where a Chinese page leads to an English one that has a twin: to a table that is written by code."""
SNIPPET: Final = re.compile(r"^(?:<!-- [^\n]*-->\n)?```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
HEADING: Final = re.compile(r"^(#+) (.+)$", re.MULTILINE)
LINK: Final = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
FACT: Final = re.compile(r"`[^`]+`|(?<![\w`])\d+(?:[,.]\d+)*")
"""What a cell says in every language: a name in code, a number."""
NOT_WORDS: Final = re.compile(r"[^\w\- ]")


def prose(path: Path) -> str:
    """A page without its snippets."""
    return SNIPPET.sub("", path.read_text("utf-8"))


def anchors(path: Path) -> set[str]:
    """What a link may name within a page: its headings, as GitHub writes them."""
    return {NOT_WORDS.sub("", text.lower()).replace(" ", "-") for _, text in HEADING.findall(prose(path))}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_has_what_the_english_one_has(path: Path) -> None:
    """Headings of the same levels in the same order, and every snippet to the character."""
    english = ROOT / "docs" / path.name
    levels = [[marks for marks, _ in HEADING.findall(prose(one))] for one in (english, path)]
    pairs = zip_longest(*(SNIPPET.findall(one.read_text("utf-8")) for one in (english, path)))

    assert levels[0] == levels[1]
    assert [theirs or ours for theirs, ours in pairs if theirs != ours] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_leads_to_its_twin(path: Path) -> None:
    """The line under the title leads to the other language, both ways."""
    english = ROOT / "docs" / path.name
    lines = [one.read_text("utf-8").split("\n\n")[1] for one in (english, path)]

    assert lines == [f"**[中文](zh/{path.name})**", f"**[English](../{path.name})**"]


@pytest.mark.parametrize("path", [*PAGES, README], ids=lambda path: path.name)
def test_a_reader_of_chinese_stays_with_it(path: Path) -> None:
    """Where a page has a Chinese twin, a Chinese page leads there, but for its own twin."""
    leads = {
        (path.parent / target).resolve() for target, _ in LINK.findall(prose(path)) if target and ":" not in target
    }
    twins = {ROOT / "docs" / one.name for one in PAGES if one.name != path.name}

    assert leads & twins - ENGLISH_TOO.get(path, set()) == set()


@pytest.mark.parametrize("path", [*PAGES, README], ids=lambda path: path.name)
def test_a_page_is_chinese_and_its_links_lead_somewhere(path: Path) -> None:
    """Every heading and paragraph has Chinese in it; a link's page and heading are there."""
    wanting = [
        f"{target}#{anchor}"
        for target, anchor in LINK.findall(prose(path))
        if ":" not in target
        and not ((one := path.parent / target if target else path).exists() and (not anchor or anchor in anchors(one)))
    ]
    plain = [text for text in prose(path).split("\n\n") if len(text) > 40 and not re.search(r"[\u4e00-\u9fff]", text)]

    assert wanting == []
    assert [text for text in plain if not text.startswith(("`", "<!-- make", "| framework |", "**[English]"))] == []


def test_the_pages_name_every_fault() -> None:
    """The Chinese page lists the faults in the order of the table."""
    told = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "zh" / "faults.md").read_text("utf-8"), re.MULTILINE)

    assert told == list(FAULTS)


def test_both_indexes_name_the_same_pages() -> None:
    """The Chinese index leads to the same pages as the English one, in the same order."""
    english, chinese = (
        [row[1].partition("]")[0] for row in table(ROOT / "docs" / name, first)]
        for name, first in (("README.md", "you want to"), ("zh/README.md", "你想要"))
    )

    assert chinese == english


def test_the_pages_name_every_quirk() -> None:
    """Group by group, in the order of the table, the standard in bold."""
    groups: dict[str, list[str]] = {}
    for name, group, _ in quirk_table()[1:]:
        groups.setdefault(group, []).append(name)

    assert [(row[0], row[2].split("、")) for row in table(ROOT / "docs" / "zh" / "quirks.md", "组")] == list(
        groups.items()
    )


def test_the_site_leads_to_each_page() -> None:
    """In its navigation, once in each language."""
    led = re.findall(r": docs/(zh/)?([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    pages = sorted(path.name for path in PAGES)

    assert [sorted(name for folder, name in led if folder == one) for one in ("", "zh/")] == [pages, pages]


def test_the_site_finds_chinese_words() -> None:
    """Jieba parts them by U+200B where the index is built, and the index is cut there."""
    assert r"separator: '[\s\u200b\-]+'" in (ROOT / "mkdocs.yml").read_text("utf-8")
    assert re.search(r'^docs = \[.*"jieba==', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", ["robustness.md", "scale.md", "install.md", "exchange-file.md"])
def test_tables_have_the_same_figures_and_names(name: str) -> None:
    """Row by row: a limit that changes on one page changes on the other."""
    english, chinese = (
        [sorted(FACT.findall(row)) for row in re.findall(r"^\|.*", prose(folder / name), re.MULTILINE)]
        for folder in (ROOT / "docs", ROOT / "docs" / "zh")
    )

    assert chinese == english

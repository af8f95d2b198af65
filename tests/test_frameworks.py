"""The table of frameworks: complete, and without a loss on a chip whose streams are SSE."""

from __future__ import annotations

import pytest

from tests.frameworks.runs import FOLDER, FRAMEWORKS, ODD, TARGETS, cell, row, rows_of, table
from tests.snippets import ROOT

ROWS = rows_of((ROOT / "docs" / "clients.md").read_text("utf-8"))


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.versions)
def test_each_framework_is_pinned_and_in_the_table(framework: object) -> None:
    """Its program is there, each version is exact, and the table's row is that of the pinned version."""
    one = next(known for known in FRAMEWORKS if known is framework)
    mark = "@" if one.program.endswith(".mjs") else "=="

    assert (FOLDER / "programs" / one.program).is_file()
    assert all(pin.rpartition(mark)[2][0].isdigit() for pin in one.pins)
    assert f"{one.title} {one.version}" in [cells[0] for cells in ROWS]


def test_the_chinese_page_has_the_same_table() -> None:
    """Both are written by one command, whose words are explained in each language."""
    assert rows_of((ROOT / "docs" / "zh" / "clients.md").read_text("utf-8")) == ROWS


def test_no_loop_is_endless_and_nothing_is_lost_where_streams_are_good() -> None:
    """What is lost without an error is lost on the chip that streams bare lines, and stands behind its name."""
    assert len(ROWS) == len(FRAMEWORKS) + 1
    for cells in ROWS[1:]:
        for text in cells[1:]:
            assert "does not end" not in text
            assert "empty" not in "".join(part.partition("; chip3:")[0] for part in text.split("<br>"))


def test_a_cell_tells_what_is_otherwise_on_the_odd_chip() -> None:
    """The same everywhere is told once; a framework's further tasks go into the last column."""
    same = dict.fromkeys(TARGETS, "reads")
    framework = FRAMEWORKS[0]

    assert cell(same) == "reads"
    assert cell({**same, ODD: "empty"}) == "reads; chip3: **empty**"
    assert cell({**same, "nvidia 2025": "raises X"}) == "reads / raises X; chip3: **reads**"
    assert row(framework, {"text": same, "code": same}) == [
        f"{framework.title} {framework.version}", "reads", "–", "–", "–", "–", "code: reads"
    ]  # fmt: skip


def test_a_row_of_one_framework_leaves_those_of_the_others() -> None:
    """What ran is written anew in its place; what did not run, or could not be installed, stays as it was."""
    first, second, third = FRAMEWORKS[:3]
    before = [[f"{third.title} 1.0", "reads"], [f"{first.title} 1.0", "empty"], ["one that is gone 1.0", "reads"]]
    results = {one.title: {"text": dict.fromkeys(TARGETS, "reads")} for one in (first, second)}

    assert table(results, before)[1:] == [
        [f"{first.title} {first.version}", "reads", "–", "–", "–", "–", "–"],
        [f"{second.title} {second.version}", "reads", "–", "–", "–", "–", "–"],
        [f"{third.title} 1.0", "reads"],
    ]

"""The figures of `docs/contract.md`: how they are written."""

from __future__ import annotations

import pytest

from tests import score
from tests.score.__main__ import main


def test_a_table_is_aligned() -> None:
    """Columns stand below each other, and figures to the right."""
    made = score.aligned(score.Score("Two.", ("clause", "caught"), (("`status`", "12"), ("`ends`", "3"))))

    assert made.splitlines() == [
        "| clause   | caught |",
        "| -------- | -----: |",
        "| `status` |     12 |",
        "| `ends`   |      3 |",
        "",
        "Two.",
    ]


def test_a_table_is_written_between_its_marks() -> None:
    """What stood there is replaced, and nothing else; a document without marks is told."""
    before = "a\n<!-- make contract-score: x -->\nold\n<!-- end -->\nb\n<!-- make contract-score: y -->\n<!-- end -->\n"

    after = score.written(before, "x", "new")

    assert after == before.replace("old", "new")
    with pytest.raises(LookupError, match="no <!-- make contract-score: z -->"):
        score.written(before, "z", "new")


def test_every_part_has_its_place_in_the_document() -> None:
    """`make contract-score` writes each table where it is read."""
    document = score.DOCUMENT.read_text("utf-8")

    for name in score.parts():
        assert f"<!-- make contract-score: {name} -->" in document


def test_a_part_that_is_not_there_is_named() -> None:
    """A word that names no part ends it in one line, before anything runs."""
    with pytest.raises(SystemExit, match=r"no part mutant; allowed: .*mutants"):
        main(["mutant"])

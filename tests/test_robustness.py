"""`docs/robustness.md` tells each limit as the code has it, and names a test that is there."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Final

import pytest

from tests.command import ROOT

PAGE: Final = (ROOT / "docs" / "robustness.md").read_text("utf-8")
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and "`mockserver." in line
]
TESTS: Final = sorted(set(re.findall(r"`(tests/\w+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[3].strip("`").rpartition(".")[2])
def test_the_figure_is_the_codes(row: list[str]) -> None:
    """The first number of a row's limit is what the code's name holds."""
    module, _, name = row[3].strip("`").rpartition(".")
    figure = re.search(r"\d+", row[1])
    assert figure is not None
    assert int(figure[0]) == getattr(import_module(module), name)


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_the_named_test_is_there(file: str, name: str) -> None:
    """A test that is renamed is renamed on the page."""
    assert f"def {name}(" in (ROOT / file).read_text("utf-8")

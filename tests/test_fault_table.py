"""The tables of what each fault does to the wire and to the OpenAI SDK are what is observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mockserver.pipeline.disturb import FAULT_TYPES
from tests.fault_table import FAULTS, TABLES, observed
from tests.snippets import table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    """All cells, observed once."""
    return observed()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("document", TABLES, ids=lambda document: document.name)
def test_a_row_is_what_is_observed(rows: dict[str, dict[str, str]], document: Path, fault: str) -> None:
    """Raw socket and SDK see what the document says; `python -m tests.fault_table` writes the tables anew."""
    told = {row[0]: row for row in table(document, "armed")}

    assert told[f"`{fault}`"] == [rows[fault][heading] for heading in TABLES[document]]


@pytest.mark.parametrize("document", TABLES, ids=lambda document: document.name)
def test_every_fault_has_a_row(document: Path) -> None:
    """Each fault of the program stands there, and nothing else does."""
    assert [row[0].strip("`") for row in table(document, "armed")] == list(FAULTS)
    assert {fault.partition(";")[0] for fault in FAULTS} == set(FAULT_TYPES)

"""The tables of faults in the documents are what the classes say and what is observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mockserver.pipeline.faults.table import FAULTS
from tests.fault_cases import Sdk
from tests.fault_docs import SILENT, documented, observed, tables, with_table

if TYPE_CHECKING:
    from tests.fault_cases import FaultCase

WRITTEN = ("README.md", "README.zh-CN.md", "faults.md")
COMMAND = "make tables"


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    """What is observed, once."""
    return observed()


@pytest.mark.parametrize("case", documented(), ids=str)
def test_the_sdk_makes_of_it_what_the_table_of_cases_says(rows: dict[str, dict[str, str]], case: FaultCase) -> None:
    """The SDK's outcome of each row is observed over a real socket: on events, on bare JSON lines, on a whole body."""
    seen = rows[case.text]
    made = Sdk(seen["SDK, stream"], seen["SDK, chip3 stream"], seen["SDK, whole"])

    assert made == case.sdk, f"the SDK makes of it {made}"


@pytest.mark.parametrize("name", WRITTEN)
def test_a_document_is_as_it_is_written(rows: dict[str, dict[str, str]], name: str) -> None:
    """Raw socket and SDK see what the document says, and each fault and each setting stands in it."""
    for document, table in tables(rows):
        if document.name == name:
            text = document.read_text("utf-8")
            lines = [line for line in with_table(text, table).splitlines() if line not in text.splitlines()]

            assert lines == [], f"{document.name} is not what is observed; write it anew with `{COMMAND}`"
            assert with_table(text, table) == text, f"{document.name} has more rows; write it anew with `{COMMAND}`"


def test_readme_shows_what_is_silent(rows: dict[str, dict[str, str]]) -> None:
    """Of what README shows the SDK raises nothing in a stream."""
    assert [text for text in SILENT if not rows[text]["SDK, stream"].startswith("**silent")] == []


def test_every_fault_is_shown() -> None:
    """docs/faults.md has an observed row for each fault of the program."""
    assert {case.fault.type for case in documented()} == set(FAULTS)

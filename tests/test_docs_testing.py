"""docs/testing.md: its snippets run, its sessions are the program's, and README's test is the one that is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mockserver.testing.session import Session
from tests.inner_pytest import SIX_LINES
from tests.snippets import ROOT, Block, blocks, check, different, table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Live

GUIDE = ROOT / "docs" / "testing.md"

HERE = [block for block in different() if block.document == GUIDE]


@pytest.mark.parametrize("block", HERE, ids=lambda block: block.name)
def test_snippet(block: Block, servers: dict[str, Live], tmp_path: Path) -> None:
    """A snippet runs against a server as it stands, and prints what the page says."""
    check(block, f"127.0.0.1:{servers['2024-tutorial'].port}", tmp_path)


def test_the_six_lines_are_those_that_are_tested() -> None:
    """The first snippet is the test that is run inside pytest elsewhere."""
    assert blocks(GUIDE)[0].text == SIX_LINES
    assert len([line for line in SIX_LINES.splitlines() if line]) <= 6


def test_every_method_of_a_session_is_documented() -> None:
    """The table of sessions names each public method and property."""
    told = " ".join(row[0] for row in table(GUIDE, "on a session"))
    public = {name for name in dir(Session) if not name.startswith("_")} - {"call", "close", "url"}

    assert not {name for name in public if name not in told}

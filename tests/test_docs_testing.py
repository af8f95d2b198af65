"""docs/testing.md: its sessions are the program's, and README's test is the one that is tested."""

from __future__ import annotations

from mockserver.testing.session import Session
from tests.inner_pytest import SIX_LINES
from tests.snippets import ROOT, blocks, table

GUIDE = ROOT / "docs" / "testing.md"


def test_the_six_lines_are_those_that_are_tested() -> None:
    """The first snippet is the test that is run inside pytest elsewhere."""
    assert blocks(GUIDE)[0].text == SIX_LINES
    assert len([line for line in SIX_LINES.splitlines() if line]) <= 6


def test_every_method_of_a_session_is_documented() -> None:
    """The table of sessions names each public method and property."""
    told = " ".join(row[0] for row in table(GUIDE, "on a session"))
    public = {name for name in dir(Session) if not name.startswith("_")} - {"call", "close", "url"}

    assert not {name for name in public if name not in told}

"""docs/contract.md: its snippets run; most of them take a run of the contract, of drift, of learn or of fuzz."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.snippets import ROOT, Block, check, different

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Live

PAGE = ROOT / "docs" / "contract.md"

HERE = [block for block in different() if block.document == PAGE]


@pytest.mark.parametrize("block", HERE, ids=lambda block: block.name)
def test_snippet(block: Block, servers: dict[str, Live], tmp_path: Path) -> None:
    """A snippet runs against a server as it stands, and prints what the page says."""
    check(block, f"127.0.0.1:{servers['2024-tutorial'].port}", tmp_path)

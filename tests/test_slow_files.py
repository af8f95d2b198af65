"""A run of the tests tells which files take long."""

from __future__ import annotations

from tests.slow_files import MOST_SECONDS, told
from tests.snippets import ROOT


def test_a_slow_file_is_named() -> None:
    """What its tests take together counts, and the line leads to what is to be done."""
    half = MOST_SECONDS / 2
    lines = told(
        [("tests/a.py::x", half), ("tests/b.py::x", 9.0), ("tests/a.py::y[1]", half + 1), ("tests/c.py::x", 99)]
    )

    assert [line.partition(",")[0] for line in lines] == ["tests/c.py took 99 s", "tests/a.py took 61 s"]
    heading = lines[0].rpartition("CONTRIBUTING.md, ")[2]
    assert f"\n## {heading}\n" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")

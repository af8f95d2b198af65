"""The figures of docs/scale.md are those of the simulation, and the simulation is a queue."""

from __future__ import annotations

import pytest

from bench.sizing import Machine, late_ms, most_streams, share, sized
from tests.snippets import ROOT

PAGE = ROOT / "docs" / "scale.md"


def test_the_page_has_the_figures_of_the_simulation() -> None:
    """The page's table has the simulation's figures, row by row."""
    columns = [sized(100_000, inter_token_ms, 150, Machine()) for inter_token_ms in (20, 50, 100)]
    rows = [f"| {name} | {' | '.join(f'{one[name]:,}' for one in columns)} |" for name in columns[0]]

    assert "\n".join(rows) in PAGE.read_text("utf-8")


@pytest.mark.parametrize("inter_token_ms", [5, 20, 100])
def test_a_process_takes_what_leaves_a_reserve(inter_token_ms: float) -> None:
    """One step more would be late, or more than four fifths of a core."""
    machine = Machine()
    most = most_streams(inter_token_ms, 150, machine)

    assert share(most, inter_token_ms, 150, machine) <= 0.8
    assert late_ms(most, inter_token_ms, 150, machine) <= 5
    assert share(most + 25, inter_token_ms, 150, machine) > 0.8


def test_a_full_core_falls_behind() -> None:
    """Where chunks cost more than there is time, they are later and later."""
    assert late_ms(200, 20, 150, Machine()) < 5
    assert late_ms(1200, 20, 150, Machine()) > 100


def test_a_long_hold_makes_streams_late() -> None:
    """Though the core is hardly used: what holds the loop holds all streams."""
    assert late_ms(100, 20, 150, Machine(held_ms=50)) > 20

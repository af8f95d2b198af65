"""Files of tests that take long. A file runs in one worker, so the others may be done and wait for it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_SECONDS: Final = 60
"""A file should take less, on two cores that nobody else uses."""


def told(durations: Iterable[tuple[str, float]]) -> list[str]:
    """A line for each file over the limit, the slowest first.

    Args:
        durations: Node ids of tests, each with seconds that some part of it took.
    """
    spent: dict[str, float] = defaultdict(float)
    for test, seconds in durations:
        spent[test.partition("::")[0]] += seconds
    return [
        f"{name} took {seconds:.0f} s, {MOST_SECONDS} s are allowed: see CONTRIBUTING.md, The time of the tests"
        for name, seconds in sorted(spent.items(), key=lambda one: -one[1])
        if seconds > MOST_SECONDS
    ]

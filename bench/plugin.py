"""What the pytest plugin costs a suite: at the start, and for each test."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import Figure, Goal

if TYPE_CHECKING:
    from bench.servers import Bench

ROOT = Path(__file__).parent.parent
STARTS = 15
TESTS = 300
WITH = ("-p", "mockserver.testing.plugin")
CONFTEST = """
import pathlib, time, pytest

TIMES = []

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    started = time.perf_counter()
    result = yield
    TIMES.append((time.perf_counter() - started) * 1000)
    return result

def pytest_unconfigure():
    pathlib.Path("times.txt").write_text("\\n".join(map(str, TIMES)))
"""


def plugin(_bench: Bench) -> list[Figure]:
    """What the plugin adds to collecting nothing, and what its fixture adds to a test that does nothing."""
    with tempfile.TemporaryDirectory(prefix="genstudio-mock-bench-") as name:
        folder = Path(name)
        starts: dict[tuple[str, ...], list[float]] = {(): [], WITH: []}
        for _ in range(STARTS):
            for plugins, found in starts.items():
                found.append(_run(folder, "--collect-only", *plugins))
        added = statistics.median(starts[WITH]) - statistics.median(starts[()])
        without, with_mock = (_test_ms(folder, fixture) for fixture in ("request", "genstudio_mock"))
    return [
        Figure("plugin: added to collecting nothing (ms)", added, goal=Goal(30, "mock")),
        Figure("plugin: added to a test that uses it (ms)", with_mock - without, goal=Goal(5, "mock")),
    ]


def _test_ms(folder: Path, fixture: str) -> float:
    """The median milliseconds of a test that does nothing with a fixture."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(
        f"import pytest\n\n@pytest.mark.parametrize('n', range({TESTS}))\ndef test_it({fixture}, n):\n    pass\n"
    )
    _run(folder, *WITH)
    return statistics.median(map(float, (folder / "times.txt").read_text().splitlines()))


def _run(folder: Path, *arguments: str) -> float:
    """Milliseconds of a run of pytest without other plugins."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=False)
    return (time.perf_counter() - started) * 1000

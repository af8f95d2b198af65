"""`pytest --chips`: what becomes of a test, however it is written and wherever it fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.inner_pytest import ASK, runner

if TYPE_CHECKING:
    from tests.inner_pytest import Run

pytest_plugins = "pytester"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a process of its own."""
    return runner(pytester, monkeypatch)


FATES = {
    "TestClass::test_method: passed": """
class TestClass:
    def test_method(self, genstudio_mock):
        assert ask(genstudio_mock)
""",
    "test_parametrized[nvidia]: passed": """
@pytest.mark.parametrize("name", ["nvidia"])
def test_parametrized(genstudio_mock, name):
    assert ask(genstudio_mock)
""",
    "test_asyncio: passed": """
@pytest.mark.asyncio
async def test_asyncio(genstudio_mock):
    assert ask(genstudio_mock)
""",
    "test_anyio: wrong text": """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_anyio(genstudio_mock):
    assert ask(genstudio_mock) == "nothing"
""",
    "test_task_group: ValueError": """
import asyncio

async def fails():
    raise ValueError("in a task")

@pytest.mark.asyncio
async def test_task_group(genstudio_mock):
    async with asyncio.TaskGroup() as group:
        group.create_task(fails())
""",
    "test_asyncio_hangs: hang": """
@pytest.mark.asyncio
async def test_asyncio_hangs(genstudio_mock):
    await asyncio.Event().wait()
""",
    "test_hang_swallowed: hang": """
import threading

def test_hang_swallowed(genstudio_mock):
    try:
        threading.Event().wait(60)
    except BaseException:
        threading.Event().wait(60)
""",
    "test_hang_in_setup: hang": """
@pytest.fixture
def waits(genstudio_mock):
    threading.Event().wait(60)

def test_hang_in_setup(waits):
    pass
""",
    "test_setup: RuntimeError": """
@pytest.fixture
def broken(genstudio_mock):
    raise RuntimeError

def test_setup(broken):
    pass
""",
    "test_teardown: silent empty": """
@pytest.fixture
def shows(genstudio_mock):
    yield
    genstudio_mock.assert_client_saw("")

def test_teardown(shows, genstudio_mock):
    ask(genstudio_mock)
""",
    "test_call_and_teardown: KeyError": """
def test_call_and_teardown(shows, genstudio_mock):
    ask(genstudio_mock)
    raise KeyError("choices")
""",
    "test_subtests: wrong text": """
def test_subtests(genstudio_mock, subtests):
    with subtests.test("first"):
        assert "text" == "nothing"
    with subtests.test("second"):
        pass
""",
    "test_module_scope: passed": """
@pytest.fixture(scope="module")
def of_the_module(genstudio_mock_server):
    with genstudio_mock_server.session() as session:
        yield session

def test_module_scope(of_the_module, genstudio_mock):
    of_the_module.answer("of the module")
    assert ask(of_the_module) == "of the module" != ask(genstudio_mock)
""",
    "test_skip: skipped": """
@pytest.mark.skip(reason="not today")
def test_skip(genstudio_mock):
    pass
""",
    "test_xfail: skipped": """
@pytest.mark.xfail
def test_xfail(genstudio_mock):
    assert False
""",
    "test_xpass: passed": """
@pytest.mark.xfail
def test_xpass(genstudio_mock):
    pass
""",
    "test_strict_xfail: failed": """
@pytest.mark.xfail(strict=True)
def test_strict_xfail(genstudio_mock):
    pass
""",
    "test_fails: Failed": """
def test_fails(genstudio_mock):
    pytest.fail("no good")
""",
    "test_exit: SystemExit": """
def test_exit(genstudio_mock):
    raise SystemExit(3)
""",
}
"""Inner tests by name and fate, or by the exception's name."""


def test_every_fate(pytester: pytest.Pytester, run: Run) -> None:
    """However a test is written and wherever it fails, its cell says what became of it."""
    pytest.importorskip("pytest_asyncio")
    pytester.makepyfile(test_it=ASK + "".join(FATES.values()))
    plugins = ("-p", "anyio", "-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
    run("--chips", "nvidia", "--chips-timeout", "2", "--chips-report", "r.json", *plugins)

    data: dict[str, Any] = json.loads((pytester.path / "r.json").read_text("utf-8"))
    cells = {row["test"].partition("::")[2]: row["chips"]["nvidia"] for row in data["tests"]}
    assert {name: one["detail"] or one["fate"] for name, one in cells.items()} == {
        name.partition(": ")[0]: name.partition(": ")[2] for name in FATES
    }
    assert cells["test_subtests"]["says"] == "assert 'text' == 'nothing'"
    assert cells["test_strict_xfail"]["says"] == "[XPASS(strict)]"

"""Properties with the mock: a namespace for each example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.inner_pytest import ASK, outcomes, runner

if TYPE_CHECKING:
    from tests.inner_pytest import Run

pytest_plugins = "pytester"
HYPOTHESIS = ("-p", "_hypothesis_pytestplugin")
GIVEN = (
    ASK
    + """
from hypothesis import given, settings, strategies as st

names = []

@settings(deadline=None, max_examples=5, database=None)
@given(text=st.text(min_size=1))
"""
)


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a process of its own."""
    return runner(pytester, monkeypatch)


def test_a_session_for_each_example(pytester: pytest.Pytester, run: Run) -> None:
    """Each begins empty, whatever an earlier one armed, scripted or asked; none is left behind."""
    pytester.makepyfile(
        GIVEN
        + """
def test_it(genstudio_mock_server, text):
    with genstudio_mock_server.session() as mock:
        assert mock.exchanges() == mock.unmet == []
        mock.answer(text)
        mock.answer("never asked for")
        assert ask(mock) == text
        mock.arm("status;status=503")
        names.append(mock.api_key)

def test_all_are_gone(genstudio_mock_server):
    assert len(set(names)) == len(names) >= 2
    assert [one["name"] for one in genstudio_mock_server.call("GET", "/namespaces")] == ["default"]
"""
    )

    assert outcomes(run(*HYPOTHESIS)) == {"passed": 2}


def test_one_session_for_all_examples_is_refused(pytester: pytest.Pytester, run: Run) -> None:
    """Hypothesis itself refuses the fixture of one test, which its examples would share."""
    pytester.makepyfile(GIVEN + "def test_it(genstudio_mock, text):\n    assert ask(genstudio_mock)\n")
    result = run(*HYPOTHESIS)

    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*FailedHealthCheck*uses a function-scoped fixture 'genstudio_mock'*"])

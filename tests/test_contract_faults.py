"""Every fault of the mock, switched on behind the contract's back over a real socket, breaks the clauses that watch it.

Each row is held to the letter: a clause that accuses what is not wrong fails as surely as one that sees nothing. The
first request is left alone, since a target that does not answer it is nobody (exit code 3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mockserver.contract.cases import Phase
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.contract.result import Budget, Clock, Result
from mockserver.contract.runner import Runner
from tests.conftest import load
from tests.contract_live import serving
from tests.fault_cases import Breaks, Harmless, Stops, cases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.core.exchange import Exchange, Request
    from tests.fault_cases import FaultCase

CASES = cases("contract")
BREAKS = [case for case in CASES if isinstance(case.contract, Breaks)]
HARMLESS = [case for case in CASES if isinstance(case.contract, Harmless)]
STOPS = [case for case in CASES if isinstance(case.contract, Stops)]
REFERENCE = load("2025-reference")
"""The edition whose streams have every part that a fault can take."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A mock that keeps its contract."""
    with serving(REFERENCE) as where:
        yield where


def run(url: str, case: FaultCase) -> Result:
    """The contract's examples against the mock, each request but the first with the fault in a header."""
    patient, impatient = (HttpTransport(Address(url, timeout_s=limit), "sk-test", lambda: 0.0) for limit in (60, 1))
    asked: list[Request] = []

    def disturbed(request: Request) -> Exchange:
        asked.append(request)
        more = {b"x-mock-fault": case.text.encode()} if len(asked) > 1 else {}
        send = impatient if case.hangs and more else patient
        return send(replace(request, headers={**request.headers, **more}))

    still = Clock(lambda: 0.0, lambda _seconds: None)
    budget = Budget(requests=4 if case.hangs else 60, tokens=100_000)
    runner = Runner(disturbed, REFERENCE, REFERENCE.chips["nvidia"], "qwen3-8b", clock=still, budget=budget)
    return runner.run((Phase.EXAMPLES,))


@pytest.mark.parametrize("case", BREAKS, ids=str)
def test_a_fault_breaks_its_clauses_and_no_others(case: FaultCase, url: str) -> None:
    """What goes wrong on the wire is told by the clauses that watch for it."""
    assert isinstance(case.contract, Breaks)
    broken = {one.clause.id for one in run(url, case).findings}

    assert broken == set(case.contract.clauses.split()), f"it breaks {' '.join(sorted(broken))}"


@pytest.mark.parametrize("case", HARMLESS, ids=str)
def test_a_fault_that_breaks_no_promise_breaks_no_clause(case: FaultCase, url: str) -> None:
    """Nothing is broken, and the run comes to its end."""
    result = run(url, case)

    assert [(one.clause.id, one.evidence) for one in result.findings] == []
    assert result.stopped == ""


@pytest.mark.parametrize("case", STOPS, ids=str)
def test_a_limit_of_the_service_stops_the_run(case: FaultCase, url: str) -> None:
    """A target that says 429 again and again is left alone, and is accused of nothing that counts."""
    result = run(url, case)

    assert result.broken == []
    assert result.stopped.startswith("the target answers 429 and asks to wait")

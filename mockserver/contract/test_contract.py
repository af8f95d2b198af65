"""The contract as tests, one a clause: `pytest --pyargs mockserver.contract --base-url … --model … --chip …`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mockserver.contract import library
from mockserver.contract.clauses.clause import Outcome, Severity
from mockserver.contract.clauses.table import CLAUSES
from mockserver.contract.findings import raised_line
from mockserver.contract.http_client import UnreachableError, key_of
from mockserver.contract.pytest_options import OPTIONS
from mockserver.contract.result import ExitCode
from mockserver.core.errors import OperatorError

if TYPE_CHECKING:
    from mockserver.contract.result import Result

_CLAUSES = [one.id for one in CLAUSES]


@pytest.fixture(scope="session")
def contract_result(pytestconfig: pytest.Config) -> Result:
    """One run of the whole contract, which the tests read clause by clause."""
    given = {name: pytestconfig.getoption(name, None) for name in OPTIONS}
    missing = [name for name in ("--base-url", "--model", "--chip") if not given[name]]
    if missing:
        pytest.skip(f"{', '.join(missing)}: missing; say pytest --pyargs mockserver.contract --base-url URL …")
    path = given["--path-template"] or ""
    where = given["--base-url"], given["--model"], given["--chip"], given["--edition"]
    try:
        key = key_of(given["--api-key-env"], os.environ)
        return library.check(library.Target(*where, key, path, given["--ca"]))
    except OperatorError as error:
        pytest.exit(str(error), ExitCode.USAGE)
    except UnreachableError as error:
        pytest.exit(str(error), ExitCode.UNREACHABLE)


def test_the_target_was_there_to_the_end(contract_result: Result) -> None:
    """The run came to its end: the target neither limited it nor fell silent."""
    if contract_result.stopped:
        pytest.fail(contract_result.stopped, pytrace=False)


@pytest.mark.parametrize("clause", _CLAUSES)
def test_clause(clause: str, contract_result: Result) -> None:
    """The clause holds for the target; one that is only observed does not fail, one that does not apply is skipped."""
    outcome = contract_result.outcome(clause)
    if outcome is Outcome.NOT_APPLICABLE:
        pytest.skip("does not apply")
    if outcome is Outcome.RAISED:
        pytest.fail(next(raised_line(one) for one in contract_result.raised if one.clause.id == clause), pytrace=False)
    if outcome is Outcome.BROKEN:
        finding = next(one for one in contract_result.findings if one.clause.id == clause)
        told = f"{finding.clause.sentence} {finding.evidence} (case: {finding.case.name})"
        if finding.severity is Severity.OBSERVED:
            pytest.skip(f"observed only: {told}")
        pytest.fail(told, pytrace=False)

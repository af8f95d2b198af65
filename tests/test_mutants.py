"""The contract finds every mutant of `tests/mutant_table.py`, and says nothing of a mock that is none.

Here the bytes of a mock in this process are changed, and a run ends when the mutant is found; `make contract-score`
runs all of them over sockets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mockserver.contract import in_process
from mockserver.contract.cases import Phase
from mockserver.contract.result import Budget, Clock
from mockserver.contract.runner import Runner
from mockserver.core.exchange import Exchange, Plan
from tests.conftest import load
from tests.mutant_table import MISSED_ONCE, OTHERS
from tests.mutants import Mutant, Response
from tests.score import DOCUMENT
from tests.score.mutants import ALL, MODELS, caught, findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.contract.cases import Case
    from mockserver.contract.http_client import Transport
    from mockserver.contract.result import Finding
    from mockserver.core.exchange import Request

STILL = Clock(lambda: 0.0, lambda _seconds: None, lambda: 1_760_000_000)
CUT_SHORT = Budget(requests=200, tokens=100_000, max_tokens=16)
"""Fewer tokens than the mock in this process has to say, so that limits cut."""
PHASES = (Phase.EXAMPLES, Phase.BROKEN, Phase.DIALOGUE)


class FoundError(Exception):
    """The mutant is found: the rest of the run can tell no more."""


def through(mutant: Mutant, send: Transport) -> Transport:
    """A transport behind which the mutant changes requests and responses."""

    def changed(request: Request) -> Exchange:
        plan = send(mutant.ask(request)).plan
        assert plan is not None
        headers = tuple((name.lower(), value) for name, value in plan.headers)
        made = mutant.change(Response(request, plan.status, headers, b"".join(plan.frames)))
        return Exchange(request, Plan(made.status, made.headers, (made.body,), (0.0,)), frames_sent=1)

    return changed


def told(mutant: Mutant) -> list[Finding]:
    """What a run tells until it has found the mutant."""
    edition = load(mutant.edition)
    send = in_process.transport(in_process.service(edition), edition.file.defaults.created * 1000)

    def enough(_case: Case, _broken: Sequence[str]) -> None:
        if caught(mutant, runner.result.findings):
            raise FoundError

    runner = Runner(
        through(mutant, send),
        edition,
        edition.chips[mutant.chip],
        MODELS[mutant.edition],
        clock=STILL,
        budget=CUT_SHORT,
        progress=enough,
    )
    try:
        return runner.run(PHASES).findings
    except FoundError:
        return runner.result.findings


@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.name) for one in ALL])
def test_a_mutant_is_found_by_the_clause_that_watches_for_it(mutant: Mutant) -> None:
    """Each is told, and counts where a document or an observation is on the contract's side."""
    found = told(mutant)

    assert caught(mutant, found), [(one.clause.id, one.severity.value, one.evidence) for one in found]


@pytest.mark.parametrize("edition", MODELS)
def test_a_mock_behind_the_proxy_that_is_no_mutant_is_clean(edition: str) -> None:
    """Over real sockets, with nothing changed, no clause is broken, not even one that is only observed."""
    unchanged = Mutant("nothing is changed", "status", counts=True, edition=edition)

    assert [(one.clause.id, one.evidence) for one in findings([unchanged])[unchanged]] == []


def test_the_document_tells_of_all_mutants() -> None:
    """The figures of docs/contract.md are those of these tables, and at least 95 % are caught."""
    row = re.search(r"^\| all +\| +(\d+) \| +(\d+) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)

    assert row, "docs/contract.md has no figures; make contract-score"
    assert int(row[1]) == len(ALL), "make contract-score writes the figures anew"
    assert int(row[2]) >= 0.95 * len(ALL)
    assert len(OTHERS) >= 60
    assert len({one.name for one in ALL}) == len(MISSED_ONCE) + len(OTHERS)

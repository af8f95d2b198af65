"""How many mutants the contract finds: over real sockets, a proxy between it and a mock that changes the bytes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mockserver import MockServer
from mockserver.contract.cases import Phase
from mockserver.contract.clauses.clause import Severity
from mockserver.contract.library import Target, check
from mockserver.contract.result import Budget
from tests.mutant_table import MISSED_ONCE, OTHERS
from tests.mutating_proxy import between
from tests.score import Score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.contract.result import Finding
    from tests.mutants import Mutant

MODELS = {"2024-tutorial": "mt-infini-3b", "2025-reference": "qwen3-8b"}
BUDGET = Budget(requests=200, tokens=100_000)
ALL = MISSED_ONCE + OTHERS


def findings(mutants: Iterable[Mutant]) -> dict[Mutant, list[Finding]]:
    """What the contract says of each, asked over real sockets."""
    found = {}
    mocks = {edition: MockServer(edition=edition) for edition in MODELS}
    for mock in mocks.values():
        mock.start()
    try:
        for mutant in mutants:
            with between(mocks[mutant.edition].url, mutant) as url:
                target = Target(url, MODELS[mutant.edition], mutant.chip, mutant.edition)
                phases = (Phase.EXAMPLES, Phase.BROKEN, Phase.DIALOGUE)
                found[mutant] = check(target, budget=BUDGET, phases=phases).findings
    finally:
        for mock in mocks.values():
            mock.stop()
    return found


def caught(mutant: Mutant, found: Iterable[Finding]) -> bool:
    """Whether the clause that watches for it found it, with the weight that it is due."""
    told = [one for one in found if one.clause.id == mutant.clause]
    return any(one.severity is not Severity.OBSERVED or not mutant.counts for one in told)


def share(found: dict[Mutant, list[Finding]], among: Iterable[Mutant]) -> str:
    """How many of some mutants are caught."""
    good = [caught(one, found[one]) for one in among if one in found]
    return f"{sum(good)} of {len(good)}"


def table(found: dict[Mutant, list[Finding]]) -> Score:
    """A row for each clause: its mutants, how many were caught, and how many of those make a run fail."""
    due, got, counted = Counter[str](), Counter[str](), Counter[str]()
    missed = []
    for mutant, told in found.items():
        due[mutant.clause] += 1
        good = caught(mutant, told)
        got[mutant.clause] += good
        counted[mutant.clause] += good and any(one.severity is not Severity.OBSERVED for one in told)
        if not good:
            missed.append(mutant.name)
    rows = [[f"`{clause}`", str(due[clause]), str(got[clause]), str(counted[clause])] for clause in sorted(due)]
    rows.append(["all", str(due.total()), str(got.total()), str(counted.total())])
    sentence = f"Of those that the contract once missed {share(found, MISSED_ONCE)} are caught"
    sentence += f", of mutants of other kinds {share(found, OTHERS)}"
    sentence += f"; missed: {', '.join(missed)}." if missed else "."
    return Score(sentence, ("clause", "mutants", "caught", "exit code 1"), rows)


def score() -> Score:
    """Run them all."""
    return table(findings(ALL))

"""What a run found, and the lines that all reports say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.clause import Outcome, Severity
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.table import CHECKS, CLAUSES
from mockserver.contract.clauses.wire_form import ledger
from mockserver.contract.result import ExitCode, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.contract.clauses.wire_form import Entry
    from mockserver.contract.result import Finding, Result

MARKS: Final = {
    Outcome.HOLDS: "holds",
    Outcome.BROKEN: "BROKEN",
    Outcome.NOT_APPLICABLE: "·",
    Outcome.RAISED: "raised",
}
WEIGHTS: Final = list(Severity)
_SETTLED: Final = {"as declared", "not seen"}


@dataclass(frozen=True)
class Run:
    """The results of one run, chip by chip, and where it went.

    Attributes:
        base_url: The target.
        path_template: Its path.
        edition: Name of the edition.
        model: The model.
        results: One a chip.
        fail_on: The least severity that breaks the contract; what weighs less is told.
    """

    base_url: str
    path_template: str
    edition: str
    model: str
    results: Sequence[Result]
    fail_on: Severity = Severity.SHOULD

    def counts(self, finding: Finding) -> bool:
        """Whether a finding breaks the contract."""
        return WEIGHTS.index(finding.severity) <= WEIGHTS.index(self.fail_on)

    def broken(self, result: Result) -> list[Finding]:
        """The findings on one chip that break the contract."""
        return [one for one in result.findings if self.counts(one)]

    @property
    def exit_code(self) -> ExitCode:
        """Whether every clause of weight holds, one is broken, the target was lost, or this tool failed."""
        if any(result.raised for result in self.results):
            return ExitCode.TOOL_FAILED
        if any(map(self.broken, self.results)):
            return ExitCode.BROKEN
        return ExitCode.UNREACHABLE if any(result.stopped for result in self.results) else ExitCode.HOLDS

    @property
    def findings(self) -> list[Finding]:
        """All findings, by their weight."""
        return by_weight([one for result in self.results for one in result.findings])

    def clauses(self) -> list[tuple[str, str]]:
        """Id and sentence of each clause that applied anywhere, in the table's order."""
        every = [(one.id, one.sentence) for one in CLAUSES]
        silent = Outcome.NOT_APPLICABLE
        return [one for one in every if any(result.outcome(one[0]) is not silent for result in self.results)]

    def ledger(self, result: Result) -> list[Entry]:
        """The ledger of one chip: what its profile declares, and what was seen otherwise."""
        entries = ledger(result.chip, (Reading(exchange) for _, exchange in result.exchanges))
        return [one for one in entries if one.state not in _SETTLED or one.claim is not None]


def name_of_file(finding: Finding) -> str:
    """The exchange file's name of a finding."""
    return f"{finding.chip}-{finding.clause.id}.json"


def curl(run: Run, finding: Finding) -> str:
    """The finding's minimal request as a line for a shell."""
    from mockserver.contract import finding_file

    return finding_file.curl(finding.exchange.request, run.base_url)


def pytest_test(run: Run, finding: Finding) -> str:
    """The finding as a test; empty for a relation, which needs two requests."""
    if finding.clause.id not in {one.id for one in CHECKS}:
        return ""
    from mockserver.contract import finding_file

    return finding_file.pytest_test(
        finding_file.of_finding(finding, run.edition, run.model), run.base_url, run.path_template
    )


def deviations(run: Run, result: Result) -> list[str]:
    """A line for each deviation of a chip that is not as its profile says."""
    odd = [one for one in run.ledger(result) if one.state not in _SETTLED]
    return [f"{one.state}: declared {one.declared}, seen {one.seen}" for one in odd]


def by_weight(findings: Sequence[Finding]) -> list[Finding]:
    """The findings: must, should, observed; those of one weight as they were found."""
    return sorted(findings, key=lambda one: WEIGHTS.index(one.severity))


def raised_line(finding: Finding) -> str:
    """What to say of a clause that this tool could not judge."""
    return (
        f"{finding.clause.id} could not be judged on {finding.case.name!r}: {finding.evidence}; this is a fault of "
        "genstudio-mock, not of the target: please report it with the exchange (--exchanges DIR saves it)"
    )


def notes_of(result: Result) -> list[str]:
    """What was left out, and whether the run came to its end."""
    ended = [f"stopped after {counted(len(result.exchanges), 'request')}: {result.stopped}"] if result.stopped else []
    return [f"note: {note}" for note in result.notes] + [raised_line(one) for one in result.raised] + ended


def summary(run: Run) -> str:
    """What came of a run, in one sentence."""
    broken = sum(len(run.broken(result)) for result in run.results)
    observed = len(run.findings) - broken
    asked = counted(sum(len(result.exchanges) for result in run.results), "request")
    lighter = " or ".join(WEIGHTS[WEIGHTS.index(run.fail_on) + 1 :])
    told = f"{asked}, {observed} more {lighter}" if observed else asked
    if run.exit_code is ExitCode.TOOL_FAILED:
        failed = counted(sum(len(result.raised) for result in run.results), "clause")
        return f"{failed} could not be judged, by a fault of genstudio-mock; {counted(broken, 'finding')} in {told}."
    if broken:
        return f"The contract is broken: {counted(broken, 'finding')} in {told}."
    holds = "is not broken as far as the run came" if run.exit_code else "holds"
    return f"The contract {holds}: {counted(len(run.clauses()), 'clause')}, {told}."

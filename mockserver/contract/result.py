"""What a run may cost, the time it is given, what it found, and the exit code that says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from mockserver.contract.cases import DEFAULT_MAX_TOKENS
from mockserver.contract.clauses.clause import Check, Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.contract.cases import Case
    from mockserver.contract.clauses.relations import Relation
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import ChipProfile


class ExitCode(IntEnum):
    """How a command ends that holds a target to the contract."""

    HOLDS = 0
    BROKEN = 1
    USAGE = 2
    """The operator asked for what is not there, or not allowed."""
    UNREACHABLE = 3
    """Nobody is there to be asked, or the target was lost on the way."""
    TOOL_FAILED = 4
    """A clause could not be judged, by a fault of this tool; the report names it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a run may cost.

    Attributes:
        requests: At most this many requests, retries and the search for a minimal request included.
        tokens: At most this many tokens, by the usage that comes back, or by `max_tokens` where none does.
        max_tokens: What each request asks for.
        per_second: At most this many requests a second; 0 for no limit. None leaves it to where the target is: no limit
            on this machine, else twelve a minute, which is what the service's free tier allows.
    """

    requests: int = 60
    tokens: int = 6000
    max_tokens: int = DEFAULT_MAX_TOKENS
    per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the runner is given it.

    Attributes:
        seconds: Seconds on a clock that does not go back.
        sleep: Waits for seconds.
        unix_s: Unix seconds now; None where `created` should not be compared with today.
    """

    seconds: Callable[[], float]
    sleep: Callable[[float], None]
    unix_s: Callable[[], int] | None = None


@dataclass(frozen=True)
class Finding:
    """One clause broken by one case.

    Attributes:
        clause: The check or relation.
        chip: The chip that was asked.
        case: The smallest request found that shows it.
        exchange: What was sent and what came.
        evidence: What was seen and what was due.
        severity: How much it weighs here, by what the profile claims.
        times: How many cases broke it.
    """

    clause: Check | Relation
    chip: str
    case: Case
    exchange: Exchange
    evidence: str
    severity: Severity
    times: int = 1


@dataclass
class Result:
    """What a run on one chip found.

    Attributes:
        chip: The chip's profile.
        verdicts: For each clause how often it had each outcome.
        findings: One for each broken clause, in the order they were found.
        raised: One for each clause that could not be judged since this tool failed; they tell nothing of the target.
        exchanges: All that was sent and received, with its case.
        notes: What was left out, and why.
        stopped: Why the run ended before its time; empty where it did not.
    """

    chip: ChipProfile
    verdicts: dict[str, Counter[Outcome]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    raised: list[Finding] = field(default_factory=list)
    exchanges: list[tuple[Case, Exchange]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: str = ""

    @property
    def broken(self) -> list[Finding]:
        """The findings that make a run fail."""
        return [one for one in self.findings if one.severity is not Severity.OBSERVED]

    def outcome(self, clause: str) -> Outcome:
        """What a clause comes to over all cases: broken once is broken."""
        seen = self.verdicts.get(clause, Counter())
        return next(
            (one for one in (Outcome.BROKEN, Outcome.RAISED, Outcome.HOLDS) if seen[one]), Outcome.NOT_APPLICABLE
        )


def counted(number: int, noun: str) -> str:
    """A number and its noun: 1 finding, 2 findings."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""What a check is given and what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

from mockserver.core.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.contract.clauses.reading import Reading
    from mockserver.profile.edition import ChipProfile, Edition


Claim = Literal["documented", "observed", "assumed"]


class Severity(StrEnum):
    """How much a broken check weighs; `observed` is told and does not make a run fail."""

    MUST = "must"
    SHOULD = "should"
    OBSERVED = "observed"


class Outcome(StrEnum):
    """What a check finds."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_APPLICABLE = "does not apply"
    RAISED = "raised"
    """The check itself failed: a fault of this tool, which tells nothing of the target."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check's word on one exchange.

    Attributes:
        outcome: Holds, broken or does not apply.
        evidence: For a broken one what was seen and what was due, in one line; for one that raised what it raised;
            else empty.
    """

    outcome: Outcome
    evidence: str = ""


HOLDS: Final = Verdict(Outcome.HOLDS)
NOT_APPLICABLE: Final = Verdict(Outcome.NOT_APPLICABLE)


def broken(evidence: str) -> Verdict:
    """A broken check with its evidence, whatever the target sent into it."""
    return Verdict(Outcome.BROKEN, printable(evidence))


def holds_if(good: bool, evidence: str) -> Verdict:  # noqa: FBT001 - the condition is the point
    """Holds, or broken with this evidence."""
    return HOLDS if good else broken(evidence)


def word_of(judge: Callable[[], Verdict]) -> Verdict:
    """A check's word, also where it fails: what a target sends is anybody's, and no answer may end a run."""
    try:
        return judge()
    except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on and tells
        return Verdict(Outcome.RAISED, f"{type(error).__name__}: {printable(str(error)[:200])}")


@dataclass(frozen=True, slots=True)
class Context:
    """What an exchange is measured against.

    Attributes:
        edition: The state of the documents.
        chip: The chip's profile, whose claims are the expected deviations.
        model: The model of the path.
        refusal: The kind of refusal that the request must get; None where it must be answered.
        claim: How the rule is known that the request keeps or breaks.
        now_s: Unix seconds when the exchange ran; None where that is not known.
    """

    edition: Edition
    chip: ChipProfile
    model: str
    refusal: str | None = None
    now_s: int | None = None
    claim: Claim = "documented"


def by_claim(claim: Claim | None, severity: Severity) -> Severity:
    """How much a clause weighs where its fact is claimed so: what nobody documented or saw is only observed."""
    return Severity.OBSERVED if claim in {None, "assumed"} else severity


_DOCUMENTS: Final = re.compile(r"\b(tutorial of 2024|API reference of late 2025|RFC \d+|WHATWG|W3C Trace Context)\b")
_SEEN: Final = re.compile(r"\blive observation\b")


def claim_of(source: str) -> Claim:
    """How a fact is known whose source reads so: a document says it, it was seen, or neither."""
    return "documented" if _DOCUMENTS.search(source) else "observed" if _SEEN.search(source) else "assumed"


def by_field(name: str, severity: Severity) -> Callable[[Context], Severity]:
    """Weighs a clause by what the edition claims of a field of the request; where it has no effect, as observed."""

    def weigh(c: Context) -> Severity:
        if name in c.edition.file.request.not_kept:
            return Severity.OBSERVED
        rule = c.edition.file.request.fields.get(name)
        return by_claim(rule.claim if rule else None, severity)

    return weigh


@dataclass(frozen=True, slots=True)
class Check:
    """One clause of the contract.

    Attributes:
        id: What people type.
        sentence: What holds, in the present tense.
        source: Which document says so, and where in it.
        severity: How much it weighs at most.
        judge: Looks at one exchange.
        weigh: How much it weighs in a context, where that depends on a claim of the edition or of the chip's file;
            None goes by its source.
    """

    id: str
    sentence: str
    source: str
    severity: Severity
    judge: Callable[[Reading, Context], Verdict]
    weigh: Callable[[Context], Severity] | None = None

    def weight(self, context: Context) -> Severity:
        """How much it weighs where it is measured against this."""
        return self.weigh(context) if self.weigh else by_claim(claim_of(self.source), self.severity)

"""The clauses that hold a chip to its profile: one for each axis of the quirk table, and the ledger of deviations.

Strict both ways: a deviation that no claim declares breaks the clause, and so does a declared one that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mockserver.contract.clauses import dialect
from mockserver.contract.clauses.clause import HOLDS, NOT_APPLICABLE, Check, Severity, Verdict, broken, by_claim
from mockserver.profile import quirks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.contract.clauses.clause import Context
    from mockserver.contract.clauses.reading import Reading, Shown
    from mockserver.profile.edition import ChipProfile, QuirkClaim
    from mockserver.profile.quirks import Axis

State = Literal["as declared", "undeclared", "gone", "different", "not seen"]
SOURCE: Final = "the chip's profile: its claims, and the standard where it is silent"
MUST_FIELDS: Final = frozenset({"framing", "done", "object", "created"})  # what the documents name as deviations
OPAQUE_FIELDS: Final = frozenset({"id_form"})  # no document promises a form, and no client may rely on one


@dataclass(frozen=True, slots=True)
class Entry:
    """One axis in the ledger of deviations.

    Attributes:
        clause: The id of the axis's check.
        declared: The quirk that the profile declares, or the standard where it is silent.
        claim: The profile's claim; None where it is silent.
        seen: The quirk that was seen; text in quotes where none has a name for it; None where nothing showed it.
        state: What that means.
    """

    clause: str
    declared: str
    claim: QuirkClaim | None
    seen: str | None
    state: State


def clause_of(axis: Axis) -> str:
    """The id of the check that watches an axis."""
    return f"{axis.stage}-{axis.field}".replace("_", "-")


def claim_of(profile: ChipProfile, axis: Axis) -> QuirkClaim | None:
    """The profile's claim on an axis, or None where it is silent."""
    return next((claim for claim in profile.claims if quirks.find(claim.name)[0] is axis), None)


def wire_check(axis: Axis) -> Check:
    """The check that compares one axis with the profile."""

    def judge(r: Reading, c: Context) -> Verdict:
        value = dialect.OBSERVERS[axis.stage, axis.field](r)
        if value is None:
            return NOT_APPLICABLE
        if value == dialect.declared(c.chip.wire, axis):
            return HOLDS
        seen = dialect.observe(r)
        if not dialect.differs(c.chip.wire, seen, axis, streamed=r.wants_stream):
            return HOLDS
        return broken(_contradiction(c.chip, axis, seen[axis]))

    severity = Severity.MUST if axis.field in MUST_FIELDS else Severity.SHOULD
    if axis.field in OPAQUE_FIELDS:
        severity = Severity.OBSERVED

    def weigh(c: Context) -> Severity:
        claim = claim_of(c.chip, axis)
        if claim is None and axis.field in MUST_FIELDS:
            return severity  # the tutorial names what deviates here, so what it does not name does not
        return by_claim(claim.claim if claim else None, severity)

    sentence = f"{axis.field.replace('_', ' ')} is as the profile says: {' | '.join(q.name for q in axis.quirks)}."
    return Check(clause_of(axis), sentence, SOURCE, severity, judge, weigh)


def _contradiction(profile: ChipProfile, axis: Axis, value: Shown) -> str:
    due = next(quirk for quirk in axis.quirks if quirk.value == dialect.declared(profile.wire, axis))
    name = dialect.name_of(axis, value)
    seen = quirks.find(name)[1].says if name else f"seen: {value}."
    claim = claim_of(profile, axis)
    if name == axis.standard.name:
        return f"{profile.name}: the declared {due.name} is gone: {seen}"
    said = f"declared {due.name} ({claim.claim}: {claim.source})" if claim else f"no claim declares it, due {due.name}"
    return f"{profile.name}: {name or 'no known quirk'}: {seen} {said[0].upper()}{said[1:]}"


def ledger(profile: ChipProfile, readings: Iterable[Reading]) -> list[Entry]:
    """What a set of exchanges shows of each axis, beside what the profile declares; one entry an axis."""
    shown: dict[Axis, Shown] = {}
    contradicted: dict[Axis, Shown] = {}
    for reading in readings:
        seen = dialect.observe(reading)
        for axis, value in seen.items():
            if dialect.differs(profile.wire, seen, axis, streamed=reading.wants_stream):
                contradicted[axis] = value
            elif value == dialect.declared(profile.wire, axis):
                shown.setdefault(axis, value)
    return [_entry(profile, axis, shown, contradicted) for axis in quirks.AXES]


def _entry(profile: ChipProfile, axis: Axis, shown: dict[Axis, Shown], contradicted: dict[Axis, Shown]) -> Entry:
    due = next(quirk for quirk in axis.quirks if quirk.value == dialect.declared(profile.wire, axis))
    value = contradicted.get(axis, shown.get(axis))
    seen = None if value is None else dialect.name_of(axis, value) or repr(value)
    state: State = "not seen" if value is None else "as declared"
    if axis in contradicted:
        state = "gone" if seen == axis.standard.name else "undeclared" if due is axis.standard else "different"
    return Entry(clause_of(axis), due.name, claim_of(profile, axis), seen, state)


WIRE_CHECKS: Final = tuple(wire_check(axis) for axis in quirks.AXES)

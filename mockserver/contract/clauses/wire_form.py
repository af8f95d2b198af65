"""The clauses that hold a chip to its profile: one for each axis of the quirk table, and the ledger of deviations.

Strict both ways: a deviation that no claim declares breaks the clause, and so does a declared one that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mockserver.contract.clauses import dialect
from mockserver.contract.clauses.clause import HOLDS, NOT_APPLICABLE, Check, Severity, Verdict, broken, by_claim
from mockserver.core.errors import printable
from mockserver.profile import quirks
from mockserver.profile.quirk_families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.contract.clauses.clause import Context
    from mockserver.contract.clauses.reading import Reading, Shown
    from mockserver.profile.edition import ChipProfile
    from mockserver.profile.edition_file import QuirkClaim
    from mockserver.profile.quirk_families import Family
    from mockserver.profile.quirks import Axis

State = Literal["as declared", "undeclared", "gone", "different", "not seen"]
SOURCE: Final = "the chip's profile: its claims, and the standard where it is silent"
MUST_FIELDS: Final = frozenset({"framing", "done", "object", "created"})  # what the documents name as deviations
OPAQUE_FIELDS: Final = frozenset({"id_form", "chunk_created", "model_echo", "extra", "fixed", "order"})
"""What no document promises and no client may rely on, or what another clause weighs."""


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
    return next((claim for claim in profile.claims if quirks.find(claim.name)[0] == axis), None)


def wire_check(axis: Axis) -> Check:
    """The check that compares one axis with the profile."""
    watch = dialect.OBSERVERS.get((axis.stage, axis.field))

    def judge(r: Reading, c: Context) -> Verdict:
        value = watch(r) if watch else None
        if value is None:
            return NOT_APPLICABLE
        if value == dialect.declared(c.chip.wire, axis):
            return HOLDS
        seen = dialect.observe(r, quirks.parts_of(c.chip.wire))
        if not dialect.differs(c.chip.wire, seen, axis, streamed=r.wants_stream):
            return HOLDS
        return broken(_contradiction(c.chip, axis, seen[axis]))

    names = [quirk.name for quirk in axis.quirks] + ([f"{axis.family.name}={axis.family.form}"] if axis.family else [])
    sentence = f"{axis.field.replace('_', ' ')} is as the profile says: {' | '.join(names)}."
    severity = _severity(axis.field)

    def weigh(c: Context) -> Severity:
        claim = claim_of(c.chip, axis)
        if claim is None and axis.field in MUST_FIELDS:
            return severity  # the tutorial names what deviates here, so what it does not name does not
        return by_claim(claim.claim if claim else None, severity)

    return Check(clause_of(axis), sentence, SOURCE, severity, judge, weigh)


def family_check(family: Family) -> Check:
    """The check that compares all parts of a family's field with the profile."""

    def judge(r: Reading, c: Context) -> Verdict:
        seen = dialect.observe(r, quirks.parts_of(c.chip.wire))
        parts = [axis for axis in seen if axis.family is family and axis.part]
        wrong = [axis for axis in parts if dialect.differs(c.chip.wire, seen, axis, streamed=r.wants_stream)]
        if not wrong:
            return HOLDS if parts or (family.stage == "keys" and (r.whole or r.completion)) else NOT_APPLICABLE
        return broken(_contradiction(c.chip, wrong[0], seen[wrong[0]]))

    name, severity = f"{family.stage}-{family.field}".replace("_", "-"), _severity(family.field)

    def weigh(c: Context) -> Severity:
        claims = {claim.claim for claim in c.chip.claims if quirks.find(claim.name)[0].family is family}
        return severity if claims - {"assumed"} else Severity.OBSERVED

    return Check(name, f"Each {family.name}={family.form} is as the profile says.", SOURCE, severity, judge, weigh)


def _severity(field: str) -> Severity:
    if field in OPAQUE_FIELDS:
        return Severity.OBSERVED
    return Severity.MUST if field in MUST_FIELDS else Severity.SHOULD


def _contradiction(profile: ChipProfile, axis: Axis, value: Shown) -> str:
    due = axis.quirk_in(profile.wire)
    name = dialect.name_of(axis, value)
    seen = quirks.find(name)[1].says if name else f"seen: {axis.part} {value}.".replace("  ", " ")
    claim = claim_of(profile, axis)
    if name == axis.standard.name:
        return f"{profile.name}: the declared {due.name} is gone: {seen}"
    said = f"declared {due.name} ({claim.claim}: {claim.source})" if claim else f"no claim declares it, due {due.name}"
    return f"{profile.name}: {name or 'no known quirk'}: {seen} {said[0].upper()}{said[1:]}"


def ledger(profile: ChipProfile, readings: Iterable[Reading]) -> list[Entry]:
    """What a set of exchanges shows of each axis, beside what the profile declares; one entry an axis."""
    shown: dict[Axis, Shown] = {}
    contradicted: dict[Axis, Shown] = {}
    known = tuple(quirks.parts_of(profile.wire))
    for reading in readings:
        seen = dialect.observe(reading, known)
        for axis, value in seen.items():
            if dialect.differs(profile.wire, seen, axis, streamed=reading.wants_stream):
                contradicted[axis] = value
            elif value == dialect.declared(profile.wire, axis):
                shown.setdefault(axis, value)
    parts = dict.fromkeys(axis for axis in (*known, *shown, *contradicted) if axis.part)
    return [_entry(profile, axis, shown, contradicted) for axis in (*quirks.AXES, *parts)]


def _entry(profile: ChipProfile, axis: Axis, shown: dict[Axis, Shown], contradicted: dict[Axis, Shown]) -> Entry:
    due = axis.quirk_in(profile.wire)
    value = contradicted.get(axis, shown.get(axis))
    seen = None if value is None else dialect.name_of(axis, value) or repr(value)
    state: State = "not seen" if value is None else "as declared"
    if axis in contradicted:
        state = "gone" if seen == axis.standard.name else "undeclared" if due == axis.standard else "different"
    return Entry(clause_of(axis), printable(due.name), claim_of(profile, axis), seen, state)


WIRE_CHECKS: Final = (
    *(wire_check(axis) for axis in quirks.AXES),
    *(family_check(family) for family in FAMILIES if family.parted),
)

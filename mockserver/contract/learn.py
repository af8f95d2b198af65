"""From a target's behaviour to a chip's profile: probes, what they show of each axis, and a check of the result.

Nothing here sends or waits; the command hands in what does. A profile says only what deviates, so what the target
does as the standard and the edition have it is not written down.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from statistics import median, quantiles
from typing import TYPE_CHECKING, Final

from mockserver import quirks
from mockserver.contract import cases, dialect, rehearsal
from mockserver.contract.reading import Reading
from mockserver.contract.result import Budget, Clock
from mockserver.contract.runner import Runner
from mockserver.profile import ChipFile, ChipProfile, Edition, Latency, QuirkClaim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.contract.reading import Seen
    from mockserver.contract.result import Result
    from mockserver.exchange import Exchange
    from mockserver.quirks import Axis, WireSettings

REPEATS: Final = 8
"""How often the plain streamed question is asked again, for the latency."""


@dataclass(frozen=True)
class Observation:
    """What the probes show of one axis.

    Attributes:
        axis: The axis.
        quirk: The name of what was seen most; None where no quirk is named so.
        seen: The value itself, for people.
        proof: The probe that showed it first.
        agreeing: How many probes show it.
        of: How many probes show anything of this axis.
    """

    axis: Axis
    quirk: str | None
    seen: str
    proof: str
    agreeing: int
    of: int


def probes(edition: Edition, model: str, max_tokens: int = cases.DEFAULT_MAX_TOKENS) -> list[Case]:
    """What is asked: the documented examples, each feature of an answer, the twins, and one stream some times more."""
    found = cases.examples(edition, model, max_tokens)
    streamed = next(case for case in found if isinstance(case.body, dict) and case.body.get("stream") is True)
    return found + [replace(streamed, name=f"{streamed.name}, again {n}") for n in range(1, REPEATS + 1)]


def blank(edition: Edition, chip: str) -> ChipProfile:
    """A chip of which nothing is known but what all chips of its edition share."""
    claims = edition.file.quirks
    wire = reduce(quirks.changed, (claim.name for claim in claims), quirks.STANDARD)
    latency = Latency(first_token_ms=0, inter_token_ms=0, claim="assumed", source="not measured")
    return ChipProfile(chip, "Not known yet.", claims, wire, latency)


def observations(exchanges: Mapping[str, Exchange]) -> list[Observation]:
    """What the probes show of each axis, in the table's order; axes that none shows are absent."""
    tallies: dict[Axis, Counter[Seen]] = {}
    proofs: dict[tuple[Axis, Seen], str] = {}
    for name, exchange in exchanges.items():
        for axis, value in dialect.observe(Reading(exchange)).items():
            tallies.setdefault(axis, Counter())[value] += 1
            proofs.setdefault((axis, value), name)
    found = []
    for axis in quirks.AXES:
        if axis in tallies:
            value, agreeing = tallies[axis].most_common(1)[0]
            proof, of = proofs[axis, value], tallies[axis].total()
            found.append(Observation(axis, dialect.name_of(axis, value), str(value), proof, agreeing, of))
    return found


def learned(edition: Edition, chip: str, exchanges: Mapping[str, Exchange], date: str) -> tuple[ChipFile, list[str]]:
    """The chip's profile as the probes show it, and notes on what it cannot say.

    Args:
        edition: What the chips share.
        chip: The chip's name.
        exchanges: What came, by the probe's name.
        date: When, as `2026-11-22`.
    """
    base = blank(edition, chip).wire
    seen = observations(exchanges)
    wire = reduce(quirks.changed, (one.quirk for one in seen if one.quirk), base)
    claims, notes = [], []
    for one in seen:
        if one.agreeing < one.of:
            notes.append(f"{one.axis.field}: {one.seen} in {one.agreeing} of {one.of} exchanges, otherwise in the rest")
        if one.quirk is None:
            notes.append(f"{one.axis.field}: {one.seen!r} was seen, which no quirk is named for ({one.proof})")
        elif _shows(base, wire, one.axis):
            source = f"probe {one.proof!r}, {date}; {one.agreeing} of {one.of} exchanges that can show it"
            claims.append(QuirkClaim(name=one.quirk, claim="observed", source=source))
    summary = f"As observed on {date}: {', '.join(claim.name for claim in claims) or 'no deviation'}."
    return ChipFile(summary=summary, quirks=tuple(claims), latency=latency_of(exchanges.values(), date)), notes


def _shows(base: WireSettings, wire: WireSettings, axis: Axis) -> bool:
    """Whether an axis of `wire` differs from `base` in a way that some byte can show."""
    due = dialect.declared(base, axis)
    if dialect.declared(wire, axis) == due:
        return False
    back = quirks.apply(wire, axis, next(quirk for quirk in axis.quirks if quirk.value == due))
    return not dialect.alike(back, wire)


# --- latency ------------------------------------------------------------------------------------------------------


def latency_of(exchanges: Iterable[Exchange], date: str) -> Latency:
    """Time to the first token and between tokens over all whole streams, with their quantiles as the source."""
    first, between = times_of(exchanges)
    if not first:
        return Latency(first_token_ms=0, inter_token_ms=0, claim="observed", source=f"no stream came, {date}")
    ttft, itl = median(first), median(between) if between else 0.0
    spread = (_quantile(between, 90) - itl) / itl if between and itl > 0 else 0.0
    source = (
        f"{len(first)} streams, {date}: TTFT p50 {ttft:.1f}, p90 {_quantile(first, 90):.1f}, p99 "
        f"{_quantile(first, 99):.1f} ms; ITL p50 {itl:.1f}, p90 {_quantile(between, 90):.1f}, p99 "
        f"{_quantile(between, 99):.1f} ms"
    )
    jitter = round(min(max(spread, 0.0), 1.0), 2)
    return Latency(
        first_token_ms=round(ttft, 1), inter_token_ms=round(itl, 1), jitter=jitter, claim="observed", source=source
    )


def times_of(exchanges: Iterable[Exchange]) -> tuple[list[float], list[float]]:
    """Milliseconds to the first piece of each whole stream, and between its pieces."""
    first: list[float] = []
    between: list[float] = []
    for exchange in exchanges:
        reading = Reading(exchange)
        times = exchange.plan.at_ms if exchange.plan else None
        if reading.streamed and reading.complete and times:
            first.append(times[0])
            between += [later - earlier for earlier, later in pairwise(times)]
    return first, between


def _quantile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[percent - 1]


# --- the file -----------------------------------------------------------------------------------------------------


def text_of(file: ChipFile, notes: Sequence[str] = ()) -> str:
    """A chip's profile as TOML, in the form of the shipped ones; notes become comments."""
    lines = [f"# {note}" for note in notes] + [f"summary = {_quoted(file.summary)}"]
    for claim in file.quirks:
        lines += ["", "[[quirks]]", *(f"{key} = {_quoted(value)}" for key, value in claim.model_dump().items())]
    lines += ["", "[latency]"]
    for key, value in file.latency.model_dump().items():
        lines.append(f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {_quoted(value)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML; JSON's escapes are among TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- the check ----------------------------------------------------------------------------------------------------


def rehearse(edition: Edition, chip: ChipProfile, model: str) -> Result:
    """The contract against a mock with the learned profile, in this process."""
    changed = rehearsal.with_chip(edition, chip)
    send = rehearsal.transport(rehearsal.service(changed), edition.file.defaults.created * 1000)
    clock = Clock(lambda: 0.0, lambda _seconds: None)
    runner = Runner(send, changed, chip, model, clock=clock, budget=Budget(requests=200, tokens=100_000))
    return runner.run([cases.Phase.EXAMPLES, cases.Phase.BROKEN, cases.Phase.DIALOGUE])


def unlike(edition: Edition, chip: ChipProfile, model: str, exchanges: Mapping[str, Exchange]) -> list[str]:
    """Where the mock with a profile has another wire form than the recorded exchanges; one line each.

    The same requests are asked of the mock; of each axis that both exchanges show, both must show the same.
    """
    changed = rehearsal.with_chip(edition, chip)
    send = rehearsal.transport(rehearsal.service(changed), edition.file.defaults.created * 1000)
    clock = Clock(lambda: 0.0, lambda _seconds: None)
    runner = Runner(send, changed, chip, model, clock=clock)
    found: list[str] = []
    for case in probes(edition, model):
        recorded = exchanges.get(case.name)
        if recorded is None or not Reading(recorded).answered:
            continue
        reading = Reading(recorded)
        theirs, ours = dialect.observe(reading), dialect.observe(Reading(send(runner.request(case))))
        for axis, value in theirs.items():
            named = dialect.name_of(axis, value) is not None and axis in ours
            contradicts = dialect.differs(chip.wire, theirs, axis, streamed=reading.wants_stream)
            if named and ours[axis] != value and contradicts:
                found.append(f"{case.name}: {axis.field}: recorded {value}, the mock {ours[axis]}")
    return found

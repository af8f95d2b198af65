"""From a target's behaviour to a chip's profile: probes, what they show of each axis, and a check of the result.

Nothing here sends or waits; the command hands in what does. A profile says only what deviates, so what the target
does as the standard and the edition have it is not written down.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from statistics import median, quantiles
from typing import TYPE_CHECKING, Final

from mockserver.contract import cases, in_process, restated
from mockserver.contract.clauses import dialect, observers_frame
from mockserver.contract.clauses.clause import Context, Outcome
from mockserver.contract.clauses.reading import MIXED, Reading
from mockserver.contract.clauses.table import judge
from mockserver.contract.clauses.wire_form import WIRE_CHECKS
from mockserver.contract.result import Budget, Clock, counted
from mockserver.contract.runner import Runner
from mockserver.core.errors import printable
from mockserver.core.written import keys_of
from mockserver.pipeline.keys import CHANGES, merged
from mockserver.profile import quirks
from mockserver.profile.edition import ChipProfile, Edition
from mockserver.profile.edition_file import ChipFile, ChipSpeed, QuirkClaim
from mockserver.profile.quirk_families import EXTRA_KEY, KEY_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.contract.clauses.clause import Check
    from mockserver.contract.clauses.reading import Shown
    from mockserver.contract.http_client import Address
    from mockserver.contract.result import Result
    from mockserver.core.exchange import Exchange
    from mockserver.pipeline.wire_settings import WireSettings
    from mockserver.profile.quirks import Axis, Quirk

REPEATS: Final = 8
"""How often the plain streamed question is asked again, for the latency."""


@dataclass(frozen=True)
class Observation:
    """What the probes show of one axis.

    Attributes:
        axis: The axis.
        quirk: The quirk that agrees with most exchanges; None where no quirk is named for what most show.
        seen: What most exchanges show, for people.
        proof: The probe that shows it first, and shows it apart from the edition's common form where any does.
        agreeing: How many exchanges it agrees with.
        of: How many exchanges show anything of this axis.
    """

    axis: Axis
    quirk: Quirk | None
    seen: str
    proof: str
    agreeing: int
    of: int

    @property
    def confidence(self) -> float:
        """How likely the next exchange agrees, by the rule of succession: 1 of 1 is 0.67, 16 of 16 is 0.94."""
        return (self.agreeing + 1) / (self.of + 2)


@dataclass(frozen=True)
class Learned:
    """What the probes came to.

    Attributes:
        file: The chip's profile.
        implied: Names of quirks that were seen too, and that change no byte beside those of the profile.
        notes: What the profile cannot say.
    """

    file: ChipFile
    implied: tuple[str, ...]
    notes: tuple[str, ...]


def probes(edition: Edition, model: str, max_tokens: int = cases.DEFAULT_MAX_TOKENS) -> dict[str, Case]:
    """What is asked, by file name: the documented examples, the twins, and one stream some times more."""
    found = [case for case in cases.examples(edition, model, max_tokens) if not case.needs_model_in_path]
    streamed = next(case for case in found if isinstance(case.body, dict) and case.body.get("stream") is True)
    found += [replace(streamed, name=f"{streamed.name}, again {n}") for n in range(1, REPEATS + 1)]
    return {
        f"{number:02}-{re.sub(r'[^a-z0-9]+', '-', case.name)}": replace(case, twin_of=None, relations=())
        for number, case in enumerate(found, 1)
    }


def blank(edition: Edition, chip: str) -> ChipProfile:
    """A chip of which nothing is known but what all chips of its edition share."""
    claims = edition.file.quirks
    wire = reduce(quirks.changed, (claim.name for claim in claims), quirks.STANDARD)
    latency = ChipSpeed(first_token_ms=0.0, inter_token_ms=0.0, claim="assumed", source="not measured")
    return ChipProfile(chip, "Not known yet.", claims, wire, latency)


def profile_of(edition: Edition, chip: str, file: ChipFile) -> ChipProfile:
    """A chip's file put together with what all chips of its edition share."""
    wire = reduce(quirks.changed, (claim.name for claim in file.quirks), blank(edition, chip).wire)
    return ChipProfile(chip, file.summary, (*edition.file.quirks, *file.quirks), wire, file.latency)


def observations(base: WireSettings, exchanges: Mapping[str, Exchange]) -> list[Observation]:
    """What the probes show of each axis, in the table's order; axes that none shows are absent.

    Args:
        base: What all chips of the edition share.
        exchanges: What came, by the probe's name.
    """
    readings = {name: Reading(exchange) for name, exchange in exchanges.items()}
    found_parts = (axis for reading in readings.values() for axis in dialect.observe(reading) if axis.part)
    parts = tuple(dict.fromkeys((*quirks.parts_of(base), *found_parts)))
    shown = {name: dialect.observe(reading, parts) for name, reading in readings.items()}
    most = {
        axis: Counter(seen[axis] for seen in shown.values() if axis in seen).most_common(1)[0][0]
        for axis in (*quirks.AXES, *parts)
        if any(axis in seen for seen in shown.values())
    }
    for axis in [axis for axis in most if axis.family is KEY_ORDER]:
        every = merged(one for seen in shown.values() if axis in seen for one in dialect.orders_of(str(seen[axis])))
        most[axis] = "+".join(every) if every else most[axis]  # each answer has some of the keys
    ids = next((axis for axis in most if axis.field == "id_form"), None)
    if ids is not None:  # one id tells its form badly, many tell what they have in common
        most[ids] = observers_frame.id_form_in(readings.values()) or most[ids]
    if _never_counted(readings.values()):
        for axis in [axis for axis in most if axis.field in {"usage_when", "usage_unasked"}]:
            del most[axis]  # who never sends usage, asked or not, does not send it on request
    settled = chosen = dialect.settled(base, most.items())
    found = []
    for axis, value in sorted(most.items(), key=lambda one: one[0].family is KEY_ORDER):
        wire = chosen if axis.family is KEY_ORDER else settled  # the order is that of the keys which there are
        by_name = {name: seen for name, seen in shown.items() if axis in seen}

        def against(
            quirk: Quirk,
            axis: Axis = axis,
            by_name: Mapping[str, dict[Axis, Shown]] = by_name,
            wire: WireSettings = wire,
        ) -> list[str]:
            """The exchanges that contradict a quirk."""
            with_it = quirks.apply(wire, axis, quirk)
            return [
                name
                for name, seen in by_name.items()
                if dialect.differs(with_it, seen, axis, streamed=readings[name].wants_stream)
            ]

        quirk = axis.quirk_of(value)
        values = dict.fromkeys((value, *(seen[axis] for seen in by_name.values())))
        if quirk is not None and axis.family is KEY_ORDER:  # another quirk may have it so already
            quirk = min((axis.quirk_in(base), quirk), key=lambda one: len(against(one)))
        elif quirk is not None and len(values) > 1:
            others = filter(None, map(axis.quirk_of, values))
            quirk = min((quirk, *axis.quirks, *others), key=lambda one: len(against(one)))
        if axis.family is EXTRA_KEY and len(values) > len(by_name) / 2 > 1:  # another in each answer, so an example
            quirk = axis.quirk_of(CHANGES + str(value)) if value not in {"", MIXED} else None
        wrong = set(against(quirk)) if quirk else {name for name, seen in by_name.items() if seen[axis] != value}
        due = axis.quirk_in(base)
        telling = [name for name in against(due) if name not in wrong] or [
            name for name in by_name if name not in wrong
        ]
        telling = telling or [*by_name]
        if axis.part and axis.family not in {KEY_ORDER, EXTRA_KEY} and len(values) > len(by_name) / 2 > 1:
            quirk = None  # a value that changes from answer to answer is no constant
        chosen = quirks.apply(chosen, axis, quirk) if quirk else chosen
        says = quirk.name if quirk else f"{axis.part} {value}".strip()
        found.append(Observation(axis, quirk, says, telling[0], len(by_name) - len(wrong), len(by_name)))
    return found


def _never_counted(readings: Iterable[Reading]) -> bool:
    """Whether streams were asked for usage and none has any."""
    streams = [one for one in readings if one.whole and not one.blocked]
    return any(one.wants_usage for one in streams) and not any(one.usages for one in streams)


def learned(edition: Edition, model: str, chip: str, exchanges: Mapping[str, Exchange], date: str) -> Learned:
    """The chip's profile as the probes show it, and what it cannot say.

    Args:
        edition: What the chips share.
        model: The model that was asked.
        chip: The chip's name.
        exchanges: What came, by the probe's name.
        date: When, as `2026-11-22`.
    """
    base = blank(edition, chip).wire
    seen = observations(base, exchanges)
    wire = base
    for one in seen:
        wire = quirks.apply(wire, one.axis, one.quirk) if one.quirk else wire
    claims, implied, notes = [], [], []
    for one in seen:
        share = f"{one.agreeing} of {counted(one.of, 'exchange')}"
        if one.agreeing < one.of:
            notes.append(f"{one.axis.field}: {one.seen} in {share}, otherwise in the rest")
        if one.quirk is None:
            notes.append(f"{one.axis.field}: {one.seen!r} was seen, which no quirk is named for ({one.proof})")
        elif shows(base, wire, one.axis):
            source = f"{chip}-probes/{one.proof}.json, {date}; {share} show it, confidence {one.confidence:.0%}"
            claims.append(QuirkClaim(name=one.quirk.name, claim="observed", source=source))
        elif not dialect.alike(quirks.apply(base, one.axis, one.quirk), base):
            implied.append(one.quirk.name)
    summary = summary_of(claims, date)
    file = ChipFile(summary=summary, quirks=tuple(claims), latency=latency_of(exchanges.values(), date))
    profile = ChipProfile(chip, summary, (*edition.file.quirks, *claims), wire, file.latency)
    beyond = broken_by(Context(edition, profile, model), exchanges, WIRE_CHECKS)
    notes += [f"no quirk is for {line}" for line in beyond.values()]
    notes += [f"no quirk is for {one}" for one in restated.compared(exchanges.values(), wire).differences]
    return Learned(file, tuple(implied), tuple(map(printable, notes)))


def summary_of(claims: Sequence[QuirkClaim], date: str) -> str:
    """What a chip's profile says of itself."""
    return f"As observed on {date}: {', '.join(claim.name for claim in claims) or 'no deviation'}."


def shows(base: WireSettings, wire: WireSettings, axis: Axis) -> bool:
    """Whether an axis of `wire` differs from `base` in a way that some byte can show."""
    due = dialect.declared(base, axis)
    if dialect.declared(wire, axis) == due:
        return False
    back = quirks.apply(wire, axis, axis.quirk_in(base))
    return not dialect.alike(back, wire)


def broken_by(context: Context, exchanges: Mapping[str, Exchange], besides: Sequence[Check] = ()) -> dict[str, str]:
    """The clauses of the contract, but for some, that exchanges break: the id, and what tells so."""
    found: dict[str, str] = {}
    for name, exchange in exchanges.items():
        for check, verdict in judge(exchange, context).items():
            if check not in besides and verdict.outcome is Outcome.BROKEN:
                found.setdefault(check.id, f"{check.id} ({check.severity}): {verdict.evidence} ({name})")
    return found


# --- latency ------------------------------------------------------------------------------------------------------


def latency_of(exchanges: Iterable[Exchange], date: str) -> ChipSpeed:
    """Time to the first token and between tokens over all whole streams, with their quantiles as the source."""
    first, between = times_of(exchanges)
    if not first:
        return ChipSpeed(first_token_ms=0.0, inter_token_ms=0.0, claim="observed", source=f"no stream came, {date}")
    ttft, itl = median(first), median(between) if between else 0.0
    spread = (_quantile(between, 90) - itl) / itl if between and itl > 0 else 0.0
    source = (
        f"{counted(len(first), 'stream')}, {date}: TTFT p50 {ttft:.1f}, p90 {_quantile(first, 90):.1f}, p99 "
        f"{_quantile(first, 99):.1f} ms; ITL p50 {itl:.1f}, p90 {_quantile(between, 90):.1f}, p99 "
        f"{_quantile(between, 99):.1f} ms"
    )
    jitter = round(min(max(spread, 0.0), 1.0), 2)
    return ChipSpeed(
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
    lines += ["", *map(claim_text, file.quirks), "[latency]"]
    for key, value in keys_of(file.latency).items():
        lines.append(f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {_quoted(value)}")
    return "\n".join(lines) + "\n"


def claim_text(claim: QuirkClaim) -> str:
    """One claim as TOML, a blank line after it."""
    return "\n".join(["[[quirks]]", *(f"{key} = {_quoted(value)}" for key, value in keys_of(claim).items()), ""])


def _quoted(text: str) -> str:
    """A basic string of TOML; JSON's escapes are among TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- the check ----------------------------------------------------------------------------------------------------


def rehearse(edition: Edition, chip: ChipProfile, model: str, *, refusals: bool = True) -> Result:
    """The contract against a mock with the learned profile, in this process.

    Args:
        edition: What the chips share.
        chip: The learned profile.
        model: The model.
        refusals: Whether requests with one rule broken are asked too.
    """
    changed = in_process.with_chip(edition, chip)
    send = in_process.transport(in_process.service(changed), edition.file.defaults.created * 1000)
    clock = Clock(lambda: 0.0, lambda _seconds: None)
    runner = Runner(send, changed, chip, model, clock=clock, budget=Budget(requests=200, tokens=100_000))
    return runner.run([cases.Phase.EXAMPLES, *([cases.Phase.BROKEN] if refusals else []), cases.Phase.DIALOGUE])


def asked_of_mock(
    edition: Edition, chip: ChipProfile, model: str, asked: Iterable[Case], address: Address | None = None
) -> dict[str, Exchange]:
    """What a mock in this process answers to cases, by their names.

    Args:
        edition: What the chips share.
        chip: The chip that answers.
        model: The model.
        asked: The cases.
        address: Gives the path; None asks on the service's own.
    """
    changed = in_process.with_chip(in_process.with_model(edition, model), chip)
    send = in_process.transport(in_process.service(changed), edition.file.defaults.created * 1000, chip=chip.name)
    runner = Runner(send, changed, chip, model, clock=Clock(lambda: 0.0, lambda _s: None), address=address)
    return {case.name: send(runner.request(case)) for case in asked}


def unlike(edition: Edition, chip: ChipProfile, model: str, exchanges: Mapping[str, Exchange]) -> list[str]:
    """Where the mock with a profile has another wire form than the recorded exchanges; one line each.

    The same requests are asked of the mock; of each axis that both exchanges show, both must show the same.
    """
    changed = in_process.with_chip(edition, chip)
    send = in_process.transport(in_process.service(changed), edition.file.defaults.created * 1000)
    clock = Clock(lambda: 0.0, lambda _seconds: None)
    runner = Runner(send, changed, chip, model, clock=clock)
    found: list[str] = []
    for name, case in probes(edition, model).items():
        recorded = exchanges.get(name)
        if recorded is None or not Reading(recorded).answered:
            continue
        reading = Reading(recorded)
        theirs, ours = dialect.observe(reading), dialect.observe(Reading(send(runner.request(case))))
        for axis, value in theirs.items():
            named = dialect.name_of(axis, value) is not None and axis in ours
            if named and ours[axis] != value and dialect.differs(chip.wire, ours, axis, streamed=reading.wants_stream):
                found.append(f"{name}: {axis.field}: recorded {value}, the mock {ours[axis]}")
    return found

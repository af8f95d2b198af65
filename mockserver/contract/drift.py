"""What a service does now, beside what the mock does: schema, wire dialect, refusals and timing class."""

from __future__ import annotations

import re
import tomllib
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from mockserver.contract import drift_rows, learn
from mockserver.contract.clauses import wire_form
from mockserver.contract.clauses.clause import Outcome, Severity, word_of
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.table import CHECKS
from mockserver.contract.clauses.wire_form import WIRE_CHECKS
from mockserver.contract.drift_rows import Row
from mockserver.contract.learn import times_of
from mockserver.contract.result import counted
from mockserver.core.checking import checks
from mockserver.core.errors import printable
from mockserver.pipeline.chunk import REASONING_KEYS
from mockserver.profile import quirks
from mockserver.profile.edition_file import ChipFile, QuirkClaim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.contract.clauses.clause import Context
    from mockserver.contract.drift_rows import Pair
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import ChipProfile

_FEATURES: Final = ("_details", "logprobs.")
"""Parts of fields that come or not with what the model happened to do."""
_WEIGHTS: Final = {"chunk-model-echo": Severity.SHOULD}
"""What the contract leaves to another clause, and what has drifted all the same where it changes."""
_CLASSES: Final = ((20.0, "instant"), (150.0, "fast"), (600.0, "medium"), (2000.0, "slow"))


def compare(context: Context, pairs: Sequence[Pair], cases: Mapping[str, Case] | None = None) -> list[Row]:
    """All differences, the weightiest first.

    Args:
        context: The edition, the mock's profile of the chip, and the model.
        pairs: The case's name, the mock's exchange and the service's.
        cases: By name, where they are known: the documents have words for some refusals.
    """
    chip = context.chip
    rows = [
        *drift_rows.statuses(pairs),
        *drift_rows.refusals(context.edition, pairs, cases or {}),
        *drift_rows.headers(pairs),
        *drift_rows.limits(pairs),
        *_dialect(chip, [live for _, _, live in pairs if not Reading(live).refused]),
        *_broken(context, pairs),
    ]
    alike: dict[tuple[bool, ...], list[tuple[Exchange, Exchange]]] = {}
    for _, ours, live in pairs:
        mine, theirs = Reading(ours), Reading(live)
        if not (mine.refused or theirs.refused) and _says(mine) == _says(theirs):
            alike.setdefault(_says(mine), []).append((ours, live))
    for listed in alike.values():
        ours_alike, live_alike = [ours for ours, _ in listed], [live for _, live in listed]
        told = {row.field for row in rows}
        rows += _schema(ours_alike, live_alike)
        rows += [row for row in drift_rows.orders(ours_alike, live_alike) if row.field not in told]
    rows += _timing(chip, [live for _, _, live in pairs])
    order = list(Severity)
    shown = [Row(printable(row.field), printable(row.mock), printable(row.live), row.severity) for row in rows]
    return sorted(dict.fromkeys(shown), key=lambda row: order.index(row.severity))


def _says(reading: Reading) -> tuple[bool, ...]:
    """Of which kind an answer is: what it says decides which keys it has, and only the like is compared."""
    places = [*reading.said, *(choice for _, choice in reading.choices)]
    kinds = ("content", "tool_calls", *REASONING_KEYS)
    says = (any(bool(one.get(key)) for one in places) for key in kinds)
    return (reading.wants_stream, reading.wants_usage, reading.blocked, *says)


def _broken(context: Context, pairs: Sequence[Pair]) -> list[Row]:
    """The contract's musts that the service breaks and the mock keeps, each once; the wire form has rows of its own."""
    found: dict[str, Row] = {}
    wire = {check.id for check in WIRE_CHECKS}
    musts = [check for check in CHECKS if check.id not in wire and check.weight(context) is Severity.MUST]
    for _, ours, live in pairs:
        if Reading(ours).refused or not Reading(live).answered:
            continue
        due, came = Reading(ours), Reading(live)
        for check in musts:
            verdict = word_of(partial(check.judge, came, context))
            if check.id in found or verdict.outcome is not Outcome.BROKEN:
                continue
            if word_of(partial(check.judge, due, context)).outcome is not Outcome.BROKEN:
                found[check.id] = Row(check.id, "holds", printable(verdict.evidence), Severity.MUST)
    return list(found.values())


def _dialect(chip: ChipProfile, live: Iterable[Exchange]) -> list[Row]:
    weights = {check.id: check.severity for check in wire_form.WIRE_CHECKS} | _WEIGHTS
    return [
        Row(entry.clause, entry.declared, entry.seen or "", weights[entry.clause])
        for entry in wire_form.ledger(chip, map(Reading, live))
        if entry.state not in {"as declared", "not seen"}
    ]


def _schema(ours: Iterable[Exchange], live: Iterable[Exchange]) -> list[Row]:
    mine, theirs = _paths(ours), _paths(live)
    rows = []
    for path in sorted(mine.keys() | theirs.keys()):
        here, there = mine.get(path, set()), theirs.get(path, set())
        if here == there:
            continue
        weight = Severity.SHOULD if not here or here ^ there == {"null"} else Severity.MUST
        if any(part in path for part in _FEATURES):
            weight = Severity.OBSERVED
        rows.append(Row(path, " or ".join(sorted(here)) or "absent", " or ".join(sorted(there)) or "absent", weight))
    return rows


def _paths(exchanges: Iterable[Exchange]) -> dict[str, set[str]]:
    """Each path in the JSON objects with the types that it has."""
    found: dict[str, set[str]] = {}
    for exchange in exchanges:
        for one in Reading(exchange).objects:
            _walk(one, "", found)
    return found


def _walk(value: object, path: str, found: dict[str, set[str]]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _note(inner, f"{path}.{key}".lstrip("."), found)
    elif isinstance(value, list):
        for inner in value:
            _note(inner, f"{path}[]", found)


def _note(value: object, path: str, found: dict[str, set[str]]) -> None:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    if not path.endswith("[]"):
        found.setdefault(path, set()).add(names.get(type(value), "null"))
    _walk(value, path, found)


def timing_class(milliseconds: float) -> str:
    """A time as one of five classes, so that noise is no drift."""
    return next((name for limit, name in _CLASSES if milliseconds < limit), "very slow")


def _timing(chip: ChipProfile, live: Iterable[Exchange]) -> list[Row]:
    """The profile's latency beside the medians; only a report, since a network lies between."""
    first, between = times_of(live)
    measured = [("TTFT", chip.latency.first_token_ms, first), ("ITL", chip.latency.inter_token_ms, between)]
    rows = []
    for name, declared, values in measured:
        if values and timing_class(declared) != timing_class(median(values)):
            seen = f"{timing_class(median(values))} ({median(values):.0f} ms)"
            rows.append(Row(name, f"{timing_class(declared)} ({declared:g} ms)", seen, Severity.OBSERVED))
    return rows


# --- the patch ----------------------------------------------------------------------------------------------------


def patched(
    file: ChipFile, chip: ChipProfile, live: Mapping[str, Exchange], source: str, word_at_limit: str = ""
) -> ChipFile:
    """The chip's file with each claim that drifted replaced by what was seen.

    Args:
        file: The chip's file as it is.
        chip: The profile made of it and its edition.
        live: What came, by name.
        source: What to write as the source of the new claims.
        word_at_limit: The finish reason where the limit cut; empty for what the mock says.
    """
    observed = learn.observations(chip.wire, {name: one for name, one in live.items() if not Reading(one).refused})
    wire = chip.wire
    for one in observed:
        wire = quirks.apply(wire, one.axis, one.quirk) if one.quirk else wire
    seen = [one for one in observed if one.quirk and learn.shows(chip.wire, wire, one.axis)]
    gone = {one.axis for one in seen}
    limit = quirks.find(f"finish-word=length:{word_at_limit}") if word_at_limit else None
    kept = tuple(claim for claim in file.quirks if quirks.find(claim.name)[0] not in gone | {limit and limit[0]})
    own = {claim.name for claim in file.quirks}
    shared = {quirks.find(claim.name)[0] for claim in chip.claims if claim.name not in own}
    new = tuple(
        QuirkClaim(
            name=one.quirk.name, claim="observed", source=f"{source}: {one.agreeing} of {counted(one.of, 'exchange')}"
        )
        for one in seen
        if one.quirk is not None and (one.quirk != one.axis.standard or one.axis in shared)
    )
    if limit is not None:
        new += (QuirkClaim(name=limit[1].name, claim="observed", source=f"{source}: answers cut by their limit"),)
    return ChipFile(summary=file.summary, quirks=(*kept, *new), latency=file.latency)


def edited(text: str, after: ChipFile) -> str:
    """The text of a chip's file, changed so that it says `after`; what need not change stays, comments too.

    Args:
        text: The file as it is.
        after: What it must say.
    """
    names = [claim.name for claim in after.quirks]
    kept, said = [], set()
    for part in _TABLE.split(text):
        name = _name_of(part)
        if name is None or name in names:
            kept.append(part)
            said.add(name)
    new = [learn.claim_text(claim) + "\n" for claim in after.quirks if claim.name not in said]
    at = next((number for number, part in enumerate(kept) if part.startswith("[latency]")), len(kept))
    made = "".join([*kept[:at], *new, *kept[at:]])
    try:
        return made if checks(ChipFile).validate_python(tomllib.loads(made)) == after else learn.text_of(after)
    except ValueError:
        return learn.text_of(after)


_TABLE: Final = re.compile(r"^(?=\[)", re.MULTILINE)


def _name_of(part: str) -> str | None:
    """The quirk that a part of a chip's file claims; None for another part."""
    if not part.startswith("[[quirks]]"):
        return None
    try:
        name = tomllib.loads(part)["quirks"][0].get("name")
    except ValueError:
        return None
    return name if isinstance(name, str) else None

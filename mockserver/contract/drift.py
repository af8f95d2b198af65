"""What a service does now, beside what the mock does: schema, wire dialect, refusals and timing class."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from mockserver.contract import learn, learn_compare
from mockserver.contract.clauses import wire_form
from mockserver.contract.clauses.clause import Outcome, Severity
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.table import judge
from mockserver.contract.clauses.wire_form import WIRE_CHECKS
from mockserver.contract.learn import times_of
from mockserver.contract.result import counted
from mockserver.core import strict_json
from mockserver.core.errors import printable
from mockserver.pipeline.chunk import REASONING_KEYS
from mockserver.profile import quirks
from mockserver.profile.edition import ChipFile, QuirkClaim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.contract.clauses.clause import Context
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import ChipProfile

_FEATURES: Final = ("_details", "logprobs.")
"""Parts of fields that come or not with what the model happened to do."""
_CLASSES: Final = ((20.0, "instant"), (150.0, "fast"), (600.0, "medium"), (2000.0, "slow"))


@dataclass(frozen=True, slots=True)
class Row:
    """One difference.

    Attributes:
        field: The clause, the path in the JSON, the case or the measure.
        mock: What the mock does.
        live: What the service does.
        severity: How much it weighs; `observed` is told and is not drift.
    """

    field: str
    mock: str
    live: str
    severity: Severity


def compare(context: Context, pairs: Sequence[tuple[str, Exchange, Exchange]]) -> list[Row]:
    """All differences, the weightiest first.

    Args:
        context: The edition, the mock's profile of the chip, and the model.
        pairs: The case's name, the mock's exchange and the service's.
    """
    chip = context.chip
    rows = [
        *_statuses(pairs),
        *_refusals(pairs),
        *_dialect(chip, [live for _, _, live in pairs]),
        *_broken(context, pairs),
    ]
    alike: dict[tuple[bool, ...], list[tuple[Exchange, Exchange]]] = {}
    for _, ours, live in pairs:
        mine, theirs = Reading(ours), Reading(live)
        if mine.answered and theirs.answered and _says(mine) == _says(theirs):
            alike.setdefault(_says(mine), []).append((ours, live))
    for listed in alike.values():
        rows += _schema([ours for ours, _ in listed], [live for _, live in listed])
    rows += _timing(chip, [live for _, _, live in pairs])
    order = list(Severity)
    return sorted(dict.fromkeys(rows), key=lambda row: order.index(row.severity))


def _says(reading: Reading) -> tuple[bool, ...]:
    """Of which kind an answer is: what it says decides which keys it has, and only the like is compared."""
    places = [*reading.said, *(choice for _, choice in reading.choices)]
    kinds = ("content", "tool_calls", *REASONING_KEYS)
    says = (any(bool(one.get(key)) for one in places) for key in kinds)
    return (reading.wants_stream, reading.wants_usage, reading.blocked, *says)


def _broken(context: Context, pairs: Sequence[tuple[str, Exchange, Exchange]]) -> list[Row]:
    """The contract's musts that the service breaks and the mock keeps, each once; the wire form has rows of its own."""
    found: dict[str, Row] = {}
    for _, ours, live in pairs:
        if not (Reading(ours).answered and Reading(live).answered):
            continue
        mine = judge(ours, context)
        for check, verdict in judge(live, context).items():
            weighs = check.weight(context) is Severity.MUST and check not in WIRE_CHECKS
            if verdict.outcome is not Outcome.BROKEN or not weighs:
                continue
            if mine[check].outcome is not Outcome.BROKEN:
                found.setdefault(check.id, Row(check.id, "holds", printable(verdict.evidence), Severity.MUST))
    return list(found.values())


def _statuses(pairs: Iterable[tuple[str, Exchange, Exchange]]) -> list[Row]:
    return [
        Row(f"status: {name}", str(Reading(ours).status), str(Reading(live).status or "none"), Severity.MUST)
        for name, ours, live in pairs
        if Reading(ours).status != Reading(live).status
    ]


def _refusals(pairs: Iterable[tuple[str, Exchange, Exchange]]) -> list[Row]:
    """Refusals of one status whose body has other keys, another code or type, or whose headers are others."""
    found: dict[str, Row] = {}
    for _, ours, live in pairs:
        mine, theirs = Reading(ours), Reading(live)
        if mine.status != theirs.status or not 400 <= mine.status <= 599:
            continue
        due, came = _refusal_form(mine.body), _refusal_form(theirs.body)
        if due != came:
            field = f"body of a {mine.status}"
            found.setdefault(f"{field} {due} {came}", Row(field, due, printable(came), Severity.MUST))
        for line in learn_compare.headers_unlike(theirs, mine):
            what, _, how = line.partition(": ")
            field = f"{what} of a {mine.status}"
            found.setdefault(field, Row(field, "other", printable(how), Severity.SHOULD))
    return list(found.values())


def _refusal_form(body: bytes) -> str:
    """The keys of a refusal's body in their order, and its code; what is no JSON object by its beginning."""
    try:
        document = strict_json.loads(body)
    except ValueError:
        return repr(body[:60])
    if not isinstance(document, dict):
        return repr(body[:60])
    shown = {
        key: {name: inner if name == "code" else "…" for name, inner in value.items()}
        if isinstance(value, dict)
        else (value if key == "code" else "…")
        for key, value in document.items()
    }
    return json.dumps(shown, ensure_ascii=False)[:120]


def _dialect(chip: ChipProfile, live: Iterable[Exchange]) -> list[Row]:
    weights = {check.id: check.severity for check in wire_form.WIRE_CHECKS}
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


def patched(file: ChipFile, chip: ChipProfile, live: Mapping[str, Exchange], source: str) -> ChipFile:
    """The chip's file with each claim that drifted replaced by what was seen.

    Args:
        file: The chip's file as it is.
        chip: The profile made of it and its edition.
        live: What came, by name.
        source: What to write as the source of the new claims.
    """
    observed = learn.observations(chip.wire, live)
    wire = chip.wire
    for one in observed:
        wire = quirks.apply(wire, one.axis, one.quirk) if one.quirk else wire
    seen = [one for one in observed if one.quirk and learn.shows(chip.wire, wire, one.axis)]
    gone = {one.axis for one in seen}
    kept = tuple(claim for claim in file.quirks if quirks.find(claim.name)[0] not in gone)
    own = {claim.name for claim in file.quirks}
    shared = {quirks.find(claim.name)[0] for claim in chip.claims if claim.name not in own}
    new = tuple(
        QuirkClaim(
            name=one.quirk.name, claim="observed", source=f"{source}: {one.agreeing} of {counted(one.of, 'exchange')}"
        )
        for one in seen
        if one.quirk is not None and (one.quirk != one.axis.standard or one.axis in shared)
    )
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
        return made if ChipFile.model_validate(tomllib.loads(made)) == after else learn.text_of(after)
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

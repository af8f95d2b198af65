"""The rows of a drift that lie outside of an answer's schema and dialect: refusals, headers, orders of keys, limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockserver.contract import drift_edition, learn_compare
from mockserver.contract.clauses.clause import Severity
from mockserver.contract.clauses.reading import Reading
from mockserver.core.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import Edition

Pair = tuple[str, "Exchange", "Exchange"]
"""A case's name, the mock's exchange and the service's."""


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


def statuses(pairs: Iterable[Pair]) -> list[Row]:
    """Other statuses: what is let in, or refused though it is right, each by its case; other refusals by the first."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, ours, live in pairs:
        mine, theirs = Reading(ours), Reading(live)
        if (mine.status, mine.refused) != (theirs.status, theirs.refused):
            found.setdefault((_status(mine), _status(theirs)), []).append(name)
    rows = []
    for (due, came), names in found.items():
        told = [_and_more(names)] if min(due, came) >= "400" and came != "none" else names
        rows += [Row(f"status: {name}", due, came, Severity.MUST) for name in told]
    return rows


def _status(reading: Reading) -> str:
    if reading.answered and reading.refused:
        return "200, a refusal"
    return str(reading.status or "none")


def _and_more(names: Sequence[str]) -> str:
    return names[0] + (f", and {len(names) - 1} more" if len(names) > 1 else "")


def refusals(edition: Edition, pairs: Iterable[Pair], cases: Mapping[str, Case]) -> list[Row]:
    """Refusals of one status whose body has another form: other keys, another code, other words than the documents'."""
    found: dict[tuple[str, str, str], Row] = {}
    for name, ours, live in pairs:
        mine, theirs = Reading(ours), Reading(live)
        if mine.status != theirs.status or not (mine.refused and theirs.refused):
            continue
        changed = drift_edition.changed_form(edition, cases.get(name), ours, live)
        if changed:
            due, came = changed
            row = Row(f"body of a {mine.status}", due.shown, printable(came.shown), Severity.MUST)
            found.setdefault((row.field, due.kind, came.kind), row)
    return list(found.values())


def headers(pairs: Iterable[Pair]) -> list[Row]:
    """Headers that one side alone sends, and other types of a body that is not streamed.

    One that is gone counts, for somebody may read it; one that is new is told.
    """
    statuses: dict[tuple[str, str], list[int]] = {}
    for _, ours, live in pairs:
        mine, theirs = Reading(ours), Reading(live)
        if mine.status != theirs.status or not mine.status:
            continue
        for line in learn_compare.headers_unlike(theirs, mine):
            what, _, how = line.partition(": ")
            if not (what == "content-type" and mine.answered and mine.wants_stream):  # which a quirk decides
                statuses.setdefault((what, how), []).append(mine.status)
    rows = []
    for (what, how), found in statuses.items():
        if 200 in found and what.removeprefix("header ") in drift_edition.OF_QUIRKS:
            continue
        places = ["an answer"] if 200 in found else sorted({f"a {status}" for status in found})
        weighs = Severity.OBSERVED if how == "only recorded" else Severity.SHOULD
        due, came = _sides(how)
        rows += [Row(f"{what} of {place}", due, came, weighs) for place in places]
    return rows


def _sides(how: str) -> tuple[str, str]:
    """What the mock sends and what came, of a line of `learn_compare.headers_unlike`."""
    if how in {"only recorded", "only the mock"}:
        return ("absent", "sent") if how == "only recorded" else ("sent", "absent")
    came, _, due = how.removeprefix("recorded ").partition(", the mock ")
    return due, printable(came)


def orders(ours: Iterable[Exchange], live: Iterable[Exchange]) -> list[Row]:
    """Other orders of the keys that both sides have, by the path of their object; of usage a quirk's row tells."""
    mine, theirs = _orders(ours), _orders(live)
    rows = []
    for path in sorted(mine.keys() & theirs.keys()):
        common = {key for order in mine[path] for key in order} & {key for order in theirs[path] for key in order}
        due, came = (_restricted(one[path], common) for one in (mine, theirs))
        new = [order for order in came if not any(_agree(order, known) for known in due)]
        if new and not path.endswith("usage"):
            name = f"keys of {path}" if path else "keys of the object"
            known = next(order for order in due if set(order) & set(new[0]))
            rows.append(Row(name, " ".join(known), printable(" ".join(new[0])), Severity.SHOULD))
    return rows


def _restricted(found: Iterable[tuple[str, ...]], common: set[str]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(tuple(key for key in order if key in common) for order in found))


def _agree(one: Sequence[str], other: Sequence[str]) -> bool:
    shared = set(one) & set(other)
    return [key for key in one if key in shared] == [key for key in other if key in shared]


def _orders(exchanges: Iterable[Exchange]) -> dict[str, dict[tuple[str, ...], None]]:
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for exchange in exchanges:
        for one in Reading(exchange).objects:
            for path, keys in _walk(one, ""):
                found.setdefault(path, {})[keys] = None
    return found


def _walk(value: object, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, dict):
        yield path, tuple(value)
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, f"{path}[]")


def words_at_a_limit(pairs: Iterable[Pair]) -> str:
    """What the service says where its own count shows that the limit cut the answer, and the mock says `length`.

    Empty where it says so too, or where no answer came to its limit. A model may end by itself just there: the word
    that most have counts.
    """
    found: Counter[str] = Counter()
    for _, ours, live in pairs:
        mine, theirs = Reading(ours), Reading(live)
        limit, count = theirs.asked.get("max_tokens"), theirs.usage.get("completion_tokens")
        at_limit = type(limit) is int and type(count) is int and count == limit
        if mine.finish_reason == "length" and at_limit and theirs.finish_reason is not None:
            found[theirs.finish_reason] += 1
    word = found.most_common(1)[0][0] if found else "length"
    return "" if word == "length" else word


def limits(pairs: Iterable[Pair]) -> list[Row]:
    """Another word than `length` where the limit cut an answer."""
    word = words_at_a_limit(pairs)
    return [Row("finish_reason at the limit", "length", printable(word), Severity.MUST)] if word else []

"""What an edition file must say so that the mock refuses as a target does: its error rows, rules and constant headers.

Nothing here sends. Only what deviates is changed; a refusal that the edition's row makes to the byte keeps its row.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, get_args

from mockserver.contract import cases, learn_echo, learn_headers
from mockserver.contract.clauses.reading import Reading
from mockserver.core.checking import checks
from mockserver.core.errors import OperatorError, Refusal
from mockserver.core.written import Written, keys_of
from mockserver.pipeline.refuse import ErrorShape
from mockserver.pipeline.request.fields import read_field
from mockserver.pipeline.request.rules import FieldRule, LetIn
from mockserver.profile.edition_file import EditionFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.core.exchange import Exchange
    from mockserver.pipeline.further_headers import HeaderValue, Place
    from mockserver.profile.edition import Edition

Asked = tuple["Case", "Exchange"]


def refusals(edition: Edition, model: str, most: int, *, names_chip: bool) -> list[Case]:
    """The requests with one rule broken that are asked, the most telling first; at most `most`."""
    found = cases.breaks(edition, model)
    return [one for one in found if (names_chip or one.chip is None)][:most]


def fresh(model: str, max_tokens: int) -> list[Case]:
    """Questions that no probe asked, for the check: answers of both kinds, and refusals with other values."""
    answers = [
        cases.Case(f"fresh {number}{', streamed' if stream else ''}", cases.Phase.EXAMPLES,
                   cases.question(text, model, max_tokens, **({"stream": True} if stream else {})))
        for number, text in enumerate(("一年有几天?", "What is a token?", "请说再见。"), 1) for stream in (False, True)
    ]  # fmt: skip
    good = cases.question("另一个问题", model, max_tokens)
    bodies: dict[str, Any] = {
        "fresh: no messages": {"model": model, "stream": True},
        "fresh: unknown role": {**good, "messages": [{"role": "ghost", "content": "一"}]},
        "fresh: a key without value": json.dumps(good).encode().replace(b"}]", b",}]"),
        "fresh: temperature is 9": {**good, "temperature": 9},
    }
    no_key = cases.Case("fresh: no key", cases.Phase.BROKEN, good, "missing-key", headers={b"authorization": None})
    kinds = {name: "invalid-json" if isinstance(body, bytes) else "invalid-field" for name, body in bodies.items()}
    return [*answers, no_key, *(cases.Case(n, cases.Phase.BROKEN, body, kinds[n]) for n, body in bodies.items())]


def learned(
    edition: Edition, asked: Sequence[Asked], answers: Sequence[Exchange], ours: Mapping[str, Exchange], date: str
) -> EditionFile:
    """The edition's file with what the target does otherwise.

    Args:
        edition: As it is.
        asked: The cases with one rule broken, with what came.
        answers: What came of the other questions.
        ours: What the mock of this edition says to the same cases, by the case's name; its wire form is the target's.
        date: When, as `2026-11-22`.
    """
    every = [*answers, *(came for _, came in asked)]
    headers = learn_headers.headers(every, ours.values())
    rows = _rows(edition.file.errors, asked, ours, headers, date)
    refused: dict[str, list[bool]] = {}
    for case, came in asked:
        if came.plan is not None and case.rule:
            refused.setdefault(case.rule, []).append(Reading(came).refused)
    request = replace(
        edition.file.request,
        fields=_fields(edition.file.request.fields, asked, date),
        lets_in=tuple(rule for rule in get_args(LetIn) if rule in refused and not any(refused[rule])),
        not_kept=_not_kept(answers),
    )
    types = Counter(Reading(one).headers.get("content-type", "") for one in answers if Reading(one).completion)
    responses = replace(
        edition.file.responses, headers=headers, **({"body_type": types.most_common(1)[0][0]} if types else {})
    )
    return replace(edition.file, errors=rows, request=request, responses=responses)


def _kind(case: Case) -> str:
    return (case.refusal or "").partition(":")[0]


def _rows(
    rows: Mapping[str, ErrorShape],
    asked: Sequence[Asked],
    ours: Mapping[str, Exchange],
    further: Mapping[str, str | Mapping[Place, HeaderValue]],
    date: str,
) -> dict[str, ErrorShape]:
    """The error rows; of one kind the most frequent form is the row, and a field that looks otherwise has its own."""
    by_kind: dict[str, list[tuple[Case, ErrorShape]]] = {}
    changed = set()
    bodies = learn_echo.templates(asked)
    for case, came in asked:
        reading = Reading(came)
        if not (reading.refused and 200 <= reading.status <= 599):
            continue
        mine = Reading(ours[case.name]) if case.name in ours else None
        same = mine is not None and _form(mine) == _form(reading)
        row = rows[case.refusal or ""] if same else _row(reading, bodies.get(case.name), f"{case.name}, {date}")
        own = learn_headers.of_refusal(reading, mine or reading, further)
        row = replace(row, headers=row.headers | own) if own else row
        if own or not same:
            changed.add(_kind(case))
        by_kind.setdefault(_kind(case), []).append((case, row))
    made = dict(rows)
    for kind, found in by_kind.items():
        if kind not in changed:
            continue  # its rows say it already, also where each field has a text of its own
        forms = Counter(_alike(row) for _, row in found)
        usual = forms.most_common(1)[0][0]
        made[kind] = next(row for _, row in found if _alike(row) == usual)
        for where in dict.fromkeys(case.param for case, _ in found if case.param):
            first = next(row for case, row in found if case.param == where)  # the most telling one of a field
            if _alike(first) != usual or f"{kind}:{where}" in made:
                made[f"{kind}:{where}"] = first
        for case, row in found:
            due = made.get(f"{kind}:{case.param}", made[kind])
            if case.rule and case.rule != kind and (_alike(row) != _alike(due) or f"{kind}:{case.rule}" in made):
                made[f"{kind}:{case.rule}"] = row
    return made


def _alike(row: ErrorShape) -> tuple[object, ...]:
    return (row.status, row.family, row.code, row.message, row.body, row.content_type, tuple(row.headers.items()))


def _form(reading: Reading) -> tuple[object, ...]:
    """Status, type and body, whose words count only where the documents have them."""
    return (reading.status, reading.headers.get("content-type", ""), reading.body)


def _row(reading: Reading, body: str | None, source: str) -> ErrorShape:
    code: int | str = reading.error_code if reading.error_code is not None else reading.status
    return ErrorShape(
        status=reading.status,
        family="own",
        code=code,
        body=reading.body.decode("utf-8", "replace") if body is None else body,
        content_type=reading.headers.get("content-type", ""),
        claim="observed",
        source=source,
    )


def _fields(rules: Mapping[str, FieldRule], asked: Sequence[Asked], date: str) -> dict[str, FieldRule]:
    """The rules of the fields, each widened as little as what came asks for."""
    made = dict(rules)
    for name, rule in rules.items():
        seen = [
            (case.body[name], Reading(came))
            for case, came in asked
            if case.param == name and isinstance(case.body, dict) and name in case.body and came.plan is not None
        ]
        if seen:
            best = min(_wider(rule), key=lambda one: sum(not _says(name, value, one, came) for value, came in seen))
            if best != rule:
                source = f"{len(seen)} wrong values tried, {date}"
                made[name] = replace(best, claim="observed", source=source)
    return made


def _wider(rule: FieldRule) -> Iterator[FieldRule]:
    """The rule, and wider ones, the nearest first."""
    text: dict[str, Any] = {"from_text": True} if rule.type in {"number", "integer", "boolean"} else {}
    number: dict[str, Any] = {"type": "number"} if rule.type == "integer" else {}
    endless: tuple[dict[str, Any], ...] = ({}, {"maximum": None}, {"minimum": None}, {"maximum": None, "minimum": None})
    for typed in ({}, text, number, {"type": "any"}):
        yield from (replace(rule, **typed, **bounds) for bounds in endless)


def _says(name: str, value: object, rule: FieldRule, came: Reading) -> bool:
    """Whether a rule has of a value what came of it: a refusal, or an answer, streamed where the value says so."""
    try:
        taken = read_field(name, value, rule)
    except Refusal:
        return came.refused
    return not came.refused and (name != "stream" or (taken is True) is (came.framing == "sse"))


def _not_kept(answers: Iterable[Exchange]) -> tuple[Any, ...]:
    """Limits that an answer passed by its own count, and stops that stand in a text."""
    passed = set()
    for one in answers:
        reading = Reading(one)
        most, count, stop = (
            reading.asked.get("max_tokens"),
            reading.usage.get("completion_tokens"),
            reading.asked.get("stop"),
        )
        if type(most) is int and type(count) is int and count > most:
            passed |= {"max_tokens", "max_completion_tokens"}
        stops = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
        if any(isinstance(text, str) and text and text in reading.text for text in stops):
            passed.add("stop")
    return tuple(sorted(passed))


# --- several chips ------------------------------------------------------------------------------------------------


def joined(base: EditionFile, before: EditionFile, after: EditionFile) -> tuple[EditionFile, list[str]]:
    """One edition's file for the chips learnt before and the one learnt now, and what it says anew of the former.

    Args:
        base: The edition that both were learnt from.
        before: What was learnt of the others.
        after: What was learnt now.

    Raises:
        OperatorError: both differ from the edition, and not alike.
    """
    three = [_items(one) for one in (base, before, after)]
    chosen, anew = {}, []
    for key in dict.fromkeys(key for items in three for key in items):
        due, old, new = (items.get(key) for items in three)
        if (new is not None and old is not None and _said(new) == _said(old)) or _said(new) == _said(due):
            chosen[key] = old
        elif _said(old) == _said(due):
            chosen[key] = new
            anew.append(".".join(key))
        else:
            raise OperatorError(
                f"edition.toml: {'.'.join(key)}: this chip says {_short(new)}, those learnt before {_short(old)}; an "
                "edition has one for all its chips: learn this one into another --output"
            )
    return _made(after, chosen), anew


def _items(file: EditionFile) -> dict[tuple[str, str], Any]:
    """What is learnt of an edition, one by one."""
    found: dict[tuple[str, str], Any] = {("errors", name): row for name, row in file.errors.items()}
    found |= {("fields", name): rule for name, rule in file.request.fields.items()}
    found |= {("lets_in", rule): True for rule in file.request.lets_in}
    found |= {("not_kept", name): True for name in file.request.not_kept}
    found |= {("headers", name): value for name, value in file.responses.headers.items()}
    return {**found, ("responses", "body_type"): file.responses.body_type}


def _made(file: EditionFile, items: Mapping[tuple[str, str], Any]) -> EditionFile:
    parts: dict[str, dict[str, Any]] = {}
    for (part, name), value in items.items():
        if value is not None:
            parts.setdefault(part, {})[name] = value
    kept: dict[str, Any] = {name: tuple(parts.get(name, ())) for name in ("lets_in", "not_kept")}
    request = replace(file.request, fields=parts["fields"], **kept)
    responses = {"headers": parts.get("headers", {}), "body_type": parts["responses"]["body_type"]}
    return replace(file, errors=parts["errors"], request=request, responses=replace(file.responses, **responses))


def _said(item: Any) -> Any:
    """An item without how it is known."""
    return keys_of(item, "claim", "source") if isinstance(item, Written) else item


def _short(item: Any) -> str:
    text = repr(item.body or item.status) if isinstance(item, ErrorShape) else repr(_said(item))
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"


_MOST_SHOWN: Final = 60


# --- the file -----------------------------------------------------------------------------------------------------

_TABLE: Final = re.compile(r"^(?=\[)", re.MULTILINE)


def edited(text: str, before: EditionFile, after: EditionFile) -> str:
    """The text of an edition's file, changed so that it says `after`; what need not change stays, comments too.

    Raises:
        OperatorError: the text cannot be changed so.
    """
    tables: dict[str, str] = {}
    for name, row in after.errors.items():
        if before.errors.get(name) != row:
            tables[f"errors.{_key(name)}"] = _table(f"errors.{_key(name)}", keys_of(row, defaults=False))
    for name, rule in after.request.fields.items():
        if before.request.fields[name] != rule:
            path = f"request.fields.{_key(name)}"
            tables[path] = _table(path, keys_of(rule, defaults=False))
    if before.responses != after.responses:
        tables["responses"] = _table("responses", keys_of(after.responses, defaults=False))
    parts, kept = _TABLE.split(text), []
    for part in parts:
        head = part.partition("]")[0].lstrip("[")
        if part.startswith("[") and not part.startswith("[[") and head in tables:
            kept.append(tables.pop(head))
        elif part.startswith("[request]"):
            kept.append(_request(part, before, after))
        else:
            kept.append(part)
    made = "".join(kept).rstrip("\n") + "\n\n" + "".join(tables.values())
    try:
        if checks(EditionFile).validate_python(tomllib.loads(made)) == after:
            return made
    except ValueError as error:
        raise OperatorError(f"edition.toml: what was learnt cannot be written: {str(error).splitlines()[0]}") from None
    raise OperatorError("edition.toml: what was learnt cannot be written into this edition's file")


def _request(part: str, before: EditionFile, after: EditionFile) -> str:
    lines = part.rstrip("\n").split("\n")
    for name in ("lets_in", "not_kept"):
        if getattr(before.request, name) != getattr(after.request, name):
            lines = [line for line in lines if not line.startswith(f"{name} =")]
            lines.append(f"{name} = {json.dumps(list(getattr(after.request, name)))}")
    return "\n".join(lines) + "\n\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _table(path: str, values: Mapping[str, object]) -> str:
    return "\n".join([f"[{path}]", *(f"{_key(name)} = {_value(value)}" for name, value in values.items())]) + "\n\n"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_value(inner)}" for name, inner in value.items()) + " }"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

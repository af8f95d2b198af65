"""What an edition file must say so that the mock refuses as a target does: its error rows, rules and constant headers.

Nothing here sends. Only what deviates is changed; a refusal that the edition's row makes to the byte keeps its row.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract import cases
from mockserver.contract.clauses.reading import Reading
from mockserver.core.errors import OperatorError, Refusal
from mockserver.pipeline.admit import FieldRule, check_field
from mockserver.pipeline.further_headers import PLACES, fits, form_of, is_drawn
from mockserver.pipeline.refuse import ErrorShape
from mockserver.profile.edition import EditionFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.core.exchange import Exchange
    from mockserver.pipeline.further_headers import Place
    from mockserver.profile.edition import Edition

Asked = tuple["Case", "Exchange"]

_OF_THE_CONNECTION: Final = frozenset({
    "date", "server", "connection", "keep-alive", "transfer-encoding", "content-length", "content-type",
    "content-encoding", "vary", "x-mock-detail",
})  # fmt: skip
"""Headers that the connection and the body decide."""
_IDS: Final = {
    "traceresponse": re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    "x-maas-request-id": re.compile(r"\d{13}[a-z]{3}"),
    "x-request-id": re.compile(r"\d{13}[a-z]{3}"),
}
"""Headers that a chip's quirks decide, with the form of their values."""
_OF_A_REFUSAL: Final[tuple[str, ...]] = ("allow", "www-authenticate", "retry-after")
_MAY_BE_SECRET: Final = re.compile(r"auth|key|token|org|secret|session|account|user")
_FEWEST: Final = 3
"""So many responses must carry a header before it is taken for one that others carry too."""


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
    rows = _rows(edition.file.errors, asked, ours, date)
    refused: dict[str, list[bool]] = {}
    for case, came in asked:
        if came.plan is not None:
            refused.setdefault(f"{_kind(case)}:{case.param}".rstrip(":"), []).append(not Reading(came).answered)
    request = edition.file.request.model_copy(
        update={
            "fields": _fields(edition.file.request.fields, asked, date),
            "lets_in": tuple(name for name, key in _LETS_IN.items() if key in refused and not any(refused[key])),
            "not_kept": _not_kept(answers),
        }
    )
    types = Counter(Reading(one).headers.get("content-type", "") for one in answers if Reading(one).completion)
    headers = _headers(every, ours.values())
    responses = edition.file.responses.model_copy(
        update={"headers": headers} | ({"body_type": types.most_common(1)[0][0]} if types else {})
    )
    return edition.file.model_copy(update={"errors": rows, "request": request, "responses": responses})


_LETS_IN: Final = {
    "missing-key": "missing-key",
    "malformed-key": "malformed-key",
    "wrong-content-type": "wrong-content-type",
    "unknown-model": "unknown-model",
    "unknown-role": "invalid-field:messages[0].role",
}


def _kind(case: Case) -> str:
    return (case.refusal or "").partition(":")[0]


def _rows(
    rows: Mapping[str, ErrorShape], asked: Sequence[Asked], ours: Mapping[str, Exchange], date: str
) -> dict[str, ErrorShape]:
    """The error rows; of one kind the most frequent form is the row, and a field that looks otherwise has its own."""
    by_kind: dict[str, list[tuple[str, ErrorShape]]] = {}
    for case, came in asked:
        reading = Reading(came)
        if not 400 <= reading.status <= 599:
            continue
        mine = Reading(ours[case.name]) if case.name in ours else None
        same = mine is not None and _form(mine) == _form(reading)
        row = rows[case.refusal or ""] if same else _row(reading, mine, f"{case.name}, {date}")
        by_kind.setdefault(_kind(case), []).append((case.param, row))
    made = dict(rows)
    for kind, found in by_kind.items():
        forms = Counter(_alike(row) for _, row in found)
        usual = forms.most_common(1)[0][0]
        made[kind] = next(row for _, row in found if _alike(row) == usual)
        for param, row in reversed(found):  # of several cases of one field the first, which is the most telling, stays
            if param and (_alike(row) != usual or f"{kind}:{param}" in made):
                made[f"{kind}:{param}"] = row
    return made


def _alike(row: ErrorShape) -> tuple[object, ...]:
    return (row.status, row.family, row.code, row.message, row.body, row.content_type, tuple(row.headers.items()))


def _form(reading: Reading) -> tuple[object, ...]:
    """Status, type and body, whose words count only where the documents have them."""
    return (reading.status, reading.headers.get("content-type", ""), reading.body)


def _row(reading: Reading, mine: Reading | None, source: str) -> ErrorShape:
    sent = {name for one in (reading, mine) if one is not None for name in one.headers}
    headers = {name: reading.headers.get(name, "") for name in _OF_A_REFUSAL if name in sent}
    code: int | str = reading.error_code if reading.error_code is not None else reading.status
    return ErrorShape(
        status=reading.status,
        family="own",
        code=code,
        body=reading.body.decode("utf-8", "replace"),
        content_type=reading.headers.get("content-type", ""),
        headers=headers,
        claim="observed",
        source=source,
    )


def _fields(rules: Mapping[str, FieldRule], asked: Sequence[Asked], date: str) -> dict[str, FieldRule]:
    """The rules of the fields, each widened as little as what came asks for."""
    made = dict(rules)
    for name, rule in rules.items():
        seen = [
            (case.body[name], not Reading(came).answered)
            for case, came in asked
            if case.param == name and isinstance(case.body, dict) and name in case.body and came.plan is not None
        ]
        if seen:
            best = min(_wider(rule), key=lambda one: sum(_refuses(name, value, one) != due for value, due in seen))
            if best != rule:
                source = f"{len(seen)} wrong values tried, {date}"
                made[name] = best.model_copy(update={"claim": "observed", "source": source})
    return made


def _wider(rule: FieldRule) -> Iterator[FieldRule]:
    """The rule, and wider ones, the nearest first."""
    number = {"type": "number"} if rule.type == "integer" else {}
    for typed in ({}, number, {"type": "any"}):
        for bounds in ({}, {"maximum": None}, {"minimum": None}, {"maximum": None, "minimum": None}):
            yield rule.model_copy(update={**typed, **bounds})


def _refuses(name: str, value: object, rule: FieldRule) -> bool:
    try:
        check_field(name, value, rule)
    except Refusal:
        return True
    return False


def _not_kept(answers: Iterable[Exchange]) -> tuple[str, ...]:
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


def _headers(every: Iterable[Exchange], ours: Iterable[Exchange]) -> dict[str, str | dict[Place, str]]:
    """The further headers by where they stand, and those that the mock would send and the target does not.

    What most responses of a place carry is one of them; of one that may be somebody's secret only the form is kept.
    """
    theirs, mine = _by_place(every), _by_place(ours)
    names = dict.fromkeys(name for place in PLACES for headers in theirs[place] for name in headers)
    made: dict[str, str | dict[Place, str]] = {}
    for name in names:
        values = {place: [one[name] for one in theirs[place] if name in one] for place in PLACES}
        at = [place for place in PLACES if len(values[place]) * 2 > len(theirs[place])]
        found = [value for place in at for value in values[place]]
        own = _IDS.get(name)
        if name in _LEFT_OUT or len(found) < _FEWEST or (own and all(map(own.fullmatch, found))):
            continue
        if all({one.get(name) for one in mine[place]} == set(values[place]) for place in at):
            continue
        secret = _MAY_BE_SECRET.search(name) is not None
        forms = {place: form for place in at if (form := form_of(values[place], hidden=secret)) is not None}
        if len(forms) > 1 and len(set(forms.values())) > 1 and any(map(is_drawn, forms.values())):
            common = form_of(found, hidden=secret)
            forms = dict.fromkeys(at, common) if common is not None else forms
        same = len(set(forms.values())) == 1 and len(forms) == sum(bool(theirs[place]) for place in PLACES)
        if forms:
            made[name] = next(iter(forms.values())) if same else forms
    for name in dict.fromkeys(name for place in PLACES for headers in mine[place] for name in headers):
        gone: dict[Place, str] = {
            place: ""
            for place in PLACES
            if theirs[place]
            and any(name in one for one in mine[place])
            and not any(name in one for one in theirs[place])
        }
        if name not in _LEFT_OUT and name not in _OF_A_REFUSAL and gone:
            there = made.get(name, {})
            made[name] = {**(dict.fromkeys(PLACES, there) if isinstance(there, str) else there), **gone}
    return made


_LEFT_OUT: Final = _OF_THE_CONNECTION | {"set-cookie", *_OF_A_REFUSAL}


def _by_place(every: Iterable[Exchange]) -> dict[Place, list[Mapping[str, str]]]:
    """The headers of responses, by which sort each response is."""
    found: dict[Place, list[Mapping[str, str]]] = {place: [] for place in PLACES}
    for one in every:
        reading = Reading(one)
        if one.plan is not None:
            sort: Place = "error" if not reading.answered else "stream" if reading.framing == "sse" else "body"
            found["stream" if reading.answered and reading.wants_stream else sort].append(reading.headers)
    return found


# --- the comparison -----------------------------------------------------------------------------------------------


def unlike(came: Exchange, ours: Exchange, further: Mapping[str, str | Mapping[Place, str]]) -> list[str]:
    """In what a response and the mock's differ, by bytes: status, headers, and the body of a refusal.

    Args:
        came: What was recorded.
        ours: What the mock says to the same request.
        further: The edition's further headers: a value that is drawn anew is compared by its form.
    """
    theirs, mine = Reading(came), Reading(ours)
    if theirs.status != mine.status:
        return [f"status: recorded {theirs.status}, the mock {mine.status}"]
    found = headers_unlike(theirs, mine) + _values_unlike(theirs, mine, further)
    if theirs.status != 200 and theirs.body != mine.body:
        found.append(f"body: recorded {theirs.body[:60]!r}, the mock {mine.body[:60]!r}")
    return found


def headers_unlike(theirs: Reading, mine: Reading) -> list[str]:
    """The headers that only one side has, and other types of the body; what the connection decides is left out."""
    names = sorted((theirs.headers.keys() ^ mine.headers.keys()) - _OF_THE_CONNECTION)
    found = [f"header {name}: {'only recorded' if name in theirs.headers else 'only the mock'}" for name in names]
    sent, due = theirs.headers.get("content-type", "none"), mine.headers.get("content-type", "none")
    if sent.lower().replace(" ", "") != due.lower().replace(" ", ""):
        found.append(f"content-type: recorded {sent}, the mock {due}")
    return found


def _values_unlike(theirs: Reading, mine: Reading, further: Mapping[str, str | Mapping[Place, str]]) -> list[str]:
    """The headers that both have with values that are not alike."""
    found = []
    for name in sorted((theirs.headers.keys() & mine.headers.keys()) - _LEFT_OUT):
        came, ours = theirs.headers[name], mine.headers[name]
        value = further.get(name, {})
        forms = [value] if isinstance(value, str) else [*value.values()]
        own = _IDS.get(name)
        alike = own.fullmatch(came) and own.fullmatch(ours) if own else None
        if came != ours and not alike and not any(fits(form, came) and fits(form, ours) for form in forms):
            found.append(f"header {name}: recorded {came[:60]!r}, the mock {ours[:60]!r}")
    return found


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
            tables[f"errors.{_key(name)}"] = _table(f"errors.{_key(name)}", row.model_dump(exclude_defaults=True))
    for name, rule in after.request.fields.items():
        if before.request.fields[name] != rule:
            path = f"request.fields.{_key(name)}"
            tables[path] = _table(path, rule.model_dump(exclude_defaults=True))
    if before.responses != after.responses:
        tables["responses"] = _table("responses", after.responses.model_dump(exclude_defaults=True))
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
        if EditionFile.model_validate(tomllib.loads(made)) == after:
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

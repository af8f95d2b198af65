"""What an edition's file must say so that the mock refuses as a service does now: error rows, rules, headers.

`learn_edition` says it of a target of which nothing is known. Here most is known: a refusal whose form is the mock's
stays the mock's, whatever its words, and one that changed gets the smallest change of its row that says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract import learn_edition
from mockserver.contract.clauses.reading import Reading
from mockserver.core import strict_json
from mockserver.core.errors import Refusal
from mockserver.core.written import keys_of
from mockserver.pipeline.refuse import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.core.exchange import Exchange
    from mockserver.pipeline.refuse import ErrorShape
    from mockserver.profile.edition import Edition
    from mockserver.profile.edition_file import EditionFile

OF_QUIRKS: Final = ("traceresponse", "x-maas-request-id", "x-request-id")
"""Headers that a chip's quirks decide: where an answer has or lacks them, the row of the quirk tells."""
_BOM: Final = "\ufeff"
_MOST_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class RefusalForm:
    """What is compared of a refusal's body: not its words, unless they are the documents'.

    Attributes:
        kind: What cannot differ: the keys in their order with the code, or that it is no JSON object.
        shown: The same for people.
    """

    kind: str
    shown: str


def form_of(reading: Reading, words: str | None = None) -> RefusalForm:
    """The form of a refusal's body.

    Args:
        reading: The refusal.
        words: The documents' own message; None where the words are anybody's.
    """
    text = reading.body.decode("utf-8", "replace")
    marked = "a byte order mark, then " if text.startswith(_BOM) else ""
    bare = text.removeprefix(_BOM)
    try:
        document = strict_json.loads(bare)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        kind = "a page of HTML" if bare.lstrip()[:1] == "<" else "no JSON object" if bare.strip() else "no body"
        return RefusalForm(marked + kind, f"{marked}{kind}: {bare[:60]!r}" if bare.strip() else marked + kind)
    shown = json.dumps({key: _masked(key, value, words) for key, value in document.items()}, ensure_ascii=False)
    return RefusalForm(marked + shown, (marked + shown)[:_MOST_SHOWN])


def _masked(key: str, value: object, words: str | None) -> Any:
    if isinstance(value, dict):
        return {name: "…" if isinstance(inner, dict) else _masked(name, inner, words) for name, inner in value.items()}
    return value if key == "code" or (words is not None and key in {"msg", "message"}) else "…"


def documented_words(edition: Edition, case: Case | None) -> str | None:
    """The message that the documents have for the refusal that a case is due; None where they have none."""
    row = edition.file.errors.get(case.refusal or "") if case is not None else None
    return row.message if row is not None and row.claim != "assumed" else None


def changed_form(
    edition: Edition, case: Case | None, ours: Exchange, live: Exchange
) -> tuple[RefusalForm, RefusalForm] | None:
    """The forms of two refusals of one request, the mock's and the service's; None where they are the same."""
    words = documented_words(edition, case)
    mine, theirs = form_of(Reading(ours), words), form_of(Reading(live), words)
    return (mine, theirs) if mine.kind != theirs.kind else None


def patched(
    edition: Edition,
    asked: Sequence[tuple[Case, Exchange, Exchange]],
    answers: Sequence[tuple[Case, Exchange, Exchange]],
    date: str,
) -> EditionFile:
    """The edition's file with what the service does otherwise.

    Args:
        edition: As it is.
        asked: The cases with one rule broken: what the mock says, and what came.
        answers: The same of the other cases.
        date: When, as `2026-11-28`.
    """
    before = edition.file
    told = _told_by_quirks(answers)
    asked = [(case, _without(mine, told), _without(live, told)) for case, mine, live in asked]
    answers = [(case, _without(mine, told), _without(live, told)) for case, mine, live in answers]
    ours = {case.name: mine for case, mine, _ in (*asked, *answers)}
    came = [(case, _as_it_counts(edition, case, mine, live)) for case, mine, live in asked]
    found = learn_edition.learned(edition, came, [live for _, _, live in answers], ours, date)
    made = {name: row for name, row in found.errors.items() if before.errors.get(name) != row}
    rows = dict(before.errors)
    for name, row in made.items():
        rows[name] = _smallest(before.errors, name, row, came)
    for name in [name for name in made if ":" in name and name not in before.errors]:
        if _says(rows[name]) == _says(rows[name.partition(":")[0]]):
            del rows[name]  # the row of the kind says it already
    kinds = {case.refusal for case, _ in came} | {case.param for case, _ in came}
    fields = {"unknown-role": "messages[0].role"}
    kept = [name for name in before.request.lets_in if fields.get(name, name) not in kinds]
    request = replace(
        found.request,
        lets_in=tuple(dict.fromkeys([*kept, *found.request.lets_in])),
        not_kept=tuple(dict.fromkeys([*before.request.not_kept, *found.request.not_kept])),
    )
    responses = replace(found.responses, headers={**before.responses.headers, **found.responses.headers})
    if alike_types(before.responses.body_type, responses.body_type):
        responses = replace(responses, body_type=before.responses.body_type)
    return replace(before, errors=rows, request=request, responses=responses)


def _told_by_quirks(answers: Sequence[tuple[Case, Exchange, Exchange]]) -> set[bytes]:
    """The headers that answers have on one side alone and a quirk of the chip decides, for refusals too."""
    pairs = [(Reading(mine).headers, Reading(live).headers) for _, mine, live in answers if not Reading(live).refused]
    return {
        name.encode()
        for name in OF_QUIRKS
        if pairs and any(name in mine for mine, _ in pairs) is not any(name in live for _, live in pairs)
    }


def _without(one: Exchange, names: set[bytes]) -> Exchange:
    if not names or one.plan is None:
        return one
    headers = tuple(pair for pair in one.plan.headers if pair[0].lower() not in names)
    return replace(one, plan=replace(one.plan, headers=headers))


def alike_types(one: str, other: str) -> bool:
    """Whether two content types are the same but for case and spaces."""
    return one.lower().replace(" ", "") == other.lower().replace(" ", "")


def _as_it_counts(edition: Edition, case: Case, ours: Exchange, live: Exchange) -> Exchange:
    """What came, with the mock's own body where only the words are others: the headers are the service's still."""
    mine, theirs = Reading(ours), Reading(live)
    if ours.plan is None or live.plan is None or mine.status != theirs.status or not mine.refused:
        return live
    types = [reading.headers.get("content-type", "") for reading in (mine, theirs)]
    if changed_form(edition, case, ours, live) or not alike_types(*types):
        return live
    headers = tuple(pair for pair in live.plan.headers if pair[0].lower() != b"content-type")
    own = tuple(pair for pair in ours.plan.headers if pair[0].lower() == b"content-type")
    return replace(live, plan=replace(live.plan, headers=(*own, *headers), frames=ours.plan.frames))


def _says(row: ErrorShape) -> dict[str, object]:
    return keys_of(row, "claim", "source")


def _smallest(
    before: Mapping[str, ErrorShape], name: str, row: ErrorShape, came: Sequence[tuple[Case, Exchange]]
) -> ErrorShape:
    """A learnt row, as a change of the one that was there where such a one has the form that came."""
    if row.body is None:
        return row
    readings = (Reading(one) for _, one in came)
    due = next((one for one in readings if one.body.decode("utf-8", "replace") == row.body), None)
    if due is None:
        return row  # it repeats the request, which no change of another does
    base = before.get(name) or before[name.partition(":")[0]]
    for one in _changes(base, row, due):
        plan = refuse(Refusal("invalid-field", "words"), one)
        reading = replace(due, exchange=replace(due.exchange, plan=plan, frames_sent=1))
        if form_of(Reading(reading.exchange), one.message).kind == form_of(due, one.message).kind:
            return one
    return row


def _changes(base: ErrorShape, row: ErrorShape, due: Reading) -> Iterator[ErrorShape]:
    """Changes of a row, the smallest first: another status, code, words, family."""
    document = due.objects[0] if due.objects else {}
    inner = document.get("error") if isinstance(document.get("error"), dict) else document
    code: Any
    code, words = (inner or {}).get("code"), (inner or {}).get("message", (inner or {}).get("msg"))
    seen: dict[str, Any] = {
        "status": row.status, "content_type": row.content_type, "claim": "observed", "source": row.source,
        "headers": {n: v for n, v in row.headers.items() if n != "allow"},
    }  # fmt: skip
    codes = [base.code, *([code] if type(code) in (int, str) else [])]
    texts = [base.message, *([words] if base.message is not None and isinstance(words, str) else [])]
    if base.family != "own":
        for text in texts:
            yield from (replace(base, **seen, code=one, message=text) for one in codes)
    for family in ("gateway", "upstream"):
        for one in codes:
            changed: dict[str, Any] = {"family": family, "code": one, "body": None, "message": texts[-1]}
            yield replace(base, **seen, **changed)

"""The mock with what was learnt, and the target, question by question: how many exchanges have the same form.

What a form is: the status; the headers by name, and their values; of an answer the bytes, said again with the words and
the identity that came; of a refusal the keys, their order, the types, and each value. Where a target itself changes a
value, from response to response or from refusal to refusal of one kind, the value's form is compared.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract import learn, restated
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.learn_headers import IDS, LEFT_OUT, OF_THE_CONNECTION
from mockserver.core import strict_json
from mockserver.core.drawn import fits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.core.exchange import Exchange
    from mockserver.pipeline.further_headers import HeaderValue, Place
    from mockserver.pipeline.wire_settings import WireSettings
    from mockserver.profile.edition import ChipProfile, Edition


def form_of(
    edition: Edition, chip: ChipProfile, model: str, asked: Sequence[tuple[Case, Exchange]]
) -> tuple[int, Counter[str]]:
    """How many exchanges have the very form that the mock gives them, and what differs, with counts.

    An answer is said again under the profile, a refusal is asked of the mock; status, headers and bytes are compared.
    """
    ours = learn.asked_of_mock(edition, chip, model, [case for case, _ in asked])
    kin: dict[str, list[Reading]] = {}
    for case, came in asked:
        kin.setdefault((case.refusal or "").partition(":")[0], []).append(Reading(came))
    same, differs = 0, Counter[str]()
    for case, came in asked:
        theirs, mine = Reading(came), Reading(ours[case.name])
        if theirs.status != mine.status:
            found = [f"status: recorded {theirs.status}, the mock {mine.status}"]
        else:
            found = headers_unlike(theirs, mine) + _values_unlike(theirs, mine, edition.file.responses.headers)
            if theirs.answered and not mine.refused:
                found += _answer_unlike(_as_sent(theirs), chip.wire)
            else:
                found += body_unlike(theirs, mine, kin[(case.refusal or "").partition(":")[0]])
        same += not found
        differs.update(dict.fromkeys(found, 1))
    return same, differs


def _as_sent(reading: Reading) -> Exchange:
    """The exchange, as if a stream had been asked for where events came: some servers take "true" for true."""
    request = reading.exchange.request
    if reading.wants_stream or reading.framing != "sse":
        return reading.exchange
    body = json.dumps({**reading.asked, "stream": True}).encode()
    return replace(reading.exchange, request=replace(request, body=body))


def _answer_unlike(came: Exchange, wire: WireSettings) -> list[str]:
    """In what an answer differs from itself, said again under the settings."""
    found = restated.compared([came], wire)
    if not found.answers:
        return ["an answer that is none of OpenAI's form"]
    if found.differences:
        return [f"{one.path}: recorded {one.came}, the mock {one.ours}" for one in found.differences]
    return [] if restated.same_bytes(came, wire) else ["the bytes of a body whose values are the same"]


def body_unlike(theirs: Reading, mine: Reading, kin: Sequence[Reading]) -> list[str]:
    """In what a refusal's body and the mock's differ: keys, their order, types, and each value that is constant.

    Args:
        theirs: What was recorded.
        mine: What the mock says to the same request.
        kin: All recorded refusals of the same kind: where they differ in a value, its type alone counts.
    """
    if theirs.body == mine.body:
        return []
    others = [one for one in kin if one.status == theirs.status]
    documents = [_document(one.body) for one in (theirs, mine, *others)]
    came, ours, *known = documents
    if came is None or ours is None:
        texts = {one.body for one in others}
        return [] if came is ours and len(texts) > 1 else [f"body: {_told(theirs.body, mine.body)}"]
    seen: dict[str, set[str]] = {}
    for one in known:
        for path, value in _leaves(one):
            seen.setdefault(path, set()).add(value)
    return list(_differing(came, ours, seen, "error body"))


def _document(body: bytes) -> Any:
    """The JSON value of a body; None for another text."""
    try:
        return strict_json.loads(body)
    except ValueError:
        return None


def _leaves(one: Any, path: str = "error body") -> Iterator[tuple[str, str]]:
    """Each value that holds no other, as JSON, by path; the length of a list is one."""
    if isinstance(one, dict):
        for key, value in one.items():
            yield from _leaves(value, f"{path}.{key}")
    elif isinstance(one, list):
        yield f"{path} length", str(len(one))
        for value in one:
            yield from _leaves(value, f"{path}[]")
    else:
        yield path, json.dumps(one)


def _differing(came: Any, ours: Any, seen: Mapping[str, set[str]], path: str) -> Iterator[str]:
    if isinstance(came, dict) and isinstance(ours, dict):
        if [*came] != [*ours]:
            yield f"{path} keys: {_told(' '.join(came), ' '.join(ours))}"
        for key in came:
            if key in ours:
                yield from _differing(came[key], ours[key], seen, f"{path}.{key}")
    elif isinstance(came, list) and isinstance(ours, list):
        if len(came) != len(ours) and len(seen.get(f"{path} length", ())) < _SEVERAL:
            yield f"{path} length: {_told(len(came), len(ours))}"
        for one, other in zip(came, ours, strict=False):
            yield from _differing(one, other, seen, f"{path}[]")
    elif came != ours or type(came) is not type(ours):
        values = seen.get(path, set())
        kinds = {type(json.loads(value)) for value in values}
        if len(values) < _SEVERAL or not {type(came), type(ours)} <= kinds:
            yield f"{path}: {_told(json.dumps(came), json.dumps(ours))}"


_SEVERAL: Final = 2


def _told(came: object, ours: object) -> str:
    return f"recorded {str(came)[:60]}, the mock {str(ours)[:60]}"


def headers_unlike(theirs: Reading, mine: Reading) -> list[str]:
    """The headers that only one side has, and other types of the body; what the connection decides is left out."""
    names = sorted((theirs.headers.keys() ^ mine.headers.keys()) - OF_THE_CONNECTION)
    found = [f"header {name}: {'only recorded' if name in theirs.headers else 'only the mock'}" for name in names]
    sent, due = theirs.headers.get("content-type", "none"), mine.headers.get("content-type", "none")
    if sent.lower().replace(" ", "") != due.lower().replace(" ", ""):
        found.append(f"content-type: recorded {sent}, the mock {due}")
    return found


def _values_unlike(
    theirs: Reading, mine: Reading, further: Mapping[str, str | Mapping[Place, HeaderValue]]
) -> list[str]:
    """The headers that both have with values that are not alike."""
    found = []
    for name in sorted((theirs.headers.keys() & mine.headers.keys()) - LEFT_OUT):
        came, ours = theirs.headers[name], mine.headers[name]
        value = further.get(name, {})
        forms = [form for form in ([value] if isinstance(value, str) else value.values()) if form is not False]
        own = IDS.get(name)
        alike = own.fullmatch(came) and own.fullmatch(ours) if own else None
        if came != ours and not alike and not any(fits(form, came) and fits(form, ours) for form in forms):
            found.append(f"header {name}: recorded {came[:60]!r}, the mock {ours[:60]!r}")
    return found

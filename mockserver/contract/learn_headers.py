"""What an edition file must say of headers, so that the mock's responses carry those of a target."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.reading import Reading
from mockserver.core.drawn import form_of, is_drawn
from mockserver.pipeline.further_headers import PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mockserver.core.exchange import Exchange
    from mockserver.pipeline.further_headers import HeaderValue, Place

OF_THE_CONNECTION: Final = frozenset({
    "date", "server", "connection", "keep-alive", "transfer-encoding", "content-length", "content-type",
    "content-encoding", "vary", "x-mock-detail",
})  # fmt: skip
"""Headers that the connection and the body decide."""
IDS: Final = {
    "traceresponse": re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    "x-maas-request-id": re.compile(r"\d{13}[a-z]{3}"),
    "x-request-id": re.compile(r"\d{13}[a-z]{3}"),
}
"""Headers that a chip's quirks decide, with the form of their values."""
OF_A_REFUSAL: Final[tuple[str, ...]] = ("allow", "www-authenticate", "retry-after")
_MAY_BE_SECRET: Final = re.compile(r"(?<![a-z])(?:auth|(?:api|access)?key|token|org|secret|session|account|user)")
"""A word of a header's name that begins so; `portkey` and `monkey` are names of makers."""
_FEWEST: Final = 3
"""So many responses must carry a header before it is taken for one that others carry too."""


def headers(every: Iterable[Exchange], ours: Iterable[Exchange]) -> dict[str, str | dict[Place, HeaderValue]]:
    """The further headers by where they stand, and those that the mock would send and the target does not.

    What most responses of a place carry is one of them; of one that may be somebody's secret only the form is kept.
    """
    theirs, mine = _by_place(every), _by_place(ours)
    names = dict.fromkeys(name for place in PLACES for headers in theirs[place] for name in headers)
    made: dict[str, str | dict[Place, HeaderValue]] = {}
    for name in names:
        values = {place: [one[name] for one in theirs[place] if name in one] for place in PLACES}
        at = [place for place in PLACES if len(values[place]) * 2 > len(theirs[place])]
        found = [value for place in at for value in values[place]]
        own = IDS.get(name)
        if name in LEFT_OUT or len(found) < _FEWEST:
            continue
        sent = all(any(name in one for one in mine[place]) for place in at)
        if own and sent and all(map(own.fullmatch, found)):
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
            made[name] = next(iter(forms.values())) if same else {**forms}
    for name in dict.fromkeys(name for place in PLACES for headers in mine[place] for name in headers):
        gone: dict[Place, HeaderValue] = {
            place: False
            for place in PLACES
            if theirs[place]
            and any(name in one for one in mine[place])
            and not any(name in one for one in theirs[place])
        }
        if name not in LEFT_OUT and name not in OF_A_REFUSAL and gone:
            there = made.get(name, {})
            made[name] = {**(dict.fromkeys(PLACES, there) if isinstance(there, str) else there), **gone}
    return made


LEFT_OUT: Final = OF_THE_CONNECTION | {"set-cookie", *OF_A_REFUSAL}


def of_refusal(
    theirs: Reading, mine: Reading, further: Mapping[str, str | Mapping[Place, HeaderValue]]
) -> dict[str, HeaderValue]:
    """The headers by which one refusal differs from others: what it alone has, and False for what it lacks.

    Args:
        theirs: What was recorded.
        mine: What the mock says to the same request.
        further: The further headers of the edition.
    """
    due = {*mine.headers}
    for name, value in further.items():
        here = value if isinstance(value, str) else value.get("error")
        due = due - {name} if here is False else due if here is None else due | {name}
    lacking = due - {*theirs.headers} - OF_THE_CONNECTION
    own = {*theirs.headers} - due - OF_THE_CONNECTION - {"set-cookie", *IDS}
    own = {name for name in own if not _MAY_BE_SECRET.search(name)}
    own |= {name for name in OF_A_REFUSAL if theirs.headers.get(name, "") != mine.headers.get(name, "")} - lacking
    return {name: theirs.headers[name] for name in sorted(own)} | dict.fromkeys(sorted(lacking), False)


def _by_place(every: Iterable[Exchange]) -> dict[Place, list[Mapping[str, str]]]:
    """The headers of responses, by which sort each response is."""
    found: dict[Place, list[Mapping[str, str]]] = {place: [] for place in PLACES}
    for one in every:
        reading = Reading(one)
        if one.plan is not None:
            sort: Place = "error" if reading.refused else "stream" if reading.framing == "sse" else "body"
            found["stream" if not reading.refused and reading.wants_stream else sort].append(reading.headers)
    return found

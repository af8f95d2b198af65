"""What the control API answers: models from which both the JSON and its schemas are made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from mockserver import __version__
from mockserver.core.exchange import Ending
from mockserver.core.headers import as_texts
from mockserver.files.key_shapes import findings
from mockserver.page.drawn import ChipClaims, drawn_send, drawn_writes, in_short
from mockserver.pipeline.faults.table import AnyFault
from mockserver.pipeline.read import Carried, carried
from mockserver.server.asgi_request import MASKED
from mockserver.server.verdict import ClientFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mockserver.core.exchange import Exchange
    from mockserver.pipeline.faults.fault import Fault
    from mockserver.profile.edition import Edition
    from mockserver.server.namespace import Namespace
    from mockserver.server.namespace_setup import ArmedFault, Expectation, Which
    from mockserver.sources.fixture_file import Match

MOST_SHOWN_FRAMES = 10_000
"""Frames of one exchange."""
MOST_SHOWN_FRAMES_OF_ALL = 50_000
"""Frames of all exchanges of one reply."""
_WORDS = {"model": {"type": "string"}, "chip": {"type": "string"}, "stream": {"type": "boolean"}}
WhichRow = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "properties": {**_WORDS, "contains": {"type": "string"}},
            "additionalProperties": {"type": "string"},
            "description": "Which requests are meant; a key that is absent does not matter.",
        }
    ),
]


class Reply(BaseModel):
    """What comes back."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Health(Reply):
    """The server is up."""

    status: Literal["ok"] = "ok"
    version: str = __version__
    edition: str
    chips: list[str]
    distinct_chips: list[str]
    models: list[str]

    @classmethod
    def of(cls, edition: Edition) -> Health:
        """What imitates an edition."""
        chips, distinct = list(edition.chips), edition.distinct_chips
        return cls(edition=edition.name, chips=chips, distinct_chips=distinct, models=list(edition.models))


class Cleared(Reply):
    """What was reset."""

    namespace: str


class NamespaceRow(Reply):
    """A namespace in a line."""

    name: str
    exchanges: int
    in_flight: int
    dropped: int
    faults: int
    answers: int

    @classmethod
    def of(cls, one: Namespace) -> NamespaceRow:
        """A namespace."""
        return cls(
            name=one.name,
            exchanges=len(one.journal),
            in_flight=one.journal.in_flight,
            dropped=one.journal.dropped,
            faults=len(one.faults),
            answers=len(one.script),
        )


class Released(Reply):
    """Whether there was a namespace to give up, and what answers in it were for other requests, a line each."""

    released: bool
    stale: list[str] = []


class Removed(Reply):
    """How many rows went."""

    removed: int


class ArmedRow(Reply):
    """An armed fault."""

    number: int
    fault: AnyFault
    match: WhichRow
    times: int | None
    every: int
    probability: float
    seen: int
    fired: int

    @classmethod
    def of(cls, armed: ArmedFault) -> ArmedRow:
        """An armed fault."""
        fault: Any = armed.fault  # one of the union: the table of faults has all of them
        return cls(
            number=armed.number,
            fault=fault,
            match=_which(armed.which),
            times=armed.times,
            every=armed.every,
            probability=armed.probability,
            seen=armed.seen,
            fired=armed.fired,
        )


SettingType = Literal["any", "boolean", "integer", "number", "object", "string"]


class FaultTypeRow(Reply):
    """What a fault does, the names of its settings, and the JSON type of each beside null."""

    says: str
    settings: list[str]
    types: dict[str, SettingType]

    @classmethod
    def of(cls, kind: type[Fault]) -> FaultTypeRow:
        """A kind of fault."""
        settings = [name for name in kind.model_fields if name != "type"]
        schemas = kind.model_json_schema()["properties"]
        forms = {name: schemas[name].get("anyOf", [schemas[name]]) for name in settings}
        types: dict[str, SettingType] = {
            name: next((word for one in form if (word := one.get("type", "null")) != "null"), "any")
            for name, form in forms.items()
        }
        return cls(says=(kind.__doc__ or "").split("\n\n")[0], settings=settings, types=types)


class AnswerRow(Reply):
    """A scripted answer's state."""

    number: int
    match: WhichRow
    times: int | None
    used: int
    met: bool

    @classmethod
    def of(cls, one: Expectation) -> AnswerRow:
        """A scripted answer."""
        return cls(number=one.number, match=_which(one.which), times=one.times, used=one.used, met=one.met)


class Script(Reply):
    """Scripted answers, how many of them are unmet, and how many requests none was for."""

    answers: list[AnswerRow]
    unmet: int
    unexpected: int


class ExchangeRequest(Reply):
    """What was asked; in headers, query and body credentials, cookies and the API key are masked."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str


class ExchangeRow(Reply):
    """An exchange; while it is in flight `ending` is null, and frames and time are those so far."""

    number: int
    namespace: str
    at_ms: float
    request: ExchangeRequest
    model: str | None
    chip: str | None
    stream: bool | None
    ignored: list[str]
    status: int | None
    source: str
    detail: str
    stale: list[str]
    faults: list[str]
    seed: int
    frames_planned: int
    frames_sent: int
    duration_ms: float
    ending: Ending | None
    client_left: bool


class SendRow(Reply):
    """A frame, and when it was to leave, in milliseconds after the answer began; `base64` where it is no UTF-8."""

    at_ms: float
    data: str
    base64: str | None = None


class WriteRow(Reply):
    """A network write: when it really left, and how many frames had been sent with it."""

    at_ms: float
    frames_sent: int


class ExchangeResponse(Reply):
    """What was sent, frame by frame, and what it said to a client that could read it.

    Of a giant answer, or behind many in one list, that is its first frames; `left_out` counts the others. Where `raw`,
    the frames are network writes that hold head and transfer coding themselves.
    """

    headers: list[tuple[str, str]]
    sends: list[SendRow]
    left_out: int
    carried: Carried
    raw: bool = False
    writes: list[WriteRow] = []


class WholeExchange(ExchangeRow):
    """An exchange with all that was sent."""

    response: ExchangeResponse


class VerdictReply(Reply):
    """What the exchanges say of the client; resilient where no finding is bad."""

    resilient: bool
    findings: list[ClientFinding]

    @classmethod
    def of(cls, findings: list[ClientFinding]) -> VerdictReply:
        """The verdict of some findings."""
        return cls(resilient=all(one.mark != "bad" for one in findings), findings=findings)


class QuirkRow(Reply):
    """A quirk."""

    name: str
    stage: str
    standard: bool
    says: str


class EditionRow(Reply):
    """An edition: its chips, each with the quirks by which it differs from the standard."""

    name: str
    title: str
    served: bool
    chips: list[ChipClaims]


class ClockRow(Reply):
    """The namespace's clock, and the wall clock of the mock, in milliseconds."""

    elapsed_ms: float
    now_ms: int


def exchange_row(exchange: Exchange, elapsed_ms: float) -> ExchangeRow:
    """An exchange in a row; `elapsed_ms` is now on its namespace's clock."""
    return ExchangeRow(**_exchange(exchange, elapsed_ms))


def whole_exchanges(exchanges: Iterable[Exchange], elapsed_ms: float) -> list[WholeExchange]:
    """Exchanges with all that was sent, the first ones' frames first; `elapsed_ms` is as for one."""
    shown, left = [], MOST_SHOWN_FRAMES_OF_ALL
    for one in exchanges:
        shown.append(whole_exchange(one, elapsed_ms, min(left, MOST_SHOWN_FRAMES)))
        left -= len(shown[-1].response.sends)
    return shown


def whole_exchange(exchange: Exchange, elapsed_ms: float, most_frames: int = MOST_SHOWN_FRAMES) -> WholeExchange:
    """An exchange with all that was sent, up to so many frames; `elapsed_ms` is now on its namespace's clock."""
    left_out = max(exchange.frames_sent - most_frames, 0)
    shown = replace(exchange, frames_sent=exchange.frames_sent - left_out) if left_out else exchange
    response = ExchangeResponse(
        headers=as_texts(exchange.plan.headers if exchange.plan else ()),
        sends=[SendRow(**drawn_send(at, data)) for at, data in shown.sends],
        left_out=left_out,
        carried=carried(shown),
        raw=bool(exchange.plan and exchange.plan.raw),
        writes=[WriteRow(at_ms=at, frames_sent=frames) for at, frames in drawn_writes(exchange)],
    )
    return WholeExchange(**_exchange(exchange, elapsed_ms), response=response)


def _exchange(exchange: Exchange, elapsed_ms: float) -> dict[str, Any]:
    chat, plan, request = exchange.chat, exchange.plan, exchange.request
    return {
        **in_short(exchange, elapsed_ms),
        "request": ExchangeRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=_without_keys(request.headers),
            body=request.body.decode("utf-8", "replace"),
        ),
        "ignored": list(chat.ignored) if chat else [],
        "detail": plan.detail if plan else "",
        "stale": list(plan.stale) if plan else [],
        "seed": exchange.seed,
    }


def _without_keys(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Request headers as text; a value that looks like a key is masked, whatever its name."""
    looks = any(findings(b"\n".join(headers.values())))
    shown = {name: MASKED if looks and any(findings(value)) else value for name, value in headers.items()}
    return dict(as_texts(shown.items()))


def _which(which: Which) -> dict[str, Any]:
    pairs = {"model": which.model, "chip": which.chip, "stream": which.stream, "contains": which.contains}
    return {name: value for name, value in pairs.items() if value is not None} | _conditions(which.match)


def _conditions(match: Match | None) -> dict[str, str]:
    """What else a match asks for, in words."""
    if match is None:
        return {}
    told = {"user": match.user, "system": match.system} | {path: wanted for path, _, wanted in match.body}
    told |= {f"headers.{name}": wanted for name, wanted in match.headers}
    told |= {f"query.{name}": wanted for name, wanted in match.query}
    messages = {"messages": f"{len(match.messages)} in all"} if match.messages is not None else {}
    return {name: str(wanted) for name, wanted in told.items() if wanted is not None} | messages

"""What the readers and writers of other formats share."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.route import CHAT, SHOWN_BASE, Route, parse
from mockserver.pipeline.read import wire_format_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Headers

Pairs = list[tuple[bytes, bytes]]
_EVENT_END = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)")
_LINE_END = re.compile(rb"(?<=\n)")


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A request that stands in front of its answer.

    Attributes:
        form: What it is, in words.
        url: Its URL, or its path alone.
        headers: Its headers, secrets among them.
        body: Its body; empty where it does not tell.
    """

    form: str
    url: str
    headers: Pairs
    body: bytes


@dataclass(frozen=True, slots=True)
class Hints:
    """What the operator says where the format does not.

    Attributes:
        model: The path's model; empty takes the request's or the answer's.
        chip: The path's chip.
        prompt: The user's message, for formats without a request.
        stream: Whether it was asked for as a stream, for formats without a request; None lets the answer tell.
        form: What the file is, whatever it looks like: a body of this form, one of `FORMS`; empty lets it tell.
        pasted: Whether it is a paste, from and around which what a page or a log did to it may be taken.
        asked: The request that stands in front of the answer.
    """

    model: str = ""
    chip: str = ""
    prompt: str = ""
    stream: bool | None = None
    form: str = ""
    pasted: bool = False
    asked: AskedFor | None = None


FORMS: Final = {"sse": "sse", "lines": "json-lines", "body": "json"}
"""What `--as` takes, and the wire format that each of them names."""


@dataclass(frozen=True, slots=True)
class Imported:
    """One exchange as a reader gives it.

    Attributes:
        exchange: Request and answer.
        recorded_at: ISO 8601; empty where it is not known.
        headers: All headers of both, whose secrets must not be written.
        taken_for: What it was taken for, in words; empty where the format says so itself.
        changes: What was changed of its bytes, in words.
    """

    exchange: Exchange
    recorded_at: str = ""
    headers: Pairs = field(default_factory=list)
    taken_for: str = ""
    changes: tuple[str, ...] = ()


def imported(
    request: tuple[str, Pairs, bytes],
    answer: tuple[int, Pairs, Sequence[tuple[float, bytes]]],
    ending: Ending = Ending.COMPLETE,
    recorded_at: str = "",
) -> Imported:
    """An exchange from its parts: the request's path, headers and body; the answer's status, headers and sends."""
    path, asked, body = request
    status, came, sends = answer
    frames, times = tuple(data for _, data in sends if data), tuple(at for at, data in sends if data)
    plan = Plan(status, lasting(came, sum(map(len, frames))), frames, times or None, ending, joinable=False)
    made = Request("POST", path, {name.lower(): value for name, value in asked}, body)
    duration = times[-1] if times else 0.0
    return Imported(Exchange(made, plan, len(frames), duration, ending), recorded_at, [*asked, *came])


def timed(one: Imported, head_at_ms: float | None, trailers: Pairs, end_at_ms: float | None = None) -> Imported:
    """The exchange with the times of its head and its end and with its trailers, for a format that tells them."""
    plan = one.exchange.plan
    assert plan is not None  # noqa: S101 - an imported exchange has an answer
    made = replace(
        one.exchange, plan=replace(plan, head_at_ms=head_at_ms, end_at_ms=end_at_ms, trailers=tuple(trailers))
    )
    return replace(one, exchange=made, headers=[*one.headers, *trailers])


def lasting(headers: Pairs, length: int) -> Headers:
    """The headers that still hold for a body that was unpacked and joined."""
    stale = {b"content-encoding", b"transfer-encoding", b"connection", b"keep-alive"}
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in stale and (name.lower() != b"content-length" or value.strip() == b"%d" % length)
    )


def chat_path(url: str, body: bytes, hints: Hints) -> str | None:
    """The chat path of a URL; None for what is no chat; raises ValueError where the chip is not known."""
    path = urlsplit(url).path
    route = parse(path)
    if route is not None:
        return route.readable_path
    if not path.rstrip("/").endswith(CHAT):
        return None
    return made_path(hints, [json_object(body)])


def made_path(hints: Hints, objects: Sequence[dict[str, Any]]) -> str:
    """A chat path from hints, and the model that request or answer name."""
    named = next((one["model"] for one in objects if isinstance(one.get("model"), str) and one["model"]), "")
    model = hints.model or named
    if not model or not hints.chip:
        raise ValueError(f"no {SHOWN_BASE}/ in it: say --{'chip' if model else 'model'} NAME")
    return Route(model, hints.chip).readable_path


def json_object(data: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def asked_body(hints: Hints, *, streamed: bool) -> bytes:
    """A request for an answer that came without one; raises ValueError without a prompt."""
    if not hints.prompt:
        raise ValueError("an answer without its request: say --prompt TEXT")
    stream = streamed if hints.stream is None else hints.stream
    body = {"messages": [{"role": "user", "content": hints.prompt}], "stream": stream}
    return json.dumps(body, ensure_ascii=False).encode()


def frames_of(body: bytes, kind: str = "") -> list[bytes]:
    """A body cut after each event or line, where nobody knows how it was cut on the wire; `kind` is its wire format."""
    kind = kind or wire_format_of(body)
    if kind == "json":
        return [body] if body else []
    return [part for part in (_EVENT_END if kind == "sse" else _LINE_END).split(body) if part]


def reason(status: int) -> str:
    """The phrase of a status line; empty for a status that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def value_of(headers: Pairs, name: bytes) -> bytes:
    """The first value of a header, or nothing."""
    return next((value for one, value in headers if one.lower() == name), b"")

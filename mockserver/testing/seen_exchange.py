"""An exchange that a mock saw, as its control API tells it: as a value, and as lines for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mockserver.pipeline.read import Carried

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_CHARACTERS: Final = 160
SHOWN_EXCHANGES: Final = 10


@dataclass(frozen=True, slots=True)
class SeenExchange:
    """One exchange: what a client asked, and what was really sent to it.

    Attributes:
        number: Its number in its namespace, from 1.
        at_ms: When the request came, in milliseconds on the namespace's monotonic clock.
        duration_ms: From the head of the request to the end, or until now.
        method: HTTP method.
        path: The path, decoded.
        request_headers: By name in lower case; credentials and cookies are masked.
        request_body: The body as text.
        model: The model asked for; None where the request was refused.
        chip: The chip asked for; None where the request was refused.
        stream: Whether a stream was asked for; None where the request was refused.
        status: HTTP status; None where no head was sent: the client left before its request was whole, or
            a fault kept it back.
        source: Where the answer came from: `fixture:…`, `synthetic`, a kind of error …
        detail: Why it was refused; empty where it was not.
        faults: Types of the faults that acted.
        seed: What the faults' dice were thrown with; the request header `X-Mock-Seed` repeats it.
        ending: How it ended: `complete`, `cut`, `reset` or `hang`; None while it is in flight.
        client_left: Whether it was the client that ended it.
        frames_planned: How many frames the answer had.
        frames_sent: How many of them were sent.
        headers: Response headers in the order they were sent.
        sends: What was sent: milliseconds after the answer began, and text.
        carried: What the bytes said to a client that could read them.
        query: The query of the request, without its question mark; what is secret in it is masked.
        stale: In what the request is another one than what the answer was recorded or written for.
    """

    number: int
    at_ms: float
    duration_ms: float
    method: str
    path: str
    request_headers: dict[str, str]
    request_body: str
    model: str | None
    chip: str | None
    stream: bool | None
    status: int | None
    source: str
    detail: str
    faults: tuple[str, ...]
    seed: int
    ending: str | None
    client_left: bool
    frames_planned: int
    frames_sent: int
    headers: tuple[tuple[str, str], ...]
    sends: tuple[tuple[float, str], ...]
    carried: Carried
    query: str = ""
    stale: tuple[str, ...] = ()

    @property
    def in_flight(self) -> bool:
        """Whether it is still going on; frames and time are those so far."""
        return self.ending is None

    @property
    def request(self) -> dict[str, Any]:
        """The request's JSON body; empty where it was no JSON object."""
        try:
            value = json.loads(self.request_body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def content_type(self) -> str:
        """The answer's Content-Type; empty for none."""
        return next((value for name, value in self.headers if name.lower() == "content-type"), "")

    def __str__(self) -> str:
        """The line of a log: number, request, status, ending."""
        words = [f"#{self.number}", self.method, self.path, str(self.status or "-"), self.content_type]
        words.append(self.ending or "in flight")
        words.append(f"{self.frames_sent} of {self.frames_planned} frames")
        words.append(f"{self.duration_ms:.1f} ms")
        if self.client_left:
            words.append("the client left")
        if self.stale:
            words.append(f"stale {'; '.join(self.stale)}")
        if self.faults:
            words.append(f"faults {', '.join(self.faults)} (seed {self.seed})")
        return "  ".join(word for word in words if word)


def seen_exchange(data: dict[str, Any]) -> SeenExchange:
    """An exchange from the JSON that the control API gives with `frames=true`."""
    request, response = data["request"], data["response"]
    same = ("number", "at_ms", "duration_ms", "model", "chip", "stream", "status", "source", "detail", "seed", "ending")
    more = ("client_left", "frames_planned", "frames_sent")
    carried = {**response["carried"], "tool_calls": tuple(response["carried"]["tool_calls"])}
    return SeenExchange(
        **{name: data[name] for name in (*same, *more)},
        faults=tuple(data["faults"]),
        method=request["method"],
        path=request["path"],
        request_headers=request["headers"],
        request_body=request["body"],
        headers=tuple((name, value) for name, value in response["headers"]),
        sends=tuple((one["at_ms"], one["data"]) for one in response["sends"]),
        carried=Carried(**carried),
        query=request["query"],
        stale=tuple(data["stale"]),
    )


def said(carried: Carried) -> str:
    """What an exchange carried, in a clause."""
    if not carried.framing:
        return "an empty body"
    counted = f"{carried.chunks} content chunk{'' if carried.chunks == 1 else 's'}"
    parts = [f"{counted} as {carried.framing}"]
    if carried.text:
        parts.append(short(carried.text))
    if carried.tool_calls:
        parts.append(f"calls {', '.join(carried.tool_calls)}")
    parts.append(f"finish_reason {carried.finish_reason}" if carried.finish_reason else "no finish_reason")
    if carried.blocked:
        parts.append("blocked")
    if carried.problem:
        parts.append(carried.problem)
    return "; ".join(parts)


def wire_log(exchanges: Iterable[SeenExchange]) -> list[str]:
    """Exchanges as a short log: each in a line, its first and last frames, and what they said."""
    every = list(exchanges)
    lines = [f"({len(every) - SHOWN_EXCHANGES} earlier exchanges left out)"] if len(every) > SHOWN_EXCHANGES else []
    for one in every[-SHOWN_EXCHANGES:]:
        lines.append(str(one))
        sent = [data for _, data in one.sends]
        if sent:
            lines.append(f"    first  {short(sent[0])}")
        if len(sent) > 1:
            lines.append(f"    last   {short(sent[-1])}")
        if one.detail:
            lines.append(f"    why    {one.detail}")
        else:
            lines.append(f"    said   {said(one.carried)}")
    return lines


def short(text: str) -> str:
    """A text in one line, quoted, cut in its middle where it is long."""
    quoted = repr(text)
    if len(quoted) <= SHOWN_CHARACTERS:
        return quoted
    half = SHOWN_CHARACTERS // 2
    return f"{quoted[:half]} … {quoted[-half:]}"

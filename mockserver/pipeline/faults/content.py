"""Faults of the content: the transport works, what it carries is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from mockserver.core.body_types import body_of_value
from mockserver.core.field_rules import MOST_WHOLE, Must, Rule
from mockserver.core.headers import with_headers, with_length, without_length
from mockserver.core.network_writes import times, with_frames
from mockserver.core.sent_headers import HeaderName, HeaderValue, SentHeaders
from mockserver.pipeline.faults.fault import Fault, edit_json, holds_json

if TYPE_CHECKING:
    from mockserver.core.exchange import Answer, Plan
    from mockserver.pipeline.faults.fault import FaultContext


class Status(Fault):
    """An error answer in the service's shape, or with a body of your own, instead of the real one.

    Attributes:
        status: The HTTP status; 200 to 599.
        message: What the error says; any text, or null for the service's own words.
        retry_after_s: The header Retry-After in whole seconds, rounded up, with retry-after-ms beside it where that
            says more; 0 to 86,400 seconds, or null for none.
        body: The body instead of the service's; any JSON value, a text as it is, or null for the service's own.
        headers: Further response headers, in place of those of the same name; an object of texts.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("give either body or message", ({"message": Must.NULL}, {"body": Must.NULL})),
    )

    type: Literal["status"] = "status"
    status: int = Field(ge=200, le=599)
    message: str | None = None
    retry_after_s: float | None = Field(default=None, ge=0, le=86_400)
    body: Any | None = None
    headers: SentHeaders = Field(default={})

    @property
    def unanswered(self) -> bool:
        """The error comes instead."""
        return True

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The error's plan."""
        error = context.refuse(self.status, self.message, self.retry_after_s)
        if self.body is not None:
            kind, data = body_of_value(self.body)
            headers = with_headers(error.headers, [("content-type", kind)])
            error = _resized(replace(error, headers=headers, frames=(data,)))
        if self.status in {204, 304}:  # which have no body
            error = replace(error, headers=without_length(error.headers), frames=(b"",))
        return replace(error, headers=with_headers(error.headers, self.headers.items()))


class RateLimit(Fault):
    """Real quotas: requests a minute, requests a day, tokens a minute; what is over them gets a 429.

    The defaults are the free tier's of 2025 (API reference, limits): 12 requests and 12,000 tokens a minute, 300
    requests a day. The counters belong to the namespace and run on the mock's clock.

    Attributes:
        rpm: What may be asked in a minute; 0 or more requests, or null for no limit.
        rpd: What may be asked in a day; 0 or more requests, or null for no limit.
        tpm: What prompts and answers may have in a minute; 0 or more tokens, or null for no limit.
        retry_after: Whether the 429 has the header Retry-After; true or false.
    """

    type: Literal["rate_limit"] = "rate_limit"
    rpm: int | None = Field(default=12, ge=0)
    rpd: int | None = Field(default=300, ge=0)
    tpm: int | None = Field(default=12_000, ge=0)
    retry_after: bool = False


class MalformedFrame(Fault):
    """Frame `at_frame` (counted from 0) is not JSON: its opening brace is gone.

    Attributes:
        at_frame: Which frame, counted from 0, or the next one that holds JSON; 0 or more.
    """

    type: Literal["malformed_frame"] = "malformed_frame"
    at_frame: int = Field(default=1, ge=0)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """One frame is spoilt."""
        return _change_frame(plan, self.at_frame, lambda frame: frame.replace(b"{", b"", 1))


class TruncatedJson(Fault):
    """The JSON of frame `at_frame` (counted from 0) stops in its middle; the framing around it is whole.

    Attributes:
        at_frame: Which frame, counted from 0, or the next one that holds JSON; 0 or more.
    """

    type: Literal["truncated_json"] = "truncated_json"
    at_frame: int = Field(default=1, ge=0)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """One frame loses the second half of its JSON."""

        def halve(frame: bytes) -> bytes:
            start, end = frame.find(b"{"), frame.rfind(b"}") + 1
            text = frame[start:end].decode()
            return frame[:start] + text[: len(text) // 2].encode() + frame[end:]

        return _change_frame(plan, self.at_frame, halve)


class DropDone(Fault):
    """The done marker is missing."""

    type: Literal["drop_done"] = "drop_done"

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """Without the frame that is only the marker."""
        kept = [n for n, frame in enumerate(plan.frames) if not _is_done(frame)]
        at = times(plan)
        return with_frames(plan, [plan.frames[n] for n in kept], [at[n] for n in kept])


class DuplicateFrame(Fault):
    """Frame `at_frame` (counted from 0) comes twice.

    Attributes:
        at_frame: Which frame, counted from 0; 0 or more.
    """

    type: Literal["duplicate_frame"] = "duplicate_frame"
    at_frame: int = Field(default=1, ge=0)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """One frame more."""
        frames, at = list(plan.frames), times(plan)
        n = min(self.at_frame, len(frames) - 1)
        return _resized(with_frames(plan, frames[: n + 1] + frames[n:], at[: n + 1] + at[n:]))


class Reorder(Fault):
    """Frame `at_frame` (counted from 0) and the one after it change places.

    Attributes:
        at_frame: The first of the two, counted from 0; 0 or more.
    """

    type: Literal["reorder"] = "reorder"
    at_frame: int = Field(default=1, ge=0)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """Two frames swapped; the times stay."""
        frames = list(plan.frames)
        n = max(min(self.at_frame, len(frames) - 2), 0)
        frames[n : n + 2] = reversed(frames[n : n + 2])
        return with_frames(plan, frames, times(plan))


class ErrorFrame(Fault):
    """After `after_frames` frames an error object comes in the stream's own framing, then the stream ends.

    Attributes:
        after_frames: What is sent before the error, in place of the last frame at the latest; 0 or more frames.
        code: The error's code; -9,007,199,254,740,991 to 9,007,199,254,740,991.
        message: What the error says; any text.
        body: What comes instead of the object with code and message; any JSON value, a text as it is, or null for that
            object.
        event: The name of its event in an event stream; any text on one line, or null for none.
        then: What follows it; "end" for nothing, "done" for the done marker, "rest" for the rest of the stream.
    """

    type: Literal["error_frame"] = "error_frame"
    after_frames: int = Field(default=2, ge=0)
    code: int = Field(default=50000, ge=-MOST_WHOLE, le=MOST_WHOLE)
    message: str = "Internal error"
    body: Any | None = None
    event: str | None = Field(default=None, pattern=r"^[^\r\n\x00]*$")
    then: Literal["end", "done", "rest"] = "end"

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The error takes the place of the rest, or stands before it."""
        if not plan.frames:
            return plan
        at, frames = times(plan), plan.frames
        n = min(self.after_frames, len(frames) - 1)
        error = {"error": {"code": str(self.code), "message": self.message, "param": None, "type": "server_error"}}
        model = next((one for one in frames if holds_json(one)), b"{}")
        frame = self._named(said_in(model, error if self.body is None else self.body))
        rest = range(n, n)
        if len(frames) > 1 and self.then == "rest":
            rest = range(n, len(frames))
        elif self.then == "done":
            rest = range(max(n, len(frames) - 1), len(frames)) if _is_done(frames[-1]) else rest
        made = [*frames[:n], frame, *(frames[later] for later in rest)]
        return _resized(with_frames(plan, made, [*at[: n + 1], *(at[later] for later in rest)]))

    def _named(self, frame: bytes) -> bytes:
        """The frame with the name of its event, where it is an event."""
        before, data, after = frame.partition(b"data:")
        if self.event is None or not data:
            return frame
        newline = b"\r\n" if after.endswith(b"\r\n") else after[-1:]
        kept = b"".join(line for line in before.splitlines(keepends=True) if not line.startswith(b"event:"))
        return b"%bevent: %b%b%b%b" % (kept, self.event.encode(), newline, data, after)


class WrongContentType(Fault):
    """The Content-Type is another one.

    Attributes:
        content_type: What the header says; printable ASCII, at least one character.
    """

    type: Literal["wrong_content_type"] = "wrong_content_type"
    content_type: str = Field(default="text/html", pattern=r"^[ -~]+$")

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """One header changes."""
        others = tuple(pair for pair in plan.headers if pair[0].lower() != b"content-type")
        return replace(plan, headers=((b"content-type", self.content_type.encode()), *others))


class SetHeader(Fault):
    """A response header is set, whatever answers: `retry-after-ms`, `x-should-retry`, a date.

    Attributes:
        name: The header; letters, digits and dashes, and none of those that say where the body ends.
        value: What it says, in place of what it said; printable characters of Latin-1, or null to leave it out.
    """

    type: Literal["set_header"] = "set_header"
    name: HeaderName
    value: HeaderValue | None = None

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """One header is another, or gone."""
        if plan.raw:
            return plan
        if self.value is None:
            name = self.name.lower().encode()
            return replace(plan, headers=tuple(pair for pair in plan.headers if pair[0].lower() != name))
        return replace(plan, headers=with_headers(plan.headers, [(self.name, self.value)]))


class DropField(Fault):
    """A field is missing: `choices`, `choices.0.delta`, `usage` … in every chunk, or in chunk `at_frame` alone.

    Attributes:
        field: The way to it, keys and places in lists with dots between them; at least one character.
        at_frame: Which chunk, counted from 0; 0 or more, or null for every chunk.
    """

    type: Literal["drop_field"] = "drop_field"
    field: str = Field(min_length=1)
    at_frame: int | None = Field(default=None, ge=0)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The field goes where it is."""
        frames = [
            edit_json(frame, self._without) if self.at_frame in {None, n} else frame
            for n, frame in enumerate(plan.frames)
        ]
        return _resized(with_frames(plan, frames, times(plan)))

    def _without(self, value: Any) -> Any:
        *way, last = self.field.split(".")
        place = value
        for step in way:
            if isinstance(place, list) and step.isdigit() and int(step) < len(place):
                place = place[int(step)]
            elif isinstance(place, dict) and step in place:
                place = place[step]
            else:
                return value
        if isinstance(place, dict):
            place.pop(last, None)
        elif isinstance(place, list) and last.isdigit() and int(last) < len(place):
            del place[int(last)]
        return value


class BlockedAt(Fault):
    """The text review blocks the answer after `after_pieces` pieces.

    Attributes:
        after_pieces: What is said before the block, reasoning first; 0 or more pieces.
    """

    type: Literal["blocked_at"] = "blocked_at"
    after_pieces: int = Field(default=0, ge=0)

    def on_answer(self, answer: Answer) -> Answer:
        """The answer as the review would leave it."""
        whole = len(answer.reasoning) + len(answer.pieces)
        return answer if whole <= self.after_pieces else answer.blocked_after(self.after_pieces)


def said_in(model: bytes, value: Any) -> bytes:
    """A frame like `model`, its prefix and its ending, that says something else: a text as it is, else JSON."""
    start, end = model.find(b"{"), model.rfind(b"}") + 1
    if not isinstance(value, str):
        return edit_json(model, lambda _: value)
    text = value.encode()
    if b"data:" in model[:start]:  # an event has one field for each line
        prefix = model[:start].splitlines(keepends=True)[-1]
        newline = b"\r\n" if model.endswith(b"\r\n") else model[-1:]
        text = (newline + prefix).join(text.splitlines() or [b""])
    return model[:start] + text + model[end:]


def _is_done(frame: bytes) -> bool:
    """Whether a frame is the done marker alone: no JSON object stands in it."""
    return b"[DONE]" in frame and b"{" not in frame


def _change_frame(plan: Plan, at: int, change: Any) -> Plan:
    """The plan with one of its frames of JSON changed: the one at a place, or the last one where there are fewer."""
    frames = list(plan.frames)
    able = [n for n, frame in enumerate(frames) if holds_json(frame)]
    if able:
        n = next((one for one in able if one >= at), able[-1])
        frames[n] = change(frames[n])
    return _resized(with_frames(plan, frames, times(plan)))


def _resized(plan: Plan) -> Plan:
    """The plan with a Content-Length, where there is one, that fits its frames again."""
    return replace(plan, headers=with_length(plan.headers, sum(map(len, plan.frames))))


CONTENT_FAULTS: Final[tuple[type[Fault], ...]] = (
    Status,
    RateLimit,
    MalformedFrame,
    TruncatedJson,
    DropDone,
    DuplicateFrame,
    Reorder,
    ErrorFrame,
    WrongContentType,
    DropField,
    BlockedAt,
    SetHeader,
)

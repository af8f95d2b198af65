"""Faults of the content: the transport works, what it carries is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mockserver.core.field_rules import MOST_WHOLE
from mockserver.core.headers import with_length
from mockserver.core.network_writes import times, with_frames
from mockserver.pipeline.faults.fault import Fault, edit_json, holds_json

if TYPE_CHECKING:
    from mockserver.core.exchange import Answer, Plan
    from mockserver.pipeline.faults.fault import FaultContext


class Status(Fault):
    """An error answer in the service's shape instead of the real one.

    Attributes:
        status: The HTTP status; 400 to 599.
        message: What the error says; any text, or null for the service's own words.
        retry_after_s: The header Retry-After; 0 to 86,400 seconds, or null for none.
    """

    type: Literal["status"] = "status"
    status: int = Field(ge=400, le=599)
    message: str | None = None
    retry_after_s: float | None = Field(default=None, ge=0, le=86_400)

    @property
    def unanswered(self) -> bool:
        """The error comes instead."""
        return True

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The error's plan."""
        return context.refuse(self.status, self.message, self.retry_after_s)


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
    """

    type: Literal["error_frame"] = "error_frame"
    after_frames: int = Field(default=2, ge=0)
    code: int = Field(default=50000, ge=-MOST_WHOLE, le=MOST_WHOLE)
    message: str = "Internal error"

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The error takes the place of the rest."""
        if not plan.frames:
            return plan
        n = min(self.after_frames, len(plan.frames) - 1)
        error = {"error": {"code": str(self.code), "message": self.message, "param": None, "type": "server_error"}}
        model = next((one for one in plan.frames if holds_json(one)), b"{}")
        frame = edit_json(model, lambda _: error)
        return _resized(with_frames(plan, [*plan.frames[:n], frame], times(plan)[: n + 1]))


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
)

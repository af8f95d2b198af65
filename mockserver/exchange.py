"""The nouns of a run.

What is said (`Answer`), under which identity (`Head`), what will be sent and when (`Plan`), how it stops (`Ending`)
and what came of it (`Exchange`). Plain values: no clock, no socket, no behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Headers = tuple[tuple[bytes, bytes], ...]
"""Response headers in the order they are sent; names in the case they are sent."""


class Ending(StrEnum):
    """How an answer stops."""

    COMPLETE = "complete"
    """Everything planned was sent and the body ended as HTTP wants it."""
    CUT = "cut"
    """The connection closed before the body's end; the client can see that."""
    RESET = "reset"
    """The connection was reset (TCP RST)."""
    HANG = "hang"
    """Nothing more comes and the connection stays open."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a function by the model: `pieces` joined are the JSON text of its arguments."""

    id: str
    name: str
    pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        """The JSON text of the arguments."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted for one answer; the total is their sum.

    `completion_tokens` counts the end token, so it is the number of pieces plus one (tutorial, both samples).
    `reasoning_tokens` are part of `completion_tokens`.
    """

    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, whatever the wire form.

    Attributes:
        pieces: The content, cut as the model's tokens would cut it; one content chunk each in a stream.
        usage: Tokens counted.
        finish_reason: `stop`, `length` or `tool_calls`.
        reasoning: Pieces of `reasoning_content`, sent before the content.
        tool_calls: Calls of functions, sent after the content.
        blocked: The text review stopped the answer; `pieces` then holds only what came before it.
        id: The answer's id where it is known (a fixture's); None lets the head stage make one.
        created: Unix seconds where they are known; None lets the head stage decide.
        source: Where the answer came from, for the journal: `fixture:<file>` or `synthetic`.
    """

    pieces: tuple[str, ...]
    usage: Usage
    finish_reason: str = "stop"
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    blocked: bool = False
    id: str | None = None
    created: int | None = None
    source: str = "synthetic"

    @property
    def text(self) -> str:
        """The whole content."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Head:
    """The identity of one answer: the same in all its chunks.

    Attributes:
        id: The completion's id.
        created: Unix seconds.
        model: The model that answers.
        headers: Response headers that every answer carries (trace and request id).
    """

    id: str
    created: int
    model: str
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that was let in: what the later stages need of it, with defaults filled in.

    Attributes:
        model: The model that answers, after the edition's rule on path and body.
        chip: The chip of the path.
        messages: The dialogue, as sent.
        stream: Whether a stream is wanted.
        include_usage: `stream_options.include_usage`.
        body: The whole JSON body, as sent.
        ignored: Names of fields that the edition does not know and the service ignores.
    """

    model: str
    chip: str
    messages: Sequence[Mapping[str, Any]]
    stream: bool = False
    include_usage: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be sent, decided before the first byte leaves.

    Attributes:
        status: HTTP status.
        headers: Response headers. A `content-length` among them is that of all the frames.
        frames: The body in the order it is sent.
        at_ms: When each frame leaves, in milliseconds after the plan starts, rising; None sends all at once.
        ending: How the answer stops after the last frame.
        source: Where the answer came from, for the log.
        detail: The reason of a refusal.
        joinable: Whether frames that are due together may leave as one transfer chunk; a recording's may not.
    """

    status: int
    headers: Headers
    frames: Sequence[bytes]
    at_ms: Sequence[float] | None = None
    ending: Ending = Ending.COMPLETE
    source: str = ""
    detail: str = ""
    joinable: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in, or as it is to be sent.

    Attributes:
        method: HTTP method.
        path: The path, decoded, without the query.
        headers: Names in lower case; of equal names the last.
        body: The whole body.
    """

    method: str
    path: str
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Exchange:
    """A request and all that came back: what the log tells, a fixture stores, a check judges, a replay performs.

    Attributes:
        request: What was asked.
        plan: What was answered; for a recording, what was received: status, headers, frames, times, ending. None where
            the client left before its request was whole.
        frames_sent: How many of the plan's frames went out.
        duration_ms: From the head of the request to the end.
        ending: How it really ended; `cut` also where the client left.
        ignored: Fields of the request that were ignored.
    """

    request: Request
    plan: Plan | None = None
    frames_sent: int = 0
    duration_ms: float = 0.0
    ending: Ending = Ending.COMPLETE
    ignored: tuple[str, ...] = ()

    @property
    def sends(self) -> list[tuple[float, bytes]]:
        """What was sent, frame by frame, each with its time in milliseconds after the answer began."""
        if self.plan is None:
            return []
        sent = self.plan.frames[: self.frames_sent]
        times = self.plan.at_ms or [0.0] * len(sent)
        return list(zip(times, sent, strict=False))

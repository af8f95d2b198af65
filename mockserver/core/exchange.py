"""The nouns of a run.

What is said (`Answer`), under which identity (`Head`), what will be sent and when (`Plan`), how it stops (`Ending`)
and what came of it (`Exchange`). Plain values: no clock, no socket, no behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockserver.core.route import Route

Headers = tuple[tuple[bytes, bytes], ...]
"""Response headers in the order they are sent; names in the case they are sent."""

ANSWER_STYLES = ("faker", "template", "echo")
"""How text is synthesised: with invented names and dates, without them, or the last user message as it is."""
SCRIPTED = "fixture:script"
"""The source of an answer that a test scripts."""


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


@immutable(frozen=True, slots=True)
class ToolCall:
    """One call of a function by the model: `pieces` joined are the JSON text of its arguments."""

    id: str
    name: str
    pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        """The JSON text of the arguments."""
        return "".join(self.pieces)


@immutable(frozen=True, slots=True)
class Usage:
    """Tokens counted for one answer; the total is their sum.

    `completion_tokens` counts the end token, so it is the number of pieces plus one (tutorial, both samples).
    `reasoning_tokens` are part of `completion_tokens`.
    """

    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion."""
        return self.prompt_tokens + self.completion_tokens


@immutable(frozen=True, slots=True)
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
        delay_ms: Milliseconds before the answer begins, in addition to the chip's pace.
        at_ms: Of a recorded answer that keeps its pace: when it began, when each part came (a piece of reasoning, of
            content, a call, a piece of its arguments), and when it was whole, in milliseconds after the request.
            Empty takes the chip's pace.
        source: Where the answer came from, for the journal: `fixture:<file>` or `synthetic`.
        detail: What the journal is to know of it besides, such as a usage that was not recorded; empty for nothing.
        stale: In what the request is another one than what this was recorded or written for, one line each.
    """

    pieces: tuple[str, ...]
    usage: Usage
    finish_reason: str = "stop"
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    blocked: bool = False
    id: str | None = None
    created: int | None = None
    delay_ms: float = 0.0
    source: str = "synthetic"
    at_ms: tuple[float, ...] = ()
    detail: str = ""
    stale: tuple[str, ...] = ()

    def blocked_after(self, count: int) -> Answer:
        """The answer cut after `count` pieces, reasoning first, and marked blocked; calls of functions go."""
        reasoning = self.reasoning[:count]
        pieces = self.pieces[: max(count - len(self.reasoning), 0)]
        usage = replace(
            self.usage,
            completion_tokens=len(reasoning) + len(pieces) + 1,
            reasoning_tokens=min(len(reasoning), self.usage.reasoning_tokens),
        )
        return replace(
            self, pieces=pieces, reasoning=reasoning, tool_calls=(), finish_reason="stop", usage=usage, blocked=True
        )

    @property
    def parts(self) -> int:
        """How many chunks what is said takes, where each part has its own."""
        return len(self.reasoning) + len(self.pieces) + sum(1 + len(call.pieces) for call in self.tool_calls)

    @property
    def text(self) -> str:
        """The whole content."""
        return "".join(self.pieces)


@immutable(frozen=True, slots=True)
class Head:
    """The identity of one answer: the same in all its chunks.

    Attributes:
        id: The completion's id.
        created: Unix seconds.
        model: The model that answers.
        headers: Response headers that every answer carries (trace and request id).
        lines: The same as ASGI's `send` writes them; None where that is not known.
    """

    id: str
    created: int
    model: str
    headers: Headers = ()
    lines: bytes | None = None


@immutable(frozen=True, slots=True)
class ChatRequest:
    """A request that was let in: what the later stages need of it, with defaults filled in.

    Attributes:
        model: The model that answers, after the edition's rule on path and body.
        chip: The chip of the path, or the one that answers where the path names none.
        messages: The dialogue, as sent.
        stream: Whether a stream is wanted.
        include_usage: `stream_options.include_usage`.
        body: The whole JSON body, as sent.
        ignored: Names of fields that the edition does not know and the service ignores.
        answer_style: One of `ANSWER_STYLES`, asked for by `X-Mock-Answer`; None takes the server's.
        namespace: Whose counters and scripts apply; empty for the one that all unclaimed keys share.
        route: Where it was asked for; None where that does not matter.
        headers: Request headers, names in lower case; what is kept of them has no credentials.
        query: The query as it was sent, without its question mark.
        texts: What the messages say, where each says one text and calls nothing; None where one does not, or where
            nobody has looked.
    """

    model: str
    chip: str
    messages: Sequence[Mapping[str, Any]]
    stream: bool = False
    include_usage: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    answer_style: str | None = None
    namespace: str = ""
    route: Route | None = None
    headers: Mapping[bytes, bytes] = field(default_factory=dict, repr=False, compare=False)
    query: str = ""
    texts: Sequence[str] | None = field(default=None, repr=False, compare=False)

    @property
    def last_user_text(self) -> str:
        """The text of the last user message; empty where there is none."""
        for message in reversed(self.messages):
            if message.get("role", "user") == "user":
                return text_of(message)
        return ""


def texts_of(message: Mapping[str, Any]) -> list[str]:
    """The texts of a message's content, whichever of its forms it has."""
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return [text for text in texts if isinstance(text, str)]
    return []


def text_of(message: Mapping[str, Any]) -> str:
    """The texts of a message's content, joined."""
    content = message.get("content")
    return content if type(content) is str else "".join(texts_of(message))  # nearly always


@immutable(frozen=True, slots=True)
class Plan:
    """Everything that will be sent, decided before the first byte leaves.

    Attributes:
        status: HTTP status; 0 where no head is sent.
        headers: Response headers. A `content-length` among them is that of all the frames.
        frames: The body in the order it is sent.
        at_ms: When each frame leaves, in milliseconds after the plan starts, never falling; None sends all at once.
        ending: How the answer stops after the last frame.
        head_at_ms: When status and headers leave; None sends them with the first frame.
        end_at_ms: When the body ends as `ending` says; None, or a time before the last frame's, ends it with that.
        raw: The frames are network writes that hold status line, headers and transfer coding themselves.
        source: Where the answer came from, for the log.
        detail: The reason of a refusal, or what else the log and the journal tell.
        joinable: Whether frames that are due together may leave as one transfer chunk; a recording's may not.
        trailers: Headers after a chunked body that ends complete.
        stale: In what the request is another one than what the answer was recorded or written for, one line each.
    """

    status: int
    headers: Headers
    frames: Sequence[bytes]
    at_ms: Sequence[float] | None = None
    ending: Ending = Ending.COMPLETE
    head_at_ms: float | None = None
    end_at_ms: float | None = None
    raw: bool = False
    source: str = ""
    detail: str = ""
    joinable: bool = True
    trailers: Headers = ()
    stale: tuple[str, ...] = ()


@immutable(frozen=True, slots=True)
class Request:
    """A request as it came in, or as it is to be sent.

    Attributes:
        method: HTTP method.
        path: The path, decoded, without the query.
        headers: Names in lower case; what came with equal names is one list.
        body: The whole body.
        query: The query as it was sent, without its question mark.
    """

    method: str
    path: str
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""


@dataclass
class Exchange:
    """A request and all that came back: what the log tells, a fixture stores, a check judges, a replay performs.

    Without slots, so that what is not given need not be set: the class has it.

    Attributes:
        request: What was asked, on the wire.
        plan: What was answered; for a recording, what was received: status, headers, frames, times, ending. None where
            the client left before its request was whole.
        frames_sent: How many of the plan's frames went out.
        duration_ms: From the head of the request to the end.
        ending: How it really ended; `cut` also where the client left.
        chat: What was asked, understood; None where it was refused. When it has ended, messages and body are left out:
            the request holds them.
        client_left: Whether it was the client that ended it.
        number: Its number in its namespace, from 1.
        namespace: Name of the namespace.
        seed: What the faults' dice were thrown with.
        faults: Types of the faults that acted.
        at_ms: When the request came, in milliseconds on the mock's monotonic clock.
        in_flight: Whether it is still going on; how it ends, and after how long, is not known yet.
        writes: When each network write of a stream really left, in milliseconds after the answer began, and how many
            frames had been sent with it, in turn; empty for an answer of one write.
    """

    request: Request
    plan: Plan | None = None
    frames_sent: int = 0
    duration_ms: float = 0.0
    ending: Ending = Ending.COMPLETE
    chat: ChatRequest | None = None
    client_left: bool = False
    number: int = 0
    namespace: str = ""
    seed: int = 0
    faults: tuple[str, ...] = ()
    at_ms: float = 0.0
    in_flight: bool = False
    writes: Sequence[float] = field(default=(), compare=False, repr=False)

    @classmethod
    def begun(cls, request: Request, namespace: str, at_ms: float) -> Exchange:
        """One of which nothing else is known yet."""
        made = cls.__new__(cls)
        made.request, made.namespace, made.at_ms = request, namespace, at_ms
        return made

    @property
    def ignored(self) -> tuple[str, ...]:
        """Fields of the request that the service does not know and ignored."""
        return self.chat.ignored if self.chat else ()

    @property
    def sends(self) -> list[tuple[float, bytes]]:
        """What was sent, frame by frame, each with its time in milliseconds after the answer began."""
        if self.plan is None:
            return []
        sent = self.plan.frames[: self.frames_sent]
        times = self.plan.at_ms or [0.0] * len(sent)
        return list(zip(times, sent, strict=False))

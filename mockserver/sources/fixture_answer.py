"""What a written fixture says, in the form of its file, and how that becomes an answer or a refusal."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from mockserver.core.body_types import body_of_value
from mockserver.core.errors import Refusal, nearest, suggestion
from mockserver.core.exchange import Answer, Plan, ToolCall, Usage
from mockserver.core.field_rules import MOST_WHOLE, Must, Rule, exactly_one, whole
from mockserver.core.immutable import immutable
from mockserver.core.sent_headers import SentHeaders
from mockserver.core.written import Checks, Reads, Written, key
from mockserver.profile.edition_file import ERROR_KINDS
from mockserver.sources import tokens
from mockserver.sources.condition import shown
from mockserver.sources.raw_answer import RawAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_DELAY_MS: Final = 600_000
LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""
_SAYS: Final = ("text", "pieces", "reasoning", "tool_calls", "blocked")
_TELLS: Final = ("finish_reason", "usage", "id", "created")
FINISH_REASONS: Final = (
    "stop", "length", "tool_calls", "content_filter", "function_call", "insufficient_system_resource", "sensitive",
    "network_error", "model_context_window_exceeded", "eos", "repetition_truncation", "abort", "error",
)  # fmt: skip
"""What servers are known to say: OpenAI, DeepSeek, Zhipu, Together, Qwen, SGLang and vLLM in their references."""


_CODE_SCHEMA: Final = {
    "anyOf": [
        {"type": "integer", "minimum": -MOST_WHOLE, "maximum": MOST_WHOLE},
        {"type": ["string", "null"]},
    ]
}


def _arguments(value: object) -> str:
    """Arguments written as an object become their JSON text."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return value
    raise ValueError(f"{shown(value)} is not allowed; allowed: an object, or the text of one")


def _code(value: object) -> int | str | None:
    value = whole(value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_WHOLE:
        return value
    raise ValueError(f"{shown(value)} is not allowed; allowed: an integer or a text")


def _known_kind(kind: str | None) -> str | None:
    if kind is not None and kind not in ERROR_KINDS:
        raise ValueError(f"unknown kind {kind!r}; {suggestion(kind, ERROR_KINDS)}")
    return kind


@immutable(frozen=True, kw_only=True)
class FixtureUsage(Written):
    """Tokens where they are known; else they are counted."""

    prompt_tokens: int = key(ge=0, le=MOST_WHOLE)
    """Tokens of the request with its chat template."""
    completion_tokens: int = key(ge=1, le=MOST_WHOLE)
    """Tokens of the answer with its end token."""
    reasoning_tokens: int = key(default=0, ge=0, le=MOST_WHOLE)
    """Those of them that are reasoning."""


@immutable(frozen=True, kw_only=True)
class FixtureToolCall(Written):
    """One call of a function by the model."""

    name: str = key(min_length=1)
    """The function."""
    arguments: Annotated[str, Reads(_arguments, {"type": ["object", "string"]})] = "{}"
    """Its arguments: an object, or their text as it shall be sent (it need not be JSON)."""
    id: str | None = None
    """The call's id; absent derives one."""

    def called(self, number: int) -> ToolCall:
        """The call as an answer holds it; `number` counts the calls of the answer from 0."""
        digest = hashlib.blake2b(f"{number}:{self.name}:{self.arguments}".encode(), digest_size=12).hexdigest()
        return ToolCall(self.id or f"call_{digest}", self.name, tokens.pieces(self.arguments))


@immutable(frozen=True, kw_only=True)
class ErrorReply(Written):
    """An error instead of an answer; a text is short for its `kind`."""

    field_rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("kind", "status", 'give a kind, like "rate-limited", or an object with status, code and message'),
        Rule(
            "code, message and body go with status; a kind has its own",
            ({"kind": Must.NULL}, {"code": Must.ABSENT, "message": Must.ABSENT, "body": Must.ABSENT}),
        ),
        Rule(
            "give either body, or code and message",
            ({"body": Must.NULL}, {"code": Must.ABSENT, "message": Must.ABSENT}),
        ),
    )

    kind: Annotated[str | None, Checks(_known_kind, {"enum": [*ERROR_KINDS, None]})] = None
    """A kind of the edition's [errors] table, which then gives status, form, code and message."""
    status: int | None = key(default=None, ge=200, le=599)
    """HTTP status, where it is to be an error of your own; 200 too, as some services say errors."""
    code: Annotated[int | str | None, Reads(_code, _CODE_SCHEMA)] = None
    """The body's code: an integer takes the gateway's form, a text the upstream's; absent means the status."""
    message: str = ""
    """The body's message."""
    body: Any = None
    """The whole body in a shape of your own: any JSON value, a text as it is."""
    headers: SentHeaders = key(factory=dict, json_schema_extra={"default": {}})
    """Further response headers, in place of those of the same name."""

    @staticmethod
    def from_short(value: Any) -> Any:
        """See `Written`."""
        return {"kind": value} if isinstance(value, str) else value

    @staticmethod
    def short_schemas(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `Written`."""
        del properties
        return [{"type": "string", "enum": list(ERROR_KINDS)}]


@immutable(frozen=True, kw_only=True)
class FixtureAnswer(Written):
    """What is said: `text` or `pieces`, reasoning before it, tool calls after it; or an error."""

    field_rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "text and pieces exclude each other; pieces joined are the text",
            ({"text": Must.NULL}, {"pieces": Must.NULL}),
        ),
        Rule(
            f"says nothing; give {', '.join(_SAYS)}, error or raw",
            tuple({name: Must.PRESENT} for name in (*_SAYS, "error", "raw")),
        ),
        Rule(
            "{field} does not go with error; only delay_ms does",
            ({"error": Must.NULL}, dict.fromkeys(sorted((*_SAYS, *_TELLS)), Must.ABSENT)),
        ),
        Rule(
            "{field} does not go with raw; only delay_ms does",
            ({"raw": Must.NULL}, dict.fromkeys(sorted((*_SAYS, *_TELLS, "error")), Must.ABSENT)),
        ),
    )

    text: str | None = None
    """The content."""
    pieces: tuple[str, ...] | None = None
    """The content where its cuts are known; one chunk each in a stream."""
    reasoning: str = ""
    """What the model thinks first (`reasoning_content`)."""
    tool_calls: tuple[FixtureToolCall, ...] = ()
    """Functions that the model calls."""
    error: ErrorReply | None = None
    """An error instead of all that."""
    raw: RawAnswer | None = None
    """The bytes instead of all that, as they are sent: a text, a list of sends, or an object with more."""
    blocked: bool = False
    """Whether the text review stops the answer after what is said here."""
    delay_ms: float = key(default=0.0, ge=0, le=LONGEST_DELAY_MS)
    """Milliseconds before the answer begins, streamed or not."""
    finish_reason: str | None = None
    """Why it ends, in any word; absent means tool_calls where there are any, else stop."""
    usage: FixtureUsage | None = None
    """Tokens, where they are known."""
    id: str | None = None
    """The answer's id, where it is known."""
    created: int | None = key(default=None, ge=0, le=LATEST)
    """Unix seconds of the answer, where they are known."""

    @cached_property
    def content(self) -> tuple[str, ...]:
        """The pieces of the content."""
        return self.pieces if self.pieces is not None else tokens.pieces(self.text or "")

    @cached_property
    def thoughts(self) -> tuple[str, ...]:
        """The pieces of the reasoning."""
        return tokens.pieces(self.reasoning)

    @cached_property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls of functions."""
        return tuple(call.called(number) for number, call in enumerate(self.tool_calls))


def doubt(said: FixtureAnswer) -> str:
    """What looks like a slip in an answer that may be meant: a finish_reason that is nearly a known one; else empty."""
    reason = said.finish_reason
    near = nearest(reason, FINISH_REASONS, most=1) if reason and reason not in FINISH_REASONS else []
    return f"finish_reason: {shown(reason)} is sent as it is; did you mean {near[0]}?" if near else ""


def reply_of(said: FixtureAnswer, name: str, prompt_tokens: Callable[[], int]) -> Answer | Plan:
    """What the fixture `name` says: raw bytes as a plan, all else as `answer_of`."""
    if said.raw is not None:
        return said.raw.plan(f"fixture:{name}", said.delay_ms)
    return answer_of(said, name, prompt_tokens)


def answer_of(said: FixtureAnswer, name: str, prompt_tokens: Callable[[], int]) -> Answer:
    """What the fixture `name` says in words; the prompt is counted where the file has no figures.

    Raises:
        Refusal: it says an error.
    """
    if said.error is not None:
        error = said.error
        detail = error.message or f"asked for by the fixture {name}"
        raise Refusal(
            error.kind or "fixture", detail, status=error.status, code=error.code, delay_ms=said.delay_ms,
            headers=tuple((name.encode(), value.encode("latin-1")) for name, value in error.headers.items()),
            body=None if error.body is None else body_of_value(error.body),
        )  # fmt: skip
    if said.usage is not None:
        usage = Usage(said.usage.prompt_tokens, said.usage.completion_tokens, said.usage.reasoning_tokens)
    else:
        spoken = len(said.content) + len(said.thoughts) + sum(len(call.pieces) for call in said.calls)
        usage = Usage(prompt_tokens(), spoken + 1, len(said.thoughts))
    return Answer(
        said.content,
        usage,
        ("tool_calls" if said.calls else "stop") if said.finish_reason is None else said.finish_reason,
        reasoning=said.thoughts,
        tool_calls=said.calls,
        blocked=said.blocked,
        id=said.id,
        created=said.created,
        delay_ms=said.delay_ms,
        source=f"fixture:{name}",
    )

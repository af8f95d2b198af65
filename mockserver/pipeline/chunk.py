"""Stage `chunk`: what is said becomes `chat.completion.chunk` objects, or one `chat.completion`.

Every chunk leaves here with all of its keys (id, object, created, model, the role in each delta, the usage so far):
which of them stay is the next stage's business. The order is the tutorial's: role, content, finish.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.core.exchange import Answer, Head, ToolCall, Usage

Json = dict[str, Any]


USAGE_ORDERS: Final = {
    "total-last": ("prompt", "completion", "total"),
    "total-second": ("prompt", "total", "completion"),
    "completion-first": ("completion", "prompt", "total"),
}
"""The order of usage's three counts, by the value of `usage_order`."""


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """How an answer is cut into chunks; each value is explained by its quirk."""

    role_chunk: Literal["alone", "with-content", "with-null", "merged"] = "alone"
    finish_chunk: Literal["own", "merged"] = "own"
    finish_delta: Literal["empty", "content"] = "empty"
    one_chunk: bool = False
    empty_deltas: bool = False
    usage_chunk: Literal["finish", "own"] = "finish"
    usage_order: Literal["total-last", "total-second", "completion-first"] = "total-last"
    usage_details: Literal["absent", "null", "object"] = "absent"
    reasoning: Literal["delta", "choice", "think-tags"] = "delta"
    logprobs: bool | Literal["stream"] = False
    blocked_chunk: Literal["own", "merged"] = "own"
    blocked_finish: Literal["stop", "content_filter", "null"] = "stop"
    blocked_usage: bool = True
    blocked_text: Literal["kept", "emptied"] = "kept"


def chunks(answer: Answer, head: Head, settings: ChunkSettings) -> list[Json]:
    """All chunks of a streamed answer, whole: every key in every chunk, usage counted up to each."""
    said = list(_deltas(answer, settings))
    end = settings.blocked_chunk if answer.blocked else settings.finish_chunk
    deltas = [] if said and settings.role_chunk == "merged" else [_role_delta(settings)]
    deltas += said
    if not said or end == "own":
        deltas.append({} if settings.finish_delta == "empty" else {"content": ""})
    made = [_chunk(head, delta, settings) for delta in deltas]
    _count_usage(made, answer.usage, settings)

    last = made[-1]
    last["choices"][0]["finish_reason"] = _finish_reason(answer, settings)
    last["usage"] = usage_object(answer.usage, settings)
    if answer.blocked:
        last["blocked"] = True
    if answer.blocked and not settings.blocked_usage:
        for one in made:
            del one["usage"]
    elif settings.usage_chunk == "own":
        made.append({**_chunk(head, {}, settings), "choices": [], "usage": last["usage"]})
    return made


def completion(answer: Answer, head: Head, settings: ChunkSettings) -> Json:
    """The whole answer as one `chat.completion` object."""
    text = "" if answer.blocked and settings.blocked_text == "emptied" else answer.text
    reasoning = "".join(answer.reasoning)
    if reasoning and settings.reasoning == "think-tags":
        text = f"<think>\n{reasoning}\n</think>\n\n{text}"
    message: Json = {"role": "assistant", "content": None if answer.tool_calls and not text else text}
    choice: Json = {"index": 0, "message": message}
    if reasoning and settings.reasoning == "delta":
        message["reasoning_content"] = reasoning
    elif reasoning and settings.reasoning == "choice":
        choice["reasoning_content"] = reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    if settings.logprobs is True:
        choice["logprobs"] = None
    choice["finish_reason"] = _finish_reason(answer, settings)
    made: Json = {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [choice],
    }
    if not answer.blocked or settings.blocked_usage:
        made["usage"] = usage_object(answer.usage, settings)
    if answer.blocked:
        made["blocked"] = True
    return made


def usage_object(usage: Usage, settings: ChunkSettings) -> Json:
    """The `usage` object in the edition's key order; the total is computed here and nowhere else."""
    counts = {
        "prompt": usage.prompt_tokens,
        "completion": usage.completion_tokens,
        "total": usage.prompt_tokens + usage.completion_tokens,
    }
    made: Json = {f"{name}_tokens": counts[name] for name in USAGE_ORDERS[settings.usage_order]}
    if settings.usage_details != "absent":
        made["prompt_tokens_details"] = None if settings.usage_details == "null" else {"cached_tokens": 0}
    if usage.reasoning_tokens:
        made["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return made


def _finish_reason(answer: Answer, settings: ChunkSettings) -> str | None:
    if not answer.blocked:
        return answer.finish_reason
    return None if settings.blocked_finish == "null" else settings.blocked_finish


def _chunk(head: Head, delta: Json, settings: ChunkSettings) -> Json:
    choice: Json = {"index": 0, "delta": delta}
    if settings.reasoning == "choice" and "reasoning_content" in delta:
        choice["reasoning_content"] = delta.pop("reasoning_content")
    if settings.logprobs:
        choice["logprobs"] = None
    choice["finish_reason"] = None
    return {
        "id": head.id,
        "object": "chat.completion.chunk",
        "created": head.created,
        "model": head.model,
        "choices": [choice],
    }


def _role_delta(settings: ChunkSettings) -> Json:
    return {"role": "assistant", **_ROLE_CONTENT.get(settings.role_chunk, {})}


_ROLE_CONTENT: Final[dict[str, Json]] = {"with-content": {"content": ""}, "with-null": {"content": None}}


def _deltas(answer: Answer, settings: ChunkSettings) -> Iterator[Json]:
    """The deltas of what is said, in order; the role comes before them, the finish after."""
    pieces = answer.pieces
    if answer.reasoning and settings.reasoning == "think-tags":
        pieces = ("<think>\n", *answer.reasoning, "\n</think>\n\n", *pieces)
    else:
        for piece in _joined(answer.reasoning, settings):
            yield {"reasoning_content": piece}
    for number, piece in enumerate(_joined(pieces, settings)):
        if settings.empty_deltas and number % 3 == 0:
            yield {"content": ""}
        yield {"content": piece}
    for index, call in enumerate(answer.tool_calls):
        yield from _tool_deltas(index, call, settings)


def _joined(pieces: tuple[str, ...], settings: ChunkSettings) -> tuple[str, ...]:
    return ("".join(pieces),) if settings.one_chunk and pieces else pieces


def _tool_deltas(index: int, call: ToolCall, settings: ChunkSettings) -> Iterator[Json]:
    """OpenAI's form: the first delta names the function, each later one carries a piece of its arguments."""
    opening = {"index": index, "id": call.id, "type": "function"}
    if settings.one_chunk:
        yield {"tool_calls": [{**opening, "function": {"name": call.name, "arguments": call.arguments}}]}
        return
    yield {"tool_calls": [{**opening, "function": {"name": call.name, "arguments": ""}}]}
    for piece in call.pieces:
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _count_usage(made: list[Json], usage: Usage, settings: ChunkSettings) -> None:
    """Write the usage so far into each chunk: the pieces sent up to it, the end token not yet."""
    sent = 0
    for one in made:
        choice = one["choices"][0]
        said = choice["delta"]
        sent += bool(said.get("content") or said.get("tool_calls") or said.get("reasoning_content"))
        sent += "reasoning_content" in choice
        so_far = replace(usage, completion_tokens=min(sent, usage.completion_tokens), reasoning_tokens=0)
        one["usage"] = usage_object(so_far, settings)

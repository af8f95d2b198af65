"""Stage `chunk`: what is said becomes `chat.completion.chunk` objects, or one `chat.completion`.

Every chunk leaves here with all of its keys (id, object, created, model, the role in each delta, the usage so far):
which of them stay is the next stage's business. The order is the tutorial's: role, content, finish.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.core.exchange import Answer, Head, Usage

Json = dict[str, Any]

USAGE_ORDERS: Final = {
    "total-last": ("prompt", "completion", "total"),
    "total-second": ("prompt", "total", "completion"),
    "completion-first": ("completion", "prompt", "total"),
}
"""The order of usage's three counts, by the value of `usage_order`."""


@immutable(frozen=True, slots=True)
class ChunkSettings:
    """How an answer is cut into chunks; each value is explained by its quirk."""

    role_chunk: Literal["alone", "with-content", "with-null", "merged"] = "alone"
    finish_chunk: Literal["own", "merged"] = "own"
    finish_delta: Literal["empty", "content", "null"] = "empty"
    one_chunk: bool = False
    empty_deltas: bool = False
    usage_chunk: Literal["finish", "own", "choice"] = "finish"
    usage_order: Literal["total-last", "total-second", "completion-first"] = "total-last"
    usage_details: Literal["absent", "null", "object"] = "absent"
    reasoning: Literal["delta", "choice", "think-tags"] = "delta"
    reasoning_key: Literal["reasoning_content", "reasoning", "both"] = "reasoning_content"
    reasoning_end: Literal["apart", "merged"] = "apart"
    content_beside_reasoning: Literal["absent", "null", "empty"] = "absent"
    content_beside_call: Literal["absent", "null", "empty"] = "absent"
    body_content_beside_call: Literal["null", "empty", "absent"] = "null"
    model_echo: str = "{model}"
    finish_words: tuple[tuple[str, str], ...] = ()
    logprobs: bool | Literal["stream", "body"] = False
    blocked_chunk: Literal["own", "merged"] = "own"
    blocked_finish: Literal["stop", "content_filter", "null"] = "stop"
    blocked_usage: bool = True
    blocked_text: Literal["kept", "emptied"] = "kept"


def chunks(answer: Answer, head: Head, settings: ChunkSettings, calls: Sequence[Json]) -> list[Json]:
    """All chunks of a streamed answer, whole: every key in every chunk, usage counted up to each.

    Args:
        answer: What is said.
        head: Its identity.
        settings: This stage's settings.
        calls: The deltas of its calls of functions.
    """
    said = list(_deltas(answer, settings, calls))
    end = settings.blocked_chunk if answer.blocked else settings.finish_chunk
    made_of = [] if said and settings.role_chunk == "merged" else [_role_delta(settings)]
    made_of += said
    if not said or end == "own":
        made_of.append(_FINISH_DELTA[settings.finish_delta].copy())
    made = [_chunk(head, delta, settings) for delta in made_of]
    _count_usage(made, answer.usage, settings)

    last = made[-1]
    last["choices"][0]["finish_reason"] = _finish_reason(answer, settings)
    last["usage"] = usage_object(answer.usage, settings)
    if answer.blocked:
        last["blocked"] = True
    if answer.blocked and not settings.blocked_usage:
        for one in made:
            del one["usage"]
    elif settings.usage_chunk == "choice":
        last["choices"][0]["usage"] = last["usage"]
        for one in made:
            del one["usage"]
    elif settings.usage_chunk == "own":
        made.append({**_chunk(head, {}, settings), "choices": [], "usage": last["usage"]})
    return made


def completion(answer: Answer, head: Head, settings: ChunkSettings, calls: Sequence[Json]) -> Json:
    """The whole answer as one `chat.completion` object; `calls` are its calls of functions as they are written."""
    text = "" if answer.blocked and settings.blocked_text == "emptied" else answer.text
    reasoning = "".join(answer.reasoning)
    if reasoning and settings.reasoning == "think-tags":
        text = f"<think>\n{reasoning}\n</think>\n\n{text}"
    message: Json = {"role": "assistant", "content": text}
    if calls and not text:
        message |= _beside(settings.body_content_beside_call)
        if settings.body_content_beside_call == "absent":
            del message["content"]
    choice: Json = {"index": 0, "message": message}
    if reasoning and settings.reasoning == "delta":
        message |= _thought(reasoning, settings)
    elif reasoning and settings.reasoning == "choice":
        choice |= _thought(reasoning, settings)
    if calls:
        message["tool_calls"] = calls
    if settings.logprobs in (True, "body"):
        choice["logprobs"] = None
    choice["finish_reason"] = _finish_reason(answer, settings)
    made: Json = {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": _model(head, settings),
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
        words = settings.finish_words
        return dict(words).get(answer.finish_reason, answer.finish_reason) if words else answer.finish_reason
    return None if settings.blocked_finish == "null" else settings.blocked_finish


def _chunk(head: Head, delta: Json, settings: ChunkSettings) -> Json:
    choice: Json = {"index": 0, "delta": delta}
    if settings.reasoning == "choice":
        choice |= {key: delta.pop(key) for key in REASONING_KEYS if key in delta}
    if settings.logprobs in (True, "stream"):
        choice["logprobs"] = None
    choice["finish_reason"] = None
    return {
        "id": head.id,
        "object": "chat.completion.chunk",
        "created": head.created,
        "model": _model(head, settings),
        "choices": [choice],
    }


def _model(head: Head, settings: ChunkSettings) -> str | None:
    """The model as this chip echoes it."""
    if settings.model_echo == "{model}":
        return head.model
    return None if settings.model_echo == "null" else settings.model_echo.replace("{model}", head.model)


REASONING_KEYS: Final = ("reasoning_content", "reasoning")
"""The keys that reasoning may come under."""


def _thought(text: str, settings: ChunkSettings) -> Json:
    keys = REASONING_KEYS if settings.reasoning_key == "both" else (settings.reasoning_key,)
    return dict.fromkeys(keys, text)


def _beside(setting: str) -> Json:
    """The content of a delta that says something else."""
    return {} if setting == "absent" else {"content": None if setting == "null" else ""}


def _role_delta(settings: ChunkSettings) -> Json:
    return {"role": "assistant", **_ROLE_CONTENT.get(settings.role_chunk, {})}


_FINISH_DELTA: Final[dict[str, Json]] = {"empty": {}, "content": {"content": ""}, "null": {"content": None}}
_ROLE_CONTENT: Final[dict[str, Json]] = {"with-content": {"content": ""}, "with-null": {"content": None}}


def _deltas(answer: Answer, settings: ChunkSettings, calls: Sequence[Json]) -> Iterator[Json]:
    """The deltas of what is said, in order; the role comes before them, the finish after."""
    pieces = answer.pieces
    merged: Json = {}
    if answer.reasoning and settings.reasoning == "think-tags":
        pieces = ("<think>\n", *answer.reasoning, "\n</think>\n\n", *pieces)
    else:
        thoughts = [_thought(piece, settings) for piece in _joined(answer.reasoning, settings)]
        if thoughts and pieces and settings.reasoning_end == "merged":
            merged = thoughts.pop()
        for thought in thoughts:
            yield {**_beside(settings.content_beside_reasoning), **thought}
    for number, piece in enumerate(_joined(pieces, settings)):
        if settings.empty_deltas and number % 3 == 0:
            yield {"content": ""}
        yield {"content": piece, **(merged if number == 0 else {})}
    for delta in calls:
        yield {**_beside(settings.content_beside_call), **delta}


def _joined(pieces: tuple[str, ...], settings: ChunkSettings) -> tuple[str, ...]:
    return ("".join(pieces),) if settings.one_chunk and pieces else pieces


def _count_usage(made: list[Json], usage: Usage, settings: ChunkSettings) -> None:
    """Write the usage so far into each chunk: the pieces sent up to it, the end token not yet."""
    sent = 0
    for one in made:
        choice = one["choices"][0]
        said = choice["delta"]
        sent += bool(said.get("content")) + bool(said.get("tool_calls"))
        thought = said.get("reasoning_content") or said.get("reasoning")
        sent += bool(thought or "reasoning_content" in choice or "reasoning" in choice)
        so_far = replace(usage, completion_tokens=min(sent, usage.completion_tokens), reasoning_tokens=0)
        one["usage"] = usage_object(so_far, settings)

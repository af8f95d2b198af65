"""Stage `limit`: where an answer stops before its natural end, at a stop sequence or after `max_tokens`.

It applies to the answers of every source. Both bounds work on the pieces, so a stream and a whole body stop at the
same place, and `usage` is counted again from what is left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Answer, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockserver.core.exchange import ToolCall

_RARER = frozenset({"max_completion_tokens", "stop"})
MOST_STOPS = 64  # more would make the search's time a matter of the client's choice


def bounds(body: Mapping[str, Any], not_kept: Sequence[str] = ()) -> tuple[int | None, tuple[str, ...]]:
    """The bounds of a request's body: `max_tokens` and the stop sequences.

    `max_completion_tokens` is the newer name of `max_tokens`; where both are given, the smaller counts, so that neither
    is exceeded. `null` means absent, and so does what is no bound at all: some editions let a field be anything.

    Args:
        body: The request's body.
        not_kept: Fields that have no effect.

    Raises:
        Refusal: more than `MOST_STOPS` stop sequences.
    """
    if not_kept:
        body = {name: value for name, value in body.items() if name not in not_kept}
    most = whole(body.get("max_tokens"))
    if _RARER.isdisjoint(body):
        return most, ()
    newer, stop = whole(body.get("max_completion_tokens")), body.get("stop")
    if newer is not None and (most is None or newer < most):
        most = newer
    texts = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else ()
    stops = tuple(one for one in texts if isinstance(one, str))
    if len(stops) > MOST_STOPS:
        raise Refusal(
            "invalid-field", f"stop: {len(stops)} strings were sent; allowed: at most {MOST_STOPS}", param="stop"
        )
    return most, stops


def whole(value: object) -> int | None:
    """A number of tokens; None for all else."""
    return value if type(value) is int and value > 0 else None


def limit(answer: Answer, max_tokens: int | None, stops: Sequence[str]) -> Answer:
    """The answer as far as the bounds let it go; the same object where they do not matter.

    Args:
        answer: The whole answer.
        max_tokens: The most completion tokens, the end token among them, at least 1; None for no bound. Reasoning
            comes first and counts, then the content, then the arguments of tool calls.
        stops: The content ends exactly before the first of these; empty strings are ignored, reasoning and the
            arguments of tool calls are not searched.
    """
    stopped = _stop(answer, stops) if stops else answer
    if max_tokens is None or (stopped.finish_reason == "length" and stopped.usage.completion_tokens <= max_tokens):
        return stopped
    return _cut(stopped, max_tokens)


def _stop(answer: Answer, stops: Sequence[str]) -> Answer:
    text = answer.text
    found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    if not found:
        return answer
    pieces = _head(answer.pieces, min(found))
    return _recounted(answer, answer.reasoning, pieces, (), len(answer.reasoning) + len(pieces) + 1, "stop")


def _head(pieces: tuple[str, ...], length: int) -> tuple[str, ...]:
    """The pieces of the first `length` characters; the last one is cut where it must be."""
    kept = []
    for piece in pieces:
        if length <= 0:
            break
        kept.append(piece[:length])
        length -= len(piece)
    return tuple(kept)


def _cut(answer: Answer, max_tokens: int) -> Answer:
    size = len(answer.reasoning) + len(answer.pieces)
    if answer.tool_calls:
        size += sum(len(call.pieces) for call in answer.tool_calls)
    if size + 1 <= max_tokens:
        return answer
    reasoning = answer.reasoning[:max_tokens]
    left = max_tokens - len(reasoning)
    pieces = answer.pieces[:left]
    left -= len(pieces)
    calls = []
    for call in answer.tool_calls:
        if left <= 0:
            break
        calls.append(replace(call, pieces=call.pieces[:left]))
        left -= len(calls[-1].pieces)
    return _recounted(answer, reasoning, pieces, tuple(calls), max_tokens, "length")


def _recounted(
    answer: Answer,
    reasoning: tuple[str, ...],
    pieces: tuple[str, ...],
    calls: tuple[ToolCall, ...],
    completion_tokens: int,
    finish_reason: str,
) -> Answer:
    counted = answer.usage
    usage = Usage(counted.prompt_tokens, completion_tokens, min(counted.reasoning_tokens, len(reasoning)))
    return Answer(  # `replace` takes five times as long
        pieces, usage, finish_reason, reasoning, calls, answer.blocked, answer.id, answer.created, answer.delay_ms,
        answer.source, answer.at_ms, answer.detail, answer.stale,
    )  # fmt: skip

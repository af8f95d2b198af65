"""The last step of stage `shape`: further keys with a constant, wherever a chunk or a body lacks them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final

from mockserver.core.immutable import immutable

Json = dict[str, Any]
_Fills = dict[str, tuple[tuple[str, Any], ...]]

PLACES: Final = ("chunk", "body", "choice", "body-choice", "delta", "message", "usage")
"""Where a key may stand: `choice` and `delta` in a stream, `body-choice` and `message` in a body, `usage` in both."""
OWN: Final = {
    "chunk": ("id", "object", "created", "model", "choices", "usage", "blocked", "error"),
    "body": ("id", "object", "created", "model", "choices", "usage", "blocked", "error"),
    "choice": ("index", "delta", "message", "finish_reason", "logprobs", "usage", "reasoning_content", "reasoning"),
    "body-choice": ("index", "delta", "message", "finish_reason", "logprobs", "reasoning_content", "reasoning"),
    "delta": ("role", "content"),
    "message": ("role", "content"),
    "usage": ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"),
}
"""Keys of each place that other settings decide, so that no two of them set one key."""


@immutable(frozen=True, slots=True)
class KeySettings:
    """Further keys.

    Attributes:
        extra: `PLACE.NAME` and its value as JSON text, in the order in which they are written.
    """

    extra: tuple[tuple[str, str], ...] = ()


def fill_chunks(chunks: list[Json], settings: KeySettings) -> None:
    """Write the keys into chunks of a stream, in place; what a place has already stays."""
    fills = _fills(settings.extra)
    for chunk in chunks:
        for choice in chunk["choices"]:
            _fill(choice["delta"], fills, "delta")
            _fill(choice, fills, "choice")
        _fill(chunk.get("usage"), fills, "usage")
        _fill(chunk, fills, "chunk")


def fill_body(body: Json, settings: KeySettings) -> None:
    """Write the keys into the body of an answer that is not streamed, in place."""
    fills = _fills(settings.extra)
    for choice in body["choices"]:
        _fill(choice["message"], fills, "message")
        _fill(choice, fills, "body-choice")
    _fill(body.get("usage"), fills, "usage")
    _fill(body, fills, "body")


def _fill(one: Json | None, fills: _Fills, place: str) -> None:
    if one is not None:
        for key, value in fills.get(place, ()):
            one.setdefault(key, value)


@lru_cache(maxsize=256)
def _fills(extra: tuple[tuple[str, str], ...]) -> _Fills:
    """The keys by their place."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for where, text in extra:
        place, _, key = where.partition(".")
        found.setdefault(place, []).append((key, json.loads(text)))
    return {place: tuple(listed) for place, listed in found.items()}

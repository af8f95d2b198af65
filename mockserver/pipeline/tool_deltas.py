"""Calls of functions as they are written: the deltas of a stream, and the list of a message.

The standard is OpenAI's form: the first delta of a call has its index, id, type and name with empty arguments, each
later one its index and a piece of the arguments. Everything else is a setting.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.core.exchange import ToolCall

Json = dict[str, Any]
Unsaid = Literal["absent", "null", "empty", "repeated"]


@immutable(frozen=True, slots=True)
class ToolSettings:
    """How calls of functions are written; each value is explained by its quirk."""

    opening: Literal["empty", "absent", "null", "piece", "whole"] = "empty"
    later_id: Unsaid = "absent"
    later_type: Unsaid = "absent"
    later_name: Unsaid = "absent"
    name: Literal["whole", "pieces"] = "whole"
    index: Literal["from-0", "from-1", "always-0", "absent"] = "from-0"
    order: Literal["one-by-one", "interleaved", "together"] = "one-by-one"
    arguments: Literal["text", "object"] = "text"
    no_arguments: Literal["braces", "empty"] = "braces"


def deltas(calls: Sequence[ToolCall], settings: ToolSettings, *, whole: bool) -> Iterator[Json]:
    """The deltas of all calls, in order.

    Args:
        calls: The calls.
        settings: This stage's settings.
        whole: Whether each call comes in one delta, whatever the settings say.
    """
    parts = [list(_parts(number, call, settings, whole=whole)) for number, call in enumerate(calls)]
    if settings.order == "one-by-one":
        yield from ({"tool_calls": [part]} for each in parts for part in each)
        return
    for step in zip_longest(*parts):
        present = [part for part in step if part is not None]
        if settings.order == "together":
            yield {"tool_calls": present}
        else:
            yield from ({"tool_calls": [part]} for part in present)


def in_message(calls: Sequence[ToolCall], settings: ToolSettings) -> list[Json]:
    """The calls of an answer that is not streamed."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call, settings)}}
        for call in calls
    ]


def _parts(number: int, call: ToolCall, settings: ToolSettings, *, whole: bool) -> Iterator[Json]:
    index = {"absent": {}, "always-0": {"index": 0}, "from-1": {"index": number + 1}}
    place: Json = index.get(settings.index, {"index": number})
    opening: Json = {**place, "id": call.id, "type": "function"}
    arguments = _arguments(call, settings)
    if whole or settings.opening == "whole" or not isinstance(arguments, str):
        yield {**opening, "function": {"name": call.name, "arguments": arguments}}
        return

    pieces = list(call.pieces) if arguments else []
    name, rest = halves(call.name) if settings.name == "pieces" else (call.name, "")
    first: Json = {"name": name}
    if settings.opening == "piece" and not rest:
        first["arguments"] = pieces.pop(0) if pieces else ""
    elif settings.opening != "absent":
        first["arguments"] = None if settings.opening == "null" else ""
    yield {**opening, "function": first}

    later: Json = {
        **place,
        **_later("id", settings.later_id, call.id),
        **_later("type", settings.later_type, "function"),
    }
    if rest:
        yield {**later, "function": {"name": rest, "arguments": ""}}
    for piece in pieces:
        yield {**later, "function": {**_later("name", settings.later_name, call.name), "arguments": piece}}


def halves(name: str) -> tuple[str, str]:
    """A name in two pieces that differ, so that a piece is never taken for the name said again."""
    at = (len(name) + 1) // 2
    if name[:at] == name[at:]:
        at = 1
    return (name[:at], name[at:]) if name[:at] != name[at:] else (name, "")


def _later(key: str, setting: Unsaid, value: str) -> Json:
    """What a later delta has of a key that the first one has said."""
    return {} if setting == "absent" else {key: {"null": None, "empty": "", "repeated": value}[setting]}


def _arguments(call: ToolCall, settings: ToolSettings) -> object:
    """The arguments: the text, the object, or nothing where there are none."""
    text = call.arguments
    if settings.arguments == "text" and settings.no_arguments == "braces":
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if value == {} and settings.no_arguments == "empty":
        return ""
    return value if isinstance(value, dict) and settings.arguments == "object" else text

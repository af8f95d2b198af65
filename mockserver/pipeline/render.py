"""The stages `chunk`, `shape` and `frame` one after the other: an answer in its wire form, as pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.pipeline.chunk import chunks, completion
from mockserver.pipeline.frame import body, frames
from mockserver.pipeline.head import identify
from mockserver.pipeline.keys import write_keys
from mockserver.pipeline.shape import shape
from mockserver.pipeline.tool_deltas import deltas, in_message

if TYPE_CHECKING:
    from mockserver.core.exchange import Answer, Head
    from mockserver.pipeline.frame import Json
    from mockserver.pipeline.wire_settings import WireSettings


def render_stream(answer: Answer, head: Head, wire: WireSettings, *, include_usage: bool) -> list[bytes]:
    """The frames of a streamed answer."""
    return frames(stream_objects(answer, head, wire, include_usage=include_usage), wire.frame)


def stream_objects(answer: Answer, head: Head, wire: WireSettings, *, include_usage: bool) -> list[Json]:
    """The chunks of a streamed answer, before they become bytes."""
    calls = list(deltas(answer.tool_calls, wire.tools, whole=wire.chunk.one_chunk)) if answer.tool_calls else []
    objects = shape(chunks(answer, head, wire.chunk, calls), wire.shape, include_usage=include_usage)
    identify(objects, wire.head)
    write_keys(objects, wire.keys, streamed=True)
    return objects


def render_body(answer: Answer, head: Head, wire: WireSettings) -> bytes:
    """The body of an answer that is not streamed."""
    return body(body_object(answer, head, wire), wire.frame)


def body_object(answer: Answer, head: Head, wire: WireSettings) -> Json:
    """The object of an answer that is not streamed, before it becomes bytes."""
    made = completion(answer, head, wire.chunk, in_message(answer.tool_calls, wire.tools))
    if wire.head.created_type != "integer":
        identify([made], wire.head)
    write_keys([made], wire.keys, streamed=False)
    return made

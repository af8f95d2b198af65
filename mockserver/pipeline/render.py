"""The stages `chunk`, `shape` and `frame` one after the other: an answer in its wire form, as pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.pipeline.chunk import chunks, completion
from mockserver.pipeline.frame import body, frames
from mockserver.pipeline.shape import shape

if TYPE_CHECKING:
    from mockserver.core.exchange import Answer, Head
    from mockserver.pipeline.wire_settings import WireSettings


def render_stream(answer: Answer, head: Head, wire: WireSettings, *, include_usage: bool) -> list[bytes]:
    """The frames of a streamed answer."""
    objects = shape(chunks(answer, head, wire.chunk), wire.shape, include_usage=include_usage)
    return frames(objects, wire.frame)


def render_body(answer: Answer, head: Head, wire: WireSettings) -> bytes:
    """The body of an answer that is not streamed."""
    return body(completion(answer, head, wire.chunk), wire.frame)

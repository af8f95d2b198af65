"""The stages `chunk`, `shape` and `frame` compiled into byte templates: the cost of a chunk is the escaping of its text.

A template is made by running the pure stages once on an answer whose values are marks that occur nowhere else, and
cutting the bytes at the marks. So there is one description of every wire form, the pure one; a property test holds
both equal. What has no regular middle (reasoning, tool calls, usage in every chunk, comments …) takes the pure way.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mockserver.exchange import Answer, Head, Usage
from mockserver.pipeline.chunk import chunks, completion
from mockserver.pipeline.frame import body, frames
from mockserver.pipeline.shape import shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.quirks import WireSettings

_TEXTS: Final = ("\ue001first\ue001", "\ue001middle\ue001", "\ue001last\ue001")
_HEAD: Final = Head("\ue001id\ue001", 7_310_000_000_003, "\ue001model\ue001")
_USAGE: Final = Usage(5_310_000_000_007, 1_290_000_000_011)
_Key = tuple[str, bool, bool]


def render_stream(answer: Answer, head: Head, wire: WireSettings, *, include_usage: bool) -> list[bytes]:
    """The frames of a streamed answer, by the pure stages."""
    objects = shape(chunks(answer, head, wire.chunk), wire.shape, include_usage=include_usage)
    return frames(objects, wire.frame)


def render_body(answer: Answer, head: Head, wire: WireSettings) -> bytes:
    """The body of an answer that is not streamed, by the pure stages."""
    return body(completion(answer, head, wire.chunk), wire.frame)


class Compiled:
    """The wire form of one set of settings, with its templates as they come to be needed.

    Attributes:
        wire: The settings.
    """

    def __init__(self, wire: WireSettings) -> None:
        self.wire = wire
        self._escape = escape_ascii if wire.frame.escapes == "ascii" else escape
        self._streams: dict[_Key, _StreamTemplate] = {}
        self._bodies: dict[_Key, bytes] = {}
        self._regular = not (
            wire.chunk.empty_deltas
            or wire.chunk.one_chunk
            or wire.frame.comments
            or wire.shape.usage in {"every", "first"}
            or wire.shape.role != "first"
        )

    def stream(self, answer: Answer, head: Head, *, include_usage: bool) -> list[bytes]:
        """The frames of a streamed answer; equal to `render_stream`."""
        if not self._regular or len(answer.pieces) < 3 or answer.reasoning or answer.tool_calls:
            return render_stream(answer, head, self.wire, include_usage=include_usage)
        key = (answer.finish_reason, answer.blocked, include_usage)
        template = self._streams.get(key)
        if template is None:
            template = self._streams[key] = _StreamTemplate(self.wire, *key)
        return template.fill(self._values(answer, head), answer.pieces, self._escape)

    def body(self, answer: Answer, head: Head) -> bytes:
        """The body of an answer that is not streamed; equal to `render_body`."""
        if answer.reasoning or answer.tool_calls or self.wire.frame.body_escapes != "same":
            return render_body(answer, head, self.wire)
        key = (answer.finish_reason, answer.blocked, False)
        template = self._bodies.get(key)
        if template is None:
            template = self._bodies[key] = _marked(render_body(_sample(_TEXTS[1:2], *key), _HEAD, self.wire), self.wire)
        values = self._values(answer, head)
        values[b"middle"] = self._escape(answer.text)
        return template % values

    def _values(self, answer: Answer, head: Head) -> dict[bytes, bytes]:
        usage = answer.usage
        return {
            b"id": self._escape(head.id),
            b"model": self._escape(head.model),
            b"created": b"%d" % head.created,
            b"prompt": b"%d" % usage.prompt_tokens,
            b"completion": b"%d" % usage.completion_tokens,
            b"total": b"%d" % (usage.prompt_tokens + usage.completion_tokens),
        }


class _StreamTemplate:
    """The frames before, of, and after the middle pieces."""

    def __init__(self, wire: WireSettings, finish_reason: str, blocked: bool, include_usage: bool) -> None:  # noqa: FBT001
        sample = _sample(_TEXTS, finish_reason, blocked, include_usage)
        marked = [_marked(f, wire) for f in render_stream(sample, _HEAD, wire, include_usage=include_usage)]
        middle = next(number for number, frame in enumerate(marked) if b"%(middle)b" in frame)
        self._before = marked[:middle]
        self._opening, self._closing = marked[middle].split(b"%(middle)b")
        self._after = marked[middle + 1 :]

    def fill(self, values: dict[bytes, bytes], pieces: tuple[str, ...], escaped: Callable[[str], bytes]) -> list[bytes]:
        values[b"first"] = escaped(pieces[0])
        values[b"last"] = escaped(pieces[-1])
        opening = self._opening % values
        closing = self._closing % values
        made = [frame % values for frame in self._before]
        made += [opening + escaped(piece) + closing for piece in pieces[1:-1]]
        made += [frame % values for frame in self._after]
        return made


@lru_cache(maxsize=16_384)
def escape(text: str) -> bytes:
    """Text as it stands inside a JSON string, without the quotes."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


@lru_cache(maxsize=16_384)
def escape_ascii(text: str) -> bytes:
    """The same in ASCII alone."""
    return json.dumps(text)[1:-1].encode()


def _sample(texts: tuple[str, ...], finish_reason: str, blocked: bool, _include_usage: bool) -> Answer:  # noqa: FBT001
    return Answer(texts, _USAGE, finish_reason, blocked=blocked)


def _marked(data: bytes, wire: WireSettings) -> bytes:
    """Bytes with marks as a template for the operator %."""
    data = data.replace(b"%", b"%%")
    escaped = escape_ascii if wire.frame.escapes == "ascii" else escape
    for text, name in (
        *zip(_TEXTS, (b"first", b"middle", b"last"), strict=True),
        (_HEAD.id, b"id"),
        (_HEAD.model, b"model"),
    ):
        data = data.replace(escaped(text), b"%%(%b)b" % name)
    for number, name in (
        (_HEAD.created, b"created"),
        (_USAGE.prompt_tokens, b"prompt"),
        (_USAGE.completion_tokens, b"completion"),
        (_USAGE.prompt_tokens + _USAGE.completion_tokens, b"total"),
    ):
        data = data.replace(b"%d" % number, b"%%(%b)b" % name)
    return data

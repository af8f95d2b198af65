"""The stages `chunk`, `shape` and `frame` compiled into byte templates: a chunk costs the escaping of its text.

A template is made by running the pure stages once on an answer whose values are marks that occur nowhere else, and
cutting the bytes at the marks. So there is one description of every wire form, the pure one; a property test holds
both equal. What has no regular middle (reasoning, tool calls, usage in every chunk, comments …) takes the pure way.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii
from sys import getsizeof
from typing import TYPE_CHECKING, Final, overload

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Answer, Head, Usage
from mockserver.core.headers import LENGTH, ReadyHeaders, plain_lines
from mockserver.core.heartbeats import BEATS
from mockserver.pipeline.frame import content_type
from mockserver.pipeline.render import render_body, render_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mockserver.core.exchange import ChatRequest, Headers
    from mockserver.pipeline.edition_rules import EditionRules
    from mockserver.pipeline.wire_settings import WireSettings

_TEXTS: Final = ("\ue001first\ue001", "\ue001middle\ue001", "\ue001last\ue001")
_HEAD: Final = Head("\ue001id\ue001", 7_310_000_000_003, "\ue001model\ue001")
_USAGE: Final = Usage(5_310_000_000_007, 1_290_000_000_011)
_Key = tuple[str, bool, bool]
_MOST_FORMS = 256
_USUAL_ENDS = frozenset({"stop", "length", "tool_calls"})


class WireForms:
    """The wire form of each chip, and what requests make of it by `X-Mock-Quirks`, as they come to be needed."""

    def __init__(self, rules: EditionRules) -> None:
        self._rules = rules
        self._made: dict[tuple[str, bytes], WireTemplates] = {}

    def of(self, chip: str, changes: bytes) -> WireTemplates:
        """The wire form of a chip after a request's own changes; raises Refusal for a quirk that is not there."""
        found = self._made.get((chip, changes))
        if found is None:
            try:
                settings = self._rules.changed(self._rules.wires[chip], changes.decode("latin-1"))
            except ValueError as error:
                raise Refusal("unknown-quirk", f"X-Mock-Quirks: {error}", param="X-Mock-Quirks") from None
            if len(self._made) >= _MOST_FORMS:
                self._made.clear()
            found = self._made[chip, changes] = WireTemplates(settings, self._rules.body_type)
        return found


class WireTemplates:
    """The wire form of one set of settings, with its templates as they come to be needed.

    Attributes:
        settings: The settings.
        body_type: Content-Type of an answer that is not streamed.
        beat: What fills a silence; None for nothing.
    """

    def __init__(self, settings: WireSettings, body_type: bytes = b"application/json") -> None:
        self.settings = settings
        self.body_type = body_type
        self.beat = BEATS.get(settings.frame.heartbeat)
        frame, kind = settings.frame, content_type(settings.frame)
        self._opening: Headers = (*(((b"content-type", kind),) if kind else ()), (b"cache-control", b"no-cache"))
        self._stream_lines = plain_lines(self._opening)
        self._body_opening = (b"content-type", body_type)
        self._body_lines = plain_lines((self._body_opening,))
        self._escape = escape_ascii if frame.escapes == "ascii" else escape
        self._streams: dict[_Key, _StreamTemplate] = {}
        self._bodies: dict[_Key, bytes] = {}
        self._regular = not (
            settings.chunk.empty_deltas
            or settings.chunk.one_chunk
            or frame.comments
            or settings.shape.usage in {"every", "first"}
            or settings.shape.role != "first"
            or settings.shape.message
            or settings.shape.choice_index == "counts-up"
            or settings.head.chunk_id == "own"
            or settings.head.chunk_created != "same"
        )

    def write(self, answer: Answer, head: Head, request: ChatRequest) -> tuple[Headers, Sequence[bytes]]:
        """An answer as the request wants it: its headers and its frames."""
        own, lines = head.headers, head.lines
        if not request.stream:
            data = self.body(answer, head)
            headers: Headers = (self._body_opening, (LENGTH, b"%d" % len(data)), *own)
            if lines is not None and self._body_lines is not None:
                lines = b"%bcontent-length: %d\r\n%b" % (self._body_lines, len(data), lines)
                headers = ReadyHeaders.of(headers, lines, len(data))
            return headers, (data,)
        frames = self.stream(answer, head, include_usage=request.include_usage)
        if self.settings.frame.delivery == "buffered":
            whole = b"".join(frames)
            return (*self._opening, (LENGTH, b"%d" % len(whole)), *own), [whole]
        headers = (*self._opening, *own)
        if lines is not None and self._stream_lines is not None:
            headers = ReadyHeaders.of(headers, self._stream_lines + lines, None)
        return headers, frames

    def steps(self, answer: Answer, request: ChatRequest, frames: Sequence[bytes], head: Head) -> int:
        """How many steps it takes an answer to come about.

        A whole body takes a step for each piece that stands in it, a stream one for each frame, also where it leaves
        in one.
        """
        if not request.stream:
            return max(len(answer.reasoning) + len(answer.pieces), 1)
        if self.settings.frame.delivery == "buffered":
            return len(self.stream(answer, head, include_usage=request.include_usage))
        return len(frames)

    def stream(self, answer: Answer, head: Head, *, include_usage: bool) -> Sequence[bytes]:
        """The frames of a streamed answer; equal to `render_stream`."""
        if not self._regular or len(answer.pieces) < 3 or _is_irregular(answer):
            return render_stream(answer, head, self.settings, include_usage=include_usage)
        key = (answer.finish_reason, answer.blocked, include_usage)
        template = self._streams.get(key)
        if template is None:
            template = self._streams[key] = _StreamTemplate(self.settings, *key)
        short = max(map(len, answer.pieces)) <= _REMEMBERED_CHARACTERS
        escaped = _REMEMBERED[self._escape] if short else self._escape
        return template.fill(self._values(answer, head), answer.pieces, escaped)

    def body(self, answer: Answer, head: Head) -> bytes:
        """The body of an answer that is not streamed; equal to `render_body`."""
        if _is_irregular(answer) or self.settings.frame.body_escapes != "same":
            return render_body(answer, head, self.settings)
        key = (answer.finish_reason, answer.blocked, False)
        template = self._bodies.get(key)
        if template is None:
            template = self._bodies[key] = _marked(
                render_body(_sample(_TEXTS[1:2], *key), _HEAD, self.settings), self.settings
            )
        values = self._values(answer, head)
        values[b"middle"] = self._escape("".join(answer.pieces))
        return template % values

    def _values(self, answer: Answer, head: Head) -> dict[bytes, bytes | int]:
        usage = answer.usage
        return {
            b"id": self._escape(head.id),
            b"model": _REMEMBERED[self._escape](head.model),
            b"created": head.created,
            b"prompt": usage.prompt_tokens,
            b"completion": usage.completion_tokens,
            b"total": usage.prompt_tokens + usage.completion_tokens,
        }


def _is_irregular(answer: Answer) -> bool:
    """Whether the answer has what the templates have no place for."""
    if answer.finish_reason not in _USUAL_ENDS:  # any text, which a mark could stand in, and of which there are many
        return True
    return bool(answer.reasoning or answer.tool_calls or answer.usage.reasoning_tokens)


class _StreamTemplate:
    """The frames before, of, and after the middle pieces."""

    def __init__(self, wire: WireSettings, finish_reason: str, blocked: bool, include_usage: bool) -> None:  # noqa: FBT001
        sample = _sample(_TEXTS, finish_reason, blocked, include_usage)
        marked = [_marked(f, wire) for f in render_stream(sample, _HEAD, wire, include_usage=include_usage)]
        middle = next(number for number, frame in enumerate(marked) if b"%(middle)b" in frame)
        self._before = marked[:middle]
        self._opening, self._closing = marked[middle].split(b"%(middle)b")
        self._after = marked[middle + 1 :]

    def fill(
        self, values: dict[bytes, bytes | int], pieces: tuple[str, ...], escaped: Callable[[str], bytes]
    ) -> Frames:
        values[b"first"] = escaped(pieces[0])
        values[b"last"] = escaped(pieces[-1])
        return Frames(
            [frame % values for frame in self._before],
            self._opening % values,
            pieces,
            escaped,
            self._closing % values,
            [frame % values for frame in self._after],
        )


class Frames(Sequence[bytes]):
    """The frames of a stream, made when they are asked for: a client that does not read holds no bytes here.

    Args:
        before: The frames up to that of the first piece.
        opening: What stands before the text of a middle frame.
        pieces: All pieces of the answer; the first and the last have their frames in `before` and `after`.
        escaped: Makes a piece's text in JSON.
        closing: What stands behind it.
        after: The frames from that of the last piece on.
    """

    __slots__ = ("_after", "_before", "_closing", "_count", "_escaped", "_last", "_opening", "_pieces", "_shift")

    def __init__(
        self,
        before: list[bytes],
        opening: bytes,
        pieces: tuple[str, ...],
        escaped: Callable[[str], bytes],
        closing: bytes,
        after: list[bytes],
    ) -> None:
        self._before = before
        self._opening = opening
        self._pieces = pieces
        self._escaped = escaped
        self._closing = closing
        self._after = after
        self._count = len(before) + len(pieces) - 2 + len(after)
        self._last = len(pieces) - 1
        self._shift = 1 - len(before)  # from the number of a middle frame to that of its piece

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if type(index) is int and 0 < (at := index + self._shift) < self._last:
            return self._opening + self._escaped(self._pieces[at]) + self._closing  # nearly always: one after the other
        if isinstance(index, slice):
            start, stop, step = index.indices(self._count)
            if step != 1:
                return [self[number] for number in range(start, stop, step)]
            return self._slice(start, max(start, stop))
        number = range(self._count)[index]
        return self._slice(number, number + 1)[0]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._slice(0, self._count))

    @property
    def held_bytes(self) -> int:
        """Bytes kept while the plan is: the texts, not the frames."""
        texts = getsizeof("".join(self._pieces))  # as many bytes a character as its widest one takes
        return texts + sum(map(len, self._before)) + sum(map(len, self._after))

    def _slice(self, start: int, stop: int) -> list[bytes]:
        """Frames by their numbers; `start` <= `stop`, both within the stream."""
        first = len(self._before)
        last = first + len(self._pieces) - 2
        made = self._before[start:stop]
        if stop > first and start < last:
            opening, escaped, closing = self._opening, self._escaped, self._closing
            middle = self._pieces[max(start - first, 0) + 1 : min(stop, last) - first + 1]
            made = made + [opening + escaped(piece) + closing for piece in middle]
        if stop > last:
            made = made + self._after[max(start - last, 0) : stop - last]
        return made


def held_bytes(frames: Sequence[bytes]) -> int:
    """Bytes that a plan's frames keep in memory."""
    return frames.held_bytes if type(frames) is Frames else sum(map(len, frames))


def escape(text: str) -> bytes:
    """Text as it stands inside a JSON string, without the quotes."""
    return encode_basestring(text)[1:-1].encode()


def escape_ascii(text: str) -> bytes:
    """The same in ASCII alone."""
    return encode_basestring_ascii(text)[1:-1].encode()


_REMEMBERED: Final = {one: lru_cache(maxsize=16_384)(one) for one in (escape, escape_ascii)}
_REMEMBERED_CHARACTERS: Final = 64  # as long as tokens, which come back; longer ones cost memory


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
        data = data.replace(b"%d" % number, b"%%(%b)d" % name)
    return data

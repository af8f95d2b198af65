"""Stage `frame`: objects become bytes, and the way back.

Each wire format has its writer and its reader side by side and one row in `WIRE_FORMATS`. Writers return one piece of
bytes for each object (or mark), in order. Readers take bytes cut anywhere, also inside a character, and give the
objects back; they follow the WHATWG rules for event streams and split JSON lines at LF only, since a JSON text may
hold U+2028 and U+0085 as they are.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from mockserver.core import strict_json
from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Json = dict[str, Any]
BOM: Final = b"\xef\xbb\xbf"
NEWLINES: Final = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}
SEPARATORS: Final = {"spaced": (", ", ": "), "compact": (",", ":")}
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
COMMENT_EVERY: Final = 4  # frames between two keep-alive comments


class Done:
    """The mark `[DONE]` read from a stream."""

    def __repr__(self) -> str:
        return "DONE"


DONE: Final = Done()


@immutable(frozen=True, slots=True)
class FrameSettings:
    """How objects are written; each value is explained by its quirk."""

    framing: Literal["sse", "json-lines"] = "sse"
    done: bool = True
    blocked_done: bool = True
    data_space: bool = True
    newline: Literal["lf", "crlf", "cr"] = "lf"
    lines_apart: Literal["one", "two"] = "one"
    last_newline: bool = True
    bom: bool = False
    comments: bool = False
    event_field: bool = False
    content_type: str = "fitting"
    delivery: Literal["streamed", "buffered"] = "streamed"
    json: Literal["spaced", "compact"] = "spaced"
    body_json: Literal["same", "flush-lines", "compact", "spaced"] = "same"
    escapes: Literal["utf-8", "ascii"] = "utf-8"
    body_escapes: Literal["same", "utf-8", "ascii"] = "same"
    body_newline: bool = False
    heartbeat: Literal["none", "700ms", "15s"] = "none"


CONTENT_TYPES: Final = {
    "event-stream": b"text/event-stream",
    "event-stream-utf8": b"text/event-stream; charset=utf-8",
    "json": b"application/json",
    "ndjson": b"application/x-ndjson",
    "text": b"text/plain; charset=utf-8",
    "octet-stream": b"application/octet-stream",
    "none": b"",
}


class Reader(Protocol):
    """Reads a body that arrives in pieces."""

    def feed(self, data: bytes) -> list[Json | Done]:
        """What `data` completes."""

    def close(self) -> list[Json | Done]:
        """What the end of the body completes; raises ValueError where it cuts an object in two."""


@immutable(frozen=True, slots=True)
class WireFormat:
    """A row: the content type that fits, the writer and the reader."""

    content_type: bytes
    write: Callable[[Sequence[Json], FrameSettings], list[bytes]]
    reader: Callable[[], Reader]


def dump(value: object, settings: FrameSettings) -> str:
    """JSON text in the chip's spacing and escapes; Chinese as it is unless the quirk `ascii-escapes` says otherwise."""
    return json.dumps(
        value, ensure_ascii=settings.escapes == "ascii", separators=SEPARATORS[settings.json], allow_nan=False
    )


def frames(objects: Sequence[Json], settings: FrameSettings) -> list[bytes]:
    """The frames of a stream: one for each object, then the done marker where the chip sends one."""
    written = WIRE_FORMATS[settings.framing].write(objects, settings)
    if settings.bom and written:
        written[0] = BOM + written[0]
    return written


def body(completion: Json, settings: FrameSettings) -> bytes:
    """The one JSON body of an answer that is not streamed."""
    if settings.body_escapes != "same":
        settings = replace(settings, escapes=settings.body_escapes)
    if settings.body_json in ("compact", "spaced"):
        settings = replace(settings, json=settings.body_json)
    end = b"\n" if settings.body_newline else b""
    if settings.body_json == "flush-lines":
        return json.dumps(completion, ensure_ascii=settings.escapes == "ascii", indent=0).encode() + end
    return dump(completion, settings).encode() + end


def content_type(settings: FrameSettings) -> bytes:
    """The stream's content type; empty for none."""
    if settings.content_type == "fitting":
        return WIRE_FORMATS[settings.framing].content_type
    named = CONTENT_TYPES.get(settings.content_type)
    return settings.content_type.encode("latin-1") if named is None else named


# --- server-sent events -------------------------------------------------------------------------------------------


def write_sse(objects: Sequence[Json], settings: FrameSettings) -> list[bytes]:
    """Data-only server-sent events."""
    newline = NEWLINES[settings.newline]
    opening = b"event: message" + newline if settings.event_field else b""
    opening += b"data: " if settings.data_space else b"data:"
    closing = newline + newline
    written = []
    for number, one in enumerate(objects):
        frame = opening + dump(one, settings).encode() + closing
        if settings.comments and number % COMMENT_EVERY == 0:
            frame = b": keep-alive" + closing + frame
        written.append(frame)
    if sends_done(objects, settings):
        written.append(opening + b"[DONE]" + closing)
    return written


def sends_done(objects: Sequence[Json], settings: FrameSettings) -> bool:
    """Whether the done marker follows these chunks; after a blocked answer it is a setting of its own."""
    blocked = any("blocked" in one for one in objects[-2:])  # a chunk of usage may follow the one that is marked
    return settings.done and (settings.blocked_done or not blocked)


class SseReader:
    """Reads events by the WHATWG rules: LF, CRLF or CR end a line, one BOM is skipped, comments are ignored."""

    def __init__(self) -> None:
        self._pending = b""
        self._data: list[bytes] = []
        self._begun = False

    def feed(self, data: bytes) -> list[Json | Done]:
        """What `data` completes; raises ValueError for an event that is not JSON."""
        self._pending += data
        if not self._begun:
            if BOM.startswith(self._pending[:3]) and len(self._pending) < len(BOM):
                return []
            self._pending = self._pending.removeprefix(BOM)
            self._begun = True
        found = []
        start = 0
        for mark in _LINE_END.finditer(self._pending):
            line = self._pending[start : mark.start()]
            if line and mark[0] == b"\r" and mark.end() == len(self._pending):
                break  # an LF may follow
            start = mark.end()
            found += self._take(line)
        self._pending = self._pending[start:]
        return found

    def close(self) -> list[Json | Done]:
        """Nothing: by the rules an event without its blank line is dropped. Raises ValueError where one was begun."""
        if self._pending.strip() == b"" and not self._data:
            return []
        found = self._take(self._pending.rstrip(b"\r")) if self._pending.endswith(b"\r") else []
        if self._data or (self._pending.strip() and not self._pending.startswith(b":")):
            raise ValueError(f"the stream ends inside an event: {(self._data or [self._pending])[-1][:80]!r}")
        return found

    def _take(self, line: bytes) -> list[Json | Done]:
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
            return []
        if not self._data:
            return []
        text = b"\n".join(self._data)
        self._data = []
        if not text:
            return []  # WHATWG HTML, 9.2.6: an event whose data is empty is passed over
        return [DONE if text.strip() == b"[DONE]" else _object(text)]


# --- bare JSON lines ----------------------------------------------------------------------------------------------


def write_json_lines(objects: Sequence[Json], settings: FrameSettings) -> list[bytes]:
    """One JSON object a line, without `data:` and without a done marker (tutorial, chip3 to chip5)."""
    newline = NEWLINES["crlf" if settings.newline == "crlf" else "lf"]
    closing = newline * 2 if settings.lines_apart == "two" else newline
    written = [dump(one, settings).encode() + closing for one in objects]
    if written and not settings.last_newline:
        written[-1] = written[-1].removesuffix(closing)
    return written


class JsonLinesReader:
    """Reads bare JSON lines; blank lines are skipped, the last line may lack its newline."""

    def __init__(self) -> None:
        self._pending = b""
        self._begun = False

    def feed(self, data: bytes) -> list[Json | Done]:
        """What `data` completes; raises ValueError for a line that is not JSON."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        return self._objects(lines)

    def close(self) -> list[Json | Done]:
        """The last line where it had no newline."""
        rest, self._pending = self._pending, b""
        return self._objects([rest])

    def _objects(self, lines: Iterable[bytes]) -> list[Json | Done]:
        found: list[Json | Done] = []
        for line in lines:
            text = line if self._begun else line.removeprefix(BOM)
            self._begun = True
            if text.strip():
                found.append(_object(text))
        return found


# --- one JSON body ------------------------------------------------------------------------------------------------


def write_json(objects: Sequence[Json], settings: FrameSettings) -> list[bytes]:
    """Each object as one whole body."""
    return [body(one, settings) for one in objects]


class JsonReader:
    """Reads one JSON body when it is whole."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[Json | Done]:
        """Nothing yet."""
        self._pending += data
        return []

    def close(self) -> list[Json | Done]:
        """The body; raises ValueError where it is not JSON."""
        return [_object(self._pending)]


def _object(text: bytes) -> Json:
    value = strict_json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was due, got {text[:80]!r}")  # noqa: TRY004 - one error for bad input
    return value


WIRE_FORMATS: Final[dict[str, WireFormat]] = {
    "sse": WireFormat(CONTENT_TYPES["event-stream-utf8"], write_sse, SseReader),
    "json-lines": WireFormat(CONTENT_TYPES["json"], write_json_lines, JsonLinesReader),
    "json": WireFormat(CONTENT_TYPES["json"], write_json, JsonReader),
}

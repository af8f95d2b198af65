"""Ways to write a stream that no chip is known for: what the standards allow, and what servers elsewhere do.

They are applied to what the pipeline wrote, have names like quirks, and are the fuzzer's alone: no profile names them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mockserver.pipeline import frame
from mockserver.pipeline.frame import BOM, NEWLINES, SEPARATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mockserver.pipeline.frame import FrameSettings, Json

NEVER_ENDS: Final = "never-ends"
HALVES: Final = "half-characters"


def _as_they_are(objects: list[Json]) -> list[Json]:
    return objects


def _as_it_is(lines: list[bytes], _number: int, _settings: FrameSettings) -> list[bytes]:
    return lines


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a stream.

    Attributes:
        says: One sentence, present tense, that stands on its own.
        chunks: What becomes of the chunks; they may be changed.
        lines: What becomes of the lines of a frame, whose number is given; the blank one at its end is not among them.
        events: Whether it is for event streams alone.
    """

    says: str
    chunks: Callable[[list[Json]], list[Json]] = _as_they_are
    lines: Callable[[list[bytes], int, FrameSettings], list[bytes]] = _as_it_is
    events: bool = True


def frames(objects: list[Json], names: Iterable[str], settings: FrameSettings) -> list[bytes]:
    """The frames of a stream in the forms that are named, one after the other."""
    forms = [FORMS[name] for name in names]
    for form in forms:
        objects = form.chunks(objects)
    if HALVES in names:
        settings = replace(settings, escapes="ascii")  # UTF-8 cannot hold half a character
    written = frame.frames(objects, settings)
    for form in forms:
        if form.lines is not _as_it_is:
            written = [_rewritten(one, number, form, settings) for number, one in enumerate(written)]
    return written


def _rewritten(written: bytes, number: int, form: Form, settings: FrameSettings) -> bytes:
    newline = NEWLINES[settings.newline]
    mark = BOM if written.startswith(BOM) else b""
    lines = written.removeprefix(mark).split(newline)
    end = len(lines) - next((at for at, line in enumerate(reversed(lines)) if line), 0)
    return mark + newline.join([*form.lines(lines[:end], number, settings), *lines[end:]])


# --- lines of an event stream -------------------------------------------------------------------------------------


def _over_several_lines(lines: list[bytes], _number: int, settings: FrameSettings) -> list[bytes]:
    opening = b"data: " if settings.data_space else b"data:"

    def spread(line: bytes) -> list[bytes]:
        if not line.startswith(b"data:") or line.endswith(b"[DONE]"):
            return [line]
        comma, colon = SEPARATORS[settings.json]
        value = json.loads(line[5:])
        ascii_only = settings.escapes == "ascii"
        text = json.dumps(value, indent=1, ensure_ascii=ascii_only, separators=(comma.strip(), colon))
        return [opening + part.encode() for part in text.split("\n")]

    return [part for line in lines for part in spread(line)]


def _first(*more: bytes) -> Callable[[list[bytes], int, FrameSettings], list[bytes]]:
    """Lines before those of the first frame."""
    return lambda lines, number, _settings: [*more, *lines] if number == 0 else lines


def _before_data(lines: list[bytes], *more: bytes) -> list[bytes]:
    at = next((at for at, line in enumerate(lines) if line.startswith(b"data")), 0)
    return [*lines[:at], *more, *lines[at:]]


def _wide(lines: list[bytes], _number: int, settings: FrameSettings) -> list[bytes]:
    """White space that JSON allows around its value; one space after `data:` is the framing's."""
    opening = b"data: " if settings.data_space else b"data:"
    return [
        opening + b" \t" + line.removeprefix(opening) + b"  " if line.startswith(b"data:") and b"{" in line else line
        for line in lines
    ]


def _all_escaped(lines: list[bytes], _number: int, settings: FrameSettings) -> list[bytes]:
    r"""Each character of the content as \uXXXX, as JSON allows."""

    def escaped(line: bytes) -> bytes:
        opening = line[: line.find(b"{")] if b"{" in line else line
        try:
            value = json.loads(line.removeprefix(opening))
        except ValueError:
            return line
        comma, colon = SEPARATORS[settings.json]
        for choice in value["choices"]:
            for place in (choice.get("delta"), choice.get("message")):
                if place and isinstance(place.get("content"), str):
                    place["content"] = _Escaped(place["content"])
        text = json.dumps(_marked(value), ensure_ascii=settings.escapes == "ascii", separators=(comma, colon))
        for content in set(_escapes(value)):
            text = text.replace(f'"{_MARK}{content.hex()}"', f'"{content.as_escapes()}"')
        return opening + text.encode()

    return [escaped(line) for line in lines]


_MARK: Final = "to be escaped "


class _Escaped(str):
    """A text that is to be written with escapes alone."""

    __slots__ = ()

    def hex(self) -> str:
        return self.encode("utf-16-be", "surrogatepass").hex()

    def as_escapes(self) -> str:
        digits = self.hex()
        return "".join(f"\\u{digits[at : at + 4]}" for at in range(0, len(digits), 4))


def _marked(value: Any) -> Any:
    if isinstance(value, _Escaped):
        return _MARK + value.hex()
    if isinstance(value, dict):
        return {key: _marked(one) for key, one in value.items()}
    return [_marked(one) for one in value] if isinstance(value, list) else value


def _escapes(value: Any) -> Iterable[_Escaped]:
    if isinstance(value, _Escaped):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _escapes(one)


def _empty_data(lines: list[bytes], number: int, _settings: FrameSettings) -> list[bytes]:
    """An event whose data is empty before the first one; the standard dispatches none."""
    return [b"data:", b"", *lines] if number == 0 else lines


def _with_exponents(lines: list[bytes], _number: int, _settings: FrameSettings) -> list[bytes]:
    """Large numbers as some languages write them."""
    return [_CREATED.sub(rb"\g<1>\g<2>.\g<3>e9", line) for line in lines]


_CREATED: Final = re.compile(rb'("created": ?)(\d)(\d{9})(?!\d)')


# --- chunks -------------------------------------------------------------------------------------------------------

_DELTA: Final = ("role", "content", "reasoning_content", "refusal", "function_call", "tool_calls")


def _null_filled(objects: list[Json]) -> list[Json]:
    for choice in _choices(objects):
        choice["delta"] = dict.fromkeys(_DELTA) | choice["delta"]
        choice.setdefault("logprobs", None)
    return objects


def _choices(objects: Sequence[Json]) -> Iterable[Json]:
    return (choice for one in objects for choice in one["choices"])


def _reordered(objects: list[Json]) -> list[Json]:
    return [_reversed(one) for one in objects]


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(one) for key, one in reversed(value.items())}
    return [_reversed(one) for one in value] if isinstance(value, list) else value


_DECOY: Final = {"content": "no", "choices": [{"delta": {"content": "no"}, "finish_reason": "no"}], "usage": None}


def _with_unknown_keys(objects: list[Json]) -> list[Json]:
    return [{"provider": {"name": "any", **_DECOY}, **one, "x_trace": [_DECOY]} for one in objects]


def _like(chunk: Json, delta: Json) -> Json:
    """A chunk with the keys of another one, and this delta."""
    choice = {**chunk["choices"][0], "delta": delta, "finish_reason": None}
    choice.pop("message", None)
    return {**{key: value for key, value in chunk.items() if key != "usage"}, "choices": [choice]}


def _thinking(objects: list[Json]) -> list[Json]:
    thoughts = [_like(objects[0], {"reasoning_content": text}) for text in ("let me ", "think")]
    return [objects[0], *thoughts, *objects[1:]]


def _opened(objects: list[Json]) -> list[Json]:
    return [{**_like(objects[0], {}), "choices": [], "prompt_filter_results": []}, *objects]


def _with_null_errors(objects: list[Json]) -> list[Json]:
    return [{**one, "error": None} for one in objects]


def _with_empty_calls(objects: list[Json]) -> list[Json]:
    for choice in _choices(objects):
        choice["delta"].setdefault("tool_calls", [])
    return objects


def _halved(objects: list[Json]) -> list[Json]:
    return [part for one in objects for part in _halves(one)]


def _halves(chunk: Json) -> list[Json]:
    """A chunk as two, cut between the halves of its last character beyond U+FFFF."""
    delta = chunk["choices"][0]["delta"] if chunk["choices"] else {}
    text = delta.get("content") or ""
    at = next((at for at in reversed(range(len(text))) if text[at] > "\uffff"), None)
    if at is None:
        return [chunk]
    units = text[at].encode("utf-16-be")
    high, low = (units[half : half + 2].decode("utf-16-be", "surrogatepass") for half in (0, 2))
    chunk["choices"][0]["delta"] = {**delta, "content": low + text[at + 1 :]}
    return [_like(chunk, {**delta, "content": text[:at] + high}), chunk]


FORMS: Final[dict[str, Form]] = {
    "data-lines": Form("The data of an event stands on several data: lines, to be joined.", lines=_over_several_lines),
    "id-field": Form(
        "Each event has an id: field before its data.",
        lines=lambda lines, number, _settings: _before_data(lines, b"id: %d" % number),
    ),
    "retry-field": Form("The first event has a retry: field.", lines=_first(b"retry: 3000")),
    "retry-alone": Form("A retry: field alone comes before the first event.", lines=_first(b"retry: 3000", b"")),
    "other-field": Form(
        "Events have a field that the standard does not know, and a line without a colon.",
        lines=lambda lines, _number, _settings: [*lines, b"x-note: {}", b"note"],
    ),
    "fields-after-data": Form(
        "Events have event: and id: fields behind their data.",
        lines=lambda lines, number, _settings: [*lines, b"event: message", b"id: %d" % number],
    ),
    "comment-in-event": Form(
        "A comment stands inside each event, right before its data.",
        lines=lambda lines, _number, _settings: _before_data(lines, b":", b": ping"),
    ),
    "comment-like-data": Form(
        "Comments look like data.",
        lines=lambda lines, _number, _settings: _before_data(lines, b': data: {"choices": []}', b":data: [DONE]"),
    ),
    "blank-lines": Form(
        "Further blank lines stand between the events and before the first.",
        lines=lambda lines, _number, _settings: [b"", b"", *lines],
    ),
    "wide-data": Form("White space stands around the JSON of an event.", lines=_wide),
    "all-escaped": Form(r"Every character of the content is written as \uXXXX.", lines=_all_escaped, events=False),
    "null-filled": Form("Deltas carry every key that they lack as null.", _null_filled, events=False),
    "empty-calls": Form("Deltas that call no function carry tool_calls: [].", _with_empty_calls, events=False),
    "keys-reversed": Form("The keys of each object come in the reverse order.", _reordered, events=False),
    "unknown-keys": Form("Chunks carry unknown keys with objects in them.", _with_unknown_keys, events=False),
    "null-error": Form("Chunks carry error: null.", _with_null_errors, events=False),
    "reasoning": Form("Deltas with reasoning_content and no content come before the text.", _thinking, events=False),
    "opening-without-choices": Form("The first chunk has empty choices.", _opened, events=False),
    "empty-data": Form("An event with empty data comes before the first.", lines=_empty_data),
    "exponents": Form("Large numbers have a fraction and an exponent.", lines=_with_exponents, events=False),
    NEVER_ENDS: Form("The connection stays open behind data: [DONE]; the body never ends."),
    HALVES: Form(
        "A character beyond U+FFFF is cut between two deltas, half of its escape in each.", _halved, events=False
    ),
}  # fmt: skip
"""All forms, in the order in which they are tried."""

"""Bodies as people paste them: what a page, a log or an editor did to them is taken back, and said.

Nothing is guessed about the body itself: a stream that is cut stays cut. Four things are taken back. What a terminal
put around every line goes. Time stamps in front of every line become the times of the sends. Blank lines between
events, which most logs swallow, are put back. And what surrounds a paste (blank lines, an indent, a fence of a
document, marks of quotation) goes.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mockserver.pipeline.read import wire_format_of
from mockserver.recording.formats.line_fronts import without_fronts

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLANK: Final = b" \t\r\n"
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_PAYLOAD: Final = re.compile(rb"data:|event:|retry:|\bid:|\{")
_QUOTED: Final = re.compile(rb"[ \t]*> ?")  # as mail and Markdown quote
_FENCE: Final = re.compile(rb"(?:```|~~~)[a-z]*[ \t]*")
_DATE: Final = (
    rb"[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_STAMPS: Final = {
    "date": re.compile(rb"[\[(]?(" + _DATE + rb")(?=[\])\s|:,])[\])]?"),
    "clock": re.compile(rb"[\[(]?([0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?)(?=[\])\s|:,])[\])]?"),
    "unix milliseconds": re.compile(rb"[\[(]?([0-9]{13})(?=[\])\s|:,])[\])]?"),
    "unix seconds": re.compile(rb"[\[(]?([0-9]{10}(?:\.[0-9]{1,9})?)(?=[\])\s|:,])[\])]?"),
    "milliseconds": re.compile(rb"[\[(]?\+?([0-9]{1,9}(?:\.[0-9]{1,9})?) ?ms(?=[\])\s|:,])[\])]?"),
    "seconds": re.compile(rb"[\[(]?\+?([0-9]{1,7}\.[0-9]{1,9}) ?s?(?=[\])\s|:,])[\])]?"),
}  # fmt: skip
_SPACE: Final = re.compile(rb"[ \t|]+")
_FRONT: Final = 200
"""Bytes of a line in which its stamp begins."""
_DAY_MS: Final = 86_400_000.0


@dataclass(frozen=True, slots=True)
class Mended:
    """A body, and what was done to it.

    Attributes:
        lines: Its lines with their ends; joined they are the body.
        at_ms: When each of them came, in milliseconds after the first; empty where that is not known.
        changes: What was changed, in words.
    """

    lines: Sequence[bytes]
    at_ms: Sequence[float] = ()
    changes: tuple[str, ...] = ()

    @property
    def body(self) -> bytes:
        """The body."""
        return b"".join(self.lines)


def mended(data: bytes, *, pasted: bool) -> Mended:
    """A body without what a log put in front of its lines and, where it was pasted, around and between them."""
    data, change = without_fronts(data) if pasted else (data, "")
    found = without_stamps(data)
    changes = [change] if change else []
    if found is None:
        lines, times = _LINE.findall(data), []
    else:
        lines, times = list(found.lines), list(found.at_ms)
        changes += found.changes
    if not pasted and found is None:
        return Mended(lines)
    before = b"".join(lines)
    lines, times = _trimmed(lines, times, changes)
    kind = wire_format_of(b"".join(lines)) if lines else ""
    if kind == "sse":
        lines, times = _with_blank_lines(lines, times, changes)
    if lines:
        _end(lines, times, kind, before)
        if _blank_end(b"".join(lines)) != _blank_end(before):
            changes.append("its end made that of its form")
    return Mended(lines, times, tuple(changes))


# --- time stamps --------------------------------------------------------------------------------------------------


def without_stamps(data: bytes) -> Mended | None:
    """Log lines without their time stamps; None where not every line has one of the same form in front.

    What stands before the stamp (a container, a level) and between it and the payload must be the same in every line.
    """
    lines = _LINE.findall(data)
    words, form = _stamp_of(next((line for line in lines if line.strip(_BLANK)), b""))
    if form is None or not all(line.startswith(words) for line in lines if line.strip(_BLANK)):
        return None
    stamps, rests = _split([line.removeprefix(words) for line in lines], form)
    between = next((rest[: at.start()] for rest in rests if rest is not None and (at := _PAYLOAD.search(rest))), None)
    if between is None or not stamps:
        return None
    bare: list[bytes] = []
    for line, rest in zip(lines, rests, strict=True):
        if rest is None:
            bare.append(line)
        elif rest.startswith(between):
            bare.append(rest[len(between) :])
        elif rest.strip(_BLANK) == between.strip(_BLANK):
            bare.append(rest[len(rest.rstrip(b"\r\n")) :])
        else:
            return None
    name = next(name for name, one in _STAMPS.items() if one is form)
    times = _milliseconds(stamps, name)
    if times is None:
        return None
    taken = "the time stamp in front of each line taken off"
    if any(later < earlier for earlier, later in pairwise(times)):
        return Mended(bare, (), (f"{taken}; the times fall, so none is kept",))
    filled, passed_ms = [], 0.0
    given = iter(times)
    for rest in rests:
        passed_ms = passed_ms if rest is None else next(given) - times[0]
        filled.append(passed_ms)
    return Mended(bare, filled, (f"{taken} and used as its time",))


def _stamp_of(line: bytes) -> tuple[bytes, re.Pattern[bytes] | None]:
    """What stands before the first stamp in front of a line's payload, and the stamp's form; None for no stamp."""
    payload = _PAYLOAD.search(line)
    for start in (0, *(at.end() for at in _SPACE.finditer(line, 0, min(payload.start() if payload else 0, _FRONT)))):
        form = next((one for one in _STAMPS.values() if one.match(line, start)), None)
        if form is not None:
            return line[:start], form
    return b"", None


def _split(lines: Sequence[bytes], form: re.Pattern[bytes]) -> tuple[list[bytes], list[bytes | None]]:
    """The stamps, and what follows each of them (None for a blank line); nothing where a line has none."""
    stamps: list[bytes] = []
    rests: list[bytes | None] = []
    for line in lines:
        found = form.match(line)
        if found is not None:
            stamps.append(found[1])
            rests.append(line[found.end() :])
        elif line.strip(_BLANK):
            return [], []
        else:
            rests.append(None)
    return stamps, rests


def _milliseconds(stamps: Sequence[bytes], name: str) -> list[float] | None:
    """The stamps as milliseconds from some moment; None where one of them is no time."""
    try:
        if name == "date":
            return [_of_date(stamp.decode()) for stamp in stamps]
        if name == "clock":
            return _over_midnight([_of_clock(stamp.decode()) for stamp in stamps])
    except ValueError:
        return None
    factor = 1.0 if name.endswith("milliseconds") else 1000.0
    return [round(float(stamp) * factor, 3) for stamp in stamps]


def _of_date(text: str) -> float:
    moment = dt.datetime.fromisoformat(text.replace("/", "-").replace(",", "."))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(2000, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(milliseconds=1)


def _of_clock(text: str) -> float:
    hours, minutes, seconds = text.replace(",", ".").split(":")
    if int(hours) > 23 or int(minutes) > 59 or float(seconds) >= 61:
        raise ValueError(text)
    return (int(hours) * 60 + int(minutes)) * 60_000 + round(float(seconds) * 1000, 3)


def _over_midnight(times: list[float]) -> list[float]:
    """Times of a clock that may pass midnight once."""
    at = next((number for number in range(1, len(times)) if times[number] + _DAY_MS / 2 < times[number - 1]), None)
    return times if at is None else [*times[:at], *(time + _DAY_MS for time in times[at:])]


# --- what surrounds a paste ---------------------------------------------------------------------------------------


def _trimmed(lines: list[bytes], times: list[float], changes: list[str]) -> tuple[list[bytes], list[float]]:
    """Without marks of quotation, blank lines around, a fence, and an indent that all lines have."""
    bare = [_QUOTED.sub(b"", line, count=1) for line in lines]
    if all(_QUOTED.match(line) for line in lines if line.strip(_BLANK)) and any(map(_PAYLOAD.match, bare)):
        changes.append("the mark of quotation in front of each line taken off")
        lines = bare
    start, end = _said(lines, 0, len(lines))
    if start == end:
        return [], []
    fence = lines[start].strip(_BLANK), lines[end - 1].strip(_BLANK)
    if end - start > 1 and all(map(_FENCE.fullmatch, fence)):
        changes.append("the fence around it taken off")
        start, end = _said(lines, start + 1, end - 1)
    elif start:
        changes.append("blank lines before it taken off")
    lines, times = lines[start:end], times[start:end]
    indents = [len(line) - len(line.lstrip(b" \t")) for line in lines if line.strip(_BLANK)]
    least = min(indents, default=0)
    if least:
        changes.append("the indent of all lines taken off")
        lines = [line[least:] if line.strip(_BLANK) else line.lstrip(b" \t") for line in lines]
    return lines, times


def _said(lines: Sequence[bytes], start: int, end: int) -> tuple[int, int]:
    """Where the lines that are not blank begin and end, between two places."""
    while start < end and not lines[start].strip(_BLANK):
        start += 1
    while end > start and not lines[end - 1].strip(_BLANK):
        end -= 1
    return start, end


def _with_blank_lines(lines: list[bytes], times: list[float], changes: list[str]) -> tuple[list[bytes], list[float]]:
    """With a blank line behind each whole event, where two stand one below the other without."""
    whole = [_is_whole_event(line) for line in lines]
    if not _lacks_blank_lines(lines, whole):
        return lines, times
    made: list[bytes] = []
    moments: list[float] = []
    put = 0
    for number, line in enumerate(lines):
        made.append(line)
        moments += times[number : number + 1]
        if whole[number] and number + 1 < len(lines) and lines[number + 1].strip(_BLANK):
            made.append(b"\r\n" if line.endswith(b"\r\n") else b"\n")
            moments += times[number : number + 1]
            put += 1
    changes.append(f"{put} blank line{'' if put == 1 else 's'} between its events put back")
    return made, moments


def lacks_blank_lines(lines: Sequence[bytes]) -> bool:
    """Whether two whole events stand one below the other, so that clients read them as one."""
    return _lacks_blank_lines(lines, [_is_whole_event(line) for line in lines])


def _lacks_blank_lines(lines: Sequence[bytes], whole: Sequence[bool]) -> bool:
    open_event = False
    for line, is_whole in zip(lines, whole, strict=True):
        if open_event and is_whole:
            return True
        open_event = bool(line.strip(_BLANK)) and (open_event or is_whole)
    return False


def _is_whole_event(line: bytes) -> bool:
    """Whether a line is an event by itself: `data:` with a JSON object or the done marker."""
    name, colon, value = line.strip(_BLANK).partition(b":")
    if name != b"data" or not colon:
        return False
    value = value.strip()
    if value == b"[DONE]":
        return True
    if not (value.startswith(b"{") and value.endswith(b"}")):
        return False
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _end(lines: list[bytes], times: list[float], kind: str, before: bytes) -> None:
    """Give the body the end that its form has; what is cut inside an event stays so."""
    newline = b"\r\n" if any(line.endswith(b"\r\n") for line in lines) else b"\n"
    last = lines[-1].rstrip(b"\r\n")
    if kind == "json-lines":
        lines[-1] = last + newline
    elif kind != "sse":
        lines[-1] = last
    elif _blank_end(before).count(b"\n") > 1 or _is_whole_event(last) or not last.startswith(b"data"):
        lines[-1] = last + newline
        lines.append(newline)
        times += times[-1:]


def _blank_end(data: bytes) -> bytes:
    return data[len(data.rstrip(_BLANK)) :]

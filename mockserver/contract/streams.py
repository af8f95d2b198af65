"""Streamed answers of a dialect and their cuts into network writes; nothing is drawn here.

Everything is built with the pipeline's own stages, so what is valid here is what the mock would send.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

from mockserver.contract import forms
from mockserver.contract.cut_words import kind_and_words, within
from mockserver.contract.forms import FORMS, NEVER_ENDS
from mockserver.core.exchange import Answer, Head, ToolCall, Usage
from mockserver.pipeline.frame import content_type
from mockserver.pipeline.render import stream_objects
from mockserver.profile import quirks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.pipeline.wire_settings import WireSettings

_HEAD: Final = Head("chatcmpl-3HjYf888MzQ6XAHADiPanf", 1_708_486_029, "m")


@dataclass(frozen=True, slots=True)
class Cuts:
    """How a body is cut into network writes, whatever it is: at the frames' ends, but for these changes.

    Attributes:
        inside: Further cuts, each the n-th place of a kind of `CUTS`; n is counted around.
        joined: Numbers of the frames whose ends are no cuts.
        pauses: Milliseconds that pass before the n-th write, from 0; n is counted around.
        avoided: Kinds of places (`cut_words`) where no cut may fall, whatever was drawn.
    """

    inside: tuple[tuple[str, int], ...] = ()
    joined: tuple[int, ...] = ()
    pauses: tuple[tuple[int, int], ...] = ()
    avoided: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed answer and how it is sent.

    Attributes:
        answer: What it says: the truth that a client must come to.
        wire: The dialect.
        frames: The body, frame by frame.
        writes: The same bytes as they are written to the network.
        quirks: Names of the quirks and forms that were added to the dialect.
        cuts: How the writes were made of the frames.
    """

    answer: Answer
    wire: WireSettings
    frames: tuple[bytes, ...]
    writes: tuple[bytes, ...]
    quirks: tuple[str, ...] = ()
    cuts: Cuts = Cuts()

    @property
    def pauses_ms(self) -> list[int]:
        """What passes before each write."""
        passing = [0] * len(self.writes)
        for number, ms in self.cuts.pauses:
            passing[number % len(passing)] = max(ms, passing[number % len(passing)])
        return passing

    @property
    def never_ends(self) -> bool:
        """Whether the body has no end behind its done marker; only where there is one can a client tell."""
        return NEVER_ENDS in self.quirks and can_stay_open(self.wire)


def can_stay_open(wire: WireSettings) -> bool:
    """Whether a stream of a dialect says that it is over before its body ends."""
    frame = wire.frame
    return frame.framing == "sse" and frame.done and frame.delivery == "streamed"


def composed(base: WireSettings, names: Sequence[str], answer: Answer, cuts: Cuts) -> Stream:
    """A stream of a dialect with further quirks and forms; usage is asked for."""
    wire = reduce(quirks.changed, (name for name in names if name not in FORMS), base)
    fitting = [name for name in names if name in FORMS and (wire.frame.framing == "sse" or not FORMS[name].events)]
    objects = stream_objects(answer, _HEAD, wire, include_usage=True)
    frames = tuple(forms.frames(objects, fitting, wire.frame))
    return Stream(answer, wire, frames, partition(frames, cuts), tuple(names), cuts)


CUTS: Final = (
    "inside a character", "inside CRLF", "between newlines", "inside data:", "inside an escape", "anywhere",
    "inside an escaped pair", "every few bytes", "before a space",
)  # fmt: skip
_MARKS: Final = {
    "inside CRLF": (re.compile(rb"\r\n"), 1),
    "between newlines": (re.compile(rb"(?=\n\n|\r\r)"), 1),
    "before a space": (re.compile(rb'(?<=: ") |(?<=:") '), 0),
    "inside data:": (re.compile(rb"data:"), 2),
    "inside an escape": (re.compile(rb"\\u"), 3),
    "inside an escaped pair": (re.compile(rb"\\ud[89ab](?=..\\ud[c-f])"), 6),
}


def partition(frames: Sequence[bytes], cuts: Cuts) -> tuple[bytes, ...]:
    """The bytes of the frames as network writes."""
    body = b"".join(frames)
    ends = list(accumulate(map(len, frames)))[:-1]
    kept = {end for number, end in enumerate(ends) if number not in cuts.joined}
    for kind, number in cuts.inside:
        if kind == "every few bytes":
            kept |= set(range(5 + number, min(len(body), MOST_CUTS * (5 + number)), 5 + number))
            continue
        places = _places(body, kind)
        kept |= {places[number % len(places)]} if places else set()
    if cuts.avoided:
        kept = {at for at in kept if not any(within(kind_and_words(body, at)[0], one) for one in cuts.avoided)}
    return tuple(body[a:b] for a, b in pairwise([0, *sorted(kept), len(body)]) if a < b)


MOST_CUTS: Final = 40
"""Of those every few bytes: behind each cut it is waited."""


def _places(body: bytes, kind: str) -> Sequence[int]:
    """Offsets where a cut of this kind falls."""
    if kind == "anywhere":
        return range(1, len(body))
    if kind == "inside a character":
        return [found.start() for found in _CONTINUATION.finditer(body)]
    pattern, offset = _MARKS[kind]
    return [found.start() + offset for found in pattern.finditer(body)]


_CONTINUATION: Final = re.compile(rb"[\x80-\xbf]")

RICH: Final = Answer(("你好", " é\u2028", "x\u0085y", "data: [DONE]", "\n\n", '🤖\\"}', "[DONE]", " end "), Usage(5, 9))
"""An answer with most of what breaks line readers."""
WORDS: Final = Answer(("error", "\0", "&amp;", "\\n", "data: x", " ", "\n", "null", "00", "00"), Usage(5, 11))
"""An answer with what is something else to who looks at text instead of reading it: errors, ends, escapes, nothing."""
SPREAD: Final = Cuts((("inside a character", 1), ("inside data:", 2), ("inside an escape", 0), ("anywhere", 30)), (4,))


CALLS: Final = Answer(
    ("so",), Usage(5, 7), "tool_calls",
    tool_calls=(ToolCall("call_1", "look", ('{"q": ', '"你好"}')), ToolCall("call_2", "see", ('{"a"', ": 1", "}"))),
)  # fmt: skip
"""An answer that calls two functions, each in several pieces."""
KIB: Final = 1024
LENGTHS: Final = (KIB, 16 * KIB, 64 * KIB)
"""Characters of the long pieces, and of the long texts."""
SEVERAL: Final = 32


def long_answers() -> Iterator[Answer]:
    """Answers with a long piece, which makes a long line, and with as much text in many pieces."""
    for length in LENGTHS:
        yield _said(("0" * (length - 1) + "é",))
        yield _said(("é" + "你" * (length // SEVERAL - 1),) * SEVERAL)
    yield _said(("0",) * KIB)


def _said(pieces: tuple[str, ...]) -> Answer:
    return Answer(pieces, Usage(5, len(pieces) + 1))


def sweep(base: WireSettings, further: Sequence[str], *, tools: bool = False, most_pause_ms: int = 0) -> list[Stream]:
    """Streams that no chance should miss: a rich one as the chip sends it, and with each further quirk or form alone.

    Quirks of the framing come once more with text in the first and the last frame, where its loss shows. Then come long
    lines and texts, calls of functions, and last what takes time: pauses, and a body that never ends.

    Args:
        base: The dialect.
        further: Quirks and forms that may be added.
        tools: Whether answers may call functions.
        most_pause_ms: The longest pause between two writes; 0 for none.
    """
    found = alone(base, ("", *(name for name in further if name != NEVER_ENDS)), further, tools=tools)
    found += [composed(base, (), RICH, cuts) for cuts in (Cuts((("every few bytes", 15),)), Cuts((), tuple(range(20))))]
    found.append(composed(base, (), WORDS, Cuts((("before a space", 1),))))
    if "data-lines" in further and "crlf" in further:
        found.append(composed(base, ("data-lines", "crlf"), RICH, Cuts((("inside CRLF", 8),))))
    if "ascii-escapes" in further:
        found.append(composed(base, ("ascii-escapes",), RICH, Cuts((("inside an escaped pair", 0),))))
    found += [composed(base, (), answer, Cuts((("inside a character", 7),))) for answer in long_answers()]
    found = _once(found)
    if most_pause_ms:
        halting = ((0, most_pause_ms), (2, most_pause_ms), (5, max(most_pause_ms // 10, 1)), (-1, most_pause_ms))
        found.append(composed(base, (), RICH, Cuts((("inside a character", 0), ("anywhere", 30)), (), halting)))
    if NEVER_ENDS in further:
        found.append(composed(base, (NEVER_ENDS,), RICH, SPREAD))
    return found


def alone(base: WireSettings, names: Sequence[str], further: Sequence[str], *, tools: bool = False) -> list[Stream]:
    """A stream with each of the names, where an empty one adds nothing to the dialect.

    Args:
        base: The dialect.
        names: Quirks and forms.
        further: Those that may be added to them.
        tools: Whether answers may call functions; the framing does not care what is said.
    """
    ends = [name for name in ("role-merged", "finish-merged") if name in further]
    sets = [(name,) if name else () for name in names]
    found = [composed(base, each, RICH, SPREAD) for each in sets]
    if ends:
        found += [composed(base, (name, *ends), RICH, SPREAD) for name in names if name and _of_the_framing(name)]
    if tools:
        sets = [each for each in sets if not (each and _of_the_framing(each[0]))]
        found += [composed(base, each, CALLS, SPREAD) for each in sets]
    return _once(found)


def _once(found: Sequence[Stream]) -> list[Stream]:
    """The streams without those whose quirks change nothing in what they say."""
    kept: dict[tuple[object, ...], Stream] = {}
    for one in found:
        kept.setdefault((one.writes, content_type(one.wire.frame), one.wire.frame.delivery), one)
    return list(kept.values())


def _of_the_framing(name: str) -> bool:
    return FORMS[name].events if name in FORMS else quirks.find(name)[0].stage == "frame"

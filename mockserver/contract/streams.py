"""Streamed answers of a dialect, their cuts into network writes, and simpler ones; nothing is drawn here.

Everything is built with the pipeline's own stages, so what is valid here is what the mock would send.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

from mockserver.core.exchange import Answer, Head, Usage
from mockserver.pipeline.render import render_stream
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
    """

    inside: tuple[tuple[str, int], ...] = ()
    joined: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed answer and how it is sent.

    Attributes:
        answer: What it says: the truth that a client must come to.
        wire: The dialect.
        frames: The body, frame by frame.
        writes: The same bytes as they are written to the network.
        quirks: Names of the quirks that were added to the dialect.
        cuts: How the writes were made of the frames.
    """

    answer: Answer
    wire: WireSettings
    frames: tuple[bytes, ...]
    writes: tuple[bytes, ...]
    quirks: tuple[str, ...] = ()
    cuts: Cuts = Cuts()


def composed(base: WireSettings, names: Sequence[str], answer: Answer, cuts: Cuts) -> Stream:
    """A stream of a dialect with further quirks; usage is asked for."""
    wire = reduce(quirks.changed, names, base)
    frames = tuple(render_stream(answer, _HEAD, wire, include_usage=True))
    return Stream(answer, wire, frames, partition(frames, cuts), tuple(names), cuts)


CUTS: Final = ("inside a character", "inside CRLF", "between newlines", "inside data:", "inside an escape", "anywhere")
_MARKS: Final = {
    "inside CRLF": (b"\r\n", 1),
    "between newlines": (b"\n\n", 1),
    "inside data:": (b"data:", 2),
    "inside an escape": (b"\\u", 3),
}


def partition(frames: Sequence[bytes], cuts: Cuts) -> tuple[bytes, ...]:
    """The bytes of the frames as network writes."""
    body = b"".join(frames)
    ends = list(accumulate(map(len, frames)))[:-1]
    kept = {end for number, end in enumerate(ends) if number not in cuts.joined}
    for kind, number in cuts.inside:
        places = _places(body, kind)
        kept |= {places[number % len(places)]} if places else set()
    return tuple(body[a:b] for a, b in pairwise([0, *sorted(kept), len(body)]) if a < b)


def _places(body: bytes, kind: str) -> list[int]:
    """Offsets where a cut of this kind falls."""
    if kind == "anywhere":
        return list(range(1, len(body)))
    if kind == "inside a character":
        return [at for at, byte in enumerate(body) if byte & 0xC0 == 0x80]
    mark, offset = _MARKS[kind]
    return [found.start() + offset for found in re.finditer(re.escape(mark), body)]


RICH: Final = Answer(("你好", " é\u2028", "x\u0085y", "data: [DONE]", "\n\n", '🤖\\"}', "[DONE]", " end "), Usage(5, 9))
"""An answer with most of what breaks line readers."""
SPREAD: Final = Cuts((("inside a character", 1), ("inside data:", 2), ("inside an escape", 0), ("anywhere", 30)), (4,))


def sweep(base: WireSettings, further: Sequence[str]) -> list[Stream]:
    """Streams that no chance should miss: a rich one as the chip sends it, and with each further quirk alone.

    Quirks of the framing come once more with text in the first and the last frame, where its loss shows.
    """
    ends = [name for name in ("role-merged", "finish-merged") if name in further]
    names = [(), *((name,) for name in further)]
    names += [(name, *ends) for name in further if ends and quirks.find(name)[0].stage == "frame"]
    return [composed(base, each, RICH, SPREAD) for each in names]


def smaller(base: WireSettings, stream: Stream) -> Iterator[Stream]:
    """Simpler streams than this one, the simplest first; a bug that one of them shows too is better shown by it.

    Args:
        base: The dialect before quirks were added.
        stream: The stream.
    """
    names, answer, cuts = stream.quirks, stream.answer, stream.cuts
    plain = Answer(("0",), Usage(5, 2), "stop")
    options: list[tuple[Sequence[str], Answer, Cuts]] = [((), plain, Cuts())]
    options += [((name,), plain, Cuts()) for name in names]
    options += [(names[:at] + names[at + 1 :], answer, cuts) for at in range(len(names))]
    options += [(names, answer, Cuts())]
    options += [(names, answer, replace(cuts, inside=(one,), joined=())) for one in cuts.inside]
    options += [(names, answer, replace(cuts, joined=())), (names, answer, replace(cuts, inside=()))]
    options += [(names, answer, replace(cuts, inside=tuple(o for o in cuts.inside if o != one))) for one in cuts.inside]
    options += [(names, answer, replace(cuts, joined=tuple(o for o in cuts.joined if o != one))) for one in cuts.joined]
    options += [(names, simpler, cuts) for simpler in _simpler(answer)]
    seen = {(stream.quirks, stream.answer, stream.cuts)}
    for option in options:
        if option not in seen:
            seen.add((tuple(option[0]), *option[1:]))
            yield composed(base, *option)


def _simpler(answer: Answer) -> Iterator[Answer]:
    """Answers that say less: fewer calls and pieces, then shorter and plainer pieces."""
    if answer.tool_calls:
        yield replace(answer, tool_calls=(), finish_reason="stop")
    if answer.finish_reason == "length":
        yield replace(answer, finish_reason="stop")
    pieces = answer.pieces
    fewer: list[tuple[str, ...]] = [(piece,) for piece in pieces if len(pieces) > 1]
    fewer += [pieces[:at] + pieces[at + 1 :] for at in range(len(pieces)) if len(pieces) > 1]
    for at, piece in enumerate(pieces):
        shorter = [*piece, *(piece[:n] + piece[n + 1 :] for n in range(len(piece)))] if len(piece) > 1 else []
        texts = shorter or _plainer(piece)
        fewer += [(*pieces[:at], text, *pieces[at + 1 :]) for text in dict.fromkeys(texts)]
    for one in fewer:
        yield replace(answer, pieces=one, usage=Usage(answer.usage.prompt_tokens, len(one) + 1))


def _plainer(character: str) -> tuple[str, ...]:
    """Plainer characters that may break a client in the same way."""
    order = ("0", "é", "你")
    return order[: order.index(character)] if character in order else order

"""Simpler streams than one that breaks a client, and streams without what is known to break it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.contract.cut_words import ANYWHERE, kind_and_words
from mockserver.contract.streams import Cuts, composed
from mockserver.core.exchange import Answer, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.contract.streams import Stream
    from mockserver.pipeline.wire_settings import WireSettings

PLAIN: Final = Answer(("0",), Usage(5, 2), "stop")
IN_THE_FIRST_LINE: Final = 12
"""A place that is inside of nothing else, in whatever dialect."""
LONG: Final = 24
"""Characters of a piece beyond which whole parts of it are taken away, not one character after the other."""


def smaller(base: WireSettings, stream: Stream) -> Iterator[Stream]:
    """Simpler streams than this one, the simplest first; a bug that one of them shows too is better shown by it.

    Args:
        base: The dialect before quirks were added.
        stream: The stream.
    """
    names, answer, cuts = stream.quirks, stream.answer, stream.cuts
    seen = {(names, answer, cuts)}
    for option in _options(names, answer, cuts):
        if option not in seen:
            seen.add(option)
            yield composed(base, *option)


def _options(names: tuple[str, ...], answer: Answer, cuts: Cuts) -> Iterator[tuple[tuple[str, ...], Answer, Cuts]]:
    yield (), PLAIN, _plain(cuts)
    yield from (((name,), PLAIN, _plain(cuts)) for name in names)
    if not all(_is_plain(one) for one in cuts.inside):  # whom any half line breaks is not shown half a character
        yield (), PLAIN, replace(_plain(cuts), inside=(("anywhere", IN_THE_FIRST_LINE),))
    if cuts.pauses:
        yield names, answer, replace(cuts, pauses=())
        yield from (((), PLAIN, replace(_plain(cuts), pauses=(one,))) for one in cuts.pauses)
        yield (), PLAIN, replace(_plain(cuts), pauses=cuts.pauses)
    yield from ((names[:at] + names[at + 1 :], answer, cuts) for at in range(len(names)))
    yield names, answer, _plain(cuts)
    yield from ((names, answer, replace(cuts, inside=(one,), joined=())) for one in cuts.inside)
    yield from (  # a shorter stream has fewer places to cut
        (names[:at] + names[at + 1 :], answer, replace(cuts, inside=moved))
        for at in range(len(names))
        for moved in _moved(cuts.inside)
    )
    yield names, answer, replace(cuts, joined=())
    yield names, answer, replace(cuts, inside=())
    for kind in ("inside", "joined", "pauses"):
        drawn = getattr(cuts, kind)
        yield from ((names, answer, replace(cuts, **{kind: tuple(o for o in drawn if o != one)})) for one in drawn)
    yield from (
        (names, answer, replace(cuts, pauses=tuple((at, ms // part) for at, ms in cuts.pauses)))
        for part in (4, 2)
        if cuts.pauses and max(ms for _, ms in cuts.pauses) >= part
    )
    yield from ((names, answer, replace(cuts, inside=moved)) for moved in _moved(cuts.inside))
    yield from ((names, simpler, cuts) for simpler in _simpler(answer))


def _is_plain(cut: tuple[str, int]) -> bool:
    kind, number = cut
    return kind == "anywhere" and number <= IN_THE_FIRST_LINE


def _moved(inside: tuple[tuple[str, int], ...]) -> Iterator[tuple[tuple[str, int], ...]]:
    """The cuts with one of them a place further ahead, or at the first."""
    for at, (kind, number) in enumerate(inside):
        if _is_plain((kind, number)):
            continue
        yield from ((*inside[:at], (kind, n), *inside[at + 1 :]) for n in (0, number - 1) if 0 <= n < number)


def _plain(cuts: Cuts) -> Cuts:
    return Cuts(avoided=cuts.avoided)


def _simpler(answer: Answer) -> Iterator[Answer]:
    """Answers that say less: fewer calls and pieces, then shorter and plainer pieces."""
    if answer.tool_calls:
        yield replace(answer, tool_calls=(), finish_reason="stop", pieces=answer.pieces or PLAIN.pieces)
        calls = answer.tool_calls
        yield from (replace(answer, tool_calls=calls[:at] + calls[at + 1 :]) for at in range(len(calls) - 1, 0, -1))
        yield replace(answer, pieces=())
        plainer = tuple(replace(call, pieces=("{", "}")) for call in calls)
        yield replace(answer, tool_calls=plainer)
    if answer.finish_reason == "length":
        yield replace(answer, finish_reason="stop")
    for pieces in _fewer(answer.pieces):
        yield replace(answer, pieces=pieces, usage=Usage(answer.usage.prompt_tokens, len(pieces) + 1))


def _fewer(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    count = len(pieces)
    if count > 1:
        yield from ((piece,) for piece in dict.fromkeys(pieces))
        yield from (("0",) * count, tuple(piece[:1] for piece in pieces))
    size = count // 2
    while size:  # of many it is their number that counts, mostly: then parts at the end alone
        starts = range(0, count, size) if count <= size * LONG else (count - size,)
        yield from (pieces[:at] + pieces[at + size :] for at in starts)
        size //= 2
    for at, piece in enumerate(pieces if count <= LONG else pieces[:1]):
        yield from ((*pieces[:at], text, *pieces[at + 1 :]) for text in _shorter(piece))


def _shorter(piece: str) -> Iterator[str]:
    if len(piece) <= 1:
        yield from _plainer(piece)
    elif len(piece) <= LONG:
        yield from dict.fromkeys([*piece, *(piece[:at] + piece[at + 1 :] for at in range(len(piece)))])
    else:
        yield from dict.fromkeys(piece[:2])
        yield from (one for one in ("0" * len(piece),) if one != piece)
        size = len(piece) // 2
        while size:  # parts at the end alone: of a long piece it is the length that counts, mostly
            yield piece[size:]
            size //= 2


def _plainer(character: str) -> Sequence[str]:
    """Plainer characters that may break a client in the same way."""
    order = ("0", "é", "你")
    return order[: order.index(character)] if character in order else order


# --- what is known to break a client ------------------------------------------------------------------------------


def without(base: WireSettings, stream: Stream, broken_by: Stream) -> Stream | None:
    """A stream without what makes another one break a client; None where nothing of that can be taken away.

    Args:
        base: The dialect before quirks were added.
        stream: Any stream.
        broken_by: The smallest stream that a bug was found with: all that is in it is needed.
    """
    names, answer, cuts = stream.quirks, stream.answer, stream.cuts
    cause, plain = broken_by, broken_by.answer
    if cause.quirks:
        if set(cause.quirks) <= set(names):
            names = tuple(name for name in names if name != cause.quirks[0])
    elif plain.tool_calls and plain.pieces in ((), PLAIN.pieces):
        if answer.tool_calls:
            answer = replace(answer, tool_calls=(), finish_reason="stop", pieces=answer.pieces or PLAIN.pieces)
    elif cause.cuts.pauses:
        cuts = replace(cuts, pauses=())
    elif cause.cuts.inside:
        avoided = {_kind_of_cut(cause)} if _kind_of_cut(cause) else {ANYWHERE}
        cuts = replace(cuts, avoided=tuple(sorted(avoided | set(cuts.avoided))))
        answer = _short(answer)  # what is long is cut by the network, wherever it likes
    elif cause.cuts.joined:
        cuts = replace(cuts, joined=())
    elif plain.finish_reason == "length":
        answer = replace(answer, finish_reason="stop") if answer.finish_reason == "length" else answer
    elif plain.pieces != PLAIN.pieces:
        answer = _without_text(answer, plain)
    else:
        return None
    return composed(base, names, answer, cuts)


def _kind_of_cut(stream: Stream) -> str:
    """The kind of the first cut that is not between two events."""
    body, at = b"".join(stream.writes), 0
    for data in stream.writes:
        at += len(data)
        kind = kind_and_words(body, at)[0]
        if kind:
            return kind
    return ""


def _short(answer: Answer) -> Answer:
    pieces = tuple(piece[:LONG] for piece in answer.pieces[:LONG])
    return replace(answer, pieces=pieces, usage=Usage(answer.usage.prompt_tokens, len(pieces) + 1))


def _without_text(answer: Answer, broken_by: Answer) -> Answer:
    longest = max(map(len, broken_by.pieces))
    if longest > LONG:
        pieces = tuple(piece[: longest // 2] for piece in answer.pieces)
    elif len(broken_by.pieces) > LONG:
        pieces = answer.pieces[: len(broken_by.pieces) // 2]
    else:
        texts = [piece for piece in broken_by.pieces if piece != "0"] or list(broken_by.pieces)
        pieces = tuple(_replaced(piece, texts) for piece in answer.pieces)
    return replace(answer, pieces=pieces, usage=Usage(answer.usage.prompt_tokens, len(pieces) + 1))


def _replaced(piece: str, texts: Sequence[str]) -> str:
    for text in texts:
        piece = piece.replace(text, "0") if len(text) == 1 else "0" if piece == text else piece
    return piece

"""The text of a synthetic answer: sentences chosen by a draw, each cut into pieces once and kept cut."""

from __future__ import annotations

import hashlib
import sys
from functools import cache, lru_cache
from itertools import combinations, count
from math import sqrt
from typing import TYPE_CHECKING, Final, TypeVar

from mockserver.sources import tokens
from mockserver.sources.cast import CASTS, casts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.sources.dialogue import DialogueSummary
    from mockserver.sources.phrases import Language
    from mockserver.sources.tokens import Tokenizer

Pieces = tuple[str, ...]
Chosen = TypeVar("Chosen")

SHORTEST, LIKELIEST, LONGEST = 20, 70, 200
"""Tokens of an answer's text: a triangular distribution, met to within a sentence."""
NOBODY: Final = -1
"""The cast of a sentence without invented material."""
_LENGTHS: Final = 256
_KEPT_SENTENCES: Final = 4096  # about 0.7 MiB each full memory: pieces are shared strings


class Draw:
    """Numbers drawn from a seed for one purpose; begun a hundred times as quickly as `random.Random`.

    It holds 512 bits, which is several times what one answer draws.
    """

    __slots__ = ("_left",)

    def __init__(self, seed: str, purpose: str) -> None:
        self._left = int.from_bytes(hashlib.blake2b(f"{seed}:{purpose}".encode()).digest())

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        self._left, drawn = divmod(self._left, bound)
        return drawn

    def choice(self, among: Sequence[Chosen]) -> Chosen:
        """One of them."""
        self._left, drawn = divmod(self._left, len(among))
        return among[drawn]


def prose(
    dialogue: DialogueSummary,
    draw: Draw,
    cut: Tokenizer,
    *,
    invented: bool,
    size: int | None = None,
    enough: int | None = None,
) -> Pieces:
    """Sentences that make sense one after the other, cut; from about `SHORTEST` to about `LONGEST` tokens.

    The question is quoted, and so is the first question of a dialogue of several; after a tool's result, that is
    quoted instead.

    Args:
        dialogue: What is answered.
        draw: What chooses.
        cut: The tokenizer of the model that answers.
        invented: Whether an example with invented names is told.
        size: The number of pieces, exactly; None leaves it to the draw.
        enough: After so many pieces nothing more is said: who asks cuts there. None says everything.
    """
    language = dialogue.language
    target = _lengths()[draw.below(_LENGTHS)]
    opened = _opening_template(dialogue, draw)
    opening = _opening(dialogue, *opened, cut)
    if enough is not None:
        if size is not None:
            size = min(size, max(enough, 0))
        if len(opening) >= enough:
            return opening[:size]
    closing = draw.choice(language.closings)
    cast = draw.below(CASTS) if invented else NOBODY
    story, advice = _selections(len(language.story)), _selections(len(language.advice))
    told = draw.choice(story) if invented else ()
    advised = draw.choice(advice)
    estimated = opening if cut is tokens.ESTIMATOR else _opening(dialogue, *opened, tokens.ESTIMATOR)
    room = target - len(estimated) - _cost(language, closing, NOBODY)
    body: list[tuple[str, int]] = []
    for sentences, numbers, who in ((language.story, told, cast), (language.advice, advised, NOBODY)):
        for number in numbers:
            cost = _cost(language, sentences[number], who)
            if cost > room and target - room >= SHORTEST:
                break
            body.append((sentences[number], who))
            room -= cost
    joint = "\n\n" if len(body) > 4 else language.gap
    pieces = [*opening]
    for number, (sentence, who) in enumerate(body):
        pieces += _cut(cut, language, sentence, who, language.gap if number else joint)
    pieces += _cut(cut, language, closing, NOBODY, joint)
    if size is None:
        return tuple(pieces)
    more = _without_end(cut, language, cast)
    while len(pieces) < size:
        pieces += next(more)
    return tuple(pieces[:size])


def line_of_thought(dialogue: DialogueSummary, draw: Draw, cut: Tokenizer) -> Pieces:
    """The pieces of `reasoning_content`: what is asked, some thoughts on it, the decision to answer."""
    language = dialogue.language
    first, *middle, last = language.reasoning
    pieces = [*_filled(cut, first, dialogue.quote or "…")]
    for number in draw.choice(_subsets(len(middle))):
        pieces += _cut(cut, language, middle[number], NOBODY, language.gap)
    return (*pieces, *_cut(cut, language, last, NOBODY, language.gap))


def opening_text(dialogue: DialogueSummary, draw: Draw) -> str:
    """The first sentence, which quotes the question or a tool's result."""
    template, quoted = _opening_template(dialogue, draw)
    return template.format(quote=quoted, result=quoted)


def _opening(dialogue: DialogueSummary, template: str, quoted: str, cut: Tokenizer) -> Pieces:
    language = dialogue.language
    pieces = _filled(cut, template, quoted)
    if dialogue.turn > 1:
        pieces += cut.pieces(language.gap + language.turn.format(turn=dialogue.turn, earlier=dialogue.earlier or "…"))
    if dialogue.media:
        pieces += cut.pieces(language.gap + language.media.format(media=dialogue.media))
    return pieces


def _opening_template(dialogue: DialogueSummary, draw: Draw) -> tuple[str, str]:
    language = dialogue.language
    if dialogue.result is not None:
        return draw.choice(language.tool), dialogue.result
    return draw.choice(language.openings if dialogue.quote else language.openings_without), dialogue.quote


def _filled(cut: Tokenizer, template: str, quoted: str) -> Pieces:
    """A template with at most one brace, which is never its end: cut around it once, and what is quoted anew."""
    before, after = _around(cut, template)
    return before + tokens.quoted_pieces(cut, quoted) + after if after else before


@lru_cache(maxsize=256)
def _around(cut: Tokenizer, template: str) -> tuple[Pieces, Pieces]:
    before, brace, rest = template.partition("{")
    return cut.pieces(before), cut.pieces(rest.partition("}")[2]) if brace else ()


def _without_end(cut: Tokenizer, language: Language, cast: int) -> Iterator[Pieces]:
    """Sentence after sentence, for answers of a length that somebody chose."""
    for number in count(cast + 1):
        if cast != NOBODY:
            yield from (_cut(cut, language, one, number % CASTS, language.gap) for one in language.story)
        yield from (_cut(cut, language, one, NOBODY, language.gap) for one in language.advice)


@lru_cache(maxsize=_KEPT_SENTENCES)
def _cut(cut: Tokenizer, language: Language, sentence: str, cast: int, before: str) -> Pieces:
    """A sentence behind what parts it from the one before it, cut."""
    return tuple(map(sys.intern, cut.pieces(before + _told(language, sentence, cast))))


@lru_cache(maxsize=_KEPT_SENTENCES)
def _cost(language: Language, sentence: str, cast: int) -> int:
    """The tokens of a sentence; estimated, so that the words do not depend on which tokenizers are installed."""
    return tokens.ESTIMATOR.count(_told(language, sentence, cast))


def _told(language: Language, sentence: str, cast: int) -> str:
    return sentence if cast == NOBODY else sentence.format_map(casts(language)[cast])


@cache
def _lengths() -> tuple[float, ...]:
    """Targets of a length, all equally likely: the triangular distribution at so many points."""
    span, rise = LONGEST - SHORTEST, LIKELIEST - SHORTEST
    points = ((number + 0.5) / _LENGTHS for number in range(_LENGTHS))
    return tuple(
        SHORTEST + sqrt(at * span * rise) if at * span < rise else LONGEST - sqrt((1 - at) * span * (span - rise))
        for at in points
    )


@cache
def _selections(length: int) -> tuple[tuple[int, ...], ...]:
    """The first sentence of so many and half or more of the others, in their order: every way to choose."""
    others = range(1, length)
    return tuple((0, *some) for size in range(length // 2, length) for some in combinations(others, size))


@cache
def _subsets(length: int) -> tuple[tuple[int, ...], ...]:
    """Every way to leave some of so many sentences out."""
    return tuple(some for size in range(length + 1) for some in combinations(range(length), size))

"""Stage `moderate`: the text review that ends an answer with `blocked: true`.

Documented (tutorial, note under the non-stream sample): where the review fails, `blocked` is added with the value
true and the rest of the answer is not given; where it passes, the key is absent. Which texts fail is not public, so
the triggers here are harmless words of our own, set by the edition or the configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Answer


class Pattern(Protocol):
    """A compiled regular expression; the loader makes those that take time linear in the text."""

    def found_in(self, text: str, /) -> bool:
        """Whether it is found."""


@immutable(frozen=True, slots=True)
class ModerationRules:
    """What the review objects to.

    Attributes:
        input_words: Words that block when a message of the request holds one.
        input_patterns: Regular expressions for the same.
        output_words: Words that block when the answer comes to hold one.
        output_patterns: Regular expressions for the same.
        after_pieces: Block every answer after this many pieces (0: before the first); None for never.
    """

    input_words: tuple[str, ...] = ()
    input_patterns: tuple[Pattern, ...] = ()
    output_words: tuple[str, ...] = ()
    output_patterns: tuple[Pattern, ...] = ()
    after_pieces: int | None = None


def moderate(answer: Answer, input_texts: Sequence[str], rules: ModerationRules) -> Answer:
    """The answer as the review lets it through: unchanged, or cut before the piece that fails and marked blocked.

    What an input violation leaves of the answer is nothing. Reasoning is reviewed before the content.
    """
    if rules.input_patterns or (rules.input_words and _holds("\n".join(input_texts), rules.input_words)):
        for text in input_texts:
            if violates(text, rules.input_words, rules.input_patterns):
                return answer.blocked_after(0)
    limit = rules.after_pieces
    if limit is not None and len(answer.reasoning) + len(answer.pieces) > limit:
        return answer.blocked_after(limit)
    if not (rules.output_words or rules.output_patterns):
        return answer
    if answer.reasoning:
        kept = _clean_pieces(answer.reasoning, rules)
        if kept < len(answer.reasoning):
            return answer.blocked_after(kept)
    kept = _clean_pieces(answer.pieces, rules)
    if kept < len(answer.pieces):
        return answer.blocked_after(len(answer.reasoning) + kept)
    return answer


def violates(text: str, words: Sequence[str], patterns: Sequence[Pattern]) -> bool:
    """Whether `text` holds one of the words or matches one of the patterns."""
    if _holds(text, words):
        return True
    for pattern in patterns:  # noqa: SIM110 - mostly none, for which a generator would be made each time
        if pattern.found_in(text):
            return True
    return False


def _holds(text: str, words: Sequence[str]) -> bool:
    """Whether `text` holds a word: what holds none when joined holds none in its parts either."""
    return any(map(text.__contains__, words))


def _clean_pieces(pieces: tuple[str, ...], rules: ModerationRules) -> int:
    """How many of the first pieces pass, read as the text that they grow into."""
    if not pieces or not violates("".join(pieces), rules.output_words, rules.output_patterns):
        return len(pieces)
    # A text that fails goes on failing as it grows, so the first that does is found by halving.
    passing, failing = 0, len(pieces)
    while failing - passing > 1:
        middle = (passing + failing) // 2
        if violates("".join(pieces[:middle]), rules.output_words, rules.output_patterns):
            failing = middle
        else:
            passing = middle
    return passing

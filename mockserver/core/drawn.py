"""Forms of values that are drawn anew: ids, and headers.

A form is a text in which `{hex:12}`, `{digits:1-3}` or `{uuid}` stand for what is drawn; the same language says what
values have in common.

Randomness is handed in: `entropy` is either a digest of the request, or random bytes.
"""

from __future__ import annotations

import hashlib
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DRAWN_FROM: Final = {
    "hex": b"0123456789abcdef",
    "digits": b"0123456789",
    "lower": b"abcdefghijklmnopqrstuvwxyz0123456789",
    "letters": b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "base64": b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "base64url": b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
}
_DRAWN: Final = re.compile(rf"\{{(?:uuid|({'|'.join(DRAWN_FROM)}):([1-9]\d?)(?:-([1-9]\d?))?)\}}")
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def entropy_of(*parts: bytes) -> bytes:
    """32 bytes that depend on every part and on where each one ends."""
    return entropy_begun(*parts).digest()


def entropy_begun(*parts: bytes) -> hashlib.blake2b:
    """The digest of `entropy_of` as far as these parts go: what follows is added as `b"%d:%b" % (len(part), part)`."""
    return hashlib.blake2b(b"".join([b"%d:%b" % (len(part), part) for part in parts]), digest_size=32)


def drawn(form: str, entropy: bytes, name: str = "") -> str:
    """A value of a form; what is in braces is drawn from `entropy` and the header's name."""

    def draw(found: re.Match[str]) -> str:
        seed = entropy_of(entropy, name.encode(), b"%d" % found.start())
        if found[1] is None:
            text = seed[:16].hex()
            return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
        shortest, longest = int(found[2]), int(found[3] or found[2])
        letters, more = DRAWN_FROM[found[1]], seed + entropy_of(seed) + entropy_of(seed, seed) + entropy_of(seed, b"")
        length = shortest + seed[0] % max(longest - shortest + 1, 1)
        return bytes(letters[byte % len(letters)] for byte in more[1 : length + 1]).decode()

    return _DRAWN.sub(draw, form)


def is_drawn(form: str) -> bool:
    """Whether a value has anything that is drawn."""
    return _DRAWN.search(form) is not None


def is_form(text: str) -> bool:
    """Whether all braces of a text say what is drawn."""
    return not re.search("[{}]", _DRAWN.sub("", text))


def parts_of_form(form: str) -> Iterator[str | tuple[str, str]]:
    """What stays, as text, and what is drawn, as its name and how many characters: `uuid` and empty for a UUID."""
    end = 0
    for found in _DRAWN.finditer(form):
        if found.start() > end:
            yield form[end : found.start()]
        yield (found[1] or "uuid", f"{found[2] or ''}{f' to {found[3]}' if found[3] else ''}")
        end = found.end()
    if end < len(form):
        yield form[end:]


def within(narrow: str, wide: str) -> bool:
    """Whether what has one form has another: twelve hex digits may happen to be digits."""
    samples = (drawn(narrow, entropy_of(b"%d" % number)) for number in range(_SAMPLES))
    return all(fits(wide, sample) for sample in samples)


_SAMPLES: Final = 8


def fits(form: str, value: str) -> bool:
    """Whether a value has a form."""
    pattern, end = "", 0
    for found in _DRAWN.finditer(form):
        pattern += re.escape(form[end : found.start()])
        letters = re.escape(DRAWN_FROM[found[1]].decode()) if found[1] else ""
        pattern += _UUID if not letters else f"[{letters}]{{{found[2]},{found[3] or found[2]}}}"
        end = found.end()
    return re.fullmatch(pattern + re.escape(form[end:]), value) is not None


_WORDS: Final = (re.compile(rf"(?:{_UUID})|[A-Za-z0-9]+|."), re.compile(rf"(?:{_UUID})|[A-Za-z0-9+/]+|."))


def form_of(values: Sequence[str], *, hidden: bool = False) -> str | None:
    """The form that values have in common: what is the same in all stays, the rest is drawn; None for no such form.

    Args:
        values: At least one.
        hidden: Whether words of more than three characters are drawn though they are the same in all.
    """
    for words in _WORDS:
        rows = [words.findall(value) for value in values]
        if len({len(row) for row in rows}) == 1:
            made = [_common(column, hidden=hidden) for column in zip(*rows, strict=True)]
            if None not in made:
                return "".join(part for part in made if part is not None)
    return _form_between(values, hidden=hidden)


def _form_between(values: Sequence[str], *, hidden: bool) -> str | None:
    """The same where what is drawn may hold dashes, so that words tell nothing: between what all begin and end with."""
    start = _shared(values)
    end = _shared([value[len(start) :][::-1] for value in values])[::-1]
    if hidden and any(len(word) > _SHORT for word in re.findall("[A-Za-z0-9]+", start + end)):
        return None
    form = all_drawn([value[len(start) : len(value) - len(end)] for value in values])
    return form and f"{start}{form}{end}"


def _shared(values: Sequence[str]) -> str:
    """What all begin with, up to a mark: letters behind it may be alike by chance."""
    alike = takewhile(lambda column: len({*column}) == 1, zip(*values, strict=False))
    return re.sub("[A-Za-z0-9]+$", "", "".join(column[0] for column in alike))


_MARK: Final = re.compile("[^A-Za-z0-9]")
"""What stands between words, and is none of them."""
_SHORT: Final = 3
_NARROWEST: Final = ("digits", "hex", "lower", "letters", "base64", "base64url")


def _common(words: tuple[str, ...], *, hidden: bool) -> str | None:
    if len(set(words)) == 1 and not (hidden and len(words[0]) > _SHORT):
        return words[0]
    if all(re.fullmatch(_UUID, word) for word in words):
        return "{uuid}"
    return None if any(map(_MARK.fullmatch, words)) else all_drawn(words)


def all_drawn(words: Sequence[str]) -> str | None:
    """The narrowest form that words have where all of them is drawn; None for empty and longer ones, and for others."""
    shortest, longest = min(map(len, words)), max(map(len, words))
    letters = set("".join(words).encode("utf-8", "surrogatepass"))
    name = next((name for name in _NARROWEST if letters <= set(DRAWN_FROM[name])), None)
    if name is None or not 0 < shortest <= longest <= 64:
        return None
    return f"{{{name}:{shortest}}}" if shortest == longest else f"{{{name}:{shortest}-{longest}}}"

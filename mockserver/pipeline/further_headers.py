"""The last step of stage `head`: further headers of an edition, where they stand and what they say.

A value may hold what is drawn anew for each response: `{hex:12}`, `{digits:1-3}` or `{uuid}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from mockserver.core.headers import with_headers
from mockserver.pipeline.head import ALPHABETS, answer_id, entropy_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockserver.core.exchange import Headers

Place = Literal["stream", "body", "error"]
HeaderValue = str | Literal[False]
PLACES: Final[tuple[Place, ...]] = ("stream", "body", "error")
"""Where a header may stand: on streamed answers, on other answers, on refusals."""
DRAWN_FROM: Final = {**ALPHABETS, "base64": ALPHABETS["letters"] + b"+/"}
_DRAWN: Final = re.compile(rf"\{{(?:uuid|({'|'.join(DRAWN_FROM)}):([1-9]\d?)(?:-([1-9]\d?))?)\}}")
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class FurtherHeaders:
    """The further headers of an edition.

    Args:
        values: By name; the value of all responses, or one for each place. False takes the header away.
    """

    def __init__(self, values: Mapping[str, str | Mapping[Place, HeaderValue]]) -> None:
        self._at: dict[Place, tuple[tuple[str, HeaderValue], ...]] = {
            place: tuple(
                (name, value if isinstance(value, str) else value[place])
                for name, value in values.items()
                if isinstance(value, str) or place in value
            )
            for place in PLACES
        }

    def put(self, headers: Headers, place: Place, entropy: bytes) -> Headers:
        """The headers of a response with these among them.

        Args:
            headers: What the response has already; what has a name of these goes.
            place: Which sort of response it is.
            entropy: What values are drawn from; the same bytes give the same values.
        """
        given = self._at[place]
        if not given:
            return headers
        made = [(name, value if value is False else drawn(value, entropy, name)) for name, value in given]
        return with_headers(headers, made)


def drawn(form: str, entropy: bytes, name: str = "") -> str:
    """A value of a form; what is in braces is drawn from `entropy` and the header's name."""

    def draw(found: re.Match[str]) -> str:
        seed = entropy_of(entropy, name.encode(), b"%d" % found.start())
        if found[1] is None:
            return answer_id(":uuid:36", seed)
        shortest, longest = int(found[2]), int(found[3] or found[2])
        letters, more = DRAWN_FROM[found[1]], seed + entropy_of(seed) + entropy_of(seed, seed) + entropy_of(seed, b"")
        length = shortest + seed[0] % max(longest - shortest + 1, 1)
        return bytes(letters[byte % len(letters)] for byte in more[1 : length + 1]).decode()

    return _DRAWN.sub(draw, form)


def is_drawn(form: str) -> bool:
    """Whether a value has anything that is drawn."""
    return _DRAWN.search(form) is not None


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
    return None


_SHORT: Final = 3
_NARROWEST: Final = ("digits", "hex", "lower", "letters", "base64")


def _common(words: tuple[str, ...], *, hidden: bool) -> str | None:
    if len(set(words)) == 1 and not (hidden and len(words[0]) > _SHORT):
        return words[0]
    if all(re.fullmatch(_UUID, word) for word in words):
        return "{uuid}"
    shortest, longest = min(map(len, words)), max(map(len, words))
    letters = set("".join(words).encode())
    name = next((name for name in _NARROWEST if letters <= set(DRAWN_FROM[name])), None)
    if name is None or longest > 64:
        return None
    return f"{{{name}:{shortest}}}" if shortest == longest else f"{{{name}:{shortest}-{longest}}}"

"""Headers of a response: the one place that knows how a body's length is announced, and how others are set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.core.exchange import Headers

LENGTH: Final = b"content-length"
_MOST_DIGITS = 19  # no body is longer, and a text of more digits is no number that Python reads


def has_length(headers: Headers) -> bool:
    """Whether the length is announced, so that the body needs no other framing."""
    return any(name.lower() == LENGTH for name, _ in headers)


def with_length(headers: Headers, length: int, *, or_more: bool = False) -> Headers:
    """The headers whose `content-length`, where there is one, says what can be sent; none is added.

    Args:
        headers: As they were.
        length: Of the body that there is, in bytes.
        or_more: Whether a larger number may stay: of a body that was cut, more was announced.
    """

    def fits(value: bytes) -> bool:
        if not value.isdigit() or len(value) > _MOST_DIGITS:
            return False
        return int(value) == length or (or_more and int(value) > length)

    return tuple(
        (name, b"%d" % length) if name.lower() == LENGTH and not fits(value) else (name, value)
        for name, value in headers
    )


def without_length(headers: Headers) -> Headers:
    """The headers without any `content-length`."""
    return tuple(pair for pair in headers if pair[0].lower() != LENGTH)


def of_body(content_type: bytes, body: bytes) -> Headers:
    """The two headers that a body of known length begins with."""
    return ((b"content-type", content_type), (LENGTH, b"%d" % len(body)))


def with_headers(headers: Headers, given: Iterable[tuple[str, str | Literal[False]]]) -> Headers:
    """The headers with others set at the end: what had one of their names goes, and False sets nothing in its place."""
    raw = [(name.encode("latin-1"), value if value is False else value.encode("latin-1")) for name, value in given]
    if not raw:
        return headers
    names = {name.lower() for name, _ in raw}
    kept = (pair for pair in headers if pair[0].lower() not in names)
    return (*kept, *((name, value) for name, value in raw if value is not False))

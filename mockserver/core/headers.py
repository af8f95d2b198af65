"""Headers: the one place that knows how a body's length is announced, how others are set, and how they are told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.core.exchange import Headers

LENGTH: Final = b"content-length"
_FRAMES: Final = frozenset({LENGTH, b"transfer-encoding", b"connection"})
_NAME: Final = re.compile(rb"[A-Za-z0-9-]+")
_VALUE: Final = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_MOST_DIGITS = 19  # no body is longer, and a text of more digits is no number that Python reads


class ReadyHeaders(tuple[tuple[bytes, bytes], ...]):
    """Headers with the bytes that ASGI's `send` makes of them: their lines, with names in lower case.

    As a value it is the tuple that it is; what is made of it, with other headers, is an ordinary one.

    Attributes:
        lines: The lines, each with its end.
        length: What `content-length` says; None where there is none.
    """

    lines: bytes
    length: int | None

    @staticmethod
    def of(headers: Headers, lines: bytes, length: int | None) -> ReadyHeaders:
        """Headers with their lines; whether these are theirs is for who makes them to know."""
        made = ReadyHeaders(headers)
        made.lines, made.length = lines, length
        return made


def as_texts(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Names and values as text; each byte is a character, so that none is lost."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def plain_lines(headers: Headers) -> bytes | None:
    """The lines of headers whose names and values need no second look; None where one does, or frames a body."""
    lines = [b"%b: %b\r\n" % (name.lower(), value) for name, value in headers]
    named = all(_NAME.fullmatch(name) and name.lower() not in _FRAMES for name, _ in headers)
    return b"".join(lines) if named and all(_VALUE.fullmatch(value) for _, value in headers) else None


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

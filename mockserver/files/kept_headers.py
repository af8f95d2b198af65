"""Which headers an exchange file may hold: an allow list, so that a key, a cookie or an organisation has no place.

Trailers have no list, since nobody knows their names beforehand: those whose names tell of a secret are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.core.exchange import Headers

REQUEST_HEADERS: Final = frozenset({"accept", "content-type"})
RESPONSE_HEADERS: Final = frozenset(
    {
        "allow",
        "cache-control",
        "content-encoding",
        "content-length",
        "content-type",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "traceresponse",
        "trailer",
        "www-authenticate",
        "x-accel-buffering",
        "x-content-type-options",
        "x-maas-request-id",
        "x-ratelimit-limit-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
        "x-request-id",
    }
)
SECRET_NAMES: Final = re.compile(
    "auth|cookie|key|token|secret|passw|credential|session|organi[sz]ation|project|signature", re.IGNORECASE
)
"""Names of headers and parameters whose values are secrets."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
Header = tuple[str, str]


def may_be_kept(name: str, allowed: frozenset[str] | None) -> bool:
    """Whether a header of this name has a place in a file; `allowed` is None for trailers."""
    if allowed is not None:
        return name.lower() in allowed
    return SECRET_NAMES.search(name) is None and _NAME.fullmatch(name) is not None


def checked(headers: tuple[Header, ...], allowed: frozenset[str] | None) -> tuple[Header, ...]:
    """The headers of a file; raises ValueError for one that has no place in it."""
    for name, value in headers:
        if not may_be_kept(name, allowed):
            known = f"allowed: {', '.join(sorted(allowed))}" if allowed else "allowed: names that tell of no secret"
            raise ValueError(f"header {name!r} is not kept in files; {known}")
        if any(character in value for character in "\r\n\0"):
            raise ValueError(f"header {name!r} holds a line break")
    return headers


def kept(headers: Iterable[tuple[bytes, bytes]], allowed: frozenset[str] | None) -> tuple[Header, ...]:
    """Those that have a place in a file, as text."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    return tuple(pair for pair in pairs if may_be_kept(pair[0], allowed))


def raw(headers: Iterable[Header]) -> Headers:
    """As they stand on the wire."""
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)

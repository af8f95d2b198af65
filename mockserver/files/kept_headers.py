"""Which headers an exchange file may hold, so that a key, a cookie or an organisation has no place.

What is *written* is decided by an allow list: what steers clients and tells of limits, ids and times (`STEERING`), and
what the operator names. What a file may *hold* is wider, since people write files by hand and name headers of their
own: all but names that tell of a secret, and those that belong to one connection. Trailers have no list, since nobody
knows their names beforehand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import OperatorError
from mockserver.core.headers import as_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.core.exchange import Headers

REQUEST_HEADERS: Final = frozenset({"accept", "content-type"})
STEERING: Final = (
    "allow",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "*retry-after*",
    "server",
    "server-timing",
    "trailer",
    "traceresponse",
    "www-authenticate",
    "x-accel-buffering",
    "x-content-type-options",
    "x-robots-tag",
    "x-should-retry",
    "*ratelimit*",
    "*rate-limit*",
    "request-id",
    "*-request-id",
    "*-requestid",
    "*-trace-id",
    "*-traceid",
    "*-logid",
    "*-ray",
    "*-processing-ms",
    "*-process-time",
    "*-response-time",
    "*-service-time",
    "*-cache",
    "*-cache-status",
    "openai-model",
    "openai-version",
)
"""Response headers that are kept, in lower case; a star stands for any letters."""
_STEERING: Final = re.compile("|".join(re.escape(one).replace(r"\*", "[a-z0-9_.-]*") for one in STEERING))
SECRET_NAMES: Final = re.compile(
    "auth|cookie|key|token|secret|passw|credential|session|organi[sz]ation|project|signature", re.IGNORECASE
)
"""Names of headers and parameters whose values are secrets."""
OF_THE_CONNECTION: Final = frozenset(
    {"connection", "date", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
"""Headers of one connection and one moment: a replay has its own."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
Header = tuple[str, str]


def steers(name: str) -> bool:
    """Whether a response header of this name is kept without being asked for."""
    return _STEERING.fullmatch(name.lower()) is not None


def may_stand(name: str) -> bool:
    """Whether a response header or a trailer of this name has a place in a file."""
    if _NAME.fullmatch(name) is None or name.lower() in OF_THE_CONNECTION:
        return False
    return steers(name) or SECRET_NAMES.search(name) is None


def names_to_keep(names: Iterable[str]) -> frozenset[str]:
    """What `--keep-header` names, in lower case; raises OperatorError for a name that no file may hold."""
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise OperatorError(f"--keep-header {name!r}: give the name of a header; example: --keep-header x-my-limit")
        if not may_stand(name):
            why = "belongs to one connection" if name.lower() in OF_THE_CONNECTION else "tells of a secret"
            raise OperatorError(f"--keep-header {name}: its name {why}, so it is never kept")
    return frozenset(name.lower() for name in names)


def checked_headers(headers: tuple[Header, ...]) -> tuple[Header, ...]:
    """The headers or trailers of a file; raises ValueError for one that has no place in it."""
    for name, _ in headers:
        if not may_stand(name):
            raise ValueError(
                f"header {name!r} is not kept in files; allowed: names that tell of no secret and of no connection"
            )
    for name, value in headers:
        if any(character in value for character in "\r\n\0"):
            raise ValueError(f"header {name!r} holds a line break")
    return headers


def kept_of_request(headers: Iterable[tuple[bytes, bytes]], pinned: frozenset[str] = frozenset()) -> tuple[Header, ...]:
    """Those of a request that are kept, as text; `pinned` are names in lower case by which recordings are found."""
    wanted = REQUEST_HEADERS | {name for name in pinned if may_stand(name)}
    return tuple(pair for pair in as_texts(headers) if pair[0].lower() in wanted)


def kept_of_response(headers: Iterable[tuple[bytes, bytes]], more: frozenset[str] = frozenset()) -> tuple[Header, ...]:
    """Those of an answer that are kept, as text; `more` are names in lower case."""
    return tuple(pair for pair in as_texts(headers) if steers(pair[0]) or pair[0].lower() in more)


def kept_trailers(trailers: Iterable[tuple[bytes, bytes]]) -> tuple[Header, ...]:
    """Those that have a place in a file, as text."""
    return tuple(pair for pair in as_texts(trailers) if may_stand(pair[0]))


def dropped(headers: Iterable[tuple[bytes, bytes]], more: frozenset[str] = frozenset()) -> list[str]:
    """Names of an answer's headers that are not kept, in lower case, each once.

    Those of the connection, and those by which a mock tells of itself, are no loss.
    """
    names = dict.fromkeys(name.lower() for name, _ in as_texts(headers))
    lost = (name for name in names if name not in OF_THE_CONNECTION and not name.startswith("x-mock-"))
    return [name for name in lost if not steers(name) and name not in more]


def told_of_dropped(names: Iterable[str]) -> str:
    """The line that tells of headers that are not kept."""
    return f"not kept: the headers {', '.join(names)}; --keep-header NAME keeps one that holds no secret"


def raw(headers: Iterable[Header]) -> Headers:
    """As they stand on the wire."""
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)

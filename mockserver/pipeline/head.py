"""Stage `head`: the identity of an answer (id, created, model) and the response headers that every answer carries.

Randomness and time are handed in: `entropy` is either a digest of the request (the same request, the same id) or
random bytes; `now_ms` is either the edition's fixed instant or the clock's.
"""

from __future__ import annotations

from binascii import hexlify
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal

from mockserver.core.drawn import drawn, entropy_of
from mockserver.core.exchange import Head, Headers
from mockserver.core.headers import plain_lines
from mockserver.core.immutable import immutable

_SHORTUUID: Final = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # 57 characters, none easily mistaken
_DIGITS: Final = bytes(_SHORTUUID[byte % len(_SHORTUUID)] for byte in range(256))
_LETTERS: Final = bytes(b"abcdefghijklmnopqrstuvwxyz"[byte % 26] for byte in range(256))


@immutable(frozen=True, slots=True)
class HeadSettings:
    """What the head stage needs to know.

    Attributes:
        id_form: How the id is written: a form with a name, explained by its quirk, or one with `{hex:12}` in it.
        chunk_id: Whether the chunks of a stream have this id, ids of their own, or none that says something.
        chunk_created: Whether they have one time, or count up.
        created_type: As what a time is written, in a stream and in a body.
        trace_header: Name of the W3C trace response header, empty for none. Observed on every response in 2026.
        request_id_header: Name of the request id header, empty for none. Observed as `x-maas-request-id`.
    """

    id_form: str = "chatcmpl-22"
    chunk_id: Literal["same", "own", "empty", "null"] = "same"
    chunk_created: Literal["same", "counts-up"] = "same"
    created_type: Literal["integer", "text", "float"] = "integer"
    trace_header: str = "traceresponse"
    request_id_header: str = "x-maas-request-id"


def head(
    model: str,
    settings: HeadSettings,
    entropy: bytes,
    now_ms: int,
    *,
    own_id: str | None = None,
    created: int | None = None,
) -> Head:
    """The identity of one answer.

    Args:
        model: The model that answers.
        settings: This stage's settings.
        entropy: At least 32 bytes; the same bytes give the same head.
        now_ms: Milliseconds since the Unix epoch.
        own_id: The answer's own id, where it has one.
        created: The answer's own time, where it has one.
    """
    headers, lines = headers_with_lines(settings, entropy, now_ms)
    return Head(
        answer_id(settings.id_form, entropy) if own_id is None else own_id,
        now_ms // 1000 if created is None else created,
        model,
        headers,
        lines,
    )


def identify(chunks: list[dict[str, Any]], settings: HeadSettings) -> None:
    """Give the chunks of a stream, or the one body, identities of their own, in place, where the settings say so."""
    if settings.chunk_id != "same":
        for number, chunk in enumerate(chunks):
            if "id" in chunk:
                chunk["id"] = _chunk_id(chunk["id"], number, settings)
    if settings.chunk_created == "counts-up":
        for number, chunk in enumerate(chunks):
            if "created" in chunk:
                chunk["created"] += number
    if settings.created_type != "integer":
        for chunk in chunks:
            if "created" in chunk:
                chunk["created"] = str(chunk["created"]) if settings.created_type == "text" else float(chunk["created"])


def _chunk_id(own: str, number: int, settings: HeadSettings) -> str | None:
    if settings.chunk_id == "own":
        return answer_id(settings.id_form, entropy_of(own.encode(), b"%d" % number)) if number else own
    return "" if settings.chunk_id == "empty" else None


def answer_id(form: str, entropy: bytes) -> str:
    """An id in the given form, drawn from the first bytes of `entropy`."""
    if form == "chatcmpl-22":  # the usual one
        return "chatcmpl-" + entropy[:22].translate(_DIGITS).decode()
    text = entropy[:16].hex()
    if form == "hex-32":
        return text
    if form == "chatcmpl-hex":
        return "chatcmpl-" + text
    if form == "chatcmpl-uuid":
        return f"chatcmpl-{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
    return drawn(form, entropy)


def response_headers(settings: HeadSettings, entropy: bytes, now_ms: int) -> Headers:
    """Trace and request id headers, in the form seen on the live service.

    The trace id begins with yymmddHHMMSS; the request id is milliseconds since the epoch and three letters
    (observed 2026-09 by a client's author, see the API reference, headers).
    """
    return headers_with_lines(settings, entropy, now_ms)[0]


def headers_with_lines(settings: HeadSettings, entropy: bytes, now_ms: int) -> tuple[Headers, bytes | None]:
    """The same, and where there are both the lines in which they are sent."""
    trace_name, id_name, lines = _names(settings.trace_header, settings.request_id_header)
    trace = b"00-%b%b-%b-01" % (_stamp(now_ms // 1000), hexlify(entropy[16:26]), hexlify(entropy[24:32]))
    request_id = b"%d%b" % (now_ms, entropy[:3].translate(_LETTERS))
    both = (trace_name, trace), (id_name, request_id)
    if lines is not None:
        return both, lines % (trace, request_id)
    return tuple(pair for pair in both if pair[0]), None


@lru_cache(maxsize=64)
def _names(trace: str, request_id: str) -> tuple[bytes, bytes, bytes | None]:
    """The names of both headers, and a template of their lines where there are both."""
    names = trace.encode(), request_id.encode()
    lines = plain_lines(tuple((name, b"%b") for name in names))
    return (*names, lines)


@lru_cache(maxsize=1)
def _stamp(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%y%m%d%H%M%S").encode()

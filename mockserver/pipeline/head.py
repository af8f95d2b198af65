"""Stage `head`: the identity of an answer (id, created, model) and the response headers that every answer carries.

Randomness and time are handed in: `entropy` is either a digest of the request (the same request, the same id) or
random bytes; `now_ms` is either the edition's fixed instant or the clock's.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal

from mockserver.core.exchange import Head, Headers
from mockserver.core.immutable import immutable

_SHORTUUID: Final = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # 57 characters, none easily mistaken
_DIGITS: Final = bytes(_SHORTUUID[byte % len(_SHORTUUID)] for byte in range(256))
ALPHABETS: Final = {
    "hex": b"0123456789abcdef",
    "digits": b"0123456789",
    "lower": b"abcdefghijklmnopqrstuvwxyz0123456789",
    "letters": b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
}
"""What the characters of an id in a form of one's own are drawn from."""
_LETTERS: Final = bytes(b"abcdefghijklmnopqrstuvwxyz"[byte % 26] for byte in range(256))


@immutable(frozen=True, slots=True)
class HeadSettings:
    """What the head stage needs to know.

    Attributes:
        id_form: How the id is written; each form is explained by its quirk.
        chunk_id: Whether the chunks of a stream have this id, ids of their own, or none that says something.
        chunk_created: Whether they have one time, or count up.
        trace_header: Name of the W3C trace response header, empty for none. Observed on every response in 2026.
        request_id_header: Name of the request id header, empty for none. Observed as `x-maas-request-id`.
    """

    id_form: str = "chatcmpl-22"
    chunk_id: Literal["same", "own", "empty", "null"] = "same"
    chunk_created: Literal["same", "counts-up"] = "same"
    trace_header: str = "traceresponse"
    request_id_header: str = "x-maas-request-id"


def entropy_of(*parts: bytes) -> bytes:
    """32 bytes that depend on every part and on where each one ends."""
    return hashlib.blake2b(b"".join([b"%d:%b" % (len(part), part) for part in parts]), digest_size=32).digest()


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
    return Head(
        answer_id(settings.id_form, entropy) if own_id is None else own_id,
        now_ms // 1000 if created is None else created,
        model,
        response_headers(settings, entropy, now_ms),
    )


def identify(chunks: list[dict[str, Any]], settings: HeadSettings) -> None:
    """Give the chunks of a stream identities of their own, in place, where the settings say so."""
    if settings.chunk_id != "same":
        for number, chunk in enumerate(chunks):
            if "id" in chunk:
                chunk["id"] = _chunk_id(chunk["id"], number, settings)
    if settings.chunk_created == "counts-up":
        for number, chunk in enumerate(chunks):
            if "created" in chunk:
                chunk["created"] += number


def _chunk_id(own: str, number: int, settings: HeadSettings) -> str | None:
    if settings.chunk_id == "own":
        return answer_id(settings.id_form, entropy_of(own.encode(), b"%d" % number)) if number else own
    return "" if settings.chunk_id == "empty" else None


def answer_id(form: str, entropy: bytes) -> str:
    """An id in the given form, drawn from the first bytes of `entropy`."""
    text = entropy[:16].hex()
    if form == "hex-32":
        return text
    if form == "chatcmpl-hex":
        return "chatcmpl-" + text
    if form == "chatcmpl-uuid":
        return f"chatcmpl-{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
    if form == "chatcmpl-22":
        return "chatcmpl-" + entropy[:22].translate(_DIGITS).decode()
    prefix, alphabet, length = form.rsplit(":", 2)
    if alphabet == "uuid":
        return f"{prefix}{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
    letters, count = ALPHABETS[alphabet], int(length)
    drawn = entropy + entropy_of(entropy)
    return prefix + bytes(letters[byte % len(letters)] for byte in drawn[:count]).decode()


def response_headers(settings: HeadSettings, entropy: bytes, now_ms: int) -> Headers:
    """Trace and request id headers, in the form seen on the live service.

    The trace id begins with yymmddHHMMSS; the request id is milliseconds since the epoch and three letters
    (observed 2026-09 by a client's author, see the API reference, headers).
    """
    headers = []
    if settings.trace_header:
        trace = f"00-{_stamp(now_ms // 1000)}{entropy[16:26].hex()}-{entropy[24:32].hex()}-01"
        headers.append((settings.trace_header.encode(), trace.encode()))
    if settings.request_id_header:
        headers.append((settings.request_id_header.encode(), b"%d%b" % (now_ms, entropy[:3].translate(_LETTERS))))
    return tuple(headers)


@lru_cache(maxsize=1)
def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%y%m%d%H%M%S")

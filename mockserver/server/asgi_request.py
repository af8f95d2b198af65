"""What arrives: a request's path, headers and body, as the application reads them from ASGI."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from mockserver.core.errors import Refusal, shown
from mockserver.core.exchange import Request
from mockserver.files.kept_headers import SECRET_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import Receive, Scope

    from mockserver.core.exchange import Plan
    from mockserver.server.namespace import Namespace

MASKED = b"[masked]"
NO_SECRETS = frozenset({b"idempotency-key", b"x-idempotency-key"})
"""Headers whose names tell of a secret and that hold none."""
MOST_SEED_DIGITS = 20
SHORTEST_MASKED = 8  # characters: a shorter key may be any word
MASK = b"[api key]"
_WINDOW_BYTES = 256 * 1024


class ClientLeftError(Exception):
    """The client left before its request was whole."""


class BodyTooLargeError(Exception):
    """The body passed the limit; the answer is a 413 and the rest is read away for a bounded while."""


def api_key(headers: Mapping[bytes, bytes]) -> str:
    """The request's API key, which names its namespace; empty for none."""
    return headers.get(b"authorization", b"").partition(b" ")[2].strip().decode("latin-1")


def seed_of(headers: Mapping[bytes, bytes], namespace: Namespace, number: int) -> int:
    """The seed of an exchange: what `X-Mock-Seed` says, which repeats an earlier one, or the namespace's next.

    Raises:
        Refusal: it is no such number.
    """
    asked = headers.get(b"x-mock-seed", b"")
    if not asked:
        return namespace.seed_of(number)
    if not asked.isdigit() or len(asked) > MOST_SEED_DIGITS:
        says = f"X-Mock-Seed: {asked[:40].decode('latin-1')!r} is not allowed; allowed: a number of at most "
        raise Refusal("unknown-quirk", f"{says}{MOST_SEED_DIGITS} digits, as x-mock-seed gives it", param="X-Mock-Seed")
    return int(asked)


def without_key(text: str, key: str) -> str:
    """Text without the API key, also where a cut left only its beginning or its end: each character is a star."""
    if len(key) < SHORTEST_MASKED:
        return text
    return _starred(_starred(text, key)[::-1], key[::-1])[::-1]


def _starred(text: str, key: str) -> str:
    at = text.find(key[:SHORTEST_MASKED])
    while at >= 0:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(text[at : at + len(key)], key, strict=False))
        count = sum(1 for _ in alike)
        text = f"{text[:at]}{'*' * count}{text[at + count :]}"
        at = text.find(key[:SHORTEST_MASKED], at + count)
    return text


def refused_without_key(plan: Plan, key: str) -> Plan:
    """A refusal's plan that does not quote the API key; its bytes keep their count."""
    if not plan.source.startswith("refusal:") or len(key) < SHORTEST_MASKED:
        return plan
    detail, secret = without_key(plan.detail, key), key.encode("latin-1")
    if detail == plan.detail and not any(secret in data for data in plan.frames):  # which may repeat the request
        return plan

    def starred(data: bytes) -> bytes:
        return without_key(data.decode("latin-1"), key).encode("latin-1")

    headers = tuple((name, starred(value)) for name, value in plan.headers)
    return replace(plan, headers=headers, frames=tuple(map(starred, plan.frames)), detail=detail)


def kept_path(path: str, key: str) -> str:
    """A path as it may be kept: the API key masked."""
    return path.replace(key, MASK.decode()) if len(key) >= SHORTEST_MASKED and key in path else path


def kept(asked: Request, key: str) -> Request:
    """The request as it may be kept: credentials and cookies masked by their names, the API key wherever it stands."""
    query, headers = asked.query, dict(asked.headers)
    for name in headers.keys() - _harmless:  # nearly always one: what is known is passed over at the speed of C
        if _tells_a_secret(name):
            headers[name] = MASKED
    if query:
        query = masked_query(query)
    if len(key) >= SHORTEST_MASKED:
        secret = key.encode("latin-1")
        if secret in b"\n".join(headers.values()):
            headers = {name: value.replace(secret, MASK) for name, value in headers.items()}
        query = query.replace(key, MASK.decode())
    return Request(asked.method, kept_path(asked.path, key), headers, kept_body(asked.body, key), query)


def kept_body(body: bytes, key: str) -> bytes:
    """A body as it may be kept: the API key masked, however it is spelled."""
    if len(key) < SHORTEST_MASKED:
        return body
    secret = key.encode("latin-1")
    return _masked(body, secret) if b"\\u00" in body else body.replace(secret, MASK)


def _masked(body: bytes, secret: bytes) -> bytes:
    """The body without a secret that may be written in escapes; window by window, so that other threads get a turn."""
    spelled, longest = _spelled(secret), len(b"\\u0000") * len(secret)
    parts: list[bytes] = []
    done = at = 0
    while at < len(body):
        found = spelled.search(body, at, at + _WINDOW_BYTES + longest)
        if found is None:
            at += _WINDOW_BYTES
        else:
            parts += (body[done : found.start()], MASK)
            done = at = found.end()
    return b"".join((*parts, body[done:])) if parts else body


@lru_cache(maxsize=16)
def _spelled(secret: bytes) -> re.Pattern[bytes]:
    r"""A secret in JSON, of which any character may be written as `\uXXXX`."""
    return re.compile(b"".join(rb"(?:%b|(?i:\\u%04x))" % (re.escape(bytes([one])), one) for one in secret))


_harmless: set[bytes] = set()
"""Names of headers that were seen and tell of no secret."""
_MOST_HARMLESS = 1024


def _tells_a_secret(name: bytes) -> bool:
    """Whether a header of this name holds a credential, or may."""
    if name not in NO_SECRETS and SECRET_NAMES.search(name.decode("latin-1")) is not None:
        return True
    if len(_harmless) < _MOST_HARMLESS:
        _harmless.add(name)
    return False


def masked_query(query: str) -> str:
    """A query with the values of parameters masked whose names tell of a secret."""
    return "&".join(
        f"{name}={MASKED.decode()}" if equals and SECRET_NAMES.search(unquote_plus(name)) else f"{name}{equals}{value}"
        for name, equals, value in (part.partition("=") for part in query.split("&"))
    )


_ONE_VALUE: Final = frozenset({b"authorization", b"content-type"})


def request_headers(scope: Scope) -> dict[bytes, bytes]:
    """Request headers by name in lower case; equal names are one list, but of two keys or two types the last counts.

    RFC 9110, section 5.3: lines of one name mean the same as one line with commas between their values.
    """
    sent = scope["headers"]
    headers = dict(sent)
    if len(headers) == len(sent):
        return headers
    lines: dict[bytes, list[bytes]] = {}
    for name, value in sent:
        lines.setdefault(name, []).append(value)
    return {name: values[-1] if name in _ONE_VALUE else b", ".join(values) for name, values in lines.items()}


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; raises BodyTooLargeError as soon as it is known to pass the limit, if possible unread."""
    announced = b"0"
    for name, value in scope["headers"]:
        if name == b"content-length":
            announced = value
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLargeError(f"the body has {int(announced)} bytes; allowed: at most {limit}")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) <= limit:
            return body
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(f"the body has more than {limit} bytes; allowed: at most {limit}")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%_~-]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
"""A host and a port, as a URL may have them (RFC 3986, 3.2.2 and 3.2.3); empty where the target has none."""


def head_trouble(headers: Iterable[tuple[bytes, bytes]], version: str) -> str | None:
    """What is wrong with a head that the parser lets pass.

    Each request of HTTP/1.1 has exactly one Host, which is a host (RFC 9112, 3.2). A body that is coded otherwise than
    in chunks, or in chunks where HTTP/1.0 knows none, ends where two readers may see two ends (6.1).

    Args:
        headers: Its headers, names in lower case.
        version: The protocol's version, as ASGI has it.
    """
    hosts, codings = [], []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
    if version in {"0.9", "2.0"}:
        return f"the request line says HTTP/{version}; HTTP/1.1 is served here"
    if len(hosts) > 1:
        return f"{len(hosts)} Host headers were sent; send one"
    if not hosts and version == "1.1":
        return "no Host header; HTTP/1.1 wants one"
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        return f"Host: {shown(hosts[0].decode('latin-1'))} is no host and port"
    if codings:
        return _coding_trouble(b",".join(codings), version)
    return None


def _coding_trouble(value: bytes, version: str) -> str | None:
    if version == "1.0":
        return "Transfer-Encoding came with HTTP/1.0, which knows none; send Content-Length"
    if {one.strip().lower() for one in value.split(b",")} - {b""} != {b"chunked"}:
        return f"Transfer-Encoding: {shown(value.decode('latin-1'))} is not read here; allowed: chunked"
    return None

"""Secrets have no place to go.

By name: header names decide what an exchange file can hold at all (`exchange_file`), and whose values are secret. By
value: each secret of the run is looked for in everything that would be written, in the spellings in which it could be
echoed. By shape: what looks like a key is masked too, whoever's it is. A mask has the length of what it covers, so
transfer chunks, offsets and `content-length` stay as they came.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

from mockserver.sources.meaning import meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mockserver.exchange import Exchange, Plan

SHORTEST_SECRET: Final = 6
"""Bytes. Shorter values would mask ordinary words; they cannot be kept as headers anyway."""
MASK: Final = b"*"
_SECRET_NAMES = re.compile(
    rb"auth|cookie|key|token|secret|passw|credential|session|organi[sz]ation|project|signature", re.IGNORECASE
)
_SCHEME = re.compile(rb"^(?:bearer|basic|token|digest)\s+", re.IGNORECASE)
KEY_SHAPES: Final = {
    "an API key (sk-…)": re.compile(rb"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}"),
    "a bearer token": re.compile(rb"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{16,}=*"),
    "a JSON web token": re.compile(rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "a cloud access key": re.compile(
        rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bLTAI[0-9A-Za-z]{12,26}\b|\bAIza[0-9A-Za-z_-]{35}"
    ),
    "an access token of a code host": re.compile(rb"\b(?:gh[pousr]|glpat|hf|gsk|xox[abprs])[_-][A-Za-z0-9_-]{16,}"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"),
}


class SpelledSecretError(Exception):
    """A secret is spelled across the chunks of an answer, where no mask can cover it; the exchange is not kept."""


@dataclass(frozen=True)
class Scrubbing:
    """What the operator wants masked besides.

    Attributes:
        fields: Names of JSON fields whose strings are masked, at any depth, in request and response.
        patterns: Compiled expressions over bytes; what they match is masked.
    """

    fields: tuple[str, ...] = ()
    patterns: tuple[Any, ...] = ()


def secret_values(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """The secret parts of headers: keys without their scheme, each cookie's value, organisations and projects."""
    found: set[bytes] = set()
    for name, value in headers:
        if not _SECRET_NAMES.search(name) or name.lower() == b"www-authenticate":
            continue
        bare = _SCHEME.sub(b"", value.strip())
        found |= {value.strip(), bare}
        if b"cookie" in name.lower():
            found |= {part.partition(b"=")[2].strip().strip(b'"') for part in value.split(b";")}
        if value[:6].lower() == b"basic ":
            found |= _basic(bare)
    return {value for value in found if len(value) >= SHORTEST_SECRET}


def query_secrets(query: bytes) -> set[bytes]:
    """The values of a query's secret parameters (`?api_key=…`)."""
    pairs = [part.partition(b"=") for part in query.split(b"&")]
    return {value for name, _, value in pairs if _SECRET_NAMES.search(name) and len(value) >= SHORTEST_SECRET}


def _basic(encoded: bytes) -> set[bytes]:
    try:
        pair = base64.b64decode(encoded, validate=True)
    except ValueError:
        return set()
    return {pair, pair.partition(b":")[2]}


def spellings(secret: bytes) -> set[bytes]:
    """The forms in which a secret may be echoed: as it is, in JSON, in a URL, in base64."""
    text = secret.decode("utf-8", "replace") if _is_text(secret) else secret.decode("latin-1")
    ascii_json = json.dumps(text)[1:-1]
    forms = {secret, ascii_json.encode(), ascii_json.replace("/", "\\/").encode()}
    forms |= {
        json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        quote(text, safe="").encode(),
        quote_plus(text).encode(),
    }
    for shift in range(3):  # base64 of a text that holds the secret: three alignments, without the uncertain edges
        coded = base64.b64encode(b"\0" * shift + secret).rstrip(b"=")
        core = coded[(0, 2, 3)[shift] : -1]
        forms |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class Redactor:
    """Masks the secrets of one exchange.

    Args:
        secrets: Values that must not be written.
        scrubbing: What the operator wants masked besides.
    """

    def __init__(self, secrets: Iterable[bytes] = (), scrubbing: Scrubbing | None = None) -> None:
        self._secrets = frozenset(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
        self._scrubbing = scrubbing or Scrubbing()
        forms = sorted({form for secret in self._secrets for form in spellings(secret)}, key=len, reverse=True)
        self._values = re.compile(b"|".join(map(re.escape, forms))) if forms else None
        self._fields = [
            re.compile(rb'"' + re.escape(json.dumps(name, ensure_ascii=False)[1:-1].encode()) + rb'"\s*:\s*')
            for name in self._scrubbing.fields
        ]

    def masked(self, data: bytes) -> bytes:
        """The same number of bytes, without a secret."""
        for spans in self._spans(data):
            data = _covered(data, spans)
        return data

    def frames(self, frames: Sequence[bytes]) -> tuple[bytes, ...]:
        """The frames of a body, masked also where a secret runs across their boundaries."""
        body = self.masked(b"".join(frames))
        body = _covered(body, self._cut_off(body))
        made, at = [], 0
        for frame in frames:
            made.append(body[at : at + len(frame)])
            at += len(frame)
        return tuple(made)

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange as it may be written; raises SpelledSecretError where that cannot be had."""
        plan = exchange.plan
        if plan is None:
            raise ValueError("an exchange without an answer is not kept")
        plan = replace(
            plan,
            frames=self.frames(plan.frames),
            headers=tuple((name, self.masked(value)) for name, value in plan.headers),
        )
        request = exchange.request
        kept = replace(
            exchange,
            plan=plan,
            request=replace(
                request,
                path=self.masked(request.path.encode()).decode("utf-8", "replace"),
                headers={name: self.masked(value) for name, value in request.headers.items()},
                body=self.masked(request.body),
            ),
        )
        self.check_spelled(plan)
        return kept

    def holds_secret(self, data: bytes) -> bool:
        """Whether a secret of the run stands in `data`, in any of its spellings."""
        return self._values is not None and self._values.search(data) is not None

    def check(self, text: bytes) -> None:
        """The last look at what is to be written; raises SpelledSecretError where a secret is left in it."""
        if self.holds_secret(text):
            raise SpelledSecretError("a secret is left in the file after masking")

    def check_spelled(self, plan: Plan) -> None:
        """Raise SpelledSecretError for an answer whose pieces, joined, spell a secret."""
        try:
            said = meaning(plan)
        except ValueError:
            return
        for pieces in (said.pieces, said.reasoning, *(call.pieces for call in said.tool_calls)):
            data = "".join(pieces).encode("utf-8", "replace")
            if self.holds_secret(data) or next(findings(data), None):
                raise SpelledSecretError("the answer spells a secret across its chunks, where it cannot be masked")

    def _spans(self, data: bytes) -> Iterator[list[tuple[int, int]]]:
        """What is to be covered, kind by kind; covering changes no length, so all spans are those of `data`."""
        if self._values is not None:
            yield [found.span() for found in self._values.finditer(data)]
        for shape in KEY_SHAPES.values():
            yield [found.span() for found in shape.finditer(data)]
        for pattern in self._scrubbing.patterns:
            yield [found.span() for found in pattern.finditer(data)]
        for field in self._fields:
            yield [span for found in field.finditer(data) for span in _value_spans(data, found.end())]

    def _cut_off(self, body: bytes) -> list[tuple[int, int]]:
        """The beginning of a secret at the very end of a body that was cut."""
        for secret in self._secrets:
            for size in range(min(len(secret) - 1, len(body)), SHORTEST_SECRET - 1, -1):
                if body.endswith(secret[:size]):
                    return [(len(body) - size, len(body))]
        return []


def findings(data: bytes) -> Iterator[str]:
    """What in `data` looks like a key, by its kind; the finding itself is not shown."""
    for kind, shape in KEY_SHAPES.items():
        if shape.search(data):
            yield kind


def _covered(data: bytes, spans: Sequence[tuple[int, int]]) -> bytes:
    if not spans:
        return data
    made, at = [], 0
    for start, end in spans:
        made += [data[at:start], MASK * (end - start)]
        at = end
    return b"".join((*made, data[at:]))


_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def _value_spans(data: bytes, start: int) -> list[tuple[int, int]]:
    """The insides of all strings of the JSON value at `start`; numbers stay, since masked ones were no JSON."""
    if data[start : start + 1] == b'"':
        found = _STRING.match(data, start)
        return [found.span(1)] if found else []
    if data[start : start + 1] in {b"{", b"["}:
        try:
            _, end = json.JSONDecoder(strict=False).raw_decode(data.decode("latin-1"), start)
        except (ValueError, RecursionError):
            end = len(data)
        return [found.span(1) for found in _STRING.finditer(data, start, end)]
    return []


def secrets_of(headers: Mapping[bytes, bytes], query: bytes, more: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """All secrets of one exchange: of the request's headers and query, and of the answer's headers."""
    return secret_values(headers.items()) | query_secrets(query) | secret_values(more)


def proxy_secrets(header: bytes) -> set[bytes]:
    """The secrets of a `Proxy-Authorization` line."""
    name, _, value = header.partition(b":")
    return secret_values([(name, value)])

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
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, unquote_to_bytes

from mockserver.core.immutable import immutable
from mockserver.files.kept_headers import SECRET_NAMES, steers
from mockserver.files.key_shapes import KEY_SHAPES, findings, shaped
from mockserver.files.scrubbed_fields import MASK, field_name, without_field
from mockserver.pipeline.coding import body_of, coding_of
from mockserver.pipeline.read import answer_of, choices_of, objects_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mockserver.core.exchange import Exchange, Plan
    from mockserver.files.pattern import Mask

SHORTEST_SECRET: Final = 6
"""Bytes. Shorter values would mask ordinary words; they cannot be kept as headers anyway."""
SHORTEST_ADDED: Final = 8
"""Bytes of a header's value that the operator adds, whatever its name: shorter ones are words such as `openai`."""
_SECRET_NAMES = re.compile(SECRET_NAMES.pattern.encode(), re.IGNORECASE)
_SCHEME = re.compile(rb"^(?:bearer|basic|token|digest)\s+", re.IGNORECASE)
_SAID = re.compile(
    rb'"(content|reasoning_content|reasoning|thinking|text|refusal|arguments)"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"',
    re.DOTALL,
)
_OTHER_CHOICE = re.compile(rb'"index"\s*:\s*[1-9]')
_ESCAPED = re.compile(rb"\\+u00([2-7][0-9A-Fa-f])")


class SpelledSecretError(Exception):
    """A secret is spelled across the chunks of an answer, where no mask can cover it; the exchange is not kept."""


@immutable(frozen=True)
class Scrubbing:
    """What the operator wants masked, and kept, besides.

    Attributes:
        fields: Names of JSON fields whose values are masked, at any depth, in request and response.
        patterns: What they match is masked.
        keep_headers: Response headers, by their names in lower case, that are kept beside the allow list.
    """

    fields: tuple[str, ...] = ()
    patterns: tuple[Mask, ...] = ()
    keep_headers: frozenset[str] = frozenset()


def secret_values(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """The secret parts of headers: keys without their scheme, each cookie's value, organisations and projects."""
    found: set[bytes] = set()
    for name, value in headers:
        if not _SECRET_NAMES.search(name) or steers(name.decode("latin-1")):
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
    """The forms in which a secret may be echoed: as it is, in JSON, in a URL, in base64, in hexadecimal."""
    text = secret.decode("utf-8", "replace") if _is_text(secret) else secret.decode("latin-1")
    ascii_json = json.dumps(text)[1:-1]
    forms = {
        secret,
        ascii_json.encode(),
        ascii_json.replace("/", "\\/").encode(),
        json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        quote(text, safe="").encode(),
        quote_plus(text).encode(),
        secret.hex().encode(),
        secret.hex().upper().encode(),
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
        self._forms = forms
        self._values = re.compile(b"|".join(map(re.escape, forms)))
        self._fields = [field_name(name) for name in self._scrubbing.fields]

    def masked(self, data: bytes) -> bytes:
        """The same number of bytes, without a secret."""
        for spans in self._spans(data):
            data = _covered(data, spans)
        for named in self._fields:
            data = without_field(data, named)
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
            trailers=tuple((name, self.masked(value)) for name, value in plan.trailers),
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
        body = self._looked_through(plan)
        self.check(body)
        self.check_spelled(body)
        return kept

    def _looked_through(self, plan: Plan) -> bytes:
        """The body without its content coding; raises SpelledSecretError where no look or no mask reaches into it."""
        try:
            body = body_of(plan)
        except ValueError as error:
            raise SpelledSecretError(f"the body cannot be looked through for secrets: {error}") from None
        if coding_of(plan) and self.masked(body) != body:
            raise SpelledSecretError("the packed body holds a secret, where it cannot be masked")
        return body

    def holds_secret(self, data: bytes) -> bool:
        """Whether a secret of the run stands in `data`, in any of its spellings."""
        return any(form in data for form in self._forms)

    def check(self, text: bytes) -> None:
        """The last look at what is to be written; raises SpelledSecretError where a secret is left in it.

        It is looked for also behind percent signs and JSON's escapes of letters that need none.
        """
        coded = b"%" in text or b"\\u00" in text
        if self.holds_secret(text) or (coded and self.holds_secret(_decoded(text))):
            raise SpelledSecretError("a secret is left in the file after masking")

    def check_spelled(self, body: bytes) -> None:
        """Raise SpelledSecretError for an answer whose pieces, joined, spell a secret.

        Args:
            body: The answer's body, without its content coding.
        """
        said: dict[bytes, list[bytes]] = {}
        for name, text in _SAID.findall(body):
            said.setdefault(name, []).append(text)
        joined = [_unescaped(b"".join(texts)) for texts in said.values() if len(texts) > 1]
        if _OTHER_CHOICE.search(body):
            joined += _said_by_choice(body)
        for text in joined:
            if self.holds_secret(text) or next(findings(text), None):
                raise SpelledSecretError("the answer spells a secret across its chunks, where it cannot be masked")

    def _spans(self, data: bytes) -> Iterator[list[tuple[int, int]]]:
        """What is to be covered, kind by kind; covering changes no length, so all spans are those of `data`."""
        if self.holds_secret(data):
            yield [found.span() for found in self._values.finditer(data)]
        for kind in KEY_SHAPES:
            yield from ([found.span(found.lastindex or 0) for found in each] for each in shaped(kind, data))
        for pattern in self._scrubbing.patterns:
            yield pattern.spans(data)

    def _cut_off(self, body: bytes) -> list[tuple[int, int]]:
        """The beginning of a secret at the very end of a body that was cut."""
        for secret in self._secrets:
            for size in range(min(len(secret) - 1, len(body)), SHORTEST_SECRET - 1, -1):
                if body.endswith(secret[:size]):
                    return [(len(body) - size, len(body))]
        return []


def _decoded(text: bytes) -> bytes:
    """The text with percent signs and escapes of ASCII letters resolved."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), unquote_to_bytes(text))


def _unescaped(text: bytes) -> bytes:
    """The inside of a JSON string as what it says."""
    if b"\\" not in text:
        return text
    try:
        return str(json.loads(b'"%b"' % text, strict=False)).encode("utf-8", "replace")
    except ValueError:
        return text


def _said_by_choice(body: bytes) -> Iterator[bytes]:
    """What each choice of an answer with several says: their chunks come in turn, so that no two pieces touch."""
    try:
        objects = objects_of(body)
    except ValueError:
        return
    for number in choices_of(objects):
        said = answer_of(objects, choice=number)
        for pieces in (said.pieces, said.reasoning, *(call.pieces for call in said.tool_calls)):
            yield "".join(pieces).encode("utf-8", "replace")


def _covered(data: bytes, spans: Sequence[tuple[int, int]]) -> bytes:
    if not spans:
        return data
    made, at = [], 0
    for start, end in spans:
        made += [data[at:start], MASK * (end - start)]
        at = end
    return b"".join((*made, data[at:]))


def secrets_of(headers: Mapping[bytes, bytes], query: bytes, more: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """All secrets of one exchange: of the request's headers and query, and of the answer's headers."""
    return secret_values(headers.items()) | query_secrets(query) | secret_values(more)


def proxy_secrets(header: bytes) -> set[bytes]:
    """The secrets of a `Proxy-Authorization` line."""
    name, _, value = header.partition(b":")
    return secret_values([(name, value)])


def further_secrets(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """The secrets of headers that the operator adds: who names one names a value that may be secret, if it is long."""
    added = list(headers)
    return secret_values(added) | {value for _, value in added if len(value) >= SHORTEST_ADDED}

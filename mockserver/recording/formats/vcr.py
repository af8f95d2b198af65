"""Cassettes of VCR.py (version 1, YAML).

A cassette knows neither chunks nor times. It is written without a YAML library, since JSON strings are YAML strings;
reading one needs PyYAML, an extra of the package, with its safe loader and without aliases.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import OperatorError
from mockserver.core.extras import to_install
from mockserver.files.exchange_file import exchange_of
from mockserver.pipeline.coding import unpacked
from mockserver.recording.formats.har import HOST
from mockserver.recording.formats.imported_exchange import chat_path, frames_of, imported, reason, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mockserver.files.exchange_file import ExchangeFile
    from mockserver.recording.formats.imported_exchange import Hints, Imported, Pairs

_START = re.compile(rb'(?m)^[ \t]*"?interactions"?:')
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def fits(data: bytes) -> bool:
    """Whether this is a cassette."""
    return _START.search(data[:65536]) is not None


def read(data: bytes, hints: Hints) -> list[Imported]:
    """The chat completions of a cassette; raises ValueError for what is none."""
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise OperatorError(f"reading a VCR cassette needs PyYAML: {to_install('vcr')}") from None
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, yaml.SafeLoader)):
            raise ValueError("aliases (*name) are not read")
        document = yaml.load(data, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    found = document.get("interactions") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise ValueError("interactions: a list is due")  # noqa: TRY004 - one error for bad input
    made = (_interaction(number, one, hints) for number, one in enumerate(found))
    return [one for one in made if one is not None]


def _interaction(number: int, one: Any, hints: Hints) -> Imported | None:
    try:
        request, response = one["request"], one["response"]
        if str(request["method"]).upper() != "POST":
            return None
        body = _bytes(request.get("body"))
        path = chat_path(str(request["uri"]), body, hints)
        came, status = _pairs(response.get("headers")), int(response["status"]["code"])
        body_text = (response.get("body") or {}).get("string")
        data = _bytes(body_text)
        if isinstance(body_text, bytes):  # text was unpacked by the client already, whatever its headers say
            data = unpacked(data, value_of(came, b"content-encoding"))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"interactions[{number}]: {type(error).__name__}: {error}") from None
    if path is None:
        return None
    recorded_at = str(one.get("recorded_at") or "")
    sends = [(0.0, frame) for frame in frames_of(data)]
    return imported((path, _pairs(request.get("headers")), body), (status, came, sends), recorded_at=recorded_at)


def _bytes(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    joined = str(value).encode("utf-16-le", "surrogatepass")  # JSON's escapes of an emoji are two halves to YAML
    return joined.decode("utf-16-le", "replace").encode()


def _pairs(headers: object) -> Pairs:
    if not isinstance(headers, dict):
        return []
    listed = [(name, value if isinstance(value, list) else [value]) for name, value in headers.items()]
    return [(_bytes(name), _bytes(value)) for name, values in listed for value in values]


def write(files: Sequence[ExchangeFile]) -> bytes:
    """The exchanges as a cassette."""
    lines = ["interactions:"]
    for file in files:
        exchange = exchange_of(file)
        request, plan = exchange.request, exchange.plan
        assert plan is not None  # noqa: S101 - a file holds an answer
        lines += [
            "- request:",
            f"    body: {_scalar(request.body)}",
            *_headers(request.headers.items()),
            f"    method: {request.method}",
            f"    uri: {_quoted(HOST + request.path)}",
            "  response:",
            "    body:",
            f"      string: {_scalar(b''.join(plan.frames))}",
            *_headers(plan.headers),
            "    status:",
            f"      code: {plan.status}",
            f"      message: {_quoted(reason(plan.status))}",
        ]
    return "\n".join([*lines, "version: 1", ""]).encode()


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        grouped.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    if not grouped:
        return ["    headers: {}"]
    rows = [f"      {_quoted(name)}: [{', '.join(map(_quoted, values))}]" for name, values in grouped.items()]
    return ["    headers:", *rows]


def _scalar(data: bytes) -> str:
    try:
        return _quoted(data.decode())
    except UnicodeDecodeError:
        return f'!!binary "{base64.b64encode(data).decode()}"'


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)

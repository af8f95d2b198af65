"""JSON without the values of some fields; its length stays, so that chunks and offsets do."""

from __future__ import annotations

import json
import re
from typing import Final

MASK: Final = b"*"
_DECODER: Final = json.JSONDecoder(strict=False)
_VALUE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|-?[0-9][0-9.eE+-]*|true|false', re.DOTALL)
"""A string, to the end where it was cut, or another value that tells something."""


def field_name(name: str) -> re.Pattern[bytes]:
    """Finds a field's name and colon in JSON; its value is next."""
    return re.compile(rb'"' + re.escape(json.dumps(name, ensure_ascii=False)[1:-1].encode()) + rb'"\s*:\s*')


def without_field(data: bytes, named: re.Pattern[bytes]) -> bytes:
    """JSON without the values of a field: strings are masked, numbers are 0 and truth is null, padded with spaces."""
    made, at = [], 0
    text = data.decode("latin-1")
    for found in named.finditer(data):
        start = found.end()
        if start < at:
            continue
        end = start
        if data[start : start + 1] in {b"{", b"["}:
            try:
                _, end = _DECODER.raw_decode(text, start)
            except (ValueError, RecursionError):
                end = len(data)
        elif (value := _VALUE.match(data, start)) is not None:
            end = value.end()
        made += [data[at:start], _VALUE.sub(_stand_in, data[start:end])]
        at = end
    return b"".join((*made, data[at:]))


def _stand_in(found: re.Match[bytes]) -> bytes:
    value = found[0]
    if value.startswith(b'"'):
        whole = len(value) > 1 and value.endswith(b'"')
        return b'"' + MASK * (len(value) - 1 - whole) + b'"' * whole
    return (b"null" if value in {b"true", b"false"} else b"0").ljust(len(value))

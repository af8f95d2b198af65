"""A whole body read: which wire format its bytes are in, and what they hold as far as they can be read.

The bytes decide: content types are unreliable, and a fault may have made something else of what the profile says.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mockserver.pipeline.frame import BOM, WIRE_FORMATS, Done

Json = dict[str, Any]
_EVENT_STARTS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")
_OF_CHUNKS: Final = (b'"delta"', b"chat.completion.chunk")


def wire_format_of(body: bytes) -> str:
    """The row of `WIRE_FORMATS` that reads this body; `json` where none does."""
    start = body.removeprefix(BOM).lstrip()
    if start.startswith(_EVENT_STARTS):
        return "sse"
    first, _, more = start.partition(b"\n")
    chunked = any(mark in start for mark in _OF_CHUNKS)
    return "json-lines" if chunked or (more.strip() and _is_json(first)) else "json"


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def read(body: bytes, wire_format: str) -> tuple[list[Json | Done], str]:
    """The objects and done markers up to the first that cannot be read, and why that is so; empty where all can."""
    reader = WIRE_FORMATS[wire_format].reader()
    found: list[Json | Done] = []
    if wire_format == "json":
        body = body.removeprefix(BOM)
    try:
        for line in body.splitlines(keepends=True):  # of bytes: at line feeds and carriage returns only
            found += reader.feed(line)
        found += reader.close()
    except RecursionError:
        return found, f"object {len(found) + 1} of the body cannot be read: it is nested too deeply"
    except ValueError as error:
        return found, f"object {len(found) + 1} of the body cannot be read: {error}"
    return found, ""


def objects_of(body: bytes) -> list[Json]:
    """The JSON objects of a body, without the done marker; raises ValueError where it cannot be read."""
    found, problem = read(body, wire_format_of(body))
    if problem:
        raise ValueError(problem)
    return [one for one in found if not isinstance(one, Done)]

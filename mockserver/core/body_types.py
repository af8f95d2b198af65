"""What a body is by its bytes: the content type that fits what somebody wrote."""

from __future__ import annotations

import json
from typing import Final

BOM: Final = b"\xef\xbb\xbf"
_EVENT_STARTS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")


def is_events(data: bytes) -> bool:
    """Whether a body, or its beginning, is server-sent events."""
    return data.removeprefix(BOM).lstrip().startswith(_EVENT_STARTS)


def type_of(data: bytes) -> str:
    """The content type that fits a body: events, JSON or JSON lines, HTML, text."""
    start = data.removeprefix(BOM).lstrip()
    if is_events(data):
        return "text/event-stream; charset=utf-8"
    if start.startswith((b"{", b"[")) or (data and not start):  # blanks alone: a JSON body that never came
        return "application/json"
    return "text/html; charset=utf-8" if start.startswith(b"<") else "text/plain; charset=utf-8"


def body_of_value(value: object) -> tuple[str, bytes]:
    """Content type and bytes of what somebody wrote as a body: a text as it is, any other value as JSON."""
    if not isinstance(value, str):
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
        return "application/json; charset=utf-8", data
    data = value.encode("utf-8", "backslashreplace")
    return type_of(data), data

"""Where a network write ends, in words, and of which kind that is."""

from __future__ import annotations

import re
from typing import Final

ANYWHERE: Final = "inside a line"
_ESCAPE: Final = re.compile(rb"\\u[0-9a-fA-F]{4}")
_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_LINE_ENDS: Final = b"\r\n"


def kind_and_words(body: bytes, at: int) -> tuple[str, str]:
    """What a cut before byte `at` of a body falls into: its kind, and words for people.

    A cut behind a blank line, or behind the only line end there is, falls between two events and has no kind.
    """
    if at <= 0 or at >= len(body):
        return "", ""
    if body[at] & 0xC0 == 0x80:
        return "inside a character", f"inside {_character(body, at)}"
    before, after = body[at - 1 : at], body[at : at + 1]
    if before + after == b"\r\n":
        return "inside CRLF", "between CR and LF"
    if before in (b"\r", b"\n"):
        blank = after in (b"\r", b"\n") and not body[:at].endswith((b"\n\n", b"\r\r", b"\r\n\r\n"))
        return ("between newlines", "between two line ends") if blank else ("", "")
    pair = _around(_PAIR, body, at, 12)
    if pair is not None:
        character = pair.decode().encode().decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16")
        return "inside an escaped pair", f"inside the escaped {character!r} ({pair.decode()})"
    escape = _around(_ESCAPE, body, at, 6)
    if escape is not None:
        return "inside an escape", f"inside the escape {escape.decode()}"
    start = max(body.rfind(b"\n", 0, at), body.rfind(b"\r", 0, at)) + 1
    if b"data:".startswith(body[start:at][:5]) and body[start : start + 5] == b"data:" and at - start < 5:
        return "inside data:", f"inside data: (behind {body[start:at].decode()})"
    return ANYWHERE, f"{ANYWHERE}, before {_shown(body[at : at + 12])}"


def within(kind: str, other: str) -> bool:
    """Whether a cut of this kind is one of the other kind too."""
    return kind == other or (other == ANYWHERE and kind.startswith("inside") and kind != "inside CRLF")


def _around(pattern: re.Pattern[bytes], body: bytes, at: int, length: int) -> bytes | None:
    for found in pattern.finditer(body, max(at - length + 1, 0), at + length - 1):
        if found.start() < at < found.end():
            return found[0]
    return None


def _character(body: bytes, at: int) -> str:
    start = next(place for place in range(at, -1, -1) if body[place] & 0xC0 != 0x80)
    end = next((place for place in range(at, len(body)) if body[place] & 0xC0 != 0x80), len(body))
    found = body[start:end].decode("utf-8", "replace")
    if found == "\ufeff":
        return "the byte order mark"
    halves = f"{body[start:at].hex(' ')} | {body[at:end].hex(' ')}"
    return f"{found if found.isprintable() else ascii(found)} ({halves})"


def _shown(data: bytes) -> str:
    return repr(data.partition(b"\n")[0].decode("utf-8", "ignore"))

"""Whether a path stays below the upstream's base path, however the upstream decodes it.

The operator gave a key for what lies below that base. Servers and what stands before them decode once or twice, take
a backslash for a slash, an overlong or full-width form for the character; so every reading is looked at.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

from mockserver.core.errors import Refusal

MOST_DECODINGS: Final = 8
"""How often a path may be percent-encoded over itself."""
_MALFORMED: Final = re.compile(r"%(?![0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})")
_WIDE: Final = re.compile(r"%[uU]([0-9A-Fa-f]{4})")


def check_inner(path: str) -> None:
    """Let a path through as it stood in the request, or raise Refusal (400) for one that may lead elsewhere."""
    trouble = "" if path.startswith("/") else "it does not begin with a slash"
    if not trouble and _MALFORMED.search(path):
        trouble = "a % in it begins no percent-encoding; write %25"
    read = path
    for _ in range(MOST_DECODINGS):
        trouble = trouble or _leads_out(read)
        if trouble:
            break
        before, read = read, _decoded(read)
        if read == before:
            return
    trouble = trouble or f"it is percent-encoded more than {MOST_DECODINGS} times"
    shown = path if len(path) <= 100 else path[:97] + "..."
    raise Refusal("invalid-http", f"the path {shown!r} is not passed on: {trouble}")


def _decoded(path: str) -> str:
    """One decoding, `%uXXXX` of older servers too; what is not UTF-8 stands as U+FFFD."""
    plain = _WIDE.sub(lambda found: chr(int(found[1], 16)), path)
    return unquote_to_bytes(plain.encode("utf-8", "replace")).decode("utf-8", "replace")


def _leads_out(path: str) -> str:
    """What of one reading may lead elsewhere; empty for nothing."""
    if "\ufffd" in path:
        return "it is not UTF-8"
    plain = normalize("NFKC", path)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in plain):
        return "it holds a control character"
    if "\\" in plain:
        return "it holds a backslash"
    segments = plain.split("/")
    if "" in segments[1:-1]:
        return "it has two slashes in a row"
    if any(segment.partition(";")[0].strip() in {".", ".."} for segment in segments):
        return "it has a segment . or .."
    return ""

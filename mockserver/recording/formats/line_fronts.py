"""What a terminal put around each line of a paste: one name in front of all of them, or Python's spelling of bytes."""

from __future__ import annotations

import ast
import re
from typing import Final

_SPELLED: Final = re.compile(rb"b(['\"]).*\1")
_FIELD: Final = re.compile(rb"(?:data|event|retry|\bid):|\{")
_QUOTED: Final = re.compile(rb"[\s>]*")  # marks of quotation are another matter


def without_fronts(data: bytes) -> tuple[bytes, str]:
    """The lines as they were sent, and what was changed, in words; nothing where one line is not like the others.

    Docker Compose writes `app-1  | data: …`; `print(line)` of a Python client writes `b'data: …'`.
    """
    lines = data.splitlines(keepends=True)
    said = [line for line in lines if line.strip()]
    if said and all(_SPELLED.fullmatch(line.strip()) for line in said):
        return _read(data, said)
    opening = next((line[: at.start()] for line in said if (at := _FIELD.search(line))), b"")
    if _QUOTED.fullmatch(opening) or sum(line.startswith(opening) for line in said) < 2:
        return data, ""
    bare = [_bare(line, opening) for line in lines]
    if None in bare:
        return data, ""
    return b"".join(line for line in bare if line is not None), "the same words in front of each line taken off"


def _bare(line: bytes, opening: bytes) -> bytes | None:
    """A line without its opening; None for one that has another."""
    if line.startswith(opening):
        return line[len(opening) :]
    if line.strip() in {b"", opening.strip()}:
        return line[len(line.rstrip(b"\r\n")) :]
    return None


def _read(data: bytes, said: list[bytes]) -> tuple[bytes, str]:
    """What Python's spelling of bytes says: lines, or, where one holds a newline, the parts of a body."""
    try:
        parts = [ast.literal_eval(line.strip().decode("ascii")) for line in said]
    except (ValueError, SyntaxError):
        return data, ""
    if not all(isinstance(part, bytes) for part in parts):
        return data, ""
    between = b"" if any(b"\n" in part for part in parts) else b"\n"
    return between.join(parts) + between, "Python's spelling of bytes read"

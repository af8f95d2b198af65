"""JSON as RFC 8259 has it, read from people one cannot trust: whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

BOM: Final = "\ufeff"


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON (RFC 8259, section 6)")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


def loads(data: bytes | str) -> Any:
    """The value of a JSON text.

    Python's own reader takes `NaN`, `Infinity` and a byte order mark too, guesses at other encodings, and has errors of
    its own for what is nested too deeply.

    Raises:
        ValueError: it is not JSON; the text says why, in one line.
    """
    text = data.decode() if isinstance(data, bytes) else data
    if text.startswith(BOM):
        raise ValueError("a byte order mark stands before the JSON (RFC 8259, section 8.1)")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def dumps(value: Any) -> bytes:
    """A value as UTF-8; half a character, which UTF-8 cannot hold, makes the whole be written with escapes."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()

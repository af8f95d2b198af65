"""JSON as RFC 8259 has it, read from people one cannot trust: whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
import re
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


_NAMES: Final = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*+:')


def repeated_key(data: bytes) -> str:
    """Where a JSON text that people write has a key twice, of which readers take one or the other; empty for nowhere.

    Args:
        data: JSON that was read without an error.
    """
    names = _NAMES.findall(data)
    if len({*names}) == len(names) and b"\\" not in data:
        return ""  # mostly, and sooner
    seen: list[tuple[dict[str, Any], str]] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            seen.append((made, next(key for key in keys if keys.count(key) > 1)))
        return made

    whole = json.loads(data, object_pairs_hook=unique)
    if not seen:
        return ""
    holder, key = seen[-1]
    return f"{_where(whole, holder)}.{key}".lstrip(".")


def _where(value: Any, sought: object) -> str:
    """The path to an object inside a value; empty for the value itself, and for one that another has replaced."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        where, one = waiting.pop()
        if one is sought:
            return where
        if isinstance(one, dict):
            waiting += [(f"{where}.{key}", each) for key, each in one.items()]
        elif isinstance(one, list):
            waiting += [(f"{where}[{number}]", each) for number, each in enumerate(one)]
    return ""


def dumps(value: Any) -> bytes:
    """A value as UTF-8; half a character, which UTF-8 cannot hold, makes the whole be written with escapes."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()

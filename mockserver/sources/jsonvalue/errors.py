"""What is said where no value can be made, and the words for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mockserver.core.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnsatisfiableSchemaError(ValueError):
    """No value can be made for a schema: it contradicts itself, is no schema, or is beyond this generator.

    The text is one line: where, why, what to change.

    Attributes:
        where: Path such as `tools[0].function.parameters.properties.age`.
        why: What was seen and what was allowed.
    """

    def __init__(self, where: str, why: str, fix: str) -> None:
        super().__init__(printable(f"{where}: {why}; {fix}"))
        self.where = printable(where)
        self.why = printable(why)


class OutOfStepsError(Exception):
    """The work allowed for one value is done."""


def shown(value: object) -> str:
    """A value for a message: JSON, at most 60 characters, one line."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > 60:
            text = f"{text[:57]}..."
            break
    return printable(text)


def _pieces(value: object) -> Iterator[str]:
    """A value's JSON in pieces, so that only what is shown is written; long texts are cut, being too long anyway."""
    if isinstance(value, dict):
        for number, (key, item) in enumerate(value.items()):
            yield ", " if number else "{"
            yield f"{json.dumps(str(key)[:61], ensure_ascii=False)}: "
            yield from _pieces(item)
        yield "}" if value else "{}"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield ", " if number else "["
            yield from _pieces(item)
        yield "]" if value else "[]"
    else:
        yield json.dumps(value[:61] if isinstance(value, str) else value, ensure_ascii=False)


def inside(where: str, key: str | int) -> str:
    """The path one step further down."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    plain = key.replace("$", "").replace("-", "_").isidentifier()
    return f"{where}.{key}" if plain and len(key) <= 60 else f"{where}[{shown(key)}]"

"""What is said where no value can be made, and the words for it."""

from __future__ import annotations

import json


class UnsatisfiableSchemaError(ValueError):
    """No value can be made for a schema: it contradicts itself, is no schema, or is beyond this generator.

    The text is one line: where, why, what to change.

    Attributes:
        where: Path such as `tools[0].function.parameters.properties.age`.
        why: What was seen and what was allowed.
    """

    def __init__(self, where: str, why: str, fix: str) -> None:
        super().__init__(one_line(f"{where}: {why}; {fix}"))
        self.where = one_line(where)
        self.why = one_line(why)


class OutOfStepsError(Exception):
    """The work allowed for one value is done."""


def one_line(text: str) -> str:
    """A text with everything unprintable escaped, line breaks of all kinds among it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object) -> str:
    """A value for a message: JSON, at most 60 characters, one line."""
    text = ""
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        text += piece
        if len(text) > 60:
            text = f"{text[:57]}..."
            break
    return one_line(text)


def inside(where: str, key: str | int) -> str:
    """The path one step further down."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    plain = key.replace("$", "").replace("-", "_").isidentifier()
    return f"{where}.{key}" if plain and len(key) <= 60 else f"{where}[{shown(key)}]"

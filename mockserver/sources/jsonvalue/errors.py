"""What is said where no value can be made, and the words for it."""

from __future__ import annotations

from mockserver.core.errors import printable, shown_json


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


def inside(where: str, key: str | int) -> str:
    """The path one step further down."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    plain = key.replace("$", "").replace("-", "_").isidentifier()
    return f"{where}.{key}" if plain and len(key) <= 60 else f"{where}[{shown_json(key)}]"

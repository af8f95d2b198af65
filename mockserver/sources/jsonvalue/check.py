"""Whether a value is valid against a schema: the judge of what the generator makes, and of its branches.

`CHECKS` has one row for each keyword that can reject a value. `format` is asserted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mockserver.sources.jsonvalue import pattern as patterns
from mockserver.sources.jsonvalue.document import (
    CHARACTERS_A_STEP,
    DEEPEST,
    dependents,
    formats_of,
    item_schema,
    limits,
    prefix,
    types_of,
)
from mockserver.sources.jsonvalue.errors import OutOfStepsError
from mockserver.sources.jsonvalue.shape import TYPES, exact, is_number
from mockserver.sources.jsonvalue.text import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from mockserver.sources.jsonvalue.document import Document
    from mockserver.sources.jsonvalue.shape import Schema

    Check = Callable[["Judge", Schema, Any], bool]


def identity(value: Any) -> Hashable:
    """The same for equal JSON values only: 1 equals 1.0, true is not 1."""
    if isinstance(value, dict):
        return "object", frozenset((key, identity(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", tuple(identity(item) for item in value)
    return (type(value).__name__ if isinstance(value, bool) else "scalar"), value


class Judge:
    """Judges values against the schemas of one document, and spends that document's steps."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._open: set[tuple[int, int]] = set()
        self._enums: dict[int, frozenset[Hashable]] = {}

    def failing(self, schema: Any, value: Any) -> str | None:
        """The first keyword that rejects a value (`false` for the schema false); None when the value is valid.

        Raises:
            UnsatisfiableSchemaError: A pattern or reference in the schema cannot be judged.
            OutOfStepsError: The work allowed is done.
        """
        if isinstance(schema, bool):
            return None if schema else "false"
        self.document.spend(1 + len(schema))
        mark = id(schema), id(value)
        if mark in self._open:
            return "$ref"  # it leads back to itself without a step into the value
        if len(self._open) > DEEPEST:
            raise OutOfStepsError
        self._open.add(mark)
        try:
            for keyword in schema:
                check = CHECKS.get(keyword)
                if check is not None and not check(self, schema, value):
                    return str(keyword)
        finally:
            self._open.discard(mark)
        return None

    def enumerated(self, schema: Schema) -> frozenset[Hashable]:
        """The identities of an enum's values."""
        if id(schema) not in self._enums:
            self.document.weigh(schema["enum"])
            self._enums[id(schema)] = frozenset(identity(value) for value in schema["enum"])
        return self._enums[id(schema)]

    def valid(self, schema: Any, value: Any) -> bool:
        """Whether a value is valid; raises what `failing` raises."""
        return self.failing(schema, value) is None


def _type(_: Judge, schema: Schema, value: Any) -> bool:
    return any(TYPES[name](value) for name in types_of(schema))


def _enum(judge: Judge, schema: Schema, value: Any) -> bool:
    judge.document.weigh(value)
    return identity(value) in judge.enumerated(schema)


def _const(judge: Judge, schema: Schema, value: Any) -> bool:
    judge.document.weigh(value)
    judge.document.weigh(schema["const"])
    return identity(value) == identity(schema["const"])


def _limits(judge: Judge, schema: Schema, value: Any) -> bool:
    if not is_number(value):
        return True
    judge.document.spend(6)
    number = exact(value)
    return all(
        side * (number - bound) > 0 or (number == bound and not strict) for side, _, bound, strict in limits(schema)
    )


def _multiple_of(judge: Judge, schema: Schema, value: Any) -> bool:
    judge.document.spend(6)
    return not is_number(value) or (exact(value) / exact(schema["multipleOf"])).denominator == 1


def _sized(kind: type[str] | type[list[Any]] | type[dict[str, Any]], fewest: str, most: str) -> Check:
    def check(_: Judge, schema: Schema, value: Any) -> bool:
        return not isinstance(value, kind) or schema.get(fewest, 0) <= len(value) <= schema.get(most, len(value))

    return check


def _pattern(judge: Judge, schema: Schema, value: Any) -> bool:
    return not isinstance(value, str) or judge.document.matches(schema, schema["pattern"], value)


def _format(judge: Judge, schema: Schema, value: Any) -> bool:
    if not isinstance(value, str):
        return True
    judge.document.spend(2 + len(value) // CHARACTERS_A_STEP)
    if "regex" in formats_of(schema):
        judge.document.spend(patterns.cost(value))
    return all(FORMATS[name].has(value) for name in formats_of(schema) if name in FORMATS)


def _properties(judge: Judge, schema: Schema, value: Any) -> bool:
    return not isinstance(value, dict) or all(
        judge.valid(said, item)
        for name, item in value.items()
        for said, _ in judge.document.property_schemas(schema, name)
    )


def _property_names(judge: Judge, schema: Schema, value: Any) -> bool:
    return not isinstance(value, dict) or all(judge.valid(schema["propertyNames"], name) for name in value)


def _required(judge: Judge, schema: Schema, value: Any) -> bool:
    judge.document.spend(len(schema["required"]) // 8)
    return not isinstance(value, dict) or all(name in value for name in schema["required"])


def _dependents(judge: Judge, schema: Schema, value: Any) -> bool:
    judge.document.spend(sum(1 + len(more) // 8 for _, more, _ in dependents(schema) if not isinstance(more, bool)))
    return not isinstance(value, dict) or all(
        all(other in value for other in more) if isinstance(more, list) else judge.valid(more, value)
        for name, more, _ in dependents(schema)
        if name in value
    )


def _items(judge: Judge, schema: Schema, value: Any) -> bool:
    if isinstance(value, list):
        judge.document.spend(len(value) * (1 + len(prefix(schema)) // 32))
    return not isinstance(value, list) or all(
        judge.valid(item_schema(schema, place)[0], item) for place, item in enumerate(value)
    )


def _unique_items(judge: Judge, schema: Schema, value: Any) -> bool:
    judge.document.weigh(value)
    return not schema["uniqueItems"] or not isinstance(value, list) or len(set(map(identity, value))) == len(value)


def _contains(judge: Judge, schema: Schema, value: Any) -> bool:
    if not isinstance(value, list):
        return True
    count = sum(judge.valid(schema["contains"], item) for item in value)
    return bool(schema.get("minContains", 1) <= count <= schema.get("maxContains", count))


def _if(judge: Judge, schema: Schema, value: Any) -> bool:
    return judge.valid(schema.get("then" if judge.valid(schema["if"], value) else "else", True), value)


CHECKS: Final[dict[str, Check]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    **dict.fromkeys(("format", "contentEncoding"), _format),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _limits),
    **dict.fromkeys(("minLength", "maxLength"), _sized(str, "minLength", "maxLength")),
    **dict.fromkeys(("minItems", "maxItems"), _sized(list, "minItems", "maxItems")),
    **dict.fromkeys(("minProperties", "maxProperties"), _sized(dict, "minProperties", "maxProperties")),
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties"), _properties),
    "propertyNames": _property_names,
    "required": _required,
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "dependencies"), _dependents),
    **dict.fromkeys(("prefixItems", "items", "additionalItems"), _items),
    "uniqueItems": _unique_items,
    "contains": _contains,
    "$ref": lambda judge, schema, value: judge.valid(judge.document.resolve(schema), value),
    "allOf": lambda judge, schema, value: all(judge.valid(s, value) for s in schema["allOf"]),
    "anyOf": lambda judge, schema, value: any(judge.valid(s, value) for s in schema["anyOf"]),
    "oneOf": lambda judge, schema, value: sum(judge.valid(s, value) for s in schema["oneOf"]) == 1,
    "not": lambda judge, schema, value: not judge.valid(schema["not"], value),
    "if": _if,
}

"""The shape of a schema: which value each keyword takes, and where schemas stand inside schemas."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import shown_json
from mockserver.sources.jsonvalue.errors import UnsatisfiableSchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Schema = dict[str, Any]
    Shape = tuple[Callable[[Any], bool], str]


def exact(number: float) -> Fraction:
    """A JSON number as the decimal that was written, so that 0.3 is a multiple of 0.1."""
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def is_number(value: object) -> bool:
    """Whether a value is a JSON number; a boolean is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Whether a value is an integer of JSON Schema: 1.0 is one."""
    return is_number(value) and value == math.floor(value)


_COUNT: Final[Shape] = (lambda v: is_integer(v) and v >= 0, "an integer from 0")
_NUMBER: Final[Shape] = (is_number, "a number")
_LIMIT: Final[Shape] = (lambda v: is_number(v) or isinstance(v, bool), "a number")
_SCHEMA: Final[Shape] = (lambda v: isinstance(v, (dict, bool)), "a schema (an object or a boolean)")
_LIST: Final[Shape] = (lambda v: isinstance(v, list) and bool(v), "a list with at least one schema")
_MAP: Final[Shape] = (lambda v: isinstance(v, dict), "an object of schemas")
_TEXT: Final[Shape] = (lambda v: isinstance(v, str), "a string")
_FLAG: Final[Shape] = (lambda v: isinstance(v, bool), "true or false")
_NAMES: Final[Shape] = (lambda v: isinstance(v, list) and all(isinstance(n, str) for n in v), "a list of strings")

TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "number": is_number,
    "integer": is_integer,
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


def listed(value: Any) -> list[Any]:
    """A value that may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


SHAPES: Final[dict[str, Shape]] = {
    "type": (
        lambda v: isinstance(v, (str, list)) and v != [] and all(isinstance(t, str) and t in TYPES for t in listed(v)),
        f"one of {', '.join(TYPES)}, or a list of them",
    ),
    "enum": (lambda v: isinstance(v, list) and bool(v), "a list with at least one value"),
    "examples": (lambda v: isinstance(v, list), "a list"),
    "required": _NAMES,
    "dependentRequired": (lambda v: isinstance(v, dict) and all(map(_NAMES[0], v.values())), "an object of name lists"),
    "multipleOf": (lambda v: is_number(v) and v > 0, "a number above 0"),
    "items": (lambda v: isinstance(v, (dict, bool, list)), "a schema, or a list of schemas"),
    "dependencies": (_MAP[0], "an object of schemas or name lists"),
    **dict.fromkeys(("minimum", "maximum"), _NUMBER),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _LIMIT),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("minContains", "maxContains"), _COUNT),
    **dict.fromkeys(("pattern", "format", "$ref", "$anchor", "$dynamicAnchor", "$id", "contentEncoding"), _TEXT),
    **dict.fromkeys(("uniqueItems", "nullable"), _FLAG),
    **dict.fromkeys(("additionalProperties", "propertyNames", "additionalItems", "contains"), _SCHEMA),
    **dict.fromkeys(("not", "if", "then", "else"), _SCHEMA),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _LIST),
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"), _MAP),
}
"""What the value of each keyword must be, and the words for it."""

BEYOND: Final = ("$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems")


def subschemas(schema: Schema) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The schemas directly inside a schema of good shape, each with the path to it."""
    for keyword, value in schema.items():
        shape = SHAPES.get(keyword)
        if shape is _SCHEMA or (keyword == "items" and not isinstance(value, list)):
            yield (keyword,), value
        elif shape is _LIST or keyword == "items":
            yield from (((keyword, place), item) for place, item in enumerate(value))
        elif shape is _MAP:
            yield from (((keyword, name), item) for name, item in value.items())
        elif keyword == "dependencies":
            yield from (((keyword, name), item) for name, item in value.items() if not isinstance(item, list))


def check_shape(schema: Schema, where: str) -> None:
    """Raise UnsatisfiableSchemaError for the first keyword whose value is of the wrong kind."""
    for keyword, value in schema.items():
        if keyword in BEYOND and value is not True and value != {}:
            raise UnsatisfiableSchemaError(
                where, f"{keyword} is beyond this generator", "describe the value without it"
            )
        fits, allowed = SHAPES.get(keyword, (None, ""))
        if fits is not None and not fits(value):
            raise UnsatisfiableSchemaError(where, f"{keyword} is {shown_json(value)}", f"it must be {allowed}")

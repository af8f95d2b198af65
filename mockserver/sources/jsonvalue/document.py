"""What a JSON Schema says: its shape, its references, and what it says of a part of a value.

`Document` holds one schema with its `$id`s and anchors, checks it before anything is made of it, and counts the work
that is done on it. Only what generation needs: no network, no meta-schemas, no `unevaluatedProperties`.

The rules are those of draft 2020-12 (json-schema.org/draft/2020-12), with the older forms that are still sent: `items`
as a list, `definitions`, `dependencies`, `exclusiveMinimum: true`, OpenAPI's `nullable`.
"""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urldefrag, urljoin

from mockserver.sources.jsonvalue import pattern as patterns
from mockserver.sources.jsonvalue.text import is_chinese

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Schema = dict[str, Any]
    Shape = tuple[Callable[[Any], bool], str]

STEPS: Final = 20_000
"""Work allowed for one value: schemas entered, while checking and while making."""
DEEPEST: Final = 100
"""Levels of objects and arrays in a schema, and of schemas that lead to one another without a step into the value."""


class UnsatisfiableSchemaError(ValueError):
    """No value can be made for a schema: it contradicts itself, is no schema, or is beyond this generator.

    The text is one line: where, why, what to change.

    Attributes:
        where: Path such as `tools[0].function.parameters.properties.age`.
        why: What was seen and what was allowed.
    """

    def __init__(self, where: str, why: str, fix: str) -> None:
        super().__init__(f"{where}: {why}; {fix}")
        self.where = where
        self.why = why


class OutOfStepsError(Exception):
    """The work allowed for one value is done."""


def shown(value: object) -> str:
    """A value for a message: JSON, at most 60 characters, one line."""
    text = ""
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        text += piece
        if len(text) > 60:
            text = f"{text[:57]}..."
            break
    return text if text.isprintable() else text.encode("ascii", "backslashreplace").decode()


def inside(where: str, key: str | int) -> str:
    """The path one step further down."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    plain = key.replace("$", "").replace("-", "_").isidentifier()
    return f"{where}.{key}" if plain and len(key) <= 60 else f"{where}[{shown(key)}]"


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


class Document:
    """One schema, checked, with everything that it refers to.

    Args:
        root: The schema, any JSON value.
        where: Its path, for messages.

    Raises:
        UnsatisfiableSchemaError: The root is no schema; says which keyword is at fault.
    """

    def __init__(self, root: Any, where: str) -> None:
        self.root = root
        self.where = where
        self.steps = 0
        self.chinese = False
        self._places: dict[int, tuple[str, str]] = {}
        self._targets: dict[tuple[str, str], tuple[Any, str]] = {}
        self._check_json()
        self._targets["", ""] = root, where
        self._enter(root, where, "")

    def spend(self, steps: int = 1) -> None:
        """Count work; raises OutOfStepsError past the limit."""
        self.steps += steps
        if self.steps > STEPS:
            raise OutOfStepsError

    def place(self, schema: Any) -> str:
        """The path of a schema that stands in this document."""
        return self._places.get(id(schema), (self.where, ""))[0]

    def _check_json(self) -> None:
        """Refuse what is no JSON, too deep or too large, before anything walks through it."""
        level, left = [self.root], STEPS
        for _ in range(DEEPEST):
            for value in level:
                texts = [*value] if isinstance(value, dict) else [value] if isinstance(value, str) else []
                if any("\ud800" <= c <= "\udfff" for text in texts for c in text):
                    self._refuse("it holds half of a surrogate pair", "send whole characters")
                if isinstance(value, float) and not math.isfinite(value):
                    self._refuse("it holds NaN or an infinity", "use finite numbers")
                self.chinese = self.chinese or any(map(is_chinese, texts))
            containers = [value for value in level if isinstance(value, (dict, list))]
            level = [item for c in containers for item in (c.values() if isinstance(c, dict) else c)]
            left -= len(level)
            if left < 0:
                self._refuse(f"it holds more than {STEPS} values", "make it smaller")
            if not level:
                return
        self._refuse(f"it nests deeper than {DEEPEST} levels", "make it flatter")

    def _refuse(self, why: str, fix: str) -> None:
        raise UnsatisfiableSchemaError(self.where, why, fix)

    def _enter(self, schema: Any, where: str, base: str) -> None:
        """Check the shape of a schema and of all inside it; index what can be referred to."""
        todo = [(schema, where, base)]
        while todo:
            schema, where, base = todo.pop()
            if isinstance(schema, bool) or (id(schema) in self._places):
                continue
            if not isinstance(schema, dict):
                raise UnsatisfiableSchemaError(
                    where, f"{shown(schema)} is not a schema", "a schema is an object, true or false"
                )
            check_shape(schema, where)
            if "$id" in schema:
                base = urldefrag(joined(base, schema["$id"], where))[0]
                self._targets[base, ""] = schema, where
            for anchor in ("$anchor", "$dynamicAnchor"):
                if anchor in schema:
                    self._targets[base, schema[anchor]] = schema, where
            self._places[id(schema)] = where, base
            for path, item in subschemas(schema):
                deeper = where
                for key in path:
                    deeper = inside(deeper, key)
                todo.append((item, deeper, base))

    def resolve(self, schema: Schema) -> Any:
        """The schema that `$ref` names; raises UnsatisfiableSchemaError when this document does not hold it."""
        ref, where = schema["$ref"], self.place(schema)
        base = self._places[id(schema)][1] if id(schema) in self._places else ""
        uri, fragment = urldefrag(joined(base, ref, where))
        fragment = unquote(fragment)
        found = self._targets.get((uri, fragment)) or self._pointed(uri, fragment)
        if found is None:
            raise UnsatisfiableSchemaError(
                where, f"$ref {shown(ref)} names nothing in this schema", "refer to a place in it, such as #/$defs/Name"
            )
        return found[0]

    def _pointed(self, uri: str, pointer: str) -> tuple[Any, str] | None:
        """The schema at a JSON Pointer (RFC 6901), kept for the next time."""
        if (uri, "") not in self._targets or not pointer.startswith("/"):
            return None
        value, where = self._targets[uri, ""]
        for token in pointer[1:].split("/"):
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and key in value:
                value, where = value[key], inside(where, key)
            elif isinstance(value, list) and token in map(str, range(len(value))):
                value, where = value[int(token)], inside(where, int(token))
            else:
                return None
        self._enter(value, where, uri)
        self._targets[uri, pointer] = value, where
        return value, where

    def matches(self, schema: Schema, pattern: str, text: str) -> bool:
        """Whether a pattern in a schema is found in a text; UnsatisfiableSchemaError for one that cannot be judged."""
        self.spend()
        try:
            return patterns.matches(pattern, text)
        except patterns.PatternBeyondError as error:
            raise beyond(pattern, error, self.place(schema)) from None

    def property_schemas(self, schema: Schema, name: str) -> Iterator[tuple[Any, tuple[str, ...]]]:
        """What one schema says of one property: each schema that applies, and the path to it."""
        known = False
        if name in schema.get("properties", {}):
            known = True
            yield schema["properties"][name], ("properties", name)
        for pattern, item in schema.get("patternProperties", {}).items():
            if self.matches(schema, pattern, name):
                known = True
                yield item, ("patternProperties", pattern)
        if not known and "additionalProperties" in schema:
            yield schema["additionalProperties"], ("additionalProperties",)


def beyond(pattern: str, error: patterns.PatternBeyondError, where: str) -> UnsatisfiableSchemaError:
    """The complaint about a pattern."""
    return UnsatisfiableSchemaError(
        where, f"pattern {shown(pattern)} is beyond this generator: {error}", "simplify it, or give examples"
    )


def joined(base: str, reference: str, where: str) -> str:
    """A reference resolved against a base (RFC 3986); raises UnsatisfiableSchemaError for one that is no URI."""
    try:
        return urljoin(base, reference)
    except ValueError:
        raise UnsatisfiableSchemaError(where, f"{shown(reference)} is not a URI reference", "correct it") from None


def check_shape(schema: Schema, where: str) -> None:
    """Raise UnsatisfiableSchemaError for the first keyword whose value is of the wrong kind."""
    for keyword, value in schema.items():
        if keyword in BEYOND and value is not True and value != {}:
            raise UnsatisfiableSchemaError(
                where, f"{keyword} is beyond this generator", "describe the value without it"
            )
        fits, allowed = SHAPES.get(keyword, (None, ""))
        if fits is not None and not fits(value):
            raise UnsatisfiableSchemaError(where, f"{keyword} is {shown(value)}", f"it must be {allowed}")


def prefix(schema: Schema) -> list[Any]:
    """The schemas of the first items, in either of the two forms."""
    items = schema.get("items")
    return list(schema.get("prefixItems", items if isinstance(items, list) else ()))


def item_schema(schema: Schema, place: int) -> tuple[Any, tuple[str | int, ...]]:
    """What one schema says of the item at a place, and the path to it; true where it says nothing."""
    first = prefix(schema)
    keyword = "prefixItems" if "prefixItems" in schema else "items"
    if place < len(first):
        return first[place], (keyword, place)
    keyword = "additionalItems" if isinstance(schema.get("items"), list) else "items"
    return schema.get(keyword, True), (keyword,)


def dependents(schema: Schema) -> Iterator[tuple[str, Any, str]]:
    """For each name that asks for more when it is present: the name, a list of names or a schema, the keyword."""
    for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
        for name, more in schema.get(keyword, {}).items():
            yield name, more, keyword


def formats_of(schema: Schema) -> list[str]:
    """The formats that a schema names; an encoding (`contentEncoding: base64`, drafts 7 and later) counts as one."""
    return [schema[keyword] for keyword in ("format", "contentEncoding") if keyword in schema]


def limits(schema: Schema) -> Iterator[tuple[int, str, Fraction, bool]]:
    """The bounds of a number: 1 for a lower and -1 for an upper one, the keyword, the bound, whether it is excluded."""
    for side, keyword, exclusive in ((1, "minimum", "exclusiveMinimum"), (-1, "maximum", "exclusiveMaximum")):
        strict = schema.get(exclusive)
        if keyword in schema:
            yield side, keyword, exact(schema[keyword]), strict is True
        if is_number(strict):
            yield side, exclusive, exact(schema[exclusive]), True


def types_of(schema: Schema) -> list[str]:
    """The types that a schema allows, in its order; all where it names none."""
    if "type" not in schema:
        return list(TYPES)
    return [*listed(schema["type"]), *(["null"] if schema.get("nullable") else [])]

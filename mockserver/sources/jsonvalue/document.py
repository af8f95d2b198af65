"""What a JSON Schema says: its shape, its references, and what it says of a part of a value.

`Document` holds one schema with its `$id`s and anchors, checks it before anything is made of it, and counts the work
that is done on it. Only what generation needs: no network, no meta-schemas, no `unevaluatedProperties`.

The rules are those of draft 2020-12 (json-schema.org/draft/2020-12), with the older forms that are still sent: `items`
as a list, `definitions`, `dependencies`, `exclusiveMinimum: true`, OpenAPI's `nullable`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urldefrag, urljoin

from mockserver.core.errors import shown_json
from mockserver.sources.jsonvalue import pattern as patterns
from mockserver.sources.jsonvalue.errors import OutOfStepsError, UnsatisfiableSchemaError, inside
from mockserver.sources.jsonvalue.shape import TYPES, check_shape, exact, is_number, listed, subschemas
from mockserver.sources.jsonvalue.text import is_chinese

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from mockserver.sources.jsonvalue.shape import Schema

STEPS: Final = 16_000
"""Work allowed for one schema, from its check to its value. A step is about two microseconds: a keyword looked at."""
MOST_VALUES: Final = 10_000
"""JSON values in a schema."""
MOST_CHARACTERS: Final = 200_000
"""Characters in all texts of a schema, names among them."""
LONGEST_URI: Final = 2_000
"""Characters of a reference and its base together."""
MOST_BITS: Final = 2_048
"""Bits of an integer in a schema; a float reaches 1024."""
CHARACTERS_A_STEP: Final = 20
"""Characters of a text that are copied, matched and later cut into tokens in the time of a step."""
DEEPEST: Final = 100
"""Levels of objects and arrays in a schema, and of schemas that lead to one another without a step into the value."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


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
        self.allowed = STEPS
        self.chinese = False
        self._places: dict[int, tuple[str, str]] = {}
        self._targets: dict[tuple[str, str], tuple[Any, str]] = {}
        self._resolved: dict[int, Any] = {}
        self._check_json()
        self._targets["", ""] = root, where
        self._enter(root, where, "")

    def spend(self, steps: int = 1) -> None:
        """Count work; raises OutOfStepsError past what is allowed."""
        self.steps += steps
        if self.steps > self.allowed:
            raise OutOfStepsError

    def weigh(self, value: Any) -> None:
        """Count the work of copying or comparing a whole value: its values, and their characters."""
        todo = [value]
        while todo:
            one = todo.pop()
            if isinstance(one, dict):
                self.spend(1 + len(one))
                todo += one.values()
            elif isinstance(one, list):
                self.spend(1 + len(one) // 2)
                todo += one
            elif isinstance(one, str):
                self.spend(1 + len(one) // CHARACTERS_A_STEP)

    def place(self, schema: Any) -> str:
        """The path of a schema that stands in this document."""
        return self._places.get(id(schema), (self.where, ""))[0]

    def _check_json(self) -> None:
        """Refuse what is no JSON, too deep or too large, before anything walks through it."""
        level, left, room = [self.root], MOST_VALUES, MOST_CHARACTERS
        for _ in range(DEEPEST):
            for value in level:
                texts = [*value] if isinstance(value, dict) else [value] if isinstance(value, str) else []
                room -= sum(map(len, texts))
                if room < 0:
                    self._refuse(f"it holds more than {MOST_CHARACTERS} characters", "make it smaller")
                if any(_SURROGATE.search(text) for text in texts):
                    self._refuse("it holds half of a surrogate pair", "send whole characters")
                if isinstance(value, float) and not math.isfinite(value):
                    self._refuse("it holds NaN or an infinity", "use finite numbers")
                if isinstance(value, int) and value.bit_length() > MOST_BITS:
                    self._refuse(f"it holds an integer of more than {MOST_BITS} bits", "use smaller numbers")
                self.chinese = self.chinese or any(map(is_chinese, texts))
            containers = [value for value in level if isinstance(value, (dict, list))]
            level = [item for c in containers for item in (c.values() if isinstance(c, dict) else c)]
            left -= len(level)
            if left < 0:
                self._refuse(f"it holds more than {MOST_VALUES} values", "make it smaller")
            self.spend(len(level) // 2)
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
                    where, f"{shown_json(schema)} is not a schema", "a schema is an object, true or false"
                )
            self.spend(2 + len(schema) // 2)
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
        if id(schema) in self._resolved:
            return self._resolved[id(schema)]
        self.spend(10)
        ref, where = schema["$ref"], self.place(schema)
        base = self._places[id(schema)][1] if id(schema) in self._places else ""
        uri, fragment = urldefrag(joined(base, ref, where))
        fragment = unquote(fragment)
        found = self._targets.get((uri, fragment)) or self._pointed(uri, fragment)
        if found is None:
            raise UnsatisfiableSchemaError(
                where,
                f"$ref {shown_json(ref)} names nothing in this schema",
                "refer to a place in it, such as #/$defs/Name",
            )
        if id(schema) in self._places:  # which lasts as long as this document: its identity is nobody else's
            self._resolved[id(schema)] = found[0]
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
            elif isinstance(value, list) and _is_index(token, len(value)):
                value, where = value[int(token)], inside(where, int(token))
            else:
                return None
        self._enter(value, where, uri)
        self._targets[uri, pointer] = value, where
        return value, where

    def matches(self, schema: Schema, pattern: str, text: str) -> bool:
        """Whether a pattern in a schema is found in a text; UnsatisfiableSchemaError for one that cannot be judged."""
        self.spend(2 + len(text) // CHARACTERS_A_STEP)
        try:
            self.spend(patterns.cost(pattern))
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
        where, f"pattern {shown_json(pattern)} is beyond this generator: {error}", "simplify it, or give examples"
    )


def _is_index(token: str, length: int) -> bool:
    """Whether a token of a JSON Pointer is the index of an item."""
    return token.isascii() and token.isdigit() and len(token) <= 6 and str(int(token)) == token and int(token) < length


def joined(base: str, reference: str, where: str) -> str:
    """A reference resolved against a base (RFC 3986); raises UnsatisfiableSchemaError for one that is no URI."""
    if len(base) + len(reference) > LONGEST_URI:
        raise UnsatisfiableSchemaError(where, f"$id and $ref have more than {LONGEST_URI} characters", "shorten them")
    try:
        return urljoin(base, reference)
    except ValueError:
        raise UnsatisfiableSchemaError(where, f"{shown_json(reference)} is not a URI reference", "correct it") from None


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

"""How deep a value must at least be, so that recursive schemas come to an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mockserver.sources.jsonvalue.document import DEEPEST, dependents, item_schema, types_of
from mockserver.sources.jsonvalue.errors import OutOfStepsError

if TYPE_CHECKING:
    from mockserver.sources.jsonvalue.document import Document
    from mockserver.sources.jsonvalue.shape import Schema

DEEPEST_VALUE: Final = 32
"""Levels of objects and arrays in a value."""
ENDLESS: Final = DEEPEST_VALUE + 1


class Depths:
    """The least depths of the schemas of one document: estimates, since not every keyword is weighed."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known: dict[tuple[int, int], bool] = {}
        self._nested = 0

    def of(self, schema: Any) -> int:
        """Levels that every value has: 0 for a scalar or an empty container; `ENDLESS` where no value ends."""
        for room in range(ENDLESS):
            if self._fits(schema, room):
                return room
        return ENDLESS

    def _fits(self, schema: Any, room: int) -> bool:
        """Whether a value of at most so many levels exists."""
        if isinstance(schema, bool):
            return True  # false has no value at all, which is another complaint
        if "const" in schema or "enum" in schema:
            return True
        key = id(schema), room
        if key in self._known:
            return self._known[key]
        if self._nested > DEEPEST:
            raise OutOfStepsError
        self._document.spend(4 + sum(len(schema.get(key, ())) for key in ("allOf", "anyOf", "oneOf", "required")))
        self._known[key] = False  # until shown: a schema that needs itself has no end
        self._nested += 1
        try:
            self._known[key] = self._combined(schema, room) and self._contained(schema, room)
        finally:
            self._nested -= 1
        return self._known[key]

    def _combined(self, schema: Schema, room: int) -> bool:
        together = list(schema.get("allOf", ()))
        if "$ref" in schema:
            together.append(self._document.resolve(schema))
        return all(self._fits(item, room) for item in together) and all(
            any(self._fits(item, room) for item in schema[keyword])
            for keyword in ("anyOf", "oneOf")
            if keyword in schema
        )

    def _contained(self, schema: Schema, room: int) -> bool:
        """Whether one of the types can be had: a scalar always, a container when what it must hold fits."""
        types = types_of(schema)
        if any(name not in {"object", "array"} for name in types):
            return True
        held: dict[str, list[Any]] = {"object": [], "array": []}
        required = set(schema.get("required", ()))
        self._document.spend(sum(1 for _ in dependents(schema)) // 2)
        required.update(
            other
            for name, more, _ in dependents(schema)
            if name in required and isinstance(more, list)
            for other in more
        )
        for name in sorted(required):
            held["object"] += [said for said, _ in self._document.property_schemas(schema, name)] or [True]
        fewest = max(schema.get("minItems", 0), int("contains" in schema and schema.get("minContains", 1) > 0))
        held["array"] += [item_schema(schema, place)[0] for place in range(min(int(fewest), 8))]
        if fewest and "contains" in schema and schema.get("minContains", 1) > 0:
            held["array"].append(schema["contains"])
        return any(
            not held[name] or (room > 0 and all(self._fits(item, room - 1) for item in held[name])) for name in types
        )

"""Values made from schemas.

A value must meet several schemas at once (`allOf`, `$ref` with neighbours, a property named in two places), so what is
asked for is a list of *parts*: schemas, each with its path. Nothing is merged; each question (which types? which
bounds? which schemas for this property?) is put to all the parts. Where there is a choice (`anyOf`, `oneOf`, `if`),
each branch makes another list of parts, and the first from which a valid value can be made wins. What no part can
decide beforehand (`not`, exactly one of `oneOf`, `uniqueItems`) is left to the judge, and another try is made.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import shown_json
from mockserver.sources.jsonvalue import pattern as patterns
from mockserver.sources.jsonvalue.branch import Branches
from mockserver.sources.jsonvalue.check import Judge, identity
from mockserver.sources.jsonvalue.container import Spot, array_for, count_limits, object_for
from mockserver.sources.jsonvalue.depth import DEEPEST_VALUE
from mockserver.sources.jsonvalue.document import (
    CHARACTERS_A_STEP,
    STEPS,
    Document,
    beyond,
    formats_of,
    types_of,
)
from mockserver.sources.jsonvalue.errors import OutOfStepsError, UnsatisfiableSchemaError
from mockserver.sources.jsonvalue.number import number_for
from mockserver.sources.jsonvalue.shape import TYPES
from mockserver.sources.jsonvalue.text import FORMATS, hint_for, text_for

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence, Set

    from pydantic import JsonValue

    from mockserver.sources.jsonvalue.branch import FlatPart, Part

LONGEST_TEXT: Final = 10_000
"""Code points."""
TRIES: Final = 12
SHALLOW: Final = 4
"""Levels with optional properties and free items; below them stands only what must."""
PLENTY: Final = 200
"""Values after which only what must be is made."""
_SIGNS: Final = {
    **dict.fromkeys(
        ("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
         "maxProperties", "dependentRequired", "dependentSchemas"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"), "array"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}  # fmt: skip
_SCALARS: Final = ("string", "number", "integer", "boolean", "null")


def valid_value(schema: object, dice: random.Random, *, where: str = "schema") -> JsonValue:
    """A plausible value that is valid against a JSON Schema (draft 2020-12 and what is usually sent).

    The same schema and dice give the same value. `format` counts. `examples`, then a `default` that says something,
    are taken where they are valid; optional properties are present down to four levels.

    Args:
        schema: An object or a boolean; anything else is refused.
        dice: Decides among the values; its state changes.
        where: The schema's path, for messages.

    Raises:
        UnsatisfiableSchemaError: There is no value, or none that this generator finds within its limits.
    """
    with suppress(OutOfStepsError):
        document = Document(schema, where)
        rest = STEPS - document.steps
        for plenty, allowed in ((PLENTY, STEPS - rest // 3), (0, STEPS)):
            document.allowed = allowed
            try:
                value: JsonValue = Maker(document, dice, plenty).make([(schema, where)], Spot())
            except OutOfStepsError:
                continue  # once more with only what must be
            return value
    raise UnsatisfiableSchemaError(
        where, f"a value takes more than {STEPS} steps to make", "make the schema smaller or less nested"
    )


class Maker:
    """Makes values from the schemas of one document.

    Args:
        document: The schemas.
        dice: Decides among the values.
        plenty: Values after which only what must be is made.
    """

    def __init__(self, document: Document, dice: random.Random, plenty: int) -> None:
        self.document = document
        self.dice = dice
        self.judge = Judge(document)
        self.branches = Branches(document, dice)
        self.plenty = plenty
        self.made = 0

    def generous(self, spot: Spot) -> bool:
        """Whether more than what must be is made here."""
        return spot.depth < SHALLOW and self.made < self.plenty

    def make(self, parts: Sequence[Part], spot: Spot, avoid: Set[Any] = frozenset()) -> Any:
        """A value valid against every part, and none of `avoid` (identities)."""
        self.document.spend(24)
        self.made += 1
        where = parts[0][1] if parts else self.document.where
        if spot.depth > DEEPEST_VALUE:
            raise UnsatisfiableSchemaError(
                where,
                f"its values nest deeper than {DEEPEST_VALUE} levels",
                "make it flatter or its recursion optional",
            )
        failures: list[UnsatisfiableSchemaError] = []
        for flat in self.branches.alternatives(parts, failures, deep=not self.generous(spot)):
            try:
                return self.tried(flat, parts, spot, avoid)
            except UnsatisfiableSchemaError as failure:
                failures.append(failure)
        if len(failures) == 1:
            raise failures[0]
        first = min(failures, key=lambda failure: failure.where)
        raise UnsatisfiableSchemaError(
            where, f"none of its {len(failures)} branches can be met: {first.where}: {first.why}", "correct one of them"
        )

    def tried(self, flat: list[FlatPart], parts: Sequence[Part], spot: Spot, avoid: Set[Any]) -> Any:
        """The first candidate that passes the judge; raises the first reason where none does."""
        self.document.spend(sum(4 + len(schema) // 2 for schema, _ in flat))

        def refusal(value: Any) -> str | None:
            if avoid:
                self.document.weigh(value)
            if avoid and identity(value) in avoid:
                return "uniqueItems"
            return next((f for schema, _ in parts if (f := self.judge.failing(schema, value))), None)

        fixed = _fixed(flat)
        if fixed is not None:
            keyword, where, values = fixed
            self.document.spend(len(values))
            self.dice.shuffle(values)
            values.sort(key=lambda value: value is None)
            found = None
            for value in values:
                reason = refusal(value)
                if reason is None:
                    return self._copied(value)
                found = found or reason
            raise UnsatisfiableSchemaError(
                where, f"no value of {keyword} meets {_shown(flat, str(found))}", f"let {keyword} and the rest agree"
            )
        for value in self._suggested(flat):
            if refusal(value) is None:
                return self._copied(value)
        failures = []
        for kind in self._types(flat, spot):
            try:
                return self._of_type(kind, flat, spot, refusal)
            except UnsatisfiableSchemaError as failure:
                failures.append(failure)
        raise failures[0]

    def _copied(self, value: Any) -> Any:
        """A value of the schema's author, on its own."""
        for _ in range(3):  # a copy takes about three times as long as a look
            self.document.weigh(value)
        return deepcopy(value)

    def _of_type(self, kind: str, flat: list[FlatPart], spot: Spot, refusal: Callable[[Any], str | None]) -> Any:
        """A value of one type, after some tries."""
        found = ""
        for attempt in range(TRIES):
            self.document.spend(4 + 2 * len(flat))
            value = MAKERS[kind](self, flat, replace(spot, attempt=attempt, serial=spot.serial + attempt))
            found = refusal(value) or ""
            if not found:
                return value
        where = next((where for schema, where in flat if found in schema), flat[0][1] if flat else self.document.where)
        raise UnsatisfiableSchemaError(
            where, f"no {kind} that meets {_shown(flat, found)} was found in {TRIES} tries", f"loosen {found}"
        )

    def _suggested(self, flat: list[FlatPart]) -> list[Any]:
        """What the schema's author shows: examples, then a default that says something."""
        self.document.spend(sum(len(schema.get("examples", ())) for schema, _ in flat))
        examples = [value for schema, _ in flat for value in schema.get("examples", ())]
        self.dice.shuffle(examples)
        examples += [schema["example"] for schema, _ in flat if "example" in schema]
        return [*examples, *(s["default"] for s, _ in flat if s.get("default") not in (None, "", [], {}))]

    def _types(self, flat: list[FlatPart], spot: Spot) -> list[str]:
        """The types that every part allows, the likeliest first; null last, and scalars first once it is deep."""
        allowed = list(TYPES)
        for schema, where in flat:
            here = types_of(schema)
            left = [kind for kind in allowed if kind in here or (kind == "integer" and "number" in here)]
            if not left:
                raise UnsatisfiableSchemaError(
                    where, f"{_shown(flat, 'type')} leaves no type that all its parts allow", "let the types overlap"
                )
            allowed = left
        if "number" in allowed:
            allowed.remove("integer")
        signs = {_SIGNS.get(keyword) for schema, _ in flat for keyword in schema}
        named = next((types_of(schema) for schema, _ in flat if "type" in schema), list(_SCALARS))
        order = {kind: place for place, kind in enumerate(named)}

        def rank(kind: str) -> tuple[bool, bool, bool, int]:
            deep = not self.generous(spot) and kind not in _SCALARS
            return kind == "null", deep, kind not in signs, order.get(kind, len(order))

        return sorted(allowed, key=rank)


def _number(maker: Maker, flat: list[FlatPart], spot: Spot) -> int | float:
    hint = hint_for(spot.name).numbers
    return number_for(flat, maker.dice, whole=False, hint=hint, serial=spot.serial)


def _integer(maker: Maker, flat: list[FlatPart], spot: Spot) -> int | float:
    hint = hint_for(spot.name).numbers
    return number_for(flat, maker.dice, whole=True, hint=hint, serial=spot.serial)


def _string(maker: Maker, flat: list[FlatPart], spot: Spot) -> str:
    shortest, longest = count_limits(flat, "minLength", "maxLength", LONGEST_TEXT)
    maker.document.spend(shortest // CHARACTERS_A_STEP)
    written = [(schema["pattern"], where) for schema, where in flat if "pattern" in schema]
    known = [(name, where) for schema, where in flat for name in formats_of(schema) if name in FORMATS]
    if written and not (known and spot.attempt % 2):
        return _matching(maker, written, shortest, longest)
    if known:
        name, where = known[spot.attempt % len(known)]
        fitting = [text for text in FORMATS[name].texts(spot.serial) if shortest <= len(text) <= longest]
        if fitting:
            return maker.dice.choice(fitting)
        raise UnsatisfiableSchemaError(
            where, f"no {name} of {shortest} to {longest} characters is known here", "loosen minLength or maxLength"
        )
    return text_for(spot.name, maker.dice, shortest, longest, chinese=maker.document.chinese, serial=spot.serial)


def _matching(maker: Maker, written: list[tuple[str, str]], shortest: int, longest: int) -> str:
    """A text that all the patterns are found in, written from the first of them that leads there."""
    failure: UnsatisfiableSchemaError | None = None
    for text, where in written:
        others = [other for other, _ in written if other != text]
        try:
            return patterns.write(text, maker.dice, shortest, longest, also=others, spend=maker.document.spend)
        except patterns.PatternBeyondError as error:
            failure = failure or beyond(text, error, where)
    raise failure or AssertionError("called without a pattern")


MAKERS: Final[dict[str, Callable[[Maker, list[FlatPart], Spot], Any]]] = {
    "null": lambda _maker, _flat, _spot: None,
    "boolean": lambda maker, _flat, _spot: maker.dice.random() < 0.5,
    "number": _number,
    "integer": _integer,
    "string": _string,
    "array": array_for,
    "object": object_for,
}


def _fixed(flat: list[FlatPart]) -> tuple[str, str, list[Any]] | None:
    """The first `const` or `enum`: the keyword, its path, its values."""
    for schema, where in flat:
        if "const" in schema:
            return "const", where, [schema["const"]]
        if "enum" in schema:
            return "enum", where, list(schema["enum"])
    return None


def _shown(flat: list[FlatPart], keyword: str) -> str:
    """A keyword with its values, as a message says it: `type "string"`."""
    return (
        " and ".join(
            dict.fromkeys(f"{keyword} {shown_json(schema[keyword])}" for schema, _ in flat if keyword in schema)
        )
        or keyword
    )

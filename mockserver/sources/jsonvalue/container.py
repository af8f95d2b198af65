"""Arrays and objects, whose items and properties are made one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from mockserver.core.errors import shown_json
from mockserver.core.immutable import immutable
from mockserver.sources.jsonvalue.check import identity
from mockserver.sources.jsonvalue.document import dependents, item_schema, prefix
from mockserver.sources.jsonvalue.errors import UnsatisfiableSchemaError, inside
from mockserver.sources.jsonvalue.text import KEYS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence, Set

    from mockserver.sources.jsonvalue.branch import Branches, FlatPart, Part
    from mockserver.sources.jsonvalue.check import Judge
    from mockserver.sources.jsonvalue.document import Document

MOST_ITEMS: Final = 1_000
MOST_PROPERTIES: Final = 1_000
USUAL_ITEMS: Final = 3
USUAL_ENTRIES: Final = 2


@immutable(frozen=True, slots=True)
class Spot:
    """Where in the value one is.

    Attributes:
        name: The name of the nearest property.
        depth: Levels above.
        serial: How many values like this were refused or must differ from it, here and above.
        attempt: How many were refused here.
    """

    name: str = ""
    depth: int = 0
    serial: int = 0
    attempt: int = 0

    def below(self, name: str, serial: int = 0) -> Spot:
        """The spot of an item or property."""
        return Spot(name, self.depth + 1, self.serial + serial)


class ValueMaker(Protocol):
    """What makes the items and properties.

    Attributes:
        document: The schemas.
        dice: Decides among the values.
        judge: Says whether a value is valid.
        branches: Makes the choices that the schemas leave open.
    """

    document: Document
    dice: random.Random
    judge: Judge
    branches: Branches

    def generous(self, spot: Spot) -> bool:
        """Whether more than what must be is made here."""

    def make(self, parts: Sequence[Part], spot: Spot, avoid: Set[Any] = frozenset()) -> Any:
        """A value valid against every part, and none of `avoid` (identities)."""


def count_limits(flat: Sequence[FlatPart], fewest: str, most: str, limit: int) -> tuple[int, int]:
    """The tightest of a pair of keywords such as minItems and maxItems.

    Args:
        flat: The schemas to be met.
        fewest: The lower keyword.
        most: The upper keyword.
        limit: What this generator makes at most.

    Raises:
        UnsatisfiableSchemaError: They contradict each other, or ask for more than the limit.
    """
    low, where = max(
        ((int(schema[fewest]), where) for schema, where in flat if fewest in schema),
        default=(0, ""),
        key=lambda c: c[0],
    )
    high = min((int(schema[most]) for schema, _ in flat if most in schema), default=limit)
    if low > high and high < limit:
        raise UnsatisfiableSchemaError(
            where, f"{fewest} {low} is above {most} {high}", "lower the one or raise the other"
        )
    if low > limit:
        raise UnsatisfiableSchemaError(where, f"{fewest} {low} is above this generator's limit of {limit}", "lower it")
    return low, min(high, limit)


def array_for(maker: ValueMaker, flat: list[FlatPart], spot: Spot) -> list[Any]:
    """An array; more than the required items only where they can be made."""
    fewest, most = count_limits(flat, "minItems", "maxItems", MOST_ITEMS)
    first = max((len(prefix(schema)) for schema, _ in flat), default=0)
    for place in range(first + 1):
        closed = next((w for schema, w in flat if item_schema(schema, place)[0] is False), None)
        if closed is not None:
            if place < fewest:
                raise UnsatisfiableSchemaError(
                    closed, f"minItems {fewest} asks for more than the {place} items that may be", "lower minItems"
                )
            most = min(most, place)
            break
    held, _ = _contained(maker, flat)
    if len(held) > most:
        raise UnsatisfiableSchemaError(
            held[0][1], f"{len(held)} such items must be contained, and only {most} may be", "raise maxItems"
        )
    starts = [first] if first + len(held) <= most else list(range(min(most - len(held), first) + 1))
    for start in starts:
        try:
            return _items(maker, flat, spot, max(fewest, start + len(held) if held else 0), most, start)
        except UnsatisfiableSchemaError:
            if start == starts[-1]:
                raise
    return []


def _items(maker: ValueMaker, flat: list[FlatPart], spot: Spot, fewest: int, most: int, start: int) -> list[Any]:
    """The items; those that must be contained stand from `start` on."""
    held, rare = _contained(maker, flat)
    first = max((len(prefix(schema)) for schema, _ in flat), default=0)
    usual = min(first or maker.dice.randint(1, USUAL_ITEMS), most) if maker.generous(spot) else 0
    unique = any(schema.get("uniqueItems") for schema, _ in flat)
    items: list[Any] = []
    taken: set[Any] = set()
    for place in range(max(fewest, usual)):
        maker.document.spend(len(flat) * (1 + first // 32))
        parts = [_part(where, item_schema(schema, place)) for schema, where in flat]
        parts += held[place - start : place - start + 1] if place >= start else rare
        parts += rare if place >= start + len(held) else []
        try:
            item = maker.make(_telling(parts), spot.below(spot.name, place if unique else 0), taken)
        except UnsatisfiableSchemaError:
            if place < fewest:
                raise
            break
        items.append(item)
        if unique:
            maker.document.weigh(item)
            taken.add(identity(item))
    return items


def _contained(maker: ValueMaker, flat: list[FlatPart]) -> tuple[list[Part], list[Part]]:
    """What single items must meet because of `contains`, and what the others must because of `maxContains`."""
    held: list[Part] = []
    rare: list[Part] = []
    for schema, where in flat:
        if "contains" in schema:
            part = schema["contains"], inside(where, "contains")
            held += [part] * min(int(schema.get("minContains", 1)), MOST_ITEMS + 1)
            if "maxContains" in schema:
                rare.append((maker.branches.denial(part[0]), part[1]))
    return held, rare


def object_for(maker: ValueMaker, flat: list[FlatPart], spot: Spot) -> dict[str, Any]:
    """An object, with all optional properties first and with fewer in further tries."""
    fewest, most = count_limits(flat, "minProperties", "maxProperties", MOST_PROPERTIES)
    required = list(dict.fromkeys(name for schema, _ in flat for name in schema.get("required", ())))
    optional = [name for name in _declared(flat) if name not in required]
    if len(required) > most:
        raise UnsatisfiableSchemaError(
            flat[0][1], f"{len(required)} properties are required and maxProperties is {most}", "raise maxProperties"
        )
    if spot.attempt > 1:
        optional = [name for name in optional if maker.dice.random() < 0.5]
    chosen = optional[: most - len(required)] if maker.generous(spot) and spot.attempt != 1 else []
    try:
        return _object(maker, flat, spot, required, chosen, fewest, most)
    except UnsatisfiableSchemaError:
        if not chosen:
            raise
        return _object(maker, flat, spot, required, [], fewest, most)


def _object(
    maker: ValueMaker, flat: list[FlatPart], spot: Spot, required: list[str], chosen: list[str], fewest: int, most: int
) -> dict[str, Any]:
    needed = dict.fromkeys(required)
    names = [*required, *chosen]
    asked_for = set(names)
    triggers: dict[str, list[tuple[Any, str, str]]] = {}
    for schema, where in flat:
        for trigger, asked, keyword in dependents(schema):
            maker.document.spend()
            triggers.setdefault(trigger, []).append((asked, where, keyword))
    more: list[Part] = []
    known = {id(schema) for schema, _ in flat}
    for name in names:  # grows while it is walked
        maker.document.spend(1 + len(flat) // 4)
        for asked, where, keyword in triggers.get(name, ()):
            if not isinstance(asked, list):
                more += [(asked, inside(inside(where, keyword), name))] if id(asked) not in known else []
                continue
            maker.document.spend(len(asked) // 4)
            needed.update(dict.fromkeys(asked))
            names += [other for other in dict.fromkeys(asked) if other not in asked_for]
            asked_for.update(asked)
    more = [part for part in more if part[0] is not True]
    if more:
        whole = maker.branches.kept({"type": "object"})  # what more is asked may allow other types too
        return dict(maker.make([*flat, *more, (whole, flat[0][1])], spot))
    value: dict[str, Any] = {}
    order = {name: place for place, name in enumerate(_declared(flat))}
    for name in sorted(names, key=lambda name: order.get(name, len(order))):
        try:
            value[name] = _property(maker, flat, spot, name)
        except UnsatisfiableSchemaError:
            if name in needed:
                raise
    wanted = fewest
    if not order and maker.generous(spot) and spot.attempt != 1 and any(_is_map(schema) for schema, _ in flat):
        wanted = max(fewest, min(most, maker.dice.randint(1, USUAL_ENTRIES)))
    _fill(maker, flat, spot, value, wanted)
    if len(value) < fewest:
        raise UnsatisfiableSchemaError(
            flat[0][1],
            f"minProperties is {fewest} and only {len(value)} properties can be had",
            "lower it or declare more properties",
        )
    return value


def _property(maker: ValueMaker, flat: list[FlatPart], spot: Spot, name: str) -> Any:
    parts = _about(maker, flat, name)
    for schema, where in parts:
        if schema is False and where.endswith("additionalProperties"):
            raise UnsatisfiableSchemaError(
                where,
                f"it is false, and the required {shown_json(name)} is not among the properties",
                "declare the property",
            )
    return maker.make(_telling(parts), spot.below(name))


def _about(maker: ValueMaker, flat: list[FlatPart], name: str) -> list[Part]:
    """All that the parts say of one property."""
    return [_part(where, said) for schema, where in flat for said in maker.document.property_schemas(schema, name)]


def _part(where: str, said: tuple[Any, tuple[str | int, ...]]) -> Part:
    for key in said[1]:
        where = inside(where, key)
    return said[0], where


def _telling(parts: list[Part]) -> list[Part]:
    return [part for part in parts if part[0] is not True]


def _declared(flat: list[FlatPart]) -> list[str]:
    return list(dict.fromkeys(name for schema, _ in flat for name in schema.get("properties", ())))


def _is_map(schema: dict[str, Any]) -> bool:
    """Whether a schema describes properties without naming them."""
    return bool(schema.get("patternProperties")) or isinstance(schema.get("additionalProperties"), dict)


def _fill(maker: ValueMaker, flat: list[FlatPart], spot: Spot, value: dict[str, Any], wanted: int) -> None:
    """Add properties until so many are there, or no more can be had."""
    for name in _names(maker, flat, spot, wanted):
        if len(value) >= wanted:
            return
        allowed = all(maker.judge.valid(schema.get("propertyNames", True), name) for schema, _ in flat)
        if name not in value and allowed:
            try:
                value[name] = _property(maker, flat, spot, name)
            except UnsatisfiableSchemaError:
                continue


def _names(maker: ValueMaker, flat: list[FlatPart], spot: Spot, wanted: int) -> Iterator[str]:
    """Names to try: declared ones, those that patterns describe, plain ones."""
    yield from _declared(flat)
    kinds: list[Part] = []
    for schema, where in flat:
        if "propertyNames" in schema:
            kinds.append((schema["propertyNames"], inside(where, "propertyNames")))
        within = inside(where, "patternProperties")
        kinds += [({"pattern": text}, inside(within, text)) for text in schema.get("patternProperties", ())]
    for kind, where in kinds:
        named = maker.branches.kept({"allOf": [kind, {"type": "string"}]})
        made: set[Any] = set()
        for serial in range(wanted):
            try:
                name = str(maker.make([(named, where)], spot.below("", serial), made))
            except UnsatisfiableSchemaError:
                break
            made.add(identity(name))
            yield name
    yield from KEYS
    yield from (f"key{number}" for number in range(1, wanted + 1))

"""Schemas that have values: a small one for each keyword, and what OpenAI, pydantic, zod and LangChain send."""

from __future__ import annotations

import enum
import json
from typing import Annotated, Any, Literal

from hypothesis import strategies as st
from openai import pydantic_function_tool
from pydantic import BaseModel, ConfigDict, Field

from mockserver.sources.jsonvalue.text import FORMATS

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


class Colour(enum.Enum):
    """An enum becomes a definition of its own."""

    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    """A member of a discriminated union."""

    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    """Another member."""

    kind: Literal["dog"]
    name: str | None = None


class Order(BaseModel):
    """What pydantic makes of most of Python's types."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Z]{2}-\d{4}$")]
    colour: Colour
    note: str | None = Field(default=None, max_length=20)
    price: float = Field(gt=0, multiple_of=0.01)
    pet: Cat | Dog = Field(discriminator="kind")
    sizes: dict[str, int] = {}
    point: tuple[float, float]
    tags: set[str] = Field(min_length=2)


class Tree(BaseModel):
    """A model that holds itself."""

    name: str
    children: list[Tree]
    parent: Tree | None = None


class Weather(BaseModel):
    """Get the weather."""

    city: str
    days: int = Field(default=1, ge=1, le=7)
    unit: Literal["celsius", "fahrenheit"] | None = None


def search(query: str, filters: dict[str, str] | None = None, top_k: int = 5) -> str:
    """Search the web."""
    return f"{query} {filters} {top_k}"


def langchain_schemas() -> dict[str, Any]:
    """What LangChain makes of a function and of a model; nothing where it cannot be installed, with an old pydantic."""
    try:
        from langchain_core.tools import tool
        from langchain_core.utils.function_calling import convert_to_openai_tool
    except ImportError:
        return {}
    return {
        "langchain-tool": convert_to_openai_tool(tool(search))["function"]["parameters"],
        "langchain-model": convert_to_openai_tool(Weather, strict=True)["function"]["parameters"],
    }


def an_object(required: list[str] | None = None, /, *, closed: bool = False, **properties: Any) -> dict[str, Any]:
    """The schema of an object with these properties."""
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required is not None:
        schema["required"] = required
    if closed:
        schema["additionalProperties"] = False
    return schema


TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
NULL = {"type": "null"}
NODE = an_object(
    ["value", "left", "right"],
    value=WHOLE,
    left={"anyOf": [{"$ref": "#/$defs/node"}, NULL]},
    right={"anyOf": [NULL, {"$ref": "#/$defs/node"}]},
)
ZOD_STRICT = {
    "$schema": DRAFT_7,
    "type": "object",
    "properties": {
        "steps": {
            "type": "array",
            "items": an_object(["explanation", "output"], closed=True, explanation=TEXT, output=TEXT),
        },
        "final_answer": {"type": ["string", "null"]},
        "rating": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 5}, NULL]},
        "url": {"type": "string", "format": "uri"},
    },
    "required": ["steps", "final_answer", "rating", "url"],
    "additionalProperties": False,
}
SHAPES: dict[str, Any] = {
    "true": True,
    "anything": {},
    "string": TEXT,
    "null": NULL,
    "boolean": {"type": "boolean"},
    "list-of-types": {"type": ["null", "integer", "object"]},
    "enum-of-all-kinds": {"enum": [1, "a", None, True, {"a": [1]}, [2]]},
    "enum-and-type": {"type": "string", "enum": [1, "a", None]},
    "const": {"const": {"a": [1, 2.5, None]}},
    "default-invalid": {"type": "integer", "minimum": 5, "default": 1},
    "examples": {"type": "string", "minLength": 3, "examples": ["no", "yes!"]},
    "integer-bounds": {"type": "integer", "minimum": 3, "maximum": 4},
    "integer-fraction-bounds": {"type": "integer", "exclusiveMinimum": 2.5, "maximum": 3.5},
    "negative": {"type": "integer", "maximum": -10},
    "huge": {"type": "number", "minimum": 1e308},
    "number-narrow": {"type": "number", "exclusiveMinimum": 0.001, "exclusiveMaximum": 0.0011},
    "number-open-unit": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "draft-4-exclusive": {"$schema": DRAFT_4, "type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 2},
    "multiple-of-seven": {"type": "integer", "multipleOf": 7, "minimum": 8},
    "multiple-of-cents": {"type": "number", "multipleOf": 0.01, "minimum": 0.5, "maximum": 0.52},
    "multiples-together": {"allOf": [{"multipleOf": 4}, {"multipleOf": 0.6}], "type": "number"},
    "string-lengths": {"type": "string", "minLength": 30, "maxLength": 31},
    "string-empty": {"type": "string", "maxLength": 0},
    "pattern-phone": {"type": "string", "pattern": r"^(\([0-9]{3}\))?[0-9]{3}-[0-9]{4}$"},
    "pattern-chinese": {"type": "string", "pattern": "^[\\u4e00-\\u9fa5]{2,4}$"},
    "pattern-inside": {"type": "string", "pattern": "b+c", "minLength": 12, "maxLength": 14},
    "pattern-choice": {"type": "string", "pattern": "^(?:red|gr(?:e|a)y|#[0-9a-f]{6})$", "minLength": 5},
    "pattern-property": {"type": "string", "pattern": r"^\p{Lu}\p{L}*\s[^a-z\s]{3}\.$"},
    "patterns-together": {
        "allOf": [{"pattern": "^[a-m]"}, {"pattern": "[0-9]$"}, {"pattern": "^[a-z][0-9]+$"}],
        **TEXT,
    },
    **{f"format-{name}": {"type": "string", "format": name} for name in FORMATS},
    "format-unknown": {"type": "string", "format": "klingon"},
    "formats-unique": {
        "type": "array",
        "items": {"type": "string", "format": "date"},
        "minItems": 9,
        "uniqueItems": True,
    },
    "content-base64": {"$schema": DRAFT_7, "type": "string", "contentEncoding": "base64"},
    "required-undeclared": {"type": "object", "required": ["city"]},
    "map": {"type": "object", "additionalProperties": WHOLE, "minProperties": 3},
    "map-by-pattern": {"type": "object", "patternProperties": {"^x-[a-z]{3}$": WHOLE}, "additionalProperties": False},
    "property-by-pattern-too": {
        "type": "object",
        "required": ["x-a"],
        "properties": {"x-a": {"minimum": 3}},
        "patternProperties": {"^x-": WHOLE},
    },
    "property-names": {"type": "object", "propertyNames": {"enum": ["a", "b", "c"]}, "minProperties": 3},
    "min-properties": {"type": "object", "minProperties": 7},
    "max-properties": {**an_object(["b"], a=TEXT, b=TEXT, c=TEXT), "maxProperties": 2},
    "optional-false": an_object(a=False, b=TEXT),
    "dependent-required": {**an_object(a=TEXT, b=TEXT), "dependentRequired": {"a": ["c"], "c": ["d"]}},
    "dependent-schemas": {
        **an_object(["a"], a=TEXT),
        "dependentSchemas": {"a": an_object(["b"], b={"minimum": 3, **WHOLE})},
    },
    "dependencies": {
        "$schema": DRAFT_7,
        **an_object(["a"], a=TEXT),
        "dependencies": {"a": ["b"], "b": {"minProperties": 3}},
    },
    "nested-arrays": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "array", "items": WHOLE, "minItems": 2}},
    },
    "tuple": {"type": "array", "prefixItems": [TEXT, WHOLE], "items": False, "minItems": 2},
    "tuple-longer": {"type": "array", "prefixItems": [TEXT], "items": WHOLE, "minItems": 3},
    "tuple-old": {"$schema": DRAFT_7, "type": "array", "items": [TEXT, WHOLE], "additionalItems": False},
    "items-impossible": {"type": "array", "items": {"allOf": [TEXT, WHOLE]}},
    "unique-booleans": {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
    "unique-integers": {
        "type": "array",
        "items": {"minimum": 1, "maximum": 9, **WHOLE},
        "uniqueItems": True,
        "minItems": 9,
    },
    "unique-objects": {"type": "array", "items": an_object(["name"], name=TEXT), "uniqueItems": True, "minItems": 12},
    "contains": {"type": "array", "contains": {"const": "x"}, "minContains": 2, "maxContains": 2, "minItems": 4},
    "contains-in-tuple": {"type": "array", "prefixItems": [TEXT, {}], "contains": WHOLE, "maxItems": 2},
    "any-of": {"anyOf": [{"type": "integer", "minimum": 3, "maximum": 1}, TEXT]},
    "one-of-overlapping": {"oneOf": [{"type": "number"}, WHOLE]},
    "one-of-required": {**an_object(a=TEXT, b=TEXT), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    "all-of-objects": {
        "allOf": [an_object(["a"], a={"minimum": 5}), an_object(["b"], a={"maximum": 5, **WHOLE}, b=TEXT)]
    },
    "not-type": {"not": {"type": ["string", "object", "array"]}},
    "not-required": {**an_object(["a"], a=TEXT, b=TEXT), "not": {"required": ["b"]}},
    "if-then-else": {
        **an_object(["kind"], kind={"enum": ["card", "cash"]}, number=TEXT),
        "if": {"properties": {"kind": {"const": "card"}}},
        "then": {"required": ["number"]},
        "else": {"properties": {"number": False}},
    },
    "if-alone": {"if": TEXT, "then": {"minLength": 20}},
    "ref-with-neighbours": {"$defs": {"n": WHOLE}, "$ref": "#/$defs/n", "minimum": 7},
    "ref-anchor": {"$defs": {"n": {"$anchor": "whole", **WHOLE}}, "$ref": "#whole"},
    "ref-id": {"$id": "https://example.com/a/b.json", "$defs": {"n": {"$id": "c.json", **WHOLE}}, "$ref": "/a/c.json"},
    "ref-escaped": {"$defs": {"a/b~%": WHOLE}, "$ref": "#/$defs/a~1b~0%25"},
    "ref-old": {"definitions": {"n": WHOLE}, "allOf": [{"$ref": "#/definitions/n"}]},
    "ref-or-text": {"anyOf": [{"$ref": "#"}, TEXT]},
    "nullable": {"type": "string", "nullable": True},
    "recursive-tree": {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
    "recursive-eightfold": {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdefgh"}},
    "recursive-json": {
        "$defs": {
            "json": {
                "anyOf": [
                    TEXT,
                    NULL,
                    {"type": "array", "items": {"$ref": "#/$defs/json"}, "minItems": 1},
                    {"type": "object", "additionalProperties": {"$ref": "#/$defs/json"}},
                ]
            }
        },
        "$ref": "#/$defs/json",
    },
    "mutual": {
        "$defs": {
            "a": an_object(["b"], b={"$ref": "#/$defs/b"}),
            "b": {"type": "array", "items": {"$ref": "#/$defs/a"}},
        },
        "$ref": "#/$defs/a",
    },
    "deep": json.loads('{"type":"array","minItems":1,"items":' * 20 + "true" + "}" * 20),
    "odd-names": {
        "type": "object",
        "properties": {"名字": TEXT, "\u2028": WHOLE, "🙂": NULL},
        "required": ["\u2028", "名字", "a.b", "\u0085", "🙂", ""],
    },
    "openai-weather": an_object(
        ["location"],
        location={"type": "string", "description": "The city and state"},
        unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
    ),
    "openai-no-parameters": {"type": "object", "properties": {}},
    "openai-strict-tool": pydantic_function_tool(Weather)["function"]["parameters"],
    "zod-strict": ZOD_STRICT,
    "pydantic-order": Order.model_json_schema(),
    "pydantic-tree": Tree.model_json_schema(),
    "pydantic-list": {"type": "array", "items": {"$ref": "#/$defs/Cat"}, "$defs": {"Cat": Cat.model_json_schema()}},
    **langchain_schemas(),
    "one-of-discriminated": {"oneOf": [Cat.model_json_schema(), Dog.model_json_schema()]},
}


LEAVES = st.one_of(
    st.sampled_from([{}, TEXT, WHOLE, NULL, {"type": "number"}, {"type": "boolean"}, {"type": ["string", "null"]}]),
    st.builds(
        lambda low, span: {**WHOLE, "minimum": low, "maximum": low + span}, st.integers(-99, 99), st.integers(0, 9)
    ),
    st.builds(
        lambda low, span: {**TEXT, "minLength": low, "maxLength": low + span}, st.integers(0, 9), st.integers(0, 9)
    ),
    st.builds(lambda step: {"type": "number", "multipleOf": step, "minimum": 1}, st.sampled_from([0.01, 0.3, 2, 7])),
    st.builds(
        lambda values: {"enum": values},
        st.lists(st.text(max_size=5) | st.integers() | st.none(), min_size=1, max_size=4),
    ),
    st.builds(lambda name: {**TEXT, "format": name}, st.sampled_from(sorted(FORMATS))),
    st.builds(
        lambda text: {**TEXT, "pattern": text}, st.sampled_from([r"^\d{3}$", "^[a-f]+(-[a-f]+)?$", "x|y", r"^\S{2,5}$"])
    ),
    st.just({"$ref": "#/$defs/shared"}),
    st.just({"type": "array", "items": {"$ref": "#"}}),
)
NAMES = st.text(max_size=6) | st.sampled_from(["city", "用户", "\u2028", "a\u0085b", "🙂", "$ref"])


def _objects(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def build(properties: dict[str, Any], required: int, rest: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties)[:required],
            "additionalProperties": rest,
        }

    return st.builds(build, st.dictionaries(NAMES, children, max_size=4), st.integers(0, 4), st.booleans() | children)


def _arrays(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda items, first, least: {"type": "array", "items": items, "prefixItems": [first], "minItems": least},
        children,
        children,
        st.integers(0, 3),
    )


SATISFIABLE = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        _objects(children),
        _arrays(children),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(children, min_size=1, max_size=3)),
        st.builds(lambda schema: {"allOf": [schema, {"description": "both"}]}, children),
        st.builds(lambda met, then: {"if": met, "then": {"anyOf": [then, True]}}, children, children),
    ),
    max_leaves=8,
).map(lambda schema: {"$defs": {"shared": {"type": ["string", "null"], "maxLength": 8}}, **schema})
"""Any schema that cannot contradict itself."""

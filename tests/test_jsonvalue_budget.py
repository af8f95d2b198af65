"""No JSON Schema of a client's holds the server: work is counted, whatever it is spent on, and ends in a 400."""

from __future__ import annotations

import gc
import json
import random
import time
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockserver.sources.jsonvalue import UnsatisfiableSchemaError, valid_value

MOST_CPU_MS: Final = 250
"""Five times what a schema may take, for a machine that is slower than ours; what is not counted takes seconds."""
S: Final = {"type": "string"}
I: Final = {"type": "integer"}  # noqa: E741 - short, as the table wants it


def pairs(count: int, keyword: str = "anyOf") -> dict[str, Any]:
    """All of so many choices between two."""
    return {"allOf": [{keyword: [{**S}, {**I}]} for _ in range(count)]}


HOSTILE: Final[dict[str, Any]] = {
    "sixteen-choices": pairs(16),
    "200-choices": pairs(200),
    "200-exact-choices": pairs(200, "oneOf"),
    "choices-that-contradict": {**pairs(30), "type": "boolean"},
    "conditions": {
        "allOf": [{"if": {"minLength": n}, "then": S, "else": I} for n in range(30)],
        "type": "boolean",
    },
    "large-enum": {"type": "integer", "enum": ["x" * 19] * 9_000},
    "enum-and-pattern": {"enum": [f"{'a' * 9}{n}" for n in range(9_000)], "pattern": "^b(a|b)*c$"},
    "const-of-each-item": {"type": "array", "minItems": 1000, "items": {"const": [0] * 8_000}},
    "patterns": {"allOf": [{"pattern": f"^[a-z]{{1,{n + 1}}}$"} for n in range(300)]},
    "alternatives": {"pattern": f"^({'|'.join(f'aaaaaaaa{n}' for n in range(150))})$", "minLength": 500},
    "nested-repeats": {"type": "string", "pattern": "^(([a-z]{1,9}){1,9}){1,90}$", "minLength": 5000},
    "pattern-of-each": {"properties": {f"p{n}": {"pattern": f"^[a-z{n}]{{1,900}}x{n}$"} for n in range(500)}},
    "dependent-schemas": {
        "required": [f"p{n}" for n in range(500)],
        "dependentSchemas": {f"p{n}": {"required": [f"p{n + 1}"]} for n in range(500)},
    },
    "dependent-names": {"required": ["p0"], "dependentRequired": {f"p{n}": [f"p{n + 1}"] for n in range(2000)}},
    "many-of-many": {"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000}},
    "unique": {"type": "array", "minItems": 1000, "uniqueItems": True, "items": {"pattern": "^[a-z]{9}$"}},
    "contained": {"type": "array", "contains": {"pattern": "^a"}, "minContains": 500, "maxContains": 500},
    "chain": {"$ref": "#/$defs/0", "$defs": {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(900)} | {"900": S}},
    "doubling-references": {
        "$ref": "#/$defs/0",
        "$defs": {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(60)} | {"60": S},
    },
    "doubling-objects": {
        "$ref": "#/$defs/0",
        "$defs": {
            str(n): {"required": ["l", "r"], "additionalProperties": {"$ref": f"#/$defs/{n + 1}"}, "type": "object"}
            for n in range(25)
        }
        | {"25": S},
    },
    "denials": {"type": "integer", "allOf": [{"not": {"const": n}} for n in range(3000)]},
    "long-texts": {"type": "array", "minItems": 1000, "items": {"minLength": 9000, "pattern": "^x*$"}},
    "multiples": {"type": "integer", "allOf": [{"multipleOf": (1 << 2047) - n} for n in range(500)]},
    "addresses": {"$defs": {str(n): {"$id": f"http://x/{'a/' * 900}{n}"} for n in range(100)}},
    "pattern-properties": {
        "patternProperties": {f"^[a-z{n}]{{1,900}}$": S for n in range(500)},
        "required": ["p"],
        "type": "object",
    },
}  # fmt: skip


def took_ms(schema: Any) -> float:
    """CPU time until there is a value or a refusal of one line, without the collector: it looks at the whole heap."""
    gc.disable()
    try:
        began = time.thread_time()
        try:
            json.dumps(valid_value(schema, random.Random(0), where="response_format"))
        except UnsatisfiableSchemaError as refused:
            assert str(refused).startswith("response_format")  # noqa: PT017 - either is right
        return (time.thread_time() - began) * 1000
    finally:
        gc.enable()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_ends_soon(name: str) -> None:
    """A schema that asks for more than there is room for ends in a value or a refusal, not in a server that stands."""
    assert took_ms(HOSTILE[name]) < MOST_CPU_MS


LEAVES = st.sampled_from(
    [S, I, True, {}, {"$ref": "#"}, {"$ref": "#/allOf/0"}, {"enum": [*range(500)]}, {"const": "x" * 3000},
     {"pattern": "^[a-z]{1,400}$"}, {"pattern": r"\p{L}{99}"}, {"format": "regex"}, {"multipleOf": 0.37},
     {"minLength": 9999}, {"minItems": 1000}, {"required": [f"p{n}" for n in range(400)]}]
)  # fmt: skip
NAMES = st.sampled_from([f"p{n}" for n in range(9)])


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    many = st.lists(inner, min_size=1, max_size=4).flatmap(lambda some: st.sampled_from([1, 2, 40]).map(some.__mul__))
    named = st.dictionaries(NAMES, inner, max_size=4)
    keywords = {
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), many),
        **dict.fromkeys(("not", "if", "then", "items", "contains", "propertyNames", "additionalProperties"), inner),
        **dict.fromkeys(("properties", "dependentSchemas", "patternProperties", "$defs"), named),
        **dict.fromkeys(("minItems", "minProperties", "minContains"), st.sampled_from([1, 30, 1000])),
        "uniqueItems": st.booleans(),
    }  # fmt: skip
    return st.lists(st.sampled_from(sorted(keywords)), min_size=1, max_size=3, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({keyword: keywords[keyword] for keyword in chosen})
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.recursive(LEAVES, _around, max_leaves=30))
def test_any_mixture_ends_soon(schema: Any) -> None:
    """Choices, references, repeats and patterns in any mixture end as soon."""
    assert took_ms(schema) < MOST_CPU_MS

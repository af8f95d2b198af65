"""Schemas that have no value are refused in one line: where, why, what to change."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from mockserver.sources.jsonvalue import UnsatisfiableSchemaError, valid_value
from mockserver.sources.jsonvalue.document import MOST_VALUES, STEPS
from mockserver.sources.jsonvalue.pattern import PatternBeyondError, matches, write
from tests.jsonvalue_schemas import NULL, TEXT, WHOLE, an_object

ENDLESS = an_object(["next"], next={"$ref": "#/$defs/node"})
HALF_PAIR = "\ud800"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        # no schema at all
        pytest.param([], "schema: [] is not a schema; a schema is an object, true or false", id="list"),
        pytest.param(None, "schema: null is not a schema; a schema is an object, true or false", id="null"),
        pytest.param(
            {"properties": {"a": "text"}},
            'schema.properties.a: "text" is not a schema; a schema is an object, true or false',
            id="text-inside",
        ),
        pytest.param(
            {"type": "strin"},
            'schema: type is "strin"; it must be one of object, array, string, number, integer, boolean, null, '
            "or a list of them",
            id="type-unknown",
        ),
        pytest.param(
            an_object(a={"type": "string", "required": True}),
            "schema.properties.a: required is true; it must be a list of strings",
            id="required-in-property",
        ),
        pytest.param({"minLength": -1}, "schema: minLength is -1; it must be an integer from 0", id="negative-count"),
        pytest.param({"multipleOf": 0}, "schema: multipleOf is 0; it must be a number above 0", id="multiple-of-zero"),
        pytest.param({"enum": []}, "schema: enum is []; it must be a list with at least one value", id="enum-empty"),
        pytest.param(
            {"anyOf": []}, "schema: anyOf is []; it must be a list with at least one schema", id="any-of-none"
        ),
        pytest.param(
            {"minimum": "a\u2028b" * 30},
            r'schema: minimum is "a\u2028ba\u2028ba\u2028ba\u2028ba\u2028ba\u2028ba\u2028b...; it must be a number',
            id="one-line",
        ),
        pytest.param({"const": float("nan")}, "schema: it holds NaN or an infinity; use finite numbers", id="nan"),
        pytest.param(
            {"const": [HALF_PAIR]}, "schema: it holds half of a surrogate pair; send whole characters", id="surrogate"
        ),
        pytest.param(
            {"minimum": 10**5000},
            "schema: it holds an integer of more than 2048 bits; use smaller numbers",
            id="endless-digits",
        ),
        # contradictions
        pytest.param(
            False, "schema: the schema is false, so nothing is valid; remove it or allow something", id="false"
        ),
        pytest.param(
            an_object(["age"], age=False),
            "schema.properties.age: the schema is false, so nothing is valid; remove it or allow something",
            id="required-false",
        ),
        pytest.param(
            an_object(["agee"], closed=True, age=WHOLE),
            'schema.additionalProperties: it is false, and the required "agee" is not among the properties; '
            "declare the property",
            id="required-undeclared",
        ),
        pytest.param(
            an_object(["age"], age={"type": "integer", "minimum": 10, "maximum": 5}),
            "schema.properties.age: minimum 10 and maximum 5 leave no number between them; "
            "lower the one or raise the other",
            id="minimum-above-maximum",
        ),
        pytest.param(
            {"exclusiveMinimum": 1, "maximum": 1, "type": "number"},
            "schema: exclusiveMinimum 1 and maximum 1 leave no number between them; lower the one or raise the other",
            id="nothing-between",
        ),
        pytest.param(
            {"type": "integer", "minimum": 1.2, "maximum": 1.8},
            "schema: no integer lies between minimum 1.2 and maximum 1.8; widen the bounds",
            id="no-integer-between",
        ),
        pytest.param(
            {"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 13},
            "schema: no multiple of 7 lies between minimum 8 and maximum 13; widen the bounds",
            id="no-multiple-between",
        ),
        pytest.param(
            {"type": "string", "enum": [1, 2]},
            'schema: no value of enum meets type "string"; let enum and the rest agree',
            id="enum-without-type",
        ),
        pytest.param(
            {"const": 1, "maximum": 0},
            "schema: no value of const meets maximum 0; let const and the rest agree",
            id="const-beyond-maximum",
        ),
        pytest.param(
            {"allOf": [TEXT, WHOLE]},
            'schema.allOf[1]: type "string" and type "integer" leaves no type that all its parts allow; '
            "let the types overlap",
            id="types-apart",
        ),
        pytest.param(
            {"type": "string", "minLength": 5, "maxLength": 4},
            "schema: minLength 5 is above maxLength 4; lower the one or raise the other",
            id="lengths",
        ),
        pytest.param(
            {"type": "array", "minItems": 3, "maxItems": 2},
            "schema: minItems 3 is above maxItems 2; lower the one or raise the other",
            id="items",
        ),
        pytest.param(
            {"type": "array", "prefixItems": [TEXT], "items": False, "minItems": 2},
            "schema: minItems 2 asks for more than the 1 items that may be; lower minItems",
            id="tuple-too-short",
        ),
        pytest.param(
            {"type": "array", "contains": WHOLE, "minContains": 3, "maxItems": 2},
            "schema.contains: 3 such items must be contained, and only 2 may be; raise maxItems",
            id="contains-too-many",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 3},
            "schema.items: no boolean that meets uniqueItems was found in 12 tries; loosen uniqueItems",
            id="unique-booleans",
        ),
        pytest.param(
            {**an_object(["a", "b"]), "maxProperties": 1},
            "schema: 2 properties are required and maxProperties is 1; raise maxProperties",
            id="too-many-required",
        ),
        pytest.param(
            {**an_object(closed=True, a=TEXT), "minProperties": 2},
            "schema: minProperties is 2 and only 1 properties can be had; lower it or declare more properties",
            id="too-few-properties",
        ),
        pytest.param(
            {"type": "string", "format": "uuid", "maxLength": 5},
            "schema: no uuid of 0 to 5 characters is known here; loosen minLength or maxLength",
            id="uuid-too-short",
        ),
        pytest.param(
            {"anyOf": [{"type": "integer", "minimum": 3, "maximum": 1}, False]},
            "schema: none of its 2 branches can be met: schema.anyOf[0]: minimum 3 and maximum 1 leave no number "
            "between them; correct one of them",
            id="any-of-impossible",
        ),
        pytest.param(
            {"type": "string", "not": {}},
            "schema: no string that meets not {} was found in 12 tries; loosen not",
            id="not-anything",
        ),
        # recursion and references
        pytest.param(
            {"$defs": {"node": ENDLESS}, **an_object(["tree"], tree={"$ref": "#/$defs/node"})},
            'schema.properties.tree: $ref "#/$defs/node" recurses without end; '
            "make a property on the way optional, or let it be null",
            id="endless",
        ),
        pytest.param(
            {"$ref": "#"},
            'schema: $ref "#" recurses without end; make a property on the way optional, or let it be null',
            id="itself",
        ),
        pytest.param(
            {"$ref": "#/$defs/No"},
            'schema: $ref "#/$defs/No" names nothing in this schema; refer to a place in it, such as #/$defs/Name',
            id="ref-to-nothing",
        ),
        pytest.param(
            {"items": {"$ref": "https://example.com/other.json"}, "type": "array", "minItems": 1},
            'schema.items: $ref "https://example.com/other.json" names nothing in this schema; '
            "refer to a place in it, such as #/$defs/Name",
            id="ref-elsewhere",
        ),
        # beyond this generator
        pytest.param(
            {"$dynamicRef": "#a"},
            "schema: $dynamicRef is beyond this generator; describe the value without it",
            id="dynamic-ref",
        ),
        pytest.param(
            {"type": "object", "unevaluatedProperties": False},
            "schema: unevaluatedProperties is beyond this generator; describe the value without it",
            id="unevaluated",
        ),
        pytest.param(
            {"type": "string", "pattern": "^(?=.*[0-9]).{8,}$"},
            'schema: pattern "^(?=.*[0-9]).{8,}$" is beyond this generator: look-around, including '
            "look-ahead and look-behind, is not supported; "
            "simplify it, or give examples",
            id="look-ahead",
        ),
        pytest.param(
            {"type": "string", "pattern": "^[0-9]{8}$", "maxLength": 5},
            'schema: pattern "^[0-9]{8}$" is beyond this generator: no text of 0 to 5 characters that matches it was '
            "found; simplify it, or give examples",
            id="pattern-too-long",
        ),
        # hostile
        pytest.param(
            {"type": "array", "minItems": 10**9},
            "schema: minItems 1000000000 is above this generator's limit of 1000; lower it",
            id="min-items",
        ),
        pytest.param(
            {"type": "string", "minLength": 10**9},
            "schema: minLength 1000000000 is above this generator's limit of 10000; lower it",
            id="min-length",
        ),
        pytest.param(
            {"type": "object", "minProperties": 10**9},
            "schema: minProperties 1000000000 is above this generator's limit of 1000; lower it",
            id="min-properties",
        ),
        pytest.param(
            {"type": "string", "pattern": "(a{1000}){1000}"},
            'schema: pattern "(a{1000}){1000}" is beyond this generator: with its repeats written out it is longer '
            "than 4000 characters; simplify it, or give examples",
            id="repetition",
        ),
        pytest.param(
            {"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000}},
            f"schema: a value takes more than {STEPS} steps to make; make the schema smaller or less nested",
            id="a-million-items",
        ),
        pytest.param(
            {"allOf": [{"anyOf": [{**WHOLE, "const": n} for n in range(m, m + 9)]} for m in range(0, 90, 9)]},
            f"schema: a value takes more than {STEPS} steps to make; make the schema smaller or less nested",
            id="nine-to-the-tenth-branches",
        ),
        pytest.param(
            json.loads('{"items":' * 120 + "{}" + "}" * 120),
            "schema: it nests deeper than 100 levels; make it flatter",
            id="deep",
        ),
        pytest.param(
            {"enum": [None] * MOST_VALUES},
            f"schema: it holds more than {MOST_VALUES} values; make it smaller",
            id="large",
        ),
    ],
)
def test_the_message_says_where_and_why(schema: Any, message: str) -> None:
    """A schema without a value is refused, cheaply, with the text that a person needs."""
    with pytest.raises(UnsatisfiableSchemaError) as caught:
        valid_value(schema, random.Random(0))
    assert str(caught.value) == message
    assert message.startswith(f"{caught.value.where}: {caught.value.why}; ")


def test_a_deep_value_is_refused() -> None:
    """A value nests at most 32 levels."""
    schema: Any = NULL
    for _ in range(33):
        schema = an_object(["a"], a=schema)
    with pytest.raises(UnsatisfiableSchemaError, match="its values nest deeper than 32 levels") as caught:
        valid_value(schema, random.Random(0))
    assert caught.value.where == "schema" + ".properties.a" * 33


def test_the_path_begins_where_the_schema_stands() -> None:
    """The caller's path comes first, so that a client finds the field."""
    with pytest.raises(UnsatisfiableSchemaError) as caught:
        valid_value(an_object(["age"], age=False), random.Random(0), where="tools[0].function.parameters")
    assert caught.value.where == "tools[0].function.parameters.properties.age"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        pytest.param(r"(a)\1", "backreferences are not supported", id="back-reference"),
        pytest.param("(?i)a", "it has look-around or flags", id="flags"),
        pytest.param("[[:alpha:]]", "it has a POSIX class", id="posix"),
        pytest.param("[]a]", "it has an empty class, which dialects read differently", id="empty-class"),
        pytest.param(r"\Aa", r"its escape \A is not known here", id="escape"),
        pytest.param(
            r"\p{Greek}", "its property 'Greek' is not among L, Letter, Lu, Ll, N, Nd, Han, Latin, P", id="property"
        ),
        pytest.param("(" * 41 + ")" * 41, "its groups nest deeper than 40", id="nested"),
        pytest.param("a" * 2001, "it is longer than 2000 characters", id="long"),
        pytest.param("a^b", "no text of 0 to 50 characters that matches it was found", id="unmatchable"),
        pytest.param("^a{30}$|^b{60}$|[^\\x{0}-\\x{10FFFF}]", "its escape \\x is not known here", id="re2-escape"),
    ],
)
def test_a_pattern_beyond_the_generator_says_why(pattern: str, reason: str) -> None:
    """Nothing is made rather than something wrong."""
    with pytest.raises(PatternBeyondError) as caught:
        write(pattern, random.Random(0), 0, 50)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^$",
        "a|",
        "^(?:a|bc)+$",
        "^(ab){3,}$",
        r"^\/[a-z\/]*$",
        "a{,2}",
        "x{",
        "^[^a-z]$",
        r"^[\w.-]+@[\w-]+\.\w{2,}$",
        r"^\$\{\w+\}$",
        r"^[\u{4e00}-\u{4e10}]$",
        "^(?<y>[0-9]{4})-(?P<m>0[1-9])$",
        r"^\S+\s\D\W$",
        "^a*?b+?c??$",
        r"\bfoo\b",
        "^[!-/]+$",
        "^🙂{2}$",
        r"^[\]\\^-]$",
        "^(?:(?:(?:a?)*)*)*$",
        r"^\x41\t$",
        r"^\p{Script=Han}{2}$",
    ],
)
def test_a_text_of_a_pattern_matches_it(pattern: str) -> None:
    """The pattern is found in each text, whatever the dice say."""
    for seed in range(5):
        text = write(pattern, random.Random(seed), 0, 50)
        assert matches(pattern, text)
        assert len(text) <= 50

"""What is made from a schema is valid against it, by the word of another validator."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.sources.jsonvalue import UnsatisfiableSchemaError, valid_value
from mockserver.sources.jsonvalue.check import Judge
from mockserver.sources.jsonvalue.document import Document
from mockserver.sources.jsonvalue.shape import SHAPES as KEYWORDS
from mockserver.sources.jsonvalue.text import FORMATS
from tests.jsonvalue_schemas import NULL, SATISFIABLE, SHAPES, WHOLE, an_object

SEEDS = range(5)


def dice(seed: int) -> random.Random:
    """Seeded dice."""
    return random.Random(seed)


def is_base64(text: str) -> bool:
    """Whether Python's own decoder reads it."""
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


TAUGHT = {"byte": is_base64, "base64": is_base64}
"""OpenAPI's formats, which the other validator does not know by itself."""


def is_valid(schema: Any, value: Any) -> bool:
    """The word of the other validator, formats included."""
    return jsonschema_rs.validator_for(schema, validate_formats=True, formats=TAUGHT).is_valid(value)


@pytest.mark.parametrize("name", SHAPES)
def test_every_value_is_valid(name: str) -> None:
    """Whatever the dice say, the value is valid, and JSON can carry it."""
    schema = SHAPES[name]
    for seed in SEEDS:
        value = valid_value(schema, dice(seed))
        assert is_valid(schema, json.loads(json.dumps(value, allow_nan=False))), value


@pytest.mark.parametrize("name", SHAPES)
def test_same_schema_and_dice_give_the_same_value(name: str) -> None:
    """The value depends on nothing else, and the schema is left as it was."""
    schema = SHAPES[name]
    before = json.dumps(schema)
    first = valid_value(schema, dice(7))
    assert json.dumps(valid_value(json.loads(before), dice(7))) == json.dumps(first)
    assert json.dumps(schema) == before


def test_the_hash_seed_does_not_matter() -> None:
    """Two processes with different string hashes make the same value."""
    program = (
        "import json, random, sys; from mockserver.sources.jsonvalue import valid_value;"
        "print(json.dumps(valid_value(json.load(sys.stdin), random.Random(3))))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            input=json.dumps(SHAPES["pydantic-order"]),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


def test_a_value_shares_nothing_with_its_schema() -> None:
    """Who changes the value does not change the schema."""
    schema = {"const": {"a": [1]}}
    value: Any = valid_value(schema, dice(0))
    value["a"].append(2)
    assert schema == {"const": {"a": [1]}}


@pytest.mark.parametrize(
    ("schema", "seed", "value"),
    [
        pytest.param(SHAPES["openai-weather"], 0, {"location": "Paris, France", "unit": "celsius"}, id="english"),
        pytest.param(
            an_object(
                ["city"], city={"type": "string", "description": "城市"}, days={**WHOLE, "minimum": 1, "maximum": 7}
            ),
            1,
            {"city": "北京", "days": 5},
            id="chinese",
        ),
        pytest.param({"type": ["null", "string"], "default": "metric"}, 0, "metric", id="default"),
        pytest.param({"anyOf": [NULL, WHOLE], "default": None}, 0, 7, id="null-is-the-last-choice"),
        pytest.param(
            {"type": "string", "minLength": 4, "default": "no", "examples": ["maybe"]}, 0, "maybe", id="examples"
        ),
        pytest.param({"type": "integer", "minimum": 100, "maximum": 100}, 0, 100, id="only-one"),
    ],
)
def test_values_look_like_what_a_person_would_write(schema: Any, seed: int, value: Any) -> None:
    """Names, examples and defaults tell what is expected."""
    assert valid_value(schema, dice(seed)) == value


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_makes_what_it_checks(name: str) -> None:
    """The samples and the numbered texts have the format, by our word and by the other validator's."""
    known = FORMATS[name]
    for serial in (0, 1, 60, 999, 12_345):
        texts = known.texts(serial)
        assert texts
        for text in texts:
            assert known.has(text)
            assert is_valid({"format": name}, text), text


@settings(max_examples=100, deadline=None)
@given(SATISFIABLE, st.integers(0, 99))
def test_every_value_made_from_a_satisfiable_schema_is_valid(schema: dict[str, Any], seed: int) -> None:
    """A schema that cannot contradict itself always gets a value, and it is valid."""
    assert is_valid(schema, valid_value(schema, dice(seed)))


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["string", "#", "^a", "object"]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted(KEYWORDS)) | st.text(max_size=3),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(JUNK)
def test_any_json_value_as_a_schema_ends_well(schema: Any) -> None:
    """It ends in a valid value, or in an error of one line that names the schema's path."""
    refused: UnsatisfiableSchemaError | None = None
    value: Any = None
    try:
        value = valid_value(schema, dice(0), where="tools[0].function.parameters")
    except UnsatisfiableSchemaError as error:
        refused = error
    if refused is not None:
        assert str(refused).isprintable()
        assert str(refused).startswith(f"{refused.where}: {refused.why}; ")
        assert refused.where.startswith("tools[0].function.parameters")
        return
    try:
        validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    except (ValueError, jsonschema_rs.ValidationError):  # the other validator refuses the schema as such
        return
    assert validator.is_valid(value)


@settings(max_examples=100, deadline=None)
@given(SATISFIABLE, SATISFIABLE, st.integers(0, 99))
def test_the_judge_agrees_with_another_validator(schema: dict[str, Any], other: dict[str, Any], seed: int) -> None:
    """On values made for the schema and for another one, valid or not is the same for both."""
    value = valid_value(other, dice(seed))
    assert Judge(Document(schema, "schema")).valid(schema, value) == is_valid(schema, value)

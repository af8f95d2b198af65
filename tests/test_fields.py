"""Rules between fields are checked and described alike; integers as JSON Schema means them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mockserver.core.checking import strictly
from mockserver.server.control.bodies import ArmBody, ResetBody, ScriptBody
from tests.written_answers import ANSWERS, NUMBERS, TEXTS, Values, some

if TYPE_CHECKING:
    from pydantic import BaseModel

FAULTS = some(
    type=st.sampled_from(["cut", "status", "stall", "nothing", 1]), after_frames=NUMBERS, after_bytes=NUMBERS,
    clean=st.booleans(), status=NUMBERS, ms=NUMBERS,
)  # fmt: skip
CONDITIONS = st.sampled_from(
    ["a", {"contains": "a"}, {"contains": ""}, {"regex": "a+"}, {"a": 1}, {"exists": 1}, {}, 1.0]
)
MATCHES = some(
    user=CONDITIONS,
    body=st.dictionaries(st.sampled_from(["$", "$.a[0]", "a", "$[1234567890]"]), CONDITIONS, max_size=1),
    chip=TEXTS, stream=st.sampled_from([None, True, 1]),
)  # fmt: skip
BODIES: dict[str, tuple[type[BaseModel], Values]] = {
    "answers": (
        ScriptBody,
        some(answer=ANSWERS, answers=st.lists(ANSWERS, max_size=2), then=TEXTS, match=MATCHES, times=NUMBERS),
    ),
    "faults": (ArmBody, some(fault=FAULTS, match=MATCHES, times=NUMBERS, every=NUMBERS, probability=NUMBERS)),
    "reset": (ResetBody, some(journal=NUMBERS, setup=st.booleans(), other=TEXTS)),
}


def accepts(model: type[BaseModel], document: Any) -> bool:
    """Whether the program takes it."""
    try:
        strictly(model, json.dumps(document).encode(), json.loads(json.dumps(document)))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", BODIES)
def test_the_schema_takes_what_the_program_takes(name: str) -> None:
    """For any body, right or wrong: the model takes it exactly where its JSON Schema does."""
    model, bodies = BODIES[name]
    schema = model.model_json_schema()
    for part in schema.get("$defs", {}).values():  # a fault is told by its type, as the document says
        if "const" in part.get("properties", {}).get("type", {}):
            part["required"] = ["type", *part.get("required", ())]
    validator = jsonschema_rs.Draft202012Validator(schema)

    @given(bodies)
    def property_of(document: Any) -> None:
        assert accepts(model, document) == validator.is_valid(document)

    property_of()


def test_a_number_without_a_fraction_is_an_integer() -> None:
    """31.0 is taken where an integer is wanted, at any depth; elsewhere it stays as it was written."""
    script = {"answers": [{"tool_calls": [{"name": "f", "arguments": {"x": 1.0}}], "created": 31.0}], "times": 2.0}
    made = strictly(ScriptBody, json.dumps(script).encode(), script)

    assert made.answers is not None
    assert (made.times, made.answers[0].created) == (2, 31)
    assert made.answers[0].tool_calls[0].arguments == '{"x": 1.0}'

"""The stage `structure`: tools, the choice among them, and the form of the document."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.core.errors import Refusal
from mockserver.pipeline.structure import PLAIN, structure


def tool(**function: Any) -> dict[str, Any]:
    """A member of `tools`."""
    return {"type": "function", "function": function}


F, G = tool(name="f", description="d", parameters={"type": "object"}), tool(name="g")
NAMED_F = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    "body",
    [{}, {"tools": None, "tool_choice": None, "response_format": None}, {"parallel_tool_calls": True}],
    ids=["nothing", "null", "parallel-of-nothing"],
)
def test_nothing_is_asked(body: dict[str, Any]) -> None:
    """Null means absent, and asks for nothing."""
    assert structure(body) is PLAIN


def test_what_is_asked() -> None:
    """Functions keep their order and know where their schema stands; without parameters there are none."""
    asked = structure({"tools": [F, G], "tool_choice": NAMED_F, "parallel_tool_calls": True})

    assert [(one.name, one.description, one.where) for one in asked.functions] == [
        ("f", "d", "tools[0].function.parameters"),
        ("g", "", "tools[1].function.parameters"),
    ]
    assert asked.functions[1].parameters == {"type": "object", "additionalProperties": False}
    assert (asked.choice, asked.named, asked.parallel) == ("required", asked.functions[0], True)


@pytest.mark.parametrize(
    ("wanted", "document", "schema"),
    [
        ({"type": "text"}, False, None),
        ({"type": "json_object"}, True, None),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}, "strict": True}}, True, {"a": 1}),
    ],
    ids=["text", "json_object", "json_schema"],
)
def test_the_form_of_the_document(wanted: dict[str, Any], document: bool, schema: dict[str, Any] | None) -> None:
    """Each form of `response_format` says whether a document is due, and its schema."""
    asked = structure({"response_format": wanted})

    assert (asked.document, asked.schema) == (document, schema)


FORM = {"type": "json_schema"}


@pytest.mark.parametrize(
    ("body", "param", "detail"),
    [
        ({"tools": {}}, "tools", "{} (an object) is not allowed; allowed: an array of"),
        ({"tools": ["f"]}, "tools[0]", "'f' (a string) is not allowed"),
        (
            {"tools": [{"type": "retrieval"}]},
            "tools[0].type",
            "'retrieval' (a string) is not allowed; allowed: function",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "null is not allowed; allowed: an object with name"),
        (
            {"tools": [F, tool(name="")]},
            "tools[1].function.name",
            "'' (a string) is not allowed; allowed: a string that is not empty",
        ),
        ({"tools": [tool(name="f", description=1)]}, "tools[0].function.description", "1 (an integer) is not allowed"),
        (
            {"tools": [tool(name="f", parameters=[])]},
            "tools[0].function.parameters",
            "[] (an array) is not allowed; allowed: a JSON Schema",
        ),
        (
            {"tools": [F], "tool_choice": "any"},
            "tool_choice",
            "'any' (a string) is not allowed; allowed: none, auto, required or",
        ),
        ({"tools": [F], "tool_choice": {"type": "f"}}, "tool_choice", "allowed: none, auto, required or"),
        (
            {"tools": [F], "tool_choice": tool(name="ff")},
            "tool_choice.function.name",
            "'ff' is not in tools; did you mean f?",
        ),
        ({"tool_choice": NAMED_F}, "tool_choice.function.name", "'f' is not in tools; tools has no function"),
        ({"tools": [], "tool_choice": "required"}, "tool_choice", "required, but tools has no function"),
        (
            {"response_format": "json"},
            "response_format",
            "'json' (a string) is not allowed; allowed: an object with type",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type", "allowed: text, json_object, json_schema"),
        ({"response_format": FORM}, "response_format.json_schema", "null is not allowed; allowed: an object with name"),
        (
            {"response_format": {**FORM, "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
            "null is not allowed",
        ),
        (
            {"response_format": {**FORM, "json_schema": {"name": "n"}}},
            "response_format.json_schema.schema",
            "a JSON Schema, an object",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_what_is_refused(body: dict[str, Any], param: str, detail: str) -> None:
    """Each refusal names the field, what was seen and what is allowed."""
    with pytest.raises(Refusal) as refused:
        structure(body)

    assert (refused.value.kind, refused.value.param) == ("invalid-field", param)
    assert refused.value.detail.startswith(f"{param}: ")
    assert detail in refused.value.detail
    assert "\n" not in refused.value.detail

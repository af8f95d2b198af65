"""Stage `structure`: what a request asks of the answer's form: functions to call, or a JSON document to write.

`tools` is documented (reference of late 2025); `tool_choice`, `parallel_tool_calls` and `response_format` are not, but
clients send them and the live service takes them, in OpenAI's form. `null` means absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockserver.core.errors import Refusal, shown, suggestion, wrong_value
from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Mapping

CHOICES = ("none", "auto", "required")
FORMATS = ("text", "json_object", "json_schema")
_NAMED = '{"type": "function", "function": {"name": …}}'
_TOOL = '{"type": "function", "function": {"name": …, "parameters": …}}'
_NO_PARAMETERS = {"type": "object", "additionalProperties": False}


@immutable(frozen=True, slots=True)
class Function:
    """A function that may be called.

    Attributes:
        name: Its name.
        description: What it does; empty where nothing is said.
        parameters: The JSON Schema of its arguments.
        where: Where that schema stands in the request, such as `tools[0].function.parameters`.
    """

    name: str
    description: str
    parameters: Any
    where: str


@immutable(frozen=True, slots=True)
class Structure:
    """The form that an answer is to take.

    Attributes:
        functions: What may be called, in the request's order.
        choice: `none`, `auto` or `required`.
        named: The one function that must be called; None leaves it open.
        parallel: Whether several calls in one answer are asked for.
        document: Whether the content is to be a JSON object.
        schema: The JSON Schema of the document; None for any object.
    """

    functions: tuple[Function, ...] = ()
    choice: str = "auto"
    named: Function | None = None
    parallel: bool = False
    document: bool = False
    schema: Mapping[str, Any] | None = None


PLAIN = Structure()
_ASKED = frozenset({"tools", "tool_choice", "response_format"})
SCHEMA_WHERE = "response_format.json_schema.schema"


def structure(body: Mapping[str, Any]) -> Structure:
    """The form that a request's body asks for; whether its schemas can be satisfied is seen when they are used.

    Raises:
        Refusal: `invalid-field`, naming the field and what is allowed.
    """
    if _ASKED.isdisjoint(body):  # nearly always, and seen at the speed of C
        return PLAIN
    if body.get("tools") is None and body.get("tool_choice") is None and body.get("response_format") is None:
        return PLAIN
    functions = _functions(body.get("tools"))
    choice, named = _choice(body.get("tool_choice"), functions)
    document, schema = _document(body.get("response_format"))
    return Structure(functions, choice, named, body.get("parallel_tool_calls") is True, document, schema)


def _functions(tools: object) -> tuple[Function, ...]:
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise wrong_value("tools", tools, f"an array of {_TOOL}")
    return tuple(_function(f"tools[{number}]", tool) for number, tool in enumerate(tools))


def refuse_same_names(functions: tuple[Function, ...]) -> None:
    """Refuse two functions with one name, as some models do; the others call the first of them."""
    first: dict[str, Function] = {}
    for function in functions:
        before = first.setdefault(function.name, function)
        if before is not function:
            where = function.where.replace(".parameters", ".name")
            also = before.where.partition(".")[0]
            raise Refusal(
                "invalid-field",
                f"{where}: {shown(function.name)} is the name of {also} too; this model wants each name once",
                param=where,
            )


def _function(where: str, tool: object) -> Function:
    if not isinstance(tool, dict):
        raise wrong_value(where, tool, _TOOL)
    if tool.get("type") != "function":
        raise wrong_value(f"{where}.type", tool.get("type"), "function")
    where += ".function"
    function = tool.get("function")
    if not isinstance(function, dict):
        raise wrong_value(where, function, "an object with name, description and parameters")
    name, description, parameters = (function.get(key) for key in ("name", "description", "parameters"))
    if not isinstance(name, str) or not name:
        raise wrong_value(f"{where}.name", name, "a string that is not empty")
    if description is not None and not isinstance(description, str):
        raise wrong_value(f"{where}.description", description, "a string")
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong_value(f"{where}.parameters", parameters, "a JSON Schema, an object")
    return Function(name, description or "", parameters or _NO_PARAMETERS, f"{where}.parameters")


def _choice(choice: object, functions: tuple[Function, ...]) -> tuple[str, Function | None]:
    if choice is None:
        return "auto", None
    if isinstance(choice, str) and choice in CHOICES:
        if choice == "required" and not functions:
            raise Refusal("invalid-field", "tool_choice: required, but tools has no function", param="tool_choice")
        return choice, None
    allowed = f"{', '.join(CHOICES)} or {_NAMED}"
    function = choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise wrong_value("tool_choice", choice, allowed)
    named = next((one for one in functions if one.name == name), None)
    if named is None:
        known = [one.name for one in functions]
        hint = suggestion(name, known) if known else "tools has no function"
        where = "tool_choice.function.name"
        raise Refusal("invalid-field", f"{where}: {shown(name)} is not in tools; {hint}", param=where)
    return "required", named


def _document(wanted: object) -> tuple[bool, Mapping[str, Any] | None]:
    if wanted is None:
        return False, None
    if not isinstance(wanted, dict):
        raise wrong_value("response_format", wanted, f"an object with type: {', '.join(FORMATS)}")
    kind = wanted.get("type")
    if not isinstance(kind, str) or kind not in FORMATS:
        raise wrong_value("response_format.type", kind, ", ".join(FORMATS))
    if kind != "json_schema":
        return kind == "json_object", None
    where = "response_format.json_schema"
    named = wanted.get("json_schema")
    if not isinstance(named, dict):
        raise wrong_value(where, named, "an object with name, schema and strict")
    name, schema = named.get("name"), named.get("schema")
    if not isinstance(name, str) or not name:
        raise wrong_value(f"{where}.name", name, "a string that is not empty")
    if not isinstance(schema, dict):
        raise wrong_value(SCHEMA_WHERE, schema, "a JSON Schema, an object")
    return True, schema

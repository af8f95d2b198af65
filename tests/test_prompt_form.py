"""Structure that is asked for in words: what stands in a prompt decides the form of the answer."""

from __future__ import annotations

import ast
import json
import re
import time
from typing import Any, Final

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import ChatRequest
from mockserver.sources.prompt_form import find
from mockserver.sources.prompt_schema import MOST_READ, last_schema
from mockserver.sources.synthetic import Synthetic
from tests.conftest import load
from tests.jsonvalue_schemas import SATISFIABLE, SHAPES

Message = dict[str, Any]
SOURCE: Final = Synthetic(load("2025-reference"), 0, "template")
JSON_MODE: Final = {"response_format": {"type": "json_object"}}


def told(*messages: Message, **body: Any) -> str:
    """The text of an answer."""
    return SOURCE.answer(ChatRequest("qwen2.5-7b-instruct", "nvidia", messages, body=body)).text


def system(text: str) -> Message:
    """A message of the system."""
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    """A message of the user."""
    return {"role": "user", "content": text}


def bare(schema: Any) -> list[Message]:
    """On one line, in the system's message."""
    return [
        system(f"Answer with a JSON object that fits this schema:\n\n{json.dumps(schema)}\n\nNo prose."),
        user("你好"),
    ]


def fenced(schema: Any) -> list[Message]:
    """In a fence, behind an example of a schema, in the user's message."""
    example = '{"properties": {"foo": {"type": "array", "items": {"type": "string"}}}, "required": ["foo"]}'
    return [
        user(
            f'For the schema {example} the object {{"foo": [1]}} is wrong. Yours is:\n'
            f"```\n{json.dumps(schema, indent=2)}\n```"
        )
    ]


def inline(schema: Any) -> list[Message]:
    """Within a sentence in Chinese, in one of several parts, beside braces that are none of it."""
    text = f"{{query}} 请按照 JSON Schema {json.dumps(schema, ensure_ascii=False)} 输出，{{}} 不要解释。"
    return [system("You are {name}."), {"role": "user", "content": [{"type": "text", "text": text}]}]


def as_python(schema: Any) -> list[Message]:
    """As Python writes a dict in an f-string, in a tag."""
    return [system("You help."), user(f"Who are you?\n<schema>{schema}</schema>\nGive me JSON.")]


def wrapped(schema: Any) -> list[Message]:
    """Below the keys of `response_format`, in the second of the system's messages; a result came since."""
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        system("You help."),
        system(f"Your answer strictly adheres to this OpenAPI schema: {json.dumps(form)}"),
        user("Who are you?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": '{"type": "object"}'},
    ]


WAYS: Final = {one.__name__: one for one in (bare, fenced, inline, as_python, wrapped)}


@settings(max_examples=40, deadline=None)
@given(SATISFIABLE, st.sampled_from(sorted(WAYS)), st.booleans())
def test_any_schema_in_a_prompt_gets_a_valid_document(schema: Any, way: str, json_mode: bool) -> None:
    """Whatever the schema and however it is written, with `json_object` or without."""
    text = told(*WAYS[way](schema), **(JSON_MODE if json_mode else {}))

    jsonschema_rs.validate(schema, json.loads(text))


@pytest.mark.parametrize(
    "name", [name for name, one in SHAPES.items() if isinstance(one, dict) and {"type", "properties", "$defs"} & {*one}]
)
def test_each_kind_of_schema(name: str) -> None:
    """Each keyword, and what pydantic and zod write, in each of the ways."""
    for way in WAYS.values():
        jsonschema_rs.validate(SHAPES[name], json.loads(told(*way(SHAPES[name]))))


PERSON: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


@pytest.mark.parametrize(
    ("words", "fence"),
    [
        ("Return the correct JSON response within a ```json codeblock. not the JSON_SCHEMA", True),
        ("Include the enclosing markdown codeblock.", True),
        ("The output should be a markdown code snippet.", True),
        ("请把 JSON 放在代码块里。", True),
        ("Don't include any text or Markdown fencing before or after.", False),
        ("Ensure the final output does not include any code block markers like ```json or ```python.", False),
        ("不要使用代码块。", False),
        ("Output a valid JSON object.", False),
    ],
)
def test_a_fence_where_the_prompt_asks_for_one(words: str, fence: bool) -> None:
    """Libraries ask for it, or forbid it; beside `json_object` there is none."""
    prompt = [system(f"Schema:\n```json\n{json.dumps(PERSON)}\n```"), user(f"Who are you? {words}")]
    text = told(*prompt)

    assert (text.startswith("```json\n") and text.endswith("\n```")) is fence
    jsonschema_rs.validate(PERSON, json.loads(text.removeprefix("```json\n").removesuffix("\n```")))
    jsonschema_rs.validate(PERSON, json.loads(told(*prompt, **JSON_MODE)))


def test_a_list_of_properties_is_a_schema() -> None:
    """Names with their schemas, as agno lists them: all of them are required."""
    listed = {**PERSON["properties"], "home": {"$ref": "#/$defs/Home"}, "$defs": {"Home": {"type": "null"}}}
    text = told(
        system(f'Provide JSON with: ["name", "age"]\nProperties:\n{json.dumps(listed, indent=2)}'), user("你好")
    )

    assert {key: type(one) for key, one in json.loads(text).items()} == {"name": str, "age": int, "home": type(None)}


@pytest.mark.parametrize(
    "text",
    [
        'What is {"type": "Feature", "properties": {"name": "Paris"}}?',
        'Why is {"name": "get_weather", "parameters": {"type": "object"}} not called?',
        'Explain {"a": 1, "type": "object-like"} and {} and {"properties": {"foo": ["bar"]}}.',
        "{'a': 1} {\"a\" {'b {{{ {\"type\": \"object\"",
        'Tool Name: f\nTool Args: {"type": "object", "properties": {"city": {"type": "string"}}}',
        "- get_weather: takes inputs: {'city': {'type': 'string', 'description': 'where'}}",
        'Data: {"type": ["x"], "title": NaN}',
        '{"type": "object", "n": ' + "1" * 5000 + "}",
        "{'a': {1, 2}} {'\\d': b'x'}",
    ],
)  # fmt: skip
def test_what_is_no_schema_stays_prose(text: str) -> None:
    """Data, broken text, and the schemas of a tool's arguments."""
    answer = told(user(text))

    assert find([user(text)], bare=False) is None
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer)


def test_the_doubled_braces_of_a_template() -> None:
    """Where a library leaves them doubled, as LlamaIndex does, the whole schema counts and no part of it."""
    text = json.dumps(PERSON).replace("{", "{{").replace("}", "}}")

    assert last_schema(f"Here's a JSON schema to follow:\n{text}\n\nOutput a valid JSON object.") == PERSON


def test_a_schema_that_nothing_satisfies_stays_prose() -> None:
    """A prompt is no field of the request, so it cannot be refused for what stands in it."""
    never = {"type": "object", "properties": {"a": False}, "required": ["a"]}

    assert "合成" in told(system(json.dumps(never)), user("你好"))
    assert json.loads(told(system(json.dumps(never)), user("你好"), **JSON_MODE))["synthetic"] is True


def test_response_format_goes_before_the_prompt() -> None:
    """A schema in its own field is the one that counts, and an echo is an echo."""
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"const": 7}}}
    prompt = user(json.dumps(PERSON))

    assert told(prompt, response_format=wanted) == "7"
    request = ChatRequest("qwen2.5-7b-instruct", "nvidia", [prompt], body={}, answer_style="echo")
    assert SOURCE.answer(request).text == prompt["content"]


# dspy and smolagents

DSPY_FIELDS: Final = """Your input fields are:
1. `question` (str):
Your output fields are:
1. `answer` (str): the answer
2. `score` (float):
3. `kind` (Literal['a', 'b']):
4. `person` (Person):
5. `tags` (list[str]):
6. `ok` (bool):
7. `note` (Optional[str]):
All interactions will be structured in the following way, with the appropriate values filled in.

"""
NOTE: Final = "# note: the value you produce must adhere to the JSON schema: "
NAMES: Final = ["answer", "score", "kind", "person", "tags", "ok", "note"]


def check_dspy(fields: dict[str, Any]) -> None:
    """The fields have the types that the list gives them."""
    assert list(fields) == NAMES
    assert isinstance(fields["answer"], str)
    assert isinstance(fields["score"], (int, float))
    assert fields["kind"] in {"a", "b"}
    jsonschema_rs.validate(PERSON, fields["person"])
    assert fields["tags"]
    assert isinstance(fields["ok"], bool)


def test_dspys_markers() -> None:
    """Each output field below its marker, and the marker of the end."""
    shown = "".join(f"[[ ## {name} ## ]]\n{{{name}}}\n\n" for name in NAMES if name != "person")
    shown += f"[[ ## person ## ]]\n{{person}}        {NOTE}{json.dumps(PERSON)}\n\n[[ ## completed ## ]]\nAnswer."
    text = told(system(DSPY_FIELDS + shown), user("[[ ## question ## ]]\n你好"))

    *fields, (end, nothing) = re.findall(r"\[\[ ## (\w+) ## \]\]\n?((?:(?!\[\[ ## ).)*)", text, re.DOTALL)
    assert (end, nothing) == ("completed", "")
    read = {name: value.strip() for name, value in fields}
    check_dspy({n: v if n in {"answer", "kind", "note"} else json.loads(v) for n, v in read.items()})


def test_dspys_json() -> None:
    """The same fields as one JSON object, where the schema's quotes are escaped."""
    shape = {name: f"{{{name}}}" for name in NAMES} | {"person": f"{{person}}        {NOTE}{json.dumps(PERSON)}"}
    asked = f"Outputs will be a JSON object with the following fields.\n\n{json.dumps(shape, indent=2)}\nAnswer."
    prompt = DSPY_FIELDS + asked

    check_dspy(json.loads(told(system(prompt), user("你好"), **JSON_MODE)))


@pytest.mark.parametrize(("opening", "closing"), [("<code>", "</code>"), ("```python", "```")])
def test_smolagents_code(opening: str, closing: str) -> None:
    """A block of Python that calls `final_answer` with the answer."""
    tools = "Tools: - f: takes inputs: {'a': {'type': 'string'}}"
    prompt = f"Thought: then\n{opening}\nfinal_answer(result)\n{closing}\n{tools}"
    text = told(system(prompt), user("Who said “it's”?"))

    code = text.split(opening + "\n")[1].removesuffix("\n" + closing)
    (call,) = ast.parse(code).body
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    assert "it's" in ast.literal_eval(call.value.args[0])


# Bounds


@pytest.mark.parametrize(
    "piece",
    ["{", '{"', '{"a":', '{"a": "', "{'", "{'a': ", '{"a": 1} ', "{'a': 1} ", '{"type": "', "{ \n", '{"\\"', '[{"a":[',
     "in in in a ", "```", "tool args {\"type\": \"object\"} ", "{'a\\'", "tool ", "final_answer( Thought: "],
)  # fmt: skip
def test_a_long_prompt_is_read_in_bounds(piece: str) -> None:
    """Only so much of it is read: what is beyond costs no more than to walk over it."""
    text = piece * (2 * 2**20 // len(piece))
    began = time.process_time()
    assert find([system(text), user(text)], bare=False) is None or "type" in piece

    assert time.process_time() - began < 5


def test_a_schema_is_found_at_both_ends_of_a_long_text() -> None:
    """Before a long document and behind it."""
    long = "text {a} " * MOST_READ
    for text in (json.dumps(PERSON) + long, long + json.dumps(PERSON)):
        assert last_schema(text) == PERSON

"""The form of a fixture file: what can be written, what is refused with which words, and what becomes of it."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.sources.fixture_file import FixtureFile, fixture_schema, parse, read
from tests.fixture_helpers import WHOLE_ANSWER

if TYPE_CHECKING:
    from pathlib import Path


FOUR_LINES = """{
  "match": {"user": "你好"},
  "answer": {"text": "你好,我是模拟服务。"}
}
"""
EVERY_KEY = {
    "$schema": "../../fixture.schema.json",
    "match": {
        "user": {"contains": "天气"},
        "system": {"regex": "^You"},
        "messages": [{"role": "system"}, {"role": "user", "content": "北京天气?"}],
        "body": {"$.tools[0].function.name": "get_weather", "$.seed": {"exists": False}},
        "stream": True,
        "model": "any",
        "chip": "nvidia",
    },
    "answers": [
        WHOLE_ANSWER,
        {"text": "不", "blocked": True},
        {"error": "rate-limited"},
        {"error": {"status": 503, "code": "busy", "message": "later"}},
    ],
    "then": "cycle",
    "priority": -1,
    "expires": "2030-12-31",
    "source": "ours",
}
MATCH = '"match": {}'
ANSWER = '"answer": {"text": "a"}'
TEXT_FORMS = 'allowed: a text, {"contains": "a text"} or {"regex": "an expression"}'
BROKEN: dict[str, tuple[str, str]] = {
    "empty file": ("", "not a JSON file: EOF while parsing a value at line 1 column 0"),
    "cut file": ('{"match": {', "not a JSON file: EOF while parsing an object at line 1 column 11"),
    "trailing comma": (f"{{{MATCH},}}", "not a JSON file: trailing comma at line 1 column 14"),
    "not a number": ('{"match": {"body": {"$.n": NaN}}}', "not a JSON file: expected value at line 1 column 28"),
    "very deep": ("[" * 5000, "not a JSON file: recursion limit exceeded at line 1 column 202"),
    "a key twice": (f"{{{MATCH}, {MATCH}, {ANSWER}}}", "match: this key is there twice; keep one"),
    "a key twice within": (
        f'{{"match": {{"messages": [{{"role": "user"}}, {{"role": "user", "\\u0072ole": "system"}}]}}, {ANSWER}}}',
        "match.messages[1].role: this key is there twice; keep one",
    ),
    "array": ("[]", "[] is not allowed; allowed: an object with match and answer"),
    "no match": (f"{{{ANSWER}}}", "match: missing"),
    "no answer": (f"{{{MATCH}}}", "give either answer or answers"),
    "two kinds of answer": (f'{{{MATCH}, {ANSWER}, "answers": [{{"text": "a"}}]}}', "give either answer or answers"),
    "no answers": (f'{{{MATCH}, "answers": []}}', "answers: [] is not allowed; allowed: at least 1 of them"),
    "half of the recorded form": ('{"request": {}}', "match: missing"),
    "unknown key": (f'{{{MATCH}, {ANSWER}, "prority": 1}}', "prority: unknown key; did you mean priority?"),
    "unknown key of match": (
        f'{{"match": {{"usr": "a"}}, {ANSWER}}}',
        "match.usr: unknown key; did you mean user, query?",
    ),
    "unknown key of answer": (f'{{{MATCH}, "answer": {{"txt": ""}}}}', "answer.txt: unknown key; did you mean text?"),
    "user a number": (f'{{"match": {{"user": 5}}, {ANSWER}}}', f"match.user: 5 is not allowed; {TEXT_FORMS}"),
    "regex": (
        f'{{"match": {{"user": {{"regex": "a("}}}}, {ANSWER}}}',
        (
            "match.user: regex: 'a(' is not a regular expression in RE2's syntax: unclosed group "
            "(no look-around, no back-references)"
        ),
    ),
    "stream a text": (
        f'{{"match": {{"stream": "true"}}, {ANSWER}}}',
        "match.stream: 'true' is not allowed; allowed: a valid boolean",
    ),
    "body no object": (
        f'{{"match": {{"body": []}}, {ANSWER}}}',
        'match.body: [] is not allowed; allowed: an object of paths, like {"$.temperature": 0.7}',
    ),
    "body no path": (
        f'{{"match": {{"body": {{"n": 1}}}}, {ANSWER}}}',
        "match.body: 'n' is not a path; write it like $.temperature or $.tools[0].function.name",
    ),
    "no messages": (
        f'{{"match": {{"messages": []}}, {ANSWER}}}',
        "match.messages: [] is not allowed; allowed: at least 1 of them",
    ),
    "message without role": (
        f'{{"match": {{"messages": [{{"content": "a"}}]}}, {ANSWER}}}',
        "match.messages[0].role: missing",
    ),
    "message with more": (
        f'{{"match": {{"messages": [{{"role": "user", "name": "a"}}]}}, {ANSWER}}}',
        "match.messages[0].name: unknown key; known: role, content",
    ),
    "answer a text": (f'{{{MATCH}, "answer": "hi"}}', "answer: 'hi' is not allowed; allowed: an object"),
    "answer says nothing": (
        f'{{{MATCH}, "answer": {{"delay_ms": 1}}}}',
        "answer: says nothing; give text, pieces, reasoning, tool_calls, blocked, error or raw",
    ),
    "text and pieces": (
        f'{{{MATCH}, "answer": {{"text": "a", "pieces": ["a"]}}}}',
        "answer: text and pieces exclude each other; pieces joined are the text",
    ),
    "second answer": (
        f'{{{MATCH}, "answers": [{{"text": "a"}}, {{"text": 1}}]}}',
        "answers[1].text: 1 is not allowed; allowed: a valid string",
    ),
    "error and text": (
        f'{{{MATCH}, "answer": {{"error": "internal", "text": "a"}}}}',
        "answer: text does not go with error; only delay_ms does",
    ),
    "unknown kind of error": (
        f'{{{MATCH}, "answer": {{"error": "rate-limit"}}}}',
        "answer.error.kind: unknown kind 'rate-limit'; did you mean rate-limited?",
    ),
    "error without status": (
        f'{{{MATCH}, "answer": {{"error": {{"message": "a"}}}}}}',
        'answer.error: give a kind, like "rate-limited", or an object with status, code and message',
    ),
    "error with kind and message": (
        f'{{{MATCH}, "answer": {{"error": {{"kind": "internal", "message": "a"}}}}}}',
        "answer.error: code, message and body go with status; a kind has its own",
    ),
    "error without an answer's status": (
        f'{{{MATCH}, "answer": {{"error": {{"status": 100}}}}}}',
        "answer.error.status: 100 is not allowed; allowed: greater than or equal to 200",
    ),
    "error code": (
        f'{{{MATCH}, "answer": {{"error": {{"status": 500, "code": true}}}}}}',
        "answer.error.code: true is not allowed; allowed: an integer or a text",
    ),
    "negative delay": (
        f'{{{MATCH}, "answer": {{"text": "a", "delay_ms": -1}}}}',
        "answer.delay_ms: -1 is not allowed; allowed: greater than or equal to 0",
    ),
    "tool call without name": (
        f'{{{MATCH}, "answer": {{"tool_calls": [{{}}]}}}}',
        "answer.tool_calls[0].name: missing",
    ),
    "arguments": (
        f'{{{MATCH}, "answer": {{"tool_calls": [{{"name": "f", "arguments": 5}}]}}}}',
        "answer.tool_calls[0].arguments: 5 is not allowed; allowed: an object, or the text of one",
    ),
    "then": (
        f'{{{MATCH}, {ANSWER}, "then": "stop"}}',
        "then: 'stop' is not allowed; allowed: 'repeat', 'cycle' or 'error'",
    ),
    "priority": (f'{{{MATCH}, {ANSWER}, "priority": 1.5}}', "priority: 1.5 is not allowed; allowed: a valid integer"),
    "expires": (
        f'{{{MATCH}, {ANSWER}, "expires": "soon"}}',
        "expires: 'soon' is not allowed; allowed: a valid date in the format YYYY-MM-DD, input is too short",
    ),
}


def written(data: dict[str, Any]) -> FixtureFile:
    """The fixture that a file with this JSON is."""
    file = parse(json.dumps(data).encode(), "f.json")
    assert file is not None
    return file


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_with_its_key(text: str, message: str) -> None:
    """One line says which file, which key, what was seen and what is allowed."""
    with pytest.raises(OperatorError) as raised:
        parse(text.encode(), "mt/any/a.json")

    assert str(raised.value) == f"mt/any/a.json: {message}"


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        ('{"match": {"user": "你"}}'.encode("gbk"), "byte 0xc4 at offset 20"),
        ("{".encode("utf-16"), "it is UTF-16, as PowerShell's > writes it"),
    ],
    ids=["GBK", "UTF-16"],
)
def test_another_encoding_is_named(data: bytes, seen: str) -> None:
    """A file that an editor saved in another encoding says so."""
    with pytest.raises(OperatorError, match=f"^f.json: not UTF-8: {seen}; save the file as UTF-8$"):
        parse(data, "f.json")


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Some editors write one; the file's author cannot see it."""
    assert parse(b"\xef\xbb\xbf" + FOUR_LINES.encode(), "f.json") == parse(FOUR_LINES.encode(), "f.json")


def test_four_lines_are_a_fixture(tmp_path: Path) -> None:
    """A fixture can be written by hand."""
    path = tmp_path / "hello.json"
    path.write_text(FOUR_LINES, "utf-8")

    fixture = read(tmp_path, "hello.json")

    assert fixture is not None
    assert (fixture.model, fixture.chip) == ("any", "any")
    assert fixture.file.answer is not None
    assert "".join(fixture.file.answer.content) == "你好,我是模拟服务。"
    assert len(FOUR_LINES.splitlines()) == 4


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Reading fails with the system's reason."""
    with pytest.raises(OperatorError) as raised:
        read(tmp_path, "gone.json")

    assert str(raised.value) == f"{tmp_path / 'gone.json'}: no such file"


def test_the_recorded_form_is_not_a_written_fixture() -> None:
    """A file with request and response is left to the source that replays recordings, and is no error."""
    assert parse(b'{"request": {}, "response": {}, "more": 1}', "f.json") is None


PLACES: dict[str, tuple[str, dict[str, str], tuple[str, str]]] = {
    "root": ("a.json", {}, ("any", "any")),
    "model": ("mt/a.json", {}, ("mt", "any")),
    "model and chip": ("mt/chip3/a.json", {}, ("mt", "chip3")),
    "deeper": ("mt/chip3/x/y/z/a.json", {}, ("mt", "chip3")),
    "any": ("any/chip3/a.json", {}, ("any", "chip3")),
    "the file's model wins": ("mt/chip3/a.json", {"model": "qwen"}, ("qwen", "chip3")),
    "the file's chip wins": ("mt/chip3/a.json", {"chip": "any"}, ("mt", "any")),
}


@pytest.mark.parametrize(("name", "match", "expected"), PLACES.values(), ids=PLACES)
def test_folders_name_model_and_chip(
    name: str, match: dict[str, str], expected: tuple[str, str], tmp_path: Path
) -> None:
    """The first two folders below the root are the model and the chip; a missing one means any."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"match": match, "answer": {"text": "a"}}))

    fixture = read(tmp_path, name)

    assert fixture is not None
    assert (fixture.model, fixture.chip) == expected


def test_all_keys_together() -> None:
    """Every key of the form is read."""
    file = written(EVERY_KEY)

    assert file.match.asks().conditions == 7
    assert (file.priority, file.then, file.expires) == (-1, "cycle", date(2030, 12, 31))
    assert len(file.answers or ()) == 4


VALIDATOR = jsonschema_rs.validator_for(fixture_schema())
SHIPPED = sorted(shipped("fixtures").rglob("*.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_the_schema_takes_a_shipped_fixture(path: Path) -> None:
    """An editor with the schema marks nothing in a good file."""
    VALIDATOR.validate(json.loads(path.read_bytes()))


def test_the_schema_takes_every_key() -> None:
    """What can be written is in the schema."""
    VALIDATOR.validate(EVERY_KEY)


IN_SCHEMA = [
    "array", "no match", "no answers", "unknown key", "unknown key of match", "unknown key of answer", "user a number",
    "stream a text", "body no object", "body no path", "no messages", "message without role", "answer a text",
    "second answer", "unknown kind of error", "error without an answer's status", "error code", "negative delay",
    "tool call without name", "arguments", "then", "priority",
]  # fmt: skip


@pytest.mark.parametrize("name", IN_SCHEMA)
def test_the_schema_refuses_what_is_refused(name: str) -> None:
    """An editor with the schema marks what the program would not take."""
    assert not VALIDATOR.is_valid(json.loads(BROKEN[name][0]))


def test_the_schema_describes_every_key() -> None:
    """An editor shows a sentence for each key."""
    schema = fixture_schema()
    forms = [schema, *schema["$defs"].values()]
    forms += [inner for form in forms for inner in form.get("anyOf", ())]

    silent = [key for form in forms for key, value in form.get("properties", {}).items() if "description" not in value]
    assert silent == []

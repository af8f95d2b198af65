"""What is read without pydantic is what pydantic would have read, and the start imports none of it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mockserver.core.checking import checks, strictly
from mockserver.core.data import shipped
from mockserver.core.fitting import plainly
from mockserver.core.written import keys_of, trusted
from mockserver.files.byte_text import Hex
from mockserver.files.exchange_file import RequestPart
from mockserver.files.toml import toml_of
from mockserver.profile.edition_file import ChipFile, ChipSpeed, DefaultFile, EditionFile
from mockserver.sources.fixture_answer import FixtureAnswer
from mockserver.sources.fixture_file import FixtureFile, parse
from tests.written_answers import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.core.written import Written

PROFILES = sorted(shipped("profiles").rglob("*.toml"))
FIXTURES = sorted(shipped("fixtures").rglob("*.json"))
KINDS: dict[str, type[Written]] = {"edition": EditionFile, "default": DefaultFile}


def same(one: object, other: object) -> bool:
    """Whether two values are equal, and of the same types within: 1 and 1.0 are not the same."""
    return one == other and repr(one) == repr(other)


def named(path: Path) -> str:
    """The last three parts of a path."""
    return "/".join(path.parts[-3:])


@pytest.mark.parametrize("path", PROFILES, ids=named)
def test_a_shipped_profile_passes_the_check_and_is_read_as_it_would_be(path: Path) -> None:
    """Without pydantic, since nothing is wrong with it."""
    kind, data = KINDS.get(path.stem, ChipFile), toml_of(path)

    assert same(plainly(kind, data), checks(kind).validate_python(data))


@pytest.mark.parametrize("path", FIXTURES, ids=named)
def test_a_shipped_fixture_passes_the_check_and_is_read_as_it_would_be(path: Path) -> None:
    """The start does not check shipped fixtures either, so this does."""
    data = path.read_bytes()

    assert same(plainly(FixtureFile, json.loads(data)), parse(data, path))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place within a JSON value: the object or list, and the key or index."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield value, name
        yield from places(one)


ODD: st.SearchStrategy[Any] = st.sampled_from([
    None, True, 0, -1, 1.5, 2.0, 10**20, math.inf, math.nan, "", "a", "a\n", "A", "no-done", "2030-01-02", [], {},
    ["a"], [[]], {"a": 1}, {"body": False},
])  # fmt: skip


@given(st.data())
def test_what_is_plainly_allowed_passes_the_check(data: st.DataObject) -> None:
    """Whatever somebody edits in a shipped file: what is taken without pydantic, pydantic would have read the same."""
    path = data.draw(st.sampled_from([*PROFILES, *FIXTURES]))
    shipped_as_toml = path.suffix == ".toml"
    kind = KINDS.get(path.stem, ChipFile) if shipped_as_toml else FixtureFile
    edited = toml_of(path) if shipped_as_toml else json.loads(path.read_bytes())
    inside, name = data.draw(st.sampled_from(list(places(edited))))
    match data.draw(st.sampled_from(["another value", "another key", "one more key", "absent"])):
        case "another value":
            inside[name] = data.draw(ODD)
        case "another key" if isinstance(inside, dict):
            inside[data.draw(st.sampled_from(["nvidia", "source", f"{name}s"]))] = inside.pop(name)
        case "one more key" if isinstance(inside, dict):
            inside[data.draw(st.sampled_from(["jiter", "text", "$schema"]))] = data.draw(ODD)
        case _:
            del inside[name]

    plain = plainly(kind, edited)

    assert plain is None or same(plain, checks(kind).validate_python(edited))


ANSWER = {"text": "a"}
WHOLE: dict[str, Any] = {
    "conditions": {"match": {"user": {"contains": "？"}, "system": "b"}, "answer": ANSWER},
    "dialogue": {"match": {"messages": [{"role": "user", "content": {"contains": "a"}}, {"role": "tool"}]},
                 "answer": ANSWER},
    "body": {"match": {"body": {"$.a[0]": 1, "$.b": {"exists": False}}, "headers": {"x-a": "1"}, "query": {"q": "1"}},
             "answer": ANSWER},
    "nulls": {"match": {"user": None, "messages": None, "stream": None},
              "answer": {"error": "rate-limited", "raw": None}, "answers": None, "expires": None},
    "answers": {"$schema": "x", "match": {}, "answers": [ANSWER, {"pieces": ["a", "b"], "delay_ms": 5}],
                "then": "cycle", "priority": 2.0, "expires": "2030-01-02", "source": "people"},
    "usage": {"match": {}, "answer": {"text": "a", "created": 3.0,
              "usage": {"prompt_tokens": 1.0, "completion_tokens": 2}}},
    "tool calls": {"match": {}, "answer": {"tool_calls": [{"name": "f", "arguments": {"a": 1}}, {"name": "g"}]}},
    "an error of its own": {"match": {}, "answer": {"error": {"status": 418, "code": 7.0, "headers": {"x-a": "1"}}}},
    "raw text": {"match": {}, "answer": {"raw": "a"}},
    "raw sends": {"match": {}, "answer": {"raw": ["a", {"hex": "e6"}, {"data": ["a", {"hex": "ff"}], "at_ms": 3}]}},
    "raw": {"match": {}, "answer": {"raw": {"status": 201, "headers": {"x-a": "1"}, "trailers": [["x-b", "2"]],
            "ending": "cut", "sends": [{"data": "a", "delay_ms": 1}]}}},
    "raw with pairs": {"match": {}, "answer": {"raw": {"headers": [["x-a", "1"], ["x-a", "2"]]}}},
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_fixture_that_passed_the_check_is_read_again_as_it_was(name: str) -> None:
    """Of many fixtures only the bytes are kept; what they say is read again without a check."""
    data = json.dumps(WHOLE[name]).encode()

    assert same(trusted(FixtureFile, json.loads(data)), parse(data, name))


@given(ANSWERS)
def test_any_answer_that_passes_the_check_is_read_alike_without(document: Any) -> None:
    """Whatever is written in an answer: where the check lets it pass, both ways make the same of it."""
    text = json.dumps(document)
    try:
        checked = strictly(FixtureAnswer, text.encode(), json.loads(text))
    except ValidationError:
        return

    assert same(trusted(FixtureAnswer, json.loads(text)), checked)


def test_a_value_passes_the_check_as_it_is() -> None:
    """What the program has made is not checked again, also where a model holds it."""
    value = (Hex(hex="e6"), "a")

    assert RequestPart(path="/", data=value).data == value


def test_the_keys_of_a_value_can_leave_out_what_goes_without_saying() -> None:
    """By name, and where they say what their absence would."""
    speed = ChipSpeed(first_token_ms=1.0, inter_token_ms=2.0, claim="assumed", source="a guess")

    assert keys_of(speed) == {
        "first_token_ms": 1.0, "inter_token_ms": 2.0, "jitter": 0.0, "claim": "assumed", "source": "a guess",
    }  # fmt: skip
    assert keys_of(speed, "claim", "source", defaults=False) == {"first_token_ms": 1.0, "inter_token_ms": 2.0}

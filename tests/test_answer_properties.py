"""What holds for every answer on the whole way through a service: arguments, cuts, streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.conftest import ask, compose, load, nasty_texts
from tests.jsonvalue_schemas import SATISFIABLE

if TYPE_CHECKING:
    from mockserver.pipeline.respond import Service

PATH = "qwen2.5-72b-instruct/nvidia"
THINKS = "deepseek-r1/nvidia"
QUESTIONS = st.one_of(st.sampled_from(["你好，请介绍一下自己。", "Who are you?"]), nasty_texts().filter(str.strip))
NAMED = {"type": "function", "function": {"name": "do"}}


@pytest.fixture(scope="module")
def service() -> Service:
    """One service for all, as a running mock has it."""
    return compose(load("2025-reference"))


def choice(service: Service, path: str = PATH, *, asked: str = "你好", **body: Any) -> dict[str, Any]:
    """The one choice of an answer that is not streamed."""
    plan = ask(service, path, messages=[{"role": "user", "content": asked}], **body)
    document = json.loads(b"".join(plan.frames))
    assert plan.status == 200, document
    made: dict[str, Any] = {**document["choices"][0], "usage": document["usage"]}
    return made


def deltas(service: Service, path: str = PATH, *, asked: str = "你好", **body: Any) -> list[dict[str, Any]]:
    """The deltas of a streamed answer."""
    plan = ask(service, path, messages=[{"role": "user", "content": asked}], stream=True, **body)
    events = b"".join(plan.frames).split(b"\n\n")
    chunks = [json.loads(one.removeprefix(b"data: ")) for one in events if one.strip() and one != b"data: [DONE]"]
    return [one["delta"] for chunk in chunks for one in chunk["choices"]]


def joined(parts: list[dict[str, Any]], name: str) -> str:
    """A field of the deltas, put together."""
    return "".join(part.get(name) or "" for part in parts)


@settings(max_examples=60)
@given(SATISFIABLE, QUESTIONS)
def test_arguments_are_valid_whole_and_streamed(service: Service, schema: dict[str, Any], asked: str) -> None:
    """For every schema that can be satisfied, another validator accepts the arguments, and a stream has the same."""
    tools = [{"type": "function", "function": {"name": "do", "parameters": schema}}]
    wish: dict[str, Any] = {"tools": tools, "tool_choice": NAMED}
    (call,) = choice(service, asked=asked, **wish)["message"]["tool_calls"]
    parts = [one for delta in deltas(service, asked=asked, **wish) for one in delta.get("tool_calls") or []]

    jsonschema_rs.validate(schema, json.loads(call["function"]["arguments"]))
    assert "".join(one["function"].get("arguments") or "" for one in parts) == call["function"]["arguments"]


@settings(max_examples=40)
@given(SATISFIABLE)
def test_a_document_is_valid_against_its_schema(service: Service, schema: dict[str, Any]) -> None:
    """For every schema that can be satisfied, the content under `response_format` is a valid document."""
    wish = {"type": "json_schema", "json_schema": {"name": "it", "strict": True, "schema": schema}}

    jsonschema_rs.validate(schema, json.loads(choice(service, response_format=wish)["message"]["content"]))


@settings(max_examples=60)
@given(QUESTIONS, st.integers(0, 9), st.integers(1, 200), st.sampled_from([PATH, THINKS]))
def test_a_stream_joined_is_the_body(service: Service, asked: str, seed: int, most: int, path: str) -> None:
    """Whatever is asked and however much is allowed, the deltas joined are the text and the reasoning of the body."""
    wish: dict[str, Any] = {"asked": asked, "seed": seed, "max_tokens": most}
    message = choice(service, path, **wish)["message"]
    parts = deltas(service, path, **wish)

    assert joined(parts, "content") == (message["content"] or "")
    assert joined(parts, "reasoning_content") == (message.get("reasoning_content") or "")


@settings(max_examples=60)
@given(QUESTIONS, st.integers(1, 150), st.integers(0, 80), st.sampled_from([PATH, THINKS]))
def test_more_tokens_go_on_with_the_same_words(service: Service, asked: str, most: int, more: int, path: str) -> None:
    """A larger `max_tokens` never takes anything away: the shorter text begins the longer one."""
    less, greater = (choice(service, path, asked=asked, max_tokens=size) for size in (most, most + more))
    before, after = (
        (one["message"].get("reasoning_content") or "") + (one["message"]["content"] or "") for one in (less, greater)
    )

    assert after.startswith(before)
    assert less["usage"]["completion_tokens"] <= greater["usage"]["completion_tokens"]
    assert less["usage"]["completion_tokens"] <= most


@settings(max_examples=60)
@given(QUESTIONS, st.data())
def test_a_stop_sequence_never_occurs(service: Service, asked: str, data: st.DataObject) -> None:
    """Stop sequences taken from the text itself cut right before the first of them, streamed or not."""
    whole = choice(service, asked=asked)["message"]["content"]
    at = data.draw(st.integers(0, len(whole) - 1))
    taken = whole[at : at + data.draw(st.integers(1, 6))]
    other = data.draw(nasty_texts())
    stops = [one for one in (taken, other) if one]
    assume(stops)
    cut = choice(service, asked=asked, stop=stops)
    content = cut["message"]["content"] or ""

    assert content == whole[: min(found for stop in stops if (found := whole.find(stop)) >= 0)]
    assert cut["finish_reason"] == "stop"
    assert joined(deltas(service, asked=asked, stop=stops), "content") == content

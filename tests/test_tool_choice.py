"""Which functions synthetic answers call: every agent's loop comes to its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import ChatRequest
from mockserver.sources.synthetic import Synthetic
from tests.conftest import ask, compose, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOURCE = Synthetic(load("2025-reference"), 0)
MODEL = "qwen3-8b"
Message = dict[str, Any]


def tool(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    """A member of `tools`."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def as_messages(call: dict[str, Any], number: int) -> list[Message]:
    """A call and its result as OpenAI's API has them."""
    listed = {"id": f"call_{number}", "type": "function", "function": call}
    return [
        {"role": "assistant", "content": None, "tool_calls": [listed]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": "ok"},
    ]


def as_text(call: dict[str, Any], number: int) -> list[Message]:
    """A call and its result flattened to text, the call with its name, as smolagents does."""
    text = f"Calling tools:\n[{{'id': 'call_{number}', 'type': 'function', 'function': {call}}}]"
    return [{"role": "assistant", "content": text}, {"role": "user", "content": "Observation:\nok"}]


def as_silence(_call: dict[str, Any], number: int) -> list[Message]:
    """A history that keeps nothing of the call but that there was a turn."""
    return [{"role": "assistant", "content": f"step {number}"}, {"role": "user", "content": "go on"}]


HISTORIES = {"messages": as_messages, "text": as_text, "turns alone": as_silence}


def loop(tools: Sequence[dict[str, Any]], question: str, turns: int, told: Callable[..., list[Message]]) -> list[str]:
    """The functions that an agent is told to call, turn by turn, where calls are required."""
    messages: list[Message] = [{"role": "user", "content": question}]
    called = []
    for number in range(turns):
        body = {"tools": list(tools), "tool_choice": "required", "messages": messages}
        answer = SOURCE.answer(ChatRequest(MODEL, "nvidia", messages, body=body))
        (call,) = answer.tool_calls
        called.append(call.name)
        json.loads(call.arguments)
        messages += told({"name": call.name, "arguments": call.arguments}, number)
    return called


ODD_NAMES = ["查询天气", "getTime", "Answer", "WeatherReport"]
NAMES = st.one_of(st.from_regex(r"[a-z][a-z_]{0,12}", fullmatch=True), st.sampled_from(ODD_NAMES))
SCHEMAS = st.sampled_from([{"type": "string"}, {"type": "integer", "minimum": 3}, {"enum": ["a"]}, {"type": "boolean"}])
TOOLS = st.lists(
    st.builds(lambda name, says, schema: tool(name, says, x=schema), NAMES, st.text(max_size=30), SCHEMAS),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one["function"]["name"],
)


@settings(max_examples=40, deadline=None)
@given(tools=TOOLS, question=st.text(max_size=40), told=st.sampled_from(list(HISTORIES.values())))
def test_required_calls_each_function_and_ends(
    tools: list[dict[str, Any]], question: str, told: Callable[..., list[Message]]
) -> None:
    """Whatever the tools and however the history is written, each is called, the last one within n + 1 turns."""
    called = loop(tools, question, len(tools) + 1, told)

    assert set(called) == {one["function"]["name"] for one in tools}


@pytest.mark.parametrize("told", HISTORIES.values(), ids=HISTORIES)
@pytest.mark.parametrize(
    ("tools", "ends"),
    [
        pytest.param([tool("get_weather"), tool("final_answer")], "final_answer", id="smolagents"),
        pytest.param([tool("final_answer"), tool("get_weather")], "final_answer", id="listed first"),
        pytest.param([tool("get_weather"), tool("final_result")], "final_result", id="pydantic-ai"),
        pytest.param([tool("get_weather"), tool("WeatherReport")], "WeatherReport", id="an output model"),
        pytest.param([tool("done"), tool("get_weather"), tool("get_time")], "done", id="a done tool"),
        pytest.param([tool("x", "Call it when you are done."), tool("get_weather")], "x", id="by description"),
        pytest.param([tool("a", "返回最终答案"), tool("get_weather")], "a", id="by a Chinese description"),
    ],
)
def test_what_ends_the_work_comes_last(
    tools: list[dict[str, Any]], ends: str, told: Callable[..., list[Message]]
) -> None:
    """A function that says that it ends is called when all others were, also where the question is about it."""
    called = loop(tools, f"What is the weather? Then {ends}.", len(tools), told)

    assert called[-1] == ends
    assert ends not in called[:-1]


def test_a_loop_of_auto_ends_in_text() -> None:
    """Where calls are not required, the tool's result is answered in words."""
    call = {"name": "get_weather", "arguments": "{}"}
    messages = [{"role": "user", "content": "weather?"}, *as_messages(call, 0)]
    body = {"tools": [tool("get_weather"), tool("get_time")], "messages": messages}

    answer = SOURCE.answer(ChatRequest(MODEL, "nvidia", messages, body=body))

    assert (answer.tool_calls, bool(answer.text)) == ((), True)


def test_the_question_decides_what_is_called_first() -> None:
    """Of several functions the nearest to the question is called first, before any that ends."""
    called = loop([tool("get_news"), tool("get_weather"), tool("final_answer")], "How is the weather?", 3, as_messages)

    assert called == ["get_weather", "get_news", "final_answer"]


@pytest.mark.parametrize(
    ("edition", "model", "refused"),
    [
        ("2025-reference", "deepseek-v3", True),
        ("2025-reference", "deepseek-r1", True),
        ("2025-reference", "qwen3-8b", False),
        ("2025-reference", "glm-4.5", False),
    ],
)
def test_two_tools_with_one_name(edition: str, model: str, refused: bool) -> None:
    """DeepSeek's models refuse them and name the field; the others call the first one."""
    twice = [tool("f", x={"const": 1}), tool("g"), tool("f", x={"const": 2})]
    plan = ask(compose(load(edition)), f"{model}/nvidia", tools=twice, tool_choice="required", model=model)
    body = json.loads(b"".join(plan.frames))

    if not refused:
        (call,) = body["choices"][0]["message"]["tool_calls"]
        assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("f", {"x": 1})
    else:
        assert (plan.status, body["error"]["param"]) == (400, "tools[2].function.name")
        assert body["error"]["message"] == (
            "tools[2].function.name: 'f' is the name of tools[0] too; this model wants each name once"
        )

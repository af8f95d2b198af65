"""Which function is called next: each once, and the one that ends a loop when all others were called."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import ChatRequest, ToolCall
from mockserver.pipeline.structure import structure
from mockserver.sources.next_tool import chosen
from mockserver.sources.synthetic import Synthetic
from tests.conftest import ask, compose, load
from tests.jsonvalue_schemas import SATISFIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

Message = dict[str, Any]
SOURCE = Synthetic(load("2025-reference"), 0, "template")


def tool(name: str, description: str = "", parameters: Any = None) -> Message:
    """A member of `tools`."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def as_calls(calls: tuple[ToolCall, ...], number: int) -> list[Message]:
    """The turn and its results as OpenAI's form has them."""
    entries = [
        {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}} for one in calls
    ]
    results = [{"role": "tool", "tool_call_id": one.id, "content": f"result {number}"} for one in calls]
    return [{"role": "assistant", "content": None, "tool_calls": entries}, *results]


def as_old_calls(calls: tuple[ToolCall, ...], number: int) -> list[Message]:
    """The form before `tool_calls`."""
    called = {"name": calls[0].name, "arguments": calls[0].arguments}
    return [{"role": "assistant", "content": "", "function_call": called}, {"role": "user", "content": f"{number}"}]


def as_text(calls: tuple[ToolCall, ...], number: int) -> list[Message]:
    """A dialogue that a library has made plain text of, with the names of what was called."""
    said = f"Calling tools:\n{[{'function': {'name': one.name, 'arguments': one.arguments}} for one in calls]}"
    return [
        {"role": "assistant", "content": [{"type": "text", "text": said}]},
        {"role": "user", "content": f"Observation:\nresult {number}"},
    ]


def as_silence(_calls: tuple[ToolCall, ...], number: int) -> list[Message]:
    """Plain text that does not say what was called."""
    return [{"role": "assistant", "content": "…"}, {"role": "user", "content": f"Observation: weather {number}"}]


FORMS = {one.__name__: one for one in (as_calls, as_old_calls, as_text, as_silence)}
NAMES = st.text("abcdefgh_", min_size=3, max_size=9) | st.sampled_from(
    ["get_weather", "get_time", "final_answer", "done", "Person", "exit", "天气-1", "search"]
)
TOOLS = st.lists(st.tuples(NAMES, st.sampled_from(["", "The weather", "Ends this run"]), SATISFIABLE), min_size=1,
                 max_size=5, unique_by=lambda one: one[0])  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(TOOLS, st.sampled_from(sorted(FORMS)), st.booleans(), st.sampled_from(["你好", "What is the weather? get_time"]))
def test_a_loop_that_must_call_calls_each_function_once(
    tools: list[tuple[str, str, Any]], form: str, parallel: bool, asked: str
) -> None:
    """Whatever the functions and however the results come back: n answers call n functions, each once."""
    dialogue: list[Message] = [{"role": "user", "content": asked}]
    wanted = {"tools": [tool(*one) for one in tools], "tool_choice": "required"}
    parallel = parallel and form == "as_calls"
    called: list[str] = []
    for number in range(len(tools)):
        body = {**wanted, "parallel_tool_calls": parallel}
        answer = SOURCE.answer(ChatRequest("qwen2.5-7b-instruct", "nvidia", dialogue, body=body))
        assert answer.tool_calls
        called += [one.name for one in answer.tool_calls]
        dialogue += FORMS[form](answer.tool_calls, number)
        if len(called) == len(tools):
            break

    assert sorted(called) == sorted(one[0] for one in tools)


def loop(tools: list[Message], asked: str, form: Callable[..., list[Message]] = as_calls, turns: int = 6) -> list[str]:
    """The functions that a loop calls, one after the other."""
    dialogue: list[Message] = [{"role": "user", "content": asked}]
    called = []
    for number in range(turns):
        wanted = structure({"tools": tools, "tool_choice": "required"})
        users = [turn["content"] for turn in dialogue if turn["role"] == "user"]
        (one,) = chosen(wanted, dialogue, users[-1])
        called.append(one.name)
        call = type("Call", (), {"id": "c", "name": one.name, "arguments": json.dumps({})})
        dialogue += form((call,), number)
    return called


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SHOWN = {"role": "user", "content": [{"type": "text", "text": "This is the file."}, PICTURE]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "The picture follows."}
CALL = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}
ASKING = {"role": "user", "content": "And now?"}


@pytest.mark.parametrize(
    ("dialogue", "calls"),
    [
        pytest.param([ASKING, CALL, RESULT], False, id="result"),
        pytest.param([ASKING, CALL, RESULT, SHOWN], False, id="its-picture"),
        pytest.param([ASKING, CALL, RESULT, SHOWN, SHOWN], False, id="its-pictures"),
        pytest.param([ASKING, CALL, RESULT, ASKING], True, id="question-behind-it"),
        pytest.param([ASKING, CALL, RESULT, SHOWN, ASKING], True, id="question-behind-its-picture"),
        pytest.param([SHOWN], True, id="picture"),
        pytest.param([{"role": "system", "content": "Be kind."}, SHOWN], True, id="picture-behind-the-system"),
        pytest.param([ASKING, SHOWN], True, id="question-and-picture"),
        pytest.param([ASKING, CALL, RESULT, {"role": "assistant", "content": "So."}, SHOWN], True, id="later-picture"),
    ],
)
def test_the_picture_of_a_result_is_no_question(dialogue: list[Message], calls: bool) -> None:
    """Where a tool's picture comes behind its result in the user's name, the loop ends as it does without one."""
    wanted = structure({"tools": [tool("f")]})

    assert bool(chosen(wanted, dialogue, "And now?")) is calls


WEATHER, TIME = tool("get_weather", "The weather in a city"), tool("get_time", "The time in a zone")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    "last",
    [
        tool("final_answer"), tool("final_result", "The final response which ends this conversation"), tool("done"),
        tool("finish_task"), tool("submit_answer"), tool("set_model_response"), tool("x", "Gives the final answer."),
        tool("Person", "The weather of a person"), tool("TaskDone"), tool("回答", "给出最终答案"),
        tool("a", "返回最终答案"), tool("x", "Call it when you are done."),
    ],
    ids=lambda one: f"{one['function']['name']} {one['function']['description']}".strip(),
)  # fmt: skip
def test_what_ends_a_loop_comes_last(last: Message, form: Callable[..., list[Message]]) -> None:
    """By its name, its description, or as the one class behind functions; then the round begins again."""
    called = loop([WEATHER, TIME, last], "What time is the weather?", form)

    name = last["function"]["name"]
    assert [called[2], called[5]] == [name, name]
    assert sorted(called[:2]) == sorted(called[3:5]) == ["get_time", "get_weather"]


@pytest.mark.parametrize(
    ("asked", "first"), [("What time is it?", "get_time"), ("The weather?", "get_weather"), ("你好", "get_weather")]
)
def test_the_question_decides_what_is_called_first(asked: str, first: str) -> None:
    """The best match goes first wherever it stands, and one that only stands last ends nothing."""
    assert loop([WEATHER, TIME], asked, turns=1) == [first]


def test_what_ends_a_loop_comes_last_wherever_it_is_listed_and_asked_for() -> None:
    """Listed first, and named by the question, it still waits for the others."""
    assert loop([tool("final_answer"), TIME, WEATHER], "The weather, then final_answer.", turns=3)[2] == "final_answer"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_of_several_that_end_a_loop_the_last_in_the_request_comes_last(form: Callable[..., list[Message]]) -> None:
    """Also where the question is about it, and the round does not begin again before the others were called."""
    tools = [tool("other", "Ends this run"), TIME, tool("get_weather", "Ends this run")]

    assert loop(tools, "What is the weather?", form) == ["get_time", "other", "get_weather"] * 2


def test_a_loop_that_need_not_call_ends_in_words() -> None:
    """Where calls are not required, a function's result is answered in words."""
    dialogue = [{"role": "user", "content": "weather?"}, *as_calls((ToolCall("c", "get_weather", ("{}",)),), 0)]

    answer = SOURCE.answer(ChatRequest("qwen3-8b", "nvidia", dialogue, body={"tools": [WEATHER, TIME]}))

    assert (answer.tool_calls, bool(answer.text)) == ((), True)


def test_a_class_first_or_among_classes_ends_nothing() -> None:
    """A model of the output is known by being the one class, behind the functions."""
    assert loop([tool("Weather"), TIME], "The weather?", turns=1) == ["Weather"]
    assert loop([tool("Time"), tool("Weather")], "The weather?", turns=1) == ["Weather"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_long_dialogue_is_read_in_its_own_length(form: Callable[..., list[Message]]) -> None:
    """Ten times the turns and functions take about ten times as long, not a hundred times."""

    def spent(size: int) -> float:
        wanted = structure({"tools": [tool(f"f{number}") for number in range(size)], "tool_choice": "required"})
        dialogue: list[Message] = [{"role": "user", "content": "你好"}]
        for number in range(size):
            call = type("Call", (), {"id": "c", "name": f"f{number}", "arguments": "{}"})
            dialogue += form((call,), number)
        best = []
        for _ in range(3):
            began = time.process_time()
            chosen(wanted, dialogue, "你好")
            best.append(time.process_time() - began)
        return min(best)

    assert spent(5000) < 40 * spent(500)


@pytest.mark.parametrize(
    ("model", "refused"), [("deepseek-v3", True), ("deepseek-r1", True), ("qwen3-8b", False), ("glm-4.5", False)]
)
def test_two_tools_with_one_name(model: str, refused: bool) -> None:
    """DeepSeek's models refuse them and name the field; the others call the first one."""
    first, second = ({"type": "object", "properties": {"x": {"const": x}}, "required": ["x"]} for x in (1, 2))
    twice = [tool("f", parameters=first), tool("g"), tool("f", parameters=second)]
    plan = ask(compose(load("2025-reference")), f"{model}/nvidia", tools=twice, tool_choice="required", model=model)
    body = json.loads(b"".join(plan.frames))

    if not refused:
        (call,) = body["choices"][0]["message"]["tool_calls"]
        assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("f", {"x": 1})
    else:
        assert (plan.status, body["error"]["param"]) == (400, "tools[2].function.name")
        assert body["error"]["message"] == (
            "tools[2].function.name: 'f' is the name of tools[0] too; this model wants each name once"
        )

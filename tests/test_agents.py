"""Loops of agents and structured answers through the libraries that people write them with."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from tests.conftest import KEY, Live
from tests.third_party import library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from openai import OpenAI

ASKED = "What is the weather in Paris, and what time is it there?"
MOST_TURNS = 4
"""A loop that has not ended by then does not end."""


class Place(BaseModel):
    """Where somebody is; a nested part."""

    city: str = Field(min_length=1)
    zip_code: str = Field(pattern=r"^\d{5}$")


class Person(BaseModel):
    """A structured answer with most of what pydantic makes of types."""

    name: str
    age: int = Field(ge=0, le=150)
    mood: Literal["calm", "glad"]
    homes: list[Place] = Field(min_length=1, max_length=3)
    note: str | None


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def get_time(zone: str) -> str:
    """The time in a zone."""
    return f"noon in {zone}"


RUN: dict[str, Callable[..., str]] = {"get_weather": get_weather, "get_time": get_time}
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": function.__name__,
            "description": function.__doc__,
            "parameters": {
                "type": "object",
                "properties": {argument: {"type": "string"}},
                "required": [argument],
                "additionalProperties": False,
            },
        },
    }
    for function, argument in ((get_weather, "city"), (get_time, "zone"))
]
SAID = ("sunny in", "noon in")


@pytest.fixture(scope="module")
def reference(servers: dict[str, Live]) -> Live:
    """The server of the reference's edition."""
    return servers["2025-reference"]


@pytest.fixture(scope="module")
def model() -> str:
    """A model that calls functions and does not reason."""
    return "qwen2.5-72b-instruct"


@pytest.fixture(scope="module")
def base_url(reference: Live, model: str) -> str:
    """What the libraries are given."""
    return reference.base_url("nvidia", model)


@pytest.fixture(scope="module")
def sdk(base_url: str) -> Iterator[OpenAI]:
    """The official SDK."""
    import openai

    with openai.OpenAI(api_key=KEY, base_url=base_url, max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is told to anybody, and no table of prices is fetched."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def litellm() -> Iterator[ModuleType]:
    """LiteLLM, with an event loop that is closed in the end: it makes one where there is none, and leaves it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    import litellm

    yield litellm
    asyncio.set_event_loop(None)
    loop.close()


def ends_with_what_a_tool_said(text: str | None) -> bool:
    """Whether an answer quotes the result of one of the two tools."""
    return any(said in (text or "") for said in SAID)


def test_parse_gives_the_pydantic_model(sdk: OpenAI, model: str) -> None:
    """`chat.completions.parse` validates the answer by the class that it sent as a strict schema."""
    made = sdk.chat.completions.parse(
        model=model, messages=[{"role": "user", "content": "Who are you?"}], response_format=Person
    )

    assert isinstance(made.choices[0].message.parsed, Person)


def test_the_stream_helper_parses_what_came_in_pieces(sdk: OpenAI, model: str) -> None:
    """`.stream()` tells of each piece; they joined are the content, and the last snapshot is parsed."""
    with sdk.chat.completions.stream(
        model=model,
        messages=[{"role": "user", "content": "Who are you?"}],
        response_format=Person,
        stream_options={"include_usage": True},
    ) as stream:
        told = [event.delta for event in stream if event.type == "content.delta"]
        made = stream.get_final_completion()

    assert "".join(told) == made.choices[0].message.content
    assert isinstance(made.choices[0].message.parsed, Person)
    assert made.usage is not None
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens


@pytest.mark.parametrize(
    ("chip", "heard"),
    [(chip, ["greet"]) for chip in ("nvidia", "amd", "chip1", "chip2")] + [(f"chip{n}", []) for n in (3, 4, 5)],
)
def test_the_stream_helper_puts_calls_together(reference: Live, model: str, chip: str, heard: list[str]) -> None:
    """`.stream()` tells when the arguments of a call are whole, parsed by the function's own class.

    From the chips that send `object` only with the last chunk it hears only that one, as it passes over chunks without
    `object`: the documented deviation as an application meets it. Plain `create(stream=True)` reads them all.
    """
    import openai

    tool = openai.pydantic_function_tool(Person, name="greet")
    asked: list[Any] = [{"role": "user", "content": "Greet me."}]
    with openai.OpenAI(api_key=KEY, base_url=reference.base_url(chip, model), max_retries=0) as client:
        with client.chat.completions.stream(model=model, messages=asked, tools=[tool]) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            made = stream.get_final_completion()
        plain = list(client.chat.completions.create(model=model, messages=asked, tools=[tool], stream=True))

    assert [event.name for event in done] == heard
    assert all(isinstance(event.parsed_arguments, Person) for event in done)
    assert made.choices[0].finish_reason == "tool_calls"
    deltas = [one for chunk in plain for choice in chunk.choices for one in choice.delta.tool_calls or []]
    arguments = "".join(one.function.arguments or "" for one in deltas if one.function is not None)
    assert Person.model_validate_json(arguments)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_langchain_loop_ends(base_url: str, model: str, stream: bool) -> None:
    """`bind_tools` and a loop by hand: calls until there are none, then a text that quotes a result."""
    library("langchain_openai")
    from langchain_core.messages import AnyMessage, HumanMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    tools = {name: tool(function) for name, function in RUN.items()}
    chat = ChatOpenAI(model=model, base_url=base_url, api_key=SecretStr(KEY), max_retries=0, streaming=stream)
    bound = chat.bind_tools(list(tools.values()), parallel_tool_calls=True)
    dialogue: list[AnyMessage] = [HumanMessage(f"{ASKED} Use get_weather and get_time.")]
    for turn in range(MOST_TURNS):
        answer = bound.invoke(dialogue)
        dialogue.append(answer)
        if not answer.tool_calls:
            break
        assert turn == 0
        assert [one["name"] for one in answer.tool_calls] == list(RUN)
        dialogue.extend(tools[one["name"]].invoke(one) for one in answer.tool_calls)

    assert ends_with_what_a_tool_said(str(dialogue[-1].content))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_litellm_loop_ends(litellm: ModuleType, base_url: str, model: str, stream: bool) -> None:
    """A loop by hand over `completion`; a stream is put together by LiteLLM's own builder."""
    dialogue: list[Any] = [{"role": "user", "content": ASKED}]
    for _ in range(MOST_TURNS):
        made = litellm.completion(
            model=f"openai/{model}",
            api_base=base_url,
            api_key=KEY,
            messages=dialogue,
            tools=TOOLS,
            stream=stream,
            num_retries=0,
        )
        if stream:
            made = litellm.stream_chunk_builder(list(made), messages=dialogue)
        answer = made.choices[0].message
        dialogue.append(answer.model_dump())
        if not answer.tool_calls:
            break
        for one in answer.tool_calls:
            result = RUN[one.function.name](**json.loads(one.function.arguments))
            dialogue.append({"role": "tool", "tool_call_id": one.id, "content": result})

    assert [turn["role"] for turn in dialogue] == ["user", "assistant", "tool", "assistant"]
    assert ends_with_what_a_tool_said(dialogue[-1]["content"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.anyio
async def test_a_pydantic_ai_agent_ends(base_url: str, model: str, stream: bool) -> None:
    """An agent with two tools runs until it has a text."""
    library("pydantic_ai")
    import openai
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with openai.AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0) as client:
        agent = Agent(
            OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client)), tools=[get_weather, get_time]
        )
        if stream:
            async with agent.run_stream(ASKED) as running:
                text, usage = await running.get_output(), running.usage
        else:
            done = await agent.run(ASKED)
            text, usage = done.output, done.usage

    assert ends_with_what_a_tool_said(text)
    assert (usage.requests, usage.tool_calls) == (2, 1)


@pytest.mark.anyio
async def test_a_pydantic_ai_agent_answers_in_a_class(base_url: str, model: str) -> None:
    """With an output type the answer is an object of it, by a call of the library's own function."""
    library("pydantic_ai")
    import openai
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with openai.AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0) as client:
        agent = Agent(OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client)), output_type=Person)
        done = await agent.run("Who are you?")

    assert isinstance(done.output, Person)

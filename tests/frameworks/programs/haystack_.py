from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from haystack.utils import Secret

TOOLS = [create_tool_from_function(get_weather), create_tool_from_function(get_time)]
ASK = [ChatMessage.from_user(ASKED)]


def final_answer(name: str, age: int) -> str:
    """Give the final answer."""
    return f'{{"name": "{name}", "age": {age}}}'


def chat(base_url, model, **more):
    return OpenAIChatGenerator(Secret.from_token(KEY), model, api_base_url=base_url, max_retries=0, **more)


def text(base_url, model):
    return chat(base_url, model).run(ASK)["replies"][0].text


def stream(base_url, model):
    told = []
    chat(base_url, model, streaming_callback=lambda chunk: told.append(chunk.content or "")).run(ASK)
    return "".join(told)


def loop(base_url, model):
    agent = Agent(chat_generator=chat(base_url, model), tools=TOOLS, max_agent_steps=MOST_TURNS)
    return agent.run(messages=ASK)["messages"][-1].text


def structured(base_url, model):
    return chat(base_url, model, generation_kwargs={"response_format": Person}).run(ASK)["replies"][0].text


def both(base_url, model):
    kwargs = {"tool_choice": "required"}
    agent = Agent(
        chat_generator=chat(base_url, model, generation_kwargs=kwargs),
        max_agent_steps=MOST_TURNS,
        tools=[*TOOLS, create_tool_from_function(final_answer)],
        exit_conditions=["final_answer"],
    )
    messages = agent.run(messages=ASK)["messages"]
    called = [call.tool_name for message in messages for call in message.tool_calls or []]
    arguments = [call.arguments for message in messages for call in message.tool_calls or []]
    return arguments[-1] if called[-1:] == ["final_answer"] else None


run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured with tools": both})

from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run
from openai import AsyncOpenAI

set_tracing_disabled(True)


def agent(base_url, model, **more):
    chat = OpenAIChatCompletionsModel(model, AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0))
    return Agent(name="a", instructions="Help.", model=chat, **more)


TOOLS = [function_tool(get_weather), function_tool(get_time)]


async def text(base_url, model):
    return (await Runner.run(agent(base_url, model), ASKED, max_turns=MOST_TURNS)).final_output


async def stream(base_url, model):
    result = Runner.run_streamed(agent(base_url, model), ASKED, max_turns=MOST_TURNS)
    async for _ in result.stream_events():
        pass
    return result.final_output


async def loop(base_url, model):
    return (await Runner.run(agent(base_url, model, tools=TOOLS), ASKED, max_turns=MOST_TURNS)).final_output


async def structured(base_url, model):
    return (await Runner.run(agent(base_url, model, output_type=Person), ASKED, max_turns=MOST_TURNS)).final_output


async def both(base_url, model):
    made = agent(base_url, model, output_type=Person, tools=TOOLS, model_settings=ModelSettings(tool_choice="required"))
    return (await Runner.run(made, ASKED, max_turns=MOST_TURNS)).final_output


run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured with tools": both})

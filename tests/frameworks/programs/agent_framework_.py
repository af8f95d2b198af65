from agent_framework import Agent
from agent_framework.openai import OpenAIChatCompletionClient
from common import ASKED, KEY, Person, get_time, get_weather, run


def agent(base_url, model, **more):
    return Agent(client=OpenAIChatCompletionClient(model=model, api_key=KEY, base_url=base_url), **more)


async def text(base_url, model):
    return (await agent(base_url, model).run(ASKED)).text


async def stream(base_url, model):
    return "".join([part.text async for part in agent(base_url, model).run(ASKED, stream=True) if part.text])


async def loop(base_url, model):
    return (await agent(base_url, model, tools=[get_weather, get_time]).run(ASKED)).text


async def loop_streamed(base_url, model):
    running = agent(base_url, model, tools=[get_weather, get_time]).run(ASKED, stream=True)
    return "".join([part.text async for part in running if part.text])


async def structured(base_url, model):
    return (await agent(base_url, model).run(ASKED, options={"response_format": Person})).value


async def both(base_url, model):
    return (
        await agent(base_url, model, tools=[get_weather, get_time]).run(ASKED, options={"response_format": Person})
    ).value


run(
    {
        "text": text,
        "stream": stream,
        "loop": loop,
        "two tools, streamed": loop_streamed,
        "structured": structured,
        "structured with tools": both,
    }
)

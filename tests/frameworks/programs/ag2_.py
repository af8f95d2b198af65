from ag2 import Agent, tool
from ag2.config import OpenAIConfig
from common import ASKED, KEY, Person, get_time, get_weather, run


def agent(base_url, model, streaming=False, **more):
    config = OpenAIConfig(model=model, api_key=KEY, base_url=base_url, streaming=streaming)
    return Agent("a", prompt="You help.", config=config, **more)


async def text(base_url, model):
    return (await agent(base_url, model).ask(ASKED)).body


async def stream(base_url, model):
    return (await agent(base_url, model, streaming=True).ask(ASKED)).body


async def loop(base_url, model):
    return (await agent(base_url, model, tools=[tool(get_weather), tool(get_time)]).ask(ASKED)).body


async def structured(base_url, model):
    reply = await agent(base_url, model, response_schema=Person).ask(ASKED)
    return await reply.content()


async def structured_with_tools(base_url, model):
    more = {"response_schema": Person, "tools": [tool(get_weather), tool(get_time)]}
    return await (await agent(base_url, model, **more).ask(ASKED)).content()


run(
    {
        "text": text,
        "stream": stream,
        "loop": loop,
        "structured": structured,
        "structured with tools": structured_with_tools,
    }
)

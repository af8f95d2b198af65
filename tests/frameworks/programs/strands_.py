from common import ASKED, KEY, Person, get_time, get_weather, run
from strands import Agent, tool
from strands.models.openai import OpenAIModel

TOOLS = [tool(get_weather), tool(get_time)]


def agent(base_url, model, **more):
    chat = OpenAIModel(client_args={"api_key": KEY, "base_url": base_url, "max_retries": 0}, model_id=model)
    return Agent(model=chat, callback_handler=None, **more)


async def text(base_url, model):
    return str(await agent(base_url, model).invoke_async(ASKED))


async def stream(base_url, model):
    return "".join([event["data"] async for event in agent(base_url, model).stream_async(ASKED) if "data" in event])


async def loop(base_url, model):
    return str(await agent(base_url, model, tools=TOOLS).invoke_async(ASKED))


async def structured(base_url, model):
    return (await agent(base_url, model).invoke_async(ASKED, structured_output_model=Person)).structured_output


async def both(base_url, model):
    return (
        await agent(base_url, model, tools=TOOLS).invoke_async(ASKED, structured_output_model=Person)
    ).structured_output


run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured with tools": both})

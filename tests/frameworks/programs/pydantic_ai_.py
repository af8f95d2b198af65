from common import ASKED, KEY, Person, get_time, get_weather, run
from openai import AsyncOpenAI
from pydantic_ai import Agent, PromptedOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def agent(base_url, model, **more):
    client = AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0)
    return Agent(OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client)), **more)


TOOLS = [get_weather, get_time]


async def text(base_url, model):
    return (await agent(base_url, model).run(ASKED)).output


async def stream(base_url, model):
    async with agent(base_url, model).run_stream(ASKED) as running:
        return await running.get_output()


async def loop(base_url, model):
    return (await agent(base_url, model, tools=TOOLS).run(ASKED)).output


async def structured(base_url, model):
    return (await agent(base_url, model, output_type=Person).run(ASKED)).output


async def both(base_url, model):
    return (await agent(base_url, model, output_type=Person, tools=TOOLS).run(ASKED)).output


async def prompted(base_url, model):
    return (await agent(base_url, model, output_type=PromptedOutput(Person), tools=TOOLS).run(ASKED)).output


run(
    {
        "text": text,
        "stream": stream,
        "loop": loop,
        "structured": structured,
        "structured with tools": both,
        "structured in the prompt": prompted,
    }
)

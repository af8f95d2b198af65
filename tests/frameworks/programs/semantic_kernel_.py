from common import ASKED, KEY, Person, get_time, get_weather, run
from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.functions import KernelArguments, kernel_function


class Weather:
    """The tools, as the kernel wants them."""

    @kernel_function
    def get_weather(self, city: str) -> str:
        """Get the weather in a city."""
        return get_weather(city)

    @kernel_function
    def get_time(self, zone: str) -> str:
        """Get the time in a zone."""
        return get_time(zone)


def agent(base_url, model, plugins=(), response_format=None):
    service = OpenAIChatCompletion(
        ai_model_id=model, async_client=AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0)
    )
    settings = OpenAIChatPromptExecutionSettings(response_format=response_format)
    return ChatCompletionAgent(
        service=service, name="a", plugins=list(plugins), arguments=KernelArguments(settings=settings)
    )


async def text(base_url, model):
    return str((await agent(base_url, model).get_response(messages=ASKED)).message)


async def stream(base_url, model):
    return "".join([str(part.message) async for part in agent(base_url, model).invoke_stream(messages=ASKED)])


async def loop(base_url, model):
    return str((await agent(base_url, model, [Weather()]).get_response(messages=ASKED)).message)


async def structured(base_url, model):
    return str((await agent(base_url, model, response_format=Person).get_response(messages=ASKED)).message)


async def structured_with_tools(base_url, model):
    made = agent(base_url, model, [Weather()], Person)
    return str((await made.get_response(messages=ASKED)).message)


run(
    {
        "text": text,
        "stream": stream,
        "loop": loop,
        "structured": structured,
        "structured with tools": structured_with_tools,
    }
)

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ModelClientStreamingChunkEvent
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run

TOOLS = [get_weather, get_time]
INFO = {"vision": False, "function_calling": True, "json_output": True, "family": "unknown", "structured_output": True}


def agent(base_url, model, **more):
    chat = OpenAIChatCompletionClient(model=model, base_url=base_url, api_key=KEY, model_info=INFO, max_retries=0)
    return AssistantAgent("a", chat, **more)


async def text(base_url, model):
    return (await agent(base_url, model).run(task=ASKED)).messages[-1].content


async def stream(base_url, model):
    events = agent(base_url, model, model_client_stream=True).run_stream(task=ASKED)
    return "".join([event.content async for event in events if isinstance(event, ModelClientStreamingChunkEvent)])


async def loop(base_url, model):
    made = agent(base_url, model, tools=TOOLS, max_tool_iterations=MOST_TURNS)
    return (await made.run(task=ASKED)).messages[-1].content


async def structured(base_url, model):
    return (await agent(base_url, model, output_content_type=Person).run(task=ASKED)).messages[-1].content


async def both(base_url, model):
    tools = [FunctionTool(one, one.__doc__, strict=True) for one in TOOLS]  # the SDK's parse() takes no others
    made = agent(
        base_url,
        model,
        tools=tools,
        output_content_type=Person,
        max_tool_iterations=MOST_TURNS,
        reflect_on_tool_use=True,
    )
    return (await made.run(task=ASKED)).messages[-1].content


run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured with tools": both})

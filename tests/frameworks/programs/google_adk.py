from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run
from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types

TOOLS = [get_weather, get_time]


async def said(base_url, model, mode=StreamingMode.NONE, **more):
    chat = LiteLlm(f"openai/{model}", api_base=base_url, api_key=KEY, num_retries=0)
    runner = InMemoryRunner(LlmAgent(name="a", model=chat, **more), app_name="app")
    session = await runner.session_service.create_session(app_name="app", user_id="u")
    asked = types.Content(role="user", parts=[types.Part(text=ASKED)])
    text = ""
    bound = RunConfig(streaming_mode=mode, max_llm_calls=MOST_TURNS)
    async for event in runner.run_async(user_id="u", session_id=session.id, new_message=asked, run_config=bound):
        if event.is_final_response() and event.content:
            text = "".join(part.text or "" for part in event.content.parts or [])
        if event.error_message:
            raise RuntimeError(event.error_message)
    return text


async def text(base_url, model):
    return await said(base_url, model)


async def stream(base_url, model):
    return await said(base_url, model, StreamingMode.SSE)


async def loop(base_url, model):
    return await said(base_url, model, tools=TOOLS)


async def structured(base_url, model):
    return await said(base_url, model, output_schema=Person)


async def both(base_url, model):
    return await said(base_url, model, output_schema=Person, tools=TOOLS)


run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured with tools": both})

import os

os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "CREWAI_TRACING_ENABLED": "false"}
from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

TOOLS = [tool(get_weather), tool(get_time)]


def llm(base_url, model, **more):
    return LLM(model=f"openai/{model}", base_url=base_url, api_key=KEY, **more)


def said(base_url, model, tools=(), stream=False, **more):
    agent = Agent(
        role="helper",
        goal="help",
        backstory="none",
        llm=llm(base_url, model, stream=stream),
        tools=list(tools),
        max_iter=MOST_TURNS,
        max_retry_limit=0,
        verbose=False,
    )
    task = Task(description=ASKED, expected_output="an answer", agent=agent, **more)
    return Crew(agents=[agent], tasks=[task], verbose=False).kickoff()


def text(base_url, model):
    return said(base_url, model).raw


def stream(base_url, model):
    return said(base_url, model, stream=True).raw


def loop(base_url, model):
    return said(base_url, model, TOOLS).raw


def structured(base_url, model):
    return said(base_url, model, output_pydantic=Person).pydantic


def both(base_url, model):
    return said(base_url, model, TOOLS, output_pydantic=Person).pydantic


run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured with tools": both})

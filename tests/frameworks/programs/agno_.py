from agno.agent import Agent
from agno.models.openai.like import OpenAILike
from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run

TOOLS = [get_weather, get_time]


def agent(base_url, model, **more):
    return Agent(
        model=OpenAILike(id=model, base_url=base_url, api_key=KEY, max_retries=0),
        telemetry=False,
        tool_call_limit=MOST_TURNS,
        **more,
    )


def done(response):
    if str(getattr(response.status, "value", response.status)).lower() == "error":
        raise RuntimeError(response.content)
    return response.content


def text(base_url, model):
    return done(agent(base_url, model).run(ASKED))


def stream(base_url, model):
    return "".join(
        str(event.content)
        for event in agent(base_url, model).run(ASKED, stream=True)
        if getattr(event, "content", None)
    )


def loop(base_url, model):
    return done(agent(base_url, model, tools=TOOLS).run(ASKED))


def structured(base_url, model):
    return done(agent(base_url, model, output_schema=Person).run(ASKED))


def prompted(base_url, model):
    return done(agent(base_url, model, output_schema=Person, use_json_mode=True).run(ASKED))


def both(base_url, model):
    return done(agent(base_url, model, output_schema=Person, tools=TOOLS).run(ASKED))


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

from common import ASKED, KEY, MOST_TURNS, get_time, get_weather, run
from smolagents import CodeAgent, OpenAIModel, ToolCallingAgent, tool

TOOLS = [tool(get_weather), tool(get_time)]


def chat(base_url, model):
    return OpenAIModel(model, api_base=base_url, api_key=KEY)


MESSAGES = [{"role": "user", "content": [{"type": "text", "text": ASKED}]}]


def text(base_url, model):
    return chat(base_url, model).generate(MESSAGES).content


def stream(base_url, model):
    return "".join(part.content or "" for part in chat(base_url, model).generate_stream(MESSAGES))


def finished(agent):
    done = agent.run(ASKED, return_full_result=True)
    if done.state != "success":
        raise RuntimeError(done.state)
    return done.output


def loop(base_url, model):
    return finished(ToolCallingAgent(TOOLS, chat(base_url, model), max_steps=MOST_TURNS, verbosity_level=0))


def code(base_url, model):
    return finished(CodeAgent([], chat(base_url, model), max_steps=MOST_TURNS, verbosity_level=0))


run({"text": text, "stream": stream, "loop": loop, "code": code})

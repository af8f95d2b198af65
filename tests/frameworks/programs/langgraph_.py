from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_openai import ChatOpenAI

TOOLS = [get_weather, get_time]
ASK = {"messages": [{"role": "user", "content": ASKED}]}
BOUND = {"recursion_limit": 3 * MOST_TURNS}


def chat(base_url, model):
    return ChatOpenAI(model=model, base_url=base_url, api_key=KEY, max_retries=0)


def text(base_url, model):
    return chat(base_url, model).invoke(ASKED).content


def stream(base_url, model):
    return "".join(chunk.content for chunk in chat(base_url, model).stream(ASKED))


def loop(base_url, model):
    return create_agent(chat(base_url, model), TOOLS).invoke(ASK, BOUND)["messages"][-1].content


def structured(base_url, model):
    return chat(base_url, model).with_structured_output(Person).invoke(ASKED)


def both(base_url, model):
    agent = create_agent(chat(base_url, model), TOOLS, response_format=ToolStrategy(Person))
    return agent.invoke(ASK, BOUND)["structured_response"]


run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured with tools": both})

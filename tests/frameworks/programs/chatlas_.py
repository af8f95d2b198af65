from chatlas import ChatOpenAICompletions
from common import ASKED, KEY, Person, get_time, get_weather, run


def chat(base_url, model, *tools):
    made = ChatOpenAICompletions(base_url=base_url, model=model, api_key=KEY)
    for one in tools:
        made.register_tool(one)
    return made


def text(base_url, model):
    return str(chat(base_url, model).chat(ASKED, echo="none", stream=False))


def stream(base_url, model):
    return "".join(chat(base_url, model).stream(ASKED, echo="none"))


def loop(base_url, model):
    return str(chat(base_url, model, get_weather, get_time).chat(ASKED, echo="none", stream=False))


def loop_streamed(base_url, model):
    return "".join(chat(base_url, model, get_weather, get_time).stream(ASKED, echo="none"))


def structured(base_url, model):
    return chat(base_url, model).chat_structured(ASKED, data_model=Person, echo="none")


def both(base_url, model):
    return chat(base_url, model, get_weather, get_time).chat_structured(ASKED, data_model=Person, echo="none")


run(
    {
        "text": text,
        "stream": stream,
        "loop": loop,
        "two tools, streamed": loop_streamed,
        "structured": structured,
        "structured with tools": both,
    }
)

from common import ASKED, KEY, Person, get_time, get_weather, run
from magentic import OpenaiChatModel, StreamedStr, prompt, prompt_chain


def model_of(base_url, model):
    return OpenaiChatModel(model, api_key=KEY, base_url=base_url)


def text(base_url, model):
    @prompt(ASKED, model=model_of(base_url, model))
    def ask() -> str: ...

    return ask()


def stream(base_url, model):
    @prompt(ASKED, model=model_of(base_url, model))
    def ask() -> StreamedStr: ...

    return "".join(ask())


def loop(base_url, model):
    @prompt_chain(ASKED, functions=[get_weather, get_time], model=model_of(base_url, model))
    def ask() -> str: ...

    return ask()


def structured(base_url, model):
    @prompt(ASKED, model=model_of(base_url, model))
    def ask() -> Person: ...

    return ask()


run({"text": text, "stream": stream, "loop": loop, "structured": structured})

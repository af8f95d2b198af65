import json

from common import ASKED, KEY, get_time, get_weather, run
from qwen_agent.agents import Assistant
from qwen_agent.llm import get_chat_model
from qwen_agent.tools.base import BaseTool, register_tool


def schema(argument):
    return {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}


@register_tool("get_weather")
class Weather(BaseTool):
    description = "Get the weather in a city."
    parameters = schema("city")

    def call(self, params, **_):
        return get_weather(json.loads(params)["city"])


@register_tool("get_time")
class Time(BaseTool):
    description = "Get the time in a zone."
    parameters = schema("zone")

    def call(self, params, **_):
        return get_time(json.loads(params)["zone"])


def said(parts):
    whole = list(parts)
    return whole[-1][-1]["content"] if whole and whole[-1] else None


def config(base_url, model, native=False):
    more = {"use_raw_api": native, "max_retries": 0}
    return {"model": model, "model_server": base_url, "api_key": KEY, "model_type": "oai", "generate_cfg": more}


def ask(base_url, model, stream):
    return get_chat_model(config(base_url, model)).chat([{"role": "user", "content": ASKED}], stream=stream)


def agent(native):
    def task(base_url, model):
        bot = Assistant(llm=config(base_url, model, native), function_list=["get_weather", "get_time"])
        return said(bot.run([{"role": "user", "content": ASKED}]))

    return task


run(
    {
        "text": lambda base_url, model: ask(base_url, model, stream=False)[-1]["content"],
        "stream": lambda base_url, model: said(ask(base_url, model, stream=True)),
        "loop": agent(native=True),
        "two tools in the prompt": agent(native=False),
    }
)

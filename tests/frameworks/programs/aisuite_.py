import aisuite
from common import ASKED, KEY, MOST_TURNS, get_time, get_weather, run

ASK = [{"role": "user", "content": ASKED}]


def completions(base_url):
    return aisuite.Client({"openai": {"api_key": KEY, "base_url": base_url}}).chat.completions


def text(base_url, model):
    return completions(base_url).create(model=f"openai:{model}", messages=ASK).choices[0].message.content


def stream(base_url, model):
    chunks = completions(base_url).create(model=f"openai:{model}", messages=ASK, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def loop(base_url, model):
    answer = completions(base_url).create(
        model=f"openai:{model}", messages=ASK, tools=[get_weather, get_time], max_turns=MOST_TURNS
    )
    return answer.choices[0].message.content


run({"text": text, "stream": stream, "loop": loop})

from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run
from mirascope import llm


def model_of(base_url, model):
    llm.register_provider("openai", scope="openai/", api_key=KEY, base_url=base_url)
    return llm.Model(f"openai/{model}:completions")


def text(base_url, model):
    return model_of(base_url, model).call(ASKED).text()


def stream(base_url, model):
    return "".join(model_of(base_url, model).stream(ASKED).text_stream())


def loop(base_url, model):
    response = model_of(base_url, model).call(ASKED, tools=[llm.tool(get_weather), llm.tool(get_time)])
    for _ in range(MOST_TURNS):
        if not response.tool_calls:
            break
        response = response.resume(response.execute_tools())
    return response.text()


def structured(base_url, model):
    return model_of(base_url, model).call(ASKED, format=Person).parse()


def structured_by_tool(base_url, model):
    return model_of(base_url, model).call(ASKED, format=llm.format(Person, mode="tool")).parse()


def structured_in_prompt(base_url, model):
    return model_of(base_url, model).call(ASKED, format=llm.format(Person, mode="json")).parse()


run(
    {
        "text": text,
        "stream": stream,
        "loop": loop,
        "structured": structured,
        "structured by a tool": structured_by_tool,
        "structured in the prompt": structured_in_prompt,
    }
)

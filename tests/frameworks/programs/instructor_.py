import instructor
from common import ASKED, KEY, Person, run
from openai import OpenAI


def made(mode):
    def task(base_url, model):
        client = instructor.from_openai(OpenAI(api_key=KEY, base_url=base_url, max_retries=0), mode=mode)
        ask = [{"role": "user", "content": ASKED}]
        return client.chat.completions.create(model=model, messages=ask, response_model=Person, max_retries=2)

    return task


def stream(base_url, model):
    client = instructor.from_openai(OpenAI(api_key=KEY, base_url=base_url, max_retries=0), mode=instructor.Mode.TOOLS)
    ask = [{"role": "user", "content": ASKED}]
    parts = list(client.chat.completions.create_partial(model=model, messages=ask, response_model=Person))
    return parts[-1].name if parts else None


run(
    {
        "stream": stream,
        "structured": made(instructor.Mode.TOOLS),
        "structured in the prompt": made(instructor.Mode.JSON),
        "structured in the prompt, fenced": made(instructor.Mode.MD_JSON),
    }
)

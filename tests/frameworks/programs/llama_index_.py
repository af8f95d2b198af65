from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.llms.openai_like import OpenAILike

TOOLS = [get_weather, get_time]


def llm(base_url, model, calls=True):
    return OpenAILike(
        model=model,
        api_base=base_url,
        api_key=KEY,
        is_chat_model=True,
        max_retries=0,
        context_window=32000,
        is_function_calling_model=calls,
    )


def text(base_url, model):
    return llm(base_url, model).complete(ASKED).text


def stream(base_url, model):
    return "".join(part.delta or "" for part in llm(base_url, model).stream_complete(ASKED))


async def loop(base_url, model):
    agent = FunctionAgent(tools=TOOLS, llm=llm(base_url, model))
    return str(await agent.run(ASKED, max_iterations=MOST_TURNS))


def structured(base_url, model):
    return llm(base_url, model).as_structured_llm(Person).complete(ASKED).raw


def prompted(base_url, model):
    program = LLMTextCompletionProgram.from_defaults(
        output_cls=Person, prompt_template_str=ASKED, llm=llm(base_url, model, calls=False)
    )
    return program()


async def both(base_url, model):
    agent = FunctionAgent(tools=TOOLS, llm=llm(base_url, model), output_cls=Person)
    return (await agent.run(ASKED, max_iterations=MOST_TURNS)).structured_response


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

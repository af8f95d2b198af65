import dspy
from common import ASKED, KEY, MOST_TURNS, Person, get_time, get_weather, run


class Who(dspy.Signature):
    """Say who it is."""

    question: str = dspy.InputField()
    person: Person = dspy.OutputField()


def lm(base_url, model):
    return dspy.LM(f"openai/{model}", api_base=base_url, api_key=KEY, cache=False, num_retries=0)


def text(base_url, model):
    with dspy.context(lm=lm(base_url, model), adapter=dspy.ChatAdapter()):
        return dspy.Predict("question -> answer")(question=ASKED).answer


async def stream(base_url, model):
    with dspy.context(lm=lm(base_url, model), adapter=dspy.ChatAdapter()):
        program = dspy.streamify(
            dspy.Predict("question -> answer"), stream_listeners=[dspy.streaming.StreamListener("answer")]
        )
        return "".join([part.chunk async for part in program(question=ASKED) if hasattr(part, "chunk")])


def loop(base_url, model):
    with dspy.context(lm=lm(base_url, model), adapter=dspy.ChatAdapter()):
        agent = dspy.ReAct("question -> answer", tools=[get_weather, get_time], max_iters=MOST_TURNS)
        return agent(question=ASKED).answer


def prompted(base_url, model):
    with dspy.context(lm=lm(base_url, model), adapter=dspy.ChatAdapter()):
        return dspy.Predict(Who)(question=ASKED).person


def structured(base_url, model):
    with dspy.context(lm=lm(base_url, model), adapter=dspy.JSONAdapter()):
        return dspy.Predict(Who)(question=ASKED).person


run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured in the prompt": prompted})

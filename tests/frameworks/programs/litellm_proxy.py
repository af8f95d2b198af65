import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ASKED, CALLED, KEY, MOST_TURNS, Person, get_time, get_weather, run
from openai import OpenAI, pydantic_function_tool
from pydantic import create_model

COMMAND = Path(sys.executable).parent / "litellm"
ALL_SECONDS = 270
"""Before the program is ended from outside, it ends the proxy and itself."""
FUNCTIONS = {"get_weather": (get_weather, "city"), "get_time": (get_time, "zone")}
TOOLS = [
    pydantic_function_tool(create_model(name, **{parameter: str}), name=name, description=function.__doc__)
    for name, (function, parameter) in FUNCTIONS.items()
]
MASTER_KEY = f"sk-{secrets.token_hex(32)}"
ASK = [{"role": "user", "content": ASKED}]


def named(base_url):
    """The proxy's name for a target; it takes no URL for one."""
    return base_url.partition("//")[2]


def client():
    return OpenAI(api_key=MASTER_KEY, base_url=PROXY, max_retries=0).chat.completions


def answer(base_url, messages=ASK, **more):
    return client().parse(model=named(base_url), messages=messages, **more).choices[0].message


def text(base_url, _model):
    return answer(base_url).content


def stream(base_url, _model):
    chunks = client().create(model=named(base_url), messages=ASK, stream=True)
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def looped(base_url, tools, **more):
    messages = list(ASK)
    for _ in range(MOST_TURNS):
        message = answer(base_url, messages, tools=tools, **more)
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(include={"role", "content", "tool_calls"}))
        for call in message.tool_calls:
            if call.function.name == Person.__name__:
                return call.function.arguments
            function, parameter = FUNCTIONS[call.function.name]
            result = function(json.loads(call.function.arguments)[parameter])
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise RecursionError


def loop(base_url, _model):
    return looped(base_url, TOOLS)


def structured(base_url, _model):
    return answer(base_url, response_format=Person).parsed


def both(base_url, _model):
    person = looped(base_url, [*TOOLS, pydantic_function_tool(Person)], tool_choice="required")
    return person if set(CALLED) == set(FUNCTIONS) else f"{person} after {CALLED}"


def served(config, log):
    """Start the proxy in front of all targets: each is a model of the proxy's."""
    models = [
        {
            "model_name": named(target["base_url"]),
            "litellm_params": {"model": f"openai/{target['model']}", "api_base": target["base_url"], "api_key": KEY},
        }
        for target in json.loads(sys.argv[1])
    ]
    settings = {
        "model_list": models,
        "router_settings": {"num_retries": 0},
        "general_settings": {"master_key": MASTER_KEY},  # without one it does not start
    }
    config.write_text(json.dumps(settings), "utf-8")
    return subprocess.Popen(
        [COMMAND, "--config", config, "--host", "127.0.0.1", "--port", "0"],
        cwd=config.parent,
        env={**os.environ, "LITELLM_TELEMETRY_DISABLED": "true"},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


def listening(process, log):
    """Where it listens, as it says itself once it does."""
    while process.poll() is None:
        if said := re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text("utf-8", "replace")):
            return said[1]
        time.sleep(0.1)
    raise SystemExit(f"the proxy does not start: {log.read_text('utf-8', 'replace')[-600:]}")


signal.signal(signal.SIGALRM, lambda *_: sys.exit("it did not end"))
signal.alarm(ALL_SECONDS)
with tempfile.TemporaryDirectory() as folder:
    log = Path(folder, "log")
    with log.open("wb") as written, served(Path(folder, "config.yaml"), written) as process:
        try:
            PROXY = listening(process, log)
            run({"text": text, "stream": stream, "loop": loop, "structured": structured, "structured with tools": both})
        finally:
            process.kill()

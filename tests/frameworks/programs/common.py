"""What every program shares: the tasks' words and tools, and how a result is told. Runs in the framework's environment."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys

from pydantic import BaseModel

ASKED = "What is the weather in Paris, and what time is it there?"
MOST_TURNS = 8
TASK_SECONDS = 100
KEY = "sk-any"
CALLED = []


class Person(BaseModel):
    """A person with a name and an age."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """Get the weather in a city.

    Args:
        city: The city.
    """
    CALLED.append("get_weather")
    return f"sunny in {city}"


def get_time(zone: str) -> str:
    """Get the time in a zone.

    Args:
        zone: The zone.
    """
    CALLED.append("get_time")
    return f"noon in {zone}"


def is_person(value) -> bool:
    """Whether a structured answer came."""
    if isinstance(value, str):
        value = json.loads(value)
    if isinstance(value, BaseModel):
        value = value.model_dump()
    return isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("age"), int)


def run(tasks) -> None:
    """Run the tasks against each target of the command line, and print one JSON line for each."""
    only = os.environ.get("ONLY", "").split(",") if os.environ.get("ONLY") else None
    for target in json.loads(sys.argv[1]):
        for name, task in tasks.items():
            if only and name not in only:
                continue
            CALLED.clear()
            try:
                if inspect.iscoroutinefunction(task):
                    value = asyncio.run(asyncio.wait_for(task(target["base_url"], target["model"]), TASK_SECONDS))
                else:
                    value = task(target["base_url"], target["model"])
                if name.startswith("structured"):
                    result = "reads" if is_person(value) else "empty" if not value else f"reads {str(value)[:60]!r}"
                else:
                    result = "reads" if value and str(value).strip() else "empty"
                if name == "loop" and not CALLED:
                    result += ", calls nothing"
            except Exception as error:
                result = f"raises {type(error).__name__}"
                if os.environ.get("TRACE"):
                    import traceback

                    traceback.print_exc()
            print("RESULT " + json.dumps([target["name"], name, result]), flush=True)

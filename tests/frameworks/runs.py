"""Runs the frameworks' programs, and makes of what they tell the table of `docs/clients.md`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mockserver import MockServer
from tests.third_party import CACHE, node_programs, once, python_programs, run

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER: Final = Path(__file__).parent
MODEL: Final = "qwen2.5-72b-instruct"
"""In the catalogues of both editions; it calls functions and does not reason."""
UV: Final = "uv==0.13.9"
RUN_SECONDS: Final = 300
"""A program whose loops do not end is ended after this."""
TASKS: Final = ("text", "stream", "loop", "structured", "structured with tools")
ODD: Final = "chip3 2024"
"""The target whose streams are no SSE."""
TARGETS: Final = {
    "nvidia 2024": ("2024-tutorial", "nvidia"),
    "nvidia 2025": ("2025-reference", "nvidia"),
    ODD: ("2024-tutorial", "chip3"),
}


@dataclass(frozen=True)
class Framework:
    """One framework.

    Attributes:
        title: What it is called.
        versions: The file in `versions/` that pins it and all that it brings.
        package: The package whose version the table gives.
        program: The file in `programs/`.
    """

    title: str
    versions: str
    package: str
    program: str

    @property
    def pins(self) -> list[str]:
        """What is installed: `name==version` for Python, `name@version` for Node."""
        return (FOLDER / "versions" / f"{self.versions}.txt").read_text("utf-8").split()

    @property
    def version(self) -> str:
        """The version of the framework itself."""
        mark = "@" if self.program.endswith(".mjs") else "=="
        return next(pin.rpartition(mark)[2] for pin in self.pins if pin.rpartition(mark)[0] == self.package)


FRAMEWORKS: Final = (
    Framework("AG2", "ag2", "ag2", "ag2_.py"),
    Framework("agno", "agno", "agno", "agno_.py"),
    Framework("aider", "aider", "aider-chat", "aider_.py"),
    Framework("AI SDK 6", "ai-sdk-6", "ai", "ai_sdk.mjs"),
    Framework("AI SDK 7", "ai-sdk-7", "ai", "ai_sdk.mjs"),
    Framework("aisuite", "aisuite", "aisuite", "aisuite_.py"),
    Framework("AutoGen", "autogen", "autogen-agentchat", "autogen_.py"),
    Framework("chatlas", "chatlas", "chatlas", "chatlas_.py"),
    Framework("CrewAI", "crewai", "crewai", "crewai_.py"),
    Framework("DSPy", "dspy", "dspy", "dspy_.py"),
    Framework("Genkit", "genkit", "genkit", "genkit_.mjs"),
    Framework("Google ADK", "google-adk", "google-adk", "google_adk.py"),
    Framework("Haystack", "haystack", "haystack-ai", "haystack_.py"),
    Framework("instructor", "instructor", "instructor", "instructor_.py"),
    Framework("LangChain and LangGraph", "langgraph", "langgraph", "langgraph_.py"),
    Framework("LangChain.js and LangGraph.js", "langgraph-js", "@langchain/langgraph", "langgraph_js.mjs"),
    Framework("LiteLLM proxy", "litellm-proxy", "litellm", "litellm_proxy.py"),
    Framework("LlamaIndex", "llama-index", "llama-index-core", "llama_index_.py"),
    Framework("LlamaIndex.TS", "llamaindex-ts", "llamaindex", "llamaindex_ts.mjs"),
    Framework("magentic", "magentic", "magentic", "magentic_.py"),
    Framework("Mastra", "mastra", "@mastra/core", "mastra.mjs"),
    Framework("Microsoft Agent Framework", "agent-framework", "agent-framework-openai", "agent_framework_.py"),
    Framework("Mirascope", "mirascope", "mirascope", "mirascope_.py"),
    Framework("OpenAI Agents", "openai-agents", "openai-agents", "openai_agents.py"),
    Framework("OpenAI Agents for Node", "openai-agents-js", "@openai/agents", "openai_agents_js.mjs"),
    Framework("OpenAI SDK for Node with zod", "openai-zod", "openai", "openai_zod.mjs"),
    Framework("pydantic-ai", "pydantic-ai", "pydantic-ai-slim", "pydantic_ai_.py"),
    Framework("Qwen-Agent", "qwen-agent", "qwen-agent", "qwen_agent_.py"),
    Framework("Semantic Kernel", "semantic-kernel", "semantic-kernel", "semantic_kernel_.py"),
    Framework("smolagents", "smolagents", "smolagents", "smolagents_.py"),
    Framework("Strands", "strands", "strands-agents", "strands_.py"),
    Framework("xsAI", "xsai", "xsai", "xsai_.mjs"),
)
Results = dict[str, dict[str, str]]
"""Task to target to what came of it."""


def installed(framework: Framework) -> list[str]:
    """The command that runs its program, in an environment that is made where it is missing."""
    name = f"clients-{framework.versions}"
    if framework.program.endswith(".mjs"):
        folder = node_programs(name, *framework.pins)
        for program in (FOLDER / "programs").glob("*.mjs"):
            shutil.copy(program, folder)  # modules are looked for beside the program
        return ["node", str(folder / framework.program)]
    uv = python_programs("uv", UV) / "uv"
    folder = CACHE / name

    def install() -> None:
        run([str(uv), "venv", "-q", "--clear", "--python", sys.executable, str(folder)], CACHE)
        run([str(uv), "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *framework.pins], folder)

    once(folder, [sys.version, *framework.pins], install)
    return [str(folder / "bin" / "python"), str(FOLDER / "programs" / framework.program)]


def results_of(framework: Framework, targets: list[dict[str, str]]) -> Results:
    """What each task came to on each target; a task that was not told of is one that did not end."""
    command = installed(framework)
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ, "HOME": home, "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "OPENAI_API_KEY": "sk-any", "ANONYMIZED_TELEMETRY": "false",
            "HAYSTACK_TELEMETRY_ENABLED": "false", "LANGSMITH_TRACING": "false",
        }  # fmt: skip
        try:
            done = subprocess.run(
                [*command, json.dumps(targets)], env=environment, capture_output=True, timeout=RUN_SECONDS, check=False
            )
            told, errors = done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            told, errors = late.stdout or b"", b"it did not end"
    lines = [json.loads(line[7:]) for line in told.decode(errors="replace").splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise RuntimeError(f"{framework.title} tells nothing: {errors.decode(errors='replace')[-600:]}")
    results: Results = {}
    for target, task, result in lines:
        results.setdefault(task, {})[target] = result
    return {task: {target: by.get(target, "does not end") for target in TARGETS} for task, by in results.items()}


def all_results(frameworks: tuple[Framework, ...] = FRAMEWORKS) -> dict[str, Results]:
    """What came of all of them, two at a time."""
    with MockServer(edition="2024-tutorial") as old, MockServer(edition="2025-reference") as new:
        urls = {"2024-tutorial": old.url, "2025-reference": new.url}
        targets = [
            {"name": name, "base_url": f"{urls[edition]}/maas/{MODEL}/{chip}", "model": MODEL}
            for name, (edition, chip) in TARGETS.items()
        ]
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(lambda one: _told(one, targets), frameworks))
    return {one.title: results for one, results in zip(frameworks, made, strict=True) if results}


def _told(framework: Framework, targets: list[dict[str, str]]) -> Results:
    """Its results; none where it cannot be installed here, and standard error says why."""
    try:
        return results_of(framework, targets)
    except pytest.skip.Exception as reason:
        print(f"{framework.title}: {reason}", file=sys.stderr)
        return {}


def cell(by_target: dict[str, str]) -> str:
    """One task: what came of it everywhere, and what is otherwise on the chip whose streams are no SSE."""
    good = list(dict.fromkeys(result for target, result in by_target.items() if target != ODD))
    text = " / ".join(good)
    return text if by_target[ODD] == text else f"{text}; chip3: **{by_target[ODD]}**"


def row(framework: Framework, results: Results) -> list[str]:
    """The framework's row of the table."""
    more = [f"{task}: {cell(by_target)}" for task, by_target in results.items() if task not in TASKS]
    cells = [cell(results[task]) if task in results else "–" for task in TASKS]
    return [f"{framework.title} {framework.version}", *cells, "<br>".join(more) or "–"]


def table(results: dict[str, Results], before: Iterable[list[str]] = ()) -> list[list[str]]:
    """The table of `docs/clients.md`.

    Args:
        results: What came of those that ran.
        before: Rows of the others, which stay.
    """
    head = ["framework", "text", "stream", "two tools", "structured", "structured with tools", "more"]
    rows = {cells[0].rpartition(" ")[0]: cells for cells in before}
    rows |= {one.title: row(one, results[one.title]) for one in FRAMEWORKS if one.title in results}
    return [head, *(rows[one.title] for one in FRAMEWORKS if one.title in rows)]


def rows_of(text: str) -> list[list[str]]:
    """The rows of the table in the document's text."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [line.strip("| ").split(" | ") for line in lines]

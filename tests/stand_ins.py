"""Servers that others wrote, which stand in for a live service: the shared place for tests that need a target.

None of them is a GenStudio, and each deviates from OpenAI's API in its own way, which is what makes them good targets:
what the contract, `learn` and `drift` say of them was found by nobody here. They are installed by `third_party.py`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.third_party import node_programs, python_programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SAYS: Final = "我是一个模型。A plain sentence."
"""What those answer that are told what to answer."""
PATH: Final = "/v1/chat/completions"
"""The path template of all of them."""
READY_SECONDS: Final = 60


@dataclass(frozen=True)
class StandIn:
    """One server.

    Attributes:
        words: Its command line after the program's name; `{port}` is filled in.
        ready: What it prints when it listens.
        files: Files that it reads, by name.
        environ: Variables that it reads; `{port}` is filled in.
        node: Whether it is a program of npm.
    """

    words: tuple[str, ...]
    ready: str
    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    node: bool = False


_PYTHON: Final = (
    "fakellm==0.3.5", "llm-mock-api==0.1.2", "llmock==0.2.2", "mockllm==0.0.8", "stubllm==0.1.5", "mock-ai-api==0.1.1",
)  # fmt: skip
_NODE: Final = ("@dwmkerr/mock-llm@0.1.29",)
_UVICORN: Final = "Uvicorn running on"
_START: Final = f"""\
import asyncio, sys
from llm_mock_api.mock_server import MockServer, MockServerOptions

async def main():  # its own command prints that it is there before it is
    server = MockServer(MockServerOptions(port=int(sys.argv[1]), host="127.0.0.1", default_latency=0))
    server.fallback({SAYS!r})
    await server.start()
    print("listening")
    await asyncio.Event().wait()

asyncio.run(main())
"""
STAND_INS: Final[dict[str, StandIn]] = {
    "fakellm": StandIn(
        ("fakellm", "serve", "--port", "{port}", "--config", "fakellm.yaml"),
        _UVICORN,
        {"fakellm.yaml": "version: 1\ndefaults:\n  fallback: deterministic_echo\nrules: []\n"},
    ),
    "llm-mock-api": StandIn(("python", "start.py", "{port}"), "listening", {"start.py": _START}),
    "llmock": StandIn(("llmock", "serve", "--port", "{port}", "--host", "127.0.0.1"), _UVICORN),
    "mockllm": StandIn(  # its own command starts a second process that watches files
        ("python", "-m", "uvicorn", "mockllm.server:app", "--port", "{port}"),
        _UVICORN,
        {"responses.yml": f'responses: {{}}\ndefaults:\n  unknown_response: "{SAYS}"\n'},
        {"MOCKLLM_RESPONSES_FILE": "responses.yml"},
    ),
    "stubllm": StandIn(("stubllm", "serve", "--port", "{port}"), _UVICORN),
    "mock-ai-api": StandIn(  # its own command starts two processes, and leaves them behind
        ("python", "-m", "uvicorn", "app.openai_app:app", "--port", "{port}"), _UVICORN
    ),
    "mock-llm": StandIn(("mock-llm",), "server running on", environ={"HOST": "127.0.0.1", "PORT": "{port}"}, node=True),
}
"""By name: six of Python, on pydantic models and on dicts, and one of Node; OpenAI-compatible all."""


@contextmanager
def standing_in(name: str, folder: Path) -> Iterator[str]:
    """A stand-in on a free port of loopback; yields its base URL, which goes with `PATH`.

    Args:
        name: One of `STAND_INS`.
        folder: An empty folder for its files.
    """
    one = STAND_INS[name]
    if one.node:
        commands = node_programs("stand-ins-node", *_NODE) / "node_modules" / ".bin"
    else:
        commands = python_programs("stand-ins", *_PYTHON)
    for file, text in one.files.items():
        (folder / file).write_text(text, "utf-8")
    port = str(_free_port())
    program, *words = (word.format(port=port) for word in one.words)
    process = subprocess.Popen(
        [str(commands / program), *words],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **{n: v.format(port=port) for n, v in one.environ.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    ready, said = threading.Event(), list[str]()

    def listen() -> None:  # to the end: a pipe that nobody reads would stop the server
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if one.ready in line:
                ready.set()

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    try:
        assert ready.wait(READY_SECONDS), f"{name} does not start:\n{''.join(said)}"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        listening.join(10)
        assert process.stdout is not None
        process.stdout.close()


def _free_port() -> int:
    """A port that was free a moment ago: some of them cannot say which one the system gave them."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port

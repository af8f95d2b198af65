"""What users meet: the command on its default flags, its log in a file, and prompts that nobody asked before.

Each row's mock is the command itself, in a process of its own on a core of its own; the client is this process, on the
other core. The mock, the bare app and, where one is given, another checkout take turns; every turn is kept.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.client import ask, post
from bench.report import Figure, Goal, measured
from bench.serve import CHUNKS
from bench.servers import OTHER, Command, Started
from mockserver.cli.ready import QUESTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.servers import Bench

PATH: Final = "/maas/mt-infini-3b/nvidia/chat/completions"
"""A model that the estimator counts for, so that the extra `tokens` makes no difference here."""
CHIP3: Final = PATH.replace("nvidia", "chip3")
"""A chip whose wire form is its own."""
LONG_TEXT: Final = "Say many words, please."
"""Answered by a fixture of `CHUNKS` pieces."""
CONNECTIONS: Final = 16
ROUNDS: Final = 5
SHORT: Final = 20
"""Chunks of a short stream."""


@dataclass(frozen=True)
class Load:
    """One row: what is asked, of which mock.

    Attributes:
        name: The row's name.
        request: The bytes of a request, from a number that no other request of the run has.
        count: How many are asked a turn.
        goal: The most that the ratio, or the figure, may be.
        flags: Flags of the command, beside the port.
        chunks: How many chunks the answer has; the figure is that of one. 0 for an answer in one body.
        connections: How many requests are on the way at once.
        fixtures: Whether the benchmark's own fixtures are served.
        bare: Whether the bare app does something that it can be compared with.
    """

    name: str
    request: Callable[[int], bytes]
    count: int
    goal: Goal | None = None
    flags: tuple[str, ...] = ()
    chunks: int = 0
    connections: int = CONNECTIONS
    fixtures: bool = False
    bare: bool = True


def chat(text: str, path: str = PATH, **more: Any) -> bytes:
    """The bytes of a chat request with one user message."""
    body = json.dumps({"model": None, "messages": [{"role": "user", "content": text}], **more}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer bench\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def new_prompt(number: int, path: str = PATH) -> bytes:
    """A prompt that no fixture has, and that was not asked before."""
    return chat(f"What is special about number {number}, and why?", path, max_tokens=16)


def _streamed(number: int, path: str = PATH) -> bytes:
    return chat(f"Tell me about number {number}.", path, max_tokens=SHORT, stream=True)


def _many_chunks(number: int) -> bytes:
    return post(PATH, LONG_TEXT, stream=True, user=str(number))


def _long(size: int) -> Callable[[int], bytes]:
    words = "The quick brown fox jumps over the lazy dog near the river bank while it rains. "

    def made(number: int) -> bytes:
        return chat(f"{number}: " + words * (size // len(words)))

    return made


def _dialogue(number: int) -> bytes:
    turns = [{"role": ("user", "assistant")[at % 2], "content": f"Turn {at}, some words."} for at in range(200)]
    return chat("", messages=[*turns, {"role": "user", "content": f"And number {number}?"}])


LOADS: Final = (
    Load("synthetic, every prompt new", new_prompt, 1000, Goal(3)),
    Load("synthetic, every prompt new, 1 connection", new_prompt, 400, connections=1),
    Load("synthetic, every prompt new, 64 connections", new_prompt, 1280, connections=64),
    Load("synthetic, every prompt new, chip3", lambda n: new_prompt(n, CHIP3), 1000),
    Load("synthetic, every prompt new, whole length", lambda n: chat(f"Tell me about number {n}."), 1000),
    Load("synthetic, asked before", lambda _: new_prompt(0), 1500, Goal(1.7)),
    Load("synthetic, asked before, 1 connection", lambda _: new_prompt(0), 600, connections=1),
    Load("synthetic, asked before, 64 connections", lambda _: new_prompt(0), 1920, connections=64),
    Load("fixture, request new", lambda n: post(PATH, QUESTION, user=str(n)), 1000, Goal(2.5)),
    Load("fixture, asked before", lambda _: post(PATH, QUESTION), 1500, Goal(1.7)),
    Load("--clock real, same request", lambda _: post(PATH, QUESTION), 1000, Goal(3), ("--clock", "real")),
    Load("a chunk of 20, asked before", lambda _: _streamed(0), 300, Goal(0.55), chunks=SHORT),
    Load("a chunk of 20, synthetic, new", _streamed, 300, Goal(1.2), chunks=SHORT),
    Load("a chunk of 20, synthetic, new, chip3", lambda n: _streamed(n, CHIP3), 300, chunks=SHORT),
    Load("a chunk of 200, fixture, asked before", lambda _: _many_chunks(0), 60, Goal(0.2), chunks=CHUNKS,
         fixtures=True),
    Load("a chunk of 200, fixture, new", _many_chunks, 60, Goal(0.3), chunks=CHUNKS, fixtures=True),
    Load("a new prompt of 100 KB", _long(100_000), 30, Goal(2000, "mock"), connections=2, bare=False),
    Load("a new prompt of 1 MB", _long(1_000_000), 6, Goal(20_000, "mock"), connections=2, bare=False),
    Load("a dialogue of 201 messages, 200 of them seen", _dialogue, 60, Goal(600, "mock"), bare=False),
)  # fmt: skip


def users(bench: Bench) -> list[Figure]:
    """CPU of an answer, rows of `LOADS`."""
    wanted = os.environ.get("BENCH_ROWS", "")
    return [row for load in LOADS if wanted in load.name for row in _row(load, bench)]


def _row(load: Load, bench: Bench) -> list[Figure]:
    flags = (*load.flags, *(("--fixtures", str(bench.fixtures)) if load.fixtures else ()))
    number = 0
    with ExitStack() as stack:
        servers: dict[str, Command | Started] = {"mock": Command(chat("warm up"), bench.core, flags)}
        if OTHER is not None:
            servers["other"] = Command(chat("warm up"), bench.core, flags, OTHER)
        if load.bare:
            servers["bare"] = bench.server("bare-stream" if load.chunks else "bare-small")
        for server in servers.values():
            stack.enter_context(server)
        costs: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(ROUNDS + 1):
            for name, server in servers.items():
                if name == "bare":
                    requests = [post(f"/{load.chunks or ''}", "x" * 100)] * load.count
                else:
                    requests = [load.request(number + at) for at in range(load.count)]
                    number += load.count
                cost = cpu_of(server, requests, load.connections) / max(load.chunks, 1)
                if turn:  # the first warms up
                    costs[name].append(cost)
    bare = costs.get("bare")
    made = [measured(f"{load.name} (µs of CPU)", costs["mock"], bare, load.goal)]
    if "other" in costs:
        made.append(measured(f"  the same of {OTHER}", costs["other"], bare))
    return made


def cpu_of(server: Command | Started, requests: list[bytes], connections: int) -> float:
    """µs of CPU that a server's processes use for one of the requests, on average."""
    before = server.cpu_seconds()
    ask(server.address, requests, connections=connections)
    return (server.cpu_seconds() - before) * 1e6 / len(requests)

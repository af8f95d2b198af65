"""What users meet: the command on its default flags, its log in a file, and prompts that nobody asked before.

Each row's mock is the command itself, in a process of its own on a core of its own; the client is this process, on the
other core. The mock, the bare app and, where one is given, another checkout take turns; every turn is kept.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.client import ask, post
from bench.report import Figure, Goal
from bench.servers import ROOT, Command
from mockserver.cli.ready import QUESTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.servers import Bench

PATH: Final = "/maas/mt-infini-3b/nvidia/chat/completions"
"""A model that the estimator counts for, so that the extra `tokens` makes no difference here."""
CONNECTIONS: Final = 16
ROUNDS: Final = 5
OTHER: Final = os.environ.get("BENCH_AGAINST")
"""Another checkout, measured in the same turns; its figures stand in rows of their own."""


@dataclass(frozen=True)
class Load:
    """One row: what is asked, of which mock.

    Attributes:
        name: The row's name.
        request: The bytes of a request, from a number that no other request of the run has.
        count: How many are asked a turn.
        goal: The most that the ratio may be.
        flags: Flags of the command, beside the port.
        per: By how much a cost is divided: the chunks of a stream.
        bare: The bare app that it is compared with.
        connections: How many requests are on the way at once.
    """

    name: str
    request: Callable[[int], bytes]
    count: int
    goal: Goal | None
    flags: tuple[str, ...] = ()
    per: int = 1
    bare: str = "bare-small"
    connections: int = CONNECTIONS


def chat(text: str, **more: Any) -> bytes:
    """The bytes of a chat request with one user message."""
    body = json.dumps({"model": None, "messages": [{"role": "user", "content": text}], **more}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer bench\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def new_prompt(number: int) -> bytes:
    """A prompt that no fixture has, and that was not asked before."""
    return chat(f"What is special about number {number}, and why?", max_tokens=16)


def _streamed(number: int) -> bytes:
    return chat(f"Tell me about number {number}.", max_tokens=20, stream=True)


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
    Load("synthetic, new, the usual length", lambda n: chat(f"Tell me about number {n}."), 1000, None),
    Load("synthetic, asked before", lambda _: new_prompt(0), 1500, Goal(1.7)),
    Load("fixture, request new", lambda n: post(PATH, QUESTION, user=str(n)), 1000, Goal(2.5)),
    Load("--clock real, same request", lambda _: post(PATH, QUESTION), 1000, Goal(3), ("--clock", "real")),
    Load("stream of 20 chunks, asked before; a chunk", lambda _: _streamed(0), 300, Goal(0.55), per=20,
         bare="bare-stream"),
    Load("stream of 20 chunks, new; a chunk", _streamed, 300, Goal(1.2), per=20, bare="bare-stream"),
    Load("prompt of 100 KB, new", _long(100_000), 30, None, connections=2),
    Load("prompt of 1 MB, new", _long(1_000_000), 6, None, connections=2),
    Load("dialogue of 201 messages, new", _dialogue, 60, None),
)  # fmt: skip


def users(bench: Bench) -> list[Figure]:
    """CPU of an answer, rows of `LOADS`."""
    wanted = os.environ.get("BENCH_ROWS", "")
    return [row for load in LOADS if wanted in load.name for row in _row(load, bench)]


def _row(load: Load, bench: Bench) -> list[Figure]:
    number = 0
    with (
        bench.server(load.bare) as bare,
        Command(chat("warm up"), bench.core, load.flags) as mock,
        Command(chat("warm up"), bench.core, load.flags, ROOT if OTHER is None else OTHER) as other,
    ):
        bare_request = post(bare.path, "x" * 100)
        bare_per = 200 if load.bare == "bare-stream" else 1
        costs: dict[str, list[float]] = {"mock": [], "bare": [], "other": []}
        for turn in range(ROUNDS + 1):
            for name in ("mock", "other", "bare") if OTHER else ("mock", "bare"):
                server: Any = {"mock": mock, "other": other, "bare": bare}[name]
                if name == "bare":
                    count = min(load.count, 60) if bare_per > 1 else 1000
                    requests, per = [bare_request] * count, bare_per
                else:
                    count, per = load.count, load.per
                    requests = [load.request(number + at) for at in range(count)]
                    number += count
                before = server.cpu_seconds()
                ask(server.address, requests, connections=load.connections)
                spent = server.cpu_seconds() - before
                if turn:
                    costs[name].append(spent * 1e6 / count / per)
    ratio = [ours / theirs for ours, theirs in zip(costs["mock"], costs["bare"], strict=True)]
    spread = f"{min(ratio):.2f}-{max(ratio):.2f}x"
    made = [Figure(f"{load.name} (µs of CPU; {spread})", median(costs["mock"]), median(costs["bare"]), load.goal)]
    if OTHER:
        made.append(Figure("  the other checkout", median(costs["other"]), median(costs["bare"])))
    return made

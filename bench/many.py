"""A folder of a hundred thousand answers: its start, its memory, a match, and what a change of one file costs.

    python -m bench.many                          # fixtures: half ask for an exact text, half for a part of one
    python -m bench.many --kind recordings        # recorded exchanges of twenty chunks, played by --replay regenerate

It takes a minute or two and needs 400 MB of disk for the time; `make bench` leaves it out.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.client import post
from bench.servers import Command, cores
from bench.users import PATH
from mockserver.core.exchange import ChatRequest, Exchange, Plan, Request
from mockserver.core.route import parse
from mockserver.files.exchange_file import Provenance, file_of, written
from mockserver.settings import assemble
from mockserver.settings.config import Config
from mockserver.sources.fixtures import CHECK_EVERY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mockserver.sources.source_order import Sources

MODEL, CHIP = "mt-infini-3b", "nvidia"
FOLDERS: Final = 10
SAMPLE: Final = 2000
"""Requests of which each match is the first for its file."""
CHUNKS: Final = 20
PATIENCE_S: Final = 120.0
KIB: Final = 1024


def asked(number: int) -> str:
    """The text that the answer of this number is for."""
    return (
        f"What is the state of order {number}?" if number % 2 else f"Tell me what order number {number} of May costs."
    )


def fixture(number: int) -> str:
    """An answer in a file: every other one wants a text that contains a part."""
    wanted = asked(number) if number % 2 else {"contains": f"order number {number} of"}
    answer = {"text": f"Order {number} left the house on Monday."}
    return json.dumps({"match": {"user": wanted}, "answer": answer, "source": "written for the benchmark"})


def recording(number: int) -> str:
    """A recorded stream of a few words."""
    chunk = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    choice = {"index": 0, "delta": {"role": "assistant", "content": " word"}, "finish_reason": None}
    ends = {"index": 0, "delta": {}, "finish_reason": "stop"}
    frames = [json.dumps({**chunk, "choices": [choice]})] * CHUNKS + [
        json.dumps({**chunk, "choices": [ends]}),
        "[DONE]",
    ]
    plan = Plan(
        200, ((b"content-type", b"text/event-stream"),), tuple(f"data: {frame}\n\n".encode() for frame in frames),
        tuple(map(float, range(len(frames)))),
    )  # fmt: skip
    body = {"messages": [{"role": "user", "content": asked(number)}], "stream": True}
    exchange = Exchange(Request("POST", PATH, {}, json.dumps(body).encode()), plan, len(frames))
    return written(file_of(exchange, Provenance(recorded_at="", tool="bench", body_sha256="")))


KINDS: Final[dict[str, Callable[[int], str]]] = {"fixtures": fixture, "recordings": recording}


def write(root: Path, count: int, said: Callable[[int], str]) -> None:
    """So many files in ten folders."""
    for number in range(count):
        path = file(root, number)
        if number < FOLDERS:
            path.parent.mkdir(parents=True)
        path.write_text(said(number), "utf-8")


def file(root: Path, number: int) -> Path:
    """Where an answer lies."""
    return root / MODEL / CHIP / str(number % FOLDERS) / f"{number}.json"


def started(root: Path, text: str) -> tuple[float, float, float, float]:
    """Milliseconds to the first answer, CPU milliseconds then, resident KiB, milliseconds until it is ready."""
    flags = ("--log-level", "warning", "--fixtures", str(root), "--replay", "regenerate")
    both = cores()
    core = None if both is None else both[1]
    with Command(post(PATH, text, stream=True), core, flags, patience_s=PATIENCE_S) as command:
        chat = command.first_answer_ms, cpu_ms(command.pid), command.resident_mb() * 1e6 / KIB
    health = b"GET /_mock/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Command(health, core, flags, patience_s=PATIENCE_S) as command:
        return *chat, command.first_answer_ms


def cpu_ms(pid: int) -> float:
    """CPU of a process, threads that ended among it, which `Command.cpu_seconds` does not count."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


def request(text: str) -> ChatRequest:
    """What is asked, as the sources see it."""
    messages = [{"role": "user", "content": text}]
    return ChatRequest(
        MODEL, CHIP, messages, stream=True, body={"messages": messages, "stream": True}, route=parse(PATH), texts=[text]
    )


def matches_us(sources: Sources, numbers: Iterator[int]) -> float:
    """CPU of finding and reading an answer that was not asked for before, median in microseconds."""
    took = []
    for number in numbers:
        one = request(asked(number))
        began = time.thread_time()
        said = sources.answer(one)
        took.append(time.thread_time() - began)
        assert said.source.startswith(("fixture", "recording")), said.source
    return median(took) * 1e6


class Hand:
    """Moves the clock on by a look at a time, and keeps how long each request's thread was busy."""

    def __init__(self) -> None:
        self.now_s = 1.8e9
        self.held_ms: list[float] = []

    def look(self, sources: Sources, text: str) -> str:
        """Where the answer is from, a look later."""
        self.now_s += CHECK_EVERY_S
        time.sleep(0.005)  # a thread that looks on gets its turn
        began = time.thread_time()
        said = sources.answer(request(text)).source
        self.held_ms.append((time.thread_time() - began) * 1000)
        return said

    def until(self, sources: Sources, text: str, seen: Callable[[str], bool]) -> tuple[int, float, float]:
        """Looks and real milliseconds until it is seen, and the longest that a request's thread was busy meanwhile."""
        self.held_ms.clear()
        began = time.perf_counter()
        while not seen(self.look(sources, text)):
            assert len(self.held_ms) < 5000, "the change is never seen"
        return len(self.held_ms), (time.perf_counter() - began) * 1000, max(self.held_ms)


def measure(root: Path, count: int, said: Callable[[int], str]) -> Iterator[tuple[str, float]]:
    """The rows, one after the other."""
    with tempfile.TemporaryDirectory() as empty:
        alone = started(Path(empty), asked(1))
    many = started(root, asked(1))
    for name, ours, bare in zip(("first answer", "CPU until then", "", "ready"), many, alone, strict=True):
        if name:
            yield f"start: {name} (ms)", ours
            yield f"the same with an empty folder: {name} (ms)", bare
    yield "memory for each (bytes)", (many[2] - alone[2]) * KIB / count
    hand = Hand()
    config = Config(fixtures=(root,), replay="regenerate")
    began = time.process_time()
    sources = assemble.sources(config, assemble.edition_of(config), lambda: hand.now_s)
    sources.begin()
    yield "ready to wait for requests, CPU (ms)", (time.process_time() - began) * 1000
    sources.answer(request("nothing"))
    yield "all read, CPU (ms)", (time.process_time() - began) * 1000
    step = max(count // SAMPLE // 2 * 2, 2)
    yield "match, exact (µs)", matches_us(sources, iter(range(1, count, step)))
    yield "match, contains (µs)", matches_us(sources, iter(range(0, count, step)))
    for _ in range(3):  # the first looks list the folders once more
        hand.look(sources, "nothing")
    hand.held_ms.clear()
    for _ in range(50):
        hand.look(sources, "nothing")
    yield "a look when nothing changed, median (ms)", median(hand.held_ms)
    yield "a look when nothing changed, longest (ms)", max(hand.held_ms)
    new = file(root, count + 1)
    new.write_text(said(count + 1))
    yield from _seen("one that came", hand.until(sources, asked(count + 1), lambda said: not said.startswith("syn")))
    new.unlink()
    yield from _seen("one that went", hand.until(sources, asked(count + 1), lambda said: said.startswith("syn")))
    edited = file(root, 3)
    edited.write_text(said(3).replace("order 3?", "order three?"))
    yield from _seen("one edited", hand.until(sources, asked(3), lambda said: said.startswith("syn")))


def _seen(what: str, seen: tuple[int, float, float]) -> Iterator[tuple[str, float]]:
    for name, figure in zip(("looks until it is seen", "seen after (ms)", "longest hold (ms)"), seen, strict=True):
        yield f"{what}: {name}", figure


def main() -> None:
    """Write the files, and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.many", description="A folder of many answers.")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--kind", choices=KINDS, default="fixtures")
    parser.add_argument("--root", type=Path, help="a folder that this command wrote before; else one for the time")
    given = parser.parse_args()
    said = KINDS[given.kind]
    with tempfile.TemporaryDirectory(prefix="genstudio-mock-many-") as folder:
        root = given.root or Path(folder)
        if not (root / MODEL).exists():
            write(root, given.files, said)
        file(root, 3).write_text(said(3))
        for name, figure in measure(root, given.files, said):
            print(f"{name:<60} {figure:>10,.1f}", flush=True)


if __name__ == "__main__":
    main()

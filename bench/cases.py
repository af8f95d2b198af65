"""What is measured, one function each; the table of all of them is at the end.

The mock and what it is compared with take turns, and the median of the turns counts, so that a noisy neighbour meets
both alike. Counts are fixed: the whole table takes about two minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.client import ask, connect, dechunked, exchange, post, stream_together
from bench.plugin import plugin
from bench.recording import recording
from bench.report import Figure, Goal
from bench.serve import CHUNKS, INTER_TOKEN_MS, MARK, PACED_CHUNKS
from bench.servers import Bench, Command, Started, cores, pin
from bench.state import state, workers
from bench.users import users
from mockserver.cli.ready import QUESTION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


SMALL_TEXT = "Say a few words, please. They are an example for the benchmark."
LONG_TEXT = "Say many words, please."
PACED_TEXT = "Say words slowly, please."
ROUNDS = 7
SMALL_ANSWERS = 2000
LONG_ANSWERS = 60
STARTS = 9
STREAMS_APART_MS = 1.0
PACED_ROUNDS: Final = {500: 3, 800: 3, 1000: 3, 2000: 1}
PACED_GOALS_MS: Final = {500: 3, 800: 5, 1000: 8}


def prepare(folder: Path) -> Bench:
    """A bench whose answers lie in a folder that it may write to."""
    write_fixtures(folder)
    both = cores()
    return Bench(folder, None if both is None else both[1])


def write_fixtures(folder: Path) -> None:
    """The three answers that are measured, for any model and chip."""
    said = {
        SMALL_TEXT: ["Here", " are", " a", " few", " words", ",", " as", " you", " asked", "."],
        LONG_TEXT: [f" word {number}" for number in range(CHUNKS)],
        PACED_TEXT: [f" word {number}" for number in range(PACED_CHUNKS)],
    }
    place = folder / "any" / "any"
    place.mkdir(parents=True)
    for number, (user, pieces) in enumerate(said.items()):
        document = {"match": {"user": user}, "answer": {"pieces": pieces}, "source": "written for the benchmark"}
        (place / f"{number}.json").write_text(json.dumps(document), "utf-8")


def small_answer(bench: Bench) -> list[Figure]:
    """Server CPU of a small answer that is not streamed: to a request seen before, and to one never seen."""
    again = _cpu("small answer, asked before (µs of server CPU)", bench, "bare-small", SMALL_TEXT, Goal(3))
    new = _cpu("small answer, never asked (µs of server CPU)", bench, "bare-small", SMALL_TEXT, Goal(3), new=True)
    return [again, new]


def chunk(bench: Bench) -> list[Figure]:
    """Server CPU of one chunk of a stream that is sent as fast as the client reads."""
    return [_cpu("one chunk, unpaced (µs of server CPU)", bench, "bare-stream", LONG_TEXT, Goal(1.5))]


def paced(bench: Bench) -> list[Figure]:
    """Lateness of many paced streams on one core."""
    figures = []
    with bench.server("mock-paced") as mock, bench.server("bare-paced") as bare:
        for count, rounds in PACED_ROUNDS.items():
            both: list[list[_Lateness]] = [[], []]
            for _ in range(rounds):
                for server, found in zip((mock, bare), both, strict=True):
                    found.append(_lateness(server, count))
            figures += _lateness_figures(count, *both)
    return figures


def first_answer(bench: Bench) -> list[Figure]:
    """From the command to the answer of the request that its ready block prints, beside importing what it needs."""
    imports = [sys.executable, "-c", "import starlette, uvicorn, pydantic"]
    request = _small_request(bench, QUESTION)
    ours, theirs = [], []
    for _ in range(STARTS):
        with Command(request, bench.core) as command:
            ours.append(command.first_answer_ms)
        started = time.perf_counter()
        process = subprocess.Popen(imports)
        if bench.core is not None:
            pin(process.pid, bench.core)
        assert process.wait() == 0
        theirs.append((time.perf_counter() - started) * 1000)
    return [Figure("command to first answer (ms); bare: imports alone", median(ours), median(theirs), Goal(2.5))]


def memory(bench: Bench) -> list[Figure]:
    """Resident memory of the command, fresh and after a thousand answers."""
    request = _small_request(bench)
    with Command(request, bench.core) as command:
        fresh = command.resident_mb()
        ask(command.address, repeat(request, 1000))
        used = command.resident_mb()
    return [
        Figure("memory after start (MB resident)", fresh, goal=Goal(70, "mock")),
        Figure("memory after 1,000 answers (MB resident)", used, goal=Goal(70, "mock")),
    ]


def _cpu(name: str, bench: Bench, bare_kind: str, text: str, goal: Goal, *, new: bool = False) -> Figure:
    """CPU time of one answer, or of one of its chunks where it is streamed."""
    stream = text == LONG_TEXT
    count = LONG_ANSWERS if stream else SMALL_ANSWERS
    found: list[list[float]] = [[], []]
    with bench.server("mock") as mock, bench.server(bare_kind) as bare:
        for turn in range(ROUNDS + 1):
            users = [f"{turn:02}-{number:05}" if new else "" for number in range(count)]
            for server, costs in zip((mock, bare), found, strict=True):
                requests = [post(server.path, text, stream=stream, user=user) for user in users]
                before = server.cpu_seconds()
                ask(server.address, requests)
                spent = server.cpu_seconds() - before
                if turn:  # the first warms up
                    costs.append(spent * 1e6 / count / (CHUNKS if stream else 1))
    return Figure(name, median(found[0]), median(found[1]), goal)


@dataclass(frozen=True)
class _Lateness:
    """How far from their times the chunks of one run came, in ms, and how many streams were not whole."""

    p50: float
    p99: float
    worst: float
    broken: int


def _lateness(server: Started, count: int) -> _Lateness:
    """One run of `count` streams; the clock of each starts when its request goes out."""
    request = post(server.path, PACED_TEXT, stream=True)
    with connect(server.address) as connection:
        expected = dechunked(exchange(connection, request).partition(b"\r\n\r\n")[2])
    streams = stream_together(server.address, request, count, STREAMS_APART_MS / 1000)
    off = sorted(
        abs(at * 1000 - INTER_TOKEN_MS * number)
        for stream in streams
        for number, at in enumerate(stream.arrivals(MARK), start=1)
    )
    broken = sum(stream.body != expected for stream in streams)
    return _Lateness(off[len(off) // 2], off[len(off) * 99 // 100], off[-1], broken)


def _lateness_figures(count: int, mock: Sequence[_Lateness], bare: Sequence[_Lateness]) -> list[Figure]:
    """Medians of all rounds, and the worst of them: none is chosen."""
    judged = Goal(PACED_GOALS_MS[count], "mock") if count in PACED_GOALS_MS else None
    p50_ours, p50_theirs = (median(run.p50 for run in runs) for runs in (mock, bare))
    p99_ours, p99_theirs = (median(run.p99 for run in runs) for runs in (mock, bare))
    worst_ours, worst_theirs = (max(run.p99 for run in runs) for runs in (mock, bare))
    return [
        Figure(f"{count} paced streams: not whole", sum(run.broken for run in mock), goal=Goal(0, "mock")),
        Figure(f"{count} paced streams: p50 off schedule (ms)", p50_ours, p50_theirs),
        Figure(f"{count} paced streams: p99 off schedule (ms)", p99_ours, p99_theirs, judged),
        Figure(f"{count} paced streams: p99 of the worst round (ms)", worst_ours, worst_theirs),
    ]


def _small_request(bench: Bench, text: str = SMALL_TEXT) -> bytes:
    with bench.server("mock") as mock:
        return post(mock.path, text)


BENCHMARKS: Final[dict[str, Callable[[Bench], list[Figure]]]] = {
    "users": users,
    "small": small_answer,
    "chunk": chunk,
    "paced": paced,
    "start": first_answer,
    "memory": memory,
    "plugin": plugin,
    "recording": recording,
    "state": state,
    "workers": workers,
}

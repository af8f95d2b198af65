"""What is measured, one function each; the table of all of them is at the end.

The mock and what it is compared with take turns, and the median of the turns counts, so that a noisy neighbour meets
both alike. Counts are fixed: the whole table takes about two minutes.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.client import connect, dechunked, exchange, post, stream_together
from bench.peers import peers
from bench.plugin import plugin
from bench.recording import recording
from bench.report import Figure, Goal
from bench.serve import CHUNKS, INTER_TOKEN_MS, MARK, PACED_CHUNKS
from bench.servers import OTHER, Bench, Started, cores
from bench.soak import soak
from bench.start import memory, start
from bench.state import state
from bench.users import LONG_TEXT, users
from bench.workers import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


SMALL_TEXT = "Say a few words, please. They are an example for the benchmark."
PACED_TEXT = "Say words slowly, please."
STREAMS_APART_MS = 1.0
PACED_ROUNDS: Final = {500: 3, 800: 3, 1000: 3, 2000: 3}
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


def paced(bench: Bench) -> list[Figure]:
    """Lateness of many paced streams on one core."""
    figures = []
    with ExitStack() as stack:
        servers = {"mock": bench.server("mock-paced"), "bare": bench.server("bare-paced")}
        if OTHER is not None:
            servers["other"] = bench.server("mock-paced", OTHER)
        for server in servers.values():
            stack.enter_context(server)
        for count, rounds in PACED_ROUNDS.items():
            runs: dict[str, list[_Lateness]] = {name: [] for name in servers}
            for _ in range(rounds):
                for name, server in servers.items():
                    runs[name].append(_lateness(server, count))
            figures += _lateness_figures(count, runs["mock"], runs["bare"])
            if OTHER is not None:
                figures += [
                    replace(figure, name=f"  the same of {OTHER}: {figure.name}", goal=None)
                    for figure in _lateness_figures(count, runs["other"], runs["bare"])
                ]
    return figures


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


BENCHMARKS: Final[dict[str, Callable[[Bench], list[Figure]]]] = {
    "users": users,
    "paced": paced,
    "start": start,
    "memory": memory,
    "soak": soak,
    "workers": workers,
    "plugin": plugin,
    "recording": recording,
    "state": state,
    "peers": peers,
}

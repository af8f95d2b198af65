"""How many processes carry so many paced streams: a simulation of one, from what a chunk costs.

    python -m bench.sizing --streams 100000 --inter-token-ms 20 --chunk-us 20

In one process all chunks that are due wait for those before them, and all for what else holds the loop: that is a queue
with one server. The simulation draws when each stream began, serves its chunks in their order, and tells how late the
last per cent leaves. Nothing is measured here; what it is given is (`make bench`).
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from math import ceil
from typing import Final

LATE_MS: Final = 5.0
"""What the last per cent of chunks may be late."""
MOST_SHARE: Final = 0.8
"""Of a core: what is left is for what was not foreseen."""
PERIODS: Final = 50
"""Chunks of each stream that are simulated."""
STEP: Final = 25
"""Streams by which sizes differ that are tried."""


@dataclass(frozen=True)
class Machine:
    """What was measured.

    Attributes:
        chunk_us: CPU of one chunk, in microseconds.
        answer_us: CPU of one stream beside its chunks: deciding it, its line of the log, its entry of the journal.
        held_ms: What else holds the loop at once, now and then: a long prompt, the collector.
        held_each_ms: How often, in milliseconds.
        stream_kib: Memory of one stream that is open, in KiB.
        process_mib: Memory of a process with a full journal, in MiB.
    """

    chunk_us: float = 20.0
    answer_us: float = 300.0
    held_ms: float = 2.0
    held_each_ms: float = 250.0
    stream_kib: float = 16.0
    process_mib: float = 70.0


def late_ms(streams: int, inter_token_ms: float, chunks: int, machine: Machine) -> float:
    """How late 99 of 100 chunks of so many streams in one process are at most, in milliseconds."""
    dice = random.Random(0)  # noqa: S311 - reproducible, not secret
    begins = sorted(dice.random() * inter_token_ms for _ in range(streams))
    cost, beginning = machine.chunk_us / 1000, machine.answer_us / 1000
    now, held, late = 0.0, machine.held_each_ms * dice.random(), []
    for period in range(PERIODS):
        for begin in begins:
            due = period * inter_token_ms + begin
            now = max(now, due)
            if now >= held:
                now, held = now + machine.held_ms, held + machine.held_each_ms
            now += cost if dice.random() >= 1 / chunks else cost + beginning
            late.append(now - due)
    late.sort()
    return late[len(late) * 99 // 100]


def share(streams: int, inter_token_ms: float, chunks: int, machine: Machine) -> float:
    """Which share of a core so many streams take."""
    return streams * (machine.chunk_us + machine.answer_us / chunks) / 1000 / inter_token_ms


def most_streams(inter_token_ms: float, chunks: int, machine: Machine) -> int:
    """How many streams one process carries: neither late nor without a reserve."""
    low, high = 0, int(MOST_SHARE / share(STEP, inter_token_ms, chunks, machine))
    while low < high:
        tried = (low + high + 1) // 2
        fits = late_ms(tried * STEP, inter_token_ms, chunks, machine) <= LATE_MS
        low, high = (tried, high) if fits else (low, tried - 1)
    return low * STEP


def sized(streams: int, inter_token_ms: float, chunks: int, machine: Machine) -> dict[str, float]:
    """What so many streams take, row by row."""
    each = most_streams(inter_token_ms, chunks, machine)
    processes = ceil(streams / max(each, 1))
    return {
        "streams a process": each,
        "processes, each with a core": processes,
        "share of each core": round(share(each, inter_token_ms, chunks, machine), 2),
        "late, p99 (ms)": round(late_ms(each, inter_token_ms, chunks, machine), 1),
        "memory (GiB)": round((processes * machine.process_mib + streams * machine.stream_kib / 1024) / 1024, 1),
        "streams that end, a second": round(streams / (chunks * inter_token_ms / 1000)),
        "chunks a second": round(streams * 1000 / inter_token_ms),
    }


def main() -> None:
    """Print what so many streams take."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizing", description="How many processes carry it.")
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--inter-token-ms", type=float, default=20.0)
    parser.add_argument("--chunks", type=int, default=150)
    parser.add_argument("--chunk-us", type=float, default=Machine.chunk_us)
    given = parser.parse_args()
    rows = sized(given.streams, given.inter_token_ms, given.chunks, Machine(given.chunk_us))
    print("\n".join(f"{name:<34} {value:>10,}" for name, value in rows.items()))


if __name__ == "__main__":
    main()

"""New prompts for as long as is asked: the memory fills what is bounded, and then stays."""

from __future__ import annotations

import os
import time
from itertools import count
from typing import TYPE_CHECKING, Final

from bench.client import ask
from bench.report import Figure, Goal
from bench.servers import Command
from bench.start import MIB
from bench.users import CONNECTIONS, new_prompt

if TYPE_CHECKING:
    from bench.servers import Bench

SECONDS: Final = float(os.environ.get("BENCH_SOAK", "60"))
FILLING: Final = 60_000
"""New prompts until everything that is kept has reached its bound, and the pages of what frees and fills again have
been touched once: 13 seconds of load on a core of its own. Over 240,000 more the memory was seen to grow by 8 KiB."""
AT_ONCE: Final = 320


def soak(bench: Bench) -> list[Figure]:
    """Memory after the first seconds of new prompts, and how it grows in the rest of them."""
    numbers = count(1)
    with Command(new_prompt(0), bench.core, ()) as command:
        fresh = command.resident_mb()
        answers = 0
        while answers < FILLING:
            answers += _ask_for(0, command, numbers)
        full, began = command.resident_mb(), time.monotonic()
        answers += _ask_for(SECONDS, command, numbers)
        minutes = (time.monotonic() - began) / 60
        grown = command.resident_mb() - full
    return [
        Figure(f"soak: memory after {FILLING:,} new prompts; beside: fresh (MiB)", full / MIB, fresh / MIB),
        Figure("soak: growth after that (KiB a minute)", grown * 1e6 / 1024 / minutes, goal=Goal(100, "mock")),
        Figure(f"soak: answers, those in the {SECONDS:g} s after that among them", answers),
    ]


def _ask_for(seconds: float, command: Command, numbers: count[int]) -> int:
    """Ask new prompts for so long, `AT_ONCE` of them at least; how many were answered."""
    until, asked = time.monotonic() + seconds, 0
    while not asked or time.monotonic() < until:
        ask(command.address, [new_prompt(next(numbers)) for _ in range(AT_ONCE)], connections=CONNECTIONS)
        asked += AT_ONCE
    return asked

"""One worker and two: answers a second and their CPU, with one core left to the client and with none of its own.

The client takes most of a core itself, so on two cores the second worker shares its core with the client: the answers a
second then tell of the machine, and the CPU of an answer of the mock.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bench.client import ask
from bench.report import Figure, measured
from bench.servers import Command
from bench.users import CONNECTIONS, ROUNDS, new_prompt
from mockserver.settings.config import SETTINGS

if TYPE_CHECKING:
    from bench.servers import Bench

COUNT: Final = 2000


def workers(_bench: Bench) -> list[Figure]:
    """Rows of one and of two workers; none where this version has no workers."""
    if "workers" not in SETTINGS:
        print("workers: this version has none; the rows are left out")
        return []
    figures = []
    rates: dict[int, list[float]] = {}
    for number in (1, 2):
        rates[number], costs = [], []
        with Command(new_prompt(0), None, ("--workers", str(number))) as command:
            for turn in range(ROUNDS + 1):
                requests = [new_prompt(turn * COUNT + at) for at in range(COUNT)]
                cpu, began = command.cpu_seconds(), time.monotonic()
                ask(command.address, requests, connections=CONNECTIONS)
                if turn:
                    rates[number].append(COUNT / (time.monotonic() - began))
                    costs.append((command.cpu_seconds() - cpu) * 1e6 / COUNT)
        figures.append(measured(f"workers {number}: an answer (µs of CPU)", costs))
    figures.append(measured("workers 2: answers a second; beside: workers 1", rates[2], rates[1]))
    return figures

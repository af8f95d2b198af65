"""The start and the memory of the command as it is installed: from a wheel, its files compiled."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Final

from bench.client import ask, post
from bench.report import Figure, Goal, measured
from bench.servers import ROOT, Command
from bench.users import PATH, new_prompt
from mockserver.cli.ready import QUESTION

if TYPE_CHECKING:
    from bench.servers import Bench

STARTS: Final = 9
MIB: Final = 2**20 / 1e6
"""MB in a MiB."""
BARE: Final = (sys.executable, "-m", "bench.bare_app")


def start(bench: Bench) -> list[Figure]:
    """From the command to its first answer, beside an app of Starlette and pydantic; and its memory then."""
    asked = {"fixture": (post(PATH, QUESTION), Goal(1.1)), "synthetic": (new_prompt(0), Goal(1.2))}
    took: dict[str, list[float]] = {name: [] for name in (*asked, "bare")}
    memory: dict[str, list[float]] = {name: [] for name in took}
    with tempfile.TemporaryDirectory(prefix="genstudio-mock-wheel-") as folder:
        install(folder)
        for _ in range(STARTS):
            for name, (request, _goal) in asked.items():
                with Command(request, bench.core, (), folder) as command:
                    took[name].append(command.first_answer_ms)
                    memory[name].append(command.resident_mb() / MIB)
            with Command(new_prompt(0), bench.core, (), ROOT, BARE) as bare:
                took["bare"].append(bare.first_answer_ms)
                memory["bare"].append(bare.resident_mb() / MIB)
    return [
        *(
            measured(f"command to first answer, {name} (ms)", took[name], took["bare"], asked[name][1])
            for name in asked
        ),
        *(
            measured(f"memory after a first answer, {name} (MiB)", memory[name], memory["bare"], Goal(45, "mock"))
            for name in asked
        ),
    ]


def memory(bench: Bench) -> list[Figure]:
    """Resident memory of the command after a thousand answers."""
    request = post(PATH, QUESTION)
    with Command(request, bench.core) as command:
        ask(command.address, [request] * 1000)
        used = command.resident_mb() / MIB
    return [Figure("memory after 1,000 answers (MiB)", used, goal=Goal(60, "mock"))]


def install(folder: str) -> None:
    """The package from a wheel of this checkout, compiled, in a folder; its dependencies are this Python's."""
    words = ["install", "-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--target", folder]
    subprocess.run([sys.executable, "-m", "pip", *words, str(ROOT)], check=True)

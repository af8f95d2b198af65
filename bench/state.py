"""What a shared state costs: the same mock with one and without, in turns."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.request
from contextlib import ExitStack, contextmanager
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.client import ask
from bench.report import Figure, Goal
from bench.servers import Command, pin, stop, tree_cpu_seconds
from bench.users import CONNECTIONS, chat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.servers import Bench

ROUNDS: Final = 5
ANSWERS: Final = 1500
QUIET: Final = ("--log-level", "warning")
OWN: Final = b"Bearer bench", b"Bearer own-key"


@contextmanager
def redis_server() -> Iterator[tuple[str, int]]:
    """The address of a Redis or Valkey server of its own, and its process; raises RuntimeError where there is none."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise RuntimeError("neither redis-server nor valkey-server is installed")
    with tempfile.TemporaryDirectory(prefix="mock-") as folder:
        socket = str(Path(folder) / "socket")
        process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", ""],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        pin(process.pid, None)
        assert process.stdout is not None
        next(line for line in process.stdout if "eady to accept connections" in line)
        try:
            yield f"unix://{socket}", process.pid
        finally:
            stop(process)


def state(_bench: Bench) -> list[Figure]:
    """CPU of an answer with a state beside that without: of a key that nobody claimed, and of a scripted namespace.

    The mocks have the system's choice of a core, since Redis and the client take turns with them.
    """
    if shutil.which("redis-server") is None and shutil.which("valkey-server") is None:
        return []
    asked = chat("Say a few words.")
    rows = {"nobody claimed": asked, "a scripted namespace": asked.replace(*OWN)}
    with redis_server() as (url, redis), ExitStack() as held:
        shared, alone = (held.enter_context(Command(asked, None, (*QUIET, *flags))) for flags in (("--state", url), ()))
        for mock in (shared, alone):
            script(mock)
        figures = []
        for name, request in rows.items():
            costs: list[list[float]] = [[], [], []]
            for turn in range(ROUNDS + 1):
                for mock, found in zip((shared, alone), costs, strict=False):
                    before, of_redis = mock.cpu_seconds(), tree_cpu_seconds(redis)
                    ask(mock.address, repeat(request, ANSWERS), connections=CONNECTIONS)
                    if turn:
                        found.append((mock.cpu_seconds() - before) * 1e6 / ANSWERS)
                        if mock is shared:
                            costs[2].append((tree_cpu_seconds(redis) - of_redis) * 1e6 / ANSWERS)
            goal = Goal(3) if name == "nobody claimed" else None
            figures += [
                Figure(f"state, {name} (µs of CPU; bare: without)", median(costs[0]), median(costs[1]), goal),
                Figure(f"state, {name}: Redis (µs of CPU)", median(costs[2])),
            ]
    return figures


def script(mock: Command) -> None:
    """Have a mock answer a key of its own by a script, always."""
    host, port = mock.address
    body = json.dumps({"answer": {"text": "Here are a few words."}, "times": None}).encode()
    headers = {"Authorization": OWN[1].decode(), "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/_mock/answers", body, headers)):
        return

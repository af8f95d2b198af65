"""Hostile input for as long as is asked: the server answers health all the while, and ends near where it began.

`python -m bench.endurance --seconds 3600` runs an hour's worth; Linux alone tells the memory of a process (`/proc`).
The exit code is 1 where memory has grown past the limit, or health was not answered.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMIT_MB: Final = 100.0
"""How much larger the server may be at the end than after its first requests."""
WARM_UP: Final = 200
"""Requests before memory is measured first: what is imported late has then been imported."""
CHAT: Final = "/maas/mt-infini-3b/chip3/chat/completions"


def request(body: bytes, path: str = CHAT, headers: str = "") -> bytes:
    """A request as it stands on the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer k\r\n"
    return f"{head}{headers}Content-Length: {len(body)}\r\n\r\n".encode("latin-1", "replace") + body


def chat(**fields: object) -> bytes:
    """A chat request's body."""
    return json.dumps({"messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def _schema(dice: random.Random) -> bytes:
    fork = [{dice.choice(["anyOf", "oneOf"]): [{"type": "string"}, {"type": "integer"}]} for _ in range(60)]
    schema = {dice.choice(["allOf", "prefixItems"]): fork, "pattern": "^(a|b){1,300}$", "minItems": 900}
    return request(chat(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}))


ENDLESS_HEAD: Final = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
MIXTURE: Final[tuple[Callable[[random.Random], bytes], ...]] = (
    lambda _: request(chat(stream=True)),
    lambda dice: request(dice.randbytes(dice.randrange(3000))),
    lambda dice: dice.randbytes(dice.randrange(1, 3000)),
    lambda dice: request(b"[" * dice.randrange(1, 50_000)),
    lambda dice: request(chat(**{f"k{n}": [[]] * 2000 for n in range(dice.randrange(9))})),
    lambda dice: request(chat(), headers=f"X-Mock-Fault: {dice.choice(['reset', 'no', 'x' * 3000])}\r\n"),
    lambda dice: request(chat(), headers=f"Authorization: Bearer k{dice.randrange(10**9)}\r\n"),
    lambda dice: request(chat(), path=f"/maas/{'%2e%2e/' * dice.randrange(9)}{dice.randrange(10**9)}/x"),
    lambda dice: ENDLESS_HEAD + b"a:b\r\n" * dice.randrange(9000),
    lambda dice: request(chat(messages=[{"role": "user", "content": "你" * dice.randrange(30_000)}])),
    _schema,
)  # fmt: skip
"""Kinds of input; each makes the bytes of one connection."""


def send(port: int, data: bytes) -> None:
    """Send, read a little, and leave: politely or not."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        client.recv(65536)


def healthy(port: int) -> bool:
    """Whether health is answered within two seconds."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.sendall(b"GET /_mock/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return client.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def memory_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    return int(found[1]) / 1000 if found else 0.0


def endure(port: int, pid: int, seconds: float, seed: int) -> tuple[int, float, float, int]:
    """Requests sent, memory at first and at the end, and how often health was not answered."""
    dice = random.Random(seed)  # noqa: S311 - input, no secret
    sent, missed, before = 0, 0, memory_mb(pid)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        send(port, dice.choice(MIXTURE)(dice))
        sent += 1
        if sent == WARM_UP:
            before = memory_mb(pid)
        if sent % 50 == 0:
            missed += not healthy(port)
    return sent, before, memory_mb(pid), missed


def main(argv: Sequence[str]) -> int:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--seed", type=int, default=1, help="decides the input (1)")
    found = parser.parse_args(argv)
    words = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--log-format", "json", "--log-level", "error"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(json.loads(server.stdout.readline())["url"].rpartition(":")[2])
            sent, before, after, missed = endure(port, server.pid, found.seconds, found.seed)
        finally:
            server.terminate()
    good = after - before <= LIMIT_MB and not missed and server.returncode == 0
    print(
        f"{sent} connections in {found.seconds:g} s (seed {found.seed}): {before:.0f} MB, then {after:.0f} MB "
        f"(allowed: {LIMIT_MB:g} MB more); health missed {missed} times; exit code {server.returncode}: "
        f"{'ok' if good else 'NOT ok'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

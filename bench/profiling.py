"""Where the time of an answer goes: the application alone, without server and socket, under cProfile."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import time
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any

from bench.cases import SMALL_TEXT
from bench.client import post
from bench.serve import CHUNKS, made_mock
from bench.users import LONG_TEXT, new_prompt
from mockserver.server.app import App
from mockserver.server.connection import CONNECTION_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.types import ASGIApp

    from bench.servers import Bench

TOP = 25
REPEATS = 5


class _HereToStay:
    """A client that never leaves."""

    gone = False

    def cut(self) -> None:
        """Nothing to close."""


def print_profiles(bench: Bench) -> None:
    """Time without the profiler, then the functions that cost most, for a small answer and for a stream."""
    mock, path = made_mock(bench.fixtures, None)
    app = App(mock)
    small, long = post(path, SMALL_TEXT), post(path, LONG_TEXT, stream=True)
    cases: list[tuple[str, Iterable[bytes], int, int]] = [
        ("a small answer", repeat(small), 2000, 1),
        ("a chunk of a stream", repeat(long), 100, CHUNKS),
        ("a new synthetic answer", [new_prompt(number) for number in range(2000 * (REPEATS + 1))], 2000, 1),
    ]
    for name, requests, count, each in cases:
        ask = _asked(app, path, map(_parted, iter(requests)), count)
        best = min(_timed(ask) for _ in range(REPEATS))
        print(f"{name}: {best * 1e6 / count / each:.2f} µs of CPU in the application")
        profile = cProfile.Profile()
        profile.runcall(asyncio.run, ask())
        pstats.Stats(profile).sort_stats("tottime").print_stats(TOP)


def _timed(ask: Callable[[], Any]) -> float:
    started = time.process_time()
    asyncio.run(ask())
    return time.process_time() - started


def _parted(request: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """A request's headers and its body."""
    head, _, body = request.partition(b"\r\n\r\n")
    return [(name, value) for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])], body


def _asked(
    app: ASGIApp, path: str, requests: Iterator[tuple[list[tuple[bytes, bytes]], bytes]], count: int
) -> Callable[[], Any]:
    """A coroutine function that asks the next `count` requests by its own `receive` and `send`."""
    message: dict[str, Any] = {"type": "http.request", "body": b"", "more_body": False}
    connection = _HereToStay()

    async def receive() -> Any:
        return message

    async def send(_message: Any) -> None:
        return

    async def ask() -> None:
        for headers, message["body"] in islice(requests, count):
            scope = {
                "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "",
                "headers": headers, "query_string": b"", "http_version": "1.1", "scheme": "http",
                CONNECTION_KEY: connection,
            }  # fmt: skip
            await app(scope, receive, send)

    return ask

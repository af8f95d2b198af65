"""Where the time of an answer goes: the application alone, without server and socket, under cProfile."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import time
from typing import TYPE_CHECKING, Any

from bench.cases import LONG_TEXT, SMALL_TEXT
from bench.client import post
from bench.serve import CHUNKS, made_mock
from mockserver.server.app import App
from mockserver.server.connection import CONNECTION_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

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
    for name, request, count, each in (("a small answer", small, 2000, 1), ("a chunk of a stream", long, 100, CHUNKS)):
        ask = _asked(app, path, request, count)
        best = min(_timed(ask) for _ in range(REPEATS))
        print(f"{name}: {best * 1e6 / count / each:.2f} µs in the application")
        profile = cProfile.Profile()
        profile.runcall(asyncio.run, ask())
        pstats.Stats(profile).sort_stats("tottime").print_stats(TOP)


def _timed(ask: Callable[[], Any]) -> float:
    started = time.perf_counter()
    asyncio.run(ask())
    return time.perf_counter() - started


def _asked(app: ASGIApp, path: str, request: bytes, count: int) -> Callable[[], Any]:
    """A coroutine function that asks `count` times by its own `receive` and `send`."""
    head, _, body = request.partition(b"\r\n\r\n")
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])]
    message = {"type": "http.request", "body": body, "more_body": False}
    connection = _HereToStay()

    async def receive() -> Any:
        return message

    async def send(_message: Any) -> None:
        return

    async def ask() -> None:
        for _ in range(count):
            scope = {
                "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "",
                "headers": headers, "query_string": b"", "http_version": "1.1", "scheme": "http",
                CONNECTION_KEY: connection,
            }  # fmt: skip
            await app(scope, receive, send)

    return ask

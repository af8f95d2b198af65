"""The process that is measured: the mock, or a bare ASGI app on the same loop, socket and settings.

Run as `python -m bench.serve KIND`. Its first line on standard output is JSON (`port`, `path`). Each line on standard
input is answered with the CPU seconds used so far; the end of standard input ends the process, so none is left over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mockserver.pipeline.pace import PaceSettings
from mockserver.server.app import App
from mockserver.server.serving import make_server, new_event_loop, run, tcp_socket
from mockserver.settings.assemble import build
from mockserver.settings.config import Config

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.server.mock import Mock


GRACE_SECONDS = 1
CHUNKS = 200
"""Pieces of the long answer."""
PACED_CHUNKS = 150
INTER_TOKEN_MS = 20.0
MARK = b'"choices"'
"""Occurs once in each chunk of a stream, so that a client can count and time them."""
SMALL_BODY = json.dumps({"id": "chatcmpl-" + "a" * 22, "object": "chat.completion", "text": "b" * 310}).encode()
CHUNK = b'data: {"id": "chatcmpl-%b", "choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n' % (
    b"a" * 22,
    b"c" * 130,
)
JSON_TYPE = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(SMALL_BODY))]
EVENT_TYPE = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


# --- the bare apps: what ASGI on uvicorn costs without a mock ------------------------------------------------------


async def bare_small(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, send ready bytes."""
    await _read(receive)
    await send({"type": "http.response.start", "status": 200, "headers": JSON_TYPE})
    await send({"type": "http.response.body", "body": SMALL_BODY})


async def bare_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """One send a chunk, of ready bytes; as many as the path says."""
    await _read(receive)
    await send({"type": "http.response.start", "status": 200, "headers": EVENT_TYPE})
    for _ in range(int(scope["path"][1:])):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def bare_paced(_scope: Scope, receive: Receive, send: Send) -> None:
    """Sleep to the absolute deadline of each chunk, which is the best that a handler can do on its own."""
    await _read(receive)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await send({"type": "http.response.start", "status": 200, "headers": EVENT_TYPE})
    for number in range(PACED_CHUNKS):
        await asyncio.sleep(started + (number + 1) * INTER_TOKEN_MS / 1000 - loop.time())
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _read(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        pass


BARE: dict[str, ASGIApp] = {"bare-small": bare_small, "bare-stream": bare_stream, "bare-paced": bare_paced}


# --- the mock ------------------------------------------------------------------------------------------------------


def made_mock(fixtures: Path, pace: PaceSettings | None) -> tuple[Mock, str]:
    """A mock with its fixtures from a folder, and the path of its first model on its first chip."""
    mock = build(Config(fixtures=(fixtures,), pace="off" if pace is None else pace))
    edition = mock.edition
    return mock, f"/maas/{next(iter(edition.models))}/{next(iter(edition.chips))}/chat/completions"


# --- the process ---------------------------------------------------------------------------------------------------


def main(argv: list[str]) -> None:
    """Serve one app until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.serve")
    parser.add_argument("kind", choices=["mock", "mock-paced", *BARE])
    parser.add_argument("--fixtures", type=Path, required=True)
    given = parser.parse_args(argv)
    listening = tcp_socket("127.0.0.1", 0)
    port: int = listening.getsockname()[1]
    if given.kind in BARE:
        _tell(port, "/")
        serve_bare(BARE[given.kind], listening)
    else:
        pace = PaceSettings(INTER_TOKEN_MS, INTER_TOKEN_MS) if given.kind == "mock-paced" else None
        mock, path = made_mock(given.fixtures, pace)
        run(App(mock), listening, lambda: _tell(port, path), GRACE_SECONDS, mock)


def serve_bare(app: ASGIApp, listening: Any) -> None:
    """Serve on uvicorn's own httptools protocol: what the mock's connection adds counts as the mock's cost."""
    server = make_server(app, lambda: None, GRACE_SECONDS, "httptools")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(server.serve(sockets=[listening]))


def _tell(port: int, path: str) -> None:
    print(json.dumps({"port": port, "path": path}), flush=True)
    threading.Thread(target=_answer, daemon=True).start()


def _answer() -> None:
    for _ in sys.stdin:
        print(time.process_time(), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])

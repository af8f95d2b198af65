"""The journal's promise in bytes is kept by the memory of the process, whatever was asked and answered."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.server.app import App
from mockserver.server.clock import FixedClock
from mockserver.server.mock import Mock
from tests.conftest import compose, load

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 8
PATH = "/maas/mt-infini-3b/nvidia/chat/completions"


def asked(text: str = "hi", more: str = "", **fields: Any) -> bytes:
    """A chat's body; `more` is JSON that is put in as it is."""
    body = {"model": "mt-infini-3b", "messages": [{"role": "user", "content": text}], **fields}
    return (json.dumps(body, ensure_ascii=False)[:-1] + more + "}").encode()


ASKED: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "a short chat": (PATH, asked(), {}),
    "a stream": (PATH, asked(stream=True), {}),
    "many small arrays": (PATH, asked(more=', "foo": [' + ",".join(["[]"] * 10_000) + "]"), {}),
    "arrays in arrays": (PATH, asked(more=', "foo": [' + ",".join(["[" * 20 + "]" * 20] * 500) + "]"), {}),
    "many unknown fields": (PATH, asked(more="".join(f', "{number:x}": 0' for number in range(2_000))), {}),
    "a long text of many pieces": (PATH, asked("中文 text 🎈. " * 300, stream=True), {"x-mock-answer": "echo"}),
    "the same in ASCII": (PATH, asked("a b c d " * 400, stream=True), {"x-mock-answer": "echo"}),
    "a long path": ("/" + "p" * 60_000, b"", {}),
    "a path of wide characters": ("/" + "\U0001f388" * 15_000, b"", {}),
    "a long header": (PATH, asked(), {"user-agent": "u" * 60_000}),
    "a refusal that names a long name": (PATH, asked().replace(b"mt-infini-3b", b"m" * 70_000), {}),
    "frames at their own times": (PATH, asked("a b c d " * 200, stream=True), {
        "x-mock-answer": "echo", "x-mock-fault": "latency;ms=1",
    }),
}  # fmt: skip


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    """The mock, without a socket; what was there before it is not looked through by each collection."""
    edition = load("2024-tutorial")
    made = Mock(edition, compose(edition), FixedClock(edition.file.defaults.created))
    gc.collect()
    gc.freeze()
    yield made
    gc.unfreeze()


@pytest.mark.parametrize(("path", "body", "headers"), ASKED.values(), ids=ASKED)
def test_it_weighs_what_it_holds(mock: Mock, path: str, body: bytes, headers: dict[str, str]) -> None:
    """What its clearing frees is no more than it said."""
    app = App(mock)
    given = {"host": "localhost", "authorization": "Bearer sk-any-key-will-do", **headers}

    async def ask(number: int) -> None:
        sent = body.replace(b"hi", b"%02d" % number)
        scope = {
            "type": "http", "method": "POST", "path": path, "http_version": "1.1", "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip

        came = [{"type": "http.request", "body": sent, "more_body": False}]

        async def receive() -> Any:
            return came.pop() if came else await asyncio.Event().wait()

        async def send(_message: Any) -> None:
            return

        await app(scope, receive, send)

    async def ask_all() -> None:
        for number in range(COUNT):
            await ask(number)

    journal, budget = mock.namespaces.default.journal, mock.namespaces.default.journal._budget
    mock._wheel = None
    asyncio.run(ask(99))
    gc.collect()
    tracemalloc.start()
    try:
        mock._wheel = None
        asyncio.run(ask_all())
        assert len(journal) == COUNT + 1
        gc.collect()
        held, promised = tracemalloc.get_traced_memory()[0], budget.used_bytes
        journal.clear()
        gc.collect()
        freed = held - tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert 0 < freed < promised

"""What the tests of a shared state ask of a mock, and how they wait for a line of its log."""

from __future__ import annotations

import json
import logging
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mockserver.server.guard import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.testing.mock_server import MockServer

QUESTION: Final = {"messages": [{"role": "user", "content": "你是谁?"}]}
STATUS_503: Final = {"fault": {"type": "status", "status": 503}}


def send(url: str, method: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        url + path, data, headers | ({} if body is None else {"Content-Type": "application/json"}), method=method
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def call(mock: MockServer | str, method: str, path: str, key: str, body: Any = None) -> Any:
    """One operation that succeeds."""
    status, told = send(mock if isinstance(mock, str) else mock.url, method, PREFIX + path, key, body)
    assert status in {200, 201}, told
    return told


def chat(mock: MockServer | str, key: str) -> tuple[int, Any]:
    """Status, and what is said, or the whole error."""
    url = mock if isinstance(mock, str) else mock.url
    status, told = send(url, "POST", "/maas/mt-infini-3b/nvidia/chat/completions", key, QUESTION)
    return status, told["choices"][0]["message"]["content"] if status == 200 else told


class Told(logging.Handler):
    """Waits for a line of the log."""

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self._wanted = wanted
        self._seen = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a line."""
        if self._wanted in record.getMessage():
            self._seen.set()

    def wait(self) -> None:
        """Until it came."""
        assert self._seen.wait(30), self._wanted


@contextmanager
def told(wanted: str) -> Iterator[Told]:
    """What waits for a line of the log."""
    handler = Told(wanted)
    logger = logging.getLogger("mockserver")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)

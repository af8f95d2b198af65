"""Asking a mock and its control API, for tests of what a test author is given."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx
from openai import OpenAI

from mockserver.server.guard import PREFIX
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mockserver.testing.mock_server import MockServer
    from mockserver.testing.session import Session

CHIPS = ("nvidia", "amd", "chip1", "chip2", "chip3", "chip4", "chip5")
BARE = ("chip3", "chip4", "chip5")
"""Chips that stream bare JSON lines, in the edition of the tutorial."""
PLAIN: Final[dict[str, Any]] = {"trust_env": False, "verify": False}
"""For httpx: no proxy, and no certificates, which take longer to load than the answer to come."""


_OPENED: Final[list[OpenAI]] = []


def client(session: Session, retries: int = 0, **more: Any) -> OpenAI:
    """The official SDK, pointed at the session; `close_clients` closes it."""
    _OPENED.append(OpenAI(base_url=session.base_url, api_key=session.api_key, max_retries=retries, **more))
    return _OPENED[-1]


def close_clients() -> None:
    """Close what `client` made: left to the garbage collector, a socket may warn before its client closes it."""
    while _OPENED:
        _OPENED.pop().close()


def streamed(session: Session, text: str = "你是谁?") -> str:
    """What the SDK makes of a stream."""
    chunks = client(session).chat.completions.create(
        model="any", messages=[{"role": "user", "content": text}], stream=True
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def asked(session: Session, text: str = "你是谁?", *, timeout_s: float = WAIT_SECONDS, **more: Any) -> httpx.Response:
    """An answer as it is on the wire; `more` are further fields of the body, and `headers`."""
    headers = {"Authorization": f"Bearer {session.api_key}", **more.pop("headers", {})}
    body = {"messages": [{"role": "user", "content": text}], **more}
    url = f"{session.base_url}/chat/completions"
    return httpx.post(url, json=body, headers=headers, timeout=timeout_s, **PLAIN)


def get(mock: MockServer, path: str, **headers: str) -> httpx.Response:
    """A plain request."""
    return httpx.get(mock.url + path, headers=headers, **PLAIN)


@contextmanager
def asked_without_reading(session: Session, **more: Any) -> Iterator[None]:
    """A client that asks, waits without an end, and leaves with the block."""
    host, _, prefix = session.base_url.partition("://")[2].partition("/")
    connection = http.client.HTTPConnection(host)
    headers = {"Authorization": f"Bearer {session.api_key}", "Content-Type": "application/json"}
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], **more})
    try:
        connection.request("POST", f"/{prefix}/chat/completions", body, headers)
        yield
    finally:
        connection.close()


def silence_of(session: Session) -> Callable[[], bool]:
    """What waits until the next answer of a session has sent all it will send, and tells whether it hangs then.

    A client that reads on then hears nothing any more, and need not wait to know it.
    """
    after = max((one.number for one in session.exchanges()), default=0)

    def hangs() -> bool:
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            for one in session.exchanges(after=after):
                answered = one.source or one.faults  # else it is not known yet what it will send
                if not one.in_flight or (answered and one.frames_sent == one.frames_planned):
                    return one.in_flight
        raise AssertionError("nothing was answered")

    return hangs


def said(answer: httpx.Response) -> str:
    """The text of an answer that is not streamed."""
    return str(answer.json()["choices"][0]["message"]["content"])


def control(session: Session, method: str, path: str, **more: Any) -> httpx.Response:
    """One request to the control API, as any client sends it."""
    headers = {"authorization": f"Bearer {session.api_key}", "content-type": "application/json"}
    headers |= more.pop("headers", {})
    return httpx.request(method, f"{session.url}{PREFIX}{path}", headers=headers, timeout=WAIT_SECONDS, **PLAIN, **more)

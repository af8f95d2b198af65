"""What the tests share: services made from the shipped data, and real servers on loopback ports."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import threading
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mockserver.contract import fuzz_server
from mockserver.core.data import shipped
from mockserver.core.exchange import Answer, Request, ToolCall, Usage
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.respond import Service
from mockserver.profile import quirks
from mockserver.profile.edition import load_edition
from mockserver.server.app import App
from mockserver.server.clock import FixedClock
from mockserver.server.direct_chats import DirectChats
from mockserver.server.mock import Mock
from mockserver.server.protocol import MockProtocol
from mockserver.settings.assemble import build
from mockserver.settings.config import Config
from mockserver.testing.mock_server import MockServer
from tests import slow_files
from tests.in_thread import WAIT_SECONDS, serving
from tests.session_helpers import close_clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.core.exchange import Exchange, Plan
    from mockserver.pipeline.respond import Service
    from mockserver.pipeline.wire_settings import WireSettings
    from mockserver.profile.edition import Edition
    from mockserver.testing.session import Session

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts a background job so, and every program that a test interrupts would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["GENSTUDIO_MOCK_LANG"] = "en"  # what tests expect of messages, whoever runs them

settings.register_profile(
    "tests", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("tests")

EDITIONS = ("2024-tutorial", "2025-reference")
KEY = "sk-any-key-will-do"
TUTORIAL_MULTI_TURN = """{
"model": "mt-infini-3b",
"messages": [
{ "role": "user", "content": "你是谁?" },
{ "role": "assistant", "content": "我是大模型回答助手" },
{ "role": "user", "content": "你能做什么?" },
]
}"""
"""The tutorial's own sample of a dialogue, with the comma that JSON does not allow."""

NASTY = (
    "",
    "中文",
    "😀",
    "a\u2028b",
    "\u0085",
    "\x00\x1f\x7f",
    "data: [DONE]",
    "\r\n\n",
    '"\\',
    "%s%(first)b",
    "\ufeff",
)
"""Texts that a careless writer or reader breaks on."""


def nasty_texts() -> st.SearchStrategy[str]:
    """Any text that UTF-8 can hold, with the difficult ones often."""
    anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    return st.one_of(st.sampled_from(NASTY), anything)


def answers() -> st.SearchStrategy[Answer]:
    """Any answer: 0 to 8 pieces of difficult text, reasoning, calls of functions, blocked or not."""
    pieces = st.lists(nasty_texts().filter(bool), max_size=8).map(tuple)
    calls = st.lists(st.builds(ToolCall, st.just("call_1"), st.just("weather"), pieces), max_size=2).map(tuple)
    counts = st.integers(0, 5000)
    return st.builds(
        Answer,
        pieces=pieces,
        usage=st.builds(Usage, counts, counts, st.sampled_from([0, 0, 3])),
        finish_reason=st.sampled_from(["stop", "length", "tool_calls", "100%"]),
        reasoning=st.one_of(st.just(()), pieces),
        tool_calls=st.one_of(st.just(()), calls),
        blocked=st.booleans(),
    )


def wires() -> st.SearchStrategy[WireSettings]:
    """Any combination of quirks, one of each axis, most of them standard."""
    names = st.lists(st.sampled_from(sorted((*quirks.QUIRKS, *quirks.EXAMPLES))), max_size=12)
    return names.map(lambda chosen: quirks.changed(quirks.STANDARD, ",".join(chosen)))


@lru_cache
def load(edition: str) -> Edition:
    """A shipped edition."""
    return load_edition(edition, [shipped("profiles")])


def compose(edition: Edition, **more: Any) -> Service:
    """A service with the shipped fixtures and synthetic text; `more` are fields of `Service` that differ."""
    service = build(Config(edition=edition.name)).service
    return replace(service, rules=edition.rules, **more)


def ask(
    service: Service, path: str = "mt-infini-3b/chip3", headers: dict[bytes, bytes] | None = None, **body: Any
) -> Plan:
    """The plan for a request with a good key; `path` is `model/chip`, the rest is the body's fields."""
    model, chip = path.split("/")
    document = {"model": model, "messages": [{"role": "user", "content": "你是谁?"}], **body}
    sent = {b"authorization": b"Bearer " + KEY.encode(), **(headers or {})}
    request = Request("POST", f"/maas/{path}/chat/completions", sent, json.dumps(document).encode())
    return service.respond(
        IncomingRequest(model, chip, request, load(service.rules.name).file.defaults.created * 1000)
    ).plan


@dataclass
class Live:
    """A running server.

    Attributes:
        edition: What it imitates.
        port: On 127.0.0.1.
        mock: The application's inside.
        exchanges: All that it answered so far.
        server: uvicorn's server, for its tasks and connections.
    """

    edition: str
    port: int
    mock: Mock
    exchanges: list[Exchange]
    server: Any
    told: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def model(self) -> str:
        """The first model of the catalogue."""
        return next(iter(self.mock.edition.models))

    def base_url(self, chip: str, model: str | None = None) -> str:
        """What SDKs call the base URL."""
        return f"{self.url}/maas/{model or self.model}/{chip}"

    def path(self, chip: str = "nvidia") -> str:
        """The path of the chat endpoint."""
        return f"/maas/{self.model}/{chip}/chat/completions"

    def connect(self) -> socket.socket:
        """A new connection that never blocks for ever."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)

    def wait_for(self, count: int) -> Exchange:
        """The newest exchange once there are `count`."""
        with self.told:
            assert self.told.wait_for(lambda: len(self.exchanges) >= count, WAIT_SECONDS), "no exchange was told of"
        return self.exchanges[-1]


@contextlib.contextmanager
def serve(
    service: Service,
    protocol: type[MockProtocol] = MockProtocol,
    *,
    grace_seconds: float = 1,
    door: type[DirectChats] = DirectChats,
) -> Iterator[Live]:
    """Run the real server in a thread on a free port of 127.0.0.1, and stop it cleanly."""
    exchanges: list[Exchange] = []
    told = threading.Condition()

    def tell(exchange: Exchange) -> None:
        with told:
            exchanges.append(exchange)
            told.notify_all()

    edition = load(service.rules.name)
    mock = Mock(edition, service, FixedClock(edition.file.defaults.created), tell)
    app = App(mock)
    app.chats = door(mock)
    with serving(app, mock, protocol=protocol, grace_seconds=grace_seconds) as served:
        yield Live(edition.name, served.port, mock, exchanges, served.server, told)


def pytest_collection_finish() -> None:
    """What collecting made stays to the end; the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell which files took long; nothing fails by it, since a machine may be busy."""
    reports = (one for of_outcome in terminalreporter.stats.values() for one in of_outcome)
    for line in slow_files.told((one.nodeid, one.duration) for one in reports if isinstance(one, pytest.TestReport)):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def editions() -> dict[str, Edition]:
    """All shipped editions."""
    return {name: load(name) for name in EDITIONS}


@pytest.fixture(scope="session")
def servers(editions: dict[str, Edition]) -> Iterator[dict[str, Live]]:
    """One running server for each edition."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(serve(compose(edition))) for name, edition in editions.items()}


@pytest.fixture(scope="session", params=EDITIONS)
def live(request: pytest.FixtureRequest, servers: dict[str, Live]) -> Live:
    """Each edition's server in turn."""
    return servers[request.param]


@pytest.fixture
def no_wait_behind_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream's write is a chunk, and http.client reads chunk by chunk, whatever lies ready: none has to wait."""
    monkeypatch.setattr(fuzz_server, "CUT_PAUSE_S", 0)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    """One mock for the tests of a file, as a test author has it."""
    with MockServer() as mock:
        yield mock


@pytest.fixture
def session(mock: MockServer) -> Iterator[Session]:
    """A namespace of it for one test."""
    with mock.session() as session:
        yield session
    close_clients()

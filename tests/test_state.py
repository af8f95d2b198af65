"""Mocks that share a state in Redis or Valkey behave as one: whatever is asked at whichever of them."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from mockserver.core.exchange import ChatRequest, Ending, Exchange, Plan, Request
from mockserver.server.guard import PREFIX
from mockserver.server.journal import MOST_BYTES, MOST_EXCHANGES
from mockserver.server.namespace import StateLostError
from mockserver.server.state import scripts
from mockserver.server.state.exchange_bytes import bytes_of, exchange_of
from mockserver.server.state.link import Link
from mockserver.server.state.outbox import Outbox
from mockserver.server.state.shared_journal import SharedJournal
from mockserver.testing.mock_server import MockServer
from tests.command import ROOT, called
from tests.control_machine import ControlMachine
from tests.in_thread import WAIT_SECONDS
from tests.inner_pytest import PLUGINS
from tests.redis_server import PROGRAMS, StateServer, state_server
from tests.served import ready_url, started
from tests.state_helpers import QUESTION, STATUS_503, call, chat, send, told

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="neither Redis nor Valkey is made for it")


@pytest.fixture(scope="module", params=PROGRAMS)
def server(request: pytest.FixtureRequest) -> Iterator[StateServer]:
    """Each of the servers."""
    with state_server(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def two(server: StateServer) -> Iterator[tuple[MockServer, MockServer]]:
    """Two mocks that share its state."""
    with MockServer(state=server.url) as one, MockServer(state=server.url) as other:
        yield one, other


@pytest.fixture
def key(two: tuple[MockServer, MockServer], request: pytest.FixtureRequest) -> Iterator[str]:
    """An API key of the test's own; what it claimed is given up."""
    own = f"key-of-{request.node.name}"
    yield own
    call(two[0], "DELETE", "/namespace", own)


@contextmanager
def hanging(mock: MockServer, key: str) -> Iterator[None]:
    """A chat whose answer never comes; the client leaves in the end."""
    connection = http.client.HTTPConnection(mock.url.removeprefix("http://"), timeout=WAIT_SECONDS)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/maas/mt-infini-3b/nvidia/chat/completions", json.dumps(QUESTION), headers)
    try:
        yield
    finally:
        connection.close()


def at_once(two: tuple[MockServer, MockServer], key: str, count: int) -> list[tuple[int, Any]]:
    """The answers to as many chats, asked of both at once."""
    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(lambda number: chat(two[number % 2], key), range(count)))


class SharedMachine(ControlMachine):
    """The model of one process, asked of two that share a state."""

    two: tuple[MockServer, MockServer]

    @initialize(seed=st.integers(0, 2**32))
    def start_with(self, seed: int) -> None:
        """Nothing is set up; which of the two is asked is drawn."""
        self.dice = random.Random(seed)
        self.runner = asyncio.Runner()
        self.client = httpx.AsyncClient(trust_env=False)

    def start(self) -> None:
        """The mocks are there already."""

    def send(self, method: str, path: str, key: str, body: Any = None) -> httpx.Response:
        """One request to one of the two."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        url = self.dice.choice(self.two).url + path
        return self.runner.run(self.client.request(method, url, headers=headers, json=body))

    def teardown(self) -> None:
        """Nothing stays."""
        if hasattr(self, "client"):
            for key in self.spaces:
                if key:
                    self.call("DELETE", "/namespace", key)
                else:
                    self.call("POST", "/reset", "", {})
            super().teardown()


def test_two_behave_as_one(two: tuple[MockServer, MockServer]) -> None:
    """Whatever is asked in whatever order at whichever of them, both tell what the model of one process has."""

    class Machine(SharedMachine):
        pass

    Machine.two = two
    call(two[0], "POST", "/reset", "", {})
    run_state_machine_as_test(Machine, settings=settings(max_examples=6, stateful_step_count=12, deadline=None))


def test_a_scripted_answer_is_used_once(two: tuple[MockServer, MockServer], key: str) -> None:
    """However many ask at once; each exchange has a number of its own, and both tell the same journal."""
    call(two[0], "POST", "/answers", key, {"answer": {"text": "nur einmal"}})

    said = [text for _, text in at_once(two, key, 24)]

    assert said.count("nur einmal") == 1
    journals = [call(mock, "GET", "/exchanges", key) for mock in two]
    assert journals[0] == journals[1]
    assert sorted(one["number"] for one in journals[0]) == list(range(1, 25))
    assert call(two[1], "GET", "/answers", key)["unexpected"] == 23


def test_a_fault_strikes_as_often_as_it_was_armed_for(two: tuple[MockServer, MockServer], key: str) -> None:
    """Once, however many ask at once."""
    call(two[1], "POST", "/faults", key, {**STATUS_503, "times": 1})

    assert [status for status, _ in at_once(two, key, 24)].count(503) == 1
    assert [(one["seen"], one["fired"]) for one in call(two[0], "GET", "/faults", key)] == [(1, 1)]


def test_a_rate_limit_counts_all(two: tuple[MockServer, MockServer], key: str) -> None:
    """It lets in as many as it says, and again when the clock, which is common too, was moved on at the other one."""
    call(two[0], "POST", "/faults", key, {"fault": {"type": "rate_limit", "rpm": 10}})

    assert [status for status, _ in at_once(two, key, 24)].count(200) == 10
    call(two[1], "POST", "/clock", key, {"advance_ms": 60_000})
    assert [status for status, _ in at_once(two, key, 12)].count(200) == 10


def test_a_rate_limit_of_a_header_counts_all(two: tuple[MockServer, MockServer]) -> None:
    """Also in the namespace that nobody claimed."""
    call(two[0], "POST", "/reset", "", {})

    def ask(number: int) -> int:
        asked = urllib.request.Request(
            f"{two[number % 2].url}/maas/mt-infini-3b/nvidia/chat/completions", json.dumps(QUESTION).encode(),
            {"Authorization": "Bearer any", "Content-Type": "application/json", "X-Mock-Fault": "rate_limit;rpm=3"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(asked, timeout=WAIT_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert sorted(map(ask, range(6))) == [200, 200, 200, 429, 429, 429]


def test_a_sequence_of_a_fixture_goes_on(server: StateServer, tmp_path: Path) -> None:
    """Each call, at whichever mock, gets the next answer; and begins again for all where counters are forgotten."""
    folder = tmp_path / "mt-infini-3b" / "any"
    folder.mkdir(parents=True)
    texts = ["eins", "zwei", "drei"]
    fixture = {"match": {"user": "你是谁?"}, "answers": [{"text": text} for text in texts]}
    (folder / "sequence.json").write_text(json.dumps(fixture))
    with (
        MockServer(state=server.url, fixtures=[tmp_path]) as one,
        MockServer(state=server.url, fixtures=[tmp_path]) as other,
    ):
        call(one, "POST", "/reset", "", {})
        assert [chat(mock, "any")[1] for mock in (one, other, one)] == texts
        call(other, "POST", "/reset", "", {})
        assert [chat(mock, "any")[1] for mock in (one, other)] == texts[:2]


def test_seeds_are_those_of_one_process(two: tuple[MockServer, MockServer], key: str) -> None:
    """A namespace's dice fall as they would without a state."""
    with MockServer() as alone:
        for mock in (alone, two[0]):
            call(mock, "POST", "/reset", key, {})
            call(mock, "POST", "/reset", "", {})
        for turn in range(3):
            chat(alone, key)
            chat(two[turn % 2], key)
            chat(alone, "any")
            chat(two[turn % 2], "any")
        for of in (key, ""):
            expected = [(one["number"], one["seed"]) for one in call(alone, "GET", "/exchanges", of)]
            assert [(one["number"], one["seed"]) for one in call(two[1], "GET", "/exchanges", of)] == expected


def test_who_waits_is_woken_by_what_ends_elsewhere(two: tuple[MockServer, MockServer], key: str) -> None:
    """And sees it, well before the time is over."""
    call(two[0], "POST", "/reset", key, {})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, two[0], "GET", "/exchanges?count=2&timeout_ms=5000", key)
        chat(two[1], key)
        chat(two[1], key)
        found = waiting.result(20)

    assert [one["number"] for one in found] == [1, 2]


def test_what_is_in_flight_elsewhere_is_seen(two: tuple[MockServer, MockServer], key: str) -> None:
    """A hanging answer at one is shown, counted and waited for at the other, under the number that it keeps."""
    call(two[0], "POST", "/faults", key, {"fault": {"type": "timeout"}})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, two[0], "GET", "/exchanges?in_flight=true&count=1&timeout_ms=5000", key)
        with hanging(two[1], key):
            found = waiting.result(20)
            rows = call(two[0], "GET", "/namespaces", "")
    ended = call(two[0], "GET", "/exchanges?in_flight=false&count=1&timeout_ms=5000", key)

    assert [(one["number"], one["ending"]) for one in found] == [(1, None)]
    assert sum(one["in_flight"] for one in rows) == 1
    assert [(one["number"], one["client_left"]) for one in ended] == [(1, True)]


def test_a_reset_takes_what_is_in_flight_elsewhere(two: tuple[MockServer, MockServer], key: str) -> None:
    """As with one process: what began before the journal was cleared is not in it when it ends."""
    call(two[0], "POST", "/faults", key, {"fault": {"type": "timeout"}})
    with hanging(two[1], key):
        assert call(two[0], "GET", "/exchanges?in_flight=true&count=1&timeout_ms=5000", key)
        call(two[0], "POST", "/reset", key, {})
    chat(two[1], key)

    assert [(one["number"], one["status"]) for one in call(two[0], "GET", "/exchanges?count=1", key)] == [(1, 200)]


def test_the_inspector_shows_what_happens_elsewhere(two: tuple[MockServer, MockServer], key: str) -> None:
    """Whichever of them serves the page."""
    call(two[0], "GET", "/faults", key)
    chat(two[1], key)

    rows = call(two[0], "GET", f"/ui/live?page={key}", "")["rows"]

    name = next(one["namespace"] for one in call(two[0], "GET", "/exchanges", key))
    assert [(one["number"], one["status"]) for one in rows if one["namespace"] == name] == [(1, 200)]


@pytest.mark.parametrize("kind", ["doc", "journal"])
def test_a_state_that_another_program_wrote(server: StateServer, two: tuple[MockServer, MockServer], kind: str) -> None:
    """What cannot be read is told in one line, again and again; when it is gone all goes on."""
    call(two[0], "POST", "/reset", "", {})
    if kind == "doc":
        server.ask("HSET", "genstudio-mock:1:ns:default", "doc", '{"faults": [1]}', "v", "x")
    else:
        server.ask("RPUSH", "genstudio-mock:1:journal:default", "no exchange")

    for mock in two:
        status, told = send(mock.url, "GET", f"{PREFIX}/{'faults' if kind == 'doc' else 'exchanges'}", "")
        assert status == 503
        assert told["error"].startswith(f"the state at {server.url} holds what is not readable here (")
        assert chat(mock, "any")[0] == 200
    server.ask("DEL", "genstudio-mock:1:journal:default")
    server.ask("HSET", "genstudio-mock:1:ns:default", "doc", "{}", "v", "y")
    call(two[0], "POST", "/reset", "", {})
    assert call(two[1], "GET", "/faults", "") == call(two[1], "GET", "/exchanges", "") == []


def test_no_api_key_is_in_the_state(server: StateServer, two: tuple[MockServer, MockServer], key: str) -> None:
    """A digest stands for it, and every key has the prefix and a time to live."""
    call(two[0], "POST", "/answers", key, {"answer": {"text": "x"}})
    chat(two[0], key)
    call(two[1], "GET", "/exchanges", key)

    keys = server.ask("KEYS", "*")
    assert keys
    assert all(one.startswith(b"genstudio-mock:1:") for one in keys if one != scripts.SERVED.encode())
    assert [one for one in keys if server.ask("PTTL", one) < 0] == []
    assert not [one for one in keys if key.encode() in one + (server.ask("DUMP", one) or b"")]


def test_many_entries_are_bounded(server: StateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes, the oldest go first, and they are counted; nothing of another namespace goes."""
    monkeypatch.setattr("mockserver.server.state.link.ANSWER_S", WAIT_SECONDS)  # 20 MB take their time

    async def append(count: int, size: int) -> tuple[list[int], int, int]:
        async def nothing(*_: object) -> None:
            return

        link = Link(server.url, 60, server.ask("GET", scripts.SERVED) or b"{}", nothing, nothing)
        await link.open()
        try:
            token, dropped = os.urandom(4).hex(), 0
            for start in range(0, count, 5):
                rows = [b"0 %d %d %b" % (at, at, b"x" * size) for at in range(start, min(start + 5, count))]
                given = [part for row in rows for part in ("default", "own", row)]
                await link.run(scripts.APPEND, f"{token}{start}", "m", *given)
            found: list[bytes] = []
            more = 1
            while more:
                _, dropped, start, come, _, more = await link.run(
                    scripts.READ, "default", token, "own", dropped + len(found), "m"
                )
                assert start == len(found)
                found += come
            return [int(one.split(b" ")[0]) for one in found], dropped, sum(map(len, found))
        finally:
            await link.close()

    for one in server.ask("KEYS", "genstudio-mock:1:*:default"):
        server.ask("DEL", one)
    server.ask("ZREM", "genstudio-mock:1:weights", "default")
    numbers, dropped, _ = asyncio.run(append(MOST_EXCHANGES + 15, 10))
    assert (numbers, dropped) == (list(range(16, MOST_EXCHANGES + 16)), 15)
    numbers, dropped, held = asyncio.run(append(20, 2**20))
    assert (held <= MOST_BYTES, len(numbers), dropped) == (True, 15, MOST_EXCHANGES + 20)
    server.ask("DEL", "genstudio-mock:1:ns:default", "genstudio-mock:1:journal:default")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_state_that_goes_and_comes_back(name: str) -> None:
    """Chat goes on, what needs the state is a 503 that says so, nothing is half done, and all is there again."""
    with state_server(name) as server, MockServer(state=server.url) as mock:
        call(mock, "POST", "/answers", "own", {"answer": {"text": "wartet"}})
        with told("is lost") as lost:
            server.stop()
            lost.wait()
        refusals = [
            chat(mock, "own"),
            send(mock.url, "POST", f"{PREFIX}/faults", "", STATUS_503),
            send(mock.url, "GET", f"{PREFIX}/exchanges", "own"),
        ]
        assert [status for status, _ in refusals] == [503] * 3
        for _, body in refusals:
            assert list(body) == ["error"]
            assert body["error"].startswith(f"the state at {server.url} is lost: ")
            assert body["error"].endswith("; try again, it comes back by itself")
        assert [chat(mock, "any")[0] for _ in range(3)] == [200] * 3
        assert send(mock.url, "GET", f"{PREFIX}/health", "")[0] == 200
        with told("is back") as back:
            server.start()
            back.wait()
        assert chat(mock, "own") == (200, "wartet")
        assert [one["status"] for one in call(mock, "GET", "/exchanges", "")] == [200] * 3
        assert call(mock, "GET", "/faults", "") == []


def test_too_long_without_a_state() -> None:
    """The newest exchanges wait, and the log counts those that went."""

    class Lost(Link):
        """A line that is cut at first."""

        sent: list[int]

        async def run(self, _script: str, *arguments: Any) -> Any:
            if self.lost:
                raise StateLostError(self.lost)
            self.sent.append(len(arguments[2:]) // 3)

    async def run() -> list[int]:
        link = Lost("redis://localhost", 60, b"", None, None)  # type: ignore[arg-type]  # nobody is told
        link.lost, link.sent = "cut", []
        outbox = Outbox(link, None)  # type: ignore[arg-type]  # nothing is in flight
        journal = SharedJournal("default", None)  # type: ignore[arg-type]
        for _ in range(MOST_EXCHANGES + 7):
            outbox.add(journal, Exchange(Request("GET", "/")))
        with pytest.raises(StateLostError, match=r"^cut$"):
            await outbox.flush()
        link.lost = None
        await outbox.flush()
        return link.sent

    with told("7 exchanges are not in the journal: the state was lost for too long") as dropped:
        sent = asyncio.run(run())
        dropped.wait()
    assert (sum(sent), max(sent)) == (MOST_EXCHANGES, 50)


def test_a_state_that_does_not_answer_holds_no_chat_up(server: StateServer, two: tuple[MockServer, MockServer]) -> None:
    """It is taken for lost in time."""
    with told("is back") as back:
        with told("is lost") as lost, server.held():
            lost.wait()
            assert [chat(mock, "any")[0] for mock in two] == [200, 200]
        back.wait()


def test_who_hangs_does_not_answer_by_what_was_before(server: StateServer) -> None:
    """A process that was stopped while a fault was armed elsewhere asks before it answers again."""
    with MockServer(state=server.url) as mock, started("--port", "0", "--state", server.url) as process:
        url = ready_url(process)
        call(mock, "POST", "/reset", "", {})
        assert chat(url, "any")[0] == 200
        process.send_signal(signal.SIGSTOP)
        try:
            call(mock, "POST", "/faults", "", {**STATUS_503, "times": 1})  # it waits for the lease's end
        finally:
            process.send_signal(signal.SIGCONT)
        assert [chat(url, "any")[0] for _ in range(2)] == [503, 200]
        call(mock, "POST", "/reset", "", {})


def test_what_was_asked_before_a_hang_is_no_loss(server: StateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hung hears no answer in time to what it had asked; it asks again before all is lost."""

    async def run() -> None:
        async def nothing(*_: object) -> None:
            return

        link = Link(server.url, 60, server.ask("GET", scripts.SERVED) or b"{}", nothing, nothing)
        await link.open()
        renewed = link._renewed

        def late(_client: object) -> Any:
            link._lease_until = 0.0
            raise TimeoutError

        async def hung(_now: float) -> bool:
            link._lease_until = 0.0
            monkeypatch.setattr(link, "_renewed", renewed)
            raise TimeoutError

        try:
            with pytest.raises(StateLostError):
                await link._answer(late)
            assert (link.lost, link.current) == (None, False)
            await link.restore()
            assert link.current
            monkeypatch.setattr(link, "_renewed", hung)
            await link.restore()
            assert (link.lost, link.current) == (None, True)
        finally:
            await link.close()

    asyncio.run(run())


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc")
def test_workers_are_one_though_one_is_killed(server: StateServer) -> None:
    """What was set up before holds after, what comes after reaches all, and no number is given twice."""
    with started("--workers", "2", "--port", "0", "--state", server.url, "--log-format", "json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = json.loads(process.stdout.readline())
        url = ready["url"]
        call(url, "POST", "/answers", "own", {"answers": [{"text": str(at)} for at in range(30)]})
        said = [chat(url, "own")[1] for _ in range(10)]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
        os.kill(int(children[0]), signal.SIGKILL)
        next(line for line in process.stderr if "ended by SIGKILL" in line)
        said += [chat(url, "own")[1] for _ in range(10)]
        call(url, "POST", "/faults", "own", {**STATUS_503, "times": 1})
        statuses = [chat(url, "own")[0] for _ in range(10)]
        numbers = [one["number"] for one in call(url, "GET", "/exchanges", "own")]
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)
        send_nothing_more = process.returncode

    assert (ready["workers"], ready["state"], send_nothing_more) == (2, server.url, 0)
    assert said == [str(at) for at in range(20)]
    assert statuses == [503] + [200] * 9
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(range(1, 31))
    with MockServer(state=server.url) as mock:
        call(mock, "DELETE", "/namespace", "own")


SUITE: Final = """
import json
import urllib.error
import urllib.request

import pytest

def ask(mock):
    body = json.dumps({"messages": [{"role": "user", "content": "x"}]}).encode()
    headers = {"Authorization": f"Bearer {mock.api_key}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{mock.base_url}/chat/completions", body, headers)
    with urllib.request.urlopen(asked, timeout=WAIT_SECONDS) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]

@pytest.mark.parametrize("number", range(3))
def test_it(genstudio_mock, number):
    genstudio_mock.answer(f"nr {number}")
    genstudio_mock.arm("status;status=503", times=1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(genstudio_mock)
    caught.value.close()
    assert ask(genstudio_mock) == f"nr {number}"
    genstudio_mock.assert_all_used()
    assert [one.status for one in genstudio_mock.exchanges()] == [503, 200]
"""


def test_a_suite_on_every_chip_against_several(server: StateServer, tmp_path: Path) -> None:
    """`--chips all` with pytest-xdist against workers that share a state: as against one process."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    with started("--workers", "2", "--port", "0", "--state", server.url) as process:
        url = ready_url(process)
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *PLUGINS, "-q", "-n", "2", "--chips", "all", "--genstudio-mock-url", url],
            cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)

    assert re.search(r"^21 passed in", done.stdout, re.MULTILINE), done.stdout
    assert process.returncode == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_state_that_is_not_there_at_the_start(workers: str) -> None:
    """One line, and exit code 2; no password is in it."""
    pytest.importorskip("redis")

    code, out, err = called("serve", "--workers", workers, "--state", "redis://me:secret@127.0.0.1:1/0")

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("--state redis://127.0.0.1:1/0: ")
    assert err.endswith("; name a Redis or Valkey server that answers\n")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "redis", None)

    code, _, err = called("serve", "--state", "redis://localhost")

    assert (code, err) == (2, "--state redis://localhost: redis is not installed: pip install 'redis>=5.0.1'\n")


EXCHANGES: Final = {
    "a chat": Exchange(
        Request("POST", "/maas/m/c/chat/completions", {b"a": "é".encode("latin-1")}, "你".encode(), "q=1"),
        Plan(200, ((b"X-A", b"b"),), (b"\x00\n", b"", b"\xff"), (0.0, 1.5, 2.0), Ending.RESET, 0.5, 3.0, True, "s", "d",
             False, ((b"t", b"u"),), ("x",)),
        2, 12.5, Ending.CUT,
        ChatRequest("m", "c", ({"role": "user", "content": "你" * 300},), True, True, {"a": 1}, ("foo",)),
        True, 7, "key-1", 2**47, ("cut",), 1e12 + 0.5, False, (0.1, 1),
    ),
    "a client that left": Exchange(Request("POST", "/"), ending=Ending.CUT, client_left=True, namespace="default"),
    "one in flight": Exchange(Request("GET", "/"), Plan(200, (), (b"",)), in_flight=True),
}  # fmt: skip


@pytest.mark.parametrize("name", EXCHANGES)
def test_an_exchange_comes_back_as_it_was(name: str) -> None:
    """But for its dialogue, of which a journal keeps the beginning of the last question."""
    exchange = EXCHANGES[name]

    back = exchange_of(bytes_of(exchange), exchange.number)

    assert (back.chat is None) is (exchange.chat is None)
    if exchange.chat is not None and back.chat is not None:
        assert back.chat.last_user_text == exchange.chat.last_user_text[:200]
        assert (back.chat.model, back.chat.ignored) == (exchange.chat.model, exchange.chat.ignored)
        back.chat = exchange.chat
    assert back == exchange
    assert list(back.writes) == list(exchange.writes)

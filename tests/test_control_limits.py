"""The control API's bounds: counts of what is set up, long names, two hosts, browsers, and what the log says."""

from __future__ import annotations

import gc
import itertools
import json
import logging
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.exchange import Exchange, Plan, Request
from mockserver.server.asgi_request import kept
from mockserver.server.control import operations, replies
from mockserver.sources import tokens
from tests.conftest import KEY, Live, compose, load, serve
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULT = {"fault": {"type": "status", "status": 503}}
ANSWER = {"answer": {"text": "hi"}}


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    """The mock."""
    with serve(compose(load("2024-tutorial"))) as running:
        yield running


def say(live: Live, method: str, path: str, body: Any = None, *headers: str) -> tuple[int, dict[str, str], Any]:
    """Ask the server byte for byte: status, headers and JSON."""
    top, _, answer = ask(live, method, path, body, *headers).partition(b"\r\n\r\n")
    first, *rest = top.decode("latin-1").split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in rest), json.loads(answer)


def ask(live: Live, method: str, path: str, body: Any = None, *headers: str) -> bytes:
    """What the server answers, byte for byte."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "connection: close", f"content-length: {len(data)}", *headers]
    if not any(one.startswith("host:") for one in headers):
        lines.append("host: localhost")
    raw = b""
    with live.connect() as sock:
        sock.sendall("\r\n".join([*lines, "content-type: application/json", "", ""]).encode() + data)
        while part := sock.recv(65_536):
            raw += part
    return raw


def test_large_replies_are_made_one_at_a_time(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for who has left meanwhile either: a hundred at once would hold a hundred journals in memory."""
    began, goes_on, made = threading.Event(), threading.Event(), []

    def wait(exchanges: list[Exchange], *_: Any) -> list[Any]:
        made.append(len(exchanges))
        began.set()
        assert goes_on.wait(WAIT_SECONDS)
        return []

    monkeypatch.setattr(replies, "whole_exchanges", wait)
    path = "/_mock/exchanges?frames=true"
    reader = threading.Thread(target=ask, args=(live, "GET", path))
    reader.start()
    assert began.wait(WAIT_SECONDS)
    for _ in range(5):
        with live.connect() as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            assert say(live, "GET", "/_mock/health")[0] == 200  # the server has read it
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert say(live, "GET", "/_mock/health")[0] == 200
    goes_on.set()
    reader.join(WAIT_SECONDS)
    assert ask(live, "GET", path).endswith(b"[]")

    assert len(made) == 2


@pytest.mark.parametrize(("what", "body"), [("faults", FAULT), ("answers", ANSWER)])
def test_what_is_set_up_is_counted(live: Live, monkeypatch: pytest.MonkeyPatch, what: str, body: Any) -> None:
    """In a namespace, and in all of them together; what was refused takes no place, and what is forgotten gives one."""
    monkeypatch.setattr(operations, "MOST_SET_UP", 2)
    monkeypatch.setattr(operations, "MOST_SET_UP_OF_ALL", 3)
    keys = [f"authorization: Bearer sk-{what}-{number}" for number in range(3)]
    told = [say(live, "POST", f"/_mock/{what}", body, key) for key in (keys[0],) * 3 + (keys[1],) * 2]
    say(live, "DELETE", f"/_mock/{what}", None, keys[0])
    again = say(live, "POST", f"/_mock/{what}", body, keys[0])
    for key in keys:
        say(live, "DELETE", "/_mock/namespace", None, key)

    assert [status for status, _, _ in (*told, again)] == [201, 201, 409, 201, 409, 201]
    forget = f"DELETE /_mock/{what} forgets those of a namespace"
    assert re.fullmatch(rf"{what}: key-\d+ has 2; allowed: at most 2; {forget}", told[2][2]["error"])
    assert told[4][2]["error"] == f"{what}: all namespaces together have 3; allowed: at most that many; {forget}"


@pytest.mark.parametrize(("what", "body"), [("faults", FAULT), ("answers", ANSWER)])
def test_what_is_set_up_is_weighed(live: Live, monkeypatch: pytest.MonkeyPatch, what: str, body: Any) -> None:
    """In a namespace, and in all of them together, by the bytes that were sent."""
    monkeypatch.setattr(operations, "MOST_SET_UP_BYTES", 30_000)
    monkeypatch.setattr(operations, "MOST_SET_UP_BYTES_OF_ALL", 45_000)
    heavy = {**body, "match": {"contains": "x" * 18_000}}
    keys = [f"authorization: Bearer sk-{what}-{number}" for number in range(3)]
    told = [say(live, "POST", f"/_mock/{what}", heavy, key) for key in (keys[0], keys[0], keys[1], keys[2])]
    for key in keys:
        say(live, "DELETE", "/_mock/namespace", None, key)

    assert [status for status, _, _ in told] == [201, 409, 201, 409]
    shown = r"1[89]\d{3} bytes of them and this one 1[89]\d{3}; allowed: at most 30000; DELETE"
    assert re.match(rf"{what}: key-\d+ has {shown}", told[1][2]["error"])
    assert re.match(rf"{what}: all namespaces together have 3\d{{4}} bytes of them ", told[3][2]["error"])


SECRET = "sk-of-this-test-alone-" + "0" * 60
QUOTED: dict[str, tuple[str, str, Any]] = {
    "a path": ("POST", f"/{SECRET}", None),
    "a path that is cut": ("POST", f"/{'p' * 190}{SECRET}", None),
    "a method": ("PUT", f"/maas/{SECRET}/nvidia/chat/completions", None),
    "a model": ("POST", f"/maas/{SECRET}/nvidia/chat/completions", {"model": None, "messages": []}),
    "a field": ("POST", "/maas/mt-infini-3b/nvidia/chat/completions", {"messages": SECRET}),
    "a control path": ("GET", f"/_mock/{SECRET}", None),
    "a control query": ("GET", f"/_mock/exchanges?{SECRET}=1", None),
    "too much": ("POST", f"/maas/{SECRET}/nvidia/chat/completions", b" " * (11 * 2**20)),
    "no end": ("POST", f"/maas/{SECRET}/nvidia/chat/completions", None),
}


@pytest.mark.parametrize("name", QUOTED)
def test_the_key_is_never_quoted(live: Live, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Wherever a client puts its key, it is neither in the answer, nor in the journal, nor in the log."""
    caplog.set_level(logging.INFO, "mockserver")
    method, path, body = QUOTED[name]
    more = ["transfer-encoding: chunked", "content-type: nonsense"] if name == "no end" else []
    raw = ask(live, method, path, body, f"authorization: Bearer {SECRET}", *more)
    journal = live.mock.namespaces.default.journal
    said = [(one.request.path, one.plan.detail if one.plan else "") for one in journal]
    journal.clear()

    assert 400 <= int(raw.split()[1]) < 500
    for text in (raw.decode(), *(part for pair in said for part in pair), caplog.text):
        assert SECRET[:12] not in text


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"x: " + b"x" * 70_000, 431), (b"bad header\r\n\r\n", 400)],
    ids=["431", "400"],
)
def test_what_the_connection_answers_is_kept_by_no_browser(live: Live, sent: bytes, status: int) -> None:
    """Below `/_mock` it says so as the control API does."""
    with live.connect() as sock:
        sock.sendall(b"GET /_mock/health HTTP/1.1\r\n" + sent)
        head = sock.recv(65_536).partition(b"\r\n\r\n")[0].split(b"\r\n")

    assert int(head[0].split()[1]) == status
    assert {b"cache-control: no-store", b"x-content-type-options: nosniff"} <= set(head)


NAME = "n" * 70_000
LONG: dict[str, tuple[Any, ...]] = {
    "an unknown field": ("POST", "/_mock/faults", {**FAULT, NAME: 1}),
    "a fault": ("POST", "/_mock/faults", {"fault": {"type": NAME}}),
    "a fault's setting": ("POST", "/_mock/faults", {"fault": {"type": "status", NAME: 1}}),
    "a query's value": ("GET", f"/_mock/exchanges?status={NAME[:60_000]}", None),
    "a query's name": ("GET", f"/_mock/exchanges?{NAME[:60_000]}=1", None),
    "a chat's model": ("POST", "/maas/mt-infini-3b/nvidia/chat/completions", {"model": NAME, "messages": []}),
    "a chat's role": ("POST", "/maas/mt-infini-3b/nvidia/chat/completions", {"messages": [{"role": NAME}]}),
    "a path": ("POST", f"/maas/{NAME[:60_000]}/nvidia/chat/completions", {"messages": []}),
    "a header": ("POST", "/maas/mt-infini-3b/nvidia/chat/completions", {}, f"x-mock-fault: {NAME[:9000]}"),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_a_long_name_makes_no_long_error(live: Live, name: str) -> None:
    """Its middle is left out; what was said around it stays."""
    method, path, body, *headers = LONG[name]
    status, _, document = say(live, method, path, body, f"authorization: Bearer {KEY}", *headers)

    assert 400 <= status < 500
    assert 20 < len(json.dumps(document)) < 9000


def test_half_a_character_in_a_control_request(live: Live) -> None:
    """It is told as what it is."""
    status, _, document = say(live, "POST", "/_mock/faults", b'{"fault": "\\ud800"}')

    assert status == 400
    assert document["error"].startswith("the body holds half of a character: \\ud800 at line 1, column 12 ")


@pytest.mark.parametrize("path", ["/_mock/faults", "/_mock/openapi.json"])
@pytest.mark.parametrize("hosts", [("localhost", "evil.example"), ("evil.example", "localhost")])
def test_two_hosts_are_refused(live: Live, path: str, hosts: tuple[str, str]) -> None:
    """Whichever comes first: a proxy may have looked at the other one."""
    status, _, document = say(live, "GET", path, None, *(f"host: {host}" for host in hosts))

    assert (status, document) == (400, {"error": "2 Host headers were sent; send one"})


@pytest.mark.parametrize(
    ("path", "status"),
    [("/_mock/health", 200), ("/_mock/faults", 200), ("/_mock/faults/1", 405), ("/_mock/no", 404),
     ("/_mock/openapi.json", 200), ("/_mock/exchanges?no=1", 400)],
)  # fmt: skip
def test_a_browser_keeps_and_guesses_nothing(live: Live, path: str, status: int) -> None:
    """Every answer says so."""
    found, headers, _ = say(live, "GET", path)

    assert found == status
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_a_refused_control_request_is_logged(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    """Who was kept out as a warning, a mistake as information."""
    caplog.set_level(logging.INFO, "mockserver")
    say(live, "GET", "/_mock/faults", None, "host: evil.example")
    say(live, "GET", "/_mock/exchanges?no=1")

    lines = [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "mockserver"]
    assert lines[0][0] == "WARNING"
    assert lines[0][1].startswith("control API: GET /_mock/faults 403: Host: 'evil.example' is not this server")
    assert lines[1][0] == "INFO"
    assert lines[1][1].startswith("control API: GET /_mock/exchanges 400: query: 'no' is not a parameter here")


SPELLED = {
    "as it is": b"x sk-a-secret-1 y",
    "all escaped": "".join(f"\\u{ord(char):04x}" for char in "sk-a-secret-1").encode(),
    "in capitals": "".join(f"\\u{ord(char):04X}" for char in "sk-a-secret-1").encode(),
    "one escaped": b"sk\\u002da-secret-1",
    "both at once": b"sk-a-secret-1 sk-a-secret-\\u0031",
}


@pytest.mark.parametrize("body", SPELLED.values(), ids=SPELLED)
def test_the_key_is_masked_however_it_is_written(body: bytes) -> None:
    """The journal holds neither it nor its JSON escapes."""
    found = kept(Request("POST", "/a/sk-a-secret-1/b", {}, body), "sk-a-secret-1")

    assert found.path == "/a/[api key]/b"
    assert found.body.replace(b"[api key]", b"").strip(b" xy") == b""


def test_other_escapes_stay() -> None:
    """A body without the key is kept as it came."""
    body = b'{"a": "\\u0041\\u4f60 sk-\\u0061-other"}'
    assert kept(Request("POST", "/", {}, body), "sk-a-secret-1").body == body


HELD_S = 0.1
"""More than the 0.05 s that are meant: what other threads of the process do between two beats counts too."""


def beating(live: Live, path: str) -> tuple[Any, float]:
    """What a path gives, and the most CPU seconds between two beats."""
    raw, held_s = beaten(live, "GET", path)
    return json.loads(raw.partition(b"\r\n\r\n")[2]), held_s


def beaten(live: Live, *asked: Any) -> tuple[bytes, float]:
    """An answer, and the most CPU seconds of the whole process between two beats of the server's loop."""
    loop = live.mock.wheel._loop
    beats: list[float] = []
    over = threading.Event()

    def beat() -> None:
        beats.append(time.process_time())
        if not over.is_set():
            loop.call_later(0.001, beat)

    gc.freeze()  # as a server does at its start: a collection of the whole test run's heap would be measured
    try:
        loop.call_soon_threadsafe(beat)
        raw = ask(live, *asked)
    finally:
        over.set()
        gc.unfreeze()
    return raw, max(after - before for before, after in itertools.pairwise(beats))


def test_a_giant_exchange_is_shown_in_part_and_holds_nobody_up(live: Live) -> None:
    """Its first frames, and how many are left out; others are answered meanwhile."""
    frames = [b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n'] * 700_000
    journal = live.mock.namespaces.default.journal
    journal.clear()
    giant = Exchange(Request("POST", "/giant"), Plan(200, (), frames), len(frames), number=7)
    journal.begin(giant)
    journal.end(giant)
    try:
        document, held_s = beating(live, "/_mock/exchanges/7")
    finally:
        journal.clear()

    response = document["response"]
    assert (len(response["sends"]), response["left_out"], document["frames_sent"]) == (10_000, 690_000, 700_000)
    assert held_s < 0.05


def test_many_giants_in_one_list(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are there; the frames are bounded in all, and those that are not shown are counted."""
    monkeypatch.setattr(replies, "MOST_SHOWN_FRAMES", 10)
    monkeypatch.setattr(replies, "MOST_SHOWN_FRAMES_OF_ALL", 25)
    journal = live.mock.namespaces.default.journal
    journal.clear()
    for number in range(1, 5):
        one = Exchange(Request("POST", "/giant"), Plan(200, (), [b"x"] * 12), 12, number=number)
        journal.begin(one)
        journal.end(one)
    shown = say(live, "GET", "/_mock/exchanges?frames=true")[2]
    journal.clear()

    told = [(len(one["response"]["sends"]), one["response"]["left_out"]) for one in shown]
    assert told == [(10, 2), (10, 2), (5, 7), (0, 12)]


PROMPTS = {
    "one text": b'{"model": null, "messages": [{"role": "user", "content": "%b"}]}' % (b"two words " * 1_000_000),
    "lines, and no JSON": b"{" + b"\n" * 9_000_000,
    "escapes": b'{"messages": [{"role": "user", "content": "%b"}]}' % (b"\\u0041" * 1_600_000),
    "a text where a number is due": b'{"messages": [{"content": ""}], "temperature": "%b"}' % (b"\\n" * 4_000_000),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_giant_prompt_holds_nobody_up(live: Live, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """While it is read, checked and answered, and while it is looked for, others are answered."""
    monkeypatch.setattr(tokens, "prompt_tokens", lambda _request, _edition: 1)
    live.mock.namespaces.default.journal.clear()
    chat = "/maas/mt-infini-3b/nvidia/chat/completions"
    raw, asked_s = beaten(live, "POST", chat, PROMPTS[name], f"authorization: Bearer {KEY}")
    found, shown_s = beaten(live, "GET", "/_mock/exchanges?text=nowhere")
    live.mock.namespaces.default.journal.clear()

    assert raw.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    assert found.endswith(b"[]")
    assert (asked_s < HELD_S, shown_s < HELD_S) == (True, True)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_a_signal_before_the_ready_line() -> None:
    """Between the first connection that is accepted and the ready line a signal ends the mock as later: with 0."""
    program = (
        "import os, signal, sys\n"
        "from mockserver.server import guard\n"
        "guard.guard_of = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        "from mockserver.cli import run\n"
        "sys.argv = ['genstudio-mock', 'serve', '--port', '0']\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

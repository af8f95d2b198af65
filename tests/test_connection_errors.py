"""What the connection itself answers, where no application is asked: from the edition, and kept, like every error."""

from __future__ import annotations

import json
import socket
import struct
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.data import shipped
from mockserver.core.exchange import Ending
from mockserver.profile.edition import load_edition
from mockserver.server.log import in_words, told_of
from tests.by_hand import ByHand, pass_time, send
from tests.conftest import KEY, Live, compose, serve
from tests.in_thread import WAIT_SECONDS
from tests.raw_http import read_all, responses, whole
from tests.recording_helpers import recording_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.core.exchange import ChatRequest

EDITION = "2024-tutorial"
CODES = {"code = 40001": "code = 1", "code = 40800": "code = 2", "code = 43100": "code = 3", "code = 50000": "code = 4"}
"""What the changed profile says instead."""
HEAD = f"POST /maas/m%20m/c/chat/completions?key=secret HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\n".encode()
PATH = "/maas/m m/c/chat/completions"
INVALID = "what came is no HTTP/1.1 request: %s"
LARGE = "the request line and headers are over 65536 bytes"
LATE = "the request's %s did not arrive within 0.2 s"


class Quick(ByHand):
    """Waits for a request for a moment only."""

    head_seconds = 0.2
    body_seconds = 0.2


def fail(_request: ChatRequest) -> Any:
    """A source with a fault of its own."""
    raise ZeroDivisionError


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server of an edition whose file gives these errors other codes, and whose sources fail."""
    root = tmp_path_factory.mktemp("profiles")
    text = (shipped("profiles") / EDITION / "edition.toml").read_text("utf-8")
    for old, new in CODES.items():
        assert text.count(f"{old}\n") == 1
        text = text.replace(f"{old}\n", f"{new}\n")
    (root / EDITION).mkdir()
    (root / EDITION / "edition.toml").write_text(text, "utf-8")
    edition = load_edition(EDITION, [root, shipped("profiles")])
    with serve(compose(edition, answer=fail, generation=None), Quick) as live:
        yield live


def say(live: Live, data: bytes, *, late: bool = False) -> tuple[int, dict[str, str], Any]:
    """Send bytes, let time pass where the rest is to be late, and read to the end: status, headers and JSON."""
    with live.connect() as sock:
        if late:
            send(sock, data)
            pass_time(live, 0.2)
        else:
            sock.sendall(data)
        raw = b""
        while part := sock.recv(65_536):
            raw += part
    top, _, body = raw.partition(b"\r\n\r\n")
    lines = top.decode("latin-1").split("\r\n")
    return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:]), json.loads(body)


UNREAD = {
    "not http": (b"\x05\x01\x00", 400, 1, INVALID % "Invalid method encountered", ("-", "-")),
    "a wrong header": (HEAD + b"no colon\r\n\r\n", 400, 1, INVALID % "Invalid header token", ("POST", PATH)),
    "an absolute url": (b"GET http://user:word@host/p HTTP/9\r\n\r\n", 400, 1, INVALID % "Expected dot", ("-", "-")),
    "no end of the line": (b"GET /late", 408, 2, LATE % "headers", ("GET", "/late")),
    "no end of the head": (HEAD, 408, 2, LATE % "headers", ("POST", PATH)),
    "a large head": (HEAD + b"x: y\r\n" * 20_000, 431, 3, LARGE, ("POST", PATH)),
}
"""What is sent, what comes back, and what of the request is known."""


@pytest.mark.parametrize(("sent", "status", "code", "msg", "asked"), UNREAD.values(), ids=UNREAD)
def test_a_request_that_cannot_be_read(
    changed: Live, sent: bytes, status: int, code: int, msg: str, asked: tuple[str, str]
) -> None:
    """The code is the profile's; the exchange is in the default namespace's journal, and is told to the log."""
    before = len(changed.exchanges)
    found, headers, document = say(changed, sent, late=status == 408)
    exchange = changed.wait_for(before + 1)

    assert (found, document) == (status, {"code": code, "msg": msg})
    assert (headers["connection"], headers["traceresponse"][:3]) == ("close", "00-")
    assert (exchange.request.method, exchange.request.path) == asked
    assert (exchange.namespace, exchange.ending, exchange.client_left) == ("default", Ending.COMPLETE, False)
    assert list(changed.mock.namespaces.default.journal)[-1] is exchange
    assert exchange.duration_ms == (200 if status == 408 else 0)
    before_it, behind_it = in_words(told_of(exchange))
    assert before_it.startswith(f"{asked[0]} {asked[1]} {status}  1 frame")
    assert behind_it.endswith(f": {msg}")


BODIES = {
    "late": (b"content-length: 5\r\n\r\nab", 408, 2, LATE % "body"),
    "no chunk": (b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400, 1, INVALID % "Invalid character in chunk size"),
}


@pytest.mark.parametrize(("sent", "status", "code", "msg"), BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_read(changed: Live, sent: bytes, status: int, code: int, msg: str) -> None:
    """The request's own exchange, which has begun by then, ends with that answer: in the namespace of its key."""
    own = changed.mock.namespaces.claim(KEY)
    before = len(changed.exchanges)
    found, _, document = say(changed, HEAD + sent, late=status == 408)
    exchange = changed.wait_for(before + 1)
    changed.mock.namespaces.release(KEY)

    assert (found, document) == (status, {"code": code, "msg": msg})
    assert exchange.plan is not None
    assert (exchange.plan.status, exchange.frames_sent, exchange.client_left) == (status, 1, False)
    assert exchange.namespace == own.name != "default"
    assert len(changed.exchanges) == before + 1


def test_a_body_that_does_not_come_to_the_control_api(changed: Live, caplog: pytest.LogCaptureFixture) -> None:
    """It is told so too, and nobody reads a traceback."""
    head = b"POST /_mock/faults HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"

    assert say(changed, head + b"content-length: 5\r\n\r\n{", late=True)[::2] == (
        408,
        {"code": 2, "msg": LATE % "body"},
    )
    assert say(changed, b"GET /later HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")[0] == 404
    assert not [record for record in caplog.records if record.exc_info]


def test_a_failure_of_the_mock(changed: Live) -> None:
    """The edition's row for it gives the code; the text asks for nothing that the client could do."""
    model = "mt-infini-3b"
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
    head = f"POST /maas/{model}/nvidia/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
    head += f"authorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"

    text = "genstudio-mock failed: ZeroDivisionError; this is a bug, the log has the traceback"
    assert say(changed, head.encode() + body)[::2] == (500, {"code": 4, "msg": text})


def test_what_was_not_read_is_in_the_journal(changed: Live) -> None:
    """The control API shows it, and gives no fixture of it."""
    say(changed, b"GET /gone HTTP/1.1\r\nx-two: a\r\nx-two: b\r\nx-", late=True)
    with urllib.request.urlopen(f"{changed.url}/_mock/exchanges?status=408", timeout=WAIT_SECONDS) as answer:
        row = json.load(answer)[-1]

    assert (row["request"]["method"], row["request"]["path"], row["status"]) == ("GET", "/gone", 408)
    assert row["request"]["headers"]["x-two"] == "a, b"
    with pytest.raises(urllib.error.HTTPError, match="409"):
        urllib.request.urlopen(f"{changed.url}/_mock/exchanges/{row['number']}/fixture", timeout=WAIT_SECONDS)


@pytest.mark.parametrize("how", ["closes", "closes behind a chat without ASGI", "resets behind a chat"])
@pytest.mark.parametrize(
    ("sent", "asked"), [(HEAD, ("POST", PATH)), (b"GE", ("-", "-"))], ids=["half a head", "half a word"]
)
def test_a_client_that_leaves_within_a_head(changed: Live, sent: bytes, asked: tuple[str, str], how: str) -> None:
    """The journal and the log tell of it as they do of half a body; nothing is sent."""
    chat = whole(changed, "connection: keep-alive", data=b"{}")
    with changed.connect() as sock:
        for _ in range(2 if "ASGI" in how else 0):  # the first is what teaches the head
            before = len(changed.exchanges)
            sock.sendall(chat)
            responses(sock, 1)
            changed.wait_for(before + 1)
        before = len(changed.exchanges)
        if "resets" in how:
            sock.sendall(chat + sent)
            responses(sock, 1)  # so both were read
            changed.wait_for(before + 1)
            before += 1
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            sock.sendall(sent)

    exchange = changed.wait_for(before + 1)
    assert (exchange.request.method, exchange.request.path) == asked
    assert (exchange.plan, exchange.ending, exchange.client_left) == (None, Ending.CUT, True)
    assert len(changed.exchanges) == before + 1
    before_it, behind_it = in_words(told_of(exchange))
    assert before_it == f"{asked[0]} {asked[1]} -  0 frames  "
    assert behind_it.endswith("cut: the client left before its request was whole")


def test_the_recording_proxy_tells_of_them(tmp_path: Path) -> None:
    """It has no journal: a line says what could not be read, and the edition gives the shape."""
    with recording_of("http://127.0.0.1:9", tmp_path / "kept") as proxy:
        live = Live(EDITION, proxy.port, None, [], None)  # type: ignore[arg-type]
        status, _, document = say(live, b"BREW /pot?key=secret HTTP/1.1\r\n\r\n")

    assert (status, document) == (400, {"code": 40001, "msg": INVALID % "Invalid method encountered"})
    assert proxy.told == [f"400 for '-': {INVALID % 'Invalid method encountered'}"]


def test_the_recording_proxy_tells_of_who_left(tmp_path: Path) -> None:
    """The same of a client that leaves within a head."""
    with recording_of("http://127.0.0.1:9", tmp_path / "kept") as proxy:
        live = Live(EDITION, proxy.port, None, [], None)  # type: ignore[arg-type]
        with live.connect() as sock:
            sock.sendall(HEAD)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == b""

    assert proxy.told == [f"the client left before its request to {PATH!r} was whole"]

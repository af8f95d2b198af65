"""The control API over a real socket: every operation, what is refused and how, its document, saved fixtures."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mockserver.pipeline.faults.table import FAULTS
from mockserver.server.control.operations import OPERATIONS
from mockserver.server.guard import PREFIX
from mockserver.settings.config import Config
from mockserver.testing.mock_server import MockServer
from mockserver.testing.session import Session
from tests.command import called
from tests.in_thread import WAIT_SECONDS
from tests.session_helpers import asked, control

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "sk-1234567890abcdefghij"  # noqa: S105 - a key of no service

KNOWN = "{}".format(", ".join(sorted({PREFIX + one.path for one in OPERATIONS} | {f"{PREFIX}/openapi.json"})))
KINDS = ", ".join(FAULTS)
HUGE = str(10**30)
FAULT = {"type": "timeout"}
REFUSED: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "unknown-path": ("GET", "/nowhere", {}, 404, f"'/_mock/nowhere' is not of the control API; there are: {KNOWN}"),
    "line-break": ("GET", "/a%0Ab", {}, 404, f"'/_mock/a\\nb' is not of the control API; there are: {KNOWN}"),
    "method": ("PUT", "/faults", {}, 405, "PUT is not allowed here; allowed: GET, HEAD, POST, DELETE"),
    "document-method": ("POST", "/openapi.json", {}, 405, "POST is not allowed here; allowed: GET, HEAD"),
    "number": (
        "DELETE", "/faults/x", {}, 400, "path: number: 'x' is not allowed; allowed: an integer from 1 to 999999999999",
    ),
    "zero": (
        "GET", "/exchanges/0", {}, 400,
        "path: number: '0' is not allowed; allowed: an integer from 1 to 999999999999",
    ),
    "huge": (
        "GET", f"/exchanges/{HUGE}", {}, 400,
        f"path: number: '{HUGE}' is not allowed; allowed: an integer from 1 to 999999999999",
    ),
    "absent-row": ("DELETE", "/faults/7", {}, 404, "fault 7 is not there; there are: none"),
    "absent-answer": ("DELETE", "/answers/7", {}, 404, "answer 7 is not there; there are: none"),
    "absent-exchange": ("GET", "/exchanges/7/fixture", {}, 404, "exchange 7 is not in the journal of {namespace}"),
    "query-none": ("GET", "/faults?a=1", {}, 400, "query: 'a' is not a parameter here; allowed: none"),
    "query-name": ("GET", "/exchanges?modle=1", {}, 400, "query: 'modle' is not a parameter here; did you mean model?"),
    "query-value": (
        "GET", "/exchanges?status=9", {}, 400, "query: status: '9' is not allowed; allowed: an integer from 100 to 599",
    ),
    "query-boolean": (
        "GET", "/exchanges?stream=yes", {}, 400, "query: stream: 'yes' is not allowed; allowed: true, false",
    ),
    "query-twice": (
        "GET", "/exchanges?status=200&status=429", {}, 400, "query: status is given twice; give it once",
    ),
    "wait": (
        "GET", "/exchanges?timeout_ms=60000", {}, 400,
        "query: timeout_ms: '60000' is not allowed; allowed: an integer from 0 to 5000",
    ),
    "no-json": (
        "POST", "/reset", {"content": b"{"}, 400,
        "the body is not valid JSON: EOF while parsing an object at line 1, column 1",
    ),
    "white-space": (
        "POST", "/reset", {"content": b" "}, 400,
        "the body is not valid JSON: EOF while parsing a value at line 1, column 1",
    ),
    "no-object": ("POST", "/reset", {"content": b"[]"}, 400, "the body is an array; allowed: a JSON object"),
    "too-large": (
        "POST", "/reset", {"content": b" " * (4 * 2**20 + 1)}, 413,
        "the body has more than 4194304 bytes; allowed: at most that many",
    ),
    "type": ("POST", "/reset", {"json": {"setup": 0}}, 400, "setup: 0 is not allowed; allowed: a valid boolean"),
    "key": ("POST", "/reset", {"json": {"jurnal": True}}, 400, "jurnal: unknown key; did you mean journal?"),
    "missing": ("POST", "/clock", {}, 400, "advance_ms: missing"),
    "misspelt": ("POST", "/clock", {"json": {"advance": 1}}, 400, "advance: unknown key; did you mean advance_ms?"),
    "no-fault": ("POST", "/faults", {"json": {}}, 400, "fault: missing"),
    "fault-text": (
        "POST", "/faults", {"json": {"fault": "cut"}}, 400,
        "fault: cut: give either after_frames or after_bytes",
    ),
    "fault-type": (
        "POST", "/faults", {"json": {"fault": {"type": "cutt"}}}, 400,
        "fault: type: 'cutt' is not a fault; did you mean cut?",
    ),
    "fault-number": (
        "POST", "/faults", {"json": {"fault": {"type": 5}}}, 400,
        f"fault: type: 5 is not a fault; known: {KINDS}",
    ),
    "fault-value": (
        "POST", "/faults", {"json": {"fault": {"type": "latency", "ms": "1"}}}, 400,
        "fault: latency: ms: '1' is not allowed; allowed: a valid number",
    ),
    "fault-setting": (
        "POST", "/faults", {"json": {"fault": {"type": "latency", "mss": 1}}}, 400,
        "fault: latency: mss: unknown setting; did you mean ms?",
    ),
    "fault-rule": (
        "POST", "/faults", {"json": {"fault": {"type": "cut"}}}, 400,
        "fault: cut: give either after_frames or after_bytes",
    ),
    "fault-text-of-none": (
        "POST", "/faults", {"json": {"fault": " , "}}, 400,
        "fault: ' , ' names 0 faults; allowed: one, like cut;after_frames=3",
    ),
    "fault-text-of-two": (
        "POST", "/faults", {"json": {"fault": "latency;ms=1, timeout"}}, 400,
        "fault: 'latency;ms=1, timeout' names 2 faults; allowed: one, like cut;after_frames=3",
    ),
    "fault-text-value": (
        "POST", "/faults", {"json": {"fault": "latency;ms=soon"}}, 400,
        "fault: latency: ms: 'soon' is not allowed; allowed: a valid number",
    ),
    "times": (
        "POST", "/faults", {"json": {"fault": FAULT, "times": 0}}, 400,
        "times: 0 is not allowed; allowed: greater than or equal to 1",
    ),
    "fraction": (
        "POST", "/faults", {"json": {"fault": FAULT, "times": 1.5}}, 400,
        "times: 1.5 is not allowed; allowed: a valid integer",
    ),
    "match-key": (
        "POST", "/faults", {"json": {"fault": FAULT, "match": {"chipp": "a"}}}, 400,
        "match.chipp: unknown key; did you mean chip?",
    ),
    "match-path": (
        "POST", "/faults", {"json": {"fault": FAULT, "match": {"body": {"a": 1}}}}, 400,
        "match.body: 'a' is not a path; write it like $.temperature or $.tools[0].function.name",
    ),
    "more-than-are-kept": (
        "GET", "/exchanges?count=1001", {}, 400,
        "query: count: '1001' is not allowed; allowed: an integer from 0 to 1000",
    ),
    "no-answer": (
        "POST", "/answers", {"json": {}}, 400, "give either answer, or answers, or the response of an exchange file",
    ),
    "says-nothing": (
        "POST", "/answers", {"json": {"answer": {}}}, 400,
        "answer: says nothing; give text, pieces, reasoning, tool_calls, blocked, error or raw",
    ),
    "two-texts": (
        "POST", "/answers", {"json": {"answer": {"text": "a", "pieces": []}}}, 400,
        "answer: text and pieces exclude each other; pieces joined are the text",
    ),
    "error-and-text": (
        "POST", "/answers", {"json": {"answer": {"text": "a", "error": "internal"}}}, 400,
        "answer: text does not go with error; only delay_ms does",
    ),
    "error-kind": (
        "POST", "/answers", {"json": {"answer": {"error": "rate-limit"}}}, 400,
        "answer.error.kind: unknown kind 'rate-limit'; did you mean rate-limited?",
    ),
    "then": (
        "POST", "/answers", {"json": {"answers": [{"text": "a"}], "then": "again"}}, 400,
        "then: 'again' is not allowed; allowed: 'repeat', 'cycle' or 'error'",
    ),
    "infinite": (
        "POST", "/clock", {"content": b'{"advance_ms": 1e400}'}, 400,
        "advance_ms: inf is not allowed; allowed: less than or equal to 1000000000000",
    ),
    "kind": (
        "POST", "/reset", {"headers": {"content-type": "text/plain"}, "content": b"{}"}, 415,
        "Content-Type: the control API reads application/json alone",
    ),
    "host": (
        "GET", "/faults", {"headers": {"host": "evil.example"}}, 403,
        "Host: 'evil.example' is not this server; allowed: localhost, an IP address, --host",
    ),
    "origin": (
        "GET", "/faults", {"headers": {"origin": "http://evil.example"}}, 403,
        "Origin: 'http://evil.example' is another site; there is no CORS here",
    ),
    "site": (
        "GET", "/faults", {"headers": {"sec-fetch-site": "cross-site"}}, 403,
        "Sec-Fetch-Site: 'cross-site' is not let in; allowed: same-origin",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(session: Session, name: str) -> None:
    """Each refusal is JSON with one line that names the field, what was seen and what is allowed."""
    method, path, more, status, text = REFUSED[name]
    namespace = control(session, "POST", "/reset", json={}).json()["namespace"]
    answer = control(session, method, path, **{**more, "headers": dict(more.get("headers", {}))})

    assert answer.json() == {"error": text.replace("{namespace}", namespace).replace("{{", "{").replace("}}", "}")}
    assert answer.status_code == status


def test_no_body_is_an_empty_one(session: Session) -> None:
    """`curl -X POST …/_mock/reset` needs neither a body nor a Content-Type."""
    url = f"{session.url}{PREFIX}/reset"
    answer = httpx.post(url, headers={"authorization": f"Bearer {session.api_key}"}, trust_env=False)

    assert answer.status_code == 200


def test_a_token_is_asked_for() -> None:
    """Without it 401; the document too is behind it; health is open."""
    with MockServer(control_token="a-token") as guarded:  # noqa: S106 - of a mock that lives as long as the test
        urls = {name: f"{guarded.url}{PREFIX}/{name}" for name in ("faults", "openapi.json", "health")}
        answers = {name: httpx.get(url, trust_env=False) for name, url in urls.items()}
        inside = httpx.get(urls["faults"], headers={"x-mock-token": "a-token"}, trust_env=False)

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "faults": 401, "openapi.json": 401, "health": 200,
    }  # fmt: skip
    assert answers["faults"].json() == {
        "error": "X-Mock-Token: missing or wrong; the server printed it when it started"
    }
    assert inside.json() == []


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_saved_exchange_is_replayed(mock: MockServer, tmp_path: Path, chip: str, stream: bool) -> None:
    """What the journal saw passes `validate`, holds no key, and another mock answers with the same bytes."""
    with Session(mock, SECRET, chip=chip) as session:
        session.answer("你好! 我是模型。")
        sent = asked(session, f"my key is {SECRET}", stream=stream).content
        text = control(session, "GET", "/exchanges/1/fixture").text
    (tmp_path / "saved.json").write_text(text, "utf-8")

    assert SECRET not in text
    assert called("validate", str(tmp_path))[0] == 0
    masked = json.loads(text)["request"]["body"]
    with MockServer(Config(port=0, fixtures=(tmp_path,), replay="exact")) as other, other.session() as again:
        assert asked(again.chip(chip), messages=masked["messages"], stream=stream).content == sent


def test_an_answer_that_spells_the_key_is_not_saved(mock: MockServer) -> None:
    """A mask cannot cover what runs across chunks, so nothing is given."""
    with Session(mock, SECRET) as session:
        session.answer(f"your key is {SECRET}")
        asked(session, stream=True)
        answer = control(session, "GET", "/exchanges/1/fixture")

    assert answer.status_code == 409
    assert answer.json() == {
        "error": "exchange 1 is not saved: the answer spells a secret across its chunks, where it cannot be masked"
    }


UNSAVED = {
    "writes": ("slicer", "was sent as network writes by a fault, which a fixture cannot hold; arm the fault instead"),
    "nothing-sent": (
        "reset_peer", "was sent as network writes by a fault, which a fixture cannot hold; arm the fault instead",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSAVED)
def test_what_cannot_be_saved(session: Session, name: str) -> None:
    """409 with the reason."""
    fault, text = UNSAVED[name]
    session.arm(fault)
    with contextlib.suppress(httpx.TransportError):
        asked(session)

    answer = control(session, "GET", "/exchanges/1/fixture")
    assert (answer.status_code, answer.json()) == (409, {"error": f"exchange 1 {text}"})


def test_a_refused_chat_is_not_saved(session: Session) -> None:
    """There is nothing that a fixture could answer."""
    asked(session, messages=[])

    answer = control(session, "GET", "/exchanges/1/fixture")
    text = "exchange 1 was refused before it was understood as a chat, so no fixture can answer it"
    assert (answer.status_code, answer.json()) == (409, {"error": text})


def test_a_request_without_an_answer_is_not_saved(session: Session) -> None:
    """A client that leaves within its body is told of in the journal, and there is nothing to replay."""
    host, port = session.url.removeprefix("http://").split(":")
    head = f"POST /maas/m/c/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {session.api_key}\r\n"
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as sock:
        sock.sendall(f"{head}expect: 100-continue\r\ncontent-length: 100\r\n\r\n".encode())
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"{")
        begun = session.exchanges(in_flight=True)[0]
        unread = control(session, "GET", "/exchanges/1/fixture")
    ended = session.wait_for(1)[0]
    answer = control(session, "GET", "/exchanges/1/fixture")

    assert (begun.status, begun.ending, begun.frames_sent) == (None, None, 0)
    assert (ended.status, ended.ending, ended.client_left) == (None, "cut", True)
    text = "exchange 1 has no answer, so there is nothing to replay"
    assert (answer.status_code, answer.json()) == (409, {"error": text})
    assert (unread.status_code, unread.json()) == (409, {"error": "exchange 1 is in flight; save it when it has ended"})

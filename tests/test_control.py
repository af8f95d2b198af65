"""The control API over a real socket: every operation, what is refused and how, its document, saved fixtures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
import pytest

from mockserver.config import Config
from mockserver.live import MockServer
from mockserver.server.control import PREFIX
from mockserver.server.operations import OPERATIONS
from mockserver.session import Session
from tests.command import called
from tests.session_helpers import asked, control

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "sk-1234567890abcdefghij"  # noqa: S105 - a key of no service

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/reset"): {"journal": False, "setup": False, "counters": False},
    ("POST", "/faults"): {"fault": {"type": "latency", "ms": 1}},
    ("POST", "/answers"): {"answer": {"text": "你好"}},
    ("POST", "/clock"): {"advance_ms": 1},
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_operation_answers(session: Session, operation: Any) -> None:
    """With one fault, one answer and one exchange there, each gives JSON and its own status."""
    asked(session)
    for path in ("/faults", "/answers"):
        control(session, "POST", path, json=BODIES["POST", path])

    body = BODIES.get((operation.method, operation.path))
    answer = control(session, operation.method, operation.path.replace("{number}", "1"), json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (operation.status, "application/json")
    assert answer.json() is not None


REFUSED: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "unknown-path": ("GET", "/nowhere", {}, 404, "'/_mock/nowhere' is not of the control API; there are: /_"),
    "line-break": ("GET", "/a%0Ab", {}, 404, "'/_mock/a\\nb' is not of the control API; there are: "),
    "method": ("PUT", "/faults", {}, 405, "PUT is not allowed here; allowed: GET, HEAD, POST, DELETE"),
    "number": ("DELETE", "/faults/x", {}, 400, "path: number: 'x' is not allowed; allowed: an integer from 1 to 9"),
    "zero": ("GET", "/exchanges/0", {}, 400, "path: number: '0' is not allowed; allowed: an integer from 1 to 9"),
    "huge": ("GET", f"/exchanges/{10**30}", {}, 400, f"path: number: '{10**30}' is not allowed; allowed: an integer"),
    "absent-row": ("DELETE", "/faults/7", {}, 404, "fault 7 is not there; there are: none"),
    "absent-exchange": ("GET", "/exchanges/7/fixture", {}, 404, "exchange 7 is not in the journal of key-"),
    "query-name": ("GET", "/faults?a=1", {}, 400, "query: 'a' is not a parameter here; allowed: none"),
    "query-value": ("GET", "/exchanges?status=9", {}, 400, "query: status: '9' is not allowed; allowed: an integer"),
    "no-json": ("POST", "/reset", {"content": b"{"}, 400, "the body is not valid JSON: "),
    "no-object": ("POST", "/reset", {"content": b"[]"}, 400, "the body is an array; allowed: a JSON object"),
    "too-large": ("POST", "/reset", {"content": b" " * (4 * 2**20 + 1)}, 413, "the body has more than 4194304 bytes"),
    "type": ("POST", "/reset", {"json": {"setup": 0}}, 400, "setup: 0 is not allowed; allowed: a valid boolean"),
    "fault-type": ("POST", "/faults", {"json": {"fault": {"type": "cutt"}}}, 400, "fault: type: 'cutt' is not a fault"),
    "fault-value": (
        "POST", "/faults", {"json": {"fault": {"type": "latency", "ms": "1"}}}, 400,
        "fault: latency: ms: '1' is not allowed; allowed: a valid number",
    ),
    "missing": ("POST", "/clock", {}, 400, "advance_ms: missing"),
    "kind": ("POST", "/reset", {"headers": {"content-type": "text/plain"}}, 415, "Content-Type: the control API reads"),
    "host": ("GET", "/faults", {"headers": {"host": "evil.example"}}, 403, "Host: 'evil.example' is not this server; "),
    "origin": (
        "GET", "/faults", {"headers": {"origin": "http://evil.example"}}, 403, "Origin: 'http://evil.example' is",
    ),
    "site": ("GET", "/faults", {"headers": {"sec-fetch-site": "cross-site"}}, 403, "Sec-Fetch-Site: 'cross-site' is"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(session: Session, name: str) -> None:
    """Each refusal is JSON with one line that names the field, what was seen and what is allowed."""
    method, path, more, status, text = REFUSED[name]
    answer = control(session, method, path, **more)

    assert answer.status_code == status
    assert answer.json()["error"].startswith(text)


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


def references(part: Any) -> Iterator[str]:
    """All `$ref` of a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_the_document_is_complete(session: Session) -> None:
    """It has each operation and no other, each `$ref` leads to a schema, and each schema is one."""
    document = control(session, "GET", "/openapi.json").json()

    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(one.method, PREFIX + one.path) for one in OPERATIONS}
    names = set(document["components"]["schemas"])
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= names
    for name in names:
        jsonschema_rs.Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        )
    ids = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_saved_exchange_is_replayed(mock: MockServer, tmp_path: Path, chip: str, stream: bool) -> None:
    """What the journal saw passes `validate`, holds no key, and another mock answers with the same bytes."""
    document: dict[str, Any] = {"messages": [{"role": "user", "content": f"my key is {SECRET}"}], "stream": stream}
    with Session(mock, SECRET, chip=chip) as session:
        session.answer("你好! 我是模型。")
        sent = asked(session, **document).content
        text = control(session, "GET", "/exchanges/1/fixture").text
    (tmp_path / "saved.json").write_text(text, "utf-8")

    assert SECRET not in text
    assert called("validate", str(tmp_path))[0] == 0
    masked = json.loads(text)["request"]["body"]
    with MockServer(Config(port=0, fixtures=(tmp_path,), replay="exact")) as other, other.session() as again:
        assert asked(again.chip(chip), **masked).content == sent


def test_an_answer_that_spells_the_key_is_not_saved(mock: MockServer) -> None:
    """A mask cannot cover what runs across chunks, so nothing is given."""
    with Session(mock, SECRET) as session:
        session.answer(f"your key is {SECRET}")
        asked(session, stream=True)
        answer = control(session, "GET", "/exchanges/1/fixture")

    assert answer.status_code == 409
    assert answer.json()["error"].startswith("exchange 1 is not saved: the answer spells a secret across its chunks")


UNSAVED = {
    "writes": ("slicer", "was sent as network writes by a fault, which a fixture cannot hold; arm the fault instead"),
}


@pytest.mark.parametrize("name", UNSAVED)
def test_what_cannot_be_saved(session: Session, name: str) -> None:
    """409 with the reason."""
    fault, text = UNSAVED[name]
    session.arm(fault)
    asked(session)

    answer = control(session, "GET", "/exchanges/1/fixture")
    assert (answer.status_code, answer.json()["error"]) == (409, f"exchange 1 {text}")


def test_a_refused_chat_is_not_saved(session: Session) -> None:
    """There is nothing that a fixture could answer."""
    asked(session, messages=[])

    answer = control(session, "GET", "/exchanges/1/fixture")
    assert answer.status_code == 409
    assert json.loads(answer.text)["error"].startswith("exchange 1 was refused before it was understood as a chat")

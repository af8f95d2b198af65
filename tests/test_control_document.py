"""The OpenAPI document of the control API: what it says is what the control API does, and others can read it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
import pytest

from mockserver.server.control.operations import OPERATIONS
from mockserver.server.guard import PREFIX
from mockserver.testing.mock_server import MockServer
from tests.session_helpers import asked, asked_without_reading, control
from tests.third_party import python_programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.testing.session import Session

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/reset"): {"journal": False, "setup": False, "counters": False},
    ("POST", "/faults"): {"fault": {"type": "latency", "ms": 1}},
    ("POST", "/answers"): {"answer": {"text": "你好"}},
    ("POST", "/clock"): {"advance_ms": 1},
}
QUERIES = {
    "/exchanges": ("", "?frames=true", "?in_flight=true", "?count=9&timeout_ms=0"),
    "/verdict": ("?patience_ms=0",),
}
FUZZ_SECONDS = 60


@pytest.fixture(scope="module")
def document(mock: MockServer) -> dict[str, Any]:
    """The document."""
    made: dict[str, Any] = httpx.get(f"{mock.url}{PREFIX}/openapi.json", trust_env=False).json()
    return made


def declared(document: dict[str, Any], method: str, path: str, status: int) -> jsonschema_rs.Validator:
    """What the document says of an answer's body."""
    responses = document["paths"][PREFIX + path][method.lower()]["responses"]
    schema = responses[str(status)]["content"]["application/json"]["schema"]
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


@pytest.fixture
def busy(session: Session) -> Session:
    """A namespace in which everything has happened: armed, scripted, answered, refused, blocked, cut, hanging."""
    session.answer("你好", chip="chip3", contains="你好")
    session.answer(blocked=True, text="so far")
    for path in ("/faults", "/answers"):
        control(session, "POST", path, json=BODIES["POST", path])
    matched = {"match": {"user": {"regex": "a+"}, "messages": [{"role": "user"}], "body": {"$.n": 1}}, "times": 2}
    control(session, "POST", "/answers", json={"answers": [{"error": "internal"}], "then": "cycle", **matched})
    control(session, "POST", "/faults", json={"fault": {"type": "cut", "after_bytes": 3}, **matched})
    for more in ({}, {"stream": True}, {"model": 5}, {"stream": True, "messages": []}):
        asked(session, **more)
    session.arm("timeout", contains="hang")
    with asked_without_reading(session, messages=[{"role": "user", "content": "hang"}]):
        session.wait_for(1, in_flight=True)
    return session


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_answer_is_as_declared(busy: Session, document: dict[str, Any], operation: Any) -> None:
    """With everything there, each operation answers with its own status, in the form that the document declares."""
    body = BODIES.get((operation.method, operation.path))
    for query in QUERIES.get(operation.path, ("",)):
        answer = control(busy, operation.method, operation.path.replace("{number}", "1") + query, json=body)

        assert (answer.status_code, answer.headers["content-type"]) == (operation.status, "application/json")
        declared(document, operation.method, operation.path, operation.status).validate(answer.json())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_refusal_is_as_declared(session: Session, document: dict[str, Any], operation: Any) -> None:
    """Whatever is refused, the status is declared, and the body names what is wrong."""
    foreign = {"host": "evil.example"}
    tried: list[dict[str, Any]] = [
        {"json": {"nothing": 1}}, {"content": b"<xml/>", "headers": {"content-type": "text/xml"}}, {"headers": foreign},
    ]  # fmt: skip
    for more in tried:
        for path in (operation.path.replace("{number}", "99"), operation.path.replace("{number}", "x") + "?nothing=1"):
            answer = control(session, operation.method, path, **{**more, "headers": dict(more.get("headers", {}))})
            if answer.status_code != operation.status:
                declared(document, operation.method, operation.path, answer.status_code).validate(answer.json())


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


def test_the_document_is_complete(document: dict[str, Any]) -> None:
    """It has each operation and no other, each `$ref` leads to a schema, no schema is there for nothing."""
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(one.method, PREFIX + one.path) for one in OPERATIONS}
    schemas = document["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} == set(schemas)
    ids = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(set(ids)) == len(ids)


def test_keys_and_tokens_are_security_schemes(document: dict[str, Any]) -> None:
    """A client made from the document can send an API key, need not, and must send the token where one is asked for."""
    with MockServer(control_token="a-token") as guarded:  # noqa: S106 - of a mock that lives as long as the test
        url = f"{guarded.url}{PREFIX}/openapi.json"
        made = httpx.get(url, headers={"x-mock-token": "a-token"}, trust_env=False).json()

    schemes = made["components"]["securitySchemes"]
    assert (schemes["key"]["type"], schemes["key"]["scheme"]) == ("http", "bearer")
    assert schemes["token"] == {"type": "apiKey", "in": "header", "name": "X-Mock-Token"}
    assert made["security"] == [{"token": []}, {"token": [], "key": []}]
    assert document["security"] == [{}, {"key": []}]
    assert {made["paths"][f"{PREFIX}/{path}"]["get"]["security"] == [] for path in ("health", "ready")} == {True}


def test_others_can_read_it(document: dict[str, Any], tmp_path: Path) -> None:
    """openapi-spec-validator takes it for OpenAPI 3.1."""
    commands = python_programs("openapi", "openapi-spec-validator==0.7.2")
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document), "utf-8")
    words = [str(commands / "openapi-spec-validator"), "--schema", "3.1.0", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=FUZZ_SECONDS, check=False)

    assert (done.returncode, done.stdout) == (0, f"{path}: OK\n"), done.stdout + done.stderr


PHASES = {
    "examples,coverage": ["--exclude-path", f"{PREFIX}/exchanges"],  # each boundary of its waits would be waited for
    "fuzzing,stateful": [],
}


@pytest.mark.parametrize("phases", PHASES)
def test_schemathesis_finds_nothing(phases: str, tmp_path: Path) -> None:
    """What the document allows is taken, what it forbids is refused, answers are as declared; all checks are on."""
    commands = python_programs("schemathesis", "schemathesis==4.32.5")
    with MockServer() as mock:
        words = [
            str(commands / "schemathesis"), "run", f"{mock.url}{PREFIX}/openapi.json", "--phases", phases,
            "--checks", "all", "--mode", "all", "--max-examples", "8", "--seed", "1", "--generation-deterministic",
            "--no-color", *PHASES[phases],
        ]  # fmt: skip
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=FUZZ_SECONDS, check=False)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr

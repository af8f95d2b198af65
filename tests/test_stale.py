"""A request that has changed since its answer was recorded or written is noticed, told, and refused if asked.

And what a test can see and match of a request's head: its headers and its query, without credentials.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai import OpenAI

from mockserver import MockServer
from mockserver.core.exchange import ChatRequest, Ending, Exchange, Plan, Request
from mockserver.files.exchange_file import read
from mockserver.recording.recorder import Recorder
from mockserver.recording.store import Store
from mockserver.server.log import facts, in_words, told_of
from mockserver.sources.recording_file import recording, request_of
from mockserver.sources.recordings import Recordings
from mockserver.sources.staleness import changes, pinned_changes
from tests.inner_pytest import runner
from tests.recording_helpers import chat_body
from tests.session_helpers import PLAIN, asked, control, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.testing.session import Session

pytest_plugins = ("pytester",)
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
OTHER = {"type": "function", "function": {"name": "stock_price", "parameters": {"type": "object", "properties": {}}}}
RECORDED: dict[str, Any] = {
    "messages": [{"role": "user", "content": "q"}], "stream": False, "temperature": 0.2, "tools": [TOOL], "user": "me",
}  # fmt: skip
ANSWER = '{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"recorded"},"finish_reason":"stop"}]}'


def exchange(headers: list[list[str]] | None = None, **body: Any) -> dict[str, Any]:
    """A recording."""
    return {
        "request": {
            "path": "/maas/mt-infini-3b/nvidia/chat/completions",
            "headers": headers or [],
            "body": {**RECORDED, **body},
        },
        "response": {
            "status": 200, "headers": [["content-type", "application/json"]],
            "sends": [{"at_ms": 0, "data": body.get("answer", ANSWER)}],
        },
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the recording."""
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "one.json").write_text(json.dumps(exchange()), "utf-8")
    return tmp_path / "rec"


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    """A mock that plays it."""
    folder = tmp_path_factory.mktemp("rec")
    (folder / "one.json").write_text(json.dumps(exchange()), "utf-8")
    with MockServer(fixtures=[folder], strict=True) as mock:
        yield mock


@pytest.fixture
def replay(replaying: MockServer) -> Iterator[Session]:
    """A namespace of it."""
    with replaying.session() as session:
        yield session


def ask(session: Session, **changed: Any) -> httpx.Response:
    """The recorded request, or another one; None takes a field away."""
    body = {name: value for name, value in {**RECORDED, **changed}.items() if value is not None}
    del body["messages"]
    return asked(session, "q", **body)


CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, []),
    "who asks": ({"user": "you", "metadata": {"trace": "1"}}, []),
    "a tool's name": (
        {"tools": [OTHER]}, ["tools[0].function.name: recorded 'weather', asked 'stock_price'"],
    ),
    "a parameter": ({"temperature": 1.9}, ["temperature: recorded 0.2, asked 1.9"]),
    "a parameter more": (
        {"response_format": {"type": "json_object"}},
        ['response_format: recorded nothing, asked {"type": "json_object"}'],
    ),
    "a parameter less": ({"temperature": None}, ["temperature: recorded 0.2, asked nothing"]),
    "a tool more": ({"tools": [TOOL, OTHER]}, ["tools[1]: recorded nothing, asked "]),
    "the body's model": ({"model": "m"}, ["model: recorded nothing, asked 'm'"]),
    "an empty model": ({"model": ""}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed_is_told(replay: Session, name: str) -> None:
    """The journal and the verdict name each field by its way; the answer is as it was."""
    changed, told = CHANGES[name]
    assert said(ask(replay, **changed)) == "recorded"
    seen = replay.last

    assert len(seen.stale) == len(told)
    assert all(one.startswith(start) for one, start in zip(seen.stale, told, strict=True))
    assert [one.rule for one in replay.verdict().findings] == (["stale"] if told else [])
    assert replay.verdict().resilient
    assert all(start in str(seen) for start in told)


def test_the_same_request_is_remembered_with_its_note(replay: Session) -> None:
    """A stale request that comes again is told as stale each time."""
    for _ in range(3):
        ask(replay, temperature=1)
    assert [one.stale for one in replay.exchanges()] == [("temperature: recorded 0.2, asked 1",)] * 3


def test_the_log_line_tells(replay: Session) -> None:
    """So does the line of the log, in words and as a fact."""
    exchange_of_it = Exchange(
        Request("POST", "/"), Plan(200, (), (b"",), stale=("temperature: recorded 0, asked 1",)), 1
    )
    told = told_of(exchange_of_it)

    assert "stale temperature: recorded 0, asked 1" in in_words(told)[1]
    assert facts(told, 1.0)["stale"] == ["temperature: recorded 0, asked 1"]
    ask(replay, tools=[OTHER])
    (row,) = control(replay, "GET", "/exchanges").json()
    assert row["stale"] == ["tools[0].function.name: recorded 'weather', asked 'stock_price'"]


def test_strict_requests_refuse(folder: Path) -> None:
    """With --strict-requests it is a 404 that says in what they differ; identity may differ."""
    with MockServer(fixtures=[folder], strict_requests=True) as mock, mock.session() as session:
        refused = ask(session, tools=[OTHER], temperature=1.9)
        assert said(ask(session, user="you")) == "recorded"

    assert refused.status_code == 404
    assert refused.json()["msg"] == (
        "one.json: the request is another one than the answer is for: temperature: recorded 0.2, asked 1.9; "
        "tools[0].function.name: recorded 'weather', asked 'stock_price'; record or write the answer anew, or serve "
        "without --strict-requests"
    )


@pytest.mark.parametrize(("match_on", "changed", "found"), [
    ("dialogue", {"tools": [OTHER], "temperature": 1}, True),
    ("dialogue,tools", {"temperature": 1}, True),
    ("dialogue,tools", {"tools": [OTHER]}, False),
    ("dialogue,parameters", {"tools": [OTHER]}, True),
    ("dialogue,parameters", {"temperature": 1}, False),
    ("dialogue,parameters", {"user": "you"}, True),
    ("tools", {"messages": "another"}, True),
    ("dialogue", {"messages": "another"}, False),
    ("dialogue,headers:x-team", {"headers": {"X-Team": "blue"}}, True),
    ("dialogue,headers:x-team", {"headers": {"X-Team": "red"}}, False),
    ("dialogue,headers:x-team", {}, False),
])  # fmt: skip
def test_match_on(folder: Path, match_on: str, changed: dict[str, Any], found: bool) -> None:
    """A recording is found by what is asked for, and a miss names what differs."""
    path = folder / "one.json"
    path.write_text(json.dumps(exchange([["x-team", "blue"]])), "utf-8")
    one = recording(path, read(path))
    assert one is not None
    known = Recordings([one], match_on.split(","))
    headers = {name.lower().encode(): value.encode() for name, value in changed.get("headers", {}).items()}
    body_of_it = {**RECORDED, **{name: value for name, value in changed.items() if name != "headers"}}
    if "messages" in changed:
        body_of_it["messages"] = [{"role": "user", "content": "another"}]
    body = json.dumps(body_of_it).encode()
    request = request_of(Request("POST", "/maas/mt-infini-3b/nvidia/chat/completions", headers, body))
    assert request is not None

    assert (known.find(request) is one) is found
    assert found or not known.near_misses(request)[0].endswith("one.json: ")


def test_match_on_is_a_setting(folder: Path) -> None:
    """Of the mock, and so of the plugin; where headers decide, nothing is remembered."""
    (folder / "one.json").write_text(json.dumps(exchange([["x-team", "blue"]])), "utf-8")
    match_on = ["dialogue", "headers:X-Team"]
    with MockServer(fixtures=[folder], strict=True, match_on=match_on) as mock, mock.session() as session:
        answers = [ask(session, headers={"x-team": team}) for team in ("blue", "red", "blue")]

    assert [one.status_code for one in answers] == [200, 404, 200]
    assert "headers.x-team: recorded 'blue', asked 'red'" in answers[1].text


SAID = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'


def test_record_keeps_what_it_matches_on(tmp_path: Path) -> None:
    """`record --match-on headers:…` keeps that header in the file, and asks the upstream where it differs."""
    match_on = ("dialogue", "headers:x-team")
    recorder = Recorder(
        Store(tmp_path), "new-episodes", Recordings((), match_on), "e", "loopback", pinned=frozenset({"x-team"}),
    )  # fmt: skip

    def request(team: bytes) -> Request:
        path = "/maas/mt-infini-3b/chip3/chat/completions"
        return Request("POST", path, {b"x-team": team, b"authorization": b"Bearer k"}, chat_body())

    def known(team: bytes) -> bool:
        chat = request_of(request(team))
        return chat is not None and recorder.known(chat) is not None

    recorder.keep(Exchange(request(b"blue"), Plan(200, (), (SAID,)), 1, 1.0, Ending.COMPLETE), set())
    (path,) = tmp_path.rglob("*.json")

    assert json.loads(path.read_text("utf-8"))["request"]["headers"] == [["x-team", "blue"]]
    assert (known(b"blue"), known(b"red")) == (True, False)


def test_what_streams_alone_have_is_left_out() -> None:
    """A recorded stream that is said anew as a body differs in no stream_options; many differences are counted."""
    recorded = ChatRequest("m", "c", (), stream=True, body={"stream": True, "stream_options": {}, "n": 1})
    one = ChatRequest("m", "c", (), body={"n": 1})
    many = ChatRequest("m", "c", (), body={f"f{number}": number for number in range(10)} | {"n": 1})

    assert changes(recorded, one) == ()
    assert len(changes(recorded, many)) == 9
    assert changes(recorded, many)[-1] == "and 2 more"
    assert pinned_changes(recorded, one, ("parameters",)) == []


# --- fixtures ---------------------------------------------------------------------------------------------------------


def test_a_call_that_was_not_offered_is_named(session: Session, tmp_path: Path) -> None:
    """A fixture, or a scripted answer, that calls another function than those of the request says so."""
    session.answer(tool_calls=[{"name": "weather", "arguments": {}}], times=3)
    asked(session)
    asked(session, tools=[OTHER])
    asked(session, tools=[TOOL])

    assert [one.stale for one in session.exchanges()] == [
        ("tools: the answer calls 'weather', offered is nothing",),
        ("tools: the answer calls 'weather', offered are 'stock_price'",),
        (),
    ]
    fixture = {"match": {"user": "q"}, "answer": {"tool_calls": [{"name": "weather"}]}}
    (tmp_path / "any").mkdir()
    (tmp_path / "any" / "w.json").write_text(json.dumps(fixture), "utf-8")
    with MockServer(fixtures=[tmp_path], strict_requests=True) as mock, mock.session() as strict:
        assert asked(strict, "q", tools=[OTHER]).status_code == 404
        assert asked(strict, "q", tools=[TOOL]).status_code == 200


def test_near_misses_name_ones_own_first(folder: Path) -> None:
    """Recordings, then the operator's fixtures, and the package's own last."""
    fixture = {"match": {"user": "something quite else", "system": "x", "stream": True}, "answer": {"text": "mine"}}
    (folder / "mine.json").write_text(json.dumps(fixture), "utf-8")
    with MockServer(fixtures=[folder], strict=True) as mock, mock.session() as session:
        told = asked(session, "你是谁？？").json()["msg"]

    assert told.startswith("no recording fits; nearest: one.json: ")
    assert "no fixture fits; nearest: (1) mine.json: " in told


# --- headers and query ------------------------------------------------------------------------------------------------


def sent(session: Session, query: str = "", **headers: str) -> httpx.Response:
    """A request with a query and headers; the names' underscores are dashes."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"messages": [{"role": "user", "content": "q"}]}
    url = f"{session.base_url}/chat/completions{query}"
    return httpx.post(url, json=body, headers={"Authorization": f"Bearer {session.api_key}", **names}, **PLAIN)


def test_the_journal_shows_headers_and_query(session: Session) -> None:
    """All of them, names in lower case; credentials and cookies are masked by name, by shape, and where the key is."""
    sent(
        session, "?v=1&api_key=abc&empty", X_Foo="bar", HTTP_Referer="https://a.example", Cookie="sid=1",
        X_Auth="t", Idempotency_Key="i-1", X_Note=f"uses {session.api_key}", X_Odd="sk-" + "a1B2" * 8,
    )  # fmt: skip
    seen = session.last
    masked = {name for name, value in seen.request_headers.items() if value == "[masked]"}

    assert seen.query == "v=1&api_key=[masked]&empty"
    assert {"x-foo": "bar", "http-referer": "https://a.example", "idempotency-key": "i-1"}.items() <= (
        seen.request_headers.items()
    )
    assert masked == {"authorization", "cookie", "x-auth", "x-odd"}
    assert seen.request_headers["x-note"] == "uses [api key]"
    assert session.api_key not in control(session, "GET", "/exchanges").text


def test_the_sdk_s_headers_and_query_are_seen(session: Session) -> None:
    """What an author of a client wants to pin: default headers, an extra query."""
    sdk = OpenAI(
        base_url=session.base_url, api_key=session.api_key, default_headers={"X-Team": "blue"},
        default_query={"api-version": "2026-01-01"}, max_retries=0,
    )  # fmt: skip
    with sdk:
        sdk.chat.completions.create(model="", messages=[{"role": "user", "content": "q"}])

    assert session.last.request_headers["x-team"] == "blue"
    assert session.last.query == "api-version=2026-01-01"


HEADS: dict[str, tuple[dict[str, Any], bool]] = {
    "same": ({"headers": {"X-Foo": "bar"}}, True),
    "another": ({"headers": {"X-Foo": "baz"}}, False),
    "contains": ({"headers": {"x-foo": {"contains": "a"}}}, True),
    "regex": ({"headers": {"x-foo": {"regex": "^b.r$"}}}, True),
    "there": ({"headers": {"x-foo": {"exists": True}}}, True),
    "not there": ({"headers": {"x-bar": {"exists": False}}}, True),
    "absent": ({"headers": {"x-bar": "a"}}, False),
    "a credential is never seen": ({"headers": {"authorization": {"exists": True}}}, False),
    "query": ({"query": {"v": "1"}}, True),
    "another query": ({"query": {"v": "2"}}, False),
    "both": ({"query": {"v": {"exists": True}}, "headers": {"x-foo": "bar"}}, True),
}


@pytest.mark.parametrize("name", HEADS)
def test_answers_match_on_headers_and_query(session: Session, name: str) -> None:
    """A scripted answer and a fault are for requests with these headers and this query."""
    match, fits = HEADS[name]
    session.answer("matched", times=None, **match)
    session.arm("set_header;name=x-armed;value=1", **match)
    answer = sent(session, "?v=1", X_Foo="bar")

    assert (said(answer) == "matched", "x-armed" in answer.headers) == (fits, fits)


def test_fixtures_match_on_headers_and_query(tmp_path: Path) -> None:
    """Though the same body was answered before, another header gets another answer; a near miss names the header."""
    for team in ("blue", "red"):
        fixture = {"match": {"headers": {"X-Team": team}, "query": {"v": "1"}}, "answer": {"text": f"{team}'s"}}
        (tmp_path / f"{team}.json").write_text(json.dumps(fixture), "utf-8")
    with MockServer(fixtures=[tmp_path], strict=True) as mock, mock.session() as session:
        answers = [said(sent(session, "?v=1", X_Team=team)) for team in ("blue", "red", "blue")]
        missed = sent(session, "?v=1", X_Team="green").json()["msg"]

    assert answers == ["blue's", "red's", "blue's"]
    assert "headers.X-Team: expected 'blue', got 'green'" in missed


WRONG = {
    "no object": (
        {"headers": "x"},
        """match.headers: 'x' is not allowed; allowed: an object of names, like {"x-team": "blue"}""",
    ),
    "a number": (
        {"query": {"v": 1}},
        (
            'match.query: 1 is not allowed; allowed: a text, {"contains": "a text"} or {"regex": "an expression"}, or '
            '{"exists": true}'
        ),
    ),
    "exists": ({"query": {"v": {"exists": 1}}}, "match.query: exists: 1 is not allowed; allowed: true or false"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_in_a_match_are_named(session: Session, name: str) -> None:
    """A match that is none is a 400 of one line, with what is allowed."""
    match, text = WRONG[name]
    refused = control(session, "POST", "/answers", json={"answer": {"text": "x"}, "match": match})

    assert (refused.status_code, refused.json()["error"]) == (400, text)


# --- the plugin -------------------------------------------------------------------------------------------------------

INNER = """\
import httpx

def ask(session, temperature):
    body = {"messages": [{"role": "user", "content": "q"}], "stream": False, "temperature": temperature}
    headers = {"Authorization": "Bearer " + session.api_key}
    httpx.post(session.base_url + "/chat/completions", json=body, headers=headers, trust_env=False)

def test_stale(genstudio_mock):
    ask(genstudio_mock, 1)

def test_fresh(genstudio_mock):
    ask(genstudio_mock, 0.2)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_the_summary_names_the_tests(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    """A green test whose answer was recorded for another request is named at the end of the run."""
    document = exchange(tools=None)
    del document["request"]["body"]["tools"]
    (pytester.path / "rec").mkdir()
    (pytester.path / "rec" / "one.json").write_text(json.dumps(document), "utf-8")
    pytester.makepyfile(INNER)
    pytester.makeini("[pytest]\ngenstudio_mock_args = --fixtures rec\n")
    result = runner(pytester, monkeypatch)(*workers)

    result.assert_outcomes(passed=2)
    lines = [line for line in result.outlines if "::test_" in line and "recording" in line]
    assert len(lines) == 1
    assert lines[0].endswith("::test_stale: recording:one.json: temperature: recorded 0.2, asked 1")

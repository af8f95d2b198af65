"""Raw answers: what a test gives as bytes comes back to the byte, whichever chip is asked, and at the times it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import MockError, OperatorError
from tests.session_helpers import CHIPS, PLAIN, asked, client, control

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mockserver.testing.mock_server import MockServer
    from mockserver.testing.session import Session

CHUNK = 'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[%s]}\n\n'
EMPTY_IDS = "".join(
    CHUNK % json.dumps({"index": 0, "delta": delta, "finish_reason": finish}, ensure_ascii=False)
    for delta, finish in (
        ({"role": "assistant", "tool_calls": [
            {"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}},
        ]}, None),
        ({"tool_calls": [{"index": 0, "id": "", "function": {"arguments": '{"city":'}}]}, None),
        ({"tool_calls": [{"index": 0, "id": "", "function": {"arguments": ' "北京"}'}}]}, None),
        ({"content": ""}, "tool_calls"),
    )
) + "data: [DONE]\n\n"  # fmt: skip
"""A call whose later deltas have the id "", as some servers send it."""
ALIVE = ": keep-alive\n\n"
ANSWER = CHUNK % '{"index":0,"delta":{"role":"assistant","content":"好"},"finish_reason":"stop"}'


def exchange(*sends: tuple[float, str], status: int = 200, kind: str = "text/event-stream") -> dict[str, Any]:
    """An exchange file as somebody writes it by hand."""
    return {
        "request": {"path": "/maas/mt-infini-3b/nvidia/chat/completions", "body": {"messages": []}},
        "response": {
            "status": status,
            "headers": [["content-type", kind]],
            "sends": [{"at_ms": at_ms, "data": data} for at_ms, data in sends],
        },
    }


KEPT_ALIVE = exchange((0, ALIVE), (20, ALIVE), (40, ANSWER), (40, "data: [DONE]\n\n"))


def raw(session: Session, *, stream: bool = True) -> httpx.Response:
    """What is on the wire."""
    return asked(session, "anything", stream=stream)


def streams() -> st.SearchStrategy[bytes]:
    """What a stream of anything may be: events, lines, comments, blanks, half characters, nothing."""
    parts = st.sampled_from(
        [EMPTY_IDS.encode(), ALIVE.encode(), b"\n", b"\r\n", b"data: [DONE]\n\n", b"\xe4\xbd", b"{"]
    )
    return st.lists(parts | st.binary(max_size=20), max_size=6).map(b"".join)


@given(data=streams(), chip=st.sampled_from(CHIPS), stream=st.booleans())
def test_any_bytes_come_back(mock: MockServer, data: bytes, chip: str, stream: bool) -> None:
    """Any bytes given to a test are its next answer to the byte, on each chip, streamed or not."""
    with mock.session() as session:
        session.answer(raw=data)
        assert raw(session.chip(chip), stream=stream).content == data


@given(parts=st.lists(st.tuples(st.integers(0, 3), streams().filter(bool)), max_size=4))
def test_any_sends_come_back(mock: MockServer, parts: list[tuple[int, bytes]]) -> None:
    """So do bytes in parts, each with its delay in milliseconds, and the journal has their times."""
    with mock.session() as session:
        session.answer(raw=parts)
        assert raw(session).content == b"".join(part for _, part in parts)
        times = [at for at, _ in session.last.sends] or [0]
        assert times == [sum(delay for delay, _ in parts[: number + 1]) for number in range(len(parts))] or times == [0]


def _given(session: Session, folder: Path) -> dict[str, Callable[[], None]]:
    """Ways to give the same bytes."""
    events, hand = folder / "empty-id.sse", folder / "hand.json"
    events.write_text(EMPTY_IDS, "utf-8")
    hand.write_text(json.dumps(exchange((0, EMPTY_IDS))), "utf-8")

    def post(kind: str, content: bytes) -> None:
        assert control(session, "POST", "/answers", headers={"content-type": kind}, content=content).status_code == 201

    return {
        "a text": lambda: session.answer(raw=EMPTY_IDS),
        "bytes": lambda: session.answer(raw=EMPTY_IDS.encode()),
        "a path": lambda: session.answer(raw=events),
        "events": lambda: session.answer(raw=EMPTY_IDS.splitlines(keepends=True)),
        "an object": lambda: session.answer(raw={"sends": [{"data": EMPTY_IDS}], "headers": {"x-a": "1"}}),
        "a file of events": lambda: session.answer_from(events),
        "an exchange file": lambda: session.answer_from(hand),
        "an exchange over HTTP": lambda: post("application/json", hand.read_bytes()),
        "events over HTTP": lambda: post("text/event-stream", events.read_bytes()),
        "bytes over HTTP": lambda: post("application/octet-stream", events.read_bytes()),
        "an answer over HTTP": lambda: post("application/json", json.dumps({"answer": {"raw": EMPTY_IDS}}).encode()),
    }


WAYS = (
    "a text", "bytes", "a path", "events", "an object", "a file of events", "an exchange file",
    "an exchange over HTTP", "events over HTTP", "bytes over HTTP", "an answer over HTTP",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_give_bytes(session: Session, tmp_path: Path, way: str) -> None:
    """However they are given they are the next answer, and the one after it is as usual."""
    _given(session, tmp_path)[way]()
    answer = raw(session)

    assert answer.content == EMPTY_IDS.encode()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert raw(session).content != EMPTY_IDS.encode()


def test_the_ways_are_all_there(session: Session, tmp_path: Path) -> None:
    """The table of names is that of the ways."""
    assert tuple(_given(session, tmp_path)) == WAYS


def test_the_sdk_reads_it(session: Session) -> None:
    """The official SDK gets the call with its empty ids."""
    session.answer(raw=EMPTY_IDS)
    messages: Any = [{"role": "user", "content": "q"}]
    chunks = list(client(session).chat.completions.create(model="m", messages=messages, stream=True))
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]

    assert [call.id for call in calls] == ["call_a", "", ""]
    assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"city": "北京"}'


def test_the_times_of_an_exchange_file(session: Session, tmp_path: Path) -> None:
    """What a file says of times is kept: comments before the first token come when they are due."""
    (tmp_path / "ka.json").write_text(json.dumps(KEPT_ALIVE), "utf-8")
    session.answer_from(tmp_path / "ka.json")

    assert raw(session).text == f"{ALIVE}{ALIVE}{ANSWER}data: [DONE]\n\n"
    assert [at for at, _ in session.last.sends] == [0, 20, 40, 40]
    assert session.last.duration_ms >= 40


def test_blanks_before_a_body_that_never_comes(session: Session) -> None:
    """Status 200 and newlines alone, which are JSON's white space."""
    session.answer(raw=[b"\n", (5, b"\n")])
    answer = raw(session, stream=False)

    assert (answer.status_code, answer.content) == (200, b"\n\n")
    assert answer.headers["content-type"] == "application/json"


def test_what_was_saved_can_be_given_back(session: Session, tmp_path: Path) -> None:
    """`save` and `answer_from` are each other's way back."""
    session.arm("error_frame;after_frames=3", times=1)
    first = asked(session, "你是谁?", stream=True)
    session.save(tmp_path / "kept.json")
    session.answer_from(tmp_path / "kept.json")

    assert asked(session, "another question", stream=True).content == first.content


def test_a_folder_of_recordings(session: Session, tmp_path: Path) -> None:
    """Each answers the dialogue that was recorded, as with `serve --fixtures`, as often as it is asked."""
    for name, text in (("a", "first"), ("b", "second")):
        session.answer(f"about {text}")
        asked(session, text)
        session.save(tmp_path / f"{name}.json")
    session.answer_from(tmp_path)

    assert "about second" in asked(session, "second").text
    assert "about first" in asked(session, "first").text
    assert "about second" in asked(session, "second").text
    assert "about" not in asked(session, "third").json()["choices"][0]["message"]["content"][:6]


def test_status_headers_and_ending(session: Session) -> None:
    """A raw answer has any status, any header but those of framing, and any ending."""
    session.answer(raw={"status": 529, "headers": {"x-should-retry": "false", "server": "gw"}, "sends": ["<h1>busy"]})
    busy = raw(session)
    session.answer(raw={"sends": ["data: {"], "ending": "cut"})
    with pytest.raises(httpx.RemoteProtocolError):
        raw(session)

    assert (busy.status_code, busy.text, busy.headers["x-should-retry"]) == (529, "<h1>busy", "false")
    assert busy.headers["content-type"] == "text/html; charset=utf-8"
    assert busy.headers["content-length"] == "8"


def test_faults_act_on_raw_answers(session: Session) -> None:
    """A header is set, a pause filled, and the rest cut."""
    session.arm("set_header;name=x-a;value=1, heartbeat;every_ms=10, cut;after_frames=2;clean=true", times=1)
    session.answer(raw=[ALIVE, (35, ANSWER), (0, "data: [DONE]\n\n")])
    answer = raw(session)

    assert (answer.headers["x-a"], answer.text) == ("1", f"{ALIVE}{ALIVE * 3}{ANSWER}")


def test_a_fixture_may_be_raw(session: Session, tmp_path: Path) -> None:
    """A written fixture says its bytes, with a match and as one of several answers."""
    answers = [{"raw": EMPTY_IDS}, {"raw": {"sends": [{"data": [{"hex": "ff"}, "x"]}]}}, {"text": "then words"}]
    (tmp_path / "f.json").write_text(json.dumps({"match": {"user": "anything"}, "answers": answers}), "utf-8")
    session.answer_from(tmp_path / "f.json")

    assert [raw(session).content for _ in range(2)] == [EMPTY_IDS.encode(), b"\xffx"]
    assert "then words" in raw(session, stream=False).text


WRONG: dict[str, tuple[Any, str]] = {
    "beside text": ({"text": "a", "raw": "b"}, "answer: text does not go with raw; only delay_ms does"),
    "a header of framing": (
        {"raw": {"headers": {"Transfer-Encoding": "gzip"}}},
        "Transfer-Encoding says where the body ends, which is the server's to say; the faults cut and limit_data lie",
    ),
    "a status": (
        {"raw": {"status": 100}}, "answer.raw.status: 100 is not allowed; allowed: greater than or equal to 200",
    ),
    "an ending": (
        {"raw": {"ending": "soon"}},
        "answer.raw.ending: 'soon' is not allowed; allowed: 'complete', 'cut', 'reset' or 'hang'",
    ),
    "a key": ({"raw": {"sent": []}}, "answer.raw.sent: unknown key; did you mean sends?"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_named(session: Session, name: str) -> None:
    """One line names the key and what is allowed."""
    said, text = WRONG[name]
    refused = control(session, "POST", "/answers", json={"answer": said})

    assert refused.status_code == 400
    assert refused.json()["error"].endswith(text)


def test_files_that_are_not_there(session: Session, tmp_path: Path) -> None:
    """A path is named; what is no bytes is told what is allowed."""
    with pytest.raises(OperatorError, match="no such file or folder"):
        session.answer(raw=tmp_path / "nowhere.sse")
    with pytest.raises(OperatorError, match="raw: 5 is not allowed; allowed: bytes, a text, a path, a list"):
        session.answer(raw=5)  # type: ignore[arg-type]
    with pytest.raises(MockError, match="does not go with raw"):
        session.answer("text", raw="data: x\n\n")


def test_other_types_are_refused(session: Session) -> None:
    """A body that is no JSON has one of three types, none of which a web page can send unasked."""
    refused = control(session, "POST", "/answers", headers={"content-type": "text/plain"}, content=b"data: x\n\n")

    assert refused.status_code == 415
    assert refused.json()["error"] == (
        "Content-Type: the control API reads application/json, text/event-stream, application/x-ndjson, "
        "application/octet-stream alone"
    )
    assert httpx.get(f"{session.url}/_mock/answers", **PLAIN).status_code == 200

"""What one test can say without a recording: any finish_reason, errors of any shape, heartbeats, headers, a pace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openai import APIStatusError

from mockserver.contract.clauses.observers_frame import OBSERVERS
from mockserver.contract.clauses.reading import Reading
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.heartbeats import LONGEST_MS, Beat, with_heartbeats
from mockserver.pipeline.frame import BOM
from tests.session_helpers import asked, client, control

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.testing.session import Session

REASONS = (
    "network_error", "sensitive", "content_filter", "insufficient_system_resource", "eos", "7310000000003 % \"x\"", "",
)  # fmt: skip
MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("reason", REASONS)
def test_any_finish_reason(session: Session, reason: str, stream: bool) -> None:
    """It is an open string on the wire, and may be said in a test."""
    session.answer("one two three four five", finish_reason=reason, chip="nvidia")
    answer = asked(session, stream=stream)
    last = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")] or [answer.json()]

    assert next(filter(None, (one["choices"][0]["finish_reason"] for one in last)), "") == reason
    assert session.last.carried.finish_reason == reason if reason else True


def test_a_slip_is_only_doubted(tmp_path: Path) -> None:
    """`validate` says ok and names the near word; an unknown word that is near none is no doubt."""
    from mockserver.cli.validate import check

    path = tmp_path / "f.json"
    for reason, note in {
        "tool_call": "finish_reason: 'tool_call' is sent as it is; did you mean tool_calls?",
        "content_filter": "",
        "zzz": "",
    }.items():
        path.write_text(json.dumps({"match": {}, "answer": {"text": "x", "finish_reason": reason}}), "utf-8")
        assert check(path) == note


BODIES: dict[str, tuple[Any, str, str]] = {
    "another cloud's": ({"code": "Quota", "id": "r"}, '{"code":"Quota","id":"r"}', "application/json"),
    "a list": ([1, "错"], '[1,"错"]', "application/json"),
    "html": ("<html>502</html>", "<html>502</html>", "text/html"),
    "words": ("upstream connect error", "upstream connect error", "text/plain"),
    "nothing": ("", "", "text/plain"),
    "events": ('data: {"error":{}}\n\n', 'data: {"error":{}}\n\n', "text/event-stream"),
}  # fmt: skip


@pytest.mark.parametrize("status", [200, 402, 429, 599])
@pytest.mark.parametrize("name", BODIES)
def test_errors_of_any_shape(session: Session, name: str, status: int) -> None:
    """Scripted and as a fault, with any status, success too."""
    body, text, kind = BODIES[name]
    session.answer(error={"status": status, "body": body, "headers": {"x-reason": "quota"}})
    session.arm({"type": "status", "status": status, "body": body, "headers": {"x-reason": "quota"}}, contains="fault")

    for answer in (asked(session), asked(session, "fault", stream=True)):
        assert (answer.status_code, answer.text, answer.headers["x-reason"]) == (status, text, "quota")
        assert answer.headers["content-type"].startswith(kind)


def test_an_error_with_a_good_status_keeps_its_form(session: Session) -> None:
    """Code and message with status 200 are the service's own form."""
    session.answer(error={"status": 200, "code": "Quota", "message": "used up"})
    answer = asked(session)

    assert (answer.status_code, answer.json()["error"]["code"]) == (200, "Quota")


ERROR_FRAMES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "body": ({"body": {"error": "quota"}}, ['data: {"error": "quota"}']),
    "text": ({"body": "busy"}, ["data: busy"]),
    "text on two lines": ({"body": "a\nb"}, ["data: a\ndata: b"]),
    "event": ({"body": {"code": 1}, "event": "error"}, ['event: error\ndata: {"code": 1}']),
    "then done": ({"body": {"code": 1}, "then": "done"}, ['data: {"code": 1}', "data: [DONE]"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ERROR_FRAMES)
def test_an_error_within_a_stream(session: Session, name: str) -> None:
    """It has a body of any shape, the name of its event, and what follows it; status 200 stands already."""
    how, events = ERROR_FRAMES[name]
    session.arm({"type": "error_frame", "after_frames": 0, **how})
    answer = asked(session, stream=True)

    assert answer.status_code == 200
    assert answer.text.split("\n\n") == [*events, ""]


def test_an_error_in_the_midst(session: Session) -> None:
    """The rest of the stream comes after it."""
    plain = asked(session, stream=True).text.split("\n\n")
    session.arm('error_frame;after_frames=2;body={"error": "late"};then=rest')

    assert asked(session, stream=True).text.split("\n\n") == [*plain[:2], 'data: {"error": "late"}', *plain[2:]]


def test_an_error_in_place_of_a_body(session: Session) -> None:
    """An answer that is not streamed is the error, whole and with its length."""
    session.arm('error_frame;body={"code": 1};then=rest')

    assert asked(session).json() == {"code": 1}


HEADERS = {
    "status;status=503;headers={\"x-should-retry\": \"false\", \"Retry-After\": \"Wed, 21 Oct 2026 07:28:00 GMT\"}": {
        "x-should-retry": "false", "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT",
    },
    "status;status=429, set_header;name=retry-after-ms;value=50": {"retry-after-ms": "50"},
    'status;status=503;retry_after_s=2, set_header;name=Retry-After;value="Wed, 21 Oct 2026 07:28:00 GMT"': {
        "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT",
    },
    "status;status=429;retry_after_s=2": {"retry-after": "2"},
    "status;status=429;retry_after_s=0.5": {"retry-after": "1", "retry-after-ms": "500"},
    "status;status=429;retry_after_s=1.0001": {"retry-after": "2", "retry-after-ms": "1001"},
}  # fmt: skip


@pytest.mark.parametrize("text", HEADERS)
def test_faults_set_headers(session: Session, text: str) -> None:
    """Any response header; Retry-After is whole seconds or a date (RFC 9110, 10.2.3)."""
    for answer in (asked(session, headers={"X-Mock-Fault": text}), _armed(session, text)):
        names = ("x-should-retry", "retry-after", "retry-after-ms")
        assert {name: answer.headers[name] for name in names if name in answer.headers} == HEADERS[text]


def _armed(session: Session, text: str) -> Any:
    session.arm(text, times=1)
    return asked(session)


def test_the_sdk_obeys_them(session: Session) -> None:
    """x-should-retry: false ends the official SDK's retries; retry-after-ms shortens its pauses."""
    sdk = client(session, retries=2)
    session.arm('status;status=503;headers={"x-should-retry": "false"}')
    with pytest.raises(APIStatusError):
        sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert len(session.exchanges()) == 1

    session.reset()
    session.arm("status;status=503;retry_after_s=0.02", times=2)
    sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert session.verdict().resilient


# --- heartbeats -------------------------------------------------------------------------------------------------------


def events(*at_ms: float, ending: Ending = Ending.COMPLETE, first: bytes = b"") -> Plan:
    """A plan of events at these times."""
    frames = [b"data: {}\n\n" for _ in at_ms]
    frames[:1] = [first + frames[0]]
    return Plan(200, (), frames, list(at_ms), ending)


BEATS: dict[str, tuple[Plan, list[tuple[float, bytes]]]] = {
    "before the first": (events(250), [(100, b":"), (200, b":"), (250, b"d")]),
    "between two": (events(0, 250), [(0, b"d"), (100, b":"), (200, b":"), (250, b"d")]),
    "no silence": (events(0, 90, 180), [(0, b"d"), (90, b"d"), (180, b"d")]),
    "due when something comes": (events(0, 100), [(0, b"d"), (100, b"d")]),
    "a byte order mark stays first": (events(150, first=BOM), [(100, BOM[:1]), (150, b"d")]),
}  # fmt: skip


@pytest.mark.parametrize("name", BEATS)
def test_silences_are_filled(name: str) -> None:
    """A comment comes each time that nothing has come for so long."""
    plan, expected = BEATS[name]
    made = with_heartbeats(plan, Beat(100))

    assert list(zip(made.at_ms or (), [frame[:1] for frame in made.frames], strict=True)) == expected


def test_a_hanging_stream_beats_on() -> None:
    """Nothing else ever comes, and the client's idle timeout never strikes: for ten minutes."""
    made = with_heartbeats(events(0, ending=Ending.HANG), Beat(1000))

    assert (made.at_ms or ())[-1] == LONGEST_MS - 1000
    assert len(made.frames) == LONGEST_MS // 1000


def test_an_event_is_not_parted() -> None:
    """Where a recording's chunk ends inside an event nothing is put in."""
    plan = Plan(200, (), (b"data: {", b"}\n\n"), (0, 500))

    assert with_heartbeats(plan, Beat(100)) == plan


@pytest.mark.parametrize(("fault", "stream", "start"), [
    ("first_token_delay;ms=45, heartbeat;every_ms=20", True, ": keep-alive\n\n: keep-alive\n\ndata: {"),
    ("heartbeat;every_ms=20, latency;ms=45", True, ": keep-alive\n\n: keep-alive\n\ndata: {"),
    ("latency;ms=45, heartbeat;every_ms=20", False, "\n\n{"),
    ('latency;ms=45, heartbeat;every_ms=20;data=": ping\\n\\n"', True, ": ping\n\n: ping\n\ndata: {"),
])  # fmt: skip
def test_heartbeats_on_the_wire(session: Session, fault: str, stream: bool, start: str) -> None:
    """In silences that other faults make, in whichever order; before a body white space."""
    good = asked(session, stream=stream)
    answer = asked(session, stream=stream, headers={"X-Mock-Fault": fault})

    assert answer.text.startswith(start)
    assert answer.text.endswith(good.text)


def test_the_quirk_fills_an_answers_delay(session: Session) -> None:
    """A chip with heartbeats sends them while an answer waits; the SDK reads the answer as ever."""
    session.answer("你好", delay_ms=750)
    answer = asked(session, stream=True, headers={"X-Mock-Quirks": "heartbeat"})

    assert answer.text.startswith(": keep-alive\n\ndata: {")


@pytest.mark.parametrize(("beats", "seen"), [
    ([700, 1400], "700ms"), ([690, 1410], "700ms"), ([15_000], "15s"), ([3000, 6000], "every 3e+03 ms"), ([], None),
])  # fmt: skip
def test_heartbeats_are_observed(beats: list[float], seen: str | None) -> None:
    """An exchange shows how long nothing came before each; what has no quirk is named."""
    frames = [*[b": keep-alive\n\n" for _ in beats], b"data: {}\n\n"]
    plan = Plan(200, (), frames, [*beats, beats[-1] + 10 if beats else 5.0])
    reading = Reading(Exchange(Request("POST", "/"), plan, len(plan.frames)))

    assert OBSERVERS["frame", "heartbeat"](reading) == seen


# --- the pace and the row of errors -----------------------------------------------------------------------------------


def test_a_pace_for_one_test(session: Session) -> None:
    """Armed or in the header it gives the frames their times, whatever the chip's pace is."""
    session.arm("pace;first_token_ms=20;inter_token_ms=2", times=1)
    asked(session, stream=True)
    assert [at for at, _ in session.last.sends][:4] == [20, 22, 24, 26]

    asked(session, stream=True, headers={"X-Mock-Fault": "pace;first_token_ms=7"})
    assert {at for at, _ in session.last.sends} == {7}

    asked(session, headers={"X-Mock-Fault": "pace;first_token_ms=5;inter_token_ms=1"})
    assert session.last.sends[0][0] > 15, "a body waits for all its pieces"

    session.answer(raw=["data: 1\n\n", (500, "data: 2\n\n")])
    asked(session, stream=True, headers={"X-Mock-Fault": "pace;inter_token_ms=3"})
    assert [at for at, _ in session.last.sends] == [0, 3]


def test_an_armed_400_is_like_any_400_of_the_service(session: Session) -> None:
    """An error by its status has the family and the code that the edition's errors of that status have."""
    own = asked(session, temperature="hot").json()["error"]
    armed = asked(session, headers={"X-Mock-Fault": "status;status=400"}).json()["error"]

    assert {**armed, "message": "", "param": ""} == {**own, "message": "", "param": ""}


# --- the verdict ------------------------------------------------------------------------------------------------------

BROKEN = (
    "error_frame", "error_frame;then=done", "error_frame;then=rest", "cut;after_frames=3;clean=true",
    "cut;after_frames=0;clean=true",
    "status;status=200;body={\"error\": {\"message\": \"busy\"}}", "status;status=200;body={\"code\": 1305}",
)  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_who_asks_again_has_recovered(session: Session, fault: str) -> None:
    """A retry after an answer that broke off politely is one, and the verdict says so."""
    session.arm(fault, times=1)
    for _ in range(2):
        asked(session, stream=True)

    assert [(one.rule, one.mark, one.exchanges) for one in session.verdict().findings] == [
        ("recovered", "good", (1, 2))
    ]


@pytest.mark.parametrize("retries", ["0", None])
def test_an_application_that_asks_again_itself(session: Session, retries: str | None) -> None:
    """Also where its client counts its own retries: the note that nobody asked again would be false."""
    counted = {} if retries is None else {"x-stainless-retry-count": retries}
    session.arm("status;status=503", times=1)
    asked(session, stream=True, headers=counted)
    session.arm("error_frame", times=1)
    asked(session, stream=True, headers={"x-stainless-retry-count": "1"} if counted else {})
    asked(session, stream=True, headers=counted)

    assert "truncated" not in {one.rule for one in session.verdict().findings}


def test_who_does_not_ask_again_is_noted(session: Session) -> None:
    """A raw answer that is only an error is judged by its bytes."""
    session.answer(raw='data: {"error":{"message":"quota exceeded"}}\n\ndata: [DONE]\n\n')
    asked(session, stream=True)
    (finding,) = session.verdict().findings

    assert (finding.rule, finding.mark) == ("truncated", "note")
    assert finding.says == "the last answer broke off (an error in the body) and was not asked for again"
    assert session.last.carried.error == "quota exceeded"
    assert control(session, "GET", "/exchanges/1").json()["response"]["carried"]["error"] == "quota exceeded"

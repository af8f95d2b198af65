"""A test's handle on a running mock: faults, answers, clock and address."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai import OpenAI

from mockserver.pipeline.faults.content import RateLimit
from mockserver.pipeline.faults.transport import Cut
from mockserver.server.control.operations import MOST_WAIT_MS
from mockserver.server.guard import PREFIX
from mockserver.testing import control_client
from mockserver.testing.control_client import CONTROL, MockError
from mockserver.testing.mock_server import MockServer
from mockserver.testing.running_mock import RunningMock
from mockserver.testing.seen_exchange import wire_log
from mockserver.testing.session_journal import LONGEST_WAIT_MS
from tests.fault_cases import cases
from tests.in_thread import WAIT_SECONDS
from tests.session_helpers import asked, asked_without_reading, said

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.testing.session import Session
    from tests.fault_cases import FaultCase

TOKEN = "a-token"  # noqa: S105 - of a mock that lives as long as a test
QUICK = {case.fault.type: case for case in reversed(cases("wire")) if not case.hangs}
"""A row for each fault, the first that hangs not."""


class TestFaults:
    """Arming."""

    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
    @pytest.mark.parametrize("chip", ["nvidia", "chip3"])
    @pytest.mark.parametrize("case", QUICK.values(), ids=str)
    def test_every_fault_is_seen(self, session: Session, case: FaultCase, chip: str, *, stream: bool) -> None:
        """The journal names the fault, and whatever it left of the answer can be told of."""
        session = session.chip(chip)
        session.arm(case.text)
        with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError):
            asked(session, stream=stream)

        seen = session.wait_for(1)[0]
        assert seen.faults == (case.fault.type,)
        assert wire_log([seen])[0] == str(seen)

    @pytest.mark.parametrize(
        "fault",
        ["cut;after_frames=3", {"type": "cut", "after_frames": 3}, Cut(after_frames=3)],
        ids=["text", "mapping", "value"],
    )
    def test_three_ways_to_name_one(self, session: Session, fault: Any) -> None:
        """As in the header, as a mapping, and as a value."""
        session.arm(fault, times=1)

        with pytest.raises(httpx.RemoteProtocolError):
            asked(session, stream=True)
        assert (session.last.ending, session.last.frames_sent) == ("cut", 3)
        assert asked(session, stream=True).text.endswith("data: [DONE]\n\n")

    def test_several_at_once(self, session: Session) -> None:
        """Faults of one text act together, in order."""
        session.arm("latency;ms=1, status;status=429;retry_after_s=2")

        assert asked(session).headers["retry-after"] == "2"
        assert session.last.faults == ("latency", "status")

    def test_all_or_none(self, session: Session) -> None:
        """Where one of several faults is wrong, none of them is armed."""
        with pytest.raises(MockError) as wrong:
            session.arm("latency;ms=1, cut;after=3")

        assert str(wrong.value) == "cut: after: unknown setting; did you mean after_bytes, after_frames?"
        assert session.call("GET", "/faults") == []

    @pytest.mark.parametrize("case", cases("effect"), ids=str)
    def test_a_value_is_armed_as_it_is(self, session: Session, case: FaultCase) -> None:
        """Of a fault given as a value every setting arrives."""
        session.arm(case.fault)

        assert [one["fault"] for one in session.call("GET", "/faults")] == [case.fault.model_dump()]

    def test_a_quota_can_be_left_out(self, session: Session) -> None:
        """None is a value: it takes away a quota that the fault has by default."""
        session.arm(RateLimit(rpm=None, rpd=None, tpm=9))

        (armed,) = session.call("GET", "/faults")
        assert armed["fault"] == {"type": "rate_limit", "rpm": None, "rpd": None, "tpm": 9, "retry_after": False}

    def test_only_some_requests(self, session: Session) -> None:
        """By chip, by stream, by text, every second one."""
        session.arm("status;status=500", chip="chip4")
        session.arm("status;status=501", stream=True)
        session.arm("status;status=502", contains="天气")
        session.arm("status;status=503", contains="twice", every=2)

        assert asked(session).status_code == 200
        assert asked(session.chip("chip4")).status_code == 500
        assert asked(session, stream=True).status_code == 501
        assert asked(session, "今天天气?").status_code == 502
        assert [asked(session, "twice").status_code for _ in range(4)] == [200, 503, 200, 503]
        session.disarm()
        assert asked(session.chip("chip4")).status_code == 200

    WRONG: list[tuple[Any, str]] = [  # noqa: RUF012 - a table for the test below
        ("", "'' names no fault; give one like cut;after_frames=3"),
        ("cutt", "type: 'cutt' is not a fault; did you mean cut?"),
        ("cut;after=3", "cut: after: unknown setting; did you mean after_bytes, after_frames?"),
        (
            {"type": "status", "status": 100},
            "status: status: 100 is not allowed; allowed: greater than or equal to 200",
        ),
        (3, '3 is not allowed; allowed: an object with type, like {"type": "timeout"}'),
    ]

    @pytest.mark.parametrize(("fault", "text"), WRONG, ids=[text[:20] for _, text in WRONG])
    def test_what_is_no_fault(self, session: Session, fault: Any, text: str) -> None:
        """The message names what is allowed."""
        with pytest.raises(MockError) as wrong:
            session.arm(fault)

        assert str(wrong.value) == text


class TestAnswers:
    """Scripted answers."""

    def test_one_after_the_other(self, session: Session) -> None:
        """Each call queues an answer; when they are used up the mock answers as usual."""
        session.answer("first")
        session.answer("second", times=2)

        assert [said(asked(session, "hi")) for _ in range(3)] == ["first", "second", "second"]
        session.assert_all_used()
        assert "“hi”" in said(asked(session, "hi"))

    def test_an_error_uses_nothing_up(self, session: Session) -> None:
        """The attempt that meets an armed error leaves the scripted answer for the next one."""
        session.answer("你好")
        session.arm("latency;ms=1, status;status=503", times=1)

        assert asked(session).status_code == 503
        assert said(asked(session)) == "你好"
        session.assert_all_used()

    UNANSWERED = ("status;status=500", "rate_limit;rpm=0", "timeout", "reset_peer")

    @pytest.mark.parametrize("fault", UNANSWERED)
    def test_what_was_not_sent_is_not_used(self, session: Session, tmp_path: Path, fault: str) -> None:
        """Where not even the head of an answer leaves, no scripted answer and no answer of a fixture is used up."""
        (tmp_path / "a.json").write_text('{"match": {}, "answers": [{"text": "1"}, {"text": "2"}]}', "utf-8")
        session.answer("first")
        session.answer_from(tmp_path / "a.json")
        session.arm(fault, times=1)
        if fault == "timeout":
            with asked_without_reading(session):
                session.wait_for(1, in_flight=True)
        else:
            with contextlib.suppress(httpx.TransportError):
                asked(session, "hi")

        assert [said(asked(session, "hi")) for _ in range(3)] == ["first", "1", "2"]

    def test_its_forms(self, session: Session) -> None:
        """Pieces, calls of functions, errors, blocked answers, usage."""
        session.answer(pieces=["one", "two"], usage={"prompt_tokens": 5, "completion_tokens": 9})
        session.answer(tool_calls=[{"name": "weather", "arguments": {"city": "北京"}}])
        session.answer(error="rate-limited")
        session.answer("so far", blocked=True)

        assert asked(session).json()["usage"]["total_tokens"] == 14
        asked(session)
        assert session.last.carried.tool_calls == ("weather",)
        assert session.last.carried.finish_reason == "tool_calls"
        assert asked(session).status_code == 429
        asked(session, stream=True)
        assert session.last.carried.blocked

    def test_by_match(self, session: Session) -> None:
        """An answer waits for the requests that it is for."""
        session.answer("for chip3", chip="chip3", times=None)
        session.answer("for you", contains="you")

        assert said(asked(session.chip("chip3"))) == "for chip3"
        assert said(asked(session, "and you?")) == "for you"

    def test_what_was_not_used_and_what_was_not_scripted(self, session: Session) -> None:
        """Both are told, each in a line."""
        session.answer("never", contains="never", times=2)
        asked(session)

        assert [one["number"] for one in session.unmet] == [1]
        assert session.unexpected == 1
        with pytest.raises(AssertionError) as failed:
            session.assert_all_used()
        assert str(failed.value).splitlines() == [
            "answer 1 (contains=never) was used 0 of 2 times",
            "1 request came that no scripted answer was for",
        ]

    def test_parts_that_do_not_go_together(self, session: Session) -> None:
        """The control API's reason is passed on."""
        with pytest.raises(MockError) as wrong:
            session.answer("x", pieces=["x"])

        assert str(wrong.value) == (
            "POST /_mock/answers: 400: answer: text and pieces exclude each other; pieces joined are the text"
        )


def test_requests_that_cannot_come(session: Session) -> None:
    """A fault or an answer for a chip or a model that the edition lacks is refused: it would wait for ever."""
    said: list[str] = []
    with pytest.raises(MockError) as wrong:
        session.arm("drop_done", chip="chip33")
    said.append(str(wrong.value))
    with pytest.raises(MockError) as wrong:
        session.answer("hi", model="mt-infini-3c")
    said.append(str(wrong.value))

    assert said == [
        "chip 'chip33' is not in edition 2024-tutorial; did you mean chip3, chip5, chip4?",
        (
            "model 'mt-infini-3c' is not in edition 2024-tutorial; did you mean "
            "mt-infini-3b, llama-3-infini-8b-instruct, infini-megrez-7b?"
        ),
    ]
    assert session.unmet == []


def test_quotas_run_on_a_clock_that_can_be_moved(session: Session, mock: MockServer) -> None:
    """A minute later the quota is free again, and the clock of no other namespace has moved."""
    session.arm("rate_limit;rpm=1")
    with mock.session() as other:
        before = other.clock.elapsed_ms

        assert [asked(session).status_code for _ in range(2)] == [200, 429]
        session.clock.advance(60_000)
        assert asked(session).status_code == 200
        session.clock.advance(86_400_000)
        assert other.clock.elapsed_ms - before < 86_400_000


def test_a_token_quota_counts_what_the_answer_says_it_used(session: Session) -> None:
    """An answer that `max_tokens` cut short weighs what stands in its `usage`, not what it would have been."""
    session.arm({"type": "rate_limit", "rpm": None, "rpd": None, "tpm": 46})

    used = [asked(session, max_tokens=1).json()["usage"]["total_tokens"] for _ in range(2)]

    assert used == [23, 23]
    assert asked(session).status_code == 429
    assert session.last.detail == "rate limit: 46 of 46 tokens a minute used; free again in 60 s"


def test_a_stall_beyond_the_end_leaves_the_connection_whole(session: Session) -> None:
    """An answer that is one frame does not stall after four: the next request on its connection is answered too."""
    session.arm("stall;after_frames=4", times=1)
    with OpenAI(base_url=session.base_url, api_key=session.api_key, timeout=WAIT_SECONDS, max_retries=0) as sdk:
        for _ in range(2):
            sdk.chat.completions.create(model="any", messages=[{"role": "user", "content": "你是谁?"}])

    assert [one.ending for one in session.wait_for(2)] == ["complete", "complete"]


def test_views_of_one_namespace(session: Session) -> None:
    """`chip` and `model` change the address alone."""
    other = session.chip("chip5").model("qwen-7b-chat")

    assert other.base_url == f"{session.url}/maas/qwen-7b-chat/chip5"
    assert other.api_key == session.api_key
    assert other.env() == {
        "OPENAI_BASE_URL": other.base_url, "OPENAI_API_BASE": other.base_url, "OPENAI_API_KEY": session.api_key,
    }  # fmt: skip
    asked(other)
    assert session.last.chip == "chip5"


def test_set_env(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK that is told nothing asks the session."""
    session.set_env(monkeypatch)
    OpenAI().chat.completions.create(model="any", messages=[{"role": "user", "content": "hi"}])

    assert session.last.status == 200


def test_a_proxy_is_led_past(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names a proxy, which knows nothing of our loopback, the SDK still reaches the mock."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "intranet")
    session.set_env(monkeypatch)
    OpenAI(max_retries=0).chat.completions.create(model="any", messages=[{"role": "user", "content": "hi"}])

    assert session.last.status == 200


def test_places_where_no_mock_is() -> None:
    """A wrong address, nobody there, and a mock that asks for its token."""
    with pytest.raises(MockError) as wrong:
        RunningMock("localhost:8777")
    assert str(wrong.value) == "'localhost:8777' is not the address of a mock; allowed: http(s)://HOST:PORT"
    with MockServer() as gone:
        url = gone.url
    with pytest.raises(MockError) as wrong:
        RunningMock(url).session()
    assert str(wrong.value).startswith(f"{url}: no mock answers there: ")  # and the system's words
    with MockServer(control_token=TOKEN) as guarded, pytest.raises(MockError) as wrong:
        RunningMock(guarded.url).session()
    assert str(wrong.value) == (
        "POST /_mock/reset: 401: X-Mock-Token: missing or wrong; the server printed it when it started"
    )


OTHERS: dict[str, tuple[str, str | None]] = {
    "patch": ("0.2.9", None),
    "minor": ("0.3.0", "install 0.2 here, or start 0.3 there"),
    "major": ("1.4.0", "install 0.2 here, or start 1 there"),
}


@pytest.mark.parametrize(("ours", "advice"), OTHERS.values(), ids=OTHERS)
def test_a_mock_of_another_version(
    mock: MockServer, monkeypatch: pytest.MonkeyPatch, ours: str, advice: str | None
) -> None:
    """The mock may run in another environment: what cannot be understood is told before anything is asked."""
    theirs = mock.call("GET", "/health")["version"]
    assert theirs.startswith("0.2.")
    monkeypatch.setattr(control_client, "__version__", ours)
    running = RunningMock(mock.url)
    if advice is None:
        assert running.session().exchanges() == []
        return
    with pytest.raises(MockError) as wrong:
        running.session()

    what = f"genstudio-mock {theirs} runs there and {ours} is installed here, whose control APIs differ"
    assert str(wrong.value) == f"{mock.url}: {what}; {advice}"


URL = "http://127.0.0.1:8777"


def test_something_else_with_an_api_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers in JSON, but not as a mock does."""
    monkeypatch.setattr(RunningMock, "text", lambda *_, **__: '{"status": "up"}')

    with pytest.raises(MockError) as wrong:
        RunningMock(URL).session()

    assert str(wrong.value) == f"{URL}: no health of a mock, but {{'status': 'up'}}; is this a mock?"


def test_a_token_is_passed_on() -> None:
    """With the token the control API lets a session in."""
    with MockServer(control_token=TOKEN) as guarded:
        assert RunningMock(guarded.url, TOKEN).session().exchanges() == []


def test_one_path_of_the_control_api() -> None:
    """The session asks where the control API answers, and waits no longer than it allows."""
    assert CONTROL == PREFIX
    assert LONGEST_WAIT_MS == MOST_WAIT_MS

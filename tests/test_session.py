"""A test's handle on a running mock: faults, answers, what was seen, and what the client made of it."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai import APIStatusError, OpenAI

from mockserver.client_saw import NothingAskedError, SilentEmptyError, WrongTextError
from mockserver.errors import OperatorError
from mockserver.live import MockServer
from mockserver.pipeline.disturb import FAULT_TYPES
from mockserver.pipeline.faults_transport import Cut
from mockserver.running import CONTROL, MockError, RunningMock
from mockserver.seen import wire_log
from mockserver.server.control import PREFIX
from mockserver.server.operations import MOST_WAIT_MS
from mockserver.session import LONGEST_WAIT_MS
from tests.session_helpers import asked, client, control, said

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.session import Session

CHIPS = ("nvidia", "amd", "chip1", "chip2", "chip3", "chip4", "chip5")
BARE = ("chip3", "chip4", "chip5")
"""Chips that stream bare JSON lines, in the edition of the tutorial."""
TOKEN = "a-token"  # noqa: S105 - of a mock that lives as long as a test


def streamed(session: Session, text: str = "你是谁?") -> str:
    """What the SDK makes of a stream."""
    chunks = client(session).chat.completions.create(
        model="any", messages=[{"role": "user", "content": text}], stream=True
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


class TestClientSaw:
    """What the application shows against what went over the wire."""

    @pytest.mark.parametrize("chip", CHIPS)
    def test_the_silent_empty_answer_is_caught(self, session: Session, chip: str) -> None:
        """The SDK shows nothing of bare JSON lines and raises nothing; on the other chips it shows all."""
        session = session.chip(chip)
        shown = streamed(session)

        if chip not in BARE:
            session.assert_client_saw(shown)
            return
        with pytest.raises(SilentEmptyError) as caught:
            session.assert_client_saw(shown)
        assert str(caught.value).startswith(
            f"the client saw nothing, but {chip} sent 17 content chunks as json-lines; '我是来自无问芯穹"
        )
        assert "(exchange 1, 200 application/json, complete); these are bare JSON lines without `data:`" in str(
            caught.value
        )
        assert caught.value.exchanges[0].carried.text.startswith("我是")

    def test_a_text_that_was_cut_short(self, session: Session) -> None:
        """The message says where the texts part."""
        session.answer("一二三四")
        asked(session)

        with pytest.raises(WrongTextError) as caught:
            session.assert_client_saw("一二")
        assert str(caught.value).endswith("; what the client saw stops after 2 of 4 characters")
        with pytest.raises(WrongTextError, match="the client saw 2 more characters: '五六'"):
            session.assert_client_saw("一二三四五六")
        with pytest.raises(WrongTextError, match="they part at character 1: '两三四' for '二三四'"):
            session.assert_client_saw("一两三四")

    def test_several_exchanges_shown_together(self, session: Session) -> None:
        """An application that asks twice shows both answers."""
        session.answer("one ")
        session.answer("two")
        asked(session)
        asked(session)

        session.assert_client_saw("two")
        session.assert_client_saw("one two", exchanges=2)

    def test_an_error_is_no_silent_answer(self, session: Session) -> None:
        """Where the wire carried no content, nothing is what the client should see."""
        session.answer(error={"status": 503, "message": "busy"})
        asked(session)

        session.assert_client_saw("")
        session.assert_client_saw(None)
        with pytest.raises(WrongTextError, match="there was no content on the wire"):
            session.assert_client_saw("an apology")

    def test_nothing_was_asked(self, session: Session) -> None:
        """A client with another address or key is told so, and passes nothing."""
        text = "no request came to this namespace; see that the client uses the session's base_url and api_key"
        with pytest.raises(NothingAskedError) as caught:
            session.assert_client_saw("")
        assert str(caught.value) == text
        with pytest.raises(AssertionError, match="no request came"):
            _ = session.last
        with pytest.raises(AssertionError, match="no request came"):
            session.assert_resilient()

    @pytest.mark.parametrize("chip", ["nvidia", "chip3"])
    @pytest.mark.parametrize(
        "fault", ["slicer;average_bytes=3;delay_ms=0", "bandwidth;bytes_per_s=1000000", "drop_done"]
    )
    def test_faults_that_lose_nothing(self, session: Session, chip: str, fault: str) -> None:
        """However the bytes are portioned, what was said can be read from them."""
        session = session.chip(chip)
        session.answer("汉字 and 🙂")
        session.arm(fault)
        asked(session, stream=True)

        assert session.last.carried.text == "汉字 and 🙂"
        assert session.last.carried.framing == ("json-lines" if chip in BARE else "sse")


NEEDED = {
    "status": ";status=500", "latency": ";ms=1", "first_token_delay": ";ms=1", "stall": ";after_frames=1;ms=1",
    "cut": ";after_frames=3", "limit_data": ";bytes=300", "timeout": "", "bandwidth": ";bytes_per_s=1000000",
    "slow_close": ";ms=1", "drop_field": ";field=choices", "slicer": ";delay_ms=0",
}  # fmt: skip


class TestFaults:
    """Arming."""

    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
    @pytest.mark.parametrize("chip", ["nvidia", "chip3"])
    @pytest.mark.parametrize("name", [name for name in FAULT_TYPES if name != "timeout"])
    def test_every_fault_is_seen(self, session: Session, name: str, chip: str, *, stream: bool) -> None:
        """The journal names the fault, and whatever it left of the answer can be told of."""
        session = session.chip(chip)
        session.arm(name + NEEDED.get(name, ""))
        with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError):
            asked(session, stream=stream)

        seen = session.wait_for(1)[0]
        assert seen.faults == (name,)
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
        ("cutt", "type: 'cutt' is not a fault; did you mean cut?"),
        ("cut;after=3", "cut: after: unknown setting; did you mean after_bytes, after_frames?"),
        (
            {"type": "status", "status": 200},
            "status: status: 200 is not allowed; allowed: greater than or equal to 400",
        ),
    ]

    @pytest.mark.parametrize(("fault", "text"), WRONG, ids=[text[:20] for _, text in WRONG])
    def test_what_is_no_fault(self, session: Session, fault: Any, text: str) -> None:
        """The message names what is allowed."""
        with pytest.raises(MockError) as wrong:
            session.arm(fault)

        assert text in str(wrong.value)


class TestAnswers:
    """Scripted answers."""

    def test_one_after_the_other(self, session: Session) -> None:
        """Each call queues an answer; when they are used up the mock answers as usual."""
        session.answer("first")
        session.answer("second", times=2)

        assert [said(asked(session, "hi")) for _ in range(3)] == ["first", "second", "second"]
        session.assert_all_used()
        assert "synthetic" in said(asked(session, "hi"))

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
        with contextlib.suppress(httpx.TransportError):
            asked(session, "hi", timeout_s=0.2)

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
        with pytest.raises(MockError, match=r"POST /_mock/answers: 400: .*text and pieces exclude each other"):
            session.answer("x", pieces=["x"])


class TestFixtureFiles:
    """Fixture files as scripted answers."""

    def test_a_folder(self, session: Session, tmp_path: Path) -> None:
        """Exact texts come before others, a chip's folder counts for that chip, sequences go on."""
        exact = {"match": {"user": "你是谁？"}, "answer": {"text": "exact"}}  # matched after NFKC
        chip = {"match": {"user": {"contains": "谁"}}, "answer": {"text": "chip3's"}}
        turns = {"match": {"user": {"regex": "^count"}}, "answers": [{"text": "one"}, {"text": "two"}], "then": "error"}
        for name, data in {"any/any/a.json": exact, "any/chip3/b.json": chip, "any/any/c.json": turns}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(data), "utf-8")
        session.answer_from(tmp_path)

        assert said(asked(session)) == "exact"
        assert said(asked(session.chip("chip3"), "谁?")) == "chip3's"
        assert said(asked(session, "谁?")) != "chip3's"
        assert [said(asked(session, "count")) for _ in range(2)] == ["one", "two"]
        assert asked(session, "count").status_code == 404

    def test_answers_that_cycle(self, session: Session, tmp_path: Path) -> None:
        """After the last the first comes again; all are used once each has been said."""
        cycle = {"match": {"user": "next"}, "answers": [{"text": "a"}, {"text": "b"}], "then": "cycle"}
        (tmp_path / "a.json").write_text(json.dumps(cycle), "utf-8")
        session.answer_from(tmp_path / "a.json")

        assert said(asked(session, "next")) == "a"
        assert [one["used"] for one in session.unmet] == [1]
        assert [said(asked(session, "next")) for _ in range(4)] == ["b", "a", "b", "a"]
        session.assert_all_used()

    def test_expired_files_of_a_folder(self, session: Session, tmp_path: Path) -> None:
        """They are left out, beside one whose last day is far."""
        for name, text, day in (("a", "old", "2024-02-29"), ("b", "new", "9999-12-31")):
            fixture = {"match": {"user": "which?"}, "answer": {"text": text}, "expires": day}
            (tmp_path / f"{name}.json").write_text(json.dumps(fixture), "utf-8")
        session.answer_from(tmp_path)

        assert said(asked(session, "which?")) == "new"
        assert len(control(session, "GET", "/answers").json()["answers"]) == 1

    def test_another_test_does_not_see_it(self, session: Session, mock: MockServer, tmp_path: Path) -> None:
        """What is scripted here is answered here alone."""
        (tmp_path / "a.json").write_text('{"match": {}, "answer": {"text": "mine"}}', "utf-8")
        session.answer_from(tmp_path / "a.json")

        with mock.session() as other:
            assert said(asked(session)) == "mine"
            assert said(asked(other)) != "mine"

    WRONG: list[tuple[str, str]] = [  # noqa: RUF012 - a table for the test below
        ('{"match": {}}', "a.json: give either answer or answers"),
        (
            '{"match": {}, "answer": {"text": "x"}, "expires": "2024-02-29"}',
            "a.json: expires: 2024-02-29 is over; it no longer fits any request",
        ),
        ('{"request": {}, "response": {}}', "is a recording; allowed here: a fixture with match and answer"),
    ]

    @pytest.mark.parametrize(("data", "text"), WRONG, ids=["no answer", "expired", "recording"])
    def test_files_that_cannot_be_scripted(self, session: Session, tmp_path: Path, data: str, text: str) -> None:
        """One line names the file and what is allowed."""
        path = tmp_path / "a.json"
        path.write_text(data, "utf-8")

        with pytest.raises(OperatorError) as wrong:
            session.answer_from(path)

        assert str(path) in str(wrong.value)
        assert text in str(wrong.value)

    def test_places_without_fixtures(self, session: Session, tmp_path: Path) -> None:
        """A path that is missing, and a folder that holds nothing."""
        with pytest.raises(OperatorError, match="nowhere: no such file or folder"):
            session.answer_from(tmp_path / "nowhere")
        with pytest.raises(OperatorError, match="holds no fixture"):
            session.answer_from(tmp_path)


class TestSeen:
    """What happened."""

    def test_an_exchange(self, session: Session) -> None:
        """Request, answer and what it said; the key is nowhere."""
        asked(session.chip("chip4"), temperature=0.5, stream=True)

        seen = session.last
        assert (seen.number, seen.method, seen.status, seen.chip, seen.stream) == (1, "POST", 200, "chip4", True)
        assert seen.request["temperature"] == 0.5
        assert seen.content_type == "application/json"
        assert seen.frames_sent == seen.frames_planned == len(seen.sends) == 19
        assert seen.carried.chunks == 17
        assert session.api_key not in repr(seen)

    def test_queries(self, session: Session) -> None:
        """By chip, status, stream, text and number."""
        asked(session, "one")
        asked(session.chip("chip4"), "two", stream=True)
        asked(session, model=5)

        def numbers(**query: Any) -> list[int]:
            return [one.number for one in session.exchanges(**query)]

        assert numbers() == [1, 2, 3]
        assert numbers(chip="chip4") == numbers(stream=True) == numbers(text="two") == [2]
        assert numbers(status=400) == numbers(after=2) == [3]

    def test_waiting_for_exchanges(self, session: Session) -> None:
        """Who waits is told as soon as they are there."""
        asking = threading.Thread(target=lambda: [asked(session) for _ in range(2)])
        asking.start()

        assert len(session.wait_for(2)) == 2
        asking.join()

    def test_waiting_in_vain(self, session: Session) -> None:
        """The message tells what came instead."""
        asked(session)

        with pytest.raises(TimeoutError, match=r"waited 0\.01 s for 2 exchanges and saw 1: #1  POST  /maas/"):
            session.wait_for(2, timeout_s=0.01)

    def test_wire_log(self, session: Session) -> None:
        """An exchange is a line, its first and last frame, and what it said or why it was refused."""
        asked(session.chip("chip3"), stream=True)
        asked(session, model=5)

        first, head, tail, what, second, frame, why = wire_log(session.exchanges())
        assert first.startswith("#1  POST  /maas/mt-infini-3b/chip3/chat/completions  200  application/json  complete")
        assert head.startswith('    first  \'{"id":')
        assert "finish_reason" in tail or "usage" in tail
        assert what.startswith("    said   17 content chunks as json-lines; '我是")
        assert second.startswith("#2  POST  /maas/mt-infini-3b/nvidia/chat/completions  400")
        assert frame.startswith("    first")
        assert why.startswith("    why    ")

    def test_a_long_wire_log_is_cut(self, session: Session) -> None:
        """The last ten exchanges are shown."""
        for _ in range(12):
            asked(session)

        log = wire_log(session.exchanges())
        assert log[0] == "(2 earlier exchanges left out)"
        assert log[1].startswith("#3 ")

    def test_reset(self, session: Session) -> None:
        """Nothing is left of what was set up and seen."""
        session.arm("status;status=500")
        session.answer("x")
        asked(session)
        session.reset()

        assert session.exchanges() == []
        assert session.unmet == []
        assert asked(session).status_code == 200
        assert session.last.number == 1


class TestVerdict:
    """What the exchanges say of the client."""

    def test_a_client_that_gives_up_at_once(self, session: Session) -> None:
        """The failure says what was seen and what to do about it."""
        session.arm("status;status=503")
        with pytest.raises(APIStatusError):
            client(session).chat.completions.create(model="any", messages=[{"role": "user", "content": "hi"}])

        assert not session.verdict().resilient
        with pytest.raises(AssertionError) as failed:
            session.assert_resilient()
        assert str(failed.value) == (
            "the client is not resilient:\nbad: gave-up: ended with 503 after 1 attempt (#1); "
            "retry 429 and 5xx a few times before giving up"
        )

    def test_a_client_that_comes_back(self, session: Session) -> None:
        """The SDK's own retry is resilient."""
        session.arm("status;status=503", times=1)
        client(session, retries=1).chat.completions.create(model="any", messages=[{"role": "user", "content": "hi"}])

        session.assert_resilient()
        assert "good: recovered: a good answer at attempt 2 (#1, #2)" in str(session.verdict())


def test_quotas_run_on_a_clock_that_can_be_moved(session: Session, mock: MockServer) -> None:
    """A minute later the quota is free again, and the clock of no other namespace has moved."""
    session.arm("rate_limit;rpm=1")
    with mock.session() as other:
        before = other.clock.elapsed_ms

        assert [asked(session).status_code for _ in range(2)] == [200, 429]
        session.clock.advance(60_000)
        assert asked(session).status_code == 200
        assert other.clock.elapsed_ms - before < 50_000


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


def test_places_where_no_mock_is() -> None:
    """A wrong address, nobody there, and something that is no mock."""
    with pytest.raises(MockError, match="'localhost:8777' is not the address of a mock; allowed: http://HOST:PORT"):
        RunningMock("localhost:8777")
    with MockServer() as gone:
        url = gone.url
    with pytest.raises(MockError, match=f"{url}: no mock answers there: "):
        RunningMock(url).session()
    with MockServer(control_token=TOKEN) as guarded, pytest.raises(MockError, match="401: X-Mock-Token: missing"):
        RunningMock(guarded.url).session()


def test_a_token_is_passed_on() -> None:
    """With the token the control API lets a session in."""
    with MockServer(control_token=TOKEN) as guarded:
        assert RunningMock(guarded.url, TOKEN).session().exchanges() == []


def test_one_path_of_the_control_api() -> None:
    """The session asks where the control API answers, and waits no longer than it allows."""
    assert CONTROL == PREFIX
    assert LONGEST_WAIT_MS == MOST_WAIT_MS

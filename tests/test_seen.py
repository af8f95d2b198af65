"""What a test sees of what happened: exchanges, the wire log, the verdict."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from openai import APIStatusError

from mockserver.testing.control_client import MockError
from mockserver.testing.mock_server import MockServer
from mockserver.testing.seen_exchange import wire_log
from tests.session_helpers import asked, asked_without_reading, client, silence_of

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types.chat import ChatCompletionMessageParam

    from mockserver.testing.session import Session


HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]


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

    @pytest.mark.parametrize("fault", ["timeout", "stall;after_frames=2"])
    def test_a_client_that_gave_up(self, session: Session, fault: str) -> None:
        """What hung is there as soon as the client has left: nobody need wait for it."""
        session.arm(fault)
        silence = silence_of(session)
        with asked_without_reading(session, stream=True):
            assert silence()

        assert (session.last.ending, session.last.client_left) == ("hang", True)

    def test_save(self, session: Session, tmp_path: Path) -> None:
        """An exchange is kept as a fixture file, with which a mock answers to the byte; the key is not in it."""
        before = asked(session.chip("chip3"), stream=True)
        asked(session)
        path = tmp_path / "mt-infini-3b" / "chip3" / "who.json"
        path.parent.mkdir(parents=True)
        session.save(path, 1)

        assert session.api_key not in path.read_text("utf-8")
        assert [one.name for one in path.parent.iterdir()] == ["who.json"]
        with MockServer(fixtures=[tmp_path], strict=True) as other, other.session() as replayed:
            assert asked(replayed.chip("chip3"), stream=True).content == before.content
            assert replayed.last.source != "synthetic"

    def test_what_cannot_be_saved(self, session: Session, tmp_path: Path) -> None:
        """The reason is told, and no file is written."""
        asked(session, model=5)
        for number, text in {
            9: "404: exchange 9 is not in the journal of key-",
            1: "409: exchange 1 was refused before it was understood as a chat, so no fixture can answer it",
        }.items():
            with pytest.raises(MockError) as wrong:
                session.save(tmp_path / "x.json", number)
            assert str(wrong.value).rstrip("0123456789") == f"GET /_mock/exchanges/{number}/fixture: {text}"
        assert list(tmp_path.iterdir()) == []

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
            client(session).chat.completions.create(model="any", messages=HELLO)

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
        client(session, retries=1).chat.completions.create(model="any", messages=HELLO)

        session.assert_resilient()
        assert "good: recovered: a good answer at attempt 2 (#1, #2)" in str(session.verdict())

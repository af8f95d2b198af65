"""What an application shows against what went over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from mockserver.testing.client_saw import NothingAskedError, SilentEmptyError, WrongTextError
from tests.session_helpers import BARE, CHIPS, asked, streamed

if TYPE_CHECKING:
    from mockserver.testing.session import Session


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
        assert str(caught.value) == (
            f"the client saw nothing, but {chip} sent 17 content chunks as json-lines; "
            "'我是来自无问芯穹的超大规模语言模型,我叫无问天权。'; finish_reason stop "
            "(exchange 1, 200 application/json, complete); these are bare JSON lines without `data:`, "
            "which a reader of server-sent events, that of the OpenAI SDKs "
            "among them, skips without an error: read the body line by line and parse each line as JSON, or ask with "
            "stream=false"
        )
        assert caught.value.exchanges[0].carried.text.startswith("我是")

    OTHER: ClassVar = {
        "一二": "what the client saw stops after 2 of 4 characters",
        "一二三四五六": "the client saw 2 more characters: '五六'",
        "一两三四": "they part at character 1: '两三四' for '二三四'",
    }

    @pytest.mark.parametrize(("shown", "text"), OTHER.items(), ids=OTHER)
    def test_another_text(self, session: Session, shown: str, text: str) -> None:
        """The message says where the texts part."""
        session.answer("一二三四")
        asked(session)

        with pytest.raises(WrongTextError) as caught:
            session.assert_client_saw(shown)
        assert str(caught.value) == (
            f"the client saw '{shown}', but nvidia sent 1 content chunk as json; '一二三四'; finish_reason stop "
            f"(exchange 1, 200 application/json, complete); {text}"
        )

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
        with pytest.raises(WrongTextError) as caught:
            session.assert_client_saw("an apology")
        assert str(caught.value) == (
            "the client saw 'an apology', but nvidia sent 0 content chunks as json; no finish_reason "
            "(exchange 1, 503 application/json; charset=utf-8, complete); there was no content on the wire"
        )

    def test_nothing_was_asked(self, session: Session) -> None:
        """A client with another address or key is told so, and passes nothing."""
        for look in (
            lambda: session.assert_client_saw(""),
            lambda: session.last,
            session.assert_resilient,
            lambda: session.save("nowhere.json"),
        ):
            with pytest.raises(NothingAskedError) as caught:
                look()
            assert str(caught.value) == (
                "no request came to this namespace; see that the client uses the session's base_url and api_key"
            )

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

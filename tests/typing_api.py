"""What a user of the package writes, checked by mypy and never run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_type

from mockserver.pipeline.pace import PaceSettings
from mockserver.server.app import App
from mockserver.settings.config import Config
from mockserver.testing.mock_server import MockServer, asgi_app
from mockserver.testing.running_mock import Edition, RunningMock
from mockserver.testing.seen import Seen, Verdict
from mockserver.testing.session import Session

if TYPE_CHECKING:
    import pytest

    from mockserver.pipeline.faults.transport import Cut


def with_fixtures(
    genstudio_mock: Session, genstudio_mock_server: RunningMock, monkeypatch: pytest.MonkeyPatch, cut: Cut
) -> None:
    """The fixtures, as a test annotates them."""
    assert_type(genstudio_mock.chip("chip3").model("a-model").base_url, str)
    assert_type(genstudio_mock.env(), dict[str, str])
    genstudio_mock.set_env(monkeypatch)
    genstudio_mock.arm("cut;after_frames=3", times=1, every=2, probability=0.5, chip="chip3", stream=True)
    genstudio_mock.arm({"type": "timeout"})
    genstudio_mock.arm(cut)
    genstudio_mock.arm("timeout", colour="red")  # type: ignore[call-arg]
    genstudio_mock.answer("text", times=None, chip="chip3", contains="hi")
    genstudio_mock.answer(pieces=["a", "b"], usage={"prompt_tokens": 1, "completion_tokens": 3}, delay_ms=5)
    genstudio_mock.answer(tool_calls=[{"name": "weather", "arguments": {}}], finish_reason="tool_calls")
    genstudio_mock.answer(txt="text")  # type: ignore[call-arg]
    assert_type(genstudio_mock.exchanges(chip="chip3", status=200, after=1), list[Seen])
    assert_type(genstudio_mock.wait_for(2, timeout_s=1.0, stream=True), list[Seen])
    assert_type(genstudio_mock.last.status, int | None)
    assert_type(genstudio_mock.last.carried.text, str)
    assert_type(genstudio_mock.verdict(), Verdict)
    assert_type(genstudio_mock_server.edition, Edition)


def with_a_server() -> None:
    """In a thread, and without a socket."""
    with MockServer(edition="2025-reference", model=["own"], seed=1) as mock, mock.session() as session:
        assert_type(mock, MockServer)
        assert_type(session, Session)
    assert_type(asgi_app(strict=True), App)
    MockServer(editon="2025-reference")  # type: ignore[call-arg]
    MockServer(replay="regenerate", speed=10, pace="recorded", clock="real", fixtures=[Path("answers"), "more"])
    MockServer(pace=PaceSettings(first_token_ms=300), moderation={"input_words": ["x"]})
    MockServer(Config(seed=1), host="::1", port=8777, grace_seconds=1, strict=True, control=False)
    MockServer(replay="anew")  # type: ignore[arg-type]
    MockServer(uds="socket")  # type: ignore[call-arg]
    asgi_app(port=8777)  # type: ignore[call-arg]


async def asynchronously() -> None:
    """In async code."""
    async with MockServer() as mock:
        assert_type(mock.base_url(chip="chip3"), str)

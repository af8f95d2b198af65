"""Models and chips that served answers name are served, and the ready block says where they come from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mockserver import MockServer
from mockserver.cli.ready import ready_block
from mockserver.cli.terminal import Console
from mockserver.core.errors import OperatorError
from mockserver.server.guard import Guard
from mockserver.settings.assemble import build
from mockserver.settings.config import Config
from tests.recording_helpers import LINES_HEAD, RawUpstream, ask, chat_body, chunked, recording_of

if TYPE_CHECKING:
    from pathlib import Path

LINE = b'{"id": "c-1", "choices": [{"index": 0, "delta": {"content": "hi"}}]}\n'
PATH = "/maas/gpt-4o/a100/chat/completions"


def asked(mock: MockServer, path: str, body: Any) -> httpx.Response:
    """A request without the SDK."""
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    return httpx.post(mock.url + path, content=body, headers=headers, trust_env=False)


@pytest.mark.parametrize("strict", [True, False])
def test_a_recorded_model_is_served(strict: bool, tmp_path: Path) -> None:
    """What `record` kept of a model and a chip that no document names is answered, also with --strict."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        ask(proxy.port, PATH)
    with MockServer(Config(fixtures=(tmp_path,), strict=strict, port=0)) as mock:
        answer = asked(mock, PATH, chat_body())
    assert (answer.status_code, answer.content) == (200, LINE)


def test_a_fixtures_model_is_served_and_told(tmp_path: Path) -> None:
    """A folder's model is served; the block of the start says why it is there."""
    (tmp_path / "my-model" / "my-chip").mkdir(parents=True)
    fixture = {"match": {"user": "hello"}, "answer": {"text": "one"}}
    (tmp_path / "my-model" / "my-chip" / "hello.json").write_text(json.dumps(fixture))
    config = Config(fixtures=(tmp_path,), strict=True, port=0)
    with MockServer(config) as mock:
        answer = asked(mock, "/maas/my-model/my-chip/chat/completions", chat_body("hello", stream=False))
    assert answer.status_code == 200
    assert "one" in answer.text

    class Nowhere:
        def isatty(self) -> bool:
            return False

    console: Any = Console(Nowhere(), Nowhere(), {})  # type: ignore[arg-type]
    lines = ready_block("http://127.0.0.1:1", build(config).edition, config, Guard(), console)
    assert any("my-chip, my-model: named by served answers" in line for line in lines)


@pytest.mark.parametrize("text", ['{"response": 1}', "{"], ids=["recording", "half-written"])
def test_a_broken_file_at_the_start(text: str, tmp_path: Path) -> None:
    """It is named and the rest is served; with --strict, where nothing would answer in its place, the start ends."""
    (tmp_path / "broken.json").write_text(text)
    with MockServer(Config(fixtures=(tmp_path,), port=0)) as mock:
        assert asked(mock, "/maas/mt-infini-3b/chip3/chat/completions", chat_body()).status_code == 200
    with pytest.raises(OperatorError, match=r"broken\.json: "):
        build(Config(fixtures=(tmp_path,), strict=True))

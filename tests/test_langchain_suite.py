"""LangChain's own integration suite for chat models, run on `ChatOpenAI` against the mock.

What only a model that understands could answer is written as fixtures, as a user of the mock would.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from mockserver.settings.assemble import build
from mockserver.settings.config import Config
from tests.conftest import KEY, serve
from tests.third_party import library

library("langchain_tests")
from langchain_core.messages import HumanMessage  # noqa: E402 - none of them where the suite is not
from langchain_openai import ChatOpenAI  # noqa: E402
from langchain_tests.integration_tests import ChatModelIntegrationTests  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.language_models import BaseChatModel

MODEL = "qwen2.5-vl-7b-instruct"
OTHER_MODEL = "qwen2.5-vl-72b-instruct"


def called(function: str, **arguments: Any) -> dict[str, Any]:
    """A fixture's answer that calls one function."""
    return {"tool_calls": [{"name": function, "arguments": arguments}]}


UNDERSTOOD: list[tuple[str, dict[str, Any]]] = [
    ("magic_function(3)", called("magic_function", input=3)),
    ("你好啊集团", called("unicode_customer", customer_name="你好啊集团", description="科技公司")),
    ("こんにちは株式会社", called("unicode_customer", customer_name="こんにちは株式会社", description="会社")),
    ("JSON with 'setup' and 'punchline'", {"text": '{"setup": "Why do cats purr?", "punchline": "They may."}'}),
]
"""A text of the last user message, and the answer: what a generator of valid values cannot know."""

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server with the fixtures above."""
    folder = tmp_path_factory.mktemp("fixtures") / MODEL / "any"
    folder.mkdir(parents=True)
    for number, (asked, answer) in enumerate(UNDERSTOOD):
        written = {"match": {"user": {"contains": asked}}, "answer": answer}
        (folder / f"{number}.json").write_text(json.dumps(written), "utf-8")
    with serve(build(Config(edition="2025-reference", fixtures=(folder.parents[1],))).service) as live:
        yield live.base_url("nvidia", MODEL)


@pytest.mark.anyio
# The SDK types `parsed` of a plain message as None, and pydantic says so when LangChain dumps what parse() returned.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
# One test hands in a model of pydantic's first version on purpose, and LangChain falls back to a function call.
@pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema:UserWarning")
class TestChatOpenAI(ChatModelIntegrationTests):
    """The suite as it is: no test of it is overridden or expected to fail.

    Skipped are those for what the service does not offer (PDF, audio, other vendors' blocks, pictures in a tool's
    result), the one for pictures, as it fetches its picture from the internet (below is one that does not), and the
    timing of a stream, which is wanted from no test here.
    """

    @pytest.fixture(autouse=True)
    def _connections(self, base_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Clients that end with the test: those that LangChain makes stay open in its cache for ever."""
        monkeypatch.setenv("LANGSMITH_TRACING", "false")
        one_each = httpx2.Limits(max_keepalive_connections=0)
        with httpx2.Client(limits=one_each, trust_env=False) as client:
            self._params = {
                "model": MODEL,
                "base_url": base_url,
                "api_key": KEY,
                "max_retries": 0,
                "stream_usage": True,
                "http_client": client,
                "http_async_client": httpx2.AsyncClient(limits=one_each, trust_env=False),
            }
            yield

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        """What is tested."""
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """How it is made."""
        return self._params

    @property
    def supports_json_mode(self) -> bool:
        """`response_format` of type `json_object` is honoured."""
        return True

    @property
    def supports_model_override(self) -> bool:
        """The body's model counts."""
        return True

    @property
    def model_override_value(self) -> str:
        """Another model of the catalogue."""
        return OTHER_MODEL

    @pytest.mark.parametrize(
        "picture",
        [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            {"type": "image", "base64": PIXEL, "mime_type": "image/png"},
        ],
        ids=["as-openai", "as-langchain"],
    )
    def test_a_picture_is_accepted(self, model: BaseChatModel, picture: dict[str, Any]) -> None:
        """A vision model takes a picture in either of LangChain's forms, and the answer mentions it."""
        said = model.invoke([HumanMessage([{"type": "text", "text": "Describe this picture."}, picture])])

        assert "picture" in str(said.content) or "image" in str(said.content)

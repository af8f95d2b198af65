"""Fixtures in files and the requests that they answer, as the tests of the fixture source write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import ChatRequest
from mockserver.sources.fixtures import Fixtures

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400
NEW_YEAR_S = 1_767_225_600  # 2026-01-01, 00:00 UTC
WHOLE_ANSWER: Final[dict[str, Any]] = {
    "pieces": ["晴", "。"],
    "reasoning": "想一想",
    "tool_calls": [{"name": "get_weather", "arguments": {"city": "北京"}, "id": "call_1"}],
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 5, "completion_tokens": 6, "reasoning_tokens": 2},
    "id": "chatcmpl-1",
    "created": 1,
    "delay_ms": 2.5,
}
"""An answer that says all that one can say at once."""


def user(text: str) -> dict[str, str]:
    """A message of the user."""
    return {"role": "user", "content": text}


def system(text: str) -> dict[str, str]:
    """A system message."""
    return {"role": "system", "content": text}


def assistant(text: str) -> dict[str, str]:
    """A message of the model."""
    return {"role": "assistant", "content": text}


def request(*messages: Any, model: str = "mt", chip: str = "chip3", stream: bool = False, **body: Any) -> ChatRequest:
    """A request that was let in; `body` holds its further fields."""
    return ChatRequest(model, chip, messages, stream, body={"messages": [*messages], **body})


def write(root: Path, name: str, match: dict[str, Any], **more: Any) -> Path:
    """Write a fixture; without an answer it says its own name."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"match": match, **more}
    if "answers" not in data:
        data.setdefault("answer", {"text": name})
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    return path


def loaded(*roots: Path, now_s: float = NEW_YEAR_S) -> Fixtures:
    """Fixtures with nothing to report."""
    fixtures = Fixtures(roots)
    assert fixtures.refresh(now_s) == []
    return fixtures


def found(fixtures: Fixtures, asked: ChatRequest, namespace: str = "") -> str | None:
    """The text of the answer; None where no fixture fits."""
    one = fixtures.find(asked, namespace)
    return None if one is None else "".join(one.said.content)


HISTORY = [user("你是谁?"), assistant("我是助手"), user("你能做什么?")]
TWO = [{"text": "one"}, {"text": "two"}]

"""A recording: the exchange of a file, as requests are matched with it, and the chat that a request is.

Where the path names no chip, the edition's first one is meant. What two dialogues are compared by: `dialogue`.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from mockserver.core.exchange import ChatRequest, texts_of
from mockserver.core.immutable import immutable
from mockserver.core.route import parse, parse_decoded
from mockserver.files.exchange_file import plan_of, read_if_exchange
from mockserver.files.kept_headers import raw
from mockserver.pipeline.coding import body_of
from mockserver.pipeline.judge import judge
from mockserver.pipeline.read import meaning, objects_of, usage_counts_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mockserver.core.exchange import Answer, Plan, Request
    from mockserver.core.route import Route
    from mockserver.files.exchange_file import ExchangeFile
    from mockserver.pipeline.judge import Judgement

Key = tuple[tuple[str, str, str], ...]
"""A dialogue as it is compared: of each message its role, its text, and all that is no text."""


@immutable(frozen=True)
class Recording:
    """One recorded exchange that requests can be matched with."""

    path: Path
    file: ExchangeFile
    request: ChatRequest
    key: Key = field(repr=False)

    @property
    def good(self) -> bool:
        """Whether it is an answer that came whole, not a fault, by what its body says."""
        return not self.judgement.failure

    @cached_property
    def judgement(self) -> Judgement:
        """What it is: a whole answer or a fault, and whether it can be said anew."""
        return judge(self.plan)

    @cached_property
    def plan(self) -> Plan:
        """What was received, chunk by chunk."""
        return plan_of(self.file, f"recording:{self.path.name}")

    @cached_property
    def said(self) -> Answer:
        """What it means, with its usage counted where none was recorded; raises ValueError where it cannot be read."""
        return meaning(self.plan)

    @cached_property
    def usage_counts(self) -> set[str]:
        """The counts of tokens that it tells; raises ValueError where it cannot be read."""
        return usage_counts_of(objects_of(body_of(self.plan)))


def chat_request(path: str, body: bytes | Mapping[str, Any], default_chip: str = "") -> ChatRequest | None:
    """The chat request of a file's path and body, taken as they are; None for what is no chat.

    Args:
        path: The path, percent-encoded or not.
        body: The body, or the JSON object in it.
        default_chip: The chip where the path names none.
    """
    return _chat_request(parse(path), body, default_chip)


def _chat_request(route: Route | None, body: bytes | Mapping[str, Any], default_chip: str = "") -> ChatRequest | None:
    document: Any = body
    if isinstance(body, bytes):
        try:
            document = from_json(body)
        except ValueError:
            return None
    if route is None or not isinstance(document, dict):
        return None
    messages = document.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return None
    named = document.get("model")
    model = route.model or (named if isinstance(named, str) and named else route.deployment)
    stream = document.get("stream") is True
    return ChatRequest(model, route.chip or default_chip, messages, stream, body=document, route=route)


def request_of(asked: Request) -> ChatRequest | None:
    """The chat request of a request as it came in."""
    made = _chat_request(parse_decoded(asked.path), asked.body)
    return None if made is None else replace(made, headers=asked.headers)


def recording(path: Path, file: ExchangeFile, default_chip: str = "") -> Recording | None:
    """A file as a recording; None where its request is no chat that could be asked again."""
    request = chat_request(file.request.path, file.request.body or {}, default_chip)
    if request is None:
        return None
    request = replace(request, headers={name.lower(): value for name, value in raw(file.request.headers)})
    return Recording(path, file, request, dialogue(request))


def read_recording(path: Path, default_chip: str = "") -> Recording | None:
    """The recording in a file; None for a JSON file of another form, and for an exchange that is no chat.

    This is what `serve` and `record` start with and what `validate` checks.

    Raises:
        OperatorError: The file is broken; the text names file and key.
    """
    file = read_if_exchange(path)
    return recording(path, file, default_chip) if file is not None else None


def dialogue(request: ChatRequest) -> Key:
    """What was said, message by message, as it is compared: role, text after NFKC, and all that is no text."""
    return tuple(
        (str(message.get("role", "user")), _normal("".join(texts_of(message))), _rest(message))
        for message in request.messages
    )


def _normal(text: str) -> str:
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return text.strip()


def _rest(message: Mapping[str, Any]) -> str:
    """Images and calls of functions; ids of calls do not matter."""
    content, calls = message.get("content"), message.get("tool_calls")
    parts: list[Any] = [] if content is None or isinstance(content, str) else [content]
    if isinstance(content, list):
        parts = [part for part in content if not isinstance(part, dict) or part.get("type") != "text"]
    called = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return json.dumps([parts, called], sort_keys=True, ensure_ascii=False) if parts or called else ""

"""What a dialogue comes down to for a synthetic answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import text_of, texts_of
from mockserver.sources import phrases
from mockserver.sources.prompt_tokens import media_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESULT_LENGTH: Final = 80


class DialogueSummary:
    """What a dialogue comes down to for the answer.

    Attributes:
        asked: The text of the last user message; empty where there is none.
        language: Its language.
        quote: Its beginning, fit to be quoted.
        turn: How many user messages there are.
        earlier: The beginning of the first of them, where there are several.
        media: How many images and videos the last user message has.
        role: The role of the last message.
        result: What a tool returned, where that is the last message; else None.
    """

    def __init__(self, messages: Sequence[Mapping[str, Any]]) -> None:
        users = [message for message in messages if message.get("role", "user") == "user"]
        last = messages[-1]
        asking: Mapping[str, Any] = users[-1] if users else {}
        content = asking.get("content")
        self.asked = asked = content if isinstance(content, str) else "".join(texts_of(asking))
        self.language = language = phrases.language_of(asked)
        self.quote = phrases.quotation(asked, language.quote_length)
        self.turn = turn = len(users)
        self.earlier = phrases.quotation(text_of(users[0]), language.quote_length) if turn > 1 else ""
        self.media = 0 if content is asked else media_parts(asking)
        self.role = role = last.get("role", "user")
        self.result = phrases.quotation(text_of(last), RESULT_LENGTH) if role == "tool" else None

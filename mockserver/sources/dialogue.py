"""What a dialogue comes down to for a synthetic answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import text_of
from mockserver.sources import phrases, tokens

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
        self.asked = text_of(users[-1]) if users else ""
        self.language = phrases.language_of(self.asked)
        most = self.language.quote_length
        self.quote = phrases.quotation(self.asked, most)
        self.turn = len(users)
        self.earlier = phrases.quotation(text_of(users[0]), most) if self.turn > 1 else ""
        self.media = tokens.media_parts(users[-1]) if users else 0
        self.role = last.get("role", "user")
        self.result = phrases.quotation(text_of(last), RESULT_LENGTH) if self.role == "tool" else None

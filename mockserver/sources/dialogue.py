"""What a dialogue comes down to for a synthetic answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import text_of, texts_of
from mockserver.sources.phrases import language_of, quotation
from mockserver.sources.prompt_tokens import media_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESULT_LENGTH: Final = 80
_NOBODY: Final[Mapping[str, Any]] = {}


class DialogueSummary:
    """What a dialogue comes down to for the answer.

    Attributes:
        asked: The text of the last user message; empty where there is none.
        language: Its language.
        quote: Its beginning, fit to be quoted.
        turn: How many user messages there are.
        earlier: The beginning of the first of them, where there are several.
        media: How many images and videos the last user message has.
        result: What a tool returned, where that is the last message; else None.
    """

    __slots__ = ("asked", "earlier", "language", "media", "quote", "result", "turn")

    def __init__(self, messages: Sequence[Mapping[str, Any]]) -> None:
        users = [message for message in messages if message.get("role", "user") == "user"]
        self.turn = turn = len(users)
        last = messages[-1] if messages else _NOBODY  # an edition may let in a dialogue of nothing
        asking = users[-1] if users else _NOBODY
        content = asking.get("content")
        self.asked = asked = content if type(content) is str else "".join(texts_of(asking))
        self.language = language = language_of(asked)
        self.quote = quotation(asked, language.quote_length)
        self.earlier = quotation(text_of(users[0]), language.quote_length) if turn > 1 else ""
        self.media = 0 if content is asked else media_parts(asking)
        told = last is not asking and last.get("role") == "tool"
        self.result = quotation(text_of(last), RESULT_LENGTH) if told else None

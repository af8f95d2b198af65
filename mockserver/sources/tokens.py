"""Token-like pieces of a text, and how many tokens a dialogue has.

The estimator cuts Chinese into runs of one or two characters, other scripts at word boundaries with the space before
the word, long words into parts of six letters. Joined, the pieces are the text again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PIECE = re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]{1,2}| ?[A-Za-z]{1,6}| ?[0-9]{1,3}|\s+|.", re.DOTALL)
MESSAGE_TOKENS = 3  # tokens that each message after the first adds for its role and its marks


def pieces(text: str) -> tuple[str, ...]:
    """The text cut as tokens would cut it, never inside a character."""
    return tuple(_PIECE.findall(text))


def count(text: str) -> int:
    """Estimated tokens of a text."""
    return len(_PIECE.findall(text))


def prompt_tokens(messages: Iterable[Mapping[str, Any]], template_tokens: int) -> int:
    """Estimated tokens of a dialogue with its chat template."""
    total = template_tokens - MESSAGE_TOKENS
    for message in messages:
        total += MESSAGE_TOKENS + sum(count(text) for text in texts(message))
    return max(total, 1)


def texts(message: Mapping[str, Any]) -> list[str]:
    """The texts of a message's content, whichever of its forms it has."""
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        return [part["text"] for part in content if part.get("type") == "text"]
    return []

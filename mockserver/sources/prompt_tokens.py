"""How many tokens a dialogue has, as the service would count its prompt."""

from __future__ import annotations

import json
from functools import lru_cache
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import texts_of
from mockserver.sources.tokens import (
    ESTIMATED,
    ESTIMATOR,
    MOST_REMEMBERED,
    REMEMBERED_CHARACTERS,
    VOCABULARY_CHARACTERS,
    quoted_pieces,
    tokenizer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.core.exchange import ChatRequest
    from mockserver.profile.edition import Edition
    from mockserver.sources.tokens import Tokenizer

MESSAGE_TOKENS: Final = 5
"""What each message adds for its role and marks: `<|im_start|>`, role, newline; `<|im_end|>`, newline (ChatML)."""
MEDIA_TOKENS: Final = 256
"""What an image or a video is taken for; an assumption, since its pixels are not looked at."""
_MOST_TEMPLATES: Final = 1024
_ROLE: Final = methodcaller("get", "role")
_LONG_COUNTS: Final[dict[tuple[Tokenizer, int, int], int]] = {}


def prompt_tokens(request: ChatRequest, edition: Edition) -> int:
    """Tokens of a request's prompt: its messages and tools in the template of its model.

    The sum is the template's own tokens (`template_tokens`, and `system_tokens` where the request has no system
    message of its own), `MESSAGE_TOKENS` for each message, and the tokens of what they say. The tutorial's two figures
    are those of ChatML: 你是谁? is 3 + 11 + 5 + 3 = 22, system message and joke 3 + 2 × 5 + 18 + 5 = 36.
    """
    return PromptCounter(edition).count(request)


class PromptCounter:
    """Counts prompts as `prompt_tokens` does; what a model's entry says of it is looked up once.

    Args:
        edition: Whose models are asked.
    """

    def __init__(self, edition: Edition) -> None:
        self._edition = edition
        self._templates: dict[str, tuple[int, int, Tokenizer]] = {}

    def count(self, request: ChatRequest) -> int:
        """Tokens of a request's prompt."""
        template, system, counter = self._templates.get(request.model) or self._template(request.model)
        messages = request.messages
        total = template + MESSAGE_TOKENS * len(messages)
        said = request.texts
        if said is None:
            said = [text for message in messages for text in _prompt_texts(message)]
            total += MEDIA_TOKENS * sum(map(media_parts, messages))
        if "system" in map(_ROLE, messages):
            system = 0
        tools = request.body.get("tools")
        if tools:
            said = [*said, json.dumps(tools, ensure_ascii=False)]
        total += system
        if counter is not ESTIMATOR:
            short = sum(map(len, said)) <= VOCABULARY_CHARACTERS
            return total + sum([_count(counter if short else ESTIMATOR, text) for text in said])
        known = list(map(ESTIMATED.get, said))
        if None not in known:
            return total + sum(known)  # type: ignore[arg-type]  # none is None
        counts = [_count(ESTIMATOR, text) if one is None else one for text, one in zip(said, known, strict=True)]
        return total + sum(counts)

    def _template(self, model: str) -> tuple[int, int, Tokenizer]:
        """The tokens of a model's template, those of the system message that it has of its own, and what counts."""
        entry, defaults = self._edition.entry(model), self._edition.file.defaults
        template = defaults.template_tokens if entry.template_tokens is None else entry.template_tokens
        system = defaults.system_tokens if entry.system_tokens is None else entry.system_tokens
        if len(self._templates) >= _MOST_TEMPLATES:
            self._templates.clear()
        made = self._templates[model] = (template, system, tokenizer(entry.tokenizer))
        return made


def _count(counter: Tokenizer, text: str) -> int:
    """The tokens of a text; short ones are remembered, since system prompts and questions come again and again."""
    if len(text) <= REMEMBERED_CHARACTERS:
        return len(quoted_pieces(counter, text)) if counter is ESTIMATOR else _counted(counter, text)
    key = counter, len(text), hash(text)  # not the text, which may be megabytes
    known = _LONG_COUNTS.get(key)
    if known is None:
        if len(_LONG_COUNTS) >= MOST_REMEMBERED:
            _LONG_COUNTS.clear()
        known = _LONG_COUNTS[key] = counter.count(text)
    return known


@lru_cache(maxsize=MOST_REMEMBERED)
def _counted(counter: Tokenizer, text: str) -> int:
    return counter.count(text)


def media_parts(message: Mapping[str, Any]) -> int:
    """How many images and videos a message has."""
    content = message.get("content")
    return sum(part.get("type") != "text" for part in content) if isinstance(content, list) else 0


def _prompt_texts(message: Mapping[str, Any]) -> list[str]:
    """All that a message says, the functions it called among it."""
    calls = message.get("tool_calls")
    return [*texts_of(message), json.dumps(calls, ensure_ascii=False)] if calls else texts_of(message)

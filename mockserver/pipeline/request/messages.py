"""The dialogue of a request, checked message by message."""

from __future__ import annotations

from itertools import repeat
from operator import contains, itemgetter
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import Refusal, wrong_value

if TYPE_CHECKING:
    from mockserver.pipeline.request.rules import RequestRules


Json = dict[str, Any]
PART_TYPES = {"text": "text", "image_url": "image_url", "video_url": "video_url"}


def check_messages(document: Json, rules: RequestRules) -> tuple[list[Json], list[str] | None]:
    """The dialogue, checked message by message, and its texts where each message says one and calls nothing."""
    messages = document.get("messages")
    lets_in = rules.lets_in
    if not isinstance(messages, list) or not messages:
        fault = _no_dialogue(document)
        if fault.rule not in lets_in:
            raise fault
        messages = document["messages"] = []
    if len(messages) == 1 and (said := _plainly_said(messages[0], rules)) is not None:
        return messages, [said]
    try:  # at the speed of C: nearly all dialogues are of plain messages, and may be long
        texts = list(map(_CONTENT, messages))
        plain = {*map(type, messages)} == {dict} and {*map(type, texts)} == {str}
        if plain and {*map(_ROLE, messages)}.issubset(rules.roles):
            return messages, None if any(map(contains, messages, repeat("tool_calls"))) else texts
    except (KeyError, TypeError):  # without content or role, or none that can be looked up
        pass
    for number, message in enumerate(messages):
        try:
            _check_message(f"messages[{number}]", message, rules)
        except Refusal as refusal:
            if refusal.rule not in lets_in:
                raise
            messages[number] = {**message, "content": ""}  # what cannot be read says nothing
    return messages, None


def _plainly_said(message: object, rules: RequestRules) -> str | None:
    """What a plain message says: the same as below, without the sets that a long dialogue is worth; None for others."""
    if type(message) is not dict or "tool_calls" in message:
        return None
    content, role = message.get("content"), message.get("role")
    return content if type(content) is str and type(role) is str and role in rules.roles else None


_CONTENT, _ROLE = itemgetter("content"), itemgetter("role")


def _no_dialogue(document: Json) -> Refusal:
    """The refusal of a body whose messages are no messages."""
    if "messages" not in document:
        told = "messages: missing; allowed: a non-empty array of messages"
        return Refusal("invalid-field", told, param="messages", rule="missing-messages")
    if document["messages"] != []:
        return wrong_value("messages", document["messages"], "a non-empty array of messages", rule="wrong-messages")
    told = "messages: the array is empty; allowed: at least one message"
    return Refusal("invalid-field", told, param="messages", rule="empty-messages")


def _check_message(where: str, message: object, rules: RequestRules) -> None:
    if not isinstance(message, dict):
        raise wrong_value(where, message, "an object with role and content")
    role = message.get("role", "user")
    if (role not in rules.roles and "unknown-role" not in rules.lets_in) if isinstance(role, str) else True:
        raise wrong_value(f"{where}.role", role, ", ".join(rules.roles), rule="unknown-role")
    content, where = message.get("content"), f"{where}.content"
    if isinstance(content, str) or (content is None and role == "assistant"):
        return  # SDKs send a turn of tool calls back without a content, or with null
    allowed = "a string or an array of parts"
    if "content" not in message:
        told = f"{where}: missing; allowed: {allowed}"
        raise Refusal("invalid-field", told, param=where, rule="missing-content")
    if not isinstance(content, list):
        raise wrong_value(where, content, allowed, rule="wrong-content")
    for number, part in enumerate(content):
        _check_part(f"{where}[{number}]", part)


def _check_part(where: str, part: object) -> None:
    if not isinstance(part, dict):
        raise wrong_value(where, part, "an object with type")
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in PART_TYPES:
        raise wrong_value(f"{where}.type", kind, ", ".join(PART_TYPES))
    value = part.get(kind)
    if kind == "text":
        if not isinstance(value, str):
            raise wrong_value(f"{where}.text", value, "a string")
    elif not isinstance(value, dict) or not isinstance(value.get("url"), str):
        raise wrong_value(f"{where}.{kind}", value, 'an object with a string "url"')

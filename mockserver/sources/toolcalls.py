"""Calls of functions by the synthetic source: which functions are called, and with which arguments."""

from __future__ import annotations

import json
import re
import string
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import Refusal
from mockserver.core.exchange import ToolCall

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from mockserver.pipeline.structure import Function, Structure
    from mockserver.sources.tokens import Tokenizer

_ID_ALPHABET = string.ascii_letters + string.digits
_WORD = "[A-Za-z]{3,}|[\u3400-\u9fff]{2,}"
_HUMP = "(?<=[a-z])(?=[A-Z])"
_COMMON = {"the", "and", "for", "get", "with", "from", "this", "that", "what", "which", "you", "are", "can", "how"}


def chosen(wanted: Structure, last_role: str, asked: str) -> tuple[Function, ...]:
    """The functions that an answer calls; none means that it is text.

    A named function is called. `required` calls always, `auto` where the last message is the user's, so that a loop
    of an agent ends with the tool's result. One call is made, of the function whose name and description share the
    most words with the question, else of the first. With `parallel_tool_calls: true`, each function whose
    name stands in the question is called, in the request's order.

    Args:
        wanted: What the request asks for.
        last_role: The role of the last message.
        asked: The text of the last user message.
    """
    if wanted.named is not None:
        return (wanted.named,)
    may = wanted.choice == "required" or (wanted.choice == "auto" and last_role == "user")
    if not may or not wanted.functions:
        return ()
    if wanted.parallel:
        lowered = asked.lower()
        spoken = tuple(f for f in wanted.functions if f.name.lower() in lowered or _spaced(f.name) in lowered)
        if spoken:
            return spoken
    words = _words(asked)
    return (max(wanted.functions, key=lambda f: len(words & _words(f"{_spaced(f.name)} {f.description}"))),)


def _spaced(name: str) -> str:
    """The name as words: `get_weather` and `getWeather` are `get weather`."""
    return re.sub(_HUMP, " ", name).replace("_", " ").replace("-", " ").lower()


def _words(text: str) -> set[str]:
    """The words that may tell what a text is about: long enough in Latin letters, pairs of characters in Chinese."""
    found: set[str] = set()
    for word in re.findall(_WORD, text):
        if word.isascii():
            found.add(word.lower())
        else:
            found.update(word[at : at + 2] for at in range(len(word) - 1))
    return found - _COMMON


def call(function: Function, dice: random.Random, cut: Tokenizer) -> ToolCall:
    """One call with arguments that are valid against the function's schema; raises Refusal where none are."""
    value = value_for(function.parameters, dice, function.where)
    arguments = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return ToolCall("call_" + "".join(dice.choices(_ID_ALPHABET, k=24)), function.name, cut.pieces(arguments))


def calls(functions: Sequence[Function], dice: random.Random, cut: Tokenizer) -> tuple[ToolCall, ...]:
    """A call of each function."""
    return tuple(call(function, dice, cut) for function in functions)


def value_for(schema: Any, dice: random.Random, where: str) -> Any:
    """A value that is valid against a JSON Schema of the request, or the Refusal that says why there is none."""
    from mockserver.sources.jsonvalue import UnsatisfiableSchemaError, valid_value

    try:
        return valid_value(schema, dice, where=where)
    except UnsatisfiableSchemaError as error:
        raise Refusal("invalid-field", str(error), param=error.where) from None

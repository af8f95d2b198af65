"""Calls of functions by the synthetic source: their ids and their arguments."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import Refusal
from mockserver.core.exchange import ToolCall

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from mockserver.pipeline.structure import Function
    from mockserver.sources.tokens import Tokenizer

_ID_ALPHABET = string.ascii_letters + string.digits


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


def value_or_none(schema: Any, dice: random.Random) -> tuple[Any] | None:
    """A value that is valid against a schema found in a text, alone in a tuple; None where there is none."""
    try:
        return (value_for(schema, dice, ""),)
    except Refusal:
        return None

"""The fields of a request's body, each by its rule."""

from __future__ import annotations

import sys
from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

from mockserver.core.errors import Refusal, shown, wrong_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.pipeline.request.rules import FieldRule, FieldType


_TYPE_TEXT: dict[str, str] = {
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "string": "a string",
    "strings": "an array of strings",
    "string-or-strings": "a string or an array of strings",
    "array": "an array",
    "object": "an object",
    "any": "anything",
}
_LARGEST: Final = sys.float_info.max  # what is larger is infinite, or too large to be one


def usual_values(rule: FieldRule) -> Mapping[type, tuple[Any, Any]]:
    """Types of a field's values that are allowed between two values: what `check_field` lets pass, and sooner."""
    low = -_LARGEST if rule.minimum is None else rule.minimum
    high = _LARGEST if rule.maximum is None else rule.maximum
    if rule.type == "boolean":
        return {bool: (False, True)}
    if rule.type == "integer":
        return {int: (low, high)}
    return {int: (low, high), float: (low, high)} if rule.type == "number" else {}


def read_field(name: str, value: Any, rule: FieldRule) -> Any:
    """A field's value as it is taken; raises the Refusal of one that the field's rule does not allow."""
    if rule.from_text and isinstance(value, str):
        with suppress(ValueError):
            read = from_json(value, allow_inf_nan=False)
            value = read if _has_type(read, rule.type) else value
    if type(value) is float and rule.type == "integer" and value.is_integer():
        value = int(value)  # 5.0 is an integer, as JSON Schema says
    check_field(name, value, rule)
    read_as = _READ_AS.get(name)
    return None if read_as and rule.type == "any" and not isinstance(value, read_as) else value


_READ_AS: Final = {"tools": list, "response_format": dict}


def check_field(name: str, value: object, rule: FieldRule) -> None:
    """Refuse a value that the field's rule does not allow."""
    if value is None:
        if rule.nullable:
            return
        raise wrong_value(name, value, _allowed(rule))
    if not _has_type(value, rule.type):
        raise wrong_value(name, value, _allowed(rule))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = rule.minimum, rule.maximum
        endless = isinstance(value, float) and not isfinite(value)  # 1e999 is read as infinity
        if endless or (low is not None and value < low) or (high is not None and value > high):
            raise Refusal(
                "invalid-field", f"{name}: {shown(value)} is out of range; allowed: {_allowed(rule)}", param=name
            )


def _has_type(value: object, kind: FieldType) -> bool:
    if kind == "number":
        return type(value) in {int, float}
    if kind == "integer":
        return type(value) is int
    if kind == "boolean":
        return type(value) is bool
    if kind == "string":
        return isinstance(value, str)
    if kind == "array":
        return isinstance(value, list)
    if kind == "object":
        return isinstance(value, dict)
    if kind == "any":
        return True
    strings = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return strings or (kind == "string-or-strings" and isinstance(value, str))


def _allowed(rule: FieldRule) -> str:
    text = _TYPE_TEXT[rule.type]
    low, high = rule.minimum, rule.maximum
    if low is not None and high is not None:
        text += f" from {low:g} to {high:g}" if low != high else f", only {low:g}"
    elif low is not None:
        text += f", at least {low:g}"
    elif high is not None:
        text += f", at most {high:g}"
    return text + (" (or null)" if rule.nullable else "")

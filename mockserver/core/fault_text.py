"""Faults as people name them: `cut;after_frames=3, latency;ms=200`, in the header `X-Mock-Fault` and in tests."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_OPENS: Final = re.compile(r'=\s*(?=["{\[])')
_ENDS: Final = re.compile(r"\s*(?:[,;]|$)")
_PLACE: Final = "\0"


def named_faults(text: str) -> list[dict[str, Any]]:
    r"""The faults that a text names, each with its `type` and its settings, which are texts still.

    A value that begins as JSON does with `"`, `{` or `[` is one: `data=": ping\n\n"`, `headers={"x-a": "1, 2"}`.

    Raises:
        ValueError: a setting has no value, or is given twice; the text names fault and setting.
    """
    found = []
    text, values = _set_aside(text.replace(_PLACE, ""))
    for part in text.split(","):
        kind, *settings = (word.strip() for word in part.split(";"))
        if not kind and not settings:
            continue
        fault: dict[str, Any] = {"type": kind}
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals:
                raise ValueError(f"{kind}: {setting!r} is not of the form name=value")
            if name.strip() in fault:
                raise ValueError(f"{kind}: {name.strip()} is given twice; give it once")
            said = value.strip()
            fault[name.strip()] = values[int(said[1:])] if said.startswith(_PLACE) else said
        found.append(fault)
    return found


def _set_aside(text: str) -> tuple[str, list[Any]]:
    """The text with a mark in place of each JSON value, whose commas and semicolons then part nothing; and these."""
    kept: list[Any] = []
    parts, at = [], 0
    for opens in _OPENS.finditer(text):
        if opens.start() < at:
            continue  # within a value
        try:
            value, end = _DECODER.raw_decode(text, opens.end())
        except (ValueError, RecursionError):
            continue
        if _ENDS.match(text, end):
            parts += [text[at : opens.start()], f"={_PLACE}{len(kept)}"]
            kept.append(value)
            at = end
    return "".join((*parts, text[at:])), kept


def typed_fault(fault: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """A fault with the JSON values that its texts stand for; a text that stands for none stays as it is.

    Args:
        fault: As it was named.
        types: The JSON type of each setting.
    """
    readers = {name: _READERS[kind] for name, kind in types.items() if kind in _READERS}
    return {
        name: readers[name](value) if name in readers and isinstance(value, str) else value
        for name, value in fault.items()
    }


def _number(text: str) -> float | str:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _switch(text: str) -> bool | str:
    return _SWITCHES.get(text.lower(), text)


_DECODER: Final = json.JSONDecoder()
_SWITCHES: Final = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
_READERS: Final[dict[str, Callable[[str], object]]] = {"integer": _number, "number": _number, "boolean": _switch}

"""What of a refusal's body repeats the request: the mock's then repeats what it was asked, and not what the target was.

Frameworks that check requests by a schema show the value at fault, or the object that lacks a key; others quote a name.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.clauses.reading import Reading
from mockserver.pipeline.refuse import TEXT, VALUE, at_fault, json_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.contract.cases import Case
    from mockserver.core.exchange import Exchange

_FEWEST: Final = 2
"""So many different values must stand behind a key before it is one that repeats: one may be there by chance."""
_SHORTEST: Final = 5
"""Characters of a text that is not in an error's words by chance."""
_MOST_BYTES: Final = 2**16
_KEY: Final = re.compile(r'"((?:[^"\\]|\\.){1,80})": ?')


def templates(asked: Iterable[tuple[Case, Exchange]]) -> dict[str, str]:
    """The bodies of refusals as an edition's rows have them, by the case's name: what repeats the request is named."""
    found: dict[str, tuple[str, Any]] = {}
    behind: dict[str, set[str]] = {}
    for case, came in asked:
        body = Reading(came).body
        if max(len(body), len(came.request.body)) <= _MOST_BYTES:
            kind = (case.refusal or "").partition(":")[0]
            value = at_fault(kind, case.param or None, came.request.body)
            text = body.decode("utf-8", "replace")
            found[case.name] = (text, value)
            for key in _KEY.finditer(text):
                if _stands(json_text(value), text, key.end()):
                    behind.setdefault(key[0], set()).add(json_text(value))
    keys = {key for key, values in behind.items() if len(values) >= _FEWEST}
    return {name: _named(text, value, keys) for name, (text, value) in found.items()}


def _stands(value: str, text: str, at: int) -> bool:
    """Whether a whole JSON value stands at a place of a text."""
    return text.startswith(value, at) and text[at + len(value) : at + len(value) + 1] in {",", "}", "]"}


def _named(text: str, value: Any, keys: set[str]) -> str:
    made, end = "", 0
    for key in _KEY.finditer(text):
        if key.start() >= end and key[0] in keys and _stands(json_text(value), text, key.end()):
            made += text[end : key.end()] + VALUE
            end = key.end() + len(json_text(value))
    made += text[end:]
    telling = isinstance(value, str) and len(value) >= _SHORTEST
    return made.replace(json.dumps(value, ensure_ascii=False)[1:-1], TEXT) if telling else made

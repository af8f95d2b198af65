"""Response headers that people write, as types of a model: checked, and described in its JSON Schema.

Those that say where a body ends are the server's own.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from mockserver.core.written import Checks, Described

_NAME: Final = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$"
_VALUE: Final = "^[\\t -~\\u0080-\\u00ff]*$"
_CONNECTION: Final = "connection"
_FRAMING: Final = (_CONNECTION, "content-length", "transfer-encoding")
_LENGTH: Final = "content-length"


def _name(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ValueError(f"{name!r:.60} is no name of a header; allowed: letters, digits and dashes")
    if name.lower() in _FRAMING:
        raise ValueError(
            f"{name} says where the body ends, which is the server's to say; the faults cut and limit_data lie"
        )
    return name


def _name_of_all(name: str) -> str:
    return name if name.lower() == _CONNECTION else _name(name)


def _value(value: str) -> str:
    if not re.fullmatch(_VALUE, value) or value.endswith("\n"):
        raise ValueError(f"{value!r:.60} is not allowed; allowed: characters of Latin-1 on one line")
    return value


def _pair(pair: tuple[str, str]) -> tuple[str, str]:
    return pair if pair[0].lower() == _LENGTH else (_name(pair[0]), pair[1])


def _any_case(word: str) -> str:
    return "".join(f"[{one.upper()}{one}]" if one.isalpha() else one for one in word)


def _name_schema(*forbidden: str) -> dict[str, Any]:
    return {"type": "string", "pattern": _NAME, "not": {"pattern": f"^({'|'.join(map(_any_case, forbidden))})$"}}


def _object_schema(*forbidden: str) -> dict[str, Any]:
    return {"type": "object", "propertyNames": _name_schema(*forbidden), "additionalProperties": _VALUE_SCHEMA}


_VALUE_SCHEMA: Final = {"type": "string", "pattern": _VALUE}
_PAIR_SCHEMA: Final = {
    "type": "array",
    "prefixItems": [_name_schema("connection", "transfer-encoding"), _VALUE_SCHEMA],
    "items": False,
    "minItems": 2,
}

HeaderName = Annotated[str, Checks(_name, _name_schema(*_FRAMING))]
NameForAll = Annotated[str, Checks(_name_of_all, _name_schema(*_FRAMING[1:]))]
"""The name of a header that many responses carry: where it is `connection`, a service closes after each."""
HeaderValue = Annotated[str, Checks(_value, _VALUE_SCHEMA)]
SentHeaders = Annotated[
    dict[HeaderName, HeaderValue],
    Described(_object_schema(*_FRAMING)),
]
"""Response headers by their names."""
HeaderPair = Annotated[tuple[str, HeaderValue], Checks(_pair, _PAIR_SCHEMA)]
"""A header as a list of name and value. It may be a content-length, which then is made to fit."""
SentPairs = Annotated[
    tuple[HeaderPair, ...],
    Described({"anyOf": [{"type": "array", "items": _PAIR_SCHEMA}, _object_schema(*_FRAMING[::2])]}),
]
"""Response headers as pairs, of which several may have one name, or by their names."""

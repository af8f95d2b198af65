"""The kinds of values that settings have: what is allowed, how text becomes it, and how it is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.immutable import immutable
from mockserver.core.web_address import without_password
from mockserver.pipeline.pace import PaceSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mockserver.profile.edition_file import Moderation


@immutable(frozen=True, slots=True)
class Place:
    """Where a value was given.

    Attributes:
        name: For error messages: a flag, a variable, or file and key.
        folder: Where its relative paths start.
    """

    name: str
    folder: Path


@immutable(frozen=True, slots=True)
class Kind:
    """One kind of value.

    Attributes:
        allowed: What is allowed, for error messages.
        accept: The value, from what a TOML file may hold; raises ValueError where that is not allowed.
        schema: The JSON Schema of what a TOML file may hold.
        parse: From text to what a TOML file may hold; raises ValueError where it cannot.
        show: The value as one line.
    """

    allowed: str
    accept: Callable[[Any, Place], Any]
    schema: Mapping[str, Any]
    parse: Callable[[str], Any] = str
    show: Callable[[Any], str] = str


def _demand(condition: bool) -> None:  # noqa: FBT001
    if not condition:
        raise ValueError


def integer(low: int, high: int) -> Kind:
    """An integer in a range that includes both ends."""

    def accept(value: Any, _place: Place) -> int:
        _demand(type(value) is int and low <= value <= high)
        return int(value)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(f"an integer from {low} to {high}", accept, schema, int)


def choice(*names: str) -> Kind:
    """One of some words."""

    def accept(value: Any, _place: Place) -> str:
        _demand(value in names)
        return str(value)

    return Kind(", ".join(names), accept, {"enum": list(names)})


def _text(value: Any, _place: Place) -> str:
    _demand(isinstance(value, str) and bool(value.strip()) and "\0" not in value)
    return str(value)


def _model(value: Any, _place: Place) -> str:
    _demand(isinstance(value, str) and re.fullmatch(MODEL_PATTERN, value) is not None)
    return str(value)


def _key(value: Any, _place: Place) -> str:
    _demand(isinstance(value, str) and re.fullmatch(KEY_PATTERN, value) is not None)
    return str(value)


def _path(value: Any, place: Place) -> Path:
    return place.folder / _text(value, place)


def _folder(value: Any, place: Place) -> Path:
    path = _path(value, place)
    _demand(path.is_dir())
    return path


def _seconds(value: Any, _place: Place) -> float:
    _demand(type(value) in {int, float} and math.isfinite(value) and value >= 0)
    return float(value)


def _lifetime(value: Any, place: Place) -> float:
    seconds = _seconds(value, place)
    _demand(seconds >= 1)
    return seconds


def _state(value: Any, _place: Place) -> str:
    _demand(isinstance(value, str) and re.fullmatch(STATE_PATTERN, value) is not None)
    return str(value)


def _switch(value: Any, _place: Place) -> bool:
    _demand(isinstance(value, bool))
    return bool(value)


def _parse_switch(text: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    _demand(text.lower() in words)
    return words[text.lower()]


def _match_on(value: Any, _place: Place) -> tuple[str, ...]:
    from mockserver.sources.staleness import ASPECTS, HEADERS

    _demand(isinstance(value, list | tuple) and bool(value))
    found = tuple(one.strip().lower() if isinstance(one, str) else "" for one in value)
    for one in found:
        _demand(one in ASPECTS or re.fullmatch(rf"{HEADERS}[!#-'*+.^_`|~0-9a-z-]+", one) is not None)
    _demand(len(set(found)) == len(found))
    return found


def _pace(value: Any, _place: Place) -> str | PaceSettings:
    if isinstance(value, PaceSettings):
        figures = asdict(value)
    else:
        _demand(isinstance(value, str))
        if value in {"off", "profile", "recorded"}:
            return str(value)
        figures = {}
        for part in value.split(","):
            name, _, number = part.strip().partition("=")
            _demand(name in {one.name for one in fields(PaceSettings)} and name not in figures)
            figures[name] = float(number)
    _demand(all(math.isfinite(one) and one >= 0 for one in figures.values()) and figures.get("jitter", 0) <= 1)
    return PaceSettings(**figures)


def _show_pace(value: str | PaceSettings) -> str:
    if isinstance(value, str):
        return value
    return ",".join(f"{one.name}={getattr(value, one.name):g}" for one in fields(value))


def _size(value: Any, _place: Place) -> str:
    _demand(isinstance(value, str) and re.fullmatch(SIZE_PATTERN, value) is not None)
    low, high = size_range(value)
    _demand(1 <= low <= high <= MOST_SIZE)
    return str(value)


def size_range(text: str) -> tuple[int, int]:
    """The two ends of `MIN-MAX`, which are the same number where there is one."""
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def _moderation(value: Any, place: Place) -> Moderation:
    from mockserver.core.written import keys_of
    from mockserver.files.checked import checked
    from mockserver.profile.edition_file import Moderation

    _demand(isinstance(value, Mapping | Moderation))
    rules = checked(dict(value) if isinstance(value, Mapping) else keys_of(value), Moderation, place.name)
    rules.rules(place.name)  # a pattern that is none is found here, where the place is known
    return rules


def _show_moderation(value: Moderation) -> str:
    from mockserver.core.written import keys_of

    given = keys_of(value, "claim", "source", defaults=False)
    return "; ".join(f"{name}: {_listed(one)}" for name, one in given.items())


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


STATE_PATTERN: Final = r"^(rediss?://[^/?#]+(/[0-9]*)?|unix://[^?#]+)(\?[^#]+)?$"
MODEL_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
KEY_PATTERN: Final = r"[!-~]+"
SIZE_PATTERN: Final = r"[0-9]{1,5}(-[0-9]{1,5})?"
MOST_SIZE: Final = 32_768

TEXT: Final = Kind("text that is not empty", _text, {"type": "string", "minLength": 1})
PATH: Final = Kind("a path", _path, {"type": "string", "minLength": 1})
FOLDER: Final = Kind("an existing directory", _folder, {"type": "string", "minLength": 1})
MODEL: Final = Kind(
    "letters, digits, dots, dashes and underscores", _model, {"type": "string", "pattern": f"^{MODEL_PATTERN}$"}
)
KEY: Final = Kind("visible ASCII characters without spaces", _key, {"type": "string", "pattern": f"^{KEY_PATTERN}$"})
SECONDS: Final = Kind(
    "a number of seconds, 0 or more", _seconds, {"type": "number", "minimum": 0}, float, "{:g}".format
)
FACTOR: Final = Kind("a number, 0 or more", _seconds, {"type": "number", "minimum": 0}, float, "{:g}".format)
LIFETIME: Final = Kind(
    "a number of seconds, 1 or more", _lifetime, {"type": "number", "minimum": 1}, float, "{:g}".format
)
STATE: Final = Kind(
    "redis://HOST:PORT/NUMBER, with rediss: over TLS, or unix://PATH", _state,
    {"type": "string", "pattern": STATE_PATTERN}, show=without_password,
)  # fmt: skip
SWITCH: Final = Kind("true or false", _switch, {"type": "boolean"}, _parse_switch, lambda value: str(value).lower())
PACE: Final = Kind(
    "off, profile, recorded, or first_token_ms=NUMBER,inter_token_ms=NUMBER,jitter=NUMBER with at least one of "
    "the three, 0 or more, jitter at most 1",
    _pace,
    {"type": "string", "minLength": 1},
    show=_show_pace,
)
MATCH_ON: Final = Kind(
    "some of dialogue, tools, parameters and headers:NAME, with commas",
    _match_on,
    {
        "type": "array",
        "items": {"type": "string", "pattern": "^(dialogue|tools|parameters|headers:.+)$"},
        "minItems": 1,
    },
    lambda text: text.split(","),
    ",".join,
)
SIZE: Final = Kind(
    f"MIN-MAX or one number, from 1 to {MOST_SIZE}",
    _size,
    {"type": "string", "pattern": f"^{SIZE_PATTERN}$"},
)
MODERATION: Final = Kind("a table", _moderation, {"$ref": "#/$defs/Moderation"}, show=_show_moderation)

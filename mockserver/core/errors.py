"""The package's exceptions.

Two audiences, two exceptions. What a *client* did wrong is a `Refusal`: it becomes a 4xx answer in the service's
error shape. What the *operator* did wrong (a flag, a profile, a fixture) is an `OperatorError`: it becomes one line
on standard error and exit code 2.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


MOST_DETAIL_CHARACTERS = 2000
MOST_PARAM_CHARACTERS = 200
_MOST_SHOWN = 60


def without_middle(text: str, most: int) -> str:
    """Text of at most so many characters: where a long name stands in it, what was said around the name stays."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - (most - 1) // 2 :]}"


class Refusal(Exception):  # noqa: N818 - a refusal is what the service does, not a fault of the program
    """The service's "no" to one request.

    Attributes:
        kind: Name of the row in the edition's `[errors]` table, which gives status, family, code and message.
        detail: What was seen, what is allowed and what to do next. English, one line; of a long one the middle is left
            out, but not of an error of the user's own.
        param: The field of the request at fault, in the form `messages[0].content`; None for none.
        headers: Further response headers, such as `Allow` for 405.
        status: HTTP status of an error that is in no table; `detail` is then its message, `kind` a name for the log.
        code: The body's code of such an error: an integer takes the gateway's form, a text the upstream's.
        delay_ms: Milliseconds before it is sent.
        body: Content type and bytes of a body in no shape of the service's; None takes the shape.
        rule: Name of the rule that was broken, where one kind has several, such as `empty-messages`; empty for none.
    """

    def __init__(  # noqa: PLR0913 - all but two are keywords, and few are given at once
        self,
        kind: str,
        detail: str,
        *,
        param: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        status: int | None = None,
        code: int | str | None = None,
        delay_ms: float = 0.0,
        body: tuple[str, bytes] | None = None,
        rule: str = "",
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail if status is not None else without_middle(detail, MOST_DETAIL_CHARACTERS)
        self.param = param if param is None else without_middle(param, MOST_PARAM_CHARACTERS)
        self.headers = headers
        self.status = status
        self.code = code
        self.delay_ms = delay_ms
        self.body = body
        self.rule = rule


class OperatorError(Exception):
    """A mistake in a flag, a variable, a configuration file, a profile or a fixture; its text is one line."""

    __module__ = "mockserver"


def nearest(name: str, known: Iterable[str], *, most: int = 3, likeness: float = 0.5) -> list[str]:
    """The known names most like `name`, best first; at most `most`, none when nothing is alike (0 to 1) enough."""
    lowered = {k.lower(): k for k in known}
    return [lowered[m] for m in get_close_matches(name.lower(), list(lowered), n=most, cutoff=likeness)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """A clause to hang on an error message: the nearest names, or all of them where none is near."""
    names = list(known)
    near = nearest(name, names)
    if near:
        return f"did you mean {', '.join(near)}?"
    return f"known: {', '.join(names)}"


def wrong_value(where: str, value: object, allowed: str, *, rule: str = "") -> Refusal:
    """The refusal of a value: where it stands, what was seen, what is allowed; `rule` as in `Refusal`."""
    seen = "null" if value is None else f"{shown(value)} ({kind_of(value)})"
    return Refusal("invalid-field", f"{where}: {seen} is not allowed; allowed: {allowed}", param=where, rule=rule)


def shown(value: object) -> str:
    """A value as it may stand in a message: short, on one line, control characters escaped.

    A text stands in single quotes, as names do in messages; all else is spelled as JSON spells it.
    """
    if not isinstance(value, str):
        return shown_json(value)
    return _cut(repr(value[: _MOST_SHOWN + 1]))


def shown_json(value: object) -> str:
    """The same as JSON, a text too; what JSON has no word for, such as a date of TOML, as Python spells it."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > _MOST_SHOWN:
            break
    return _cut(printable(text))


def _pieces(value: object) -> Iterator[str]:
    """A value's JSON in pieces, so that no more is written than is shown: a body may be millions of characters."""
    if isinstance(value, dict):
        for number, (key, item) in enumerate(value.items()):
            yield ", " if number else "{"
            yield f"{json.dumps(str(key)[: _MOST_SHOWN + 1], ensure_ascii=False)}: "
            yield from _pieces(item)
        yield "}" if value else "{}"
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield ", " if number else "["
            yield from _pieces(item)
        yield "]" if value else "[]"
    elif isinstance(value, str):
        yield json.dumps(value[: _MOST_SHOWN + 1], ensure_ascii=False)
    elif value is None or isinstance(value, bool):
        yield json.dumps(value)
    else:
        yield repr(value)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def kind_of(value: object) -> str:
    """The JSON type of a value in words."""
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names[type(value)]


def printable(text: str) -> str:
    """Text from anybody as it may stand on one line of a terminal or a file: what does not print is an escape."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)

"""A request's body as JSON, and what is wrong with one that is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

from mockserver.core.errors import Refusal, kind_of, shown
from mockserver.pipeline.request.head import of_another_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.pipeline.request.rules import RequestRules


Json = dict[str, Any]


def parse(body: bytes, headers: Mapping[bytes, bytes], rules: RequestRules) -> Json:
    """The body as a JSON object; refuses everything that RFC 8259 does not allow and the edition does not let in."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        document = _let_in(body, str(error), headers, rules)
    if isinstance(document, dict):
        return document
    if "wrong-body" in rules.lets_in:
        return {}
    told = f"body: {kind_of(document)} was sent; allowed: an object"
    raise Refusal("invalid-field", told, param="body", rule="wrong-body")


def _let_in(body: bytes, error: str, headers: Mapping[bytes, bytes], rules: RequestRules) -> object:
    """What an edition takes a body for that is no JSON: an empty object, or what its readable characters say."""
    lets_in = rules.lets_in
    if of_another_type(headers, rules):
        lets_in = (*lets_in, "invalid-json")  # it was let in
    rule = "" if body.strip() else "empty-body"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        rule, text = "not-utf-8", body.decode("utf-8", "replace")
    if rule == "not-utf-8" and rule in lets_in:
        return parse(text.encode(), headers, rules)
    if rule in lets_in or "invalid-json" in lets_in:
        return {}
    if (coding := headers.get(b"content-encoding", b"identity")) != b"identity":
        told = f"Content-Encoding: {shown(coding.decode('latin-1'))} is not read here; send the body as it is"
        raise Refusal("invalid-json", told, param="Content-Encoding", rule=rule) from None
    raise Refusal("invalid-json", explain_json(body, error), param="body", rule=rule) from None


_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def explain_json(body: bytes, error: str) -> str:
    """Say where the JSON breaks and what to do, from the parser's message and the body."""
    if not body:
        return "the body is empty; send a JSON object with messages"
    if body.startswith(b"\xef\xbb\xbf"):
        return "the body begins with a byte order mark, which JSON does not allow; send UTF-8 without it"
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return f"the body is not UTF-8: byte {body[wrong.start]:#04x} at offset {wrong.start}; send JSON in UTF-8"
    found = re.search(r"^(.*) at line (\d+) column (\d+)$", error)
    if found is None:
        return f"the body is not valid JSON: {error}"
    what, line, column = found[1], int(found[2]), int(found[3])
    offset = _start_of_line(body, line) + column - 1
    half = _HALF.search(body, max(offset - 6, 0), offset + 1) if "hex escape" in what else None
    if half is not None:
        return (
            f"the body holds half of a character: {half[0].decode()} at {_place(body, half.start())} is one of two "
            "surrogates, and UTF-8 has no place for one alone; send both, or the character itself"
        )
    if what == "trailing comma":
        closer = body[offset : offset + 1].decode(errors="replace")
        offset = body.rfind(b",", 0, offset)
        return (
            f"the body is not valid JSON: trailing comma at {_place(body, offset)}: "
            f"JSON allows no comma before the closing {closer!r}; remove it"
        )
    return f"the body is not valid JSON: {what} at {_place(body, offset)}"


def _start_of_line(body: bytes, line: int) -> int:
    """Where a line, counted from 1, begins: by halves, since a body may be millions of lines."""
    low, high, before = 0, len(body), line - 1
    while before and low < high:
        middle = (low + high) // 2
        count = body.count(b"\n", low, middle + 1)
        if count >= before:
            high = middle
        else:
            low, before = middle + 1, before - count
    return low if not before else low + 1


def _place(body: bytes, offset: int) -> str:
    """Line and column of a byte, both from 1, the column in characters."""
    start = body.rfind(b"\n", 0, offset) + 1
    column = len(body[start:offset].decode(errors="replace")) + 1
    line = body.count(b"\n", 0, start) + 1
    return f"line {line}, column {column}"

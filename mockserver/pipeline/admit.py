"""Stage `admit`: a request's bytes, path and headers become a `ChatRequest`, or a `Refusal` that names the field.

What an edition allows is data (`RequestRules`, read from `edition.toml`); this file holds how a rule is applied. Fields
that no rule names are ignored, as the service does, and listed in `ChatRequest.ignored`.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from dataclasses import field
from functools import lru_cache
from itertools import repeat
from math import isfinite
from operator import contains, itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from pydantic_core import from_json

from mockserver.core.errors import Refusal, kind_of, nearest, shown, suggestion, wrong_value
from mockserver.core.exchange import ANSWER_STYLES, ChatRequest
from mockserver.core.immutable import immutable
from mockserver.core.route import Route
from mockserver.core.written import Written, key

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]
FieldType = Literal["number", "integer", "boolean", "string", "strings", "string-or-strings", "array", "object", "any"]

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
STYLE_HEADER = b"x-mock-answer"
PART_TYPES = {"text": "text", "image_url": "image_url", "video_url": "video_url"}

LIKE_ENOUGH: Final = 0.7
"""How like (0 to 1) a model's id must be to be hinted at: families share most of their letters."""
MOST_LISTED: Final = 12
"""A catalogue of more models is not listed in a message."""
_MOST_FIELDS: Final = 32
_MOST_SHAPES: Final = 256
_LARGEST: Final = sys.float_info.max  # what is larger is infinite, or too large to be one


LetIn = Literal[
    "missing-key", "malformed-key", "wrong-content-type", "unknown-model", "invalid-json", "empty-body", "not-utf-8",
    "wrong-body", "missing-messages", "empty-messages", "wrong-messages", "unknown-role", "missing-content",
    "wrong-content",
]  # fmt: skip


@immutable(frozen=True, kw_only=True)
class FieldRule(Written):
    """What one field of the request may hold. `null` counts as absent unless `nullable` is false."""

    type: FieldType
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = True
    from_text: bool = False
    """Whether a text that reads as a number, or as true or false, counts as one."""
    claim: Literal["documented", "observed", "assumed"]
    source: str


@immutable(frozen=True, kw_only=True)
class UniqueToolNames(Written):
    """Which models refuse two tools with one name."""

    models: tuple[str, ...]
    """Beginnings of their ids."""
    claim: Literal["documented", "observed", "assumed"]
    source: str


@immutable(frozen=True, kw_only=True)
class RequestRules(Written):
    """What an edition allows in a request."""

    model: Literal["path", "body"]
    """Which model answers: the path's, whatever the body says, or the body's where it is a string."""
    model_required: bool
    """Whether the key `model` must be in the body (null is allowed)."""
    roles: tuple[str, ...]
    content_types: tuple[str, ...] = ("application/json",)
    body_limit_bytes: int = key(default=10 * 2**20, ge=1)
    unique_tool_names: UniqueToolNames | None = None
    """None lets every model take two tools with one name."""
    fields: dict[str, FieldRule]
    lets_in: tuple[LetIn, ...] = ()
    """What is not refused, though the documents say so; what cannot be read then counts as empty."""
    not_kept: tuple[Literal["max_tokens", "max_completion_tokens", "stop"], ...] = ()
    """Fields that are taken and have no effect."""


class Shape(NamedTuple):
    """What becomes of the fields that a body has.

    Attributes:
        checked: Those that have a rule; with the types of their usual values, each with the least and the most of it.
        ignored: Those that the edition does not know.
    """

    checked: tuple[tuple[str, Mapping[type, tuple[Any, Any]]], ...]
    ignored: tuple[str, ...]


@immutable(frozen=True, slots=True)
class AdmitSettings:
    """Everything that decides whether a request is let in.

    Attributes:
        rules: The edition's rules for the body.
        catalogue: Model to the chips that serve it.
        keys: The API keys that are good; None lets every non-empty key in.
        shapes: What becomes of the fields that bodies had.
    """

    rules: RequestRules
    catalogue: Mapping[str, frozenset[str]]
    keys: frozenset[str] | None = None
    shapes: dict[tuple[str, ...], Shape] = field(default_factory=dict, compare=False, repr=False)

    def shape(self, names: tuple[str, ...]) -> Shape:
        """What becomes of the fields of a body, remembered, since a client sends the same fields each time."""
        fields = self.rules.fields
        made = Shape(
            tuple((name, _usual_values(fields[name])) for name in names if name in fields),
            tuple(name for name in names if name not in fields and name not in {"model", "messages"}),
        )
        if len(names) <= _MOST_FIELDS:
            if len(self.shapes) >= _MOST_SHAPES:
                self.shapes.clear()
            self.shapes[names] = made
        return made


def _usual_values(rule: FieldRule) -> Mapping[type, tuple[Any, Any]]:
    """Types of a field's values that are allowed between two values: what `check_field` lets pass, and sooner."""
    low = -_LARGEST if rule.minimum is None else rule.minimum
    high = _LARGEST if rule.maximum is None else rule.maximum
    if rule.type == "boolean":
        return {bool: (False, True)}
    if rule.type == "integer":
        return {int: (low, high)}
    return {int: (low, high), float: (low, high)} if rule.type == "number" else {}


@immutable(frozen=True, slots=True)
class Entrance:
    """Where a request comes in: what its head decides, the same for every request with that head.

    Attributes:
        path_model: The path's `{model}`; empty where only the body names one; for a deployment its id.
        chip: The path's `{chiptype}`, or the default one where the path has none.
        deployment: Whether `path_model` is the id of a self-deployed model, which no catalogue lists.
        route: Where it was asked for.
    """

    path_model: str
    chip: str
    deployment: bool
    route: Route


def admit(
    path_model: str,
    chip: str,
    headers: Mapping[bytes, bytes],
    body: bytes,
    settings: AdmitSettings,
    *,
    deployment: bool = False,
    namespace: str = "",
    query: str = "",
) -> ChatRequest:
    """Let a request in, or raise the `Refusal` that the service would answer.

    The order is the gateway's: key, path, content type, JSON, fields.

    Args:
        path_model: The path's `{model}`; empty where only the body names one; for a deployment its id.
        chip: The path's `{chiptype}`, or the default one where the path has none.
        headers: Request headers, names in lower case.
        body: The whole body.
        settings: This stage's settings.
        deployment: Whether `path_model` is the id of a self-deployed model, which no catalogue lists.
        namespace: The namespace that the request belongs to.
        query: The query, without its question mark.
    """
    entrance = enter(path_model, chip, headers, settings, deployment=deployment)
    return admit_body(entrance, headers, body, settings, namespace, query)


def enter(
    path_model: str, chip: str, headers: Mapping[bytes, bytes], settings: AdmitSettings, *, deployment: bool = False
) -> Entrance:
    """The first half of `admit`: key, path, content type."""
    lets_in = settings.rules.lets_in
    try:
        check_key(headers, settings.keys)
    except Refusal as refusal:
        if refusal.kind not in lets_in:
            raise
    if path_model and not deployment and not ("unknown-model" in lets_in and path_model not in settings.catalogue):
        check_combination(path_model, chip, settings.catalogue)
    check_content_type(headers, settings.rules)
    route = Route(deployment=path_model) if deployment else Route(path_model, chip) if path_model else Route()
    return Entrance(path_model, chip, deployment, route)


def admit_body(
    entrance: Entrance,
    headers: Mapping[bytes, bytes],
    body: bytes,
    settings: AdmitSettings,
    namespace: str = "",
    query: str = "",
) -> ChatRequest:
    """The second half of `admit`: JSON and fields."""
    rules = settings.rules
    document = parse(body, headers, rules)
    path_model, deployment = entrance.path_model, entrance.deployment
    model = chosen_model(document, path_model, rules, deployment=deployment)
    if model != path_model and not deployment:
        any_model = "unknown-model" in rules.lets_in
        if not (any_model and model not in settings.catalogue):
            check_combination(model, entrance.chip, settings.catalogue, overrides=path_model)
    messages, texts = check_messages(document, rules)
    names = tuple(document)
    shape = settings.shapes.get(names) or settings.shape(names)
    for name, usual in shape.checked:
        value = document[name]
        ends = usual.get(type(value))
        if ends is None or not ends[0] <= value <= ends[1]:
            taken = read_field(name, value, rules.fields[name])
            if taken is not value:
                document[name] = taken
    stream = document.get("stream") is True
    options = document.get("stream_options") if stream or "stream_options" in document else None
    return ChatRequest(
        model,
        entrance.chip,
        messages,
        stream,
        isinstance(options, dict) and options.get("include_usage") is True,
        document,
        shape.ignored,
        asked_style(headers) if STYLE_HEADER in headers else None,
        namespace,
        entrance.route,
        headers,
        query,
        texts,
    )


def asked_style(headers: Mapping[bytes, bytes]) -> str | None:
    """The style of answer that `X-Mock-Answer` asks for; None where the header is absent."""
    sent = headers.get(STYLE_HEADER)
    if sent is None:
        return None
    style = sent.decode("latin-1").strip()
    if style not in ANSWER_STYLES:
        allowed = ", ".join(ANSWER_STYLES)
        raise Refusal(
            "unknown-quirk", f"X-Mock-Answer: {shown(style)} is not a style; allowed: {allowed}", param="X-Mock-Answer"
        )
    return style


def check_key(headers: Mapping[bytes, bytes], keys: frozenset[str] | None) -> None:
    """Refuse a request whose `Authorization` is missing, malformed or holds a key that is not good."""
    value = headers.get(b"authorization", b"")
    if keys is None and value.startswith(b"Bearer ") and len(value) > 7 and b" " not in value[7:]:
        return
    scheme, _, key = value.partition(b" ")
    key = key.strip()
    if not value:
        raise Refusal("missing-key", 'no Authorization header; send "Authorization: Bearer <key>"')
    if scheme.lower() != b"bearer" or not key or b" " in key:
        raise Refusal("malformed-key", 'Authorization is not of the form "Bearer <key>"')
    if keys is not None and key.decode("latin-1") not in keys:
        raise Refusal("wrong-key", "this key is not among those given by --api-key")


def check_combination(
    model: str, chip: str, catalogue: Mapping[str, frozenset[str]], *, overrides: str | None = None
) -> None:
    """Refuse a model or a chip that the edition does not serve, or not together.

    Args:
        model: The model.
        chip: The chip.
        catalogue: Model to the chips that serve it.
        overrides: The path's model where the body's overrides it; empty where there is none, None for the path's own.
    """
    served = catalogue.get(model)
    if served is None:
        near = nearest(model, catalogue, likeness=LIKE_ENOUGH)
        if near:
            hint = f"did you mean {', '.join(near)}?"
        elif len(catalogue) <= MOST_LISTED:
            hint = f"known: {', '.join(catalogue)}"
        else:
            hint = f"{len(catalogue)} models are; genstudio-mock profiles --models lists them, --model NAME adds one"
        if overrides is None:
            raise Refusal("unknown-model", f"model {shown(model)} is not served here; {hint}")
        also = f", and it overrides the path's; null or {shown(overrides)} takes that one" if overrides else ""
        raise Refusal("unknown-model", f"model: {shown(model)} is not served here{also}; {hint}", param="model")
    if chip not in served:
        chips = sorted(set().union(*catalogue.values()))
        if chip in chips:
            raise Refusal(
                "unknown-combination",
                f"model {model} is not served on chip {chip}; it is on {', '.join(sorted(served))}",
            )
        raise Refusal("unknown-chip", f"chip {shown(chip)} is not served here; {suggestion(chip, chips)}")


def check_content_type(headers: Mapping[bytes, bytes], rules: RequestRules) -> None:
    """Refuse other content types than the edition's; none at all is let in."""
    if _of_another_type(headers, rules) and "wrong-content-type" not in rules.lets_in:
        raise Refusal(
            "wrong-content-type",
            f"Content-Type: {shown(_kind(headers[b'content-type']))} is not read here; "
            f"allowed: {', '.join(rules.content_types)}",
            param="Content-Type",
        )


def _of_another_type(headers: Mapping[bytes, bytes], rules: RequestRules) -> bool:
    sent = headers.get(b"content-type")
    return sent is not None and _kind(sent) not in rules.content_types


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
    if _of_another_type(headers, rules):
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


@lru_cache(maxsize=64)
def _kind(sent: bytes) -> str:
    """A content type without its parameters."""
    return sent.split(b";", 1)[0].strip().lower().decode("latin-1")


_HALF = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


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


def chosen_model(document: Json, path_model: str, rules: RequestRules, *, deployment: bool = False) -> str:
    """The model that answers. The documents contradict each other, so the edition says whether the body overrides.

    Where the path names no model the body must; a deployment answers to its id and to any name.
    """
    if not path_model and not isinstance(document.get("model"), str):
        seen = "missing" if "model" not in document else f"{shown(document['model'])} is not allowed"
        raise Refusal("invalid-field", f"model: {seen}; allowed: a string, for the path names no model", param="model")
    if "model" not in document:
        if rules.model_required and not deployment:
            raise Refusal(
                "invalid-field", "model: missing; allowed: a string, or null for the path's model", param="model"
            )
        return path_model
    model = document["model"]
    if model is not None and not isinstance(model, str):
        raise Refusal(
            "invalid-field", f"model: {shown(model)} is {kind_of(model)}; allowed: a string or null", param="model"
        )
    overrides = deployment or not path_model or rules.model == "body"
    return model if model is not None and overrides else path_model


def check_messages(document: Json, rules: RequestRules) -> tuple[list[Json], list[str] | None]:
    """The dialogue, checked message by message, and its texts where each message says one and calls nothing."""
    messages = document.get("messages")
    lets_in = rules.lets_in
    if not isinstance(messages, list) or not messages:
        fault = _no_dialogue(document)
        if fault.rule not in lets_in:
            raise fault
        messages = document["messages"] = []
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
"""Fields that answers follow: a value of another type, where any is taken, counts as absent."""


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

"""Stub mappings of WireMock (https://wiremock.org/docs/stubbing/): one, a list, or `{"mappings": […]}`.

Taken are those of POST to a path of chat completions. An answer that is a completion becomes words, which every chip
says in its own form; any other one stays the bytes that it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from mockserver.core.route import CHAT, parse
from mockserver.files.kept_headers import SECRET_NAMES, dropped
from mockserver.recording.formats.stub import SIMPLE_PATH, Stub, as_text, reading, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEFAULT_PRIORITY: Final = 5  # 1 goes first
_FAULTS: Final = {"EMPTY_RESPONSE": "cut", "CONNECTION_RESET_BY_PEER": "reset"}
_REQUEST: Final = {
    "method",
    "url",
    "urlPath",
    "urlPattern",
    "urlPathPattern",
    "headers",
    "queryParameters",
    "bodyPatterns",
}
_RESPONSE: Final = {"status", "jsonBody", "body", "headers", "fixedDelayMilliseconds", "fault"}
_STUB: Final = {"id", "uuid", "name", "priority", "request", "response", "persistent", "metadata", "insertionIndex"}


def fits(value: object) -> bool:
    """Whether a JSON value is such a file."""
    rows = _rows(value)
    return bool(rows) and all(
        isinstance(row, dict) and isinstance(row.get("request"), dict) and isinstance(row.get("response"), dict)
        and bool(row["request"].keys() & (_REQUEST - {"headers"})) and "sends" not in row["response"]
        and "path" not in row["request"]
        for row in rows
    )  # fmt: skip


def stubs(value: Any) -> Iterator[Stub]:
    """The stubs of a file."""
    for number, row in enumerate(_rows(value)):
        made = Stub(f"mappings[{number}]", title=str(row.get("name", "")))
        with reading(made):
            made.useless = _path(made, row["request"])
            if not made.useless:
                _ask(made, row["request"])
                _say(made, row["response"])
                _rank(made, row)
        yield made


def _rows(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return value["mappings"] if isinstance(value.get("mappings"), list) else [value]
    return value if isinstance(value, list) else []


def _path(stub: Stub, request: dict[str, Any]) -> str:
    """Take in the path; why it is none of chat."""
    method = str(request.get("method", "ANY"))
    if method not in {"POST", "ANY"}:
        return f"{method} asks for no chat"
    for name in ("url", "urlPath"):
        if name in request:
            parts = urlsplit(str(request[name]))
            route = parse(parts.path)
            if route is None and not parts.path.rstrip("/").endswith(CHAT):
                return f"{parts.path[:80]} is no path of chat"
            if route is not None:
                stub.model, stub.chip = route.model or stub.model, route.chip or stub.chip
            stub.match |= {"query": dict(parse_qsl(parts.query))} if parts.query else {}
    for name in ("urlPattern", "urlPathPattern"):
        if name in request:
            stub.leave_out(f"request.{name}", "every path of chat is answered")
    return ""


def _ask(stub: Stub, request: dict[str, Any]) -> None:
    for name, ours in {"headers": "headers", "queryParameters": "query"}.items():
        for key, pattern in (request.get(name) or {}).items():
            wanted = None if SECRET_NAMES.search(key) else _condition(pattern)
            if wanted is None or key.lower() in {"content-type", "accept"}:
                stub.leave_out(f"request.{name}.{key}")
            else:
                stub.match.setdefault(ours, {})[key] = wanted
    for pattern in request.get("bodyPatterns") or ():
        _body(stub, pattern if isinstance(pattern, dict) else {})
    for name in request.keys() - _REQUEST:
        stub.leave_out(f"request.{name}")


def _condition(pattern: Any) -> Any:
    """A text's condition in a fixture's words; None where it has none."""
    if not isinstance(pattern, dict) or pattern.get("caseInsensitive"):
        return None
    if "equalTo" in pattern:
        return str(pattern["equalTo"])
    if "contains" in pattern:
        return {"contains": str(pattern["contains"])}
    if "matches" in pattern:
        return {"regex": f"^(?:{pattern['matches']})$"}
    return {"exists": False} if pattern.get("absent") is True else None


def _body(stub: Stub, pattern: dict[str, Any]) -> None:
    """One of the patterns for the body."""
    told = f"request.bodyPatterns {', '.join(pattern)}"
    if "contains" in pattern and "user" not in stub.match:
        stub.match["user"] = {"contains": str(pattern["contains"])}
        stub.title = stub.title or str(pattern["contains"])
        stub.leave_out(told, "looked for in the last user message alone")
        return
    if "equalToJson" in pattern:
        due = _json(pattern["equalToJson"])
        if isinstance(due, dict) and all(SIMPLE_PATH.fullmatch(f"$.{key}") for key in due):
            for key, value in due.items():
                stub.asks(f"$.{key}", value)
            return
    if "matchesJsonPath" in pattern:
        asked = pattern["matchesJsonPath"]
        path, rest = (asked.get("expression"), asked) if isinstance(asked, dict) else (asked, None)
        wanted = {"exists": True} if rest is None else _condition(rest)
        if isinstance(path, str) and SIMPLE_PATH.fullmatch(path) and wanted is not None:
            stub.asks(path, wanted)
            return
        told = f"{told}: {path}"
    stub.leave_out(told)


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _say(stub: Stub, response: dict[str, Any]) -> None:
    fault = response.get("fault")
    if fault in _FAULTS:
        stub.answer = {"raw": {"sends": [], "ending": _FAULTS[fault]}}
    elif fault is not None:
        stub.useless = f"fault {fault}: arm a fault instead, docs/faults.md"
    elif "jsonBody" in response or isinstance(response.get("body"), str):
        _say_body(stub, response)
    else:
        others = ", ".join(response.keys() - _RESPONSE) or "no body"
        stub.useless = f"response has {others}, which a fixture cannot say"
    if isinstance(response.get("fixedDelayMilliseconds"), int | float):
        stub.answer["delay_ms"] = response["fixedDelayMilliseconds"]
    for name in response.keys() - _RESPONSE:
        stub.leave_out(f"response.{name}")


def _say_body(stub: Stub, response: dict[str, Any]) -> None:
    status = response.get("status", 200)
    body = response["jsonBody"] if "jsonBody" in response else response["body"]
    parsed = _json(body)
    headers = {key: value for key, value in (response.get("headers") or {}).items() if isinstance(value, str)}
    names = dropped([(key.encode(), value.encode()) for key, value in headers.items()])
    kept = {key: value for key, value in headers.items() if key.lower() not in names}
    words = _words(parsed) if status == 200 else None
    if words is not None:
        stub.answer = words
        names = [key.lower() for key in headers if key.lower() not in {"content-type", "content-length"}]
    elif isinstance(status, int) and status >= 400 and parsed is not None:
        steering = {key: value for key, value in kept.items() if key.lower() not in {"content-type", "content-length"}}
        stub.answer = {"error": {"status": status, "body": parsed} | ({"headers": steering} if steering else {})}
    else:
        stub.answer = {"raw": {"status": status} | ({"headers": kept} if kept else {}) | {"sends": [as_text(body)]}}
    if "{{" in as_text(body):
        stub.leave_out("the templates in response.body")
    for name in names:
        stub.leave_out(f"response.headers.{name}")


def _words(body: Any) -> dict[str, Any] | None:
    """What a chat completion says, in a fixture's words; None for anything else."""
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        return None
    said: dict[str, Any] = {"text": message["content"]} if isinstance(message.get("content"), str) else {}
    if isinstance(message.get("reasoning_content"), str):
        said["reasoning"] = message["reasoning_content"]
    calls = [one for one in message.get("tool_calls") or () if isinstance(one, dict)]
    if calls:
        said["tool_calls"] = [
            {**{key: one["function"][key] for key in ("name", "arguments") if key in one["function"]},
             **({"id": one["id"]} if "id" in one else {})}
            for one in calls if isinstance(one.get("function"), dict)
        ]  # fmt: skip
    if isinstance(first.get("finish_reason"), str):
        said["finish_reason"] = first["finish_reason"]
    usage = usage_of(body.get("usage"))
    said |= {"usage": usage} if usage else {}
    return said | {key: body[key] for key in ("id", "created") if key in body}


def _rank(stub: Stub, row: dict[str, Any]) -> None:
    if isinstance(row.get("priority"), int) and row["priority"] != _DEFAULT_PRIORITY:
        stub.more["priority"] = _DEFAULT_PRIORITY - row["priority"]
    for name in row.keys() - _STUB:
        stub.leave_out(name)

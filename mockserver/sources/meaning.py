"""What an answer's bytes mean, whatever wire form they came in: the way back from a plan to an `Answer`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mockserver.exchange import Answer, ToolCall, Usage
from mockserver.pipeline.frame import BOM, WIRE_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.exchange import Plan

Json = dict[str, Any]
_EVENT_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")


def wire_format(body: bytes) -> str:
    """The row of `WIRE_FORMATS` that reads this body: what stands in it decides, since content types are unreliable."""
    start = body.removeprefix(BOM).lstrip()
    if start.startswith(_EVENT_STARTS):
        return "sse"
    try:
        return "json" if isinstance(json.loads(start), dict) and b"chat.completion.chunk" not in start else "json-lines"
    except (ValueError, RecursionError):
        return "json-lines"


def objects_of(body: bytes) -> list[Json]:
    """The JSON objects of a body, without the done marker; raises ValueError where it cannot be read."""
    reader = WIRE_FORMATS[wire_format(body)].reader()
    try:
        read = [*reader.feed(body), *reader.close()]
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    return [one for one in read if isinstance(one, dict)]


def meaning(plan: Plan) -> Answer:
    """The answer that a plan's bytes say: pieces as they were cut, usage, how it finished.

    Raises:
        ValueError: The body is no completion and no stream of chunks.
    """
    objects = objects_of(b"".join(plan.frames))
    if not any("choices" in one for one in objects):
        raise ValueError("the body holds no completion")
    return answer_of(objects, plan.source)


def answer_of(objects: Sequence[Json], source: str = "recording") -> Answer:
    """The answer that chunks, or one completion, say; of several choices the first is read."""
    pieces: list[str] = []
    reasoning: list[str] = []
    calls: dict[int, tuple[str, str, list[str]]] = {}
    finish, usage, blocked = "stop", None, False
    for one in objects:
        usage = one.get("usage") or usage
        blocked = blocked or one.get("blocked") is True
        choice = next((c for c in one.get("choices") or () if isinstance(c, dict) and not c.get("index")), None)
        if choice is None:
            continue
        said = _object(choice.get("delta")) or _object(choice.get("message"))
        _add(pieces, said.get("content"))
        _add(reasoning, said.get("reasoning_content") or said.get("reasoning") or choice.get("reasoning_content"))
        _take_calls(calls, said.get("tool_calls") or ())
        if isinstance(choice.get("finish_reason"), str):
            finish = choice["finish_reason"]
    return Answer(
        tuple(pieces),
        _usage(usage, len(pieces) + len(reasoning)),
        finish,
        tuple(reasoning),
        tuple(ToolCall(id_, name, tuple(args)) for id_, name, args in calls.values()),
        blocked,
        id=_first(objects, "id", str),
        created=_first(objects, "created", int),
        source=source,
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _add(pieces: list[str], text: object) -> None:
    if isinstance(text, str) and text:
        pieces.append(text)


def _first(objects: Iterable[Json], key: str, kind: type) -> Any:
    return next((one[key] for one in objects if isinstance(one.get(key), kind) and one[key]), None)


def _take_calls(calls: dict[int, tuple[str, str, list[str]]], parts: Iterable[Any]) -> None:
    for number, part in enumerate(parts):
        if not isinstance(part, dict):
            continue
        function = _object(part.get("function"))
        index = part.get("index", number)
        id_, name, arguments = calls.get(index, ("", "", []))
        _add(arguments, function.get("arguments"))
        calls[index] = (id_ or str(part.get("id") or ""), name or str(function.get("name") or ""), arguments)


def _usage(usage: object, pieces: int) -> Usage:
    """The usage that was sent, or the count of the pieces and the end token where none was."""
    sent = _object(usage)
    prompt, completion = sent.get("prompt_tokens"), sent.get("completion_tokens")
    details = _object(sent.get("completion_tokens_details")).get("reasoning_tokens")
    return Usage(
        prompt if isinstance(prompt, int) else 0,
        completion if isinstance(completion, int) else pieces + 1,
        details if isinstance(details, int) else 0,
    )

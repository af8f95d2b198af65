"""What an answer's bytes mean, whatever wire form they came in: the way back from a plan to an `Answer`."""

from __future__ import annotations

import contextlib
import re
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import Answer, ToolCall, Usage
from mockserver.pipeline.body import Json, objects_of, wire_format_of
from mockserver.pipeline.frame import WIRE_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.core.exchange import Plan

UNPACKED_LIMIT_BYTES: Final = 64 * 2**20
_HALF = re.compile("[\ud800-\udfff]")


def meaning(plan: Plan) -> Answer:
    """The answer that a plan's bytes say: pieces as they were cut and when each came, usage, how it finished.

    Raises:
        ValueError: The body is no completion and no stream of chunks.
    """
    body = body_of(plan)
    objects = objects_of(body)
    if not any("choices" in one for one in objects):
        raise ValueError("the body holds no completion")
    answer = answer_of(objects, plan.source)
    return replace(answer, at_ms=_times_of_parts(plan, body, objects))


def _times_of_parts(plan: Plan, body: bytes, objects: Sequence[Json]) -> tuple[float, ...]:
    """When the answer began, when each of its parts came, and when it was whole; nothing where it is not known."""
    at_ms = plan.at_ms
    if not at_ms or coding_of(plan):
        return (at_ms[0], at_ms[-1]) if at_ms else ()
    reader = WIRE_FORMATS[wire_format_of(body)].reader()
    times = [
        at for at, frame in zip(at_ms, plan.frames, strict=False) for one in reader.feed(frame) if isinstance(one, dict)
    ]
    times += [at_ms[-1]] * (len(objects) - len(times))
    parts = [at for at, one in zip(times, objects, strict=True) for _ in range(_parts_in(one))]
    return times[0], *parts, at_ms[-1]


def _parts_in(one: Json) -> int:
    """How many chunks of their own the parts in a chunk make: text, reasoning, a call that begins, arguments."""
    said = answer_of([one])
    return len(said.pieces) + len(said.reasoning) + sum(bool(call.name) + len(call.pieces) for call in said.tool_calls)


def body_of(plan: Plan) -> bytes:
    """A plan's body without its content coding; raises ValueError where that cannot be taken off."""
    return unpacked(b"".join(plan.frames), coding_of(plan))


def coding_of(plan: Plan) -> bytes:
    """The content coding of a plan's body; empty for none."""
    return next((value for name, value in plan.headers if name.lower() == b"content-encoding"), b"")


def unpacked(data: bytes, coding: bytes) -> bytes:
    """A body without its content coding; raises ValueError for one that is unknown, broken or far too long."""
    name = coding.strip().lower()
    if name in {b"", b"identity"}:
        return data
    if name not in {b"gzip", b"x-gzip", b"deflate"}:
        raise ValueError(f"content-encoding {coding.decode('latin-1')!r} is not read; known: gzip, deflate, identity")
    try:
        return _inflated(data, zlib.MAX_WBITS | 32)
    except zlib.error as error:
        if name == b"deflate":  # some send it without the header that it ought to have
            with contextlib.suppress(zlib.error):
                return _inflated(data, -zlib.MAX_WBITS)
        raise ValueError(f"content-encoding {name.decode()}: {error}") from None


def _inflated(data: bytes, window_bits: int) -> bytes:
    """All members of a packed body, one after another; a body that was cut gives what came."""
    made, room = [], UNPACKED_LIMIT_BYTES
    while data:
        machine = zlib.decompressobj(window_bits)
        made.append(machine.decompress(data, room))
        room -= len(made[-1])
        if machine.unconsumed_tail or room <= 0:
            raise ValueError(f"the unpacked body is over {UNPACKED_LIMIT_BYTES >> 20} MiB")
        data = machine.unused_data
    return b"".join(made)


def choices_of(objects: Iterable[Json]) -> set[int]:
    """The numbers of the choices in chunks or a completion."""
    choices = (choice for one in objects for choice in _list(one.get("choices")) if isinstance(choice, dict))
    return {number for choice in choices if isinstance(number := choice.get("index") or 0, int)}


def answer_of(objects: Sequence[Json], source: str = "recording", choice: int = 0) -> Answer:
    """The answer that chunks, or one completion, say; of several choices the one with this number."""
    pieces: list[str] = []
    reasoning: list[str] = []
    calls: dict[int, tuple[str, str, list[str]]] = {}
    finish, usage, blocked = "stop", None, False
    for one in objects:
        usage = one.get("usage") or usage
        blocked = blocked or one.get("blocked") is True
        found = (c for c in _list(one.get("choices")) if isinstance(c, dict) and (c.get("index") or 0) == choice)
        part = next(found, None)
        if part is None:
            continue
        said = _object(part.get("delta")) or _object(part.get("message"))
        _add(pieces, said.get("content"))
        _add(reasoning, said.get("reasoning_content") or said.get("reasoning") or part.get("reasoning_content"))
        _take_calls(calls, _list(said.get("tool_calls")))
        if isinstance(part.get("finish_reason"), str):
            finish = _utf8(part["finish_reason"])
    return Answer(
        _sendable(pieces),
        _usage(usage, len(pieces) + len(reasoning)),
        finish,
        _sendable(reasoning),
        tuple(ToolCall(id_, name, _sendable(args)) for id_, name, args in calls.values()),
        blocked,
        id=_first(objects, "id", str),
        created=_first(objects, "created", int),
        source=source,
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _add(pieces: list[str], text: object) -> None:
    if isinstance(text, str) and text:
        pieces.append(text)


def _sendable(pieces: Sequence[str]) -> tuple[str, ...]:
    """Pieces that UTF-8 can say: a half of a character waits for its other half, and one that has none is a `?`."""
    if not _HALF.search("".join(pieces)):
        return tuple(pieces)
    made, half = [], ""
    for piece in pieces:
        text = half + piece
        half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        made.append(_utf8(text.removesuffix(half)))
    return (*made, "?") if half else tuple(made)


def _utf8(text: str) -> str:
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return joined.encode("utf-8", "replace").decode()


def _first(objects: Iterable[Json], key: str, kind: type) -> Any:
    found = (one[key] for one in objects if type(one.get(key)) is kind and one[key])
    value = next(found, None)
    return _utf8(value) if isinstance(value, str) else value


def _take_calls(calls: dict[int, tuple[str, str, list[str]]], parts: Iterable[Any]) -> None:
    for number, part in enumerate(parts):
        if not isinstance(part, dict):
            continue
        function = _object(part.get("function"))
        index = part["index"] if isinstance(part.get("index"), int) else number
        id_, name, arguments = calls.get(index, ("", "", []))
        _add(arguments, function.get("arguments"))
        calls[index] = (
            id_ or _utf8(str(part.get("id") or "")),
            name or _utf8(str(function.get("name") or "")),
            arguments,
        )


def _usage(usage: object, pieces: int) -> Usage:
    """The usage that was sent, or the count of the pieces and the end token where none was."""
    sent = _object(usage)
    prompt, completion = sent.get("prompt_tokens"), sent.get("completion_tokens")
    details = _object(sent.get("completion_tokens_details")).get("reasoning_tokens")
    return Usage(_count(prompt, 0), _count(completion, pieces + 1), _count(details, 0))


def _count(value: object, otherwise: int) -> int:
    return value if type(value) is int and value >= 0 else otherwise

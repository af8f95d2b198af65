"""Stage `read`, the way back: a whole body becomes what it said, whatever its wire format.

The bytes decide: content types are unreliable, and a fault may have made something else of what the profile says. A
body is read once, as far as it goes (`ReadBody`). Three look at what was read, each for a purpose of its own:

- `meaning` is for who says it anew. What cannot be read to its end has no meaning; of several choices one is said, by
  its number; odd values are left out, and what is absent gets its usual value.
- `carried` is for who asks what a client could know. It goes as far as the bytes go and says why they end; all choices
  count, in the order they came; what is absent is absent.
- The contract's `Reading` is for who judges. It takes the first choice that is listed, whatever its number, and leaves
  each value as it came, odd or not; no content coding is taken off, since the contract asks for none.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mockserver.core import strict_json
from mockserver.core.exchange import Answer, ToolCall, Usage
from mockserver.core.immutable import immutable
from mockserver.pipeline.coding import body_of, coding_of
from mockserver.pipeline.frame import BOM, DONE, WIRE_FORMATS, Done, Json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mockserver.core.exchange import Exchange, Plan

_EVENT_STARTS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")
_OF_CHUNKS: Final = (b'"delta"', b"chat.completion.chunk")
_SHOWN_ERROR: Final = 500
_HALF: Final = re.compile("[\ud800-\udfff]")


@immutable(frozen=True)
class ReadBody:
    """A whole body, read once.

    Attributes:
        wire_format: The row of `WIRE_FORMATS` that reads it; empty for what is read by none.
        events: JSON objects and done markers in order, up to the first that cannot be read.
        problem: Why reading stopped there; empty where it came to the end.
    """

    wire_format: str
    events: Sequence[Json | Done]
    problem: str = ""

    @cached_property
    def objects(self) -> list[Json]:
        """The JSON objects: chunks, a completion, errors."""
        return [one for one in self.events if not isinstance(one, Done)]

    @property
    def done(self) -> bool:
        """Whether a done marker came."""
        return any(one is DONE for one in self.events)

    @property
    def blocked(self) -> bool:
        """Whether the text review stopped the answer."""
        return any(one.get("blocked") is True for one in self.objects)


def read(data: bytes) -> ReadBody:
    """A body as far as it can be read; never raises."""
    wire_format = wire_format_of(data)
    reader = WIRE_FORMATS[wire_format].reader()
    events: list[Json | Done] = []
    problem = ""
    if wire_format == "json":
        data = data.removeprefix(BOM)
    try:
        for line in data.splitlines(keepends=True):  # of bytes: at line feeds and carriage returns only
            events += reader.feed(line)
        events += reader.close()
    except ValueError as error:
        problem = f"object {len(events) + 1} of the body cannot be read: {error}"
    return ReadBody(wire_format, events, problem)


def wire_format_of(data: bytes) -> str:
    """The row of `WIRE_FORMATS` that reads this body; `json` where none does."""
    start = data.removeprefix(BOM).lstrip()
    if start.startswith(_EVENT_STARTS):
        return "sse"
    first, _, more = start.partition(b"\n")
    chunked = any(mark in start for mark in _OF_CHUNKS)
    return "json-lines" if chunked or (more.strip() and _is_json(first)) else "json"


def _is_json(data: bytes) -> bool:
    try:
        strict_json.loads(data)
    except ValueError:
        return False
    return True


def objects_of(data: bytes) -> list[Json]:
    """The JSON objects of a body, without the done marker; raises ValueError where it cannot be read to its end."""
    body = read(data)
    if body.problem:
        raise ValueError(body.problem)
    return body.objects


def choices_in(one: Json) -> list[Json]:
    """The choices of a chunk or a completion, in the order they are listed."""
    return [choice for choice in _list(one.get("choices")) if isinstance(choice, dict)]


def _said_in(choice: Json) -> Json:
    """What a choice says, wherever it stands: in a delta or in a message."""
    return _object(choice.get("delta")) or _object(choice.get("message"))


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# --- what it carried ----------------------------------------------------------------------------------------------


@immutable(frozen=True, slots=True)
class Carried:
    """What went over the wire, to a client that could read it.

    Attributes:
        framing: The wire format: `sse`, `json-lines`, `json`, or empty for an empty body.
        chunks: How many objects held content.
        text: The content, joined.
        tool_calls: Names of the functions that were called.
        finish_reason: The last one that was sent; None for none, and an empty one is none.
        blocked: Whether the text review stopped the answer.
        done: Whether the done marker was sent.
        problem: Why reading stopped before the end; empty where it did not.
        error: What an error that stands in the body says, whatever the status; empty where there is none.
    """

    framing: str = ""
    chunks: int = 0
    text: str = ""
    tool_calls: tuple[str, ...] = ()
    finish_reason: str | None = None
    blocked: bool = False
    done: bool = False
    problem: str = ""
    error: str = ""


def carried(exchange: Exchange) -> Carried:
    """What an exchange carried so far, as far as its bytes can be read; never raises."""
    if exchange.plan is None:
        return Carried()
    try:
        data = body_of(exchange.plan, exchange.frames_sent)
    except ValueError as error:
        return Carried("json", problem=str(error))
    if not data.strip():
        return Carried()
    body = read(data)
    choices = [choice for one in body.objects for choice in choices_in(one)]
    said = [_said_in(choice) for choice in choices]
    pieces = [text for one in said if (text := _text(one.get("content")))]
    functions = [_object(_object(call).get("function")) for one in said for call in _list(one.get("tool_calls"))]
    finishes = [text for choice in choices if (text := _text(choice.get("finish_reason")))]
    return Carried(
        body.wire_format,
        len(pieces),
        _utf8("".join(pieces)),
        tuple(_utf8(name) for one in functions if (name := _text(one.get("name")))),
        _utf8(finishes[-1]) if finishes else None,
        body.blocked,
        body.done,
        body.problem,
        next(filter(None, map(_error_in, body.objects)), ""),
    )


def _error_in(one: Json) -> str:
    """The message of an error, wherever services put it; of one without words its JSON."""
    error = one.get("error") or next(filter(None, (choice.get("error") for choice in choices_in(one))), None)
    if not error and "choices" not in one and "code" in one:  # the gateway's form, and that of other clouds
        error = one
    if not error:
        return ""
    words = _object(error).get("message") or _object(error).get("msg") or error
    return _utf8(words if isinstance(words, str) else json.dumps(words, ensure_ascii=False))[:_SHOWN_ERROR]


# --- what it means ------------------------------------------------------------------------------------------------


def meaning(plan: Plan) -> Answer:
    """The answer that a plan's bytes say: pieces as they were cut and when each came, usage, how it finished.

    Whether that is a whole answer, and all of it, is `judge`'s question.

    Raises:
        ValueError: The body is no completion and no stream of chunks.
    """
    body = read(body_of(plan))
    if body.problem:
        raise ValueError(body.problem)
    if not any("choices" in one for one in body.objects):
        raise ValueError("the body holds no completion")
    return replace(answer_of(body.objects, plan.source), at_ms=_times_of_parts(plan, body))


def _times_of_parts(plan: Plan, body: ReadBody) -> tuple[float, ...]:
    """When the answer began, when each of its parts came, and when it was whole; nothing where it is not known."""
    at_ms = plan.at_ms
    if not at_ms or coding_of(plan):
        return (at_ms[0], at_ms[-1]) if at_ms else ()
    reader = WIRE_FORMATS[body.wire_format].reader()
    times = [
        at for at, frame in zip(at_ms, plan.frames, strict=False) for one in reader.feed(frame) if isinstance(one, dict)
    ]
    times += [at_ms[-1]] * (len(body.objects) - len(times))
    parts = [at for at, one in zip(times, body.objects, strict=True) for _ in range(_parts_in(one))]
    return times[0], *parts, at_ms[-1]


def _parts_in(one: Json) -> int:
    """How many chunks of their own the parts in a chunk make: text, reasoning, a call that begins, arguments."""
    said = answer_of([one])
    return len(said.pieces) + len(said.reasoning) + sum(bool(call.name) + len(call.pieces) for call in said.tool_calls)


def choices_of(objects: Iterable[Json]) -> set[int]:
    """The numbers of the choices in chunks or a completion."""
    choices = (choice for one in objects for choice in choices_in(one))
    return {number for choice in choices if isinstance(number := choice.get("index") or 0, int)}


def answer_of(objects: Sequence[Json], source: str = "recording", choice: int = 0) -> Answer:
    """The answer that chunks, or one completion, say; of several choices the one with this number."""
    pieces: list[str] = []
    reasoning: list[str] = []
    calls: list[list[Json]] = []
    finish, blocked = "stop", False
    usage: Json = {}
    for one in objects:
        usage = _object(one.get("usage")) or usage
        blocked = blocked or one.get("blocked") is True
        part = next((each for each in choices_in(one) if (each.get("index") or 0) == choice), None)
        if part is None:
            continue
        said = _said_in(part)
        _add(pieces, said.get("content"))
        _add(reasoning, said.get("reasoning_content") or said.get("reasoning") or part.get("reasoning_content"))
        take_calls(calls, _list(said.get("tool_calls")))
        usage = _object(part.get("usage")) or usage
        finish = _utf8(_text(part.get("finish_reason"))) or finish
    made = tuple(map(call_of, calls))
    spoken = len(pieces) + len(reasoning) + sum(len(call.pieces) for call in made)
    return Answer(
        _sendable(pieces),
        _usage(usage, spoken, len(reasoning)),
        finish,
        _sendable(reasoning),
        made,
        blocked,
        id=_first(objects, "id", str),
        created=_first(objects, "created", int),
        source=source,
    )


def _add(pieces: list[str], value: object) -> None:
    if text := _text(value):
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
    """Text that UTF-8 can say: two halves of a character become one, and half of one a `?`."""
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return joined.encode("utf-8", "replace").decode()


def _first(objects: Iterable[Json], key: str, kind: type) -> Any:
    found = (one[key] for one in objects if type(one.get(key)) is kind and one[key])
    value = next(found, None)
    return _utf8(value) if isinstance(value, str) else value


def take_calls(calls: list[list[Json]], parts: Sequence[Any]) -> None:
    """Put the parts of calls in one delta to the calls that they belong to, by id, by index, or by their order."""
    for number, part in enumerate(parts):
        if isinstance(part, dict):
            own = _call_of(calls, part, number if len(parts) > 1 else None)
            if own is None:
                calls.append([part])
            else:
                own.append(part)


def _call_of(calls: list[list[Json]], part: Json, number: int | None) -> list[Json] | None:
    """The call that a part continues; None for a part that begins one."""
    id_, index = _text(part.get("id")), part.get("index")
    named = bool(_text(_object(part.get("function")).get("name")))
    if id_ and (same := next((call for call in calls if call[0].get("id") == id_), None)):
        return same
    if type(index) is int:
        same = next((call for call in reversed(calls) if call[0].get("index") == index), None)
        return None if same and id_ and named and same[0].get("id") else same
    if id_ or not calls:
        return None
    last = calls[number] if number is not None and number < len(calls) else calls[-1]
    return None if named and any(_arguments_in(one) for one in last) else last


def _arguments_in(part: Json) -> str:
    arguments = _object(part.get("function")).get("arguments")
    return json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else _text(arguments)


def call_of(parts: list[Json]) -> ToolCall:
    """A call of its parts; a name comes in pieces, or whole again and again."""
    name = ""
    for piece in (_text(_object(part.get("function")).get("name")) for part in parts):
        name = name if piece == name else name + piece
    id_ = next((id_ for part in parts if (id_ := part.get("id"))), "")
    return ToolCall(_utf8(str(id_)), _utf8(name), _sendable([text for part in parts if (text := _arguments_in(part))]))


def _usage(usage: object, pieces: int, reasoning: int) -> Usage:
    """The usage that was sent, or the count of the pieces and the end token where none was."""
    sent = _object(usage)
    prompt, completion = sent.get("prompt_tokens"), sent.get("completion_tokens")
    details = _object(sent.get("completion_tokens_details")).get("reasoning_tokens")
    if not is_count(completion):
        return Usage(_count(prompt, 0), pieces + 1, _count(details, reasoning))
    return Usage(_count(prompt, 0), _count(completion, 0), _count(details, 0))


def usage_counts_of(objects: Iterable[Json]) -> set[str]:
    """The counts that chunks or a completion tell, wherever their usage stands."""
    found = (one.get("usage") for each in objects for one in (each, *choices_in(each)))
    sent: Json = {}
    for usage in found:
        sent = _object(usage) or sent
    return {name for name in ("prompt_tokens", "completion_tokens") if is_count(sent.get(name))}


def is_count(value: object) -> bool:
    """Whether this is a number of tokens."""
    return type(value) is int and value >= 0


def _count(value: object, otherwise: int) -> int:
    return value if type(value) is int and value >= 0 else otherwise

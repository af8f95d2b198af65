"""The wire form: every quirk, every format in both directions, and the tutorial's bytes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockserver.core.exchange import Answer, Head, Plan, ToolCall, Usage
from mockserver.core.heartbeats import BEATS, with_heartbeats
from mockserver.pipeline.frame import BOM, DONE, WIRE_FORMATS, FrameSettings, content_type, frames
from mockserver.pipeline.head import answer_id, response_headers
from mockserver.pipeline.read import answer_of
from mockserver.pipeline.render import render_body, render_stream
from mockserver.profile import quirks
from tests.conftest import EDITIONS, NASTY, answers, ask, compose, load, nasty_texts, wires

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.pipeline.frame import Done
    from mockserver.pipeline.wire_settings import WireSettings

HEAD = Head("chatcmpl-1", 1_700_000_000, "some-model")
PIECES = ("你好", ", wo", "rld", "😀", " data: [DONE]", "。")
PLAIN = Answer(PIECES, Usage(5, len(PIECES) + 1))
REASONED = Answer(PIECES, Usage(5, 9, 2), reasoning=("hm", "嗯"))
BLOCKED = Answer(PIECES[:3], Usage(5, 4), blocked=True)
CALLED = Answer((), Usage(5, 4), "tool_calls", tool_calls=(ToolCall("call_1", "weather", ('{"city":', '"北京"}')),))
CHIPS = [(edition, chip) for edition in EDITIONS for chip in ("nvidia", "chip3")]


@dataclass
class Seen:
    """What a client makes of a stream."""

    chunks: list[dict[str, Any]]
    done: bool

    @property
    def deltas(self) -> list[dict[str, Any]]:
        """The delta of every choice."""
        return [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]

    @property
    def text(self) -> str:
        """The content put together."""
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def reasoning(self) -> str:
        """The reasoning put together, wherever it stands."""
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        return "".join(
            (c.get("reasoning_content") or c["delta"].get("reasoning_content") or c["delta"].get("reasoning") or "")
            for c in choices
        )

    @property
    def arguments(self) -> str:
        """The arguments of all calls put together."""
        return "".join(call.arguments for call in answer_of(self.chunks).tool_calls)

    @property
    def finish(self) -> str | None:
        """The last finish reason that says something."""
        reasons = [choice.get("finish_reason") for chunk in self.chunks for choice in chunk["choices"]]
        return next((reason for reason in reversed(reasons) if reason), None)

    @property
    def usage(self) -> dict[str, Any] | None:
        """The last usage."""
        places = [place for chunk in self.chunks for place in (chunk, *chunk["choices"])]
        return next((place["usage"] for place in reversed(places) if place.get("usage")), None)

    @property
    def blocked(self) -> bool:
        """Whether any chunk carries the mark."""
        return any(chunk.get("blocked", False) for chunk in self.chunks)

    def has(self, key: str) -> list[bool]:
        """In which chunks the key stands."""
        return [key in chunk for chunk in self.chunks]


def read(data: bytes, framing: str) -> list[dict[str, Any] | Done]:
    """All that a reader finds in a whole body."""
    reader = WIRE_FORMATS[framing].reader()
    return [*reader.feed(data), *reader.close()]


@dataclass
class Wire:
    """A wire form under test: what it writes, raw and read back."""

    settings: WireSettings

    def frames(self, answer: Answer = PLAIN, *, include_usage: bool = True) -> list[bytes]:
        """The frames of a streamed answer."""
        return render_stream(answer, HEAD, self.settings, include_usage=include_usage)

    def raw(self, answer: Answer = PLAIN) -> bytes:
        """Their bytes."""
        return b"".join(self.frames(answer))

    def seen(self, answer: Answer = PLAIN, *, include_usage: bool = True) -> Seen:
        """What a reader finds in them; the done marker comes once and last."""
        data = b"".join(self.frames(answer, include_usage=include_usage))
        found = read(data, self.settings.frame.framing)
        chunks = [one for one in found if isinstance(one, dict)]
        assert found == [*chunks, *[DONE] * (len(found) - len(chunks))], "the done marker is not at the end, once"
        assert len(found) - len(chunks) <= 1
        return Seen(chunks, len(found) > len(chunks))

    def body_text(self, answer: Answer = PLAIN) -> str:
        """The body of an answer that is not streamed."""
        return render_body(answer, HEAD, self.settings).decode()

    def body(self, answer: Answer = PLAIN) -> dict[str, Any]:
        """The same as an object."""
        found: dict[str, Any] = json.loads(self.body_text(answer))
        return found

    @property
    def events(self) -> bool:
        """Whether streams are server-sent events."""
        return self.settings.frame.framing == "sse"

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers that every answer carries."""
        return dict(response_headers(self.settings.head, bytes(range(32)), 1_700_000_000_123))


Compared = tuple[object, object]
"""What is seen on the wire, and what should be: two values, so that a failure shows the difference."""


def where(key: str, place: str) -> Callable[[Wire], Compared]:
    """The key stands in every, the first, the last or no chunk; for the role, in every … delta."""

    def compared(wire: Wire) -> Compared:
        seen = wire.seen()
        found = [delta.get("role") == "assistant" for delta in seen.deltas] if key == "role" else seen.has(key)
        count = len(found)
        wanted = {
            "every": [True] * count,
            "first": [True] + [False] * (count - 1),
            "last": [False] * (count - 1) + [True],
            "never": [False] * count,
        }
        return found, wanted[place]

    return compared


def announced(expected: bytes) -> Callable[[Wire], Compared]:
    """The stream's content type is the expected one."""
    return lambda wire: (content_type(wire.settings.frame), expected)


def finish_open(expected: object) -> Callable[[Wire], Compared]:
    """What finish_reason is before the last chunk."""
    return lambda wire: (
        {choice.get("finish_reason", "absent") for chunk in wire.seen().chunks[:-1] for choice in chunk["choices"]},
        {expected},
    )


def usage_of(wire: Wire) -> dict[str, Any]:
    """The usage, which is the same in a stream and in a body, key by key."""
    body_usage: dict[str, Any] = wire.body()["usage"]
    assert wire.seen().usage == body_usage
    assert list(wire.seen().usage or ()) == list(body_usage)
    return body_usage


def line_ends(wire: Wire) -> set[bytes]:
    """How the lines of a stream end."""
    return set(re.findall(rb"\r\n|\r|\n", b"".join(wire.frames(BLOCKED))))


def starts(wire: Wire, *candidates: bytes) -> set[bytes]:
    """Which of the candidates the frames start with; an empty one for a frame that starts with none."""
    return {next((one for one in candidates if frame.startswith(one)), b"") for frame in wire.frames()}


def usage_keys(wire: Wire) -> list[str]:
    """The first three keys of the usage, in order."""
    return list(usage_of(wire))[:3]


def own_id(wire: Wire) -> str:
    """An id as the wire form makes it."""
    return answer_id(wire.settings.head.id_form, bytes(range(32)))


def fits(pattern: str) -> Callable[[Wire], Compared]:
    """An id of the wire form matches the pattern as a whole."""
    return lambda wire: (bool(re.fullmatch(pattern, own_id(wire))) or own_id(wire), True)


def beaten(wire: Wire) -> int:
    """How many beats a silence of 15.1 seconds before the first frame brings; nothing else changes."""
    frames = wire.frames()
    plan = Plan(200, (), frames, [15_100.0] * len(frames))
    beat = BEATS.get(wire.settings.frame.heartbeat)
    made = plan if beat is None else with_heartbeats(plan, beat)
    beats = len(made.frames) - len(frames)
    data = b": keep-alive\n\n" if wire.events else b"\n"
    assert b"".join(made.frames).replace(BOM, b"") == (data * beats + wire.raw()).replace(BOM, b"")
    return beats


def body_message(wire: Wire, answer: Answer = PLAIN) -> dict[str, Any]:
    """The message of an answer that is not streamed."""
    message: dict[str, Any] = wire.body(answer)["choices"][0]["message"]
    return message


def first_delta(expected: dict[str, Any]) -> Callable[[Wire], Compared]:
    """The first delta is the expected one."""
    return lambda wire: (wire.seen().deltas[0], expected)


def request_ids(wire: Wire) -> set[bytes]:
    """The names of the headers that carry a request id."""
    return {b"x-request-id", b"x-maas-request-id"} & set(wire.headers)


TOOLS = Answer(
    (),
    Usage(5, 7),
    "tool_calls",
    tool_calls=(ToolCall("call_1", "weather", ('{"city":', '"北京"}')), ToolCall("call_2", "time", ("{}",))),
)


def tool_parts(wire: Wire) -> list[list[dict[str, Any]]]:
    """The parts of calls in each delta that has some."""
    return [delta["tool_calls"] for delta in wire.seen(TOOLS).deltas if delta.get("tool_calls")]


def openings(wire: Wire) -> list[dict[str, Any]]:
    """The first part of each call: it has the id, and a name that was not yet said."""
    return openings_and_later(wire)[0]


def later(wire: Wire) -> list[dict[str, Any]]:
    """All other parts."""
    return openings_and_later(wire)[1]


def openings_and_later(wire: Wire) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parts of calls: those that begin one, and the others."""
    parts = [part for parts in tool_parts(wire) for part in parts]
    first = [next(part for part in parts if part.get("id") == id_) for id_ in ("call_1", "call_2")]
    return first, [part for part in parts if not any(part is one for one in first)]


def opened(expected: object) -> Callable[[Wire], Compared]:
    """What the arguments of each call begin with."""
    return lambda w: ([one["function"].get("arguments", "absent") for one in openings(w)], [expected] * 2)


def later_has(key: str, expected: tuple[object, object]) -> Callable[[Wire], Compared]:
    """What later parts of the calls say of a key, those of the first and those of the second call."""

    def compared(wire: Wire) -> Compared:
        found = [(part["function"] if key == "name" else part).get(key, "absent") for part in later(wire)]
        return found, [expected[0]] * 2 + [expected[1]]

    return compared


def indexes(*expected: object) -> Callable[[Wire], Compared]:
    """The index of each call."""
    return lambda w: ([part.get("index", "absent") for part in openings(w)], list(expected))


def owners(wire: Wire) -> list[list[object]]:
    """Which calls the parts in each delta belong to."""
    return [[part["index"] for part in parts] for parts in tool_parts(wire)]


def beside(answer: Answer, key: str, expected: object) -> Callable[[Wire], Compared]:
    """What the content is in deltas with this key."""
    return lambda w: ({d.get("content", "absent") for d in w.seen(answer).deltas if d.get(key)}, {expected})


def thought(wire: Wire, *keys: str) -> Compared:
    """The reasoning under each of the keys, in a stream and in a body."""
    streamed = ["".join(delta.get(key) or "" for delta in wire.seen(REASONED).deltas) for key in keys]
    return (streamed, [body_message(wire, REASONED).get(key, "") for key in keys]), (["hm嗯"] * len(keys),) * 2


def chunk_ids(wire: Wire) -> list[object]:
    """The id of each chunk."""
    return [chunk["id"] for chunk in wire.seen().chunks]


def models(wire: Wire) -> set[object]:
    """What is said to be the model, in a stream and in a body."""
    return {chunk["model"] for chunk in (*wire.seen().chunks, wire.body())}


def created_types(wire: Wire) -> set[type]:
    """As what times are written, in a stream and in a body."""
    return {type(one["created"]) for one in (*wire.seen().chunks, wire.body()) if "created" in one}


def extra(place: str, key: str, expected: object) -> Callable[[Wire], Compared]:
    """The values of a further key in all that stands in a place, where it says nothing else."""

    def compared(wire: Wire) -> Compared:
        seen, body = wire.seen(REASONED), wire.body(REASONED)
        choices = [choice for chunk in seen.chunks for choice in chunk["choices"]]
        usages = [one["usage"] for one in (*seen.chunks, body) if one.get("usage")]
        places = {"chunk": seen.chunks, "body": [body], "delta": seen.deltas, "choice": choices, "usage": usages}
        return {json.dumps(one.get(key, "absent")) for one in places[place] if not one.get(key) or expected}, {
            json.dumps(expected)
        }

    return compared


def finish_word(answer: Answer, expected: str) -> Callable[[Wire], Compared]:
    """The finish reason of an answer, in a stream and in a body."""
    return lambda w: ((w.seen(answer).finish, w.body(answer)["choices"][0]["finish_reason"]), (expected, expected))


ID, HEX = "[0-9A-Za-z]", "[0-9a-f]"
EVENTS, JSON_LINES = b"data:", b"{"
COMPACT, SPACED = b'"index":0,"delta":{', b'"index": 0, "delta": {'
TOTAL, PROMPT, COMPLETION = "total_tokens", "prompt_tokens", "completion_tokens"
ESCAPED = "\\u4f60\\u597d"

COMPARED: dict[str, Callable[[Wire], Compared]] = {
    "sse": lambda w: (starts(w, EVENTS, JSON_LINES), {EVENTS}),
    "json-lines": lambda w: (starts(w, EVENTS, JSON_LINES), {JSON_LINES}),
    "done": lambda w: (w.seen().done, w.events),
    "no-done": lambda w: (w.seen().done, False),
    "type-fitting": lambda w: (
        content_type(w.settings.frame),
        b"text/event-stream; charset=utf-8" if w.events else b"application/json",
    ),
    "type-json": announced(b"application/json"),
    "type-event-stream": announced(b"text/event-stream"),
    "type-event-stream-utf8": announced(b"text/event-stream; charset=utf-8"),
    "type-ndjson": announced(b"application/x-ndjson"),
    "type-text": announced(b"text/plain; charset=utf-8"),
    "type=text/plain": announced(b"text/plain"),
    "type-octet-stream": announced(b"application/octet-stream"),
    "type-none": announced(b""),
    **{
        f"{key}-{place}": where(key, place)
        for key in ("object", "created", "id", "model", "usage", "role")
        for place in ("every", "first", "last", "never")
    },
    "role-absent": lambda w: ([delta for delta in w.seen().deltas[1:] if "role" in delta], []),
    "role-empty": lambda w: ({delta["role"] for delta in w.seen().deltas[1:]}, {""}),
    "role-null": lambda w: ({delta["role"] for delta in w.seen().deltas[1:]}, {None}),
    "finish-null": finish_open(None),
    "finish-empty": finish_open(""),
    "finish-absent": finish_open("absent"),
    "usage-unasked": lambda w: (w.seen(include_usage=False).usage, w.body()["usage"]),
    "usage-on-request": lambda w: (
        (any(w.seen(include_usage=False).has("usage")), w.seen().usage),
        (False, w.body()["usage"]),
    ),
    "usage-absent": lambda w: (any(w.seen().has("usage")[:-1]), False),
    "usage-null": lambda w: ([chunk["usage"] for chunk in w.seen().chunks[:-1]], [None] * (len(w.seen().chunks) - 1)),
    "usage-in-finish": lambda w: (
        (w.seen().chunks[-1]["choices"][0]["finish_reason"], w.seen().has("usage")[-1]),
        ("stop", True),
    ),
    "usage-chunk": lambda w: (
        (w.seen().chunks[-2]["choices"][0]["finish_reason"], w.seen().chunks[-1]["choices"], w.seen().has("usage")[-1]),
        ("stop", [], True),
    ),
    "usage-total-last": lambda w: (usage_keys(w), [PROMPT, COMPLETION, TOTAL]),
    "usage-total-second": lambda w: (usage_keys(w), [PROMPT, TOTAL, COMPLETION]),
    "usage-completion-first": lambda w: (usage_keys(w), [COMPLETION, PROMPT, TOTAL]),
    "usage-details-absent": lambda w: (usage_of(w).get("prompt_tokens_details", "absent"), "absent"),
    "usage-details-null": lambda w: (usage_of(w)["prompt_tokens_details"], None),
    "usage-details": lambda w: (usage_of(w)["prompt_tokens_details"], {"cached_tokens": 0}),
    "role-alone": first_delta({"role": "assistant"}),
    "role-with-content": first_delta({"role": "assistant", "content": ""}),
    "role-with-null": first_delta({"role": "assistant", "content": None}),
    "role-merged": first_delta({"role": "assistant", "content": PIECES[0]}),
    "finish-own": lambda w: (
        (finish_reasons(w).count("stop"), finish_reasons(w)[-1], bool(w.seen().deltas[-1].get("content"))),
        (1, "stop", False),
    ),
    "finish-merged": lambda w: ((w.seen().deltas[-1], w.seen().finish), ({"content": PIECES[-1]}, "stop")),
    "finish-delta-empty": lambda w: (w.seen().deltas[-1], {}),
    "finish-delta-null": lambda w: (w.seen().deltas[-1], {"content": None}),
    "finish-delta-content": lambda w: (w.seen().deltas[-1], {"content": ""}),
    "piecewise": lambda w: (contents(w), list(PIECES)),
    "one-chunk": lambda w: (contents(w), ["".join(PIECES)]),
    "no-empty-deltas": lambda w: ([delta for delta in w.seen().deltas if delta.get("content") == ""], []),
    "empty-deltas": lambda w: (
        [delta["content"] for delta in w.seen().deltas if "content" in delta].count("") >= 2,
        True,
    ),
    "no-logprobs": lambda w: ([choice for choice in choices(w) if "logprobs" in choice], []),
    "logprobs-null": lambda w: ([choice["logprobs"] for choice in choices(w)], [None] * len(choices(w))),
    "logprobs-null-in-body": lambda w: (
        (
            ["logprobs" in chunk["choices"][0] for chunk in w.seen().chunks][:1],
            w.body()["choices"][0].get("logprobs", 0),
        ),
        ([False], None),
    ),
    "logprobs-null-in-stream": lambda w: (
        ({chunk["choices"][0]["logprobs"] for chunk in w.seen().chunks}, "logprobs" in w.body()["choices"][0]),
        ({None}, False),
    ),
    "reasoning-in-delta": lambda w: (
        (
            [d["reasoning_content"] for d in w.seen(REASONED).deltas if "reasoning_content" in d],
            body_message(w, REASONED)["reasoning_content"],
        ),
        (["hm", "嗯"], "hm嗯"),
    ),
    "reasoning-in-choice": lambda w: (
        (
            [
                chunk["choices"][0]["reasoning_content"]
                for chunk in w.seen(REASONED).chunks
                if "reasoning_content" in chunk["choices"][0]
            ],
            w.body(REASONED)["choices"][0]["reasoning_content"],
        ),
        (["hm", "嗯"], "hm嗯"),
    ),
    "reasoning-in-think-tags": lambda w: (
        (w.seen(REASONED).text, body_message(w, REASONED)["content"]),
        ("<think>\nhm嗯\n</think>\n\n" + PLAIN.text,) * 2,
    ),
    "blocked-own": lambda w: (
        (w.seen(BLOCKED).chunks[-1]["blocked"], bool(w.seen(BLOCKED).deltas[-1].get("content"))),
        (True, False),
    ),
    "blocked-merged": lambda w: (
        (w.seen(BLOCKED).chunks[-1]["blocked"], w.seen(BLOCKED).deltas[-1]),
        (True, {"content": PIECES[2]}),
    ),
    "blocked-finish-stop": lambda w: (blocked_finish(w), "stop"),
    "blocked-finish-content-filter": lambda w: (blocked_finish(w), "content_filter"),
    "blocked-finish-null": lambda w: (blocked_finish(w), None),
    "blocked-usage": lambda w: (w.seen(BLOCKED).usage, w.body(BLOCKED)["usage"]),
    "blocked-no-usage": lambda w: ((any(w.seen(BLOCKED).has("usage")), "usage" in w.body(BLOCKED)), (False, False)),
    "blocked-text-kept": lambda w: (body_message(w, BLOCKED)["content"], BLOCKED.text),
    "blocked-text-emptied": lambda w: (body_message(w, BLOCKED)["content"], ""),
    "blocked-done": lambda w: (w.seen(BLOCKED).done, w.seen().done),
    "blocked-no-done": lambda w: ((w.seen(BLOCKED).done, w.seen().done), (False, w.events)),
    "data-space": lambda w: (starts(w, b"data: ", b"data:", JSON_LINES), {b"data: " if w.events else JSON_LINES}),
    "data-nospace": lambda w: (
        starts(w, b"data:{", b"data:[", JSON_LINES),
        ({b"data:{", b"data:["} if w.seen().done else {b"data:{"}) if w.events else {JSON_LINES},
    ),
    "lf": lambda w: (line_ends(w), {b"\n"}),
    "crlf": lambda w: (line_ends(w), {b"\r\n"}),
    "cr": lambda w: (line_ends(w), {b"\r" if w.events else b"\n"}),
    "line-after-line": lambda w: (b"\n\n" in w.raw(), w.events),
    "blank-line-between": lambda w: (
        {frame[-3:] for frame in w.frames() if not w.events},
        set() if w.events else {b"}\n\n"},
    ),
    "last-newline": lambda w: (w.raw()[-1:], b"\n"),
    "no-last-newline": lambda w: (
        (w.raw()[-1:], w.raw().count(b"\n")),
        (b"\n", w.raw().count(b"\n")) if w.events else (b"}", len(w.frames()) - 1),
    ),
    "no-bom": lambda w: (w.raw().count(BOM), 0),
    "bom": lambda w: ((w.raw()[: len(BOM)], w.raw().count(BOM)), (BOM, 1)),
    "no-comments": lambda w: ([line for line in w.raw().split(b"\n") if line.startswith(b":")], []),
    "comments": lambda w: (b"\n: keep-alive\n\n" in w.raw(), w.events),
    "no-heartbeat": lambda w: (beaten(w), 0),
    "heartbeat": lambda w: (beaten(w), 21),
    "heartbeat-15s": lambda w: (beaten(w), 1),
    "data-only": lambda w: (b"event:" in w.raw(), False),
    "event-field": lambda w: (
        starts(w, b"event: message\ndata: ", JSON_LINES),
        {b"event: message\ndata: " if w.events else JSON_LINES},
    ),
    "streamed": lambda w: (w.settings.frame.delivery, "streamed"),  # what it does is asserted below, with the headers
    "buffered": lambda w: (w.settings.frame.delivery, "buffered"),
    "json-spaced": lambda w: (
        (SPACED in w.raw(), w.raw().count(b'"index":')),
        (True, w.raw().count(b'"index": ')),
    ),
    "json-compact": lambda w: (COMPACT in w.raw(), True),
    "body-one-line": lambda w: (w.body_text().count("\n"), 0),
    "body-compact": lambda w: ('"index":0,"message":{' in w.body_text(), True),
    "body-no-newline": lambda w: (w.body_text()[-1:], "}"),
    "body-newline": lambda w: (w.body_text()[-2:], "}\n"),
    "body-spaced": lambda w: ('"index": 0, "message": {' in w.body_text(), True),
    "body-escapes-alike": lambda w: (w.body_text().isascii(), w.raw().isascii()),
    "body-utf8-text": lambda w: ("你好" in w.body_text(), True),
    "body-ascii-escapes": lambda w: ((w.body_text().isascii(), ESCAPED in w.body_text()), (True, True)),
    "body-flush-lines": lambda w: (
        w.body_text().split("\n")[:3],
        ["{", '"id": "chatcmpl-1",', '"object": "chat.completion",'],
    ),
    "utf8-text": lambda w: (("你好".encode() in w.raw(), "😀" in w.body_text()), (True, True)),
    "ascii-escapes": lambda w: (
        (w.raw().isascii(), w.body_text().isascii(), ESCAPED.encode() in w.raw()),
        (True, True, True),
    ),
    "id-chatcmpl-22": fits(f"chatcmpl-{ID}{{22}}"),
    "id-hex-32": fits(f"{HEX}{{32}}"),
    "id-chatcmpl-uuid": fits(f"chatcmpl-{HEX}{{8}}-{HEX}{{4}}-4{HEX}{{3}}-a{HEX}{{3}}-{HEX}{{12}}"),
    "id-chatcmpl-hex": fits(f"chatcmpl-{HEX}{{32}}"),
    "trace-header": lambda w: (b"traceresponse" in w.headers, True),
    "no-trace-header": lambda w: (b"traceresponse" in w.headers, False),
    "request-id-maas": lambda w: (request_ids(w), {b"x-maas-request-id"}),
    "request-id-x": lambda w: (request_ids(w), {b"x-request-id"}),
    "no-request-id": lambda w: (request_ids(w), set()),
    "usage-empty-object": lambda w: ([c["usage"] for c in w.seen().chunks[:-1]], [{}] * (len(w.seen().chunks) - 1)),
    "usage-unasked-absent": lambda w: (
        any(Wire(quirks.changed(w.settings, "usage-on-request")).seen(include_usage=False).has("usage")),
        False,
    ),
    "usage-unasked-null": lambda w: (
        {c["usage"] for c in Wire(quirks.changed(w.settings, "usage-on-request")).seen(include_usage=False).chunks},
        {None},
    ),
    "usage-without-choice": lambda w: (
        Wire(quirks.changed(w.settings, "usage-chunk")).seen().chunks[-1]["choices"],
        [],
    ),
    "usage-with-choice": lambda w: (
        [c["delta"] for c in Wire(quirks.changed(w.settings, "usage-chunk")).seen().chunks[-1]["choices"]],
        [{}],
    ),
    "role-before-finish": lambda w: (
        ["role" in delta for delta in w.seen().deltas],
        [True] * (len(w.seen().deltas) - 1) + [False],
    ),
    "usage-with-silent-choice": lambda w: (
        [c["delta"] for c in Wire(quirks.changed(w.settings, "usage-chunk")).seen().chunks[-1]["choices"]],
        [{"content": ""}],
    ),
    "usage-in-choice": lambda w: (
        (w.seen().chunks[-1]["choices"][0]["usage"], any(w.seen().has("usage"))),
        (w.body()["usage"], False),
    ),
    "choice-index=0": lambda w: ({c["choices"][0]["index"] for c in w.seen().chunks}, {0}),
    "choice-index=counts-up": lambda w: (
        [c["choices"][0]["index"] for c in w.seen().chunks],
        list(range(len(w.seen().chunks))),
    ),
    "choice-index=absent": lambda w: ({c["choices"][0].get("index", "absent") for c in w.seen().chunks}, {"absent"}),
    "delta-alone": lambda w: ([c for c in w.seen().chunks if "message" in c["choices"][0]], []),
    "delta-and-message": lambda w: ([c["choices"][0]["message"] for c in w.seen().chunks], w.seen().deltas),
    "reasoning-key=reasoning_content": lambda w: thought(w, "reasoning_content"),
    "reasoning-key=reasoning": lambda w: thought(w, "reasoning"),
    "reasoning-key=both": lambda w: thought(w, "reasoning", "reasoning_content"),
    "reasoning-end=apart": lambda w: (
        [d for d in w.seen(REASONED).deltas if d.get("content") and d.get("reasoning_content")],
        [],
    ),
    "reasoning-end=merged": lambda w: (
        [d for d in w.seen(REASONED).deltas if d.get("content") and d.get("reasoning_content")],
        [{"content": PIECES[0], "reasoning_content": "嗯"}],
    ),
    "content-beside-reasoning=absent": beside(REASONED, "reasoning_content", "absent"),
    "content-beside-reasoning=null": beside(REASONED, "reasoning_content", None),
    "content-beside-reasoning=empty": beside(REASONED, "reasoning_content", ""),
    "content-beside-call=absent": beside(TOOLS, "tool_calls", "absent"),
    "content-beside-call=null": beside(TOOLS, "tool_calls", None),
    "content-beside-call=empty": beside(TOOLS, "tool_calls", ""),
    "body-content-beside-call=null": lambda w: (body_message(w, TOOLS).get("content", "absent"), None),
    "body-content-beside-call=empty": lambda w: (body_message(w, TOOLS).get("content", "absent"), ""),
    "body-content-beside-call=absent": lambda w: (body_message(w, TOOLS).get("content", "absent"), "absent"),
    "tool-opening=empty-arguments": opened(""),
    "tool-opening=no-arguments": opened("absent"),
    "tool-opening=null-arguments": opened(None),
    "tool-opening=first-piece": lambda w: (
        [one["function"]["arguments"] for one in (*openings(w), *later(w))],
        ['{"city":', "{}", '"北京"}'],
    ),
    "tool-opening=whole-call": lambda w: (
        [[part["function"]["arguments"] for part in parts] for parts in tool_parts(w)],
        [['{"city":"北京"}'], ["{}"]],
    ),
    "tool-later-id=absent": later_has("id", ("absent", "absent")),
    "tool-later-id=empty": later_has("id", ("", "")),
    "tool-later-id=null": later_has("id", (None, None)),
    "tool-later-id=repeated": later_has("id", ("call_1", "call_2")),
    "tool-later-type=absent": later_has("type", ("absent", "absent")),
    "tool-later-type=null": later_has("type", (None, None)),
    "tool-later-type=empty": later_has("type", ("", "")),
    "tool-later-type=repeated": later_has("type", ("function", "function")),
    "tool-later-name=absent": later_has("name", ("absent", "absent")),
    "tool-later-name=null": later_has("name", (None, None)),
    "tool-later-name=empty": later_has("name", ("", "")),
    "tool-later-name=repeated": later_has("name", ("weather", "time")),
    "tool-name=whole": lambda w: ([one["function"]["name"] for one in openings(w)], ["weather", "time"]),
    "tool-name=in-pieces": lambda w: (
        [part["function"]["name"] for parts in tool_parts(w) for part in parts if part["function"].get("name")],
        ["weat", "her", "ti", "me"],
    ),
    "tool-index=from-0": indexes(0, 1),
    "tool-index=from-1": indexes(1, 2),
    "tool-index=always-0": indexes(0, 0),
    "tool-index=absent": indexes("absent", "absent"),
    "tool-order=one-by-one": lambda w: (owners(w), [[0], [0], [0], [1], [1]]),
    "tool-order=interleaved": lambda w: (owners(w), [[0], [1], [0], [1], [0]]),
    "tool-order=together": lambda w: (owners(w), [[0, 1], [0, 1], [0]]),
    "tool-arguments=text": lambda w: (
        [one["function"]["arguments"] for one in body_message(w, TOOLS)["tool_calls"]],
        ['{"city":"北京"}', "{}"],
    ),
    "tool-arguments=object": lambda w: (
        (
            [one["function"]["arguments"] for one in body_message(w, TOOLS)["tool_calls"]],
            [one["function"]["arguments"] for one in openings(w)],
        ),
        ([{"city": "北京"}, {}],) * 2,
    ),
    "tool-no-arguments=braces": lambda w: (body_message(w, TOOLS)["tool_calls"][1]["function"]["arguments"], "{}"),
    "tool-no-arguments=empty": lambda w: (
        (body_message(w, TOOLS)["tool_calls"][1]["function"]["arguments"], [one["index"] for one in later(w)]),
        ("", [0, 0]),
    ),
    "chunk-id=same": lambda w: (set(chunk_ids(w)), {HEAD.id}),
    "chunk-id=own": lambda w: (
        (len(set(chunk_ids(w))), chunk_ids(w)[0], {len(str(one)) for one in chunk_ids(w)[1:]}),
        (len(chunk_ids(w)), HEAD.id, {len(own_id(w))}),
    ),
    "chunk-id=empty": lambda w: (set(chunk_ids(w)), {""}),
    "chunk-id=null": lambda w: (set(chunk_ids(w)), {None}),
    "chunk-created=same": lambda w: ({c["created"] for c in w.seen().chunks if "created" in c}, {HEAD.created}),
    "chunk-created=counts-up": lambda w: (
        [c["created"] for c in w.seen().chunks if "created" in c],
        [HEAD.created + number for number, c in enumerate(w.seen().chunks) if "created" in c],
    ),
    "created-integer": lambda w: (created_types(w), {int}),
    "created-text": lambda w: (created_types(w), {str}),
    "created-float": lambda w: (created_types(w), {float}),
    "model-echo": lambda w: (models(w), {HEAD.model}),
    "model-echo=null": lambda w: (models(w), {None}),
    "model-echo=": lambda w: (models(w), {""}),
    "model-echo=gpt-4o": lambda w: (models(w), {"gpt-4o"}),
    "model-echo=models/{model}": lambda w: (models(w), {f"models/{HEAD.model}"}),
    "id-form=gen-{digits:10}": fits("gen-[0-9]{10}"),
    "id-form=cmpl-{hex:32}": fits("cmpl-[0-9a-f]{32}"),
    "id-form=chatcmpl-{digits:1-3}": fits("chatcmpl-[0-9]{1,3}"),
    "id-form={uuid}": fits("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "extra-key=chunk.system_fingerprint:null": extra("chunk", "system_fingerprint", None),
    'extra-key=body.service_tier:"default"': extra("body", "service_tier", "default"),
    "extra-key=choice@finish.stop_reason:null": lambda w: (
        [c["choices"][0].get("stop_reason", "absent") for c in w.seen().chunks],
        ["absent"] * (len(w.seen().chunks) - 1) + [None],
    ),
    'extra-key=body.timings:~{"ms":1.5}': extra("body", "timings", {"ms": 1.5}),
    "extra-key=delta.reasoning_content:null": extra("delta", "reasoning_content", None),
    "extra-key=delta.tool_calls:null": extra("delta", "tool_calls", None),
    "extra-key=choice.token_ids:null": extra("choice", "token_ids", None),
    "extra-key=usage.cost:0": extra("usage", "cost", 0),
    "extra-key=usage.completion_tokens_details.audio_tokens:0": lambda w: (
        w.body()["usage"]["completion_tokens_details"],
        {"audio_tokens": 0},
    ),
    "fixed-key=body.created:absent": lambda w: ("created" in w.body(), False),
    "fixed-key=body.usage:absent": lambda w: ("usage" in w.body(), False),
    "fixed-key=body-choice.index:absent": lambda w: ("index" in w.body()["choices"][0], False),
    "key-order=choice:delta+index": lambda w: (
        {tuple(choice)[:2] for chunk in w.seen().chunks for choice in chunk["choices"]},
        {("delta", "index")},
    ),
    "key-order=body:id+choices+usage": lambda w: ([*w.body()][:3], ["id", "choices", "usage"]),
    "key-order=usage:total_tokens+prompt_tokens": lambda w: ([*w.body()["usage"]][:2], [TOTAL, PROMPT]),
    "finish-word=stop:eos": finish_word(PLAIN, "eos"),
    "finish-word=tool_calls:stop": finish_word(TOOLS, "stop"),
    "finish-word=length:max_tokens": finish_word(replace(PLAIN, finish_reason="length"), "max_tokens"),
}
"""What each quirk says, asked of what is written. The answer is the same for each of the profiles."""

NO_USAGE = {"usage-never", "usage-first"}


def finish_reasons(wire: Wire) -> list[str | None]:
    """The finish reason of each chunk."""
    return [choice["finish_reason"] for chunk in wire.seen().chunks for choice in chunk["choices"]]


def contents(wire: Wire) -> list[str]:
    """The contents that are not empty."""
    return [delta["content"] for delta in wire.seen().deltas if delta.get("content")]


def choices(wire: Wire) -> list[dict[str, Any]]:
    """The choices of a stream and of a body."""
    return [choice for chunk in (*wire.seen().chunks, wire.body()) for choice in chunk["choices"]]


def blocked_finish(wire: Wire) -> object:
    """The finish reason of a blocked answer, streamed and not."""
    streamed = wire.seen(BLOCKED).chunks[-1]["choices"][0]["finish_reason"]
    assert wire.body(BLOCKED)["choices"][0]["finish_reason"] == streamed
    return streamed


def with_quirk(edition: str, chip: str, name: str) -> Wire:
    """A shipped chip with one more quirk."""
    return Wire(quirks.changed(load(edition).chips[chip].wire, name))


def test_every_quirk_has_an_assertion() -> None:
    """A quirk without a row in this file is not tested."""
    assert sorted(COMPARED) == sorted((*quirks.QUIRKS, *quirks.EXAMPLES)), (
        "say in COMPARED what the quirk does on the wire"
    )


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize(("edition", "chip"), CHIPS)
def test_a_quirk_does_what_it_says(edition: str, chip: str, name: str) -> None:
    """Each quirk, added alone to a shipped chip, holds on the wire."""
    wire = with_quirk(edition, chip, name)
    if name == "blocked-no-done" and chip == "chip3" and wire.settings.frame.framing == "json-lines":
        wire = with_quirk(edition, chip, "sse,done,blocked-no-done")

    seen, expected = COMPARED[name](wire)

    assert seen == expected


@pytest.mark.parametrize("name", [name for name in COMPARED if name not in quirks.STANDARDS])
def test_the_standard_lacks_every_deviation(name: str) -> None:
    """The assertion of a deviation fails on the standard (of its framing), so it can fail."""
    axis, _ = quirks.find(name)
    base = "json-lines" if axis.field in {"lines_apart", "last_newline"} else "sse"
    base = {"body-spaced": "json-compact", "body-utf8-text": "ascii-escapes"}.get(name, base)
    wire = Wire(quirks.changed(quirks.STANDARD, base))
    try:
        seen, expected = COMPARED[name](wire)
    except KeyError:  # a key that only the quirk brings
        return

    if name == "type-event-stream-utf8":  # the type that fits the standard's framing
        assert seen == expected
    else:
        assert seen != expected


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize(("edition", "chip"), CHIPS)
def test_a_quirk_loses_nothing(edition: str, chip: str, name: str) -> None:
    """With any one quirk, a stream reads back to the text, the finish reason and the usage that were put in."""
    seen = with_quirk(edition, chip, name).seen()

    assert seen.text == PLAIN.text
    assert seen.finish == ("eos" if name == "finish-word=stop:eos" else "stop")
    if name not in NO_USAGE:
        assert seen.usage is not None
        assert seen.usage["total_tokens"] == 12
    assert not seen.blocked


def spoken(answer: Answer, wire: WireSettings) -> tuple[str, str]:
    """The content and the reasoning that a client should put together."""
    thought = "".join(answer.reasoning)
    if thought and wire.chunk.reasoning == "think-tags":
        return f"<think>\n{thought}\n</think>\n\n{answer.text}", ""
    return answer.text, thought


@given(answers(), wires(), st.booleans())
@example(BLOCKED, quirks.changed(quirks.STANDARD, "usage-chunk,usage-on-request"), False)
@example(BLOCKED, quirks.changed(quirks.STANDARD, "usage-chunk,blocked-no-usage"), True)
@example(BLOCKED, quirks.changed(quirks.STANDARD, "usage-chunk,usage-never"), True)
def test_any_combination_of_quirks_loses_nothing(answer: Answer, wire: WireSettings, include_usage: bool) -> None:
    """Whatever the quirks, what is written reads back to the text, reasoning, arguments and the blocked mark."""
    seen = Wire(wire).seen(answer, include_usage=include_usage)

    assert (seen.text, seen.reasoning) == spoken(answer, wire)
    assert seen.arguments == "".join(call.arguments for call in answer.tool_calls)
    assert seen.blocked == answer.blocked
    if not answer.blocked:
        assert seen.finish == dict(wire.chunk.finish_words).get(answer.finish_reason, answer.finish_reason)
    asked = wire.shape.usage_when == "always" or include_usage
    if asked and wire.shape.usage in {"last", "every"} and (wire.chunk.blocked_usage or not answer.blocked):
        assert seen.usage is not None
        assert seen.usage["completion_tokens"] == answer.usage.completion_tokens


@pytest.mark.parametrize(
    ("quirk", "into", "key"),
    [
        ("usage-empty-object", "extra-key=usage.more:1", "usage"),
        ("extra-key=chunk.more:{}", "extra-key=chunk.more.inside:1", "more"),
    ],
    ids=["an empty usage", "a further object"],
)
def test_what_one_wire_form_writes_into_an_object_is_not_in_anothers(quirk: str, into: str, key: str) -> None:
    """Whatever was said in another form before, an empty object is empty."""
    Wire(quirks.changed(quirks.STANDARD, f"{quirk},{into}")).seen()

    chunks = Wire(quirks.changed(quirks.STANDARD, quirk)).seen().chunks
    assert chunks[0][key] == {}


@given(wires())
@example(quirks.changed(quirks.STANDARD, "role-merged,finish-merged,one-chunk"))
def test_merged_ends_need_no_chunk_of_their_own(wire: WireSettings) -> None:
    """With finish-merged no chunk follows the last content but that of the usage, also where it is the only content."""
    wire = quirks.changed(wire, "finish-merged,-empty-deltas")
    short = Answer(("one",), Usage(1, 2))

    last = [chunk for chunk in Wire(wire).seen(short).chunks if chunk["choices"]][-1]["choices"][0]

    assert last["delta"]["content"] == "one"
    assert last["finish_reason"] == dict(wire.chunk.finish_words).get("stop", "stop")


@given(wires(), answers())
@example(quirks.changed(quirks.STANDARD, "finish-merged,blocked-own"), BLOCKED)
def test_blocked_own_stands_apart_from_the_content(wire: WireSettings, answer: Answer) -> None:
    """With blocked-own the chunk that carries blocked carries the finish and no content, whatever else is merged."""
    seen = Wire(quirks.changed(wire, "blocked-own")).seen(replace(answer, blocked=True))

    (mark,) = [chunk for chunk in seen.chunks if "blocked" in chunk]
    assert mark["blocked"] is True
    assert not mark["choices"][0]["delta"].get("content")


# --- readers ------------------------------------------------------------------------------------------------------

OBJECTS: list[dict[str, Any]] = [{"text": text} for text in NASTY] + [{"n": 1, "deep": {"list": [None, True, 1.5]}}]
FORMS = {
    "sse": ("sse", FrameSettings()),
    "sse-crlf": ("sse", FrameSettings(newline="crlf")),
    "sse-cr": ("sse", FrameSettings(newline="cr")),
    "sse-bom": ("sse", FrameSettings(bom=True)),
    "sse-bom-cr": ("sse", FrameSettings(bom=True, newline="cr")),
    "sse-comments-crlf": ("sse", FrameSettings(comments=True, newline="crlf")),
    "sse-event-nospace": ("sse", FrameSettings(event_field=True, data_space=False)),
    "sse-no-done": ("sse", FrameSettings(done=False)),
    "json-lines": ("json-lines", FrameSettings(framing="json-lines")),
    "json-lines-crlf": ("json-lines", FrameSettings(framing="json-lines", newline="crlf")),
    "json-lines-apart": ("json-lines", FrameSettings(framing="json-lines", lines_apart="two")),
    "json-lines-bom-open": ("json-lines", FrameSettings(framing="json-lines", bom=True, last_newline=False)),
}


def written(form: str, objects: list[dict[str, Any]]) -> tuple[bytes, list[dict[str, Any] | Done]]:
    """The bytes of some objects, and what a reader should find in them."""
    framing, settings = FORMS[form]
    done = [DONE] if framing == "sse" and settings.done else []
    return b"".join(frames(objects, settings)), [*objects, *done]


def read_parts(form: str, parts: list[bytes]) -> list[dict[str, Any] | Done]:
    """All that a reader finds in bytes that arrive in parts."""
    reader = WIRE_FORMATS[FORMS[form][0]].reader()
    found = [one for part in parts for one in reader.feed(part)]
    return found + reader.close()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_can_be_read_byte_by_byte(form: str) -> None:
    """One table, both directions: whole, and one byte at a time."""
    data, expected = written(form, OBJECTS)

    assert read_parts(form, [data]) == expected
    assert read_parts(form, [data[at : at + 1] for at in range(len(data))]) == expected


@pytest.mark.parametrize("form", FORMS)
def test_every_cut_in_two_reads_the_same(form: str) -> None:
    """A small stream cut in two at any byte, also inside a character, reads as the whole."""
    data, expected = written(form, [{"a": "中\u2028"}, {"b": "data: [DONE]"}])

    for cut in range(len(data) + 1):
        assert read_parts(form, [data[:cut], data[cut:]]) == expected, cut


@given(st.sampled_from(sorted(FORMS)), st.lists(st.dictionaries(nasty_texts(), nasty_texts(), max_size=3)), st.data())
def test_any_partition_reads_the_same(form: str, objects: list[dict[str, Any]], data: st.DataObject) -> None:
    """However the bytes arrive, a reader finds what was written."""
    body, expected = written(form, objects)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    assert read_parts(form, parts) == expected


@pytest.mark.parametrize(
    ("framing", "data", "expected"),
    [
        ("sse", b"", []),
        ("sse", b": only a comment\n\n", []),
        ("sse", b"id: 7\nretry: 10\nevent: message\ndata:{}\n\n", [{}]),
        ("sse", b'data: {"a":\ndata: 1}\n\n', [{"a": 1}]),
        ("sse", b"data: {}\r\rdata: {}\r\n\r\ndata: {}\n\n", [{}, {}, {}]),
        ("sse", b"\n\n\ndata: {}\n\n\n", [{}]),
        ("sse", b"data:[DONE]\n\n", [DONE]),
        ("sse", b"database: no\n\n", []),
        ("json-lines", b"", []),
        ("json-lines", b"\n\r\n  \n{}\r\n\n{}", [{}, {}]),
        ("json", b' {"a": 1}\n', [{"a": 1}]),
    ],
    ids=[
        "empty",
        "comment",
        "other-fields",
        "two-data-lines",
        "mixed-newlines",
        "blank-lines",
        "done-nospace",
        "like-data",
        "empty-body",
        "blank-json-lines",
        "body",
    ],
)
def test_readers_follow_the_rules(framing: str, data: bytes, expected: list[object]) -> None:
    """What other writers may send, by the WHATWG rules and by those of JSON lines."""
    assert read(data, framing) == expected


@pytest.mark.parametrize(
    ("framing", "data", "message"),
    [
        ("sse", b"data: {}\n", "the stream ends inside an event: b'{}'"),
        ("sse", b"data: {", "the stream ends inside an event: b'data: {'"),
        ("sse", b"data: 1\n\n", "a JSON object was due, got b'1'"),
        ("sse", b"data: x\n\n", "Expecting value: line 1 column 1 (char 0)"),
        ("json-lines", b"{}\n{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("json-lines", b"[]\n", "a JSON object was due, got b'[]'"),
        ("json-lines", b"[" * 100_000, "it is nested too deeply"),
        ("json", b"", "Expecting value: line 1 column 1 (char 0)"),
    ],
    ids=["no-blank-line", "cut-line", "no-object", "no-json", "cut-json-line", "array", "deep", "empty-body"],
)
def test_what_cannot_be_read_is_a_value_error(framing: str, data: bytes, message: str) -> None:
    """A reader says what it cannot read; it never returns half an object."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        read(data, framing)

    assert str(caught.value) == message


# --- delivery and headers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("quirk", ["streamed", "buffered"])
def test_a_buffered_stream_is_the_same_bytes_with_their_length(quirk: str) -> None:
    """`buffered` changes when and how the bytes leave, not one of them."""
    service = compose(load("2024-tutorial"))
    streamed = ask(service, stream=True)

    plan = ask(service, stream=True, headers={b"x-mock-quirks": quirk.encode()})

    assert b"".join(plan.frames) == b"".join(streamed.frames)
    length = dict(plan.headers).get(b"content-length")
    assert length == (b"%d" % len(plan.frames[0]) if quirk == "buffered" else None)
    assert len(plan.frames) == (1 if quirk == "buffered" else 19)


@pytest.mark.parametrize("name", [name for name in quirks.QUIRKS if name.startswith("type-")])
def test_the_announced_type_is_the_response_header(name: str) -> None:
    """`type-none` sends no header at all; a body that is not streamed is application/json whatever the stream is."""
    service = compose(load("2024-tutorial"))
    headers = {b"x-mock-quirks": name.encode()}

    plan = ask(service, stream=True, headers=headers)

    wire = quirks.changed(service.rules.wires["chip3"], name)
    assert dict(plan.headers).get(b"content-type") == (content_type(wire.frame) or None)
    assert dict(ask(service, headers=headers).headers)[b"content-type"] == b"application/json"


# --- the tutorial -------------------------------------------------------------------------------------------------

STREAMED_PIECES = [
    "我是",
    "来自",
    "无问",
    "芯穹",
    "的",
    "超",
    "大规模",
    "语言",
    "模型",
    ",",
    "我",
    "叫",
    "无",
    "问",
    "天",
    "权",
    "。",
]
_OPEN = '{"id": "chatcmpl-3HjYf888MzQ6XAHADiPanf", "model": "mt-infini-3b", "choices": [{"index": 0, "delta": '
TUTORIAL_STREAM = [
    _OPEN + '{"role": "assistant"}, "finish_reason": null}]}',
    *(_OPEN + '{"content": "' + piece + '"}, "finish_reason": null}]}' for piece in STREAMED_PIECES),
    (
        '{"id": "chatcmpl-3HjYf888MzQ6XAHADiPanf", "object": "chat.completion.chunk", "created": 1708486029, '
        '"model": "mt-infini-3b", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], '
        '"usage": {"prompt_tokens": 22, "total_tokens": 40, "completion_tokens": 18}}'
    ),
]
TUTORIAL_BODY = """{
"id": "chatcmpl-n5McEDBxBdxNDbx2CA8Rz8",
"object": "chat.completion",
"created": 1708497105,
"model": "mt-infini-3b",
"choices": [
{
"index": 0,
"message": {
"role": "assistant",
"content": "我是来自无问芯穹的大规模语言模型,我叫无问天权。"
},
"finish_reason": "stop"
}
],
"usage": {
"prompt_tokens": 22,
"total_tokens": 39,
"completion_tokens": 17
}
}"""


@pytest.mark.parametrize("chip", ["chip3", "chip4", "chip5"])
def test_the_tutorials_stream_byte_for_byte(chip: str) -> None:
    """The 19 lines that the tutorial prints come out of the pipeline, from the shipped fixture."""
    plan = ask(compose(load("2024-tutorial")), f"mt-infini-3b/{chip}", stream=True)

    assert [frame.decode() for frame in plan.frames] == [line + "\n" for line in TUTORIAL_STREAM]
    assert plan.source == "fixture:mt-infini-3b/any/who-are-you-streamed.json"


@pytest.mark.parametrize("chip", ["nvidia", "amd", "chip1", "chip2", "chip3", "chip4", "chip5"])
def test_the_tutorials_body_byte_for_byte(chip: str) -> None:
    """The body that the tutorial prints is the same on every chip: only streams differ."""
    plan = ask(compose(load("2024-tutorial")), f"mt-infini-3b/{chip}")

    assert b"".join(plan.frames).decode() == TUTORIAL_BODY

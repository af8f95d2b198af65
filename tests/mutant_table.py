"""The mutants: those that the contract once missed, and sixty of other kinds. A row says who must find it.

`COUNTS` are those that must end a run with exit code 1, since a document or an observation is on the contract's side;
`TOLD` are those about which every document is silent, which must be told.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from typing import Any, Final

from tests.mutants import (
    Mutant,
    Response,
    answered,
    asking,
    at,
    body,
    both,
    each,
    header,
    lines,
    path,
    plain,
    refused,
    request_header,
    status,
    streamed,
    swapped,
    text,
    where,
    without,
)

COUNTS: Final = True
TOLD: Final = False
TUTORIAL: Final = "2024-tutorial"
_LIMITED: Final = b'{"code":42900,"msg":"Rate limit exceeded"}'


def limited(retry_after: str | None) -> Any:
    """A 429 in the place of each answer to the first turn's question about tools, or in Chinese about nine numbers."""

    def changed(response: Response) -> Response:
        if response.status != 200 or "stop" not in response.wants:
            return response
        refusal = body(lambda _data: _LIMITED)(replace(response, status=429))
        return header("retry-after", retry_after)(refusal)

    return changed


_HAN: Final = re.compile(rb"[\xe4-\xe9][\x80-\xbf]{2}")
"""A Chinese character in UTF-8."""


def _escaped(data: bytes) -> bytes:
    return _HAN.sub(lambda found: json.dumps(found[0].decode())[1:-1].encode(), data, count=1)


def _behind(key: str, other: str) -> Any:
    """A key of the object comes behind another one."""

    def change(one: dict[str, Any]) -> None:
        if key in one and other in one:
            one[other] = one.pop(other)

    return each(change)


def _without_chunk(number: int) -> Any:
    """One text chunk of each stream is lost."""
    return lines(lambda events: [*events[:number], *events[number + 1 :]] if len(events) > number + 3 else events)


MISSED_ONCE: Final = (
    Mutant("swapped keys of a chunk", "key-order-printed", COUNTS, where(streamed, swapped("id", "object"))),
    Mutant("swapped keys of a body", "key-order-printed", COUNTS, where(plain, swapped("id", "object"))),
    Mutant(
        "swapped keys of a choice",
        "key-order-printed",
        COUNTS,
        where(streamed, text('"index":0,"delta":{"role":"assistant"}', '"delta":{"role":"assistant"},"index":0')),
    ),
    Mutant("swapped keys of a message", "key-order-printed", COUNTS, where(plain, swapped("role", "content"))),
    Mutant(
        "a byte order mark before a body", "readable", COUNTS, where(plain, body(lambda data: b"\xef\xbb\xbf" + data))
    ),
    Mutant(
        "a byte order mark before a refusal",
        "error-type",
        COUNTS,
        where(refused, body(lambda data: b"\xef\xbb\xbf" + data)),
    ),
    Mutant("NaN in a body", "readable", COUNTS, where(plain, text('"index":0', '"index":NaN'))),
    Mutant("NaN in a chunk", "readable", COUNTS, where(streamed, text('"index":0', '"index":NaN'))),
    Mutant(
        "one space more in a chunk",
        "framed-to-the-byte",
        COUNTS,
        where(streamed, text('"choices":', '"choices" :', 1)),
        edition=TUTORIAL,
    ),
    Mutant(
        "one space less in a chunk",
        "framed-to-the-byte",
        COUNTS,
        where(streamed, text('"choices": ', '"choices":', 1)),
        edition=TUTORIAL,
    ),
    Mutant(
        "one space more in a body",
        "framed-to-the-byte",
        COUNTS,
        where(plain, text('"choices":', '"choices" :')),
        edition=TUTORIAL,
    ),
    Mutant(
        "one space more in a body of 2025", "framed-to-the-byte", TOLD, where(plain, text('"choices":', '"choices" :'))
    ),
    Mutant("429 without Retry-After", "retry-told", TOLD, limited(None)),
    Mutant("429 with a word as Retry-After", "retry-after", COUNTS, limited("soon")),
    Mutant("429 with a fraction as Retry-After", "retry-after", COUNTS, limited("0.5")),
    Mutant("no trace header on refusals", "head-trace-header", COUNTS, where(refused, header("traceresponse", None))),
    Mutant(
        "no trace header on refusals of 2024",
        "head-trace-header",
        TOLD,
        where(refused, header("traceresponse", None)),
        edition=TUTORIAL,
    ),
    Mutant(
        "a trace id without its version",
        "trace-form",
        COUNTS,
        header("traceresponse", "260921203125a888fe1b430031ebb464-e47d406fb43d95aa-01"),
    ),
    Mutant(
        "length sent as stop in a stream",
        "stream-finish-alike",
        COUNTS,
        where(streamed, text('"finish_reason":"length"', '"finish_reason":"stop"')),
    ),
    Mutant(
        "length sent as stop in a body",
        "length-where-cut",
        COUNTS,
        where(plain, text('"finish_reason":"length"', '"finish_reason":"stop"')),
    ),
    Mutant("blocked is dropped from a body", "blocked-due", TOLD, where(plain, without("blocked"))),
    Mutant("blocked is dropped from a stream", "blocked-due", TOLD, where(streamed, without("blocked"))),
    Mutant(
        "escapes where none are due",
        "framed-to-the-byte",
        TOLD,
        where(answered, body(_escaped)),
    ),
    Mutant(
        "escapes where none are due, 2024",
        "framed-to-the-byte",
        COUNTS,
        where(answered, body(_escaped)),
        edition=TUTORIAL,
    ),
    Mutant(
        "refusals without a charset", "error-charset", TOLD, where(refused, header("content-type", "application/json"))
    ),
    Mutant(
        "completion tokens of a body one off",
        "stream-completion-alike",
        COUNTS,
        where(plain, both(at("usage.completion_tokens", lambda n: n + 1), at("usage.total_tokens", lambda n: n + 1))),
    ),
    Mutant(
        "completion tokens of a stream one off",
        "stream-completion-alike",
        COUNTS,
        where(
            streamed, both(at("usage.completion_tokens", lambda n: n + 1), at("usage.total_tokens", lambda n: n + 1))
        ),
    ),
    Mutant(
        "completion tokens everywhere one off",
        "completion-count",
        TOLD,
        both(at("usage.completion_tokens", lambda n: n + 1), at("usage.total_tokens", lambda n: n + 1)),
    ),
    Mutant("a dropped text chunk", "completion-count", TOLD, _without_chunk(2)),
    Mutant(
        "the body's model where the path's is due",
        "model-echo",
        COUNTS,
        lambda r: at("model", r.wants.get("model"))(r),
        edition=TUTORIAL,
    ),
    Mutant(
        "the path's model where the body's is due",
        "model-echo",
        TOLD,
        lambda r: at("model", r.asked.path.split("/")[2])(r),
    ),
    Mutant(
        "no model where the path's is due",
        "model-echo",
        COUNTS,
        lambda r: at("model", r.wants.get("model") or "unknown")(r),
    ),
    Mutant(
        "a null model is refused",
        "status",
        COUNTS,
        lambda r: replace(r, status=400) if r.wants.get("model", 1) is None else r,
    ),
    Mutant(
        "a foreign model is refused",
        "status",
        COUNTS,
        lambda r: replace(r, status=404) if r.wants.get("model") == "gpt-3.5-turbo" else r,
        edition=TUTORIAL,
    ),
    Mutant("blocked before usage", "key-order-printed", COUNTS, where(plain, _behind("blocked", "usage"))),
    Mutant("a giant body is not refused with 413", "status", TOLD, status(413, 400)),
)
"""What an expert's mutants once showed to be missed, and what was documented and never asked."""


def _double(data: bytes) -> bytes:
    return data.decode("latin-1").encode()


def _packed(response: Response) -> Response:
    return header("content-encoding", "gzip")(body(lambda data: gzip.compress(data, mtime=0))(response))


def _surrogate(data: bytes) -> bytes:
    return _HAN.sub(rb"\\ud83e", data, count=1)


def _choice_twice(one: dict[str, Any]) -> None:
    if one.get("choices"):
        one["choices"] = [one["choices"][0], {**one["choices"][0], "index": 1}]


def _cumulative(events: list[bytes]) -> list[bytes]:
    told, made = "", []
    for event in events:
        if not event.startswith(b"data: {"):
            made.append(event)
            continue
        one = json.loads(event[6:])
        delta = one["choices"][0]["delta"] if one.get("choices") else {}
        if delta.get("content"):
            told += delta["content"]
            delta["content"] = told
        made.append(b"data: " + json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n")
    return made


def _with_an_empty_chunk(events: list[bytes]) -> list[bytes]:
    one = {**json.loads(events[1].removeprefix(b"data: ")), "choices": []}
    return [*events[:2], b"data: " + json.dumps(one, separators=(",", ":")).encode() + b"\n\n", *events[2:]]


def _calls(change: Any) -> Any:
    """Change each part of a tool call."""

    def edit(one: dict[str, Any]) -> None:
        for choice in one.get("choices") or []:
            for call in (choice.get("delta") or choice.get("message") or {}).get("tool_calls") or []:
                change(call)

    return each(edit)


def _rename(call: dict[str, Any]) -> None:
    if call.get("function", {}).get("name"):
        call["function"]["name"] = "get_weather"


def _first_last(one: list[bytes]) -> list[bytes]:
    """The object and created of chip3's last line stand in its first."""
    first, last = json.loads(one[0]), json.loads(one[-1])
    moved = {"id": first["id"], **{k: last.pop(k) for k in ("object", "created") if k in last}, **first}
    return (
        [json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in (moved,)]
        + one[1:-1]
        + [json.dumps(last, ensure_ascii=False).encode() + b"\n"]
    )


def _clamped(one: dict[str, Any]) -> None:
    for key, (low, high) in {"temperature": (0, 2), "top_p": (0, 1)}.items():
        if isinstance(one.get(key), (int, float)):
            one[key] = min(max(one[key], low), high)


def _parts(content: Any) -> Any:
    return [{"type": "text", "text": content}]


OTHERS: Final = (
    # bodies as bytes
    Mutant("a body in UTF-16", "utf8", COUNTS, where(plain, body(lambda data: data.decode().encode("utf-16")))),
    Mutant("a packed body", "utf8", COUNTS, where(answered, _packed)),
    Mutant("UTF-8 encoded twice", "whole-characters", COUNTS, where(answered, body(_double))),
    Mutant("half a surrogate pair in a body", "whole-characters", COUNTS, where(plain, body(_surrogate))),
    Mutant("half a surrogate pair in a stream", "whole-characters", COUNTS, where(streamed, body(_surrogate))),
    Mutant("something behind the JSON", "readable", COUNTS, where(plain, body(lambda data: data + b";"))),
    Mutant("a comma too many", "readable", COUNTS, where(plain, body(lambda data: data[:-1] + b",}"))),
    Mutant("single quotes", "readable", COUNTS, where(plain, body(lambda data: data.replace(b'"', b"'")))),
    Mutant(
        "JSON in a JSON string", "as-asked", COUNTS, where(plain, body(lambda data: json.dumps(data.decode()).encode()))
    ),
    Mutant("a list around the body", "as-asked", COUNTS, where(plain, body(lambda data: b"[" + data + b"]"))),
    Mutant(
        "a raw line end in a string",
        "readable",
        COUNTS,
        where(plain, body(lambda data: data.replace(b'"content":"', b'"content":"\n'))),
    ),
    Mutant("a key twice in a body", "unique-keys", COUNTS, where(plain, text('{"id"', '{"id":"x","id"'))),
    Mutant(
        "a key twice in a chunk",
        "unique-keys",
        COUNTS,
        where(streamed, text('"finish_reason"', '"finish_reason":null,"finish_reason"')),
    ),
    Mutant(
        "a slash is escaped", "framed-to-the-byte", TOLD, where(plain, text('"object":"chat.', '"object":"\\u0063hat.'))
    ),
    # events as bytes
    Mutant(
        "a colon is lost in an event",
        "framed-to-the-byte",
        TOLD,
        lines(lambda events: [one.replace(b"data:", b"data", n == 2) for n, one in enumerate(events)]),
    ),
    Mutant("DATA in capitals", "readable", COUNTS, where(streamed, text("data:", "DATA:"))),
    Mutant("two events without a blank line", "readable", COUNTS, lines(lambda events: [events[0][:-1], *events[1:]])),
    Mutant("an event says data twice", "readable", COUNTS, lines(lambda events: [b"data: " + events[0], *events[1:]])),
    Mutant(
        "an event in two halves",
        "readable",
        COUNTS,
        where(streamed, text('"choices":', '"choices":\ndata: \n\ndata: ', 1)),
    ),
    Mutant("done in small letters", "readable", COUNTS, where(streamed, text("[DONE]", "[done]"))),
    Mutant("done as a JSON string", "readable", COUNTS, where(streamed, text("data: [DONE]", 'data: "[DONE]"'))),
    Mutant("done twice", "done-last", COUNTS, lines(lambda events: [*events, events[-1]])),
    Mutant("the last blank line is lost", "readable", COUNTS, where(streamed, body(lambda data: data[:-1]))),
    Mutant(
        "a list of chunks",
        "as-asked",
        COUNTS,
        where(streamed, body(lambda data: b"[" + b",".join(data.strip().split(b"\n")) + b"]")),
        edition=TUTORIAL,
        chip="chip3",
    ),
    Mutant(
        "two chunks on one line",
        "readable",
        COUNTS,
        where(streamed, body(lambda data: data.replace(b"}\n{", b"}{", 1))),
        edition=TUTORIAL,
        chip="chip3",
    ),
    Mutant(
        "chip3 says its object first",
        "shape-object",
        COUNTS,
        where(streamed, lines(_first_last)),
        edition=TUTORIAL,
        chip="chip3",
    ),
    Mutant(
        "chip3's lines announced as events",
        "announced",
        COUNTS,
        where(streamed, header("content-type", "text/event-stream")),
        edition=TUTORIAL,
        chip="chip3",
    ),
    # types and values
    Mutant("created is a text", "completion-shape", COUNTS, where(plain, at("created", str))),
    Mutant("created has a fraction", "created", COUNTS, where(streamed, at("created", lambda n: n + 0.5))),
    Mutant("created is next year", "created", COUNTS, where(answered, at("created", 1_900_000_000))),
    Mutant("the id is a number", "completion-shape", COUNTS, where(plain, at("id", 7))),
    Mutant("the id is empty", "one-identity", COUNTS, where(answered, at("id", ""))),
    Mutant(
        "the same id in every answer", "fresh-id", TOLD, where(answered, at("id", "872474a1d2afc91a487440589474ca8c"))
    ),
    Mutant("the model in capitals", "model-echo", COUNTS, where(answered, at("model", lambda m: m and m.upper()))),
    Mutant("the object of a stream in a body", "as-asked", COUNTS, where(plain, at("object", "chat.completion.chunk"))),
    Mutant("the object of a body in a chunk", "chunk-shape", COUNTS, where(streamed, at("object", "chat.completion"))),
    Mutant("no choices", "completion-shape", COUNTS, where(plain, at("choices", []))),
    Mutant("the choice without a list", "completion-shape", COUNTS, where(plain, at("choices", lambda c: c[0]))),
    Mutant("two choices", "one-choice", COUNTS, where(answered, each(_choice_twice))),
    Mutant("the index is false", "one-choice", COUNTS, where(answered, at("choices.0.index", False))),
    Mutant("the index is a text", "one-choice", COUNTS, where(answered, at("choices.0.index", "0"))),
    Mutant(
        "an empty chunk among others",
        "one-choice",
        COUNTS,
        lines(_with_an_empty_chunk),
    ),
    Mutant("the user's role", "completion-shape", COUNTS, where(plain, at("choices.0.message.role", "user"))),
    Mutant("a null content", "completion-shape", COUNTS, where(plain, at("choices.0.message.content", None))),
    Mutant("content in parts", "completion-shape", COUNTS, where(plain, at("choices.0.message.content", _parts))),
    Mutant(
        "content in parts in a stream", "chunk-shape", COUNTS, where(streamed, at("choices.0.delta.content", _parts))
    ),
    Mutant("a delta that is null", "chunk-shape", COUNTS, where(streamed, at("choices.0.delta", lambda d: d or None))),
    Mutant("no finish reason in a body", "finish-once", COUNTS, where(plain, at("choices.0.finish_reason", None))),
    Mutant(
        "the finish reason in capitals",
        "finish-value",
        COUNTS,
        where(answered, at("choices.0.finish_reason", lambda f: f and f.upper())),
    ),
    Mutant(
        "a finish reason in every chunk", "finish-once", COUNTS, where(streamed, at("choices.0.finish_reason", "stop"))
    ),
    Mutant("deltas that repeat what was said", "stream-is-body", TOLD, lines(_cumulative)),
    # counts
    Mutant("tokens as texts", "usage-adds-up", COUNTS, where(answered, at("usage.prompt_tokens", str))),
    Mutant(
        "tokens with a fraction",
        "usage-adds-up",
        COUNTS,
        where(answered, text('"prompt_tokens":', '"prompt_tokens":0.')),
    ),
    Mutant("usage is null", "completion-shape", COUNTS, where(plain, at("usage", None))),
    Mutant("a count is missing", "usage-adds-up", COUNTS, where(answered, without("usage.total_tokens"))),
    Mutant(
        "the body counts another prompt",
        "stream-counts-alike",
        COUNTS,
        where(plain, both(at("usage.prompt_tokens", lambda n: n + 1), at("usage.total_tokens", lambda n: n + 1))),
    ),
    Mutant(
        "every prompt counts the same",
        "dialogue-grows",
        COUNTS,
        where(
            answered,
            lambda r: at("usage.total_tokens", lambda n: n)(
                at("usage", lambda u: u and {**u, "prompt_tokens": 9, "total_tokens": 9 + u["completion_tokens"]})(r)
            ),
        ),
    ),
    Mutant(
        "details of tokens are a number",
        "chunk-usage-details",
        COUNTS,
        where(answered, at("usage.prompt_tokens_details", 0)),
    ),
    # tools, thoughts, the text review
    Mutant("a call of a function that nobody offered", "tool-calls", COUNTS, where(answered, _calls(_rename))),
    Mutant(
        "the call is lost, its finish is not",
        "tool-calls",
        COUNTS,
        where(streamed, without("choices.0.delta.tool_calls")),
    ),
    Mutant(
        "a call that is no function",
        "tool-calls",
        COUNTS,
        where(answered, _calls(lambda call: call.update(type="tool") if "type" in call else None)),
    ),
    Mutant("blocked is a text", "blocked-form", COUNTS, where(answered, at("blocked", "true"))),
    # headers and status
    Mutant(
        "a charset that is not UTF-8",
        "body-type",
        COUNTS,
        where(plain, header("content-type", "application/json; charset=gbk")),
    ),
    Mutant(
        "events in another charset",
        "announced",
        COUNTS,
        where(streamed, header("content-type", "text/event-stream; charset=gb18030")),
    ),
    Mutant(
        "a trace id of zeros",
        "trace-form",
        COUNTS,
        header("traceresponse", "00-00000000000000000000000000000000-e47d406fb43d95aa-01"),
    ),
    Mutant(
        "the same trace id in every answer",
        "fresh-trace",
        TOLD,
        header("traceresponse", "00-260921203125a888fe1b430031ebb464-e47d406fb43d95aa-01"),
    ),
    Mutant("201 for every stream", "status", COUNTS, where(streamed, status(200, 201))),
    Mutant("422 for 400", "status", COUNTS, status(400, 422)),
    Mutant("403 for 401", "status", COUNTS, status(401, 403)),
    Mutant("400 for 404", "status", COUNTS, status(404, 400)),
    Mutant("a refusal as events", "error-type", COUNTS, where(refused, body(lambda data: b"data: " + data + b"\n\n"))),
    Mutant("a refusal in a list", "error-type", COUNTS, where(refused, body(lambda data: b"[" + data + b"]"))),
    Mutant(
        "a refusal announced as text",
        "error-type",
        COUNTS,
        where(refused, header("content-type", "text/plain; charset=utf-8")),
    ),
    Mutant("a refusal's code as a text", "error-words", COUNTS, where(refused, text('"code":60000', '"code":"60000"'))),
    Mutant("a refusal without words", "error-shape", TOLD, where(refused, at("error.message", ""))),
    # what the server behind the proxy does not get to see
    Mutant(
        "stop strings are not kept",
        "stop-kept",
        COUNTS,
        ask=asking(lambda one: one.pop("stop", None) if isinstance(one.get("stop"), list) else None),
    ),
    Mutant(
        "limits are not kept",
        "limit-kept",
        COUNTS,
        ask=asking(
            lambda one: (
                one.update(max_tokens=None)
                if isinstance(one.get("max_tokens"), int) and one["max_tokens"] > 0
                else None
            )
        ),
    ),
    Mutant(
        "a stream is a body",
        "as-asked",
        COUNTS,
        ask=asking(lambda one: one.pop("stream", None) if one.get("stream") is True else None),
    ),
    Mutant(
        "a body is a stream",
        "as-asked",
        COUNTS,
        ask=asking(lambda one: one.update(stream=True) if isinstance(one.get("stream", False), bool) else None),
    ),
    Mutant(
        "only the last message is read",
        "dialogue-grows",
        COUNTS,
        ask=asking(
            lambda one: one.update(messages=one["messages"][-1:]) if isinstance(one.get("messages"), list) else None
        ),
    ),
    Mutant(
        "the system message is not read",
        "system-counts",
        TOLD,
        ask=asking(
            lambda one: (
                one.update(
                    messages=[m for m in one["messages"] if not isinstance(m, dict) or m.get("role") != "system"]
                )
                if isinstance(one.get("messages"), list)
                else None
            )
        ),
    ),
    Mutant("values are moved into their ranges", "status", COUNTS, ask=asking(_clamped)),
    Mutant("n is not looked at", "status", COUNTS, ask=asking(lambda one: one.pop("n", None))),
    Mutant(
        "unknown roles are the user's",
        "status",
        COUNTS,
        ask=asking(
            lambda one: (
                [m.update(role="user") for m in one["messages"] if isinstance(m, dict) and m.get("role") == "robot"]
                if isinstance(one.get("messages"), list)
                else None
            )
        ),
    ),
    Mutant("no key is needed", "status", COUNTS, ask=request_header("authorization", "Bearer sk-any-key")),
    Mutant("an unknown chip is another one", "status", COUNTS, ask=path("no-such-chip", "nvidia")),
    Mutant(
        "an unknown model is another one",
        "status",
        COUNTS,
        ask=lambda request: replace(
            path("no-such-model", "qwen3-8b")(request), body=request.body.replace(b"no-such-model", b"qwen3-8b")
        ),
    ),
    Mutant(
        "broken JSON is mended",
        "status",
        COUNTS,
        ask=lambda request: replace(request, body=request.body.replace(b"},]", b"}]")),
    ),
    Mutant(
        "unknown keys are refused",
        "unknown-fields",
        COUNTS,
        lambda r: replace(r, status=400) if "x_unknown" in r.wants else r,
    ),
    Mutant(
        "nulls are refused",
        "null-is-absent",
        COUNTS,
        lambda r: replace(r, status=400) if r.wants.get("top_p", 1) is None else r,
    ),
)
"""Of other kinds: broken encodings, JSON and events, types, counts, headers, and requests that are not heard."""

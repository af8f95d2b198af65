"""Clauses on every answer: status, body, types, identity, usage, text review. The table is in `table.py`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.clauses.clause import HOLDS, NOT_APPLICABLE, Severity, Verdict, broken, by_claim, holds_if
from mockserver.core import strict_json
from mockserver.core.exchange import Ending
from mockserver.pipeline.frame import BOM
from mockserver.pipeline.read import call_of, take_calls

if TYPE_CHECKING:
    from mockserver.contract.clauses.clause import Context
    from mockserver.contract.clauses.reading import Reading
    from mockserver.pipeline.frame import Json

EARLIEST_CREATED: Final = 1_672_531_200  # 2023-01-01: the service is younger
LATEST_CREATED: Final = 4_102_444_800  # 2100-01-01, where the time of the exchange is not known
DAY_S: Final = 86_400
FINISH_REASONS: Final = ("stop", "length")
"""What the reference lists; where tools are offered `tool_calls` was seen, and a blocked answer has its profile's."""
_ENDINGS: Final = {
    Ending.CUT: "the connection closed before the body's end",
    Ending.RESET: "the connection was reset",
    Ending.HANG: "the body did not end in time, or goes on past 1 MiB",
}


def status(r: Reading, c: Context) -> Verdict:
    """The status is 200, or the refusal's."""
    due = c.edition.file.errors[c.refusal].status if c.refusal else 200
    if r.status == due and c.refusal is not None and not r.refused:
        return broken(f"an answer came; due a refusal with status {due} (the edition's {c.refusal})")
    if r.status == due:
        return HOLDS
    why = f"the edition's {c.refusal}" if c.refusal else "the request is valid"
    return broken(f"status {r.status or 'none'}; due {due} ({why})")


def weigh_status(c: Context) -> Severity:
    """A status weighs what is known of the rule, and of the refusal: its row's claim, or the documents' list."""
    if c.refusal is None:
        return by_claim(c.claim, Severity.MUST)
    row = c.edition.file.errors[c.refusal]
    known = row.claim != "assumed" or row.status in c.edition.file.documented_statuses
    return by_claim(c.claim if known else "assumed", Severity.MUST)


def ends(r: Reading, _c: Context) -> Verdict:
    """The body ends as HTTP wants it."""
    if r.exchange.plan is None:
        return broken("no answer came")
    return holds_if(r.complete, _ENDINGS.get(r.exchange.plan.ending, ""))


def utf8(r: Reading, _c: Context) -> Verdict:
    """The body is UTF-8, and not packed, since nobody asked for that."""
    if r.coding:
        return broken(f"content-encoding is {r.coding}; due none, since the request asks for none")
    try:
        r.body.decode()
    except UnicodeDecodeError as error:
        return broken(f"byte {r.body[error.start]:#04x} at offset {error.start} is not UTF-8")
    return HOLDS


def readable(r: Reading, _c: Context) -> Verdict:
    """The whole body can be read in its format."""
    if r.answered and r.framing == "json" and r.body.startswith(BOM):
        return broken("a byte order mark stands before the JSON (RFC 8259, section 8.1)")
    if r.coding:
        return NOT_APPLICABLE
    return holds_if(not r.problem, r.problem) if r.answered else NOT_APPLICABLE


def body_type(r: Reading, _c: Context) -> Verdict:
    """A body that is not streamed is announced as JSON, and in no other charset than UTF-8."""
    if r.wants_stream or not r.answered:
        return NOT_APPLICABLE
    sent = r.headers.get("content-type", "none")
    good = sent.split(";")[0].strip().lower() == "application/json" and not other_charset(sent)
    return holds_if(good, f"content type {sent}; due application/json")


_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)", re.IGNORECASE)


def other_charset(content_type: str) -> str:
    """The charset that a content type names, where it is not UTF-8; else empty."""
    found = _CHARSET.search(content_type)
    return "" if found is None or found[1].lower() in {"utf-8", "utf8"} else found[1] or "empty"


def unique_keys(r: Reading, _c: Context) -> Verdict:
    """No JSON object has a key twice: readers differ on which one counts."""
    if not r.objects:
        return NOT_APPLICABLE
    return holds_if(r.repeated_key is None, f"an object has the key {r.repeated_key!r} twice")


def content_length(r: Reading, _c: Context) -> Verdict:
    """An announced length is the body's."""
    announced = r.headers.get("content-length")
    if announced is None or not r.complete:
        return NOT_APPLICABLE
    return holds_if(announced == str(len(r.body)), f"content-length {announced}; the body has {len(r.body)} bytes")


def as_asked(r: Reading, _c: Context) -> Verdict:
    """A stream comes where one was asked for, one object where not."""
    if not r.answered or not r.body or not r.complete or r.coding:  # what is packed, `utf8` tells
        return NOT_APPLICABLE
    if r.wants_stream:
        return holds_if(r.framing in {"sse", "json-lines"}, f"a stream was asked for; the body begins {r.body[:40]!r}")
    return holds_if(r.framing == "json", f"no stream was asked for; the body begins {r.body[:40]!r}")


_BODY: Final[dict[str, type]] = {"id": str, "object": str, "created": int, "model": str, "choices": list, "usage": dict}


def completion_shape(r: Reading, c: Context) -> Verdict:
    """A body has the keys of a completion, each of its type."""
    one = r.completion
    if one is None:
        return NOT_APPLICABLE
    optional = {"usage"} if r.blocked and not c.chip.wire.chunk.blocked_usage else set()
    fixed = dict(c.chip.wire.keys.fixed)  # `keys-fixed` judges them
    kinds = {**_BODY, "model": type(None)} if c.chip.wire.chunk.model_echo == "null" else _BODY
    due = {k: t for k, t in kinds.items() if f"body.{k}" not in fixed and (k in one or k not in optional)}
    fault = _type_fault(one, due)
    if fault:
        return broken(fault)
    if one["object"] != "chat.completion" if "object" in due else False:
        return broken(f'object is {_short(one["object"])}; due "chat.completion"')
    if not one["choices"]:
        return broken("choices is empty; due one")
    for number, choice in enumerate(one["choices"]):
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            return broken(f"choices[{number}].message is missing")
        content = message.get("content")
        if message.get("role") != "assistant" or not (
            isinstance(content, str) or (content is None and message.get("tool_calls"))
        ):  # a key that is not there reads as null here; `chunk-body-content-beside-call` tells the two apart
            return broken(f"choices[{number}].message is {_short(message)}; due role assistant and a text")
    return HOLDS


def _type_fault(one: Json, keys: dict[str, type]) -> str:
    for key, kind in keys.items():
        if key not in one:
            return f"{key} is missing; the body has {', '.join(one)}"
        if not isinstance(one[key], kind) or isinstance(one[key], bool):
            return f"{key} is {_short(one[key])}; due {kind.__name__}"
    return ""


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


_KNOWN: Final = {
    "": {"id", "object", "created", "model", "choices", "usage", "blocked"},
    "choice": {"index", "delta", "message", "finish_reason", "logprobs", "reasoning_content"},
    "delta or message": {"role", "content", "reasoning_content", "tool_calls"},
    "usage": {
        *("prompt_tokens", "completion_tokens", "total_tokens"),
        "prompt_tokens_details",
        "completion_tokens_details",
    },
}


def known_keys(r: Reading, c: Context) -> Verdict:
    """No key comes that no document has and no quirk of the profile declares."""
    if not r.answered or not r.objects:
        return NOT_APPLICABLE
    places: list[tuple[str, Any]] = [("", one) for one in r.objects]
    places += [("choice", choice) for _, choice in r.choices]
    places += [("delta or message", said) for said in r.said] + [("usage", usage) for usage in r.usages]
    declared = _declared_keys(r, c)
    extra = sorted(
        {f"{where}.{key}".lstrip(".") for where, one in places for key in one.keys() - _KNOWN[where] - declared[where]}
    )
    return holds_if(not extra, f"undocumented: {', '.join(extra)}")


def _declared_keys(r: Reading, c: Context) -> dict[str, set[str]]:
    """The keys that quirks of the profile bring, by where they stand."""
    wire = c.chip.wire
    found: dict[str, set[str]] = {where: set() for where in _KNOWN}
    names = ("chunk", "choice", "delta") if r.wants_stream else ("body", "body-choice", "message")
    places = dict(zip(names, ("", "choice", "delta or message"), strict=True)) | {"usage": "usage"}
    for part, _ in wire.keys.extra:
        at, key, *_ = part.split(".")
        place = at.partition("@")[0]
        if place in places:
            found[places[place]].add(key)
    if wire.chunk.reasoning_key != "reasoning_content":
        found["choice"].add("reasoning")
        found["delta or message"].add("reasoning")
    if wire.chunk.usage_chunk == "choice":
        found["choice"].add("usage")
    return found


def one_choice(r: Reading, c: Context) -> Verdict:
    """There is one choice, with index 0 (n is fixed to 1), unless the profile says otherwise of the index."""
    if not r.answered or not r.choices:
        return NOT_APPLICABLE
    wire = c.chip.wire  # `shape-choice-index` and `keys-fixed` judge what is otherwise
    otherwise = wire.shape.choice_index != "zero" if r.wants_stream else "body-choice.index" in dict(wire.keys.fixed)
    for one, choice in r.choices:
        index = choice.get("index")
        zero = type(index) is int and index == 0
        if len(one["choices"]) != 1 or not (zero or otherwise):
            return broken(
                f"choices: {len(one['choices'])}, the first with index {_short(index)}; due one, with index 0"
            )
    empty = next((n for n, one in enumerate(r.chunks) if one.get("choices") == [] and not one.get("usage")), None)
    return holds_if(empty is None, f"chunk {empty} has no choice and reports no usage; due one choice")


def one_identity(r: Reading, c: Context) -> Verdict:
    """Every chunk that has an id, a model or an object has the same, but for what the profile declares."""
    if not r.answered or not r.objects:
        return NOT_APPLICABLE
    wire = c.chip.wire
    own_ids = r.wants_stream and wire.head.chunk_id != "same"  # `head-chunk-id` judges them
    no_model = wire.chunk.model_echo in {"null", ""}
    due = [("id", not own_ids), ("model", not no_model), ("object", True)]
    for key in (key for key, judged in due if judged):
        found = list(dict.fromkeys(_short(one[key]) for one in r.objects if key in one))
        if len(found) > 1:
            return broken(f"{key} changes from {found[0]} to {found[1]}")
        if found and found[0] in {'""', "null"}:
            return broken(f"{key} is {found[0]}")
    return HOLDS


def created(r: Reading, c: Context) -> Verdict:
    """`created` is Unix seconds of this age, and never falls."""
    found = [one["created"] for one in r.objects if "created" in one] if r.answered else []
    if not found:
        return NOT_APPLICABLE
    latest = LATEST_CREATED if c.now_s is None else c.now_s + DAY_S
    for one in found:
        if type(one) is not int or not EARLIEST_CREATED <= one <= latest:
            return broken(f"created is {_short(one)}; due Unix seconds from {EARLIEST_CREATED} to {latest}")
    return holds_if(found == sorted(found), f"created falls from {max(found)}")


def model_echo(r: Reading, c: Context) -> Verdict:
    """`model` is the model that the edition's rule on path and body chooses."""
    found = [one["model"] for one in r.objects if "model" in one] if r.answered else []
    if not found or c.chip.wire.chunk.model_echo != "{model}":  # what is declared, `chunk-model-echo` judges
        return NOT_APPLICABLE
    body = r.asked.get("model")
    due = body if c.edition.file.request.model == "body" and isinstance(body, str) else c.model
    return holds_if(found[0] == due, f"model is {_short(found[0])}; due {due!r}")


def says_something(r: Reading, _c: Context) -> Verdict:
    """An answer whose usage counts more than the end token says something: a text, a thought or a call."""
    count = r.usage.get("completion_tokens")
    if not (r.whole or r.completion) or r.blocked or r.asked.get("stop") or not isinstance(count, int) or count < 2:
        return NOT_APPLICABLE
    told = ("content", "reasoning_content", "reasoning", "tool_calls")
    places = [*r.said, *(choice for _, choice in r.choices)]
    return holds_if(any(one.get(key) for one in places for key in told), f"completion_tokens is {count}; nothing came")


def finish_value(r: Reading, c: Context) -> Verdict:
    """The finish reason is documented, tool_calls where tools are offered, or one that the profile declares."""
    if not r.answered or r.finish_reason is None:
        return NOT_APPLICABLE
    wire = c.chip.wire.chunk
    allowed = [*FINISH_REASONS, *(["tool_calls"] if r.asked.get("tools") else []), *dict(wire.finish_words).values()]
    allowed += [wire.blocked_finish] if r.blocked else []
    return holds_if(
        r.finish_reason in allowed, f"finish_reason is {_short(r.finish_reason)}; allowed: {', '.join(allowed)}"
    )


_ORDERS: Final = (
    ("id", "object", "created", "model", "choices", "usage", "blocked"),
    ("index", "delta", "message", "finish_reason"),
    ("role", "content"),
)
"""The keys of an object, of a choice and of what it says, as both documents print them."""


def key_order(r: Reading, c: Context) -> Verdict:
    """Keys come in the order of the printed samples, `blocked` last, unless the profile says otherwise."""
    if not r.answered or not r.objects:
        return NOT_APPLICABLE
    places = (r.objects, [choice for _, choice in r.choices], r.said)
    names = ("chunk", "choice", "delta") if r.wants_stream else ("body", "body-choice", "message")
    for order, listed, place in zip(_ORDERS, places, names, strict=True):
        for one in listed if place not in dict(c.chip.wire.keys.order) else ():  # `keys-order` judges them
            seen = [key for key in one if key in order]
            due = [key for key in order if key in one]
            if seen != due:
                return broken(f"keys: {', '.join(seen)}; due: {', '.join(due)}")
    return HOLDS


def blocked_due(r: Reading, c: Context) -> Verdict:
    """An answer to a text that the edition's review objects to is blocked."""
    words = c.edition.file.moderation.input_words
    objected = any(word in str(r.asked.get("messages")) for word in words)
    if not objected or not r.choices or not (r.completion or r.whole):
        return NOT_APPLICABLE
    return holds_if(r.blocked, "no object has blocked: true, though the review objects to the request")


_TRACE: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_form(r: Reading, _c: Context) -> Verdict:
    """A traceresponse has the form of W3C's Trace Context, whose ids are not all zeros."""
    sent = r.headers.get("traceresponse")
    if sent is None:
        return NOT_APPLICABLE
    return holds_if(
        _TRACE.fullmatch(sent) is not None,
        f"traceresponse is {sent!r}; due 00-32 hex-16 hex-2 hex digits, ids not zero",
    )


def usage_adds_up(r: Reading, _c: Context) -> Verdict:
    """Usage is whole numbers whose total is the sum, and a prompt has tokens."""
    if not r.answered or not r.usages:
        return NOT_APPLICABLE
    for usage in r.usages:
        keys = ("prompt_tokens", "completion_tokens", "total_tokens")
        figures = [usage[key] for key in keys if type(usage.get(key)) is int and usage[key] >= 0]
        if len(figures) < len(keys):
            return broken(f"usage is {_short(usage)}; due three whole numbers")
        prompt, completion, total = figures
        if prompt + completion != total or prompt < 1:
            return broken(f"usage: {prompt} + {completion} is not {total}" if prompt else "usage: prompt_tokens is 0")
    return HOLDS


def limit_kept(r: Reading, _c: Context) -> Verdict:
    """No more tokens come than `max_tokens` or `max_completion_tokens` allows, whichever is more."""
    limits = [r.asked.get(name) for name in ("max_tokens", "max_completion_tokens")]
    limit = max((one for one in limits if isinstance(one, int)), default=None)
    count = r.usage.get("completion_tokens")
    if not r.answered or limit is None or not isinstance(count, int):
        return NOT_APPLICABLE
    return holds_if(count <= limit, f"completion_tokens is {count}; max_tokens is {limit}")


def stop_kept(r: Reading, _c: Context) -> Verdict:
    """The text holds no stop string."""
    stops = r.asked.get("stop")
    listed = [stops] if isinstance(stops, str) else stops
    if not r.answered or not isinstance(listed, list) or not listed:
        return NOT_APPLICABLE
    found = [one for one in listed if isinstance(one, str) and one and one in r.text]
    return holds_if(not found, f"the text holds the stop string {_short(found[:1])}")


def blocked_form(r: Reading, _c: Context) -> Verdict:
    """`blocked` is true or absent, and nothing follows it but usage, in a chunk that says nothing else."""
    if not r.answered or not any("blocked" in one for one in r.objects):
        return NOT_APPLICABLE
    for number, one in enumerate(r.objects):
        if "blocked" in one and one["blocked"] is not True:
            return broken(f"blocked is {_short(one['blocked'])}; due true or no such key")
        after = sum(
            bool(later.get("choices") or "error" in later) and not _is_usage_alone(later)
            for later in r.objects[number + 1 :]
        )
        if one.get("blocked") is True and after:
            return broken(f"objects with choices after the one with blocked: true: {after}; due none")
    return HOLDS


def _is_usage_alone(one: Json) -> bool:
    """Whether an object holds usage, and choices that neither say nor finish anything, as some servers send it."""
    choices = one.get("choices")
    return isinstance(one.get("usage"), dict) and all(
        isinstance(choice, dict) and not _is_said(choice.get("delta")) and not choice.get("finish_reason")
        for choice in (choices if isinstance(choices, list) else [None])
    )


def _is_said(delta: object) -> bool:
    """Whether a delta says anything but whose it is."""
    return any(value for key, value in delta.items() if key != "role") if isinstance(delta, dict) else bool(delta)


def _names_offered(asked: Json) -> list[str]:
    """The names of the functions that a request offers, as far as they can be read."""
    tools = asked.get("tools")
    found = [one.get("function") for one in tools if isinstance(one, dict)] if isinstance(tools, list) else []
    return [one["name"] for one in found if isinstance(one, dict) and isinstance(one.get("name"), str)]


def tool_calls(r: Reading, c: Context) -> Verdict:
    """Each tool call has an id, the name of an offered function and a JSON object, and the finish says tool_calls.

    What the profile declares of them is as good: a finish of another word, no arguments where there are none.
    """
    listed = [said["tool_calls"] for said in r.said if said.get("tool_calls")]
    if not (r.whole or r.completion) or (not listed and r.finish_reason != "tool_calls"):
        return NOT_APPLICABLE
    if not listed:
        return broken("finish_reason is 'tool_calls', and no call came")
    calls: list[list[Json]] = []
    for parts in listed:
        for part in parts if isinstance(parts, list) else [parts]:
            if not isinstance(part, dict) or not isinstance(part.get("function", {}), dict):
                return broken(f"tool call {_short(part)}; due an object with a function")
            if part.get("type", "function") not in ("function", "", None):
                return broken(f"tool call {_short(part)}; due type function")
        take_calls(calls, parts if isinstance(parts, list) else [parts])
    wire, offered = c.chip.wire, _names_offered(r.asked)
    for parts in calls:
        one = call_of(parts)
        text = one.arguments or ("{}" if wire.tools.no_arguments == "empty" else "")
        try:
            whole = isinstance(strict_json.loads(text), dict) and bool(one.id) and bool(one.name)
        except ValueError:
            whole = False
        if not whole and r.finish_reason != "length":
            told = {"id": one.id, "name": one.name, "arguments": one.arguments}
            return broken(f"tool call {_short(told)}; due id, name and arguments that are a JSON object")
        if offered and one.name not in offered:
            return broken(f"tool call of {_short(one.name)}; offered: {', '.join(offered)}")
    allowed = ("length", dict(wire.chunk.finish_words).get("tool_calls", "tool_calls"))
    return holds_if(r.finish_reason in allowed, f"finish_reason is {_short(r.finish_reason)} after a tool call")

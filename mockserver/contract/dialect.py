"""The wire dialect seen in an exchange: for each axis of the quirk table, which of its values the bytes show.

An observer returns the value that it sees, or None where this exchange cannot show it. A value that no quirk of the
axis has is returned as text, so that it can be named. Checks, `learn` and `drift` all read this one table.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from mockserver import quirks
from mockserver.exchange import Answer, Head, Usage
from mockserver.pipeline.compiled import render_body, render_stream
from mockserver.pipeline.frame import BOM, content_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mockserver.contract.reading import Json, Reading
    from mockserver.quirks import Axis, WireSettings

Seen = str | bool | None
MIXED: Final = "mixed"
_FEWEST_CHUNKS = 3  # with fewer, first and last say too little about "every"
_ID_FORMS: Final = {
    "chatcmpl-22": re.compile(r"chatcmpl-[2-9A-HJ-NP-Za-km-z]{22}"),
    "hex-32": re.compile(r"[0-9a-f]{32}"),
    "chatcmpl-uuid": re.compile(r"chatcmpl-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "chatcmpl-hex": re.compile(r"chatcmpl-[0-9a-f]{32}"),
}
_CONTENT_TYPES: Final = {
    "": "none",
    "text/event-stream": "event-stream",
    "text/event-stream;charset=utf-8": "event-stream-utf8",
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "text/plain;charset=utf-8": "text",
    "application/octet-stream": "octet-stream",
}


# --- frame --------------------------------------------------------------------------------------------------------


def _whole(r: Reading) -> bool:
    return r.streamed and r.complete and not r.problem


def _lines(r: Reading) -> list[bytes]:
    return r.body.removeprefix(BOM).splitlines()


def _framing(r: Reading) -> Seen:
    return r.framing if r.streamed else None


def _done(r: Reading) -> Seen:
    return r.has_done if _whole(r) and r.framing == "sse" and not r.blocked else None


def _blocked_done(r: Reading) -> Seen:
    return r.has_done if _whole(r) and r.framing == "sse" and r.blocked else None


def _content_type(r: Reading) -> Seen:
    if not r.streamed:
        return None
    sent = r.headers.get("content-type", "").lower().replace(" ", "")
    return _CONTENT_TYPES.get(sent, sent)


def _data_space(r: Reading) -> Seen:
    spaced = {line.startswith(b"data: ") for line in _lines(r) if line.startswith(b"data:")}
    if not r.streamed or r.framing != "sse" or not spaced:
        return None
    return spaced.pop() if len(spaced) == 1 else MIXED


def _newline(r: Reading) -> Seen:
    if not r.streamed:
        return None
    kinds = set(re.findall(rb"\r\n|\n|\r", r.body))
    names = {b"\r\n": "crlf", b"\n": "lf", b"\r": "cr"}
    return (names[kinds.pop()] if len(kinds) == 1 else MIXED) if kinds else None


def _lines_apart(r: Reading) -> Seen:
    if not r.streamed or r.framing != "json-lines" or len(r.objects) < 2:
        return None
    gaps = {b"" in (first, second) for first, second in zip(_lines(r), _lines(r)[1:], strict=False)}
    return ("two" if gaps.pop() else "one") if len(gaps) == 1 else MIXED


def _last_newline(r: Reading) -> Seen:
    return r.body.endswith((b"\n", b"\r")) if _whole(r) and r.framing == "json-lines" else None


def _bom(r: Reading) -> Seen:
    return r.body.startswith(BOM) if r.streamed else None


def _comments(r: Reading) -> Seen:
    return any(line.startswith(b":") for line in _lines(r)) if r.streamed and r.framing == "sse" else None


def _event_field(r: Reading) -> Seen:
    return any(line.startswith(b"event:") for line in _lines(r)) if r.streamed and r.framing == "sse" else None


def _delivery(r: Reading) -> Seen:
    return ("buffered" if "content-length" in r.headers else "streamed") if r.streamed else None


def _json(r: Reading) -> Seen:
    return _spacing(r) if r.streamed else None


def _spacing(r: Reading) -> Seen:
    spaced = {bool(after) for after in re.findall(rb'(?:"":|"",)( ?)', r.skeleton)}
    return (("spaced" if spaced.pop() else "compact") if len(spaced) == 1 else MIXED) if spaced else None


def _body_json(r: Reading) -> Seen:
    if r.completion is None:
        return None
    structure = r.skeleton.strip()
    if b"\n" not in structure:
        return _spacing(r)
    return "indented" if re.search(rb"\n[ \t]", structure) else "flush-lines"


def _escapes(r: Reading) -> Seen:
    return _escaping(r) if r.streamed else None


def _body_escapes(r: Reading) -> Seen:
    return _escaping(r) if r.completion is not None else None


def _escaping(r: Reading) -> Seen:
    if any(byte >= 0x80 for byte in r.body.removeprefix(BOM)):
        return "utf-8"
    escaped = [int(code, 16) for code in re.findall(rb"(?<!\\)\\u([0-9a-fA-F]{4})", r.body)]
    return "ascii" if any(code >= 0x80 for code in escaped) else None


# --- shape --------------------------------------------------------------------------------------------------------


def _place(present: list[bool]) -> str:
    if all(present):
        return "every"
    if not any(present):
        return "never"
    if present[0] and not any(present[1:]):
        return "first"
    return "last" if present[-1] and not any(present[:-1]) else MIXED


def _placement(key: str) -> Callable[[Reading], Seen]:
    def observe(r: Reading) -> Seen:
        if not _whole(r) or len(r.chunks) < _FEWEST_CHUNKS:
            return None
        return _place([key in chunk for chunk in r.chunks])

    return observe


def _usage(r: Reading) -> Seen:
    if not _whole(r) or len(r.chunks) < _FEWEST_CHUNKS:
        return None
    place = _place([isinstance(chunk.get("usage"), dict) for chunk in r.chunks])
    return None if place == "never" and (r.blocked or not r.wants_usage) else place


def _role(r: Reading) -> Seen:
    if not _whole(r) or len(r.choices) < _FEWEST_CHUNKS:
        return None
    return _place([bool(delta.get("role")) for delta in r.said])


def _role_elsewhere(r: Reading) -> Seen:
    if not _whole(r):
        return None
    bare = [delta for delta in r.said if not delta.get("role")]
    if not bare:
        return None
    return "empty" if any(delta.get("role") == "" for delta in bare) else "absent"


def _finish_reason_open(r: Reading) -> Seen:
    if not _whole(r) or not r.finishes:
        return None
    found = {
        {None: "null", "": "empty"}.get(choice["finish_reason"], MIXED) if "finish_reason" in choice else "absent"
        for _, choice in r.choices[: r.finishes[0]]
    }
    return (found.pop() if len(found) == 1 else MIXED) if found else None


def _usage_when(r: Reading) -> Seen:
    if not _whole(r) or r.wants_usage or r.blocked:
        return None
    return "always" if r.usages else "on-request"


def _usage_elsewhere(r: Reading) -> Seen:
    if not _whole(r):
        return None
    if any("usage" in chunk and chunk["usage"] is None for chunk in r.chunks):
        return "null"
    return "absent" if r.usages and any("usage" not in chunk for chunk in r.chunks) else None


# --- chunk --------------------------------------------------------------------------------------------------------


def _speaks(delta: Json) -> bool:
    return bool(delta.get("content") or delta.get("tool_calls") or delta.get("reasoning_content"))


def _usage_chunk(r: Reading) -> Seen:
    if not _whole(r) or not r.chunks or not isinstance(r.chunks[-1].get("usage"), dict):
        return None
    return "own" if not r.chunks[-1].get("choices") else "finish"


def _usage_order(r: Reading) -> Seen:
    if not r.answered or not r.usage:
        return None
    order = [key.removesuffix("_tokens") for key in r.usage if key in _USAGE_KEYS]
    return {"prompt completion total": "total-last", "prompt total completion": "total-second"}.get(
        " ".join(order), " ".join(order)
    )


_USAGE_KEYS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")


def _usage_details(r: Reading) -> Seen:
    if not r.answered or not r.usage:
        return None
    if "prompt_tokens_details" not in r.usage:
        return "absent"
    return "null" if r.usage["prompt_tokens_details"] is None else "object"


def _role_chunk(r: Reading) -> Seen:
    if not _whole(r) or r.blocked or not r.said:
        return None
    first = r.said[0]
    if _speaks(first) or "reasoning_content" in r.choices[0][1]:
        return "merged"
    return "with-content" if first.get("content") == "" else "alone"


def _finish_chunk(r: Reading) -> Seen:
    if not _whole(r) or r.blocked or not r.finishes or not any(map(_speaks, r.said)):
        return None
    return "merged" if _speaks(r.said[r.finishes[0]]) else "own"


def _finish_delta(r: Reading) -> Seen:
    if not _whole(r) or not r.finishes or _speaks(r.said[r.finishes[0]]):
        return None
    return "content" if r.said[r.finishes[0]].get("content") == "" else "empty"


def _one_chunk(r: Reading) -> Seen:
    if not _whole(r) or r.blocked or len(r.text) < 12:
        return None
    return sum(bool(delta.get("content")) for delta in r.said) == 1


def _empty_deltas(r: Reading) -> Seen:
    if not _whole(r) or not r.text:
        return None
    between = [
        delta
        for number, ((chunk, choice), delta) in enumerate(zip(r.choices, r.said, strict=True))
        if number and not choice.get("finish_reason") and "blocked" not in chunk
    ]
    return any(delta.get("content") == "" for delta in between) if between else None


def _logprobs(r: Reading) -> Seen:
    if not r.answered or not r.choices:
        return None
    found = [choice["logprobs"] for _, choice in r.choices if "logprobs" in choice]
    return "object" if any(found) else bool(found)


def _reasoning(r: Reading) -> Seen:
    if not r.answered:
        return None
    if any(delta.get("reasoning_content") for delta in r.said):
        return "delta"
    if any(choice.get("reasoning_content") for _, choice in r.choices):
        return "choice"
    return "think-tags" if r.text.lstrip().startswith("<think>") else None


def _blocked_chunk(r: Reading) -> Seen:
    if not _whole(r) or not r.blocked or not r.text:
        return None
    return "merged" if r.said[-1].get("content") else "own"


def _blocked_finish(r: Reading) -> Seen:
    if not r.answered or not r.blocked or not r.choices:
        return None
    return r.choices[-1][1].get("finish_reason") or "null"


def _blocked_usage(r: Reading) -> Seen:
    return bool(r.usages) if r.answered and r.blocked and (r.complete and not r.problem) else None


def _blocked_text(r: Reading) -> Seen:
    if r.completion is None or not r.blocked:
        return None
    if r.text:
        return "kept"
    return "emptied" if _number(r.usage.get("completion_tokens")) > 1 else None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


# --- head ---------------------------------------------------------------------------------------------------------


def _id_form(r: Reading) -> Seen:
    ids = [one["id"] for one in r.objects if isinstance(one.get("id"), str)] if r.answered else []
    if not ids:
        return None
    return next((form for form, pattern in _ID_FORMS.items() if pattern.fullmatch(ids[0])), _form_of(ids[0]))


def _form_of(text: str) -> str:
    """An id's form in words, the same for all ids of the form: its prefix, and how long which digits are."""
    prefix, dash, rest = text.partition("-") if "-" in text else text.partition("_")
    if not dash or re.fullmatch(r"[0-9a-f]+", prefix):
        prefix, dash, rest = "", "", text
    digits = "hex digits" if re.fullmatch(r"[0-9a-f-]+", rest) else "characters"
    return f"{prefix}{dash} and {len(rest)} {digits}"[:60] if prefix else f"{len(rest)} {digits}"


def _trace_header(r: Reading) -> Seen:
    return ("traceresponse" if "traceresponse" in r.headers else "") if r.answered else None


def _request_id_header(r: Reading) -> Seen:
    names = ("x-maas-request-id", "x-request-id")
    return next((name for name in names if name in r.headers), "") if r.answered else None


OBSERVERS: Final[dict[tuple[str, str], Callable[[Reading], Seen]]] = {
    ("frame", "framing"): _framing,
    ("frame", "done"): _done,
    ("frame", "content_type"): _content_type,
    ("frame", "blocked_done"): _blocked_done,
    ("frame", "data_space"): _data_space,
    ("frame", "newline"): _newline,
    ("frame", "lines_apart"): _lines_apart,
    ("frame", "last_newline"): _last_newline,
    ("frame", "bom"): _bom,
    ("frame", "comments"): _comments,
    ("frame", "event_field"): _event_field,
    ("frame", "delivery"): _delivery,
    ("frame", "json"): _json,
    ("frame", "body_json"): _body_json,
    ("frame", "escapes"): _escapes,
    ("frame", "body_escapes"): _body_escapes,
    ("shape", "id"): _placement("id"),
    ("shape", "object"): _placement("object"),
    ("shape", "created"): _placement("created"),
    ("shape", "model"): _placement("model"),
    ("shape", "usage"): _usage,
    ("shape", "role"): _role,
    ("shape", "role_elsewhere"): _role_elsewhere,
    ("shape", "finish_reason_open"): _finish_reason_open,
    ("shape", "usage_when"): _usage_when,
    ("shape", "usage_elsewhere"): _usage_elsewhere,
    ("chunk", "usage_chunk"): _usage_chunk,
    ("chunk", "usage_order"): _usage_order,
    ("chunk", "usage_details"): _usage_details,
    ("chunk", "role_chunk"): _role_chunk,
    ("chunk", "finish_chunk"): _finish_chunk,
    ("chunk", "finish_delta"): _finish_delta,
    ("chunk", "one_chunk"): _one_chunk,
    ("chunk", "empty_deltas"): _empty_deltas,
    ("chunk", "logprobs"): _logprobs,
    ("chunk", "reasoning"): _reasoning,
    ("chunk", "blocked_chunk"): _blocked_chunk,
    ("chunk", "blocked_finish"): _blocked_finish,
    ("chunk", "blocked_usage"): _blocked_usage,
    ("chunk", "blocked_text"): _blocked_text,
    ("head", "id_form"): _id_form,
    ("head", "trace_header"): _trace_header,
    ("head", "request_id_header"): _request_id_header,
}


def declared(wire: WireSettings, axis: Axis) -> str | bool:
    """The value that the settings give an axis."""
    value: str | bool = getattr(getattr(wire, axis.stage), axis.field)
    return value


def name_of(axis: Axis, value: Seen) -> str | None:
    """The quirk with this value; None where no quirk of the axis has it."""
    return next((quirk.name for quirk in axis.quirks if quirk.value == value), None)


def observe(reading: Reading) -> dict[Axis, Seen]:
    """What one exchange shows of each axis; axes that it cannot show are absent."""
    found = {axis: OBSERVERS[axis.stage, axis.field](reading) for axis in quirks.AXES}
    return {axis: value for axis, value in found.items() if value is not None}


def settled(wire: WireSettings, seen: Iterable[tuple[Axis, Seen]]) -> WireSettings:
    """The settings with each seen value that a quirk has a name for."""
    for axis, value in seen:
        quirk = next((quirk for quirk in axis.quirks if quirk.value == value), None)
        if quirk is not None:
            wire = quirks.apply(wire, axis, quirk)
    return wire


def differs(wire: WireSettings, seen: dict[Axis, Seen], axis: Axis, *, streamed: bool) -> bool:
    """Whether what was seen on an axis contradicts the settings, and not only in a way that no byte could show.

    Two values are alike where everything else that was seen makes both write the same bytes: without event framing,
    say, a done marker is neither sent nor missed.

    Args:
        wire: The settings.
        seen: What one exchange showed.
        axis: The axis in question.
        streamed: Whether the exchange was a stream or one body.
    """
    value = seen.get(axis)
    if value is None or value == declared(wire, axis):
        return False
    if name_of(axis, value) is None:
        return True
    shown = settled(wire, seen.items())
    back = quirks.apply(shown, axis, next(q for q in axis.quirks if q.value == declared(wire, axis)))
    return _forms(shown, streamed=streamed) != _forms(back, streamed=streamed)


def alike(one: WireSettings, other: WireSettings) -> bool:
    """Whether no exchange can tell two settings apart."""
    return all(_forms(one, streamed=streamed) == _forms(other, streamed=streamed) for streamed in (True, False))


@lru_cache(maxsize=1024)
def _forms(wire: WireSettings, *, streamed: bool) -> tuple[Any, ...]:
    """How the settings write a set of sample answers, as streams or as bodies."""
    head = Head("id", 1_700_000_000, "model")
    if not streamed:
        return (wire.head, *(render_body(answer, head, wire) for answer in _SAMPLES))
    written = [
        tuple(render_stream(answer, head, wire, include_usage=asked)) for answer in _SAMPLES for asked in (False, True)
    ]
    return (wire.head, content_type(wire.frame), wire.frame.delivery, *written)


_PIECES = ("我是", "一个", "模型", " that", " speaks")
_SAMPLES: Final = (
    Answer(_PIECES, Usage(22, 6)),
    Answer(_PIECES, Usage(22, 8, 2), reasoning=("想", "一想")),
    Answer(_PIECES[:3], Usage(22, 4), blocked=True),
    Answer((), Usage(22, 1), blocked=True),
)

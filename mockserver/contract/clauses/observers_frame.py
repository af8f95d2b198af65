"""What the bytes and headers of one exchange show of the axes of the stages `frame` and `head`; the table is last.

An observer returns the value that it sees, or None where this exchange cannot show it. A value that no quirk of the
axis has is returned as text, so that it can be named.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.reading import MIXED, one_of
from mockserver.core.drawn import all_drawn, form_of, within
from mockserver.core.heartbeats import BEATS
from mockserver.pipeline.frame import BOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mockserver.contract.clauses.reading import Reading, Shown
    from mockserver.core.exchange import Exchange

LEAST_SILENCE_MS: Final = 50
_ID_FORMS: Final = {
    "chatcmpl-22": re.compile(r"chatcmpl-[2-9A-HJ-NP-Za-km-z]{22}"),
    "hex-32": re.compile(r"[0-9a-f]{32}"),
    "chatcmpl-uuid": re.compile(r"chatcmpl-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "chatcmpl-hex": re.compile(r"chatcmpl-[0-9a-f]{32}"),
}
_SPELT: Final = {
    "chatcmpl-22": "chatcmpl-{letters:22}",
    "hex-32": "{hex:32}",
    "chatcmpl-uuid": "chatcmpl-{uuid}",
    "chatcmpl-hex": "chatcmpl-{hex:32}",
}
"""The named forms in the language of the others; the first leaves out five letters, which no short look can tell."""
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


def _lines(r: Reading) -> list[bytes]:
    return r.body.removeprefix(BOM).splitlines()


def _framing(r: Reading) -> Shown:
    return r.framing if r.streamed else None


def _done(r: Reading) -> Shown:
    return r.has_done if r.whole and not r.blocked else None


def _blocked_done(r: Reading) -> Shown:
    return r.has_done if r.whole and r.framing == "sse" and r.blocked else None


def _content_type(r: Reading) -> Shown:
    if not r.streamed:
        return None
    sent = r.headers.get("content-type", "").lower().replace(" ", "")
    return _CONTENT_TYPES.get(sent, sent)


def _data_space(r: Reading) -> Shown:
    if not r.streamed or r.framing != "sse":
        return None
    return one_of(line.startswith(b"data: ") for line in _lines(r) if line.startswith(b"data:"))


def _newline(r: Reading) -> Shown:
    if not r.streamed:
        return None
    kinds = set(re.findall(rb"\r\n|\n|\r", r.body))
    names = {b"\r\n": "crlf", b"\n": "lf", b"\r": "cr"}
    return (names[kinds.pop()] if len(kinds) == 1 else MIXED) if kinds else None


def _lines_apart(r: Reading) -> Shown:
    if not r.streamed or r.framing != "json-lines" or len(r.objects) < 2:
        return None
    gaps = {b"" in (first, second) for first, second in zip(_lines(r), _lines(r)[1:], strict=False)}
    return ("two" if gaps.pop() else "one") if len(gaps) == 1 else MIXED


def _last_newline(r: Reading) -> Shown:
    return r.body.endswith((b"\n", b"\r")) if r.whole and r.framing == "json-lines" else None


def _bom(r: Reading) -> Shown:
    return r.body.startswith(BOM) if r.streamed else None


def _comments(r: Reading) -> Shown:
    if not r.streamed or r.framing != "sse" or _beat_gaps(r.exchange):  # those of silences are an axis of their own
        return None
    return any(line.startswith(b":") for line in _lines(r))


def _heartbeat(r: Reading) -> Shown:
    """Of an exchange with its times: how long nothing came before one that is only a comment or white space."""
    beats = _beat_gaps(r.exchange)
    if not beats:
        return None
    every = min(beats)
    known = (name for name, beat in BEATS.items() if abs(every - beat.every_ms) <= beat.every_ms / 10)
    return next(known, f"every {every:.2g} ms")


def _beat_gaps(exchange: Exchange) -> list[float]:
    """The pauses of over `LEAST_SILENCE_MS` before such sends."""
    sends = exchange.sends
    gaps = [at - before for (before, _), (at, data) in pairwise([(0.0, b""), *sends]) if _is_beat(data)]
    return [gap for gap in gaps if gap >= LEAST_SILENCE_MS]


def _is_beat(data: bytes) -> bool:
    return all(line.startswith(b":") for line in data.splitlines() if line.strip())


def _event_field(r: Reading) -> Shown:
    return any(line.startswith(b"event:") for line in _lines(r)) if r.streamed and r.framing == "sse" else None


def _delivery(r: Reading) -> Shown:
    return ("buffered" if "content-length" in r.headers else "streamed") if r.streamed else None


def _json(r: Reading) -> Shown:
    return _spacing(r) if r.streamed else None


def _spacing(r: Reading) -> Shown:
    spaced = {bool(after) for after in re.findall(rb'(?:"":|"",)( ?)', r.skeleton)}
    return (("spaced" if spaced.pop() else "compact") if len(spaced) == 1 else MIXED) if spaced else None


def _body_json(r: Reading) -> Shown:
    if r.completion is None:
        return None
    structure = r.skeleton.strip()
    if b"\n" not in structure:
        return _spacing(r)
    return "indented" if re.search(rb"\n[ \t]", structure) else "flush-lines"


def _body_newline(r: Reading) -> Shown:
    return r.body.endswith(b"\n") if r.completion is not None else None


def _escapes(r: Reading) -> Shown:
    return _escaping(r) if r.streamed else None


def _body_escapes(r: Reading) -> Shown:
    return _escaping(r) if r.completion is not None else None


def _escaping(r: Reading) -> Shown:
    if any(byte >= 0x80 for byte in r.body.removeprefix(BOM)):
        return "utf-8"
    escaped = [int(code, 16) for code in re.findall(rb"(?<!\\)\\u([0-9a-fA-F]{4})", r.body)]
    return "ascii" if any(code >= 0x80 for code in escaped) else None


# --- head ---------------------------------------------------------------------------------------------------------


def _id_form(r: Reading) -> Shown:
    ids = [one["id"] for one in r.objects if isinstance(one.get("id"), str) and one["id"]] if r.answered else []
    if not ids:
        return None
    return id_form_of(ids[0])


def id_form_of(text: str) -> str:
    """An id's form as far as one id tells it: a named one, or a text with what is drawn in braces.

    What stays goes to the last dash or underscore before what is drawn; a UUID keeps its dashes.
    """
    named = next((form for form, pattern in _ID_FORMS.items() if pattern.fullmatch(text)), "")
    if named:
        return named
    if uuid := _UUID.search(text):
        return f"{text[: uuid.start()]}{{uuid}}"
    at = max(text.rfind("-"), text.rfind("_")) + 1
    kept, rest = text[:at], text[at:]
    if (len(rest) < _FEWEST_DRAWN and not rest.isdecimal()) or re.fullmatch(r"[0-9a-f]+[-_]", kept):
        kept, rest = "", text
    return kept + (all_drawn([rest]) or rest) if rest else text


def id_form_in(readings: Iterable[Reading]) -> str | None:
    """The form that the ids of several answers have in common; None where less than two tell it."""
    ids = dict.fromkeys(
        one["id"]
        for reading in readings
        if reading.answered
        for one in reading.objects
        if isinstance(one.get("id"), str) and one["id"]
    )
    if len(ids) < _FEWEST_IDS:
        return None
    named = (form for form, pattern in _ID_FORMS.items() if all(map(pattern.fullmatch, ids)))
    return next(named, None) or form_of([*ids])


def has_form(id_form: str, declared: str) -> bool:
    """Whether what one id shows of its form is no other than the declared one: hex digits may happen to be digits."""
    return id_form == declared or within(_SPELT.get(id_form, id_form), _SPELT.get(declared, declared))


_FEWEST_DRAWN: Final = 6
_FEWEST_IDS: Final = 2
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def _chunk_id(r: Reading) -> Shown:
    ids = [one["id"] for one in r.chunks if "id" in one] if r.whole else []
    if not ids:
        return None
    if all(one is None or one == "" for one in ids):
        return {None: "null", "": "empty"}[ids[0]] if len(set(ids)) == 1 else MIXED
    if len(ids) < 2:
        return None
    different = len(set(map(str, ids)))
    return "same" if different == 1 else "own" if different == len(ids) else MIXED


def _chunk_created(r: Reading) -> Shown:
    found = [one["created"] for one in r.chunks if "created" in one] if r.whole else []
    if len(found) < 2 or not all(type(one) is int for one in found):
        return None
    if len(set(found)) == 2 < len(found):
        return None  # a second passed while the answer was made
    return "same" if len(set(found)) == 1 else "counts-up" if found == sorted(found) else MIXED


def _created_type(r: Reading) -> Shown:
    found = {type(one["created"]) for one in r.objects if "created" in one} if r.answered else set()
    names = {int: "integer", str: "text", float: "float"}
    return names.get(found.pop(), MIXED) if len(found) == 1 else MIXED if found else None


def _came_from_a_chip(r: Reading) -> bool:
    """Whether it is an answer of the chip's, or its refusal: a 404 may be of whoever stands before all chips."""
    return r.status not in {0, 404}


def _trace_header(r: Reading) -> Shown:
    return ("traceresponse" if "traceresponse" in r.headers else "") if _came_from_a_chip(r) else None


def _request_id_header(r: Reading) -> Shown:
    names = ("x-maas-request-id", "x-request-id")
    return next((name for name in names if name in r.headers), "") if _came_from_a_chip(r) else None


OBSERVERS: Final[dict[tuple[str, str], Callable[[Reading], Shown]]] = {
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
    ("frame", "body_newline"): _body_newline,
    ("frame", "escapes"): _escapes,
    ("frame", "body_escapes"): _body_escapes,
    ("frame", "heartbeat"): _heartbeat,
    ("head", "id_form"): _id_form,
    ("head", "chunk_id"): _chunk_id,
    ("head", "chunk_created"): _chunk_created,
    ("head", "created_type"): _created_type,
    ("head", "trace_header"): _trace_header,
    ("head", "request_id_header"): _request_id_header,
}

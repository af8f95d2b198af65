"""Answers as people paste them: the dumps of `curl -i -N` and `curl -v`, and the bare body of an answer.

The bytes of a body are kept as they are. Only where a file is a paste (`Hints.pasted`), or a log's time stamps stand in
front of its lines, is something taken off or put back (`pasted`), and that is said.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.core.exchange import Ending
from mockserver.files.exchange_file import exchange_of
from mockserver.files.secrets import query_secrets
from mockserver.pipeline.coding import unpacked
from mockserver.pipeline.frame import BOM
from mockserver.pipeline.read import choices_in, wire_format_of
from mockserver.pipeline.read import read as read_body
from mockserver.recording.formats.imported_exchange import (
    FORMS,
    AskedFor,
    asked_body,
    chat_path,
    frames_of,
    imported,
    made_path,
    reason,
    value_of,
)
from mockserver.recording.formats.pasted import lacks_blank_lines, mended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.files.exchange_file import ExchangeFile
    from mockserver.recording.formats.imported_exchange import Hints, Imported, Pairs

_STATUS = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})[^\n]*(?:\n|\Z)")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r\n")
_SPACE = re.compile(rb"\s*")
_VERBOSE = re.compile(rb"(?m)^< HTTP/[0-9.]+ [0-9]{3}")
_VERBOSE_START = re.compile(rb"[*<>] |[ \r\n]*% Total")
_METER = re.compile(rb"[{}] \[[0-9]+ bytes data\]\s*\Z|\s*(?:% Total|Dload +Upload)|.*--:--:--|\* [A-Z]")
_LEFT = re.compile(
    rb"\* (?:Connection #[0-9]+ to host |Closing connection|Closing [0-9]|transfer closed|Recv failure)[^\n]*\s*\Z"
)
_CURL_FAILED = re.compile(rb"(?:\A|\n|(?<=[}\]>]))curl: \(([0-9]{1,3})\)[^\n]*\s*\Z")
_ENDINGS: Final = {18: Ending.CUT, 28: Ending.HANG, 56: Ending.RESET, 92: Ending.CUT}
"""What curl's exit codes tell of the body's end: a partial file, a timeout, a reset, an HTTP/2 stream that broke."""
_ASKED: Pairs = [(b"content-type", b"application/json")]
_WORDS: Final = {"sse": "server-sent events", "json-lines": "JSON lines", "json": "one JSON body"}


def fits(data: bytes) -> bool:
    """Whether this is a dump with its status line, or what `curl -v` tells."""
    start = _start(data)
    return _STATUS.match(data, start) is not None or (
        _VERBOSE_START.match(data, start) is not None and _VERBOSE.search(data, start) is not None
    )


def read(data: bytes, hints: Hints) -> list[Imported]:
    """The one answer of a dump; interim heads (100 Continue, a proxy's 200) before it are passed over.

    `curl --raw` leaves the transfer chunks in: then they are the sends.
    """
    data, ending = _ended(data)
    if _STATUS.match(data, _start(data)) is None:
        return [_verbose(data, hints, ending)]
    status, headers, at = _head(data, _start(data))
    while _STATUS.match(data, at):
        status, headers, at = _head(data, at)
    return [_answer(status, headers, data[at:], hints, "an HTTP answer with its head", ending)]


def _start(data: bytes) -> int:
    found = _SPACE.match(data, len(BOM) if data.startswith(BOM) else 0)
    return found.end() if found else 0


def lines_fit(data: bytes) -> bool:
    """Whether this is the body of an answer: events, or JSON objects that are no exchange file."""
    if wire_format_of(data) == "sse":
        return True
    text = data.removeprefix(BOM).lstrip()
    return text.startswith(b"{") and b'"choices"' in text and not is_of_another_kind(data)


def is_of_another_kind(data: bytes) -> bool:
    """Whether this is, or was to be, an exchange file, a written fixture or a HAR."""
    return (
        b'"provenance"' in data
        or (b'"match"' in data and b'"answer"' in data)
        or (b'"log"' in data[:4096] and b'"entries"' in data)
    )


def read_lines(data: bytes, hints: Hints) -> list[Imported]:
    """The one answer of a bare body."""
    return [_answer(200, [], data, hints, "the body of an answer", Ending.COMPLETE)]


def _ended(data: bytes) -> tuple[bytes, Ending]:
    """The dump without curl's last words, and how the body ended by them."""
    found = _CURL_FAILED.search(data, max(len(data) - 4096, 0))
    if found is None:
        return data, Ending.COMPLETE
    start = found.start() + found[0].startswith(b"\n")
    return data[:start], _ENDINGS.get(int(found[1]), Ending.COMPLETE)


def _verbose(data: bytes, hints: Hints, ending: Ending) -> Imported:
    """What `curl -v` tells: its own words and both heads, with the body between them."""
    asked: list[bytes] = []
    answered: list[bytes] = []
    body: list[bytes] = []
    whole = False
    for line in re.findall(rb"[^\n]*\n|[^\n]+", data):
        mark, text = line[:2].rstrip(b"\r\n"), line[2:].strip()
        if mark in {b"<", b"< "} and (not whole or text.startswith(b"HTTP/")):
            if text.startswith(b"HTTP/"):
                answered, body, whole = [], [], False
            answered.append(text)
            whole = not text
        elif mark in {b">", b"> "} and not whole:
            asked.append(text)
        elif whole and not _METER.match(line):
            body.append(line)
    came = b"".join(body)
    left = _LEFT.search(came, max(len(came) - 4096, 0))
    came = came[: left.start()] if left else came
    status = _STATUS.match(answered[0]) if answered else None
    if status is None:
        raise ValueError("the lines of curl -v hold no answer ('< HTTP/1.1 200 OK')")
    if asked and hints.asked is None and (words := asked[0].split()) and len(words) > 1:
        hints = replace(hints, asked=AskedFor("", words[1].decode("latin-1"), _pairs(asked[1:]), b""))
    return _answer(int(status[1]), _pairs(answered[1:]), came, hints, "what curl -v tells", ending)


def _head(data: bytes, at: int) -> tuple[int, Pairs, int]:
    """The head that begins there: its status, its headers, and where it ends."""
    found = _STATUS.match(data, at)
    if found is None:
        raise ValueError("a status line such as 'HTTP/1.1 200 OK' is due")
    end = _HEAD_END.search(data, max(found.end() - 2, at))
    head, behind = (data[found.end() : end.start()], end.end()) if end else (data[found.end() :], len(data))
    return int(found[1]), _pairs(head.splitlines()), behind


def _pairs(lines: Sequence[bytes]) -> Pairs:
    parts = [line.partition(b":") for line in lines]
    return [(name.strip(), value.strip()) for name, colon, value in parts if colon and name.strip()]


def _answer(status: int, headers: Pairs, body: bytes, hints: Hints, taken_for: str, ending: Ending) -> Imported:
    if status < 200:
        raise ValueError(f"the last head has the status {status}, which is no answer")
    changes: tuple[str, ...] = ()
    kind = FORMS.get(hints.form, "")
    chunks = _chunks(body) if headers else []
    coding = value_of(headers, b"content-encoding")
    packed = _is_packed(b"".join(chunks) or body, coding)
    sends = [(0.0, chunk) for chunk in chunks]
    if not sends and (packed or kind or value_of(headers, b"content-length") == b"%d" % len(body)):
        sends = [(0.0, frame) for frame in ([body] if packed else frames_of(body, kind))]
    elif not sends:
        made = mended(body, pasted=hints.pasted)
        changes = made.changes
        if not hints.pasted and not changes and lacks_blank_lines(made.lines):
            changes = ("no blank lines stand between its events, and none was put there: in a .txt they are",)
        sends = _timed(frames_of(made.body), made.lines, made.at_ms)
    came = b"".join(send for _, send in sends)
    plain = unpacked(came, coding) if packed else came
    kind = kind or wire_format_of(plain)
    found = read_body(plain)
    if not headers and plain.strip():
        headers = [(b"content-type", _media(plain, kind))]
    streamed = (
        kind in {"sse", "json-lines"}
        or found.done
        or plain.rstrip().endswith(b"[DONE]")
        or value_of(headers, b"content-type").lower().startswith(b"text/event-stream")
        or any(choice.get("delta") is not None for one in found.objects for choice in choices_in(one))
    )
    asked = hints.asked
    path = chat_path(asked.url, asked.body, hints) if asked is not None else None
    request = (
        path or made_path(hints, found.objects),
        [*asked.headers, *_secrets_of(asked.url)] if asked is not None else _ASKED,
        asked.body if asked is not None and asked.body else asked_body(hints, streamed=streamed),
    )
    one = imported(request, (status, headers, sends), ending)
    if packed and one.exchange.plan is not None:
        plan = replace(one.exchange.plan, headers=(*one.exchange.plan.headers, (b"content-encoding", coding)))
        one = replace(one, exchange=replace(one.exchange, plan=plan))
    if ending is not Ending.COMPLETE:
        changes = (*changes, f"curl's last words taken for the ending {ending}")
    if asked is not None and asked.form:
        taken_for = f"{asked.form} and {taken_for}"
    return replace(one, taken_for=f"{taken_for}: {_form(plain, kind)}", changes=changes)


def _secrets_of(url: str) -> Pairs:
    """The secrets of a URL's query, as headers that hold some."""
    return [(b"authorization", value) for value in query_secrets(url.partition("?")[2].encode("utf-8", "replace"))]


def _is_packed(body: bytes, coding: bytes) -> bool:
    """Whether the body is still packed as its header says: curl takes the coding off only with `--compressed`."""
    if coding.strip().lower() in {b"", b"identity"} or not body:
        return False
    try:
        unpacked(body, coding)
    except ValueError:
        return False
    return True


def _timed(frames: Sequence[bytes], lines: Sequence[bytes], at_ms: Sequence[float]) -> list[tuple[float, bytes]]:
    """Each frame with the time of its last line that is not blank; all at once where times are not known."""
    if not at_ms:
        return [(0.0, frame) for frame in frames]
    sends: list[tuple[float, bytes]] = []
    number = begun = ended = 0
    at = 0.0
    for frame in frames:
        ended += len(frame)
        while number < len(lines) and begun < ended:
            at = at_ms[number] if lines[number].strip() else at
            begun += len(lines[number])
            number += 1
        sends.append((at, frame))
    return sends


def _media(body: bytes, kind: str) -> bytes:
    if kind == "sse":
        return b"text/event-stream"
    start = body.removeprefix(BOM).lstrip()[:1]
    if start == b"<":
        return b"text/html"
    return b"application/json" if start in {b"{", b"["} else b"text/plain"


def _form(body: bytes, kind: str) -> str:
    """What a body is, in words."""
    if not body.strip():
        return "an empty body"
    media = _media(body, kind)
    if kind == "sse" or media == b"application/json":
        return _WORDS[kind]
    if b"data:" in body:
        return "plain text, since what stands before its 'data:' is not the same form of time stamp in each line"
    return "an HTML page" if media == b"text/html" else "plain text"


def _chunks(body: bytes) -> list[bytes]:
    """The transfer chunks of a raw body; nothing where it is not chunked from its first byte to its last."""
    chunks: list[bytes] = []
    at = 0
    while (found := _CHUNK.match(body, at)) is not None:
        size = int(found[1], 16)
        if size == 0:
            return chunks
        chunk = body[found.end() : found.end() + size]
        at = found.end() + size + 2
        if len(chunk) != size or body[at - 2 : at] != b"\r\n":
            return []
        chunks.append(chunk)
    return []


def write(files: Sequence[ExchangeFile]) -> bytes:
    """One exchange's answer as `curl -i` prints it."""
    plan = exchange_of(files[0]).plan
    assert plan is not None  # noqa: S101 - a file holds an answer
    lines = [
        b"HTTP/1.1 %d %b" % (plan.status, reason(plan.status).encode()),
        *(b"%b: %b" % pair for pair in plan.headers),
    ]
    return b"\r\n".join([*lines, b"", b""]) + b"".join(plan.frames)


def write_lines(files: Sequence[ExchangeFile]) -> bytes:
    """One exchange's body."""
    plan = exchange_of(files[0]).plan
    assert plan is not None  # noqa: S101 - a file holds an answer
    return b"".join(plan.frames)

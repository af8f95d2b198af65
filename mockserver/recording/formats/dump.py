"""Answers as people paste them: the dump of `curl -i -N`, and the lines of a documentation page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mockserver.files.exchange_file import exchange_of
from mockserver.pipeline.read import objects_of, wire_format_of
from mockserver.recording.formats.imported_exchange import asked_body, frames_of, imported, made_path, reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.files.exchange_file import ExchangeFile
    from mockserver.recording.formats.imported_exchange import Hints, Imported, Pairs

_STATUS = re.compile(rb"^HTTP/[0-9.]+ ([0-9]{3})[^\n]*\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r\n")
_ASKED: Pairs = [(b"content-type", b"application/json")]


def fits(data: bytes) -> bool:
    """Whether this is a dump with its status line."""
    return _STATUS.match(data.lstrip()) is not None


def read(data: bytes, hints: Hints) -> list[Imported]:
    """The one answer of a dump; interim heads (100 Continue, a proxy's 200) before it are passed over.

    `curl --raw` leaves the transfer chunks in: then they are the sends.
    """
    status, headers, body = _split(data.lstrip())
    while body.startswith(b"HTTP/") and _STATUS.match(body):
        status, headers, body = _split(body)
    sends = _chunks(body) or frames_of(body)
    return [_answer(status, headers, sends, hints)]


def lines_fit(data: bytes) -> bool:
    """Whether this is a pasted answer: events, or JSON objects that are no exchange file."""
    text = data.strip()
    return text.startswith((b"data:", b":", b"event:")) or (
        text.startswith(b"{") and b'"choices"' in text and b'"provenance"' not in text
    )


def read_lines(data: bytes, hints: Hints) -> list[Imported]:
    """The one answer of pasted lines; blank lines around it are the page's."""
    body = data.strip()
    kind = wire_format_of(body)
    body += {"sse": b"\n\n", "json-lines": b"\n", "json": b""}[kind]
    media = b"text/event-stream" if kind == "sse" else b"application/json"
    return [_answer(200, [(b"content-type", media)], frames_of(body), hints)]


def _answer(status: int, headers: Pairs, sends: Sequence[bytes], hints: Hints) -> Imported:
    try:
        objects = objects_of(b"".join(sends))
    except ValueError:
        if status == 200:
            raise
        objects = []
    request = (made_path(hints, objects), _ASKED, asked_body(hints, objects))
    return imported(request, (status, headers, [(0.0, send) for send in sends]))


def _split(data: bytes) -> tuple[int, Pairs, bytes]:
    found = _STATUS.match(data)
    if found is None:
        raise ValueError("a status line such as 'HTTP/1.1 200 OK' is due")
    end = re.compile(rb"\r?\n\r?\n").search(data)
    head, body = (data[: end.start()], data[end.end() :]) if end else (data, b"")
    pairs = [line.partition(b":") for line in head.splitlines()[1:]]
    return int(found[1]), [(name.strip(), value.strip()) for name, colon, value in pairs if colon], body


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

"""HAR 1.2, as browsers' tools write and open it, with a time line of the sends in `_sends`.

`_sends` is a list of `[at_ms, bytes]`; `_head_at_ms`, `_end_at_ms`, `_trailers` and, where the answer was not whole,
`_ending` stand beside it. Fields that begin with an underscore are custom by the format's own rule, so other tools pass
over them.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from mockserver import __version__
from mockserver.core.exchange import Ending
from mockserver.files.exchange_file import exchange_of
from mockserver.recording.formats.imported_exchange import chat_path, frames_of, imported, json_object, reason, timed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Exchange
    from mockserver.files.exchange_file import ExchangeFile
    from mockserver.recording.formats.imported_exchange import Hints, Imported, Pairs

HOST = "https://recorded.invalid"


def fits(data: bytes) -> bool:
    """Whether this is a HAR."""
    return b'"log"' in data[:4096] and "log" in json_object(data)


def read(data: bytes, hints: Hints) -> list[Imported]:
    """The chat completions of a HAR; other requests of the page are left out."""
    log = json_object(data)["log"]
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise ValueError("log.entries: a list is due")  # noqa: TRY004 - one error for bad input
    made = (_read_entry(number, entry, hints) for number, entry in enumerate(entries))
    return [one for one in made if one is not None]


def _read_entry(number: int, entry: dict[str, Any], hints: Hints) -> Imported | None:
    try:
        return _entry(entry, hints)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"log.entries[{number}]: {type(error).__name__}: {error}") from None


def _entry(entry: dict[str, Any], hints: Hints) -> Imported | None:
    request, response = entry["request"], entry["response"]
    body = _bytes(request.get("postData") or {})
    if request.get("method") != "POST" or not 200 <= int(response.get("status") or 0) <= 599:
        return None
    path = chat_path(request["url"], body, hints)
    if path is None:
        return None
    came = _bytes(response.get("content") or {})
    ending = Ending(entry.get("_ending", "cut" if response.get("_error") else "complete"))
    wait = max(float((entry.get("timings") or {}).get("wait") or 0), 0.0)
    made = imported(
        (path, _pairs(request), body),
        (int(response["status"]), _pairs(response), _sends(entry.get("_sends"), came, wait)),
        ending,
        str(entry.get("startedDateTime") or ""),
    )
    head_at_ms = entry.get("_head_at_ms") if "_sends" in entry else wait
    trailers = _pairs({"headers": entry.get("_trailers")})
    end_at_ms = entry.get("_end_at_ms")
    return timed(
        made,
        None if head_at_ms is None else float(head_at_ms),
        trailers,
        None if end_at_ms is None else float(end_at_ms),
    )


def _sends(line: Any, body: bytes, wait: float) -> list[tuple[float, bytes]]:
    if line is None:
        return [(wait, frame) for frame in frames_of(body)]
    sends, at = [], 0
    for at_ms, size in line:
        if int(size) < 0:
            raise ValueError(f"_sends counts {size} bytes")
        sends.append((float(at_ms), body[at : at + int(size)]))
        at += int(size)
    if at != len(body):
        raise ValueError(f"_sends counts {at} bytes, the body has {len(body)}")
    return sends


def _bytes(content: dict[str, Any]) -> bytes:
    text = content.get("text") or ""
    return base64.b64decode(text) if content.get("encoding") == "base64" else str(text).encode("utf-8", "replace")


def _pairs(message: dict[str, Any]) -> Pairs:
    found = [(one["name"], one["value"]) for one in message.get("headers") or ()]
    return [
        (str(n).encode("latin-1", "replace"), str(v).encode("latin-1", "replace")) for n, v in found if n[:1] != ":"
    ]


def write(files: Sequence[ExchangeFile]) -> bytes:
    """The exchanges as a HAR."""
    log = {
        "version": "1.2",
        "creator": {"name": "genstudio-mock", "version": __version__},
        "pages": [],
        "entries": [_written(exchange_of(file), file.provenance.recorded_at) for file in files],
    }
    return json.dumps({"log": log}, ensure_ascii=False, indent=1).encode()


def _written(exchange: Exchange, recorded_at: str) -> dict[str, Any]:
    request, plan = exchange.request, exchange.plan
    assert plan is not None  # noqa: S101 - a file holds an answer
    body = b"".join(plan.frames)
    first = exchange.sends[0][0] if exchange.sends else exchange.duration_ms
    wait = first if plan.head_at_ms is None else plan.head_at_ms
    whole = max(exchange.duration_ms, wait)
    mime = next((value for name, value in plan.headers if name.lower() == b"content-type"), b"").decode("latin-1")
    entry: dict[str, Any] = {
        "startedDateTime": recorded_at or "1970-01-01T00:00:00.000Z",
        "time": round(whole, 3),
        "request": {
            "method": request.method,
            "url": HOST + request.path,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _named(request.headers.items()),
            "queryString": [],
            "postData": {"mimeType": "application/json", **_text(request.body)},
            "headersSize": -1,
            "bodySize": len(request.body),
        },
        "response": {
            "status": plan.status,
            "statusText": reason(plan.status),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _named(plan.headers),
            "content": {"size": len(body), "mimeType": mime, **_text(body)},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": len(body),
        },
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": round(whole - wait, 3)},
        "_sends": [[at, len(data)] for at, data in exchange.sends],
    }
    if exchange.ending is not Ending.COMPLETE:
        entry["_ending"] = exchange.ending.value
    if plan.head_at_ms is not None:
        entry["_head_at_ms"] = plan.head_at_ms
    if plan.end_at_ms is not None:
        entry["_end_at_ms"] = plan.end_at_ms
    if plan.trailers:
        entry["_trailers"] = _named(plan.trailers)
    return entry


def _named(headers: Any) -> list[dict[str, str]]:
    return [{"name": name.decode("latin-1"), "value": value.decode("latin-1")} for name, value in headers]


def _text(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(data).decode(), "encoding": "base64"}

"""The other formats as those who own them write and read them: VCR.py itself, and a validator of HAR 1.2."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import urllib3
import vcr  # type: ignore[import-untyped]

from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.files.exchange_file import Provenance, exchange_of, file_of
from mockserver.files.secrets import Scrubbing
from mockserver.pipeline.read import meaning
from mockserver.recording.formats.convert import convert, exchanges
from mockserver.recording.formats.har import HOST
from mockserver.recording.formats.imported_exchange import Hints
from mockserver.recording.store import Store
from tests.in_thread import WAIT_SECONDS
from tests.recording_helpers import CHAT, SSE_HEAD, RawUpstream, chat_body, chunked
from tests.third_party import node_programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVENTS = [
    'data: {"id": "c-1", "choices": [{"index": 0, "delta": {"content": "我是"}}]}\n\n'.encode(),
    'data: {"id": "c-1", "choices": [{"index": 0, "delta": {"content": "🙂\u2028"}}]}\n\n'.encode(),
    b"data: [DONE]\n\n",
]
BODY = b"".join(EVENTS)
PACKED = gzip.compress(BODY)
PACKED_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
)
SENT = {"Authorization": "Bearer sk-secret-12345678", "Content-Type": "application/json"}
CLIENTS: dict[str, Callable[[str], bytes]] = {
    "httpx": lambda url: httpx.post(url, content=chat_body(), headers=SENT).content,
    "requests": lambda url: requests.post(url, data=chat_body(), headers=SENT, timeout=5).content,
    "urllib3": lambda url: urllib3.request("POST", url, body=chat_body(), headers=SENT).data,
}


def file(frames: list[bytes], ending: Ending = Ending.COMPLETE) -> Exchange:
    """An exchange with these chunks, ten milliseconds apart."""
    times = tuple(10.0 * number for number, _ in enumerate(frames))
    plan = Plan(200, ((b"Content-Type", b"text/event-stream"),), tuple(frames), times or None, ending, head_at_ms=0.0)
    return Exchange(Request("POST", CHAT, {b"content-type": b"application/json"}, chat_body()), plan, len(frames), 20.0)


def stored(exchange: Exchange, folder: Path) -> Path:
    """The exchange in a file."""
    provenance = Provenance(recorded_at="2026-11-22T12:00:00.000Z", tool="", body_sha256="")
    return Store(folder / "store").save(file_of(exchange, provenance))


@pytest.mark.parametrize(
    ("writes", "serializer"),
    [
        pytest.param([SSE_HEAD, *chunked(*EVENTS)], "yaml", id="yaml"),
        pytest.param([SSE_HEAD, *chunked(*EVENTS)], "json", id="json"),
        pytest.param([PACKED_HEAD % len(PACKED), PACKED], "yaml", id="packed"),
    ],
)
@pytest.mark.parametrize("call", CLIENTS.values(), ids=CLIENTS)
def test_a_cassette_of_vcr_comes_in(
    call: Callable[[str], bytes], writes: list[bytes], serializer: str, tmp_path: Path
) -> None:
    """What VCR.py records from each client's calls is read, packed or not, without the key that stands in it."""
    cassette = tmp_path / f"cassette.{serializer}"
    with RawUpstream(writes) as upstream, vcr.use_cassette(str(cassette), serializer=serializer):
        assert call(upstream.url + CHAT) == BODY

    [found] = exchanges(cassette, Hints(), Scrubbing())

    plan = exchange_of(found).plan
    assert plan is not None
    assert plan.frames == tuple(EVENTS)
    assert meaning(plan).text == "我是🙂\u2028"
    assert found.request.body == json.loads(chat_body())
    assert "sk-secret-12345678" in cassette.read_text("utf-8")
    assert "sk-secret" not in str(found)


@pytest.mark.parametrize("call", CLIENTS.values(), ids=CLIENTS)
def test_vcr_plays_what_goes_out(call: Callable[[str], bytes], tmp_path: Path) -> None:
    """An exported cassette answers each client in VCR.py, matched by its body too; nothing is asked."""
    target = tmp_path / "out.yaml"
    convert(stored(file(EVENTS), tmp_path), target, Hints(), Scrubbing())

    with vcr.use_cassette(str(target), record_mode="none", match_on=["method", "uri", "body"]) as cassette:
        got = call(HOST + CHAT)

    assert got == BODY
    assert cassette.play_count == 1


VALIDATE = """
const validate = require("har-validator");
let text = "";
process.stdin.on("data", part => text += part).on("end", () => validate.har(JSON.parse(text)).then(
  () => console.log("valid"), error => console.log(JSON.stringify(error.errors))));
"""


@pytest.fixture(scope="module")
def validated() -> Callable[[str], str]:
    """Says `valid`, or what is wrong with a HAR by the published schemas."""
    folder = node_programs("har-validator", "har-validator@5.1.5")
    node = shutil.which("node") or "node"

    def validate(text: str) -> str:
        words = [node, "-e", VALIDATE]
        done = subprocess.run(
            words, cwd=folder, input=text.encode(), capture_output=True, timeout=WAIT_SECONDS, check=True
        )
        return done.stdout.decode().strip()

    return validate


EXCHANGES = {
    "events": file(EVENTS),
    "cut": file(EVENTS[:1], Ending.CUT),
    "not-text": file([b"\xff\x00", b"\x80"]),
    "empty": file([]),
}


def test_a_har_is_valid(validated: Callable[[str], str], tmp_path: Path) -> None:
    """What goes out is a HAR 1.2 by its schemas, whatever the answer; and the validator can say no."""
    for name, exchange in EXCHANGES.items():
        target = tmp_path / f"{name}.har"
        convert(stored(exchange, tmp_path / name), target, Hints(), Scrubbing())
        document = json.loads(target.read_bytes())
        assert validated(json.dumps(document)) == "valid", name

    del document["log"]["entries"][0]["request"]["method"]
    assert "method" in validated(json.dumps(document))


def chrome_entry(**parts: Any) -> dict[str, Any]:
    """An entry as Chrome saves it."""
    request = {
        "method": "POST", "url": f"https://cloud.infini-ai.com{CHAT}", "httpVersion": "h2",
        "headers": [{"name": ":method", "value": "POST"}, {"name": "content-type", "value": "application/json"}],
        "queryString": [], "cookies": [], "headersSize": -1, "bodySize": 82,
        "postData": {"mimeType": "application/json", "text": chat_body().decode()},
    }  # fmt: skip
    response = {
        "status": 200, "statusText": "", "httpVersion": "h2", "redirectURL": "", "headersSize": -1, "bodySize": -1,
        "headers": [{"name": "content-type", "value": "text/event-stream"}], "cookies": [],
        "content": {"size": len(BODY), "mimeType": "text/event-stream", "text": BODY.decode()},
        "_transferSize": 900, "_error": None,
    }  # fmt: skip
    return {
        "_initiator": {"type": "script", "stack": {"callFrames": []}}, "_priority": "High", "_resourceType": "fetch",
        "cache": {}, "connection": "443", "pageref": "page_1", "serverIPAddress": "127.0.0.1",
        "startedDateTime": "2026-11-22T12:00:00.000Z", "time": 900.1,
        "timings": {"blocked": 1.5, "dns": -1, "ssl": -1, "connect": -1, "send": 0.2, "wait": 180.5, "receive": 719.6},
        "request": {**request, **parts.pop("request", {})}, "response": {**response, **parts.pop("response", {})},
        **parts,
    }  # fmt: skip


GET = {"method": "GET", "url": "https://cloud.infini-ai.com/a.png"}
BASE64 = {"mimeType": "text/event-stream", "encoding": "base64", "text": base64.b64encode(BODY).decode()}
ENTRIES = {
    "text": (chrome_entry(), 1),
    "base64": (chrome_entry(response={"content": BASE64}), 1),
    "preflight": (chrome_entry(request={"method": "OPTIONS"}), 0),
    "websocket": (chrome_entry(request=GET, response={"status": 101}, _webSocketMessages=[{"type": "send"}]), 0),
    "blocked": (chrome_entry(response={"status": 0, "_error": "net::ERR_BLOCKED_BY_CLIENT"}), 0),
    "data-url": (chrome_entry(request={"method": "GET", "url": "data:image/png;base64,AAAA"}), 0),
    "no-url": (chrome_entry(request={"url": ""}), 0),
}


@pytest.mark.parametrize(("entry", "count"), ENTRIES.values(), ids=ENTRIES)
def test_a_har_of_chrome_comes_in(entry: dict[str, Any], count: int, tmp_path: Path) -> None:
    """Chat completions come in with the time of their head; what else a page did is left out."""
    path = tmp_path / "chrome.har"
    pages = [{"id": "page_1", "title": "a", "startedDateTime": "2026-11-22T12:00:00.000Z", "pageTimings": {}}]
    log = {
        "version": "1.2",
        "creator": {"name": "WebInspector", "version": "537.36"},
        "pages": pages,
        "entries": [entry],
    }
    path.write_text(json.dumps({"log": log}), "utf-8")

    found = exchanges(path, Hints(), Scrubbing())

    assert len(found) == count
    for one in found:
        plan = exchange_of(one).plan
        assert plan is not None
        assert (plan.frames, plan.at_ms, plan.head_at_ms) == (tuple(EVENTS), (180.5, 180.5, 180.5), 180.5)

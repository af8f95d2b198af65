"""Recordings in other formats: what goes out comes in again, and what people have comes in."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.files.exchange_file import ExchangeFile, Provenance, exchange_of, file_of, read
from mockserver.files.secrets import Scrubbing
from mockserver.pipeline.read import meaning
from mockserver.recording.formats.convert import FORMATS, convert, exchanges
from mockserver.recording.formats.imported_exchange import Hints
from mockserver.recording.store import Store
from tests.snippets import ROOT, table

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/maas/mt-infini-3b/chip3/chat/completions"
HINTS = Hints("mt-infini-3b", "chip3", "你是谁?")
CHUNK = '{"id": "c-1", "model": "mt-infini-3b", "choices": [{"index": 0, "delta": {"content": "%s"}}]}'
BODY = b'{"messages": [{"role": "user", "content": "hi"}], "stream": true}'
SSE = "".join(f"data: {CHUNK % text}\n\n" for text in "我是") + "data: [DONE]\n\n"


def file(frames: list[bytes], ending: Ending = Ending.COMPLETE, head_at_ms: float | None = None) -> ExchangeFile:
    """A recording with these chunks, 12.5 ms apart; where the head has a time, with a trailer."""
    plan = Plan(
        200, ((b"Content-Type", b"text/event-stream"),), tuple(frames), tuple(12.5 * n for n, _ in enumerate(frames)),
        head_at_ms=head_at_ms, trailers=((b"X-Checksum", b"1"),) if head_at_ms else (),
    )  # fmt: skip
    asked = Request("POST", PATH, {b"content-type": b"application/json"}, BODY)
    provenance = Provenance(recorded_at="2026-11-22T12:00:00.000Z", tool="", body_sha256="")
    return file_of(Exchange(asked, plan, len(frames), 12.5 * max(len(frames) - 1, 0), ending), provenance)


def named(headers: dict[str, str]) -> list[dict[str, str]]:
    """Headers as HAR has them."""
    return [{"name": name, "value": value} for name, value in headers.items()]


def imported(tmp_path: Path, name: str, data: bytes, hints: Hints = HINTS) -> list[ExchangeFile]:
    """The exchanges of a file with these bytes."""
    path = tmp_path / name
    path.write_bytes(data)
    return exchanges(path, hints, Scrubbing())


TEXT = st.text(st.sampled_from('a\\"你🙂\u2028\u0085\x00\x7f\ufeff\uffff') | st.characters(), min_size=1)
FRAMES = st.lists(st.binary(min_size=1, max_size=12) | st.sampled_from([SSE.encode(), "来".encode()[:1]]), max_size=6)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FRAMES, st.sampled_from(Ending), st.sampled_from([None, 0.0, 3.5]))
def test_har_keeps_everything(tmp_path: Path, frames: list[bytes], ending: Ending, head_at_ms: float | None) -> None:
    """Out to HAR and in again: the same head, chunks, times, trailers and ending, whatever the bytes."""
    source, target = tmp_path / "one.json", tmp_path / "out.har"
    for left in (source, target):
        left.unlink(missing_ok=True)
    store = Store(tmp_path / "store").save(file(frames, ending, head_at_ms))

    convert(store, target, HINTS, Scrubbing())
    found = exchanges(target, Hints(), Scrubbing())

    assert [exchange_of(one).plan for one in found] == [exchange_of(read(store)).plan]
    assert found[0].provenance.recorded_at == "2026-11-22T12:00:00.000Z"
    assert found[0].request.body == json.loads(BODY)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(min_size=1, max_size=12) | st.text(min_size=1).map(lambda t: t.encode("utf-8", "replace")), max_size=4
    )
)
def test_a_cassette_is_yaml_and_keeps_the_body(tmp_path: Path, frames: list[bytes]) -> None:
    """Out to VCR.py's YAML and in again: the same body; PyYAML's safe loader reads what is written without it."""
    target = tmp_path / "out.yaml"
    target.unlink(missing_ok=True)

    convert(Store(tmp_path / "store").save(file(frames)), target, HINTS, Scrubbing())
    found = exchanges(target, Hints(), Scrubbing())

    assert yaml.safe_load(target.read_bytes())["version"] == 1
    assert b"".join(exchange_of(found[0]).plan.frames) == b"".join(frames)  # type: ignore[union-attr]
    assert found[0].request.body == json.loads(BODY)


@pytest.mark.parametrize("suffix", [".http", ".txt", ".sse"])
def test_dumps_keep_the_body(suffix: str, tmp_path: Path) -> None:
    """A dump and pasted lines have the bytes, one send an event."""
    target = tmp_path / f"out{suffix}"
    convert(Store(tmp_path / "store").save(file([SSE.encode()])), target, HINTS, Scrubbing())

    [found] = exchanges(target, HINTS, Scrubbing())

    assert [send.data for send in found.response.sends] == [part + "\n\n" for part in SSE.split("\n\n")[:-1]]
    assert found.response.headers == (("Content-Type", "text/event-stream"),) or suffix != ".http"
    assert found.request.path == PATH


def test_a_browsers_har_comes_in(tmp_path: Path) -> None:
    """Chrome's HAR has HTTP/2 pseudo headers, other requests of the page, and no time line; secrets stay out."""
    entry: dict[str, Any] = {
        "startedDateTime": "2026-11-22T12:00:00.000Z",
        "time": 900.1,
        "_resourceType": "fetch",
        "request": {
            "method": "POST",
            "url": f"https://cloud.infini-ai.com{PATH}?x=1",
            "headers": [
                {"name": ":authority", "value": "a"},
                {"name": "authorization", "value": "Bearer sk-secret-1234"},
            ],
            "postData": {"mimeType": "application/json", "text": BODY.decode()},
        },
        "response": {
            "status": 200,
            "headers": [
                {"name": "content-type", "value": "text/event-stream"},
                {"name": "content-encoding", "value": "br"},
            ],
            "content": {"size": 1, "mimeType": "text/event-stream", "text": SSE + ": sk-secret-1234\n\n"},
        },
        "timings": {"wait": 180.5, "receive": 719.6},
    }
    page = {**entry, "request": {"method": "GET", "url": "https://cloud.infini-ai.com/a.png", "headers": []}}
    blocked = {**entry, "response": {"status": 0, "headers": [], "content": {}, "_error": "net::ERR_ABORTED"}}
    cut = {**entry, "response": {**entry["response"], "_error": "net::ERR_INCOMPLETE_CHUNKED_ENCODING"}}

    found = imported(tmp_path, "chrome.har", json.dumps({"log": {"entries": [page, entry, blocked, cut]}}).encode())

    assert [one.response.ending for one in found] == [Ending.COMPLETE, Ending.CUT]
    assert found[0].request.path == PATH
    assert found[0].response.headers == (("content-type", "text/event-stream"),)
    assert [send.at_ms for send in found[0].response.sends] == [180.5] * 4
    assert "secret" not in str(found)


def test_another_path_needs_a_chip(tmp_path: Path) -> None:
    """Where the path tells no chip it is asked for; the model is the body's."""
    log = {"log": {"entries": [{
        "request": {"method": "POST", "url": "https://api.invalid/v1/chat/completions", "headers": [],
                    "postData": {"text": '{"model": "qwen", "messages": []}'}},
        "response": {"status": 200, "headers": [], "content": {"text": "{}"}},
    }]}}  # fmt: skip

    with pytest.raises(OperatorError, match=r"other.har: read as har: no /maas/<model>/<chip>/ in it: say --chip NAME"):
        imported(tmp_path, "other.har", json.dumps(log).encode(), Hints())
    [found] = imported(tmp_path, "other.har", json.dumps(log).encode(), Hints(chip="nvidia"))

    assert found.request.path == "/maas/qwen/nvidia/chat/completions"


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        pytest.param(json.dumps(SSE), "", id="text"),
        pytest.param(f'!!binary "{base64.b64encode(SSE.encode()).decode()}"', "", id="binary"),
        pytest.param(f'!!binary "{base64.b64encode(gzip.compress(SSE.encode())).decode()}"', "gzip", id="gzip"),
    ],
)
def test_a_cassette_comes_in(body: str, coding: str, tmp_path: Path) -> None:
    """As VCR.py writes it: lists of header values, text or binary bodies, packed ones too."""
    cassette = f"""
interactions:
- request:
    body: '{BODY.decode()}'
    headers: {{authorization: [Bearer sk-secret-1234], content-type: [application/json]}}
    method: POST
    uri: https://cloud.infini-ai.com{PATH}
  response:
    body: {{string: {body}}}
    headers: {{Content-Type: [text/event-stream], Content-Encoding: ["{coding}"]}}
    status: {{code: 200, message: OK}}
- request: {{body: null, headers: {{}}, method: GET, uri: https://cloud.infini-ai.com/}}
  response: {{body: {{string: a}}, headers: {{}}, status: {{code: 200, message: OK}}}}
version: 1
"""
    [found] = imported(tmp_path, "cassette.yaml", cassette.encode())

    assert meaning(exchange_of(found).plan).text == "我是"  # type: ignore[arg-type]
    assert len(found.response.sends) == 3
    assert "secret" not in str(found)


WHOLE = '{\n"model": "mt-infini-3b",\n"choices": [{"index": 0, "message": {"content": "我是"}}]\n}'
DUMP = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: sid=abcdefgh\r\n\r\n"
LINES = f"{CHUNK % '我'}\n{CHUNK % '是'}\n"


@pytest.mark.parametrize(
    ("data", "sends"),
    [
        pytest.param(DUMP + LINES, 2, id="lines"),
        pytest.param("HTTP/1.1 100 Continue\r\n\r\n" + DUMP + LINES, 2, id="interim-head"),
        pytest.param((DUMP + LINES).replace("\r\n", "\n"), 2, id="pasted-newlines"),
        pytest.param("HTTP/2 200 \r\ncontent-type: application/json\r\n\r\n" + LINES, 2, id="http-2"),
    ],
)
def test_a_curl_dump_comes_in(data: str, sends: int, tmp_path: Path) -> None:
    """`curl -i -N` with its status line, whatever its newlines."""
    [found] = imported(tmp_path, "dump.txt", data.encode())

    assert len(found.response.sends) == sends
    assert meaning(exchange_of(found).plan).text == "我是"  # type: ignore[arg-type]
    assert "abcdefgh" not in str(found)


def test_a_raw_dump_has_its_chunks(tmp_path: Path) -> None:
    """`curl --raw` leaves the transfer chunks in, so they are the sends, cut inside a character too."""
    data, cut = LINES.encode(), LINES.encode().index("我".encode()) + 1
    parts = [data[:cut], data[cut:]]
    raw = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

    [found] = imported(tmp_path, "dump.txt", DUMP.encode() + raw)

    assert list(exchange_of(found).plan.frames) == parts  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "pieces", "streamed"),
    [
        pytest.param("\n" + LINES + "\n", ("我", "是"), True, id="streamed"),
        pytest.param(
            '{\n"model": "mt-infini-3b",\n"choices": [{"index": 0, "message": {"content": "我是"}}]\n}',
            ("我是",),
            False,
            id="whole",
        ),
        pytest.param(SSE, ("我", "是"), True, id="events"),
    ],
)
def test_the_tutorials_lines_come_in(text: str, pieces: tuple[str, ...], streamed: bool, tmp_path: Path) -> None:
    """What a documentation page shows, pasted; the model is the answer's own."""
    [found] = imported(tmp_path, "pasted.txt", text.encode(), Hints(chip="chip3", prompt="你是谁?"))

    assert meaning(exchange_of(found).plan).pieces == pieces  # type: ignore[arg-type]
    assert found.request.path == PATH
    assert found.request.body == {"messages": [{"role": "user", "content": "你是谁?"}], "stream": streamed}
    assert found.provenance.origin == "lines"


@pytest.mark.parametrize("choices", ["5", "[5]", "null", "{}"])
def test_choices_that_are_none_come_in_as_a_whole_body(choices: str, tmp_path: Path) -> None:
    """What was pasted may be anything; where nothing streams in it, it was no stream."""
    text = f'{{"model": "mt-infini-3b", "choices": {choices}}}'

    [found] = imported(tmp_path, "pasted.txt", text.encode(), Hints(chip="chip3", prompt="hi"))

    assert found.request.body == {"messages": [{"role": "user", "content": "hi"}], "stream": False}


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        pytest.param(
            "a.har", b'{"log": {"entries": [{}]}}', "read as har: log.entries[0]: KeyError: 'request'", id="har"
        ),
        pytest.param("a.yaml", b"interactions: 5", "read as vcr: interactions: a list is due", id="yaml-shape"),
        pytest.param(
            "a.yaml", b"interactions:\n- {request: 1}", "read as vcr: interactions[0]: KeyError", id="yaml-entry"
        ),
        pytest.param("a.yaml", b"interactions: &a\n- *a", "aliases (*name) are not read", id="yaml-alias"),
        pytest.param("a.yaml", b"interactions: !!python/object:os.system []", "could not determine", id="yaml-code"),
        pytest.param("a.bin", b"\x00\x01", "not a JSON file", id="nothing"),
    ],
)
def test_what_cannot_be_read_is_one_line(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    """The file, the format it was taken for, and what is wrong."""
    with pytest.raises(OperatorError) as caught:
        imported(tmp_path, name, data)

    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("there.har", "exists; give another name or remove it"),
        ("out.xml", "unknown format '.xml'; known: .har, .yaml, .yml, .http, .txt, .jsonl, .ndjson, .sse, or a folder"),
        ("out.http", "this format holds one exchange, "),
    ],
)
def test_targets(target: str, message: str, tmp_path: Path) -> None:
    """No file is overwritten, no format is guessed."""
    (tmp_path / "there.har").write_text("mine")
    store = Store(tmp_path / "store")
    store.save(file([b"a"]))
    store.save(file([b"b"]), replace=False)

    with pytest.raises(OperatorError, match=message.replace("(", r"\(")):
        convert(store.root, tmp_path / target, HINTS, Scrubbing())

    assert (tmp_path / "there.har").read_text() == "mine"


def test_the_documented_formats_are_those_of_the_program() -> None:
    """The table of formats in the documents has each format's file names, and how many exchanges one holds."""
    documented = [
        (suffixes.replace("`", "").split(), held == "many")
        for _, suffixes, _, _, held, _ in table(ROOT / "docs" / "recording.md", "format")
        if suffixes != "a folder"
    ]

    assert documented == [(list(row.suffixes), row.many) for row in FORMATS.values()]

"""What passes through the recording proxy: every chunk, every framing, every ending, as it arrives."""

from __future__ import annotations

import json
import socket
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import Ending, Plan
from mockserver.files.exchange_file import plan_of, read
from mockserver.recording import proxy as proxy_module
from mockserver.sources.recording_file import recording
from mockserver.sources.replay import exact_plan
from tests.in_thread import WAIT_SECONDS, serving
from tests.recording_helpers import (
    LINES_HEAD,
    SSE_HEAD,
    PlanApp,
    RawUpstream,
    ask,
    chat_body,
    chunked,
    posted,
    read_until,
    recording_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.recording_helpers import Seen

LINE = '{"id": "c-1", "choices": [{"index": 0, "delta": {"content": "我是"}, "finish_reason": "stop"}]}\n'.encode()
INSIDE = LINE.index("我".encode()) + 1
ENDED = [Ending.COMPLETE, Ending.CUT, Ending.RESET]


def kept(path: Path) -> Plan:
    """The plan of the one file."""
    return plan_of(read(path))


SHAPES = {
    "chip3-lines": [LINE, LINE, LINE.rstrip()],
    "inside-a-character": [LINE[:INSIDE], LINE[INSIDE:]],
    "one-byte-a-chunk": [bytes([byte]) for byte in LINE],
    "200-kb-lines": [b"x" * 200_000 + b"\n", b"y" * 200_000 + b"\n"],
    "sse": [b"data: {}\n\n", b"data: [DONE]\n\n"],
    "not-text": [b"\xff\x00", b"\x80"],
    "empty": [],
}


@pytest.mark.parametrize("chunks", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("trailers", [b"", b"X-Checksum: 1\r\nServer-Timing: a;dur=5\r\n"], ids=["", "trailers"])
def test_every_transfer_chunk_is_a_send(chunks: list[bytes], trailers: bytes, tmp_path: Path) -> None:
    """The client gets the bytes, and the file holds each transfer chunk as it was sent, trailers or not."""
    upstream = RawUpstream([LINES_HEAD, *chunked(*chunks, trailers=trailers)])

    with upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port)

    assert (seen.status, seen.body, seen.ending) == (200, b"".join(chunks), Ending.COMPLETE)
    assert list(kept(proxy.files[0]).frames) == chunks
    assert kept(proxy.files[0]).headers == ((b"X-Request-ID", b"r-1"), (b"Content-Type", b"application/json"))
    assert seen.trailers == ([("X-Checksum", "1"), ("Server-Timing", "a;dur=5")] if trailers else [])
    assert [pair[0].decode() for pair in kept(proxy.files[0]).trailers] == [name for name, _ in seen.trailers]


@pytest.mark.parametrize(
    ("writes", "frames"),
    [
        pytest.param(
            [LINES_HEAD + chunked(b"a", b"b")[0], chunked(b"b")[0], b"0\r\n\r\n"], [b"a", b"b"], id="head-and-chunk"
        ),
        pytest.param([LINES_HEAD, b"".join(chunked(b"a", b"bc", b"d"))], [b"a", b"bc", b"d"], id="many-in-one-write"),
        pytest.param([LINES_HEAD, b"3", b"\r", b"\nab", b"c\r", b"\n", b"0\r\n", b"\r\n"], [b"abc"], id="cut-anywhere"),
        pytest.param([LINES_HEAD, b"3;x=y\r\nabc\r\n0\r\n\r\n"], [b"abc"], id="chunk-extension"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", LINES_HEAD, *chunked(b"a")], [b"a"], id="interim-head"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"], [b"abc"], id="content-length"),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\nabc"], [b"abc"], id="until-close"),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\n"], [], id="no-content"),
        pytest.param([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"], [], id="not-modified"),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\nabc"], [b"abc"], id="http-1.0"),
        pytest.param(
            [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", LINES_HEAD, *chunked(b"a")], [b"a"], id="hints"
        ),
        pytest.param([b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"], [b"abc"], id="lines-end-in-lf"),
        pytest.param([LINES_HEAD, b"2 \r\nab\r\n0  \r\n\r\n"], [b"ab"], id="padded-chunk-sizes"),
        pytest.param([b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok"], [b"ok"], id="status-999"),
        pytest.param([b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"], [b"ok"], id="no-reason"),
        pytest.param(
            [LINES_HEAD + b"".join(chunked(b"a")) + LINES_HEAD + b"".join(chunked(b"b"))], [b"a"], id="second-answer"
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"], [b"a"], id="more-than-announced"),
        pytest.param([b"HTTP/1.1 429 Too Many\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\n{}"], [b"{}"], id="error"),
    ],
)
def test_framings_of_http(writes: list[bytes], frames: list[bytes], tmp_path: Path) -> None:
    """Whatever the framing, and however the packets fall, the sends are the transfer chunks."""
    with RawUpstream(writes) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port)

    assert (seen.body, seen.ending) == (b"".join(frames), Ending.COMPLETE)
    assert list(kept(proxy.files[0]).frames) == frames
    assert kept(proxy.files[0]).status == seen.status


@pytest.mark.parametrize("trailers", [b"", b"Server-Timing: a;dur=5\r\n"], ids=["", "trailers"])
def test_a_client_of_http_1_0_gets_the_body_as_it_is(trailers: bytes, tmp_path: Path) -> None:
    """It knows no transfer chunks and no trailers; the file has both, and a replay to it is as plain."""
    writes = [LINES_HEAD, *chunked(LINE, LINE, trailers=trailers)]
    old = posted(chat_body()).replace(b"HTTP/1.1", b"HTTP/1.0", 1)

    with RawUpstream(writes) as upstream, recording_of(upstream.url, tmp_path, "new-episodes") as proxy:
        for source in ("upstream", "replay"):
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_SECONDS) as client:
                client.sendall(old)
                head, _, body = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
            assert body == LINE + LINE, source
            assert b"transfer-encoding" not in head.lower(), source
            assert b"connection: close" in head.lower(), source

    assert len(upstream.heard) == 1
    assert kept(proxy.files[0]).frames == (LINE, LINE)
    assert len(kept(proxy.files[0]).trailers) == bool(trailers)


@pytest.mark.parametrize("ending", ENDED)
@pytest.mark.parametrize("sized", [False, True], ids=["chunked", "sized"])
def test_faults_of_the_upstream_are_seen_and_kept(ending: Ending, sized: bool, tmp_path: Path) -> None:
    """A cut is a cut and a reset a reset, for the client and in the file; nothing broken is kept as whole."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" if sized else LINES_HEAD
    part = b"ab" if sized else chunked(b"ab")[0]
    rest = {True: b"cd", False: b"2\r\ncd\r\n0\r\n\r\n"}[sized] if ending is Ending.COMPLETE else b""

    with RawUpstream([head + part, rest], ending) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port)

    assert seen.ending is ending
    assert seen.body == (b"abcd" if ending is Ending.COMPLETE else b"ab")
    assert kept(proxy.files[0]).ending is ending


def test_silence_ends_as_a_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upstream that says nothing for too long is a hang in the file and a cut for the client."""
    upstream = RawUpstream([LINES_HEAD, chunked(b"ab")[0]], Ending.HANG)
    later = 0.0
    monkeypatch.setattr(proxy_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(proxy_module, "time", SimpleNamespace(perf_counter=lambda: time.perf_counter() + later))

    with (
        upstream,
        recording_of(upstream.url, tmp_path) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_SECONDS) as client,
    ):
        client.sendall(posted(chat_body()))
        read_until(client, b"ab\r\n")
        later = 2 * WAIT_SECONDS
        assert client.recv(65536) == b""

    assert kept(proxy.files[0]).ending is Ending.HANG


@pytest.mark.parametrize(
    ("writes", "status", "says"),
    [
        pytest.param([b""], 502, "the upstream closed the connection before it answered", id="nothing"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
            502,
            "the upstream's transfer coding is not chunked alone, which is all that was offered",
            id="transfer-coding",
        ),
        pytest.param(
            [b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nabc"],
            502,
            "the upstream switched to another protocol",
            id="other-protocol",
        ),
        pytest.param([b"SSH-2.0\r\n\r\n"], 502, "the upstream's answer is no HTTP/1.1", id="no-http"),
        pytest.param([b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000], 502, "", id="endless-head"),
        pytest.param(
            [b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"],
            502,
            "the upstream redirects (307), which is not followed: give its final address",
            id="redirect",
        ),
    ],
)
def test_no_usable_answer(writes: list[bytes], status: int, says: str, tmp_path: Path) -> None:
    """The client is told in JSON what was wrong, and nothing is kept."""
    with RawUpstream(writes) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port)

    assert seen.status == status
    assert says in json.loads(seen.body)["msg"]
    assert not proxy.files


def test_nobody_is_there(tmp_path: Path) -> None:
    """A refused connection is a 502."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with recording_of(f"http://127.0.0.1:{port}", tmp_path) as proxy:
        seen = ask(proxy.port)

    assert seen.status == 502
    assert "cannot be reached" in json.loads(seen.body)["msg"]


def test_a_silent_upstream_is_a_504(tmp_path: Path) -> None:
    """Without a head within the time, the client is told so."""
    with RawUpstream([], Ending.HANG) as upstream, recording_of(upstream.url, tmp_path, timeout=0.1) as proxy:
        seen = ask(proxy.port)

    assert seen.status == 504
    assert "said nothing for 0.1 s" in json.loads(seen.body)["msg"]


def test_chunks_pass_through_as_they_arrive(tmp_path: Path) -> None:
    """The client has the first chunk while the upstream still holds back the second."""
    gate = threading.Event()
    first, last = chunked(LINE)[0], chunked(LINE)[0] + b"0\r\n\r\n"

    with (
        RawUpstream([LINES_HEAD, first, last], gate=gate) as upstream,
        recording_of(upstream.url, tmp_path) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_SECONDS) as client,
    ):
        client.sendall(posted(chat_body()))
        got = read_until(client, LINE)
        assert not proxy.files
        gate.set()
        got = read_until(client, b"0\r\n\r\n", got)

    assert got.count(LINE) == 2


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param([SSE_HEAD, *chunked(b"data: {}\n\n", b"data: [DONE]\n\n")], id="done-marker"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"], id="content-length"),
        pytest.param([LINES_HEAD, *chunked(LINE)], id="last-chunk"),
    ],
)
def test_the_file_is_there_before_the_last_byte(
    writes: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the client was answered is on the disk: neither the end nor the done marker comes before the rename."""
    release = threading.Event()
    saving = threading.Event()

    with RawUpstream(writes) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        keep = proxy.recorder.keep

        def held(*arguments: Any) -> None:
            saving.set()
            release.wait(WAIT_SECONDS)
            keep(*arguments)

        monkeypatch.setattr(proxy.recorder, "keep", held)
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_SECONDS) as client:
            client.sendall(posted(chat_body()))
            assert saving.wait(WAIT_SECONDS)
            client.setblocking(False)
            before = b""
            while True:
                try:
                    before += client.recv(65536)
                except BlockingIOError:
                    break
            release.set()
            client.settimeout(WAIT_SECONDS)
            after = b""
            while not after.endswith((b"0\r\n\r\n", b"abc")):
                after += client.recv(65536)

    assert b"[DONE]" not in before
    assert not before.endswith((b"0\r\n\r\n", b"abc"))
    assert len(proxy.files) == 1


ANY_CHUNKS = st.lists(
    st.binary(min_size=1, max_size=24) | st.sampled_from(["我是".encode(), "来".encode()[:1], LINE]), max_size=8
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[list[bytes], Ending], tuple[Seen, Seen]]]:
    """Records an answer of these writes and this ending, and replays it: the client's view of both."""
    app = PlanApp(Plan(200, (), ()))
    root = tmp_path_factory.mktemp("stage")
    with RawUpstream() as upstream, recording_of(upstream.url, root) as proxy, serving(app) as replaying:

        def play(writes: list[bytes], ending: Ending) -> tuple[Seen, Seen]:
            upstream.writes, upstream.ending = writes, ending
            live = ask(proxy.port)
            made = recording(proxy.files[0], read(proxy.files[0]))
            assert made is not None
            app.plan = exact_plan(made, 0)
            return live, ask(replaying.port)

        yield play


TRAILERS = st.lists(st.tuples(st.sampled_from(["X-Checksum", "grpc-status"]), st.text("ab1 =", max_size=5)), max_size=2)


@settings(max_examples=60, deadline=None)
@given(chunks=ANY_CHUNKS, ending=st.sampled_from(ENDED), trailers=TRAILERS)
def test_record_then_replay_is_the_same(
    stage: Callable[[list[bytes], Ending], tuple[Seen, Seen]],
    chunks: list[bytes],
    ending: Ending,
    trailers: list[tuple[str, str]],
) -> None:
    """For any chunks, trailers and ending, a replay gives a client the same head, chunks, trailers and ending."""
    tail = "".join(f"{name}: {value}\r\n" for name, value in trailers).encode()
    writes = chunked(*chunks, trailers=tail)

    live, again = stage([LINES_HEAD, *writes[: None if ending is Ending.COMPLETE else len(chunks)]], ending)

    assert (live.ending, live.body) == (ending, b"".join(chunks))
    assert (again.ending, again.chunks) == (ending, chunks)
    assert live.trailers == again.trailers
    assert live.trailers == ([(name, value.strip()) for name, value in trailers] if ending is Ending.COMPLETE else [])
    assert [pair for pair in again.headers if pair[0] != "date"] == [pair for pair in live.headers if pair[0] != "date"]


def test_a_head_keeps_its_case_order_and_date(tmp_path: Path) -> None:
    """What passes through has the upstream's header names as they were, both of two equal ones, and its date."""
    names = ["X-Request-ID: r-1", "x-b: 1", "X-B: 2", "DATE: Sun, 22 Nov 2026 00:00:00 GMT", "Content-Length: 0"]
    upstream = RawUpstream(["\r\n".join(["HTTP/1.1 200 OK", *names, "", ""]).encode()])

    with upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port)

    assert [f"{name}: {value}" for name, value in seen.headers] == names


def test_the_heads_time_is_its_own(tmp_path: Path) -> None:
    """When the head came is kept beside the times of the body, and a replay sends it then."""
    gate = threading.Event()
    upstream = RawUpstream([LINES_HEAD, b"".join(chunked(LINE))], gate=gate)

    with (
        upstream,
        recording_of(upstream.url, tmp_path) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_SECONDS) as client,
    ):
        client.sendall(posted(chat_body()))
        got = read_until(client, b"\r\n\r\n")
        assert got.endswith(b"\r\n\r\n")
        gate.set()
        read_until(client, b"0\r\n\r\n", got)
    plan = kept(proxy.files[0])

    assert plan.at_ms is not None
    assert plan.head_at_ms is not None
    assert plan.head_at_ms < plan.at_ms[0]


@pytest.mark.parametrize("at_ms", [None, (0.0, 0.0, 0.0), (1.0, 2.0, 2.0)], ids=["at-once", "due-together", "paced"])
@pytest.mark.parametrize("ending", Ending)
def test_a_plan_that_may_not_be_joined(at_ms: tuple[float, ...] | None, ending: Ending) -> None:
    """Each frame is a transfer chunk of its own, also where several are due at once; the ending is the plan's."""
    plan = Plan(200, (), (b"a", b"b", b"c"), at_ms, ending, joinable=False)

    with serving(PlanApp(plan)) as served:
        seen = ask(served.port, last=b"1\r\nc\r\n")

    assert (seen.chunks, seen.ending) == ([b"a", b"b", b"c"], ending)

"""What the recording proxy keeps and what it does not, whom it asks, and whom it refuses."""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.exchange import Ending, Plan
from mockserver.files.exchange_file import plan_of, read
from mockserver.files.secrets import Scrubbing
from mockserver.recording import proxy as proxy_module
from mockserver.recording import relay
from mockserver.recording.path_map import path_map
from tests.in_thread import WAIT_SECONDS
from tests.recording_helpers import (
    CHAT,
    LINES_HEAD,
    RawUpstream,
    ask,
    chat_body,
    chunked,
    posted,
    recording_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recording_helpers import Seen

LINE = '{"id": "c-1", "choices": [{"index": 0, "delta": {"content": "我是"}, "finish_reason": "stop"}]}\n'.encode()


def kept(path: Path) -> Plan:
    """The plan of the one file."""
    return plan_of(read(path))


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("http://evil.invalid:1" + CHAT, (), id="absolute-form"),
        pytest.param("//evil.invalid" + CHAT, (), id="two-slashes"),
        pytest.param(CHAT, ("Host: evil.invalid",), id="host"),
        pytest.param(CHAT, ("X-Forwarded-Host: evil.invalid", "Forwarded: host=evil.invalid"), id="forwarded"),
    ],
)
def test_one_host_whatever_is_asked(path: str, headers: tuple[str, ...], tmp_path: Path) -> None:
    """Requests go to the upstream of the command line, under its own name; or nowhere."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port, path, headers=headers)

    assert seen.status in {200, 400, 403}
    for heard in upstream.heard:
        assert f"host: 127.0.0.1:{upstream.port}\r\n".encode() in heard
        assert heard.split(b"\r\n")[0] == b"POST %b HTTP/1.1" % CHAT.encode()


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        pytest.param(("Origin: https://evil.invalid",), "POST", 403, id="web-page"),
        pytest.param(("Sec-Fetch-Site: same-origin", "Host: evil.invalid"), "GET", 403, id="rebinding"),
        pytest.param(("Host: evil.invalid",), "GET", 403, id="rebinding-without-fetch-metadata"),
        pytest.param(("Host: 192.0.2.1",), "POST", 403, id="address-of-another-machine"),
        pytest.param(("Sec-Fetch-Site: cross-site",), "GET", 403, id="cross-site"),
        pytest.param(("Sec-Fetch-Site: same-site",), "GET", 403, id="another-port"),
        pytest.param(("Host: 127.0.0.1", "Host: localhost"), "POST", 400, id="two-hosts"),
        pytest.param(("Origin: http://localhost:3000",), "POST", 200, id="local-page"),
        pytest.param(("Host: localhost:1",), "POST", 200, id="localhost"),
        pytest.param(("Host: [::1]:1",), "POST", 200, id="loopback-in-six"),
        pytest.param((), "DELETE", 405, id="method"),
        pytest.param((), "CONNECT", 405, id="connect"),
    ],
)
def test_what_is_not_passed_on(headers: tuple[str, ...], method: str, status: int, tmp_path: Path) -> None:
    """A web page cannot use the proxy, nor can any method but GET and POST."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port, headers=headers, method=method)

    assert (seen.status, len(upstream.heard)) == (status, int(status == 200))


ESCAPES = (
    "..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%25252e%25252e", "%25%32%65%2e", ".", "%2e", "..;x=y", ". .%2f..",
    "a%2f..%2fb", "a%2F%2e%2e", "a%5c..", "..%5c", "%5c", "%255c", "%u002e%u002e", "%25u002e.", "%c0%ae%c0%ae",
    "%e0%80%ae.", "\u2025".encode().hex(" ").replace(" ", "%").join(("%", "")), "%EF%BC%8E%EF%BC%8E", "..%00", ".%09.",
    "%0d%0a", "%2f", "%ff", "%", "%zz", "", "%" + "25" * 9 + "2e",
)  # fmt: skip
"""Segments of a path that some server reads as the way up, as two slashes or as a backslash."""


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("segment", ESCAPES)
def test_no_path_leaves_the_upstreams_base(segment: str, method: str, tmp_path: Path) -> None:
    """What may lead above the base path of `--base-url`, however it is written, is a 400 and asks nobody."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url + "/base", tmp_path) as proxy:
        seen = ask(proxy.port, f"/maas/{segment}/chat/completions", method=method)

    assert (seen.status, upstream.heard) == (400, [])
    assert set(json.loads(seen.body)) >= {"code", "msg"} or "error" in json.loads(seen.body)


@pytest.mark.parametrize(
    "name",
    ["Qwen%2FQwen2.5", "a..b", "...", "100%25", "%E6%A8%A1%E5%9E%8B", "v1.0%20beta", ".hidden", "a;b", "%EF%BC%81"],
)
def test_names_of_models_pass(name: str, tmp_path: Path) -> None:
    """A name with dots, slashes that are encoded once, percent signs or Chinese goes to the upstream as it came."""
    path = f"/maas/{name}/chip3/chat/completions"
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port, path)

    assert seen.status == 200
    assert upstream.heard[0].startswith(f"POST {path} HTTP/1.1".encode())


def test_secrets_are_in_no_file_and_no_log(tmp_path: Path) -> None:
    """A key, a cookie and an organisation that the upstream echoes in every way are nowhere afterwards."""
    key, cookie, organisation, own = "sk-KNOWN-0123456789", "sid-abcdefgh", "org-98765432", b"upstream-key-42"
    echo = f"wrong key {key} of {organisation} ({cookie}) {own.decode()}".encode()
    head = (
        f"HTTP/1.1 401 No\r\nSet-Cookie: sid={cookie}\r\nopenai-organization: {organisation}\r\nX-Request-ID: {key}\r\n"
    )
    writes = [head.encode() + b"Transfer-Encoding: chunked\r\n\r\n", *chunked(echo[:14], echo[14:])]

    with RawUpstream(writes) as upstream, recording_of(upstream.url, tmp_path, key=own) as proxy:
        seen = ask(
            proxy.port,
            CHAT + f"?api_key={key}",
            chat_body(f"my key is {key}"),
            (f"Authorization: Bearer {key}", f"Cookie: sid={cookie}", f"OpenAI-Organization: {organisation}"),
        )

    written = b"".join(path.read_bytes() for path in proxy.files) + "\n".join(proxy.told).encode()
    assert seen.body == echo
    assert b"authorization: Bearer upstream-key-42" in upstream.heard[0]
    assert len(proxy.files) == 1
    for secret in (key, cookie, organisation, own.decode()):
        assert secret.encode() not in written
        assert secret not in str(proxy.files)


def test_a_secret_without_a_mask_is_not_kept(tmp_path: Path) -> None:
    """Where the answer spells the key across chunks the client gets it, and no file is written."""
    parts = [
        b'{"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n' % part for part in (b"sk-KNOWN", b"-0123456789")
    ]

    with RawUpstream([LINES_HEAD, *chunked(*parts)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port, headers=("Authorization: Bearer sk-KNOWN-0123456789",))

    assert seen.body == b"".join(parts)
    assert not proxy.files
    assert proxy.told == ["not kept: the answer spells a secret across its chunks, where it cannot be masked"]


def test_scrubbing(tmp_path: Path) -> None:
    """Fields of the operator's choice are masked in request and answer; the client sees the answer as it came."""
    body = b'{"user": "zhang", "choices": []}'
    upstream = RawUpstream([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)])

    with upstream, recording_of(upstream.url, tmp_path, scrubbing=Scrubbing(("user",))) as proxy:
        seen = ask(proxy.port, body=chat_body(user="zhang"))

    assert seen.body == body
    assert "zhang" not in proxy.files[0].read_text()
    assert json.loads(proxy.files[0].read_text())["request"]["body"]["user"] == "*****"


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX")
def test_files_are_the_owners(tmp_path: Path) -> None:
    """Mode 0600, and no temporary file is left."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        ask(proxy.port)

    assert proxy.files[0].stat().st_mode & 0o777 == 0o600
    assert [path for path in proxy.files[0].parent.iterdir() if path.suffix != ".json"] == []


def test_files_edited_by_hand_stay(tmp_path: Path) -> None:
    """Recorded again, an untouched file is replaced and an edited one is left beside the new one."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        ask(proxy.port)
        ask(proxy.port)
        assert len(proxy.files) == 1
        edited = proxy.files[0].read_text().replace("我是", "我不是")
        proxy.files[0].write_text(edited)
        ask(proxy.port)

    assert len(proxy.files) == 2
    assert edited in {path.read_text() for path in proxy.files}


@pytest.mark.parametrize(
    ("mode", "asked"),
    [("none", 0), ("once", 1), ("new-episodes", 1), ("all", 2)],
)
def test_modes_with_an_empty_folder(mode: Any, asked: int, tmp_path: Path) -> None:
    """How often the upstream is asked when the same request comes twice."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path, mode) as proxy:
        seen = [ask(proxy.port) for _ in range(2)]

    assert len(upstream.heard) == asked
    assert [one.status for one in seen] == ([404, 404] if mode == "none" else [200, 200])
    assert seen[0].body == seen[1].body


@pytest.mark.parametrize(("mode", "asked"), [("none", 0), ("once", 0), ("new-episodes", 1), ("all", 2)])
def test_modes_with_a_recording(mode: Any, asked: int, tmp_path: Path) -> None:
    """What is recorded is replayed, what is new is asked for, refused, or asked for again."""
    with RawUpstream([LINES_HEAD, *chunked(LINE, LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        live = ask(proxy.port)
    with (
        RawUpstream([LINES_HEAD, *chunked(LINE, LINE)]) as upstream,
        recording_of(upstream.url, tmp_path, mode) as proxy,
    ):
        again, new = ask(proxy.port), ask(proxy.port, body=chat_body("你能做什么?"))

    assert (again.status, again.chunks) == (200, live.chunks)
    assert len(upstream.heard) == asked
    assert new.status == (404 if mode in {"none", "once"} else 200)
    if new.status == 404:
        assert "messages[0].content is '你是谁?', asked '你能做什么?'" in new.body.decode()


def test_a_recorded_fault_is_asked_again(tmp_path: Path) -> None:
    """`new-episodes` does not take a fault for an answer."""
    with RawUpstream([LINES_HEAD, chunked(LINE)[0]]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        assert ask(proxy.port).ending is Ending.CUT
    with (
        RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream,
        recording_of(upstream.url, tmp_path, "new-episodes") as proxy,
    ):
        assert ask(proxy.port).ending is Ending.COMPLETE
    assert kept(proxy.files[0]).ending is Ending.COMPLETE


def test_the_upstreams_path(tmp_path: Path) -> None:
    """`--map` changes the prefix for the upstream, whose base path comes first; the file keeps the client's path."""
    maps = [path_map("/maas/{model}/{chip}=/v1/{model}")]

    with (
        RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream,
        recording_of(upstream.url + "/base/", tmp_path, maps=maps) as proxy,
    ):
        ask(proxy.port, CHAT + "?a=1")

    assert upstream.heard[0].startswith(b"POST /base/v1/mt-infini-3b/chat/completions?a=1 HTTP/1.1\r\n")
    assert read(proxy.files[0]).request.path == CHAT


def test_what_the_upstream_gets(tmp_path: Path) -> None:
    """The client's headers go on but for those of its connection; compression would hide secrets, so none is asked."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        ask(
            proxy.port,
            headers=("Accept-Encoding: gzip", "Connection: keep-alive, X", "X-Stainless-Lang: python", "TE: trailers"),
        )

    head, _, body = upstream.heard[0].partition(b"\r\n\r\n")
    assert sorted(line.split(b":")[0] for line in head.split(b"\r\n")[1:]) == [
        b"accept-encoding", b"content-length", b"content-type", b"host", b"x-stainless-lang",
    ]  # fmt: skip
    assert b"accept-encoding: identity" in head
    assert body == chat_body()


@pytest.mark.parametrize(
    ("writes", "says"),
    [
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx"],
            "content-encoding 'br'",
            id="packed",
        ),
        pytest.param([LINES_HEAD, *chunked(*[b"x" * 60] * 40)], "is over", id="too-long"),
    ],
)
def test_what_is_passed_through_and_not_kept(
    writes: list[bytes], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is served all the same, and one line tells why there is no file."""
    monkeypatch.setattr(relay, "KEPT_BYTES", 8192)
    with RawUpstream(writes) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port)

    assert (seen.status, seen.ending) == (200, Ending.COMPLETE)
    assert not proxy.files
    assert says in proxy.told[0]


def test_a_full_disk_does_not_disturb_the_client(tmp_path: Path) -> None:
    """Where the file cannot be written, the answer is whole and a line says so."""
    (tmp_path / "mt-infini-3b").write_text("in the way")
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port)

    assert seen.ending is Ending.COMPLETE
    assert proxy.told[0].startswith(f"not kept: {tmp_path / 'mt-infini-3b' / 'chip3'}: cannot be written")


@pytest.mark.parametrize(
    "path",
    [
        "/maas/../../etc/passwd/chat/completions",
        "/maas/%2e%2e/%2e%2e/chat/completions",
        "/maas/a%5Cb/c:d/chat/completions",
    ],
)
def test_paths_stay_in_the_folder(path: str, tmp_path: Path) -> None:
    """No model or chip leads out of the folder."""
    root = tmp_path / "fixtures"
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, root) as proxy:
        ask(proxy.port, path)

    assert all(found.is_relative_to(root) for found in tmp_path.rglob("*.json"))
    assert all(".." not in part and "\\" not in part for found in root.rglob("*.json") for part in found.parts)


def leave(port: int) -> None:
    """Ask, read the first chunk, and go."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as client:
        client.sendall(posted(chat_body()))
        got = b""
        while LINE not in got:
            got += client.recv(65536)


@pytest.mark.parametrize("ends", [True, False], ids=["ends-soon", "never-ends"])
def test_a_client_that_leaves(ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that ends soon after its client left is kept whole; one that does not is let go, and not kept."""
    monkeypatch.setattr(proxy_module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(proxy_module, "LINGER_SECONDS", WAIT_SECONDS if ends else 0.1)
    told = threading.Event()
    gate = threading.Event()
    writes = [LINES_HEAD, chunked(LINE)[0], b"0\r\n\r\n"] if ends else [LINES_HEAD, chunked(LINE)[0]]
    upstream = RawUpstream(writes, Ending.COMPLETE if ends else Ending.HANG, gate=gate if ends else None)

    with upstream, recording_of(upstream.url, tmp_path) as proxy:
        tell = proxy.recorder.tell

        def telling(line: str) -> None:
            tell(line)
            told.set()

        proxy.recorder.tell = telling
        leave(proxy.port)
        gate.set()
        assert told.wait(WAIT_SECONDS)

    if ends:
        assert kept(proxy.files[0]).ending is Ending.COMPLETE
    else:
        assert proxy.told == [f"not kept: the client of {CHAT!r} left before the answer was whole"]
        assert not proxy.files


def test_the_proxy_stops_in_a_stream(tmp_path: Path) -> None:
    """When the grace time is over the client sees a cut, and the half answer is not kept."""
    ready = threading.Event()
    seen: list[Seen] = []

    with RawUpstream([LINES_HEAD, chunked(LINE)[0]], Ending.HANG) as upstream:
        with recording_of(upstream.url, tmp_path) as proxy:
            upstream.on_written = ready.set
            client = threading.Thread(target=lambda: seen.append(ask(proxy.port)))
            client.start()
            assert ready.wait(WAIT_SECONDS)
        client.join(WAIT_SECONDS)

    assert (seen[0].body, seen[0].ending) == (LINE, Ending.CUT)
    assert proxy.told == [f"not kept: stopped before the answer to {CHAT!r} was whole"]
    assert not proxy.files


def test_health(tmp_path: Path) -> None:
    """`GET /_mock/health` is the proxy's own."""
    with RawUpstream() as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port, "/_mock/health", b"", method="GET")

    assert (seen.status, seen.body, upstream.heard) == (200, b'{"status":"ok"}', [])


def test_a_body_over_the_limit_is_a_413_that_can_be_read(tmp_path: Path) -> None:
    """The client reads its answer though it was still writing."""
    with RawUpstream() as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port, body=b"x" * (10 * 2**20 + 1))

    assert (seen.status, upstream.heard) == (413, [])

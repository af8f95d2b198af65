"""What nobody expects does the recording proxy no harm: odd requests, hasty servers, many at once, a full disk."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.exchange import Ending
from mockserver.files.exchange_file import plan_of, read
from tests.recording_helpers import LINES_HEAD, RawUpstream, SocketServer, ask, chat_body, chunked, recording_of

if TYPE_CHECKING:
    import socket
    from pathlib import Path

LINE = '{"id": "c-1", "choices": [{"index": 0, "delta": {"content": "我是"}}]}\n'.encode()


ODD_BODIES = {
    "nothing": b"",
    "no-object": b"[]",
    "cut": b'{"messages": [',
    "not-text": b"\xff\xfe",
    "messages-no-list": b'{"messages": 5}',
    "message-no-object": b'{"messages": [5]}',
    "part-no-object": b'{"messages": [{"role": "user", "content": [5]}]}',
    "part-without-text": b'{"messages": [{"role": "user", "content": [{"type": "text"}]}]}',
    "content-an-object": b'{"messages": [{"role": 5, "content": {"a": 1}, "tool_calls": 5}]}',
    "lone-surrogate": b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    "not-a-number": b'{"messages": [], "temperature": NaN}',
    "nested": b'{"messages": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    "long-number": b'{"messages": [], "n": 1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES)
def test_any_body_is_passed_on_and_kept(body: bytes, tmp_path: Path) -> None:
    """What the service thinks of a body is its business: it gets the bytes, and the exchange is a file."""
    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path, "once") as proxy:
        seen = ask(proxy.port, body=body)

    assert (seen.status, seen.body) == (200, LINE)
    assert upstream.heard[0].endswith(b"\r\n\r\n" + body)
    assert len(proxy.files) == 1


@pytest.mark.parametrize("mode", ["all", "none"])
def test_a_key_in_the_path_is_not_told(mode: Any, tmp_path: Path) -> None:
    """The lines that the recorder tells are masked as the files are."""
    key = "sk-KNOWN-0123456789"
    with recording_of("http://127.0.0.1:1", tmp_path, mode) as proxy:
        ask(proxy.port, f"/maas/{key}/chip3/chat/completions", headers=(f"Authorization: Bearer {key}",))

    path = f"/maas/{'*' * len(key)}/chip3/chat/completions"
    assert proxy.told == (
        [f"502 for '{path}': the upstream cannot be reached: Connection refused"] if mode == "all" else []
    )


@pytest.mark.parametrize("length", [0, 100], ids=["closed", "refused"])
def test_an_upstream_that_does_not_read_the_request(length: int, tmp_path: Path) -> None:
    """An answer before the request was read is passed on; a connection that is closed instead is a 502."""

    class Hasty(SocketServer):
        def talk(self, client: socket.socket) -> None:
            client.recv(100)
            if length:
                client.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n\r\n%b" % (length, b"x" * length))

    with Hasty() as upstream, recording_of(f"http://127.0.0.1:{upstream.port}", tmp_path) as proxy:
        seen = ask(proxy.port, body=chat_body("x" * 3_000_000))

    assert seen.status == (413 if length else 502)
    assert len(proxy.files) == (1 if length else 0)


def test_streams_at_the_same_time(tmp_path: Path) -> None:
    """Sixteen streams at once are each kept whole, with every chunk."""

    class Many(RawUpstream):
        def serve_one(self, client: socket.socket) -> None:
            threading.Thread(target=super().serve_one, args=(client,), daemon=True).start()

    with (
        Many([LINES_HEAD, *chunked(*[LINE] * 30)]) as upstream,
        recording_of(upstream.url, tmp_path) as proxy,
        ThreadPoolExecutor(16) as pool,
    ):
        seen = list(pool.map(lambda number: ask(proxy.port, body=chat_body(f"{number}")), range(16)))

    assert [(one.body, one.ending) for one in seen] == [(LINE * 30, Ending.COMPLETE)] * 16
    assert [plan_of(read(path)).frames for path in proxy.files] == [(LINE,) * 30] * 16


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES], ids=["disk-full", "not-allowed"])
def test_a_file_that_cannot_be_written_costs_the_client_nothing(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer passes through whole, one line tells why there is no file, and no half of one is left."""

    def full(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        monkeypatch.setattr("mockserver.files.atomic.os.fsync", full)
        seen = ask(proxy.port)

    folder = tmp_path / "mt-infini-3b" / "chip3"
    assert (seen.body, seen.ending) == (LINE, Ending.COMPLETE)
    assert proxy.told == [f"not kept: {folder}: cannot be written: {os.strerror(number)}"]
    assert list(folder.iterdir()) == []

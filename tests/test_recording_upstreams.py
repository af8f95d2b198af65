"""Recording upstreams that nobody here wrote: other OpenAI-compatible servers, nginx with TLS, a CONNECT proxy.

A server that is not installed is skipped. `GENSTUDIO_MOCK_UPSTREAMS` names folders to look for their commands in,
besides PATH.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from mockserver.exchange import Ending
from mockserver.exchange_file import plan_of, read
from mockserver.recording.paths import path_map
from mockserver.sources.meaning import meaning
from mockserver.sources.recordings import exact_plan, recording
from tests.recording_helpers import LINES_HEAD, PlanApp, RawUpstream, ask, chunked, recording_of, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

WHERE = os.pathsep.join([os.environ.get("GENSTUDIO_MOCK_UPSTREAMS", ""), os.environ.get("PATH", "")])
NGINX = shutil.which("nginx", path=os.pathsep.join([WHERE, "/usr/sbin"]))
OPENSSL = shutil.which("openssl")
PATH = "/maas/gpt-4o/nvidia/chat/completions"
TO_V1 = [path_map("/maas/{model}/{chip}=/v1")]

SERVERS: dict[str, Callable[[str, int], tuple[list[str], dict[str, str]]]] = {
    "llm-mock-api": lambda command, port: (
        [command, "start", "-H", "127.0.0.1", "-p", str(port), "-f", "我是 a mock"],
        {},
    ),
    "llmock": lambda command, port: ([command, "serve", "--host", "127.0.0.1", "--port", str(port)], {}),
    "mock-llm": lambda command, port: ([command], {"PORT": str(port), "HOST": "127.0.0.1"}),
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def process(words: Sequence[str], port: int, folder: Path, **environ: str) -> Iterator[None]:
    """A server that takes connections."""
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, env={**os.environ, **environ})
        try:
            until = time.monotonic() + 20
            while True:
                assert started.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                threading.Event().wait(0.05)
            yield
        finally:
            started.terminate()
            started.wait(10)


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_other_servers_are_recorded(name: str, stream: bool, tmp_path: Path) -> None:
    """What another server sends is kept chunk by chunk, means something, and is replayed as it came."""
    command = shutil.which(name, path=WHERE)
    if command is None:
        pytest.skip(f"{name} is not installed")
    port, root = free_port(), tmp_path / "fixtures"
    words, environ = SERVERS[name](command, port)
    body = json.dumps({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "你好"}]}).encode()

    with process(words, port, tmp_path, **environ), recording_of(f"http://127.0.0.1:{port}", root, maps=TO_V1) as proxy:
        live = ask(proxy.port, PATH, body, ["Authorization: Bearer sk-not-a-real-key-1234"])
    made = recording(proxy.files[0], read(proxy.files[0]))
    assert made is not None
    with serving(PlanApp(exact_plan(made, 0))) as again_port:
        again = ask(again_port)

    assert (live.status, live.ending) == (200, Ending.COMPLETE)
    assert (again.status, again.body, again.ending) == (200, live.body, Ending.COMPLETE)
    assert again.chunks == list(made.plan.frames)
    assert meaning(made.plan).text
    if stream:
        assert len(made.plan.frames) >= 2
        assert live.body.rstrip().endswith(b"data: [DONE]")
    assert "sk-not-a-real-key" not in proxy.files[0].read_text()


NGINX_CONF = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; proxy_buffering off; }}
  }}
}}
"""


@contextlib.contextmanager
def tls_front(folder: Path, behind: int) -> Iterator[int]:
    """An nginx with a certificate of its own (`cert.pem`) before another server; its port."""
    if NGINX is None or OPENSSL is None:
        pytest.skip("nginx or openssl is not installed")
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX_CONF.format(folder=folder, port=port, behind=behind))
    words = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with process(words, port, folder):
        yield port


LINE = '{"choices": [{"index": 0, "delta": {"content": "我是"}}]}\n'.encode()


def test_tls(tmp_path: Path) -> None:
    """Behind nginx with TLS: trusted by `--upstream-ca`, refused without, and cut where nginx was cut."""
    whole = [LINES_HEAD, *chunked(LINE, LINE)]
    with RawUpstream(whole) as upstream, tls_front(tmp_path, upstream.port) as port:
        url, ca = f"https://127.0.0.1:{port}", str(tmp_path / "cert.pem")
        with recording_of(url, tmp_path / "f", ca_file=ca) as proxy:
            good = ask(proxy.port)
            upstream.writes = whole[:-1]
            cut = ask(proxy.port)
        with recording_of(url, tmp_path / "g") as stranger:
            untrusted = ask(stranger.port)

    assert (good.body, good.ending) == (LINE + LINE, Ending.COMPLETE)
    assert (cut.body, cut.ending) == (LINE + LINE, Ending.CUT)
    assert plan_of(read(proxy.files[0])).ending is Ending.CUT
    assert untrusted.status == 502
    assert "the upstream's certificate is not trusted" in untrusted.body.decode()
    assert not stranger.files


class ConnectProxy:
    """A proxy of `CONNECT`, of the tests: it notes the heads that it was sent."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.heads: list[bytes] = []

    def __enter__(self) -> ConnectProxy:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                with client, contextlib.suppress(OSError):
                    self._tunnel(client)

    def _tunnel(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.heads.append(head)
        client.sendall(self._answer)
        if b" 200 " not in self._answer:
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        with socket.create_connection(("127.0.0.1", port)) as there:
            back = threading.Thread(target=_pump, args=(there, client), daemon=True)
            back.start()
            _pump(client, there)
            back.join(5)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\n", 200),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", 502),
    ],
    ids=["open", "refused"],
)
def test_through_a_proxy(answer: bytes, status: int, tmp_path: Path) -> None:
    """`HTTPS_PROXY` is asked for a tunnel, with its own password, which is in no file."""
    with (
        RawUpstream([LINES_HEAD, *chunked(LINE)]) as upstream,
        tls_front(tmp_path, upstream.port) as port,
        ConnectProxy(answer) as connect,
        recording_of(
            f"https://127.0.0.1:{port}", tmp_path / "f", ca_file=str(tmp_path / "cert.pem"),
            environ={"HTTPS_PROXY": f"http://me:proxy-password@127.0.0.1:{connect.port}"},
        ) as proxy,
    ):  # fmt: skip
        seen = ask(proxy.port)

    assert seen.status == status
    assert connect.heads[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % port)
    assert b"Proxy-Authorization: Basic bWU6cHJveHktcGFzc3dvcmQ=" in connect.heads[0]
    assert len(proxy.files) == (1 if status == 200 else 0)
    if status == 502:
        assert "the proxy of HTTPS_PROXY answered '407' to CONNECT" in seen.body.decode()

"""Recording upstreams that nobody here wrote: other OpenAI-compatible servers, nginx with TLS, a CONNECT proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from mockserver.core.exchange import Ending
from mockserver.files.exchange_file import plan_of, read
from mockserver.pipeline.read import meaning
from mockserver.recording.path_map import path_map
from mockserver.recording.relay import Relay
from mockserver.recording.upstream import connect as reach
from mockserver.recording.upstream_address import Upstream
from mockserver.sources.recordings import recording
from mockserver.sources.replay import exact_plan
from tests.in_thread import WAIT_SECONDS, serving
from tests.recording_helpers import (
    LINES_HEAD,
    PlanApp,
    RawUpstream,
    SocketServer,
    ask,
    chunked,
    recording_of,
)
from tests.third_party import node_programs, python_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mockserver.server.client_connection import ClientConnection

NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
OPENSSL = shutil.which("openssl")
PATH = "/maas/gpt-4o/nvidia/chat/completions"
TO_V1 = [path_map("/maas/{model}/{chip}=/v1")]
SAYS = "我是 a mock 🙂"


@dataclass(frozen=True)
class Server:
    """A server that others wrote.

    Attributes:
        folder: Installs it; returns where its command is.
        words: The command, without its folder; `PORT` stands for the port.
        environ: Variables, likewise.
        files: Files that it is to find where it runs.
    """

    folder: Callable[[], Path]
    words: str
    environ: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def node(name: str, package: str) -> Callable[[], Path]:
    """Installs a package of npm."""
    return lambda: node_programs(name, package) / "node_modules" / ".bin"


RULES = f"""
version: 1
rules:
  - name: all
    when: {{messages_contain: 你好}}
    respond: {{content: "{SAYS}"}}
"""
FIXTURE = {"fixtures": [{"match": {"userMessage": "你好"}, "response": {"content": SAYS}}]}
SERVERS = {
    "llm-mock-api": Server(
        lambda: python_programs("upstream-llm-mock-api", "llm-mock-api==0.1.2"),
        f"llm-mock-api start -H 127.0.0.1 -p PORT -f {SAYS!r}",
    ),
    "llmock": Server(
        lambda: python_programs("upstream-llmock", "llmock==0.2.2"), "llmock serve --host 127.0.0.1 --port PORT"
    ),
    "fakellm": Server(
        lambda: python_programs("upstream-fakellm", "fakellm==0.3.5"),
        "fakellm serve --host 127.0.0.1 --port PORT",
        files={"fakellm.yaml": RULES},
    ),
    "mock-llm": Server(
        node("upstream-mock-llm", "@dwmkerr/mock-llm@0.1.29"), "mock-llm", {"PORT": "PORT", "HOST": "127.0.0.1"}
    ),
    "aimock": Server(
        node("upstream-aimock", "@copilotkit/aimock@1.43.0"),
        "llmock -p PORT -h 127.0.0.1 -f answers.json -c 3 -l 5",
        files={"answers.json": json.dumps(FIXTURE)},
    ),
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
            until = time.monotonic() + WAIT_SECONDS
            while True:
                assert started.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                threading.Event().wait(0.05)
            yield
        finally:
            started.terminate()
            started.wait(WAIT_SECONDS)


@pytest.fixture(scope="module", params=SERVERS)
def upstream_port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of each of the servers in turn."""
    server, port = SERVERS[request.param], free_port()
    commands, folder = server.folder(), tmp_path_factory.mktemp(request.param)
    for name, text in server.files.items():
        (folder / name).write_text(text, "utf-8")
    command, *words = [word.replace("PORT", str(port)) for word in shlex.split(server.words)]
    environ = {name: value.replace("PORT", str(port)) for name, value in server.environ.items()}
    with process([str(commands / command), *words], port, folder, **environ):
        yield port


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_other_servers_are_recorded(upstream_port: int, stream: bool, tmp_path: Path) -> None:
    """What another server sends is kept chunk by chunk, means something, and is replayed as it came."""
    root = tmp_path / "fixtures"
    asked = {"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "你好"}]}

    with recording_of(f"http://127.0.0.1:{upstream_port}", root, maps=TO_V1) as proxy:
        live = ask(proxy.port, PATH, json.dumps(asked).encode(), ["Authorization: Bearer sk-not-a-real-key-1234"])
    made = recording(proxy.files[0], read(proxy.files[0]))
    assert made is not None
    with serving(PlanApp(exact_plan(made, 0))) as replaying:
        again = ask(replaying.port)

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
    """Behind nginx with TLS: trusted by `--ca`, refused without, and cut where nginx was cut."""
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


class ConnectProxy(SocketServer):
    """A proxy of `CONNECT`: it notes the heads that it was sent."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.heads: list[bytes] = []

    def talk(self, client: socket.socket) -> None:
        """Open a tunnel, or do not."""
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
            back.join(WAIT_SECONDS)


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


def test_a_proxy_with_an_address_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` has two addresses on most systems; the one on which the proxy listens is found."""
    with socket.create_server(("127.0.0.2", 0)) as closed:
        dead = (socket.AF_INET, socket.SOCK_STREAM, 6, "", closed.getsockname())

    with ConnectProxy(b"HTTP/1.1 200 OK\r\n\r\n") as connect, RawUpstream() as upstream:
        alive = (*dead[:4], ("127.0.0.1", connect.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: [dead, alive])

        async def tunnel() -> None:
            there = Upstream("127.0.0.1", upstream.port, via=("localhost", connect.port))
            (await reach(there, Relay(cast("ClientConnection", None)))).close()

        asyncio.run(tunnel())

    assert connect.heads[0].startswith(b"CONNECT 127.0.0.1:%d " % upstream.port)

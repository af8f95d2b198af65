"""For the tests of recording: an upstream of raw sockets, a server in a thread, a client that sees transfer chunks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.pipeline.refuse import refuse
from mockserver.recording.proxy import RecordingProxy
from mockserver.recording.recorder import Recorder
from mockserver.recording.store import Store
from mockserver.recording.upstream_address import upstream_of
from mockserver.server.clock import Wheel
from mockserver.server.connection import CONNECTION_KEY
from mockserver.server.performer import perform
from mockserver.sources import recordings
from mockserver.sources.recordings import Recordings
from tests.conftest import load
from tests.in_thread import WAIT_SECONDS, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mockserver.core.errors import Refusal
    from mockserver.recording.modes import Mode

CHAT = "/maas/mt-infini-3b/chip3/chat/completions"
PROMPT = "你是谁?"


def chat_body(prompt: str = PROMPT, **fields: Any) -> bytes:
    """The body of a request with one message."""
    return json.dumps({"messages": [{"role": "user", "content": prompt}], "stream": True, **fields}).encode()


def posted(body: bytes) -> bytes:
    """A whole request as it stands on the wire."""
    return b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (CHAT.encode(), len(body), body)


def chunked(*chunks: bytes, trailers: bytes = b"") -> list[bytes]:
    """Writes of a chunked body with its end."""
    return [*(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n" + trailers + b"\r\n"]


SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LINES_HEAD = (
    b"HTTP/1.1 200 OK\r\nX-Request-ID: r-1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


class SocketServer(ABC):
    """A server of raw sockets in a thread: one client at a time, on a free port of this machine."""

    port: int = 0

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(WAIT_SECONDS)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.serve_one(client)

    def serve_one(self, client: socket.socket) -> None:
        """Speak with one client, then close."""
        with client, contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.talk(client)

    @abstractmethod
    def talk(self, client: socket.socket) -> None:
        """Speak with one client; its connection is closed afterwards."""


@dataclass
class RawUpstream(SocketServer):
    """Reads a request, writes what it was told, byte for byte, and ends as it was told.

    Attributes:
        writes: What is written, one `send` each.
        ending: `complete` closes in order, `reset` sends an RST, `hang` waits for the peer to leave.
        heard: The requests as they came.
        gate: The last write waits for it.
        on_written: Called after the last write.
    """

    writes: Sequence[bytes] = ()
    ending: Ending = Ending.COMPLETE
    heard: list[bytes] = field(default_factory=list)
    gate: threading.Event | None = None
    on_written: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def talk(self, client: socket.socket) -> None:
        """Answer one request."""
        request = _read_request(client)
        if not request:
            return
        self.heard.append(request)
        for number, data in enumerate(self.writes):
            if self.gate is not None and number == len(self.writes) - 1:
                self.gate.wait(WAIT_SECONDS)
            client.sendall(data)
        self.on_written()
        if self.ending is Ending.RESET:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self.ending is Ending.HANG:
            client.recv(1)


def read_until(client: socket.socket, said: bytes, got: bytes = b"") -> bytes:
    """What has come when `said` has, with what came before; fails where the connection ends first."""
    while said not in got:
        more = client.recv(65536)
        assert more, f"ended behind {got!r}"
        got += more
    return got


def _read_request(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


@dataclass
class RunningRecorder:
    """A running proxy: its port, its directory, and the lines it told."""

    port: int
    root: Path
    told: list[str]
    recorder: Recorder

    @property
    def files(self) -> list[Path]:
        """What it has written."""
        return sorted(self.root.rglob("*.json"))


@contextlib.contextmanager
def recording_of(
    url: str, root: Path, mode: Mode = "all", *, timeout: float = WAIT_SECONDS, ca_file: str | None = None,
    environ: dict[str, str] | None = None, **settings: Any,
) -> Iterator[RunningRecorder]:  # fmt: skip
    """A proxy that records an upstream into a folder."""
    edition = load("2024-tutorial")

    def refusal(refused: Refusal) -> Plan:
        return refuse(refused, edition.file.errors[refused.kind])

    upstream = upstream_of(url, environ or {}, timeout, ca_file)
    told: list[str] = []
    scrubbing = settings.pop("scrubbing", None)
    root.mkdir(exist_ok=True)
    recorder = Recorder(
        Store(root), mode, Recordings(recordings.load(root)), edition.name, upstream.host_class, tell=told.append
    )
    recorder.scrubbing = scrubbing or recorder.scrubbing
    recorder.secrets = frozenset({settings["key"]}) if "key" in settings else frozenset()
    with serving(RecordingProxy(upstream, recorder, refusal, **settings)) as served:
        yield RunningRecorder(served.port, root, told, recorder)


class PlanApp:
    """An application that performs one plan, whatever is asked."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        await receive()
        wheel = Wheel(asyncio.get_running_loop())
        await perform(self.plan, send, scope[CONNECTION_KEY], wheel, Exchange(Request("POST", scope["path"])))


@dataclass
class Seen:
    """An answer as a raw client saw it."""

    status: int
    headers: list[tuple[str, str]]
    chunks: list[bytes]
    ending: Ending
    raw: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The chunks joined."""
        return b"".join(self.chunks)


def ask(
    port: int, path: str = CHAT, body: bytes | None = None, headers: Sequence[str] = (), method: str = "POST",
    last: bytes = b"",
) -> Seen:  # fmt: skip
    """Ask, and see the transfer chunks and the ending; behind what comes `last`, a silence is a hang."""
    data = chat_body() if body is None else body
    lines = [f"{method} {path} HTTP/1.1", f"Content-Length: {len(data)}", "Content-Type: application/json", *headers]
    if not any(line.lower().startswith("host:") for line in lines):
        lines.append("Host: 127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        return see(client, last)


def see(client: socket.socket, last: bytes = b"") -> Seen:
    """Read one answer to its end, or to a silence behind `last`."""
    raw, ending = b"", Ending.CUT
    while not _whole(raw):
        try:
            more = client.recv(65536)
        except ConnectionResetError:
            ending = Ending.RESET
            break
        except TimeoutError:
            ending = Ending.HANG
            break
        if not more:
            break
        raw += more
        if last and last in raw:
            client.settimeout(0.1)
    else:
        ending = Ending.COMPLETE
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in rest)]
    chunks, trailers = dechunked(body) if _is_chunked(head) else ([body] if body else [], None)
    return Seen(int(first.split(" ")[1]) if head else 0, headers, chunks, ending, raw, trailers or [])


def _is_chunked(head: bytes) -> bool:
    return b"transfer-encoding: chunked" in head.lower()


def _whole(raw: bytes) -> bool:
    head, end, body = raw.partition(b"\r\n\r\n")
    if not end:
        return False
    if head.startswith((b"HTTP/1.1 204", b"HTTP/1.1 304")):
        return True
    if _is_chunked(head):
        return dechunked(body)[1] is not None
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), None)
    return length is not None and len(body) >= length


def dechunked(body: bytes) -> tuple[list[bytes], list[tuple[str, str]] | None]:
    """The transfer chunks of a body, and the trailers behind them; None for those where the body is not whole."""
    chunks: list[bytes] = []
    at = 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:end], 16)
        if size == 0:
            tail, whole, _ = body[end:].partition(b"\r\n\r\n")
            lines = (line.partition(":") for line in tail.decode("latin-1").split("\r\n")[1:])
            return chunks, [(name, value.strip()) for name, _, value in lines] if whole else None
        chunks.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return chunks, None

"""Streams that break clients: valid ones are generated, cut into network writes, and read by a client on a real socket.

What the client read is compared with what the stream says. Of the streams that it gets wrong the smallest is kept.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky

from mockserver.contract import saved
from mockserver.contract.strategies import HARMLESS, Stream, streams
from mockserver.errors import OperatorError
from mockserver.exchange import Exchange, Plan, Request
from mockserver.pipeline.frame import content_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mockserver.quirks import WireSettings

PATH: Final = "/maas/model/chip/chat/completions"
ASKED: Final = b'{"model": "model", "messages": [{"role": "user", "content": "hi"}], "stream": true}'


@dataclass(frozen=True, slots=True)
class Served:
    """A stream as a server sends it, and what it says.

    Attributes:
        content_type: Empty for none.
        writes: The body as it is written to the network; each is one chunk of the chunked coding.
        truth: The text that a client must read.
        buffered: Sent at once, with a Content-Length.
    """

    content_type: bytes
    writes: tuple[bytes, ...]
    truth: str
    buffered: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """The smallest stream found that the client gets wrong.

    Attributes:
        stream: How it was made.
        served: How it was sent.
        problem: What the client did, in one line.
    """

    stream: Stream
    served: Served
    problem: str

    def hexdump(self) -> str:
        """The writes, each with its bytes in hex and as text."""
        return "\n".join(_hexdump(number, data) for number, data in enumerate(self.served.writes, 1))

    def explain(self) -> str:
        """What went wrong and with which stream, for people."""
        added = f" (with {', '.join(self.stream.quirks)})" if self.stream.quirks else ""
        frames, writes = len(self.stream.frames), len(self.served.writes)
        return f"{self.problem}\na stream of {frames} frames in {writes} writes{added}:\n{self.hexdump()}\n"


def _hexdump(number: int, data: bytes) -> str:
    rows = [f"write {number}, {len(data)} bytes"]
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        rows.append(f"  {at:04x}  {part.hex(' ').ljust(47)}  {text}")
    return "\n".join(rows)


def served_of(stream: Stream) -> Served:
    """A generated stream as a server sends it."""
    buffered = stream.wire.frame.delivery == "buffered"
    writes = (b"".join(stream.writes),) if buffered else stream.writes
    return Served(content_type(stream.wire.frame), writes, stream.answer.text, buffered)


# --- the server ---------------------------------------------------------------------------------------------------


class StreamServer:
    """A server on loopback that answers every request with the stream that is set.

    Attributes:
        base_url: Where it listens, with a model and a chip in its path, as SDKs want it.
        stream: What it sends.
    """

    def __init__(self, stream: Served, port: int = 0) -> None:
        self.stream = stream
        outer = self

        class Handler(_Handler):
            def stream(self) -> Served:
                return outer.stream

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}{PATH.removesuffix('/chat/completions')}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def stream(self) -> Served:
        raise NotImplementedError

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing."""

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "0")
        self.rfile.read(int(length) if length.isdigit() else 0)
        with contextlib.suppress(ConnectionError):
            self._send(self.stream())

    do_GET = do_POST  # noqa: N815 - the base class calls it

    def _send(self, stream: Served) -> None:
        self.send_response_only(200)
        if stream.content_type:
            self.send_header("content-type", stream.content_type.decode())
        self.send_header("connection", "close")
        if stream.buffered:
            self.send_header("content-length", str(sum(map(len, stream.writes))))
        else:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for data in stream.writes:
            self.wfile.write(data if stream.buffered else b"%x\r\n%b\r\n" % (len(data), data))
        if not stream.buffered:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)


@contextmanager
def serving(stream: Served) -> Iterator[str]:
    """The stream on a free port; yields the base URL for a client."""
    server = StreamServer(stream)
    try:
        yield server.base_url
    finally:
        server.close()


# --- the search ---------------------------------------------------------------------------------------------------


class WrongError(Exception):
    """The client read a stream wrongly."""


def find_bug(
    client: Callable[[str], str],
    wire: WireSettings,
    *,
    further: Sequence[str] = HARMLESS,
    examples: int = 100,
    number: int = 0,
    progress: Callable[[int, str], None] = lambda _count, _problem: None,
) -> Failure | None:
    """The smallest valid stream that a client reads wrongly; None where it reads all of them rightly.

    Args:
        client: Given a base URL, asks for a stream there and returns the text that it read.
        wire: The chip's settings.
        further: Quirks that may be added; without them only the cuts and texts vary.
        examples: How many streams are tried before a bug is found; the search for a smaller one takes more.
        number: The same number gives the same streams.
        progress: Told of each stream: how many were tried, and the problem, empty where there was none.
    """
    smallest: list[Failure] = []
    count = 0
    server = StreamServer(Served(b"", (), ""))

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(streams(wire, further))
    def read(stream: Stream) -> None:
        nonlocal count
        count += 1
        server.stream = served_of(stream)
        problem = judge(client, server)
        progress(count, problem)
        if problem:
            smallest.append(Failure(stream, server.stream, problem))
            raise WrongError

    try:
        read()
    except (WrongError, Flaky):
        return min(smallest, key=_size)
    finally:
        server.close()
    return None


def _size(failure: Failure) -> tuple[int, int, int, int]:
    stream = failure.stream
    return len(stream.frames), len(stream.quirks), len(failure.served.writes), len(b"".join(stream.frames))


def judge(client: Callable[[str], str], server: StreamServer) -> str:
    """What a client does wrong with the server's stream, in one line; empty where nothing."""
    truth = server.stream.truth
    try:
        read = client(server.base_url)
    except Exception as error:  # noqa: BLE001 - whatever a client raises at a valid stream is its fault
        first = str(error).strip().partition("\n")[0]
        return f"the client raised {type(error).__name__}: {first}"[:300]
    if read == truth:
        return ""
    if not read:
        return f"silent: the client read nothing and raised nothing; the stream says {truth!r}"
    return f"the client read {read!r}; the stream says {truth!r}"


# --- files --------------------------------------------------------------------------------------------------------


def save(failure: Failure, folder: Path, name: str, client_lines: str) -> list[Path]:
    """Write the stream as an exchange file, its hexdump, and a test that fails until the client is mended.

    Args:
        failure: What was found.
        folder: Where to.
        name: The files' name, without an ending.
        client_lines: Python that defines `read(base_url) -> str`, for the test.
    """
    from mockserver.contract.command import write_whole

    served = failure.served
    headers = ((b"content-type", served.content_type),) if served.content_type else ()
    length = ((b"content-length", b"%d" % sum(map(len, served.writes))),) if served.buffered else ()
    request = Request("POST", PATH, {b"content-type": b"application/json"}, ASKED)
    plan = Plan(200, (*headers, *length), served.writes, [0.0] * len(served.writes))
    kept = saved.Saved(
        "client", failure.problem, "", "model", "chip", None, Exchange(request, plan, frames_sent=len(plan.frames))
    )
    document = {**json.loads(saved.dump(kept)), "truth": served.truth}
    test = (
        f"# {failure.problem!a}\n\nfrom pathlib import Path\n\n"
        "from mockserver.contract.fuzz import load, serving\n\n\n"
        f"{client_lines.rstrip()}\n\n\n"
        f"def test_the_client_reads_the_stream():\n"
        f"    stream = load(Path(__file__).with_name({name + '.json'!r}))\n"
        f"    with serving(stream) as base_url:\n"
        f"        assert read(base_url) == stream.truth\n"
    )
    files = {
        f"{name}.json": json.dumps(document, ensure_ascii=False, indent=1) + "\n",
        f"{name}.hex": failure.explain(),
        f"test_{name}.py": test,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--save {folder}: {error.strerror or error}") from None
    for file, text in files.items():
        write_whole(folder / file, text)
    return [folder / file for file in files]


def load(path: Path) -> Served:
    """A saved stream; raises OperatorError with the file and what is wrong with it."""
    kept = saved.load(path)
    truth = json.loads(path.read_text("utf-8")).get("truth")
    if not isinstance(truth, str) or kept.exchange.plan is None:
        raise OperatorError(f"{path}: not a saved stream: truth is missing")
    headers = dict(kept.exchange.plan.headers)
    writes = tuple(kept.exchange.plan.frames)
    return Served(headers.get(b"content-type", b""), writes, truth, b"content-length" in headers)

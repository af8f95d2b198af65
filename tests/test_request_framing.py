"""What stands around a request's body: chunk extensions and trailers are bounded, dropped, and never act as headers."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.server.limited_protocol import HEAD_LIMIT_BYTES
from tests.conftest import KEY, Live, compose, load, serve
from tests.in_thread import serving
from tests.recording_helpers import recording_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EDITION = "2024-tutorial"
ENOUGH = 2**20  # bytes that are sent of what does not end: less than the connection reads away behind its answer
MEMORY = 4 * 2**20  # bytes that the process may hold more meanwhile, the test's own among them
LIMITED = {"code": 43100, "msg": f"the request's chunk extensions and trailers are over {HEAD_LIMIT_BYTES} bytes"}
BODY = json.dumps({"model": "mt-infini-3b", "messages": [{"role": "user", "content": "hi"}]}).encode()


class Upstream:
    """An upstream that keeps the names of the headers it was sent."""

    def __init__(self) -> None:
        self.names: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer with an empty object."""
        self.names += [name for name, _ in scope["headers"]]
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    def refusal(self, *_: Any) -> Any:
        """Nothing is refused here."""

    def keep(self, *_: Any) -> None:
        """Nothing is kept."""


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    """What the recorder asks."""
    return Upstream()


@pytest.fixture(scope="module")
def mock() -> Iterator[Live]:
    """The mock."""
    with serve(compose(load(EDITION))) as live:
        yield live


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Live]:
    """The recording proxy before that upstream."""
    root: Path = tmp_path_factory.mktemp("recorded") / "kept"
    with serving(upstream) as served, recording_of(f"http://127.0.0.1:{served.port}", root) as proxy:
        yield Live(EDITION, proxy.port, None, [], None)  # type: ignore[arg-type]


@pytest.fixture(params=["mock", "recorder"])
def target(request: pytest.FixtureRequest) -> Live:
    """One and then the other."""
    found: Live = request.getfixturevalue(request.param)
    return found


def head(*headers: str) -> bytes:
    """The head of a chat request with a chunked body and nothing but these headers."""
    lines = ["POST /maas/mt-infini-3b/nvidia/chat/completions HTTP/1.1", *headers, "transfer-encoding: chunked"]
    return "\r\n".join([*lines, "content-type: application/json", "connection: close", "", ""]).encode()


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """One transfer chunk."""
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


GOOD = head("host: localhost", f"authorization: Bearer {KEY}")


def read(live: Live, data: bytes, again: bytes = b"") -> tuple[int, Any]:
    """Send bytes, then others without an end, and read the answer: its status and JSON."""
    raw = b""
    with live.connect() as sock:
        sock.sendall(data + again * (ENOUGH // max(len(again), 1)))
        while part := sock.recv(65_536):
            raw += part
    top, _, body = raw.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body)


ENDLESS = {
    "trailers": (GOOD + chunk(BODY) + b"0\r\n", b"a: b\r\n" * 2000),
    "one trailer's name": (GOOD + chunk(BODY) + b"0\r\n", b"a" * 12_000),
    "one trailer's value": (GOOD + chunk(BODY) + b"0\r\na: ", b"a" * 12_000),
    "one chunk extension": (GOOD + b"5;a=", b"a" * 12_000),
    "extensions of small chunks": (GOOD, chunk(b" ", b";a=" + b"b" * 200) * 60),
    "extensions of the last chunk": (GOOD + chunk(BODY) + b"0;", b"a;" * 6_000),
}


@pytest.mark.parametrize(("first", "again"), ENDLESS.values(), ids=ENDLESS)
def test_what_does_not_end_is_refused(target: Live, first: bytes, again: bytes) -> None:
    """As soon as it is more than a head may have, in the service's shape and without memory."""
    tracemalloc.start()
    try:
        assert read(target, first, again) == (431, LIMITED)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_all_in_one_read(mock: Live) -> None:
    """Trailers that come together with the head are counted too."""
    trailers = b"a: b\r\n" * (HEAD_LIMIT_BYTES // 6 + 1)
    assert read(mock, GOOD + chunk(BODY) + b"0\r\n" + trailers + b"\r\n") == (431, LIMITED)


def test_the_exchange_ends_with_that_answer() -> None:
    """It had begun with the head, and is one, not two."""
    with serve(compose(load(EDITION))) as alone:  # so that no exchange of another test ends meanwhile
        read(alone, *ENDLESS["trailers"])
        exchange = alone.wait_for(1)

        assert (exchange.plan.status if exchange.plan else 0, exchange.client_left) == (431, False)
        assert read(alone, GOOD + chunk(BODY) + b"0\r\n\r\n")[0] == 200
        alone.wait_for(2)
        assert len(alone.exchanges) == 2


SMALL = b"".join(chunk(BODY[at : at + 1]) for at in range(len(BODY)))
FINE = {
    "chunks of one byte": SMALL + b"0\r\n\r\n",
    "many chunks of one byte": chunk(b" ") * 30_000 + SMALL + b"0\r\n\r\n",
    "some extensions": chunk(BODY[:9], b";a=b;c") + chunk(BODY[9:], b';d="e"') + b"0;f\r\n\r\n",
    "some trailers": chunk(BODY) + b"0\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
}


@pytest.mark.parametrize("body", FINE.values(), ids=FINE)
@pytest.mark.parametrize("size", [61, 1_000_000], ids=["in small pieces", "at once"])
def test_what_is_usual_is_read(mock: Live, body: bytes, size: int) -> None:
    """Neither small chunks nor a few extensions and trailers are refused."""
    with mock.connect() as sock:
        for at in range(0, len(GOOD + body), size):
            sock.sendall((GOOD + body)[at : at + size])
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")


TRAILERS = {
    "a fault": (GOOD, b"X-Mock-Fault: status:503", 200),
    "an error": (GOOD, b"X-Mock-Error: rate-limited", 200),
    "the key": (head("host: localhost"), f"Authorization: Bearer {KEY}".encode(), 401),
    "the host": (head(f"authorization: Bearer {KEY}"), b"Host: localhost", 400),
    "the coding": (GOOD, b"Content-Length: 5", 400),
}


@pytest.mark.parametrize(("first", "trailer", "status"), TRAILERS.values(), ids=TRAILERS)
def test_a_trailer_is_no_header(mock: Live, first: bytes, trailer: bytes, status: int) -> None:
    """Its field neither strikes nor lets in (RFC 9110, 6.5.1: it must not be merged into the headers)."""
    assert read(mock, first + chunk(BODY) + b"0\r\n" + trailer + b"\r\n\r\n")[0] == status


def test_a_trailer_is_not_forwarded(recorder: Live, upstream: Upstream) -> None:
    """The upstream is sent the head's fields alone."""
    upstream.names.clear()
    status, _ = read(recorder, GOOD + chunk(BODY) + b"0\r\nX-Leaked: 1\r\nX-Api-Key: 2\r\n\r\n")

    assert status == 200
    assert b"host" in upstream.names
    assert not {b"x-leaked", b"x-api-key"} & set(upstream.names)

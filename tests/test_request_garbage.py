"""What a request leaves behind: nothing that waits for the garbage collector, whatever is asked and however it ends."""

from __future__ import annotations

import gc
import json
import socket
import struct
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import KEY, Live, compose, load, serve
from tests.doors import AsgiDoor, DirectDoor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNT = 40
OURS = ("mockserver", "uvicorn", "asyncio", "starlette")


@pytest.fixture(scope="module", params=[AsgiDoor, DirectDoor])
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """The mock, by each door."""
    with serve(compose(load("2024-tutorial")), door=request.param) as running:
        gc.collect()
        gc.freeze()  # what other tests left is looked at no more: it is most of a collection
        yield running
        gc.unfreeze()


def chat(live: Live, *headers: str, stream: bool = False) -> bytes:
    """A chat request that closes its connection."""
    asked = {"model": live.model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    data = json.dumps(asked).encode()
    lines = [f"POST {live.path()} HTTP/1.1", "host: localhost", f"authorization: Bearer {KEY}", "connection: close"]
    return "\r\n".join([*lines, *headers, f"content-length: {len(data)}", "", ""]).encode() + data


def read(live: Live, data: bytes) -> None:
    """Send a request and read its answer to the end, or to its reset."""
    with live.connect() as sock:
        sock.sendall(data)
        try:
            while sock.recv(65_536):
                pass
        except ConnectionResetError:
            pass


def leave(live: Live, data: bytes) -> None:
    """Send a request, and leave with a reset at the first byte that comes back."""
    sock = live.connect()
    sock.sendall(data)
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def fault(live: Live, name: str) -> None:
    """Ask for a stream and a fault, which acts."""
    before = len(live.exchanges)
    read(live, chat(live, f"x-mock-fault: {name}", stream=True))
    assert live.wait_for(before + 1).faults == (name.partition(";")[0],)


def half_close(live: Live, data: bytes) -> None:
    """Send a request, close the sending side, and read its answer."""
    with live.connect() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65_536):
            pass


CONTROL = b"GET /_mock/%b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
ASKED: dict[str, Callable[[Live], None]] = {
    "answers": lambda live: read(live, chat(live)),
    "streams": lambda live: read(live, chat(live, stream=True)),
    "http 1.0": lambda live: read(live, chat(live).replace(b"HTTP/1.1", b"HTTP/1.0")),
    "refusals": lambda live: read(live, chat(live).replace(b"Bearer", b"Nobody")),
    "a fault that cuts": lambda live: fault(live, "cut;after_frames=1"),
    "a fault that resets": lambda live: fault(live, "reset_peer"),
    "a fault of the framing": lambda live: fault(live, "bad_chunked_framing"),
    "a fault that waits": lambda live: fault(live, "latency;ms=1"),
    "the control API": lambda live: read(live, CONTROL % b"faults"),
    "its refusals": lambda live: read(live, CONTROL % b"faults/x"),
    "unreadable": lambda live: read(live, b"no http\r\n\r\n"),
    "an unreadable body": lambda live: read(live, chat(live, "transfer-encoding: chunked")),
    "clients that leave": lambda live: leave(live, chat(live, "x-mock-fault: stall", stream=True)),
    "clients that close their side": lambda live: half_close(live, chat(live, stream=True)),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_nothing_is_left_to_the_collector(live: Live, asked: Callable[[Live], None]) -> None:
    """After so many requests it finds nothing of ours, of the HTTP server's or of the loop's."""
    assert found(live, asked) == Counter()


def found(live: Live, asked: Callable[[Live], None]) -> Counter[str]:
    """What only the collector frees, by its type, after the requests have ended."""
    for _ in range(3):
        asked(live)
        read(live, chat(live))  # what is made once is made, whichever test comes first
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(COUNT):
            asked(live)
        read(live, chat(live))
        live.mock.namespaces.default.journal.clear()
        gc.collect()
        return Counter(map(kind, gc.garbage))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        if was_on:
            gc.enable()


def kind(one: Any) -> str:
    """Its type with its module."""
    return f"{type(one).__module__}.{type(one).__qualname__}"

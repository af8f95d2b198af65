"""Connections whose deadlines pass when a test says so: a machine that stands still ends none, and nobody waits."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, Final

from mockserver.server.protocol import MockProtocol
from tests.fake_time import FakeLoop
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from tests.conftest import Live

_READS: Final[dict[int, queue.SimpleQueue[int]]] = {}
"""How much each open connection has read each time, by its client's port."""


class Reading(MockProtocol):
    """Tells of each read, so that a test knows that what it sends next comes in another one."""

    def data_received(self, data: bytes) -> None:
        """As ever, and tell."""
        super().data_received(data)
        assert self.client is not None
        _reads(self.client[1]).put(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """As ever, and forget it: the port may be given to another one."""
        super().connection_lost(exc)
        assert self.client is not None
        _READS.pop(self.client[1], None)


def _reads(port: int) -> queue.SimpleQueue[int]:
    return _READS.setdefault(port, queue.SimpleQueue())


class _TimersByHand(FakeLoop):
    """A running loop, but for its clock and its timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def call_later(self, delay: float, callback: Callable[..., None], *args: Any) -> Any:
        """Remember a timer."""
        return self.call_at(self.now + delay, lambda: callback(*args))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class ByHand(Reading):
    """A connection whose time moves by `pass_time` alone."""

    loop: Any

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As ever, on a clock of its own."""
        self.loop = _TimersByHand(self.loop)
        super().connection_made(transport)


def send(sock: socket.socket, *parts: bytes) -> None:
    """Send parts to a server of `Reading` connections, each when the one before has been read."""
    reads = _reads(sock.getsockname()[1])
    for part in parts:
        sock.sendall(part)
        read = 0
        while read < len(part):
            read += reads.get(timeout=WAIT_SECONDS)


def pass_time(live: Live, seconds: float) -> None:
    """Let time pass for the connections of a server of `ByHand`, and wait until what is due has been done."""
    passed = threading.Event()

    def advance() -> None:
        for one in connections:
            one.loop.advance(seconds * 1000)
        passed.set()

    connections = list(live.server.server_state.connections)
    connections[0].loop.call_soon_threadsafe(advance)
    assert passed.wait(WAIT_SECONDS)

"""The one way in which tests run an application of ours on a real socket: in a thread, on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from mockserver.server.protocol import MockProtocol, protocol_for
from mockserver.server.serving import Server, make_server, new_event_loop, tcp_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_SECONDS: Final = 60.0
"""How long a test waits for a socket, a thread or a process before it fails; only what hangs takes so long."""


@dataclass(frozen=True)
class Served:
    """A running application.

    Attributes:
        port: On 127.0.0.1.
        server: uvicorn's server, for its tasks and connections.
    """

    port: int
    server: Server

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serving(
    app: Any, refuser: Any = None, *, protocol: type[MockProtocol] = MockProtocol, grace_seconds: float = 1
) -> Iterator[Served]:
    """Serve an application, and stop it cleanly.

    Args:
        app: An ASGI application.
        refuser: Who says what a request gets that cannot be read; None for the application itself.
        protocol: The class of its connections.
        grace_seconds: How long answers in flight may go on at the end.
    """
    listening = tcp_socket("127.0.0.1", 0)
    ready = threading.Event()
    server = make_server(
        app, ready.set, grace_seconds, protocol_for(refuser or app, getattr(app, "chats", None), protocol)
    )
    stop: list[Callable[[], object]] = []

    async def until_stopped() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(over.set))
        await server.on_tick(0)
        await over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(server.serve(sockets=[listening]))

    server.main_loop = until_stopped  # type: ignore[method-assign]  # the real one looks ten times a second
    thread = threading.Thread(target=run, daemon=True)
    with patch("mockserver.server.serving.gc"):  # a collection of the whole test run's heap takes longer than the test
        thread.start()
        assert ready.wait(WAIT_SECONDS), "the server did not start"
    try:
        yield Served(listening.getsockname()[1], server)
    finally:
        stop[0]()
        thread.join(WAIT_SECONDS)
        listening.close()
        assert not thread.is_alive(), "the server did not stop"

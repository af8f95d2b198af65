"""The mock inside a Python program: in a thread on a real socket, or as an ASGI application without one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Final, Self, Unpack

from mockserver.settings.keywords import AppKeywords, Keywords, config_of
from mockserver.testing.running_mock import RunningMock

if TYPE_CHECKING:
    import socket

    from starlette.types import Receive, Scope, Send

    from mockserver.server.app import App
    from mockserver.server.mock import Mock
    from mockserver.settings.config import Config

STOP_SECONDS: Final = 10.0


def asgi_app(config: Config | None = None, **settings: Unpack[AppKeywords]) -> App:
    """The mock as an ASGI application, say for `httpx.ASGITransport`, with its control API under `/_mock/`.

    It belongs to the event loop of its first request. Faults that are made of network writes need a socket; they get
    a 400 that says so. A transport that reads an answer whole before it returns cannot show a stream's pace.

    Args:
        config: A whole configuration, of which what a socket or `serve` alone needs does not count.
        settings: Single settings; they count before the configuration's.

    Raises:
        OperatorError: a setting, a profile or a fixture is wrong.
    """
    from mockserver.server.app import App
    from mockserver.server.guard import Guard
    from mockserver.settings.assemble import build

    chosen = config_of(settings, config, AppKeywords.__optional_keys__)
    return App(build(chosen), Guard(chosen.control_token) if chosen.control else None, page=chosen.ui)


class MockServer(RunningMock):
    """A mock in a thread of this process, on a free port: `with MockServer() as mock:`, or with `async with`.

    Args:
        config: A whole configuration, of which the settings that `serve` alone has (`uds`, `port_file`, `log_format`,
            `log_level`) do not count; None takes the defaults, but a free port and no grace time.
        settings: Single settings; they count before the configuration's.

    Raises:
        OperatorError: a setting is unknown or its value is not allowed.
    """

    def __init__(self, config: Config | None = None, **settings: Unpack[Keywords]) -> None:
        self._config = config_of(settings, config)
        self._running: _Running | None = None

    def start(self) -> Self:
        """Listen; returns when connections are accepted.

        Raises:
            OperatorError: the address cannot be had, a profile or a fixture is wrong, or uvicorn cannot be used.
            RuntimeError: it is started already, or the thread failed.
        """
        from mockserver.server.app import App
        from mockserver.server.guard import guard_of
        from mockserver.server.serving import address_of, tcp_socket
        from mockserver.server.uvicorn_fit import connection_class
        from mockserver.settings.assemble import build

        if self._running is not None:
            raise RuntimeError("this mock is started already; stop it first, or make another one")
        mock = build(self._config)
        connection_class()  # nothing is opened where uvicorn cannot be used
        listening = tcp_socket(self._config.host, self._config.port)
        config = self._config
        guard = guard_of(listening, config.host, config.control_token) if config.control else None
        super().__init__(address_of(listening), guard.token if guard else None)
        running = _Running(App(mock, guard, page=self._config.ui), listening, self._config.grace_seconds, mock)
        running.start()
        self._running = running
        return self

    def stop(self) -> None:
        """Stop listening, cut what is still being answered after the grace time, and end the thread.

        Raises:
            RuntimeError: the thread did not end in time.
        """
        running, self._running = self._running, None
        if running is not None and not running.stop():
            raise RuntimeError("the mock did not end in time; its thread is a daemon and goes with the program")

    @property
    def url(self) -> str:
        """Its address, without a slash at the end; raises RuntimeError before it is started."""
        if self._running is None:
            raise RuntimeError("this mock is not started; use it in a with statement, or call start()")
        return super().url

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)


class _Running:
    """The server on its own loop, in a thread of its own."""

    def __init__(self, app: App, listening: socket.socket, grace_seconds: float, mock: Mock) -> None:
        from mockserver.server.serving import make_server, new_event_loop
        from mockserver.server.uvicorn_fit import connection_for

        self._listening = listening
        self._grace_seconds = grace_seconds
        self._runner = asyncio.Runner(loop_factory=new_event_loop)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        grace = grace_seconds + STOP_SECONDS
        connection = connection_for(mock, app.chats)
        self._server = make_server(_Cancellable(app), self._ready.set, grace, connection, mock.namespaces)
        self._thread = threading.Thread(target=self._serve, name="genstudio-mock", daemon=True)

    def start(self) -> None:
        """Start, or raise what went wrong."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise RuntimeError(f"the mock did not start: {self._failure!r}") from self._failure

    def stop(self) -> bool:
        """Stop; whether the thread has ended."""
        self._server.should_exit = True
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._runner.get_loop().call_soon_threadsafe(self._cut_later)
        self._thread.join(self._grace_seconds + STOP_SECONDS)
        return not self._thread.is_alive()

    def _cut_later(self) -> None:
        """Let answers in flight go on for the grace time, then cut them."""
        asyncio.get_running_loop().call_later(self._grace_seconds, self._cut)

    def _cut(self) -> None:
        for task in self._server.server_state.tasks:
            task.cancel()

    def _serve(self) -> None:
        try:
            with self._runner:
                self._runner.run(self._server.serve(sockets=[self._listening]))
        except BaseException as error:  # noqa: BLE001 - handed to the one who started the thread
            self._failure = error
        finally:
            self._listening.close()
            self._ready.set()


class _Cancellable:
    """The application, for which being cancelled at the end is no error that anyone should read of."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self._app(scope, receive, send)

"""The mock inside a Python program: in a thread on a real socket, or as an ASGI application without one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, Unpack

from mockserver.core.errors import OperatorError, suggestion
from mockserver.settings.config import SETTINGS, Config
from mockserver.settings.value_kinds import Place
from mockserver.testing.running_mock import RunningMock

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from starlette.types import Receive, Scope, Send

    from mockserver.pipeline.pace import PaceSettings
    from mockserver.server.app import App
    from mockserver.server.connection import Refuser

STOP_SECONDS: Final = 10.0


class Settings(TypedDict, total=False):
    """Settings of a mock, as in the configuration file; `genstudio-mock serve --help` tells of each."""

    host: str
    port: int
    edition: str
    profiles: Sequence[Path | str]
    fixtures: Sequence[Path | str]
    model: Sequence[str]
    strict: bool
    pace: str | PaceSettings
    seed: int
    clock: str
    api_key: Sequence[str]
    control_token: str
    grace_seconds: float


DEFAULTS: Final[Settings] = {"port": 0, "grace_seconds": 0.0}


def config_of(settings: Settings) -> Config:
    """A configuration from settings alone: no file, no variable; a free port and no grace time by default.

    Raises:
        OperatorError: a setting is unknown or its value is not allowed.
    """
    values: dict[str, Any] = {}
    for name, value in {**DEFAULTS, **settings}.items():
        row = SETTINGS.get(name)
        if row is None:
            raise OperatorError(f"{name}: unknown setting; {suggestion(name, Settings.__annotations__)}")
        given: Any = [_plain(one) for one in value] if row.many and not isinstance(value, str) else _plain(value)  # type: ignore[attr-defined]
        values[name] = row.read(given, Place(name, Path()), text=isinstance(given, str))
    return Config(**values)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def asgi_app(config: Config | None = None, **settings: Unpack[Settings]) -> App:
    """The mock as an ASGI application, say for `httpx.ASGITransport`, with its control API under `/_mock/`.

    It belongs to the event loop of its first request. Faults that are made of network writes need a socket; they get
    a 400 that says so. A transport that reads an answer whole before it returns cannot show a stream's pace.

    Args:
        config: A whole configuration; None makes one of the settings.
        settings: Single settings.

    Raises:
        OperatorError: a setting, a profile or a fixture is wrong.
    """
    from mockserver.server.app import App
    from mockserver.settings.assemble import build

    return App(build(config or config_of(settings)))


class MockServer(RunningMock):
    """A mock in a thread of this process, on a free port: `with MockServer() as mock:`, or with `async with`.

    Args:
        config: A whole configuration; None makes one of the settings.
        settings: Single settings.

    Raises:
        OperatorError: a setting is unknown or its value is not allowed.
    """

    def __init__(self, config: Config | None = None, **settings: Unpack[Settings]) -> None:
        self._config = config or config_of(settings)
        self._running: _Running | None = None

    def start(self) -> Self:
        """Listen; returns when connections are accepted.

        Raises:
            OperatorError: the address cannot be had, or a profile or a fixture is wrong.
            RuntimeError: it is started already, or the thread failed.
        """
        from mockserver.server.app import App
        from mockserver.server.guard import guard_of
        from mockserver.server.serving import address_of, tcp_socket
        from mockserver.settings.assemble import build

        if self._running is not None:
            raise RuntimeError("this mock is started already; stop it first, or make another one")
        mock = build(self._config)
        listening = tcp_socket(self._config.host, self._config.port)
        config = self._config
        guard = guard_of(listening, config.host, config.control_token) if config.control else None
        super().__init__(address_of(listening), guard.token if guard else None)
        running = _Running(App(mock, guard), listening, self._config.grace_seconds, mock)
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

    def __init__(self, app: App, listening: socket.socket, grace_seconds: float, refuser: Refuser) -> None:
        from mockserver.server.protocol import protocol_for
        from mockserver.server.serving import make_server, new_event_loop

        self._listening = listening
        self._grace_seconds = grace_seconds
        self._runner = asyncio.Runner(loop_factory=new_event_loop)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        grace = grace_seconds + STOP_SECONDS
        self._server = make_server(_Cancellable(app), self._ready.set, grace, protocol_for(refuser))
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

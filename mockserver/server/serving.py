"""Running the application on a real socket, with signals and a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from uvicorn.config import Config
from uvicorn.server import Server as UvicornServer

from mockserver.core.errors import OperatorError
from mockserver.core.web_address import bare_host, in_url
from mockserver.server.connection import NO_WRITES_KEY
from mockserver.server.namespace import StateLostError
from mockserver.server.uvicorn_fit import connection_for, unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from ssl import SSLContext

    from starlette.types import Receive, Scope, Send
    from uvicorn.server import Protocols

    from mockserver.server.connection import Refuser
    from mockserver.server.namespace import Namespaces
    from mockserver.server.sharing import Door

log = logging.getLogger("mockserver")

KEEP_ALIVE_SECONDS = 75
BACKLOG = 4096
OLDEST_UVLOOP = (0, 23)
GC_ALLOCATIONS = (2_000, 200, 50)
"""After how many objects, collections of the young and collections of the old each kind begins: what is young is looked
through in a millisecond or two, since paced streams wait meanwhile; what is old is mostly what the journal keeps."""

TURN_SECONDS = 0.001
"""How long a thread holds the interpreter while the loop waits for it: streams are late by that at most."""


def _nothing() -> None: ...


class Server(UvicornServer):
    """uvicorn's server that tells from when to when connections are accepted, and ends with exit code 0 after a signal.

    Stock uvicorn raises the signal again when it is done and so exits with 143 after SIGTERM, which CI reads as a
    failure.

    Attributes:
        door: Where connections come in that several processes share; None where this one has its sockets to itself.
    """

    def __init__(
        self,
        config: Config,
        on_ready: Callable[[], None],
        namespaces: Namespaces | None = None,
        on_closing: Callable[[], None] = _nothing,
    ) -> None:
        super().__init__(config)
        self.door: Door | None = None
        self._on_ready = on_ready
        self._namespaces = namespaces
        self._on_closing = on_closing

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM from here on; a second SIGINT ends at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            handled.append(signal.SIGBREAK)
        before = {one: signal.signal(one, self.handle_exit) for one in handled}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so once connections are accepted."""
        if self._namespaces is not None:
            try:
                await self._namespaces.open()
            except StateLostError as lost:
                raise OperatorError(f"--state: {lost}") from None
        if self.door is None:
            await super().startup(sockets)
        else:
            await super().startup([])
            await self.door.open(self._connection, self.server_state, self.config)
            self.servers = [self.door]  # type: ignore[list-item]  # it is closed like one of asyncio's
        if self.started:
            self._on_ready()

    def _connection(self) -> Protocols:
        made: Protocols = self.config.http_protocol_class(  # type: ignore[assignment, call-arg]  # as uvicorn makes one
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that no more connections will be accepted, then let the answers in flight end; what they set is kept."""
        self._on_closing()
        try:
            await super().shutdown(sockets)
        finally:
            if self._namespaces is not None:
                await self._namespaces.close()


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process in order, with exit code 0, also while no server handles it yet."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def tcp_socket(host: str, port: int, *, reused: bool = False) -> socket.socket:
    """A listening socket; raises OperatorError where the address cannot be had.

    Where it is `reused`, others of this user may listen on its port too, if theirs are.

    Made with IPPROTO_TCP by name: asyncio sets TCP_NODELAY only where the protocol is given, and without it each
    answer on a kept connection waits 40 ms. An IPv6 address may stand in brackets, as in a URL.
    """
    bare = bare_host(host)
    try:
        family, kind, _, _, address = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        made = socket.socket(family, kind, socket.IPPROTO_TCP)
    except UnicodeError:
        raise OperatorError(f"--host {host}: no name of a host; a part between dots has 1 to 63 characters") from None
    except OSError as error:
        allowed = "an address of this machine, like 127.0.0.1, or 0.0.0.0 for all of them"
        raise OperatorError(f"--host {host}: {error.strerror or error}; allowed: {allowed}") from None
    try:
        if sys.platform != "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reused and sys.platform == "linux":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise OperatorError(
            f"--port {port}: {in_url(bare)}:{port} cannot be bound: {error.strerror or error}; "
            "--port 0 takes a free one, and genstudio-mock doctor tells who has this one"
        ) from None
    made.setblocking(False)
    return made


def unix_socket(path: Path) -> socket.socket:
    """A listening socket in the file system; a socket that nobody listens on is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise OperatorError("--uds: this system has no Unix sockets; use --host and --port")
    if path.is_socket():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                path.unlink(missing_ok=True)
            else:
                raise OperatorError(f"--uds {path}: another server listens there")
    elif path.exists():
        raise OperatorError(f"--uds {path}: exists and is not a socket")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise OperatorError(f"--uds {path}: {error.strerror or error}") from None
    made.setblocking(False)
    return made


def address_of(listening: socket.socket, scheme: str = "http") -> str:
    """The URL under which a listening socket is reached from this machine, or `unix:` and the path."""
    name = listening.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host, port = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name[0], name[0]), name[1]  # noqa: S104 - read, not bound
    return f"{scheme}://{in_url(host)}:{port}"


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop where it is installed, else of asyncio.

    uvloop before 0.23 takes a reset that comes with data for an end of the stream, which a recording would then hold.
    """
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    release: str = uvloop.__version__  # type: ignore[attr-defined]  # it is there, and not listed
    if tuple(int(part) for part in release.split(".")[:2]) < OLDEST_UVLOOP:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def make_server(
    app: Any,
    on_ready: Callable[[], None],
    grace_seconds: float,
    http: Callable[..., asyncio.Protocol] | str | None,
    namespaces: Namespaces | None = None,
    on_closing: Callable[[], None] = _nothing,
    tls: SSLContext | None = None,
) -> Server:
    """A server for an application.

    Args:
        app: The application.
        on_ready: Called once connections are accepted.
        grace_seconds: How long answers in flight may go on after a signal.
        http: What makes the protocol of a connection: `connection_for(mock)`, which is None where ours does not fit, or
            one that uvicorn knows by name.
        namespaces: Opened before connections are accepted, and closed when none is left.
        on_closing: Called when no more connections will be accepted, before answers in flight are waited for.
        tls: For https; None serves plain HTTP.
    """
    if http is None:
        log.warning(unfit())
        app, http = _Foreign(app), "auto"
    config = Config(
        app,
        loop="none",
        http=http,  # type: ignore[arg-type]  # any callable will do
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # no client may say that it is another one
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,  # type: ignore[arg-type]
        backlog=BACKLOG,
    )
    if tls is not None:
        config.load()
        config.ssl = tls
    return Server(config, on_ready, namespaces, on_closing)


class _Foreign:
    """The application on a connection that is not ours."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # the server stops: the client sees a cut
            await self._app({**scope, NO_WRITES_KEY: unfit()}, receive, send)


def run(
    app: Any,
    listening: socket.socket | Door,
    on_ready: Callable[[], None],
    grace_seconds: float,
    refuser: Refuser,
    namespaces: Namespaces | None = None,
    on_closing: Callable[[], None] = _nothing,
    tls: SSLContext | None = None,
) -> None:
    """Serve until a signal comes; returns when the answers in flight are done or their grace time is over.

    Args:
        app: The application; where it has `chats`, plain chats come in by them.
        listening: Where it is served: a socket, or the door of one of several processes.
        on_ready: Called once connections are accepted.
        grace_seconds: How long answers in flight may go on after a signal.
        refuser: Who says what a request gets that cannot be read.
        namespaces: Opened before connections are accepted, and closed when none is left.
        on_closing: Called when no more connections will be accepted, before answers in flight are waited for.
        tls: For https; None serves plain HTTP.
    """

    def ready() -> None:
        gc.collect()
        gc.set_threshold(*GC_ALLOCATIONS)
        gc.freeze()  # here and not in Server: a process of ours has nothing to collect later, a user's process has
        on_ready()

    told = logging.getLogger("uvicorn.error")
    told.addFilter(_is_worth_telling)
    turn_seconds = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            connection = connection_for(refuser, getattr(app, "chats", None))
            server = make_server(app, ready, grace_seconds, connection, namespaces, on_closing, tls)
            if isinstance(listening, socket.socket):
                runner.run(server.serve(sockets=[listening]))
            else:
                server.door = listening
                runner.run(server.serve(sockets=[]))
    finally:
        sys.setswitchinterval(turn_seconds)
        told.removeFilter(_is_worth_telling)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Not that a request cannot be read, nor that answers were cut by the grace time's end: both are told otherwise."""
    return not str(record.msg).startswith(("Invalid HTTP request received", "Cancel %s running task(s)"))

"""Whether our connection fits the installed uvicorn: it extends what uvicorn does not promise to keep.

An answer is rehearsed before one is served: a connection of ours is fed requests and must write what is due. A uvicorn
with which it does not is used as it comes, without what its own connection cannot do.
"""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn
from uvicorn.config import Config
from uvicorn.server import Server, ServerState

from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Plan, Request
from mockserver.core.route import Route
from mockserver.server.connection import CONNECTION_KEY
from mockserver.server.known_heads import KnownHead

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.core.errors import Refusal
    from mockserver.core.exchange import Exchange, Headers
    from mockserver.server.chat_turns import WholeChat
    from mockserver.server.connection import ChatDoor, Refuser, WholeWriter
    from mockserver.server.protocol import MockProtocol

KNOWN: Final = "0.29 to 0.54"
"""The releases that the tests have passed with: the lowest and the pinned one."""
SERVER_NAMES: Final = ("startup", "shutdown", "capture_signals", "handle_exit")
"""Methods that our server calls or replaces, and cannot do without."""

_REHEARSAL: Final = (
    (
        b"POST /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-c: d\r\n\r\nHTTP/1.1 400 ",
    ),
    (
        b"POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nconnection: close\r\n\r\nhiHTTP/1.1 400 ",
    ),
    (
        b"POST /direct HTTP/1.1\r\n\r\nat once",
        b"HTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n7\r\nat once\r\n0\r\n\r\nHTTP/1.1 400 ",
    ),
    (
        b"POST /direct HTTP/1.1\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-c: d\r\n\r\nHTTP/1.1 400 ",
    ),
)
"""What is sent, and what must be written then."""


@lru_cache(maxsize=1)
def connection_class() -> type[MockProtocol] | None:
    """Our connection; None where it does not fit.

    Raises:
        OperatorError: not even uvicorn's server is as we need it.
    """
    lacking = [name for name in SERVER_NAMES if not hasattr(Server, name)]
    if lacking:
        raise OperatorError(
            f"uvicorn {uvicorn.__version__}: its Server has no {lacking[0]}; genstudio-mock knows {KNOWN}: "
            f"pip install 'uvicorn<={KNOWN.split()[-1]}'"
        )
    log = logging.getLogger("uvicorn.error")
    before, log.disabled = log.disabled, True
    try:
        from mockserver.server.protocol import MockProtocol

        fits = all(_rehearsed(MockProtocol, asked).startswith(due) for asked, due in _REHEARSAL)
    except Exception:  # noqa: BLE001 - whatever comes of names and signatures that are not there
        return None
    finally:
        log.disabled = before
    return MockProtocol if fits else None


def connection_for(refuser: Refuser, chats: ChatDoor | None = None) -> partial[MockProtocol] | None:
    """What makes the protocol of each connection of a server; None where ours does not fit.

    Args:
        refuser: Who says what a request gets that cannot be read.
        chats: The chats' way in without ASGI; None for an application that has none.

    Raises:
        OperatorError: not even uvicorn's server is as we need it.
    """
    connection = connection_class()
    return None if connection is None else partial(connection, refuser=refuser, chats=chats)


def need_own_connection(what: str) -> None:
    """Raise OperatorError where `what` cannot do without our connection."""
    if connection_class() is None:
        raise OperatorError(
            f"{what}: uvicorn {uvicorn.__version__} is unlike those that genstudio-mock knows ({KNOWN}): "
            f"pip install 'uvicorn<={KNOWN.split()[-1]}'"
        )


def unfit() -> str:
    """What is lost where our connection does not fit, in one line."""
    return (
        f"uvicorn {uvicorn.__version__} is unlike those that genstudio-mock knows ({KNOWN}): faults made of network "
        "writes are refused, and slow, large or unreadable requests are left to uvicorn"
    )


def _rehearsed(protocol: type[MockProtocol], asked: bytes) -> bytes:
    """What a connection writes when it is sent these bytes, and then what it cannot read."""
    config = Config(_answer, loop="none", http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    loop, transport = _Loop(), _Transport()
    silent = cast("asyncio.AbstractEventLoop", loop)
    connection = protocol(config, ServerState(), {}, silent, refuser=_Refuser(), chats=_Chats())
    connection.connection_made(transport)
    connection.data_received(asked)
    for coroutine in loop.started:
        try:
            coroutine.send(None)
        except StopIteration:
            continue
        coroutine.close()
    connection.send_400_response("unreadable")
    connection.connection_lost(None)
    return bytes(transport.written)


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    """The rehearsed answer: all that the performer does with a connection, and nothing that waits."""
    connection = scope[CONNECTION_KEY]
    body = (await receive())["body"]
    connection.write_head(200, ((b"X-A", b"b"),))
    connection.write_part(body)
    await connection.drained()
    connection.write_trailers(((b"x-c", b"d"),))
    await send({"type": "http.response.body", "body": b""})


class _Refuser:
    """Who answers what cannot be read, in the rehearsal."""

    def refusal(self, refusal: Refusal, asked: Request) -> Plan:  # noqa: ARG002 - as the connection asks
        return Plan(400, (), (b"",))

    def keep(self, exchange: Exchange) -> None:
        """Nothing is kept."""


class _Chats:
    """The way in without ASGI, in the rehearsal."""

    def find(self, data: bytes) -> KnownHead | None:
        """What is asked of `/direct`."""
        head, end, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"POST /direct "):
            return None
        size, asked = len(head + end), Request("POST", "/direct")
        return KnownHead(size, size + len(body), asked, asked, asked, (), "", Route(), keeps_alive=True)

    def learn(self, data: bytes, headers: Headers, url: bytes, *, keeps_alive: bool) -> None:
        """Nothing is kept."""

    def begin(self, head: KnownHead) -> Any:
        """Nothing begins."""

    def come(self, chat: WholeChat) -> None:
        """None comes: there is one connection."""

    def decide(self, begun: Any, head: KnownHead, body: bytes) -> Plan | None:  # noqa: ARG002
        """The body, where it asks to be said at once."""
        return Plan(200, ((b"X-A", b"b"),), (body,)) if body == b"at once" else None

    def answer(self, begun: Any, plan: Plan | None, writer: WholeWriter) -> ASGIApp | None:  # noqa: ARG002
        """Say what was decided."""
        return None if plan and writer.write_whole(plan.status, plan.headers, plan.frames) else _answer

    def end(self, begun: Any) -> None:
        """Nothing ends."""

    def rest(self, begun: Any) -> ASGIApp:  # noqa: ARG002
        """What answers when the parser has read the body."""
        return _answer


class _Loop:
    """A loop on which nothing runs."""

    def __init__(self) -> None:
        self.started: list[Coroutine[Any, Any, object]] = []

    def create_task(self, coro: Any, **_: Any) -> Any:
        self.started.append(coro)
        return _Task()

    def call_later(self, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(cancel=lambda: None)

    def time(self) -> float:
        return 0.0


class _Task:
    def add_done_callback(self, _: Callable[[Any], None]) -> None: ...


class _Transport(asyncio.Transport):
    """A transport to nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...

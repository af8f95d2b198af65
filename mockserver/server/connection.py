"""The client's connection: what the performer may ask of it, and what any ASGI server gives of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Receive

    from mockserver.core.errors import Refusal
    from mockserver.core.exchange import Exchange, Headers, Plan, Request
    from mockserver.server.chat_turns import WholeChat
    from mockserver.server.known_heads import KnownHead

CONNECTION_KEY: Final = "genstudio_mock.connection"
"""Where our own server puts the `Connection` into the ASGI scope."""
NO_WRITES_KEY: Final = "genstudio_mock.no_writes"
"""Where the server says why there is no `Connection`, on a socket that is not ours."""


class Refuser(Protocol):
    """Who says how the connection answers a request that it cannot read, or that does not come."""

    def refusal(self, refusal: Refusal, asked: Request) -> Plan:
        """The plan of a refusal."""

    def keep(self, exchange: Exchange) -> None:
        """Keep an exchange of which no application was told."""


class Connection(Protocol):
    """What the performer may ask of the client's connection."""

    @property
    def gone(self) -> bool:
        """Whether the client has left."""

    def cut(self) -> None:
        """Close now, without the body's end, so that the client sees a cut."""

    async def reset(self) -> None:
        """Close with a TCP RST, after what was written has left."""

    def write(self, data: bytes) -> None:
        """Write bytes past the HTTP layer, which then takes the answer for sent."""

    def write_head(self, status: int, headers: Headers) -> bool:
        """Begin the answer with header names in their own case; False where only ASGI's `send` can begin it."""

    @property
    def refused(self) -> Plan | None:
        """What the connection answered itself, while the application waited for the rest of a body."""

    def write_part(self, data: bytes) -> bool:
        """Send a part of a body that has begun and does not end here; False where only ASGI's `send` can."""

    @property
    def paused(self) -> bool:
        """Whether more is waiting to be sent than the socket takes."""

    def write_trailers(self, trailers: Headers) -> None:
        """End a chunked body with headers behind it."""

    async def drained(self) -> None:
        """Wait until the client has taken enough to write more."""

    async def left(self) -> None:
        """Wait until the client has left."""

    @property
    def left_at(self) -> float | None:
        """When the client closed its side, in seconds on the loop's clock; None where that is not known."""

    def when_left(self, tell: Callable[[], None] | None) -> None:
        """Have `tell` called as soon as the client has left; None calls nobody."""


class WholeWriter(Protocol):
    """A connection of ours, to which an answer can be written in one call."""

    def write_whole(self, status: int, headers: Headers, parts: Sequence[bytes]) -> bool:
        """Write a whole answer, each part as one send would write it; False where only ASGI's `send` can."""


class ChatDoor(Protocol):
    """The chats' way in without ASGI, for heads that were read before."""

    def find(self, data: bytes) -> KnownHead | None:
        """The known head that data begins with; None where it does not, or where more than its request is there."""

    def learn(self, data: bytes, headers: Headers, url: bytes, *, keeps_alive: bool) -> None:
        """Know the head at the beginning of data from now on, where it is one of a plain chat."""

    def begin(self, head: KnownHead) -> Any:
        """Begin an exchange: its head is there. What is given is handed back to the others."""

    def come(self, chat: WholeChat) -> None:
        """Have a chat answered whose body is there: `decide`, and in the same turn `answer` and `end`."""

    def decide(self, begun: Any, head: KnownHead, body: bytes) -> Plan | None:
        """What is answered; None where that is not decided at once."""

    def answer(self, begun: Any, plan: Plan | None, writer: WholeWriter) -> ASGIApp | None:
        """Write what was decided; where that is not done at once, the application that does the rest."""

    def end(self, begun: Any) -> None:
        """Keep an exchange that was answered."""

    def rest(self, begun: Any) -> ASGIApp:
        """The application that does the rest of an exchange whose body has not come."""


class NotWritableError(RuntimeError):
    """A plan of network writes met a connection that is not a socket of ours."""


class WatchedConnection:
    """A connection known only through ASGI's `receive`, for servers that are not ours."""

    left_at: float | None = None
    refused: Plan | None = None

    def __init__(self, receive: Receive) -> None:
        self._gone = False
        self._tell: Callable[[], None] | None = None
        self._watch = asyncio.ensure_future(self._wait(receive))

    @property
    def gone(self) -> bool:
        """Whether `http.disconnect` has come."""
        return self._gone

    def cut(self) -> None:
        """Nothing can be done beyond not ending the body."""
        self._gone = True

    async def reset(self) -> None:
        """As `cut`."""
        self._gone = True

    def write(self, data: bytes) -> None:
        """There is no socket here; plans of network writes are refused before they come so far."""
        raise NotWritableError(len(data))

    def write_head(self, status: int, headers: Headers) -> bool:  # noqa: ARG002 - as the protocol says
        """Nothing is written: ASGI has names in lower case only."""
        return False

    def write_part(self, data: bytes) -> bool:  # noqa: ARG002 - as the protocol says
        """Nothing is written: there is no socket here."""
        return False

    @property
    def paused(self) -> bool:
        """ASGI's `send` waits where it must."""
        return False

    def write_trailers(self, trailers: Headers) -> None:
        """They are left out: the server writes the body's end."""

    async def drained(self) -> None:
        """Nothing is ever written."""

    async def left(self) -> None:
        """Wait for `http.disconnect`."""
        await self._watch

    def when_left(self, tell: Callable[[], None] | None) -> None:
        """Have `tell` called when `http.disconnect` comes."""
        self._tell = tell

    def release(self) -> None:
        """Stop watching."""
        self._watch.cancel()

    async def _wait(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if self._tell is not None:
            self._tell()

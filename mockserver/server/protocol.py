"""The connection that a mock has: limits, and behind them two doors for chats, with and without ASGI.

A chat whose head is known goes the direct way (`direct_chats.py`). What that cannot answer goes on as an application's
task, as if the parser had read it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from mockserver.core.exchange import Ending, Exchange
from mockserver.server.client_connection import ClientConnection, WholeAnswer
from mockserver.server.limited_protocol import LimitedProtocol, connected

if TYPE_CHECKING:
    from mockserver.core.exchange import Plan
    from mockserver.server.connection import ChatDoor
    from mockserver.server.known_heads import KnownHead


class MockProtocol(LimitedProtocol):
    """One client connection.

    Args:
        args: As for `LimitedProtocol`, and so are `options`.
        chats: The chats' way in without ASGI; None where there is none.
    """

    _writer: WholeAnswer

    def __init__(self, *args: Any, chats: ChatDoor | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._chats = chats
        self._first_read = b""
        self._chat: _DirectChat | None = None
        self._answered_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """What writes whole answers is made once."""
        super().connection_made(transport)
        self._writer = WholeAnswer(transport, self.flow, self.server_state)

    def connection_lost(self, exc: Exception | None) -> None:
        """What has begun goes the parser's way, which knows of clients that leave."""
        self._leave_to_parser()
        if exc is not None:
            self._keep_half_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what belongs to a chat with a known head; the parser takes all else."""
        if self._chat is not None and not self._lingering:
            self._chat.data += data
            self._take_chat(self._chat)
            return
        if self._chats is not None and not (self._in_head or self._in_body or self._lingering):
            head = self._chats.find(data)
            if head is not None and (self.cycle is None or self.cycle.response_complete):
                self._take_chat(_DirectChat(self, self._chats, head, data))
                return
            self._first_read = data
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The head is whole, and is known from now on where it is one of a plain chat."""
        super().on_headers_complete()
        if self._first_read and self._chats is not None and self._in_body:
            self._chats.learn(self._first_read, tuple(self.headers), self.url, keeps_alive=self.cycle.keep_alive)
            self._first_read = b""

    def _take_chat(self, chat: _DirectChat) -> None:
        """Have a chat with a known head answered when its body is there: the parser need not see it."""
        missing, began_before, self._chat = chat.head.request_size - len(chat.data), self._chat is chat, chat
        if missing < 0:  # the next request came with its end
            self._leave_to_parser()
        elif missing == 0:
            self._disarm()
            if len(self.connections) > 1:
                chat.door.come(chat)
            elif chat.decide() and chat.write():  # nobody else can come: to wait for a turn would only take time
                chat.end()
        elif not began_before:
            chat.begin()
            self._arm(self.body_seconds)

    def _leave_to_parser(self) -> None:
        """Go the parser's way with a chat of which the body does not come, or not alone."""
        chat, self._chat = self._chat, None
        if chat is None:
            return
        size, served = chat.head.size, self.app
        self.app = chat.door.rest(chat.begin())
        try:
            self._parse(chat.data[:size])
        finally:
            self.app = served
        if len(chat.data) > size:
            self._parse(chat.data[size:])

    def is_due(self, chat: _DirectChat) -> bool:
        """Whether a chat that came is still to be answered here; it may have gone the parser's way meanwhile."""
        return self._chat is chat

    def fail(self, error: Exception) -> None:
        """Tell of an exception as uvicorn does, and close."""
        self._chat = None
        self.logger.error("Exception in ASGI application\n", exc_info=error)
        self.transport.close()

    def answer(self, chat: _DirectChat, plan: Plan | None) -> bool:
        """Write what was decided; what is not written at once goes on as an application's task, and False is given."""
        self._chat = None
        self._head_bytes = 0
        head, writer = chat.head, self._writer
        writer.keeps_alive = head.keeps_alive
        rest: Any = chat.door.answer(chat.begun, plan, writer)
        if rest is None:
            self.server_state.total_requests += 1
            self._keep_open()
            return True
        self._go_on(head, chat.data[head.size :], rest)
        return False

    def _go_on(self, head: KnownHead, body: bytes, rest: Any) -> None:
        """Have an application do the rest, as if the parser had read the request."""
        self._unset_keepalive_if_required()
        self.on_message_begin()
        self._in_head = False
        self.headers += head.headers
        self.scope["method"], self.scope["path"] = head.asked.method, head.asked.path
        self.scope["query_string"] = head.asked.query.encode("latin-1")
        cycle = self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=head.keeps_alive,
            on_response=self.on_response_complete,
        )
        cycle.body += body
        cycle.more_body = False
        cycle.message_event.set()
        connection = ClientConnection(self)
        connection.cycle = cycle
        task = self.loop.create_task(cycle.run_asgi(connected(rest, connection)))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _keep_open(self) -> None:
        """Keep the connection open behind an answer; a timer that runs already looks at its end how long it is ago."""
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing was asked for so long."""
        self.timeout_keep_alive_task = None
        if self._chat is not None:
            return
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """The server ends: a chat that has begun is waited for."""
        self._leave_to_parser()
        super().shutdown()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client says no more: what it began goes the parser's way, which knows of that."""
        self._leave_to_parser()
        self._keep_half_head()
        return super().eof_received()

    def _keep_half_head(self) -> None:
        """A client left, or says no more, amid the head of a request: that is told as it is of half a body."""
        if self._in_head and not self._lingering:
            asked, self._in_head = self._asked_so_far(), False
            self._refuser.keep(Exchange(asked, ending=Ending.CUT, client_left=True))

    def _let_go(self) -> None:
        """A body does not come: the parser's way knows how to refuse it."""
        self._leave_to_parser()
        super()._let_go()


class _DirectChat:
    """A chat with a known head whose body comes, or has come.

    Attributes:
        door: Its way in.
        head: Its head.
        begun: What the door has begun; None where its turn has not come.
        data: What was received of it, from its first byte on.
    """

    __slots__ = ("_connection", "_plan", "begun", "data", "door", "head")

    def __init__(self, connection: MockProtocol, door: ChatDoor, head: KnownHead, data: bytes) -> None:
        self._connection = connection
        self._plan: Plan | None = None
        self.door = door
        self.head = head
        self.begun: Any = None
        self.data = data

    def begin(self) -> Any:
        """Begin its exchange, where that has not been done."""
        if self.begun is None:
            self.begun = self.door.begin(self.head)
        return self.begun

    def decide(self) -> bool:
        """Decide what is answered; whether anything is to be written here then."""
        if not self._connection.is_due(self):
            return False
        try:
            self._plan = self.door.decide(self.begin(), self.head, self.data[self.head.size :])
        except Exception as error:  # noqa: BLE001 - told, as uvicorn tells of what an application raises
            self._connection.fail(error)
            return False
        return True

    def write(self) -> bool:
        """Write what was decided; whether that was all of it."""
        try:
            return self._connection.answer(self, self._plan)
        except Exception as error:  # noqa: BLE001 - as above
            self._connection.fail(error)
            return False

    def end(self) -> None:
        """End its exchange."""
        try:
            self.door.end(self.begun)
        except Exception as error:  # noqa: BLE001 - as above
            self._connection.fail(error)

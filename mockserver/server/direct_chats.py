"""The chats' way in without ASGI: from a request's bytes to `respond`, and to the socket in one write.

No parser, no scope, no task, no `receive` and `send`, where the head is known, nothing but its body comes behind it, in
one read or in several, what is answered concerns no other process, and the plan is whole, small and not paced. All else
comes by ASGI, or goes on there from where it stands. Both doors begin, decide and end an exchange by the same methods
of `Mock`, and `tests/test_direct_chats.py` holds them to the same bytes and notes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mockserver.core.exchange import Request
from mockserver.server.chat_turns import ChatTurns
from mockserver.server.known_heads import KnownHeads
from mockserver.server.namespace import StateNeededError
from mockserver.server.performer import perform_whole

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from mockserver.core.exchange import Plan
    from mockserver.server.chat_turns import WholeChat
    from mockserver.server.connection import WholeWriter
    from mockserver.server.known_heads import KnownHead
    from mockserver.server.mock import BegunExchange, Mock


class DirectChats(KnownHeads):
    """The door.

    Args:
        mock: What answers.
    """

    def __init__(self, mock: Mock) -> None:
        super().__init__(mock.body_limit_bytes)
        self._mock = mock
        self._turns = ChatTurns()

    def find(self, data: bytes) -> KnownHead | None:
        """As ever; none while it must first be learned what other processes know of namespaces, which takes a wait."""
        return super().find(data) if self._mock.namespaces.current else None

    def begin(self, head: KnownHead) -> BegunExchange:
        """Begin an exchange: its head is there."""
        return self._mock.begin(head.unread, head.key, partial(self._mock.decide_chat, head.route))

    def come(self, chat: WholeChat) -> None:
        """Have a chat answered whose body is there: `decide`, and in the same turn `answer` and `end`."""
        self._turns.add(chat)

    def decide(self, begun: BegunExchange, head: KnownHead, body: bytes) -> Plan | None:
        """What is answered; None where that is not decided at once.

        Args:
            begun: The exchange.
            head: The request's head.
            body: Its whole body.
        """
        mock, asked = self._mock, head.asked
        if not mock.decides_at_once(body) or mock.namespaces.concern(begun.namespace, asked.headers):
            return None
        try:
            return mock.decide(Request(asked.method, asked.path, asked.headers, body, asked.query), begun, head.kept)
        except StateNeededError:
            return None

    def answer(self, begun: BegunExchange, plan: Plan | None, writer: WholeWriter) -> ASGIApp | None:
        """Write what is answered; where that is not done at once, the application that does the rest.

        Args:
            begun: The exchange.
            plan: What was decided; None for nothing.
            writer: Where it came from.
        """
        if plan is None:
            return self.rest(begun)
        mock = self._mock
        if not perform_whole(plan, writer, mock.wheel, begun.exchange):
            begun.namespace.journal.planned()
            return partial(mock.go_on, begun, plan=plan)
        return None

    def end(self, begun: BegunExchange) -> None:
        """Keep an exchange that was answered."""
        self._mock.end(begun)

    def rest(self, begun: BegunExchange) -> ASGIApp:
        """The application that does the rest of an exchange whose body has not come."""
        return partial(self._mock.go_on, begun)

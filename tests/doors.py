"""The two doors of a chat, as a test wants them: all that can come without ASGI does, or nothing does."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

import httptools

from mockserver.core.exchange import Exchange
from mockserver.server.direct_chats import DirectChats

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from mockserver.core.exchange import Plan
    from mockserver.server.connection import WholeWriter
    from mockserver.server.known_heads import KnownHead
    from mockserver.server.mock import BegunExchange

DATE: Final = re.compile(rb"\r\ndate: [^\r]*\r\n")


_NAMES: Final = tuple(field.name for field in fields(Exchange))


def noted(exchange: Exchange) -> dict[str, Any]:
    """All that is known of an exchange but when it was."""
    known = {name: getattr(exchange, name) for name in _NAMES if name not in {"at_ms", "duration_ms"}}
    plan = exchange.plan and replace(exchange.plan, frames=tuple(exchange.plan.frames))
    return known | {"writes": list(exchange.writes[1::2]), "plan": plan}


class AsgiDoor(DirectChats):
    """No head is known: everything comes by ASGI."""

    def find(self, data: bytes) -> KnownHead | None:  # noqa: ARG002 - as the connection asks
        """None."""
        return None


class DirectDoor(DirectChats):
    """Each head is known when it comes for the first time, as if it had come before.

    Attributes:
        answered: How many chats were answered in one write.
        left: How many went on by ASGI.
    """

    answered = 0
    left = 0

    def find(self, data: bytes) -> KnownHead | None:
        """The head at the beginning of data, learned if need be."""
        found = super().find(data)
        if found is None:
            read = _Read(data)
            if read.whole:
                self.learn(data, tuple(read.headers), read.url, keeps_alive=read.keeps_alive)
        return found or super().find(data)

    def answer(self, begun: BegunExchange, plan: Plan | None, writer: WholeWriter) -> ASGIApp | None:
        """Count, and answer."""
        rest = super().answer(begun, plan, writer)
        DirectDoor.answered += rest is None
        DirectDoor.left += rest is not None
        return rest


class _Read:
    """What the parser reads in the first head of some data."""

    def __init__(self, data: bytes) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.whole = self.keeps_alive = False
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data[: data.find(b"\r\n\r\n") + 4])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.whole = False
        del self._parser  # which refers to this

    def on_url(self, url: bytes) -> None:
        """Take in a part of the target."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Note that it is whole."""
        self.whole, self.keeps_alive = not self._parser.should_upgrade(), self._parser.should_keep_alive()

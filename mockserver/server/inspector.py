"""The inspector: a page for browsers below `/_mock/ui/`, what it asks again and again, and what it sends.

Its files are public and hold nothing; what they show they ask of the control API, with its rules and its token.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mockserver.page.drawn import drawn_row
from mockserver.page.files import TYPES, content
from mockserver.server.control.request import ControlError
from mockserver.server.control.routes import NAMESPACE_HEADER, named_namespace
from mockserver.server.guard import PREFIX, ForbiddenError
from mockserver.server.namespace import StateLostError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.core.exchange import Exchange
    from mockserver.server.guard import Guard
    from mockserver.server.mock import Mock

UI: Final = f"{PREFIX}/ui/"
LIVE: Final = UI + "live"
SEND: Final = UI + "send"
ANY_KEY: Final = "inspector"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
NO_KEY: Final = "the API key of this namespace is not known to this process; it was claimed at another one"
MOST_FEEDS: Final = 8
"""Pages that are told only what is new; one more begins anew for the one that asked longest ago."""
MOST_ROWS: Final = 2000
"""Rows in one answer; the page asks again at once for more."""
LOOK_S: Final = 0.1
HELD_S: Final = 1.0
"""How long a page is kept waiting where nothing happens: short, since a server that stops waits for it."""


class Inspector:
    """What answers below `/_mock/ui/`, and browsers at `/`; all else goes on to `otherwise`.

    Args:
        app: The whole application, which answers what the page sends.
        mock: Whose journals are shown.
        guard: Who may look.
        otherwise: Answers all other paths.
    """

    def __init__(self, app: ASGIApp, mock: Mock, guard: Guard, otherwise: ASGIApp) -> None:
        self._app = app
        self._mock = mock
        self._guard = guard
        self._otherwise = otherwise
        self._feeds: OrderedDict[str, Feed] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path == SEND or path.startswith(SEND + "/"):
            await self._sent_on(scope, receive, send)
            return
        response: Response | None = None
        if f"{path}/" == UI or (path == "/" and _is_browser(scope)):
            response = RedirectResponse(UI, 307, SAFE)
        elif path.startswith(UI):
            response = await self._answer(scope, path)
        await (response or self._otherwise)(scope, receive, send)

    async def _answer(self, scope: Scope, path: str) -> Response:
        headers = dict(scope["headers"])
        if scope["method"] not in {"GET", "HEAD"}:
            return _refused(405, f"{scope['method']} is not allowed here; allowed: GET, HEAD", {"allow": "GET, HEAD"})
        try:
            if path == LIVE:
                self._guard.check(scope["method"], headers)
                return _json(await self._news(Request(scope).query_params.get("page", "")))
            self._guard.check_site(headers)
        except ForbiddenError as error:
            return _refused(error.status, str(error))
        except StateLostError as lost:
            return _refused(503, str(lost))
        name = path.removeprefix(UI) or "index.html"
        try:
            data = content(name)
        except KeyError:
            return _refused(404, f"{path[:200]!r} is no file of the inspector")
        return Response(data, 200, SAFE, TYPES[name[name.rindex(".") :]])

    async def _news(self, page: str) -> dict[str, Any]:
        """What changed in the journals since this page asked before; all of them for one that asks first."""
        feed = self._feeds.pop(page[:40], None)
        fresh = feed is None
        feed = feed or Feed(self._mock)
        self._feeds[page[:40]] = feed
        while len(self._feeds) > MOST_FEEDS:
            self._feeds.popitem(last=False)
        loop = asyncio.get_running_loop()
        until = loop.time() + HELD_S
        with contextlib.suppress(asyncio.CancelledError):  # the server stops: the page is answered at once
            await self._mock.namespaces.look()
            while not (news := feed.news()) and not fresh and loop.time() < until:
                await asyncio.sleep(LOOK_S)
                await self._mock.namespaces.look()
        return {
            "fresh": fresh,
            "elapsed_ms": {one.name: self._mock.elapsed_ms(one) for one in self._mock.namespaces},
            "namespaces": [one.name for one in self._mock.namespaces],
            "rows": news.get("rows", []),
            "cleared": news.get("cleared", []),
            "more": news.get("more", False),
        }

    async def _sent_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the page sends is a request like any other, with the key of the namespace that it names."""
        headers = dict(scope["headers"])
        try:
            self._guard.check(scope["method"], headers)
            key, _ = named_namespace(self._mock, headers.get(NAMESPACE_HEADER, b"default"))
        except (ForbiddenError, ControlError) as error:
            await _refused(error.status, str(error))(scope, receive, send)
            return
        path = scope["path"].removeprefix(SEND) or "/"
        if path.startswith(PREFIX):
            await _refused(404, f"{path[:200]!r} is not sent from here")(scope, receive, send)
            return
        if key is None:
            await _refused(409, NO_KEY)(scope, receive, send)
            return
        keys = self._mock.service.keys
        key = key or (min(keys) if keys else ANY_KEY)
        drop = {b"authorization", NAMESPACE_HEADER, b"x-mock-token", b"cookie", b"origin", b"referer"}
        kept = [pair for pair in scope["headers"] if pair[0] not in drop and not pair[0].startswith(b"sec-")]
        kept.append((b"authorization", b"Bearer " + key.encode("latin-1")))
        await self._app({**scope, "path": path, "raw_path": path.encode(), "headers": kept}, receive, send)


class Feed:
    """What one page knows of the journals."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._last: dict[str, Exchange | None] = {}
        self._sent: dict[tuple[str, int], int] = {}

    def news(self) -> dict[str, Any]:
        """What changed since it was asked before; empty for nothing. Costs as much as what is new."""
        rows: list[dict[str, Any]] = []
        cleared: list[str] = []
        more = False
        for one in self._mock.namespaces:
            now_ms = self._mock.elapsed_ms(one)
            found, whole = one.journal.since(self._last.get(one.name))
            if not whole:
                cleared.append(one.name)
            room = MOST_ROWS - len(rows)
            more = more or len(found) > room
            for exchange in found[:room]:
                rows.append(drawn_row(exchange, now_ms))
                self._sent.pop((one.name, exchange.number), None)
                self._last[one.name] = exchange
            if not found and not whole:
                self._last[one.name] = None
            for exchange in one.journal.unfinished():
                mark, place = exchange.frames_sent * 2 + (exchange.plan is not None), (one.name, exchange.number)
                if self._sent.get(place) != mark:
                    self._sent[place] = mark
                    rows.append(drawn_row(exchange, now_ms))
        known = {one.name for one in self._mock.namespaces}
        for name in self._last.keys() - known:
            del self._last[name]
        self._sent = {place: mark for place, mark in self._sent.items() if place[0] in known}
        return {"rows": rows, "cleared": cleared, "more": more} if rows or cleared else {}


def _is_browser(scope: Scope) -> bool:
    return scope["method"] in {"GET", "HEAD"} and b"text/html" in dict(scope["headers"]).get(b"accept", b"")


def _json(value: object) -> Response:
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(data, 200, {**SAFE, "cache-control": "no-store"}, "application/json")


def _refused(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    data = json.dumps({"error": detail}, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(data, status, {**SAFE, **(headers or {})}, "application/json")

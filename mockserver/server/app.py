"""The ASGI application: which path is answered by what."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import Refusal
from mockserver.core.route import CHAT_PATHS, MODELS_PATH, parse_decoded
from mockserver.pipeline.catalogue import list_models
from mockserver.pipeline.incoming import Response
from mockserver.server.connection import CONNECTION_KEY
from mockserver.server.direct_chats import DirectChats
from mockserver.server.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.server.mock import Mock

LOCAL_GUARD = Guard()


class App:
    """The application: the chat endpoint by itself, everything else through Starlette's routes.

    What is measured and loaded is the chat endpoint, so it has no Request, no Response, no router and no wrapped
    sends between it and the server; and on a socket of ours most chats come by `chats` and not this way.

    Args:
        mock: What answers.
        guard: Who may use the control API; None leaves of it only what is open to all (health).
        page: Whether the inspector is served; without a control API it is not.

    Attributes:
        chats: The chats' way in without ASGI.
    """

    def __init__(self, mock: Mock, guard: Guard | None = LOCAL_GUARD, *, page: bool = True) -> None:
        self._mock = mock
        self._guard = guard
        self._page = page
        self._others: ASGIApp | None = None
        self.chats = DirectChats(mock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = parse_decoded(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            if self._others is None:
                self._others = other_routes(self, self._mock, self._guard, page=self._page)
            try:
                await self._others(scope, receive, send)
            except asyncio.CancelledError:
                if CONNECTION_KEY not in scope:
                    raise
                scope[CONNECTION_KEY].cut()  # the server stops: the client sees a cut, and the log no traceback
            return
        if scope["method"] != "POST":
            await MethodRefusal(self._mock, ("POST",))(scope, receive, send)
            return
        await self._mock.answer(scope, receive, send, partial(self._mock.decide_chat, route))


class MethodRefusal:
    """An endpoint that answers 405 with `Allow`."""

    def __init__(self, mock: Mock, allowed: tuple[str, ...]) -> None:
        self._mock = mock
        self._allow = ", ".join(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        detail = f"{scope['method']} is not allowed on {scope['path']}; allowed: {self._allow}"
        refusal = Refusal("wrong-method", detail, headers=((b"allow", self._allow.encode()),))
        await self._mock.answer(scope, receive, send, lambda asked, *_: Response(self._mock.refusal(refusal, asked)))


def refuse_path(mock: Mock) -> Callable[[Scope, Receive, Send], Any]:
    """An endpoint that answers 404 with the path that is served."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        served = ", ".join([*(f"POST {one}" for one in CHAT_PATHS), f"GET {MODELS_PATH}"])
        detail = f"{scope['path'][:200]!r} is not served; served: {served}"
        refusal = Refusal("unknown-path", detail)
        await mock.answer(scope, receive, send, lambda asked, *_: Response(mock.refusal(refusal, asked)))

    return endpoint


class ModelsEndpoint:
    """`GET /maas/v1/models`: the catalogue, in the documented row form."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        mock = self._mock
        if scope["method"] not in {"GET", "HEAD"}:
            await MethodRefusal(mock, ("GET", "HEAD"))(scope, receive, send)
            return
        now_ms, dice = mock.clock.now_ms(), mock.clock.dice()
        await mock.answer(scope, receive, send, lambda asked, *_: list_models(mock.service, asked, now_ms, dice))


def other_routes(app: ASGIApp, mock: Mock, guard: Guard | None, *, page: bool) -> ASGIApp:
    """Everything but the chat endpoint. Imported late: a mock that is only asked to chat starts without it.

    Args:
        app: The whole application, which the page asks in turn.
        mock: What answers.
        guard: Who may use the control API.
        page: Whether the inspector is served.
    """
    from starlette.applications import Starlette
    from starlette.routing import Route

    from mockserver.server.control import routes as control_routes

    listed = ModelsEndpoint(mock)
    routes = [Route(MODELS_PATH, listed), Route(MODELS_PATH + "/", listed)]
    default = control_routes.default(guard, refuse_path(mock))
    if guard is not None and page:
        from mockserver.server.inspector import Inspector

        default = Inspector(app, mock, guard, default)
    others = Starlette(routes=routes + control_routes.routes(mock, guard))
    others.router.redirect_slashes = False
    others.router.default = default
    return others

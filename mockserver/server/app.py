"""The ASGI application: routes, the body's limit, and the way from a request to its performance."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Route

from mockserver.errors import Refusal
from mockserver.exchange import Ending, Exchange, Request
from mockserver.pipeline.head import entropy_of
from mockserver.pipeline.respond import Arrival, Service
from mockserver.server.clock import Wheel
from mockserver.server.connection import CONNECTION_KEY
from mockserver.server.performer import WatchedConnection, perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request as HttpRequest
    from starlette.types import Receive, Scope, Send

    from mockserver.exchange import ChatRequest, Plan
    from mockserver.server.clock import FixedClock, RealClock
    from mockserver.server.performer import Connection

log = logging.getLogger("mockserver")

DRAIN_SECONDS = 5.0
DRAIN_FACTOR = 2  # how many times the body limit is read after a 413, so that the client can read the answer
CHAT_PATH = "/maas/{model}/{chip}/chat/completions"


class BodyTooLargeError(Exception):
    """The body passed the limit; the answer is a 413 and the rest is drained for a bounded while."""


class ClientLeftError(Exception):
    """The client left before its request was whole."""


class Mock:
    """What the routes share: the service, the clock, the wheel and who is told of each exchange.

    Args:
        service: Turns requests into plans.
        clock: Where ids and `created` take their time from.
        on_exchange: Told of each finished exchange.
    """

    def __init__(
        self, service: Service, clock: RealClock | FixedClock, on_exchange: Callable[[Exchange], None] | None = None
    ) -> None:
        self.service = service
        self.clock = clock
        self._on_exchange = on_exchange
        self._wheel: Wheel | None = None

    @property
    def wheel(self) -> Wheel:
        """The running loop's scheduler."""
        if self._wheel is None:
            self._wheel = Wheel(asyncio.get_running_loop())
        return self._wheel

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, decide: Callable[[Request], tuple[Plan, ChatRequest | None]]
    ) -> None:
        """Read the body, decide the plan, perform it, and tell of the exchange."""
        wheel = self.wheel
        started = wheel.now()
        headers = request_headers(scope)
        exchange = Exchange(Request(scope["method"], scope["path"], headers))
        connection: Connection | None = scope.get(CONNECTION_KEY)
        watched = None
        try:
            try:
                body = await read_body(scope, receive, self.service.edition.file.request.body_limit_bytes)
            except BodyTooLargeError as error:
                await self._too_large(str(error), scope, receive, send, exchange)
                return
            exchange.request = asked = Request(scope["method"], scope["path"], headers, body)
            plan, request = decide(asked)
            if request is not None:
                exchange.ignored = request.ignored
            if connection is None:
                connection = watched = WatchedConnection(receive)
            await perform(plan, send, connection, wheel, exchange)
        except ClientLeftError:
            exchange.ending = Ending.CUT
        finally:
            if watched is not None:
                watched.release()
            exchange.duration_ms = (wheel.now() - started) * 1000
            if self._on_exchange is not None:
                self._on_exchange(exchange)

    async def _too_large(self, detail: str, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        """Answer 413, and note it."""
        plan = self.refusal(Refusal("body-too-large", detail, headers=((b"connection", b"close"),)), scope)
        exchange.plan = plan
        limit = self.service.edition.file.request.body_limit_bytes
        await answer_and_drain(plan, scope, receive, send, limit)
        exchange.frames_sent = 1

    def refusal(self, refusal: Refusal, scope: Scope) -> Plan:
        """A refusal's plan where no body was read."""
        entropy = self.clock.dice() or entropy_of(scope["method"].encode(), scope["path"].encode())
        return self.service.refusal(refusal, entropy, self.clock.now_ms())


class ChatEndpoint:
    """`POST /maas/{model}/{chip}/chat/completions`, as a plain ASGI class: no Request, no Response, raw sends."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] != "POST":
            await refuse_method(self._mock, ("POST",))(scope, receive, send)
            return
        params = scope["path_params"]

        def decide(asked: Request) -> tuple[Plan, ChatRequest | None]:
            clock = self._mock.clock
            arrival = Arrival(params["model"], params["chip"], asked, clock.now_ms(), clock.dice())
            return self._mock.service.respond(arrival)

        await self._mock.answer(scope, receive, send, decide)


def request_headers(scope: Scope) -> dict[bytes, bytes]:
    """Request headers by name in lower case; of equal names the last."""
    return dict(scope["headers"])


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body, or BodyTooLargeError as soon as it is known to pass the limit, before reading it where possible."""
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLargeError(f"the body has {int(announced)} bytes; allowed: at most {limit}")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLargeError(f"the body has {len(body)} bytes; allowed: at most {limit}")
        return body
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(f"the body has more than {limit} bytes; allowed: at most {limit}")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


async def answer_and_drain(plan: Plan, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    """Answer first, then read on for a bounded while: closing with unread bytes would lose the answer."""
    await send({"type": "http.response.start", "status": plan.status, "headers": plan.headers})
    await send({"type": "http.response.body", "body": plan.frames[0], "more_body": True})
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            more, read = not expects_continue(scope), 0
            while more and read < DRAIN_FACTOR * limit:
                message = await receive()
                if message["type"] != "http.request":
                    break
                read += len(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


def expects_continue(scope: Scope) -> bool:
    """Whether the client waits for `100 Continue` before it sends its body, so that there is nothing to drain."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])


def refuse_method(mock: Mock, allowed: tuple[str, ...]) -> Callable[[Scope, Receive, Send], Any]:
    """An endpoint that answers 405 with `Allow`."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        allow = ", ".join(allowed)
        detail = f"{scope['method']} is not allowed on {scope['path']}; allowed: {allow}"
        refusal = Refusal("wrong-method", detail, headers=((b"allow", allow.encode()),))
        await mock.answer(scope, receive, send, lambda _asked: (mock.refusal(refusal, scope), None))

    return endpoint


def refuse_path(mock: Mock) -> Callable[[Scope, Receive, Send], Any]:
    """An endpoint that answers 404 with the path that is served."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        served = CHAT_PATH.replace("{chip}", "{chiptype}")
        detail = f"{scope['path'][:200]!r} is not served; served: POST {served}"
        refusal = Refusal("unknown-path", detail)
        await mock.answer(scope, receive, send, lambda _asked: (mock.refusal(refusal, scope), None))

    return endpoint


def health(mock: Mock) -> Callable[[HttpRequest], Any]:
    """`GET /_mock/health`: for a container's health check."""
    from starlette.responses import JSONResponse

    async def endpoint(_request: HttpRequest) -> JSONResponse:
        return JSONResponse({"status": "ok", "edition": mock.service.edition.name})

    return endpoint


def create_app(mock: Mock) -> Starlette:
    """The application of one mock."""
    chat = ChatEndpoint(mock)
    app = Starlette(
        routes=[
            Route(CHAT_PATH, chat),
            Route(CHAT_PATH + "/", chat),
            Route("/_mock/health", health(mock), methods=["GET"]),
        ],
        exception_handlers={500: _internal_error(mock)},
    )
    app.router.redirect_slashes = False
    app.router.default = refuse_path(mock)
    return app


def _internal_error(mock: Mock) -> Callable[[HttpRequest, Exception], Any]:
    """A fault of the mock itself, in the service's shape; the traceback goes to the log."""
    from starlette.responses import Response

    async def handler(_request: HttpRequest, error: Exception) -> Response:
        shape = mock.service.edition.file.errors["internal"]
        text = f"genstudio-mock failed: {type(error).__name__}; this is a bug, the log has the traceback"
        return Response(json.dumps({"code": shape.code, "msg": text}), shape.status, media_type="application/json")

    return handler

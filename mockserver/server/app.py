"""The ASGI application: routes, the body's limit, and the way from a request to its performance."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.route import CHAT_PATHS, MODELS_PATH, parse_decoded
from mockserver.pipeline.head import entropy_of
from mockserver.pipeline.incoming import Arrival, Response
from mockserver.server.asgi_request import (
    BodyTooLargeError,
    ClientLeftError,
    api_key,
    host_trouble,
    kept,
    read_body,
    request_headers,
    seed_of,
)
from mockserver.server.clock import Wheel
from mockserver.server.guard import Guard
from mockserver.server.namespace import Namespaces
from mockserver.server.performer import CONNECTION_KEY, WatchedConnection, perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.pipeline.respond import Service
    from mockserver.server.clock import FixedClock, RealClock
    from mockserver.server.namespace import Namespace
    from mockserver.server.performer import Connection

    Decide = Callable[[Request, Namespace, int], Response]

log = logging.getLogger("mockserver")

DRAIN_FACTOR = 2  # how many times the body limit is read after a 413, so that the client can read the answer
NEEDS_SOCKET = "this fault is made of network writes; it needs the mock on a socket, not inside the client's process"
LOCAL_GUARD = Guard()


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
        self.namespaces = Namespaces(service.seed, service.forget)
        self._on_exchange = on_exchange
        self._wheel: Wheel | None = None

    @property
    def wheel(self) -> Wheel:
        """The running loop's scheduler."""
        if self._wheel is None:
            self._wheel = Wheel(asyncio.get_running_loop())
        return self._wheel

    def elapsed_ms(self, namespace: Namespace) -> float:
        """Milliseconds on a namespace's monotonic clock, on which quotas run; a test may move its own on."""
        return self.wheel.now() * 1000 + namespace.advanced_ms

    async def answer(self, scope: Scope, receive: Receive, send: Send, decide: Decide) -> None:
        """Read the body, decide the plan, perform it, and keep the exchange."""
        wheel = self.wheel
        started = wheel.now()
        headers = request_headers(scope)
        key = api_key(headers)
        namespace = self.namespaces.of(key)
        exchange = Exchange(Request(scope["method"], scope["path"]), namespace=namespace.name)
        exchange.at_ms = started * 1000 + namespace.advanced_ms
        exchange.number = namespace.next("exchange")
        journal = namespace.journal
        journal.begin(exchange)
        connection: Connection | None = scope.get(CONNECTION_KEY)
        watched = None
        try:
            try:
                body = await read_body(scope, receive, self.service.edition.file.request.body_limit_bytes)
            except BodyTooLargeError as error:
                await self._too_large(str(error), scope, send, exchange)
                return
            asked = Request(scope["method"], scope["path"], headers, body)
            response = self._decide(asked, namespace, exchange, scope, decide)
            exchange.request = kept(asked, key)
            exchange.chat, exchange.faults = response.chat, response.faults
            exchange.plan = plan = response.plan
            journal.planned()
            if connection is None:
                connection = watched = WatchedConnection(receive)
                if plan.raw:
                    plan = self.refusal(Refusal("unknown-quirk", NEEDS_SOCKET, param="X-Mock-Fault"), scope)
            await perform(plan, send, connection, wheel, exchange)
        except ClientLeftError:
            exchange.ending, exchange.client_left = Ending.CUT, True
        except asyncio.CancelledError:
            exchange.ending = Ending.CUT
            if connection is None or connection is watched:
                raise
            connection.cut()  # the server stops: the client sees a cut, and the log no traceback
        finally:
            if watched is not None:
                watched.release()
            ended = wheel.now()
            if exchange.client_left and connection is not None:
                ended = connection.left_at or ended
            exchange.duration_ms = (ended - started) * 1000
            journal.end(exchange)
            if self._on_exchange is not None:
                self._on_exchange(exchange)

    def _decide(
        self, asked: Request, namespace: Namespace, exchange: Exchange, scope: Scope, decide: Decide
    ) -> Response:
        """What is answered: a refusal where the head is wrong, and a plan even where the mock itself fails."""
        trouble = host_trouble(scope)
        if trouble is not None:
            close = ((b"connection", b"close"),)
            return Response(self.refusal(Refusal("invalid-http", trouble, headers=close), scope))
        try:
            exchange.seed = seed_of(asked.headers, namespace, exchange.number)
            return decide(asked, namespace, exchange.seed)
        except Refusal as refusal:
            return Response(self.refusal(refusal, scope))
        except Exception as error:
            log.exception("genstudio-mock failed on %s %s", asked.method, ascii(asked.path))
            return Response(self._failure(error))

    async def _too_large(self, detail: str, scope: Scope, send: Send, exchange: Exchange) -> None:
        """Answer 413 at once; our own connection then reads the rest away, so that the client can read the answer."""
        plan = self.refusal(Refusal("body-too-large", detail, headers=((b"connection", b"close"),)), scope)
        exchange.plan = plan
        await answer_unread(plan, scope, send, self.service.edition.file.request.body_limit_bytes)
        exchange.frames_sent = 1

    def refusal(self, refusal: Refusal, scope: Scope) -> Plan:
        """A refusal's plan where no body was read."""
        entropy = self.clock.dice() or entropy_of(scope["method"].encode(), scope["path"].encode())
        return self.service.refusal(refusal, entropy, self.clock.now_ms())

    def _failure(self, error: Exception) -> Plan:
        """A fault of the mock itself, in the service's shape; the traceback goes to the log."""
        shape = self.service.edition.file.errors["internal"]
        text = f"genstudio-mock failed: {type(error).__name__}; this is a bug, the log has the traceback"
        data = json.dumps({"code": shape.code, "msg": text}).encode()
        headers = ((b"content-length", b"%d" % len(data)), (b"content-type", b"application/json"))
        return Plan(shape.status, headers, (data,), source="failure", detail=text)


async def answer_unread(plan: Plan, scope: Scope, send: Send, limit: int) -> None:
    """Answer a request whose body is not read; our own connection reads up to twice the limit of it away."""
    await send({"type": "http.response.start", "status": plan.status, "headers": plan.headers})
    connection = scope.get(CONNECTION_KEY)
    await send({"type": "http.response.body", "body": plan.frames[0], "more_body": connection is not None})
    if connection is not None:
        connection.linger(DRAIN_FACTOR * limit)


class App:
    """The application: the chat endpoint by itself, everything else through Starlette's routes.

    What is measured and loaded is the chat endpoint, so it has no Request, no Response, no router and no wrapped
    sends between it and the server: that takes a fifth off a small answer.
    """

    def __init__(self, mock: Mock, make_others: Callable[[], ASGIApp]) -> None:
        self._mock = mock
        self._make_others = make_others
        self._others: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = parse_decoded(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            if self._others is None:
                self._others = self._make_others()
            await self._others(scope, receive, send)
            return
        if scope["method"] != "POST":
            await MethodRefusal(self._mock, ("POST",))(scope, receive, send)
            return
        mock = self._mock
        named, chip, deployed = route.named, route.chip or mock.service.default_chip, bool(route.deployment)

        def decide(asked: Request, test: Namespace, seed: int) -> Response:
            now_ms, elapsed_ms = mock.clock.now_ms(), mock.elapsed_ms(test)
            dice = mock.clock.dice()
            arrival = Arrival(named, chip, asked, now_ms, elapsed_ms, dice, test, seed, deployment=deployed)
            return mock.service.respond(arrival)

        await mock.answer(scope, receive, send, decide)


class MethodRefusal:
    """An endpoint that answers 405 with `Allow`."""

    def __init__(self, mock: Mock, allowed: tuple[str, ...]) -> None:
        self._mock = mock
        self._allow = ", ".join(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        detail = f"{scope['method']} is not allowed on {scope['path']}; allowed: {self._allow}"
        refusal = Refusal("wrong-method", detail, headers=((b"allow", self._allow.encode()),))
        await self._mock.answer(scope, receive, send, lambda *_: Response(self._mock.refusal(refusal, scope)))


def refuse_path(mock: Mock) -> Callable[[Scope, Receive, Send], Any]:
    """An endpoint that answers 404 with the path that is served."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        served = ", ".join([*(f"POST {one}" for one in CHAT_PATHS), f"GET {MODELS_PATH}"])
        detail = f"{scope['path'][:200]!r} is not served; served: {served}"
        refusal = Refusal("unknown-path", detail)
        await mock.answer(scope, receive, send, lambda *_: Response(mock.refusal(refusal, scope)))

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
        await mock.answer(scope, receive, send, lambda asked, *_: mock.service.list_models(asked, now_ms, dice))


def create_app(mock: Mock, guard: Guard | None = LOCAL_GUARD) -> App:
    """The application of one mock; without a guard it has no control API beyond health."""
    return App(mock, lambda: other_routes(mock, guard))


def other_routes(mock: Mock, guard: Guard | None) -> ASGIApp:
    """Everything but the chat endpoint. Imported late: a mock that is only asked to chat starts without it."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    from mockserver.server.control import routes as control_routes

    listed = ModelsEndpoint(mock)
    routes = [Route(MODELS_PATH, listed), Route(MODELS_PATH + "/", listed)]
    others = Starlette(routes=routes + control_routes.routes(mock, guard))
    others.router.redirect_slashes = False
    others.router.default = control_routes.default(guard, refuse_path(mock))
    return others

"""The ASGI application: routes, the body's limit, and the way from a request to its performance."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Route

from mockserver.errors import Refusal
from mockserver.exchange import Ending, Exchange, Plan, Request
from mockserver.pipeline.head import entropy_of
from mockserver.pipeline.respond import Arrival, Response, Service
from mockserver.server import control
from mockserver.server.clock import Wheel
from mockserver.server.guard import Guard
from mockserver.server.namespace import Namespaces
from mockserver.server.performer import CONNECTION_KEY, WatchedConnection, perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.server.clock import FixedClock, RealClock
    from mockserver.server.namespace import Namespace
    from mockserver.server.performer import Connection

    Decide = Callable[[Request, Namespace, int], Response]

log = logging.getLogger("mockserver")

DRAIN_SECONDS = 5.0
DRAIN_FACTOR = 2  # how many times the body limit is read after a 413, so that the client can read the answer
KEPT_HEADERS = (
    b"content-type", b"accept", b"user-agent", b"x-stainless-retry-count", b"x-mock-quirks", b"x-mock-fault",
    b"x-mock-error", b"x-mock-answer", b"x-mock-seed",
)  # fmt: skip
NEEDS_SOCKET = "this fault is made of network writes; it needs the mock on a socket, not inside the client's process"
LOCAL_GUARD = Guard()
CHAT_PATH = "/maas/{model}/{chiptype}/chat/completions"
BODY_PATH = "/maas/v1/chat/completions"
DEPLOYMENT_PATH = "/maas/deployment/{mif-…}/chat/completions"
MODELS_PATH = "/maas/v1/models"
_CHAT = re.compile("/maas/([^/]+)(?:/([^/]+))?/chat/completions/?")
DEPLOYMENT, DEPLOYMENT_PREFIX = "deployment", "mif-"  # a deployment's id always begins so (overview page of the API)
BY_BODY = "v1"


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
        self.namespaces = Namespaces(service.seed)
        self.advanced_ms = 0.0
        self._on_exchange = on_exchange
        self._wheel: Wheel | None = None

    @property
    def wheel(self) -> Wheel:
        """The running loop's scheduler."""
        if self._wheel is None:
            self._wheel = Wheel(asyncio.get_running_loop())
        return self._wheel

    def elapsed_ms(self) -> float:
        """Milliseconds on the mock's monotonic clock, on which quotas run; tests may move it on."""
        return self.wheel.now() * 1000 + self.advanced_ms

    async def answer(self, scope: Scope, receive: Receive, send: Send, decide: Decide) -> None:
        """Read the body, decide the plan, perform it, and keep the exchange."""
        wheel = self.wheel
        started = wheel.now()
        headers = request_headers(scope)
        key = api_key(headers)
        namespace = self.namespaces.of(key)
        exchange = Exchange(Request(scope["method"], scope["path"]), namespace=namespace.name)
        exchange.at_ms = started * 1000 + self.advanced_ms
        exchange.number = namespace.next("exchange")
        connection: Connection | None = scope.get(CONNECTION_KEY)
        watched = None
        try:
            body = await read_body(scope, receive, self.service.edition.file.request.body_limit_bytes)
            exchange.seed = seed_of(headers, namespace, exchange.number)
            try:
                response = decide(Request(scope["method"], scope["path"], headers, body), namespace, exchange.seed)
            except Exception as error:
                log.exception("genstudio-mock failed on %s %s", scope["method"], ascii(scope["path"]))
                response = Response(self._failure(error))
            exchange.request = kept(scope["method"], scope["path"], headers, body, key)
            exchange.chat, exchange.faults = response.chat, response.faults
            plan = response.plan
            if connection is None:
                connection = watched = WatchedConnection(receive)
                if plan.raw:
                    plan = self.refusal(Refusal("unknown-quirk", NEEDS_SOCKET, param="X-Mock-Fault"), scope)
            await perform(plan, send, connection, wheel, exchange)
        except BodyTooLargeError as error:
            await self._too_large(str(error), scope, receive, send, exchange)
        except ClientLeftError:
            exchange.ending, exchange.client_left = Ending.CUT, True
        finally:
            if watched is not None:
                watched.release()
            exchange.duration_ms = (wheel.now() - started) * 1000
            namespace.journal.add(exchange)
            if self._on_exchange is not None:
                self._on_exchange(exchange)

    async def _too_large(self, detail: str, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        """Answer 413 first, then read on for a bounded while: closing with unread bytes would lose the answer."""
        plan = self.refusal(Refusal("body-too-large", detail, headers=((b"connection", b"close"),)), scope)
        exchange.plan = plan
        await send({"type": "http.response.start", "status": plan.status, "headers": plan.headers})
        await send({"type": "http.response.body", "body": plan.frames[0], "more_body": True})
        limit = DRAIN_FACTOR * self.service.edition.file.request.body_limit_bytes
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                more, read = not expects_continue(scope), 0
                while more and read < limit:
                    message = await receive()
                    if message["type"] != "http.request":
                        break
                    read += len(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})
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


class App:
    """The application: the chat endpoint by itself, everything else through Starlette's routes.

    What is measured and loaded is the chat endpoint, so it has no Request, no Response, no router and no wrapped
    sends between it and the server: that takes a fifth off a small answer.
    """

    def __init__(self, mock: Mock, others: ASGIApp) -> None:
        self._mock = mock
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        target = chat_target(scope["path"], self._mock.service.default_chip) if scope["type"] == "http" else None
        if target is None:
            await self._others(scope, receive, send)
            return
        if scope["method"] != "POST":
            await refuse_method(self._mock, ("POST",))(scope, receive, send)
            return
        model, chip, deployment = target
        mock = self._mock

        def decide(asked: Request, test: Namespace, seed: int) -> Response:
            now_ms, elapsed_ms = mock.clock.now_ms(), mock.elapsed_ms()
            dice = mock.clock.dice()
            arrival = Arrival(model, chip, asked, now_ms, elapsed_ms, dice, test, seed, deployment=deployment)
            return mock.service.respond(arrival)

        await mock.answer(scope, receive, send, decide)


def chat_target(path: str, default_chip: str) -> tuple[str, str, bool] | None:
    """Model, chip and whether it is a deployment, of a path on which chat is served; None for any other path."""
    found = _CHAT.fullmatch(path)
    if found is None:
        return None
    model, chip = found.groups()
    if chip is None:
        return ("", default_chip, False) if model == BY_BODY else None
    if model == DEPLOYMENT:
        return (chip, default_chip, True) if chip.startswith(DEPLOYMENT_PREFIX) else None
    return model, chip, False


def api_key(headers: dict[bytes, bytes]) -> str:
    """The request's API key, which names its namespace; empty for none."""
    return headers.get(b"authorization", b"").partition(b" ")[2].strip().decode("latin-1")


def seed_of(headers: dict[bytes, bytes], namespace: Namespace, number: int) -> int:
    """The seed of an exchange: what `X-Mock-Seed` says, which repeats an earlier one, or the namespace's next."""
    asked = headers.get(b"x-mock-seed", b"")
    return int(asked) if asked.isdigit() and len(asked) <= 20 else namespace.seed_of(number)


def kept(method: str, path: str, headers: dict[bytes, bytes], body: bytes, key: str) -> Request:
    """The request as it may be kept: headers by an allow list, the API key masked where the body holds it."""
    secret = key.encode("latin-1")
    if len(secret) >= 8 and secret in body:
        body = body.replace(secret, b"[api key]")
    return Request(method, path, {name: headers[name] for name in KEPT_HEADERS if name in headers}, body)


def request_headers(scope: Scope) -> dict[bytes, bytes]:
    """Request headers by name in lower case; of equal names the last."""
    return dict(scope["headers"])


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; raises BodyTooLargeError as soon as it is known to pass the limit, if possible unread."""
    announced = b"0"
    for name, value in scope["headers"]:
        if name == b"content-length":
            announced = value
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


def expects_continue(scope: Scope) -> bool:
    """Whether the client waits for `100 Continue` before it sends its body, so that there is nothing to drain."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])


def refuse_method(mock: Mock, allowed: tuple[str, ...]) -> Callable[[Scope, Receive, Send], Any]:
    """An endpoint that answers 405 with `Allow`."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        allow = ", ".join(allowed)
        detail = f"{scope['method']} is not allowed on {scope['path']}; allowed: {allow}"
        refusal = Refusal("wrong-method", detail, headers=((b"allow", allow.encode()),))
        await mock.answer(scope, receive, send, lambda *_: Response(mock.refusal(refusal, scope)))

    return endpoint


def refuse_path(mock: Mock) -> Callable[[Scope, Receive, Send], Any]:
    """An endpoint that answers 404 with the path that is served."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        served = f"POST {CHAT_PATH}, POST {BODY_PATH}, POST {DEPLOYMENT_PATH}, GET {MODELS_PATH}"
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
            await refuse_method(mock, ("GET",))(scope, receive, send)
            return
        now_ms, dice = mock.clock.now_ms(), mock.clock.dice()
        await mock.answer(scope, receive, send, lambda asked, *_: mock.service.list_models(asked, now_ms, dice))


def create_app(mock: Mock, guard: Guard | None = LOCAL_GUARD) -> App:
    """The application of one mock; without a guard it has no control API beyond health."""
    listed = ModelsEndpoint(mock)
    routes = [Route(MODELS_PATH, listed), Route(MODELS_PATH + "/", listed)]
    others = Starlette(routes=routes + control.routes(mock, guard))
    others.router.redirect_slashes = False
    others.router.default = refuse_path(mock)
    return App(mock, others)

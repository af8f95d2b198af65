"""The mock as it is served: `Mock`. And which of the classes that a reader may call "the mock" is which.

From the inside out, each holding the one before:

- `pipeline.respond.Service`: an edition made ready to answer. A request becomes a plan; no time, no socket.
- `Mock`: a service with all that lasts while it is served: clock, scheduler, namespaces and their journals. What
  `settings.assemble.build` makes of a configuration.
- `server.app.App`: a `Mock` as an ASGI application: which path is answered by what, the control API included.
- `testing.mock_server.MockServer`: an `App` on a socket, in a thread of the user's process.

From the outside, by its address alone:

- `testing.running_mock.RunningMock`: a mock that runs somewhere, and its control API. `MockServer` is one too, and
  `testing.shared_mock.SharedMock` is the one that all processes of a test run share.
- `testing.session.Session`: one namespace of a `RunningMock`, which is what a test holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mockserver.core.drawn import entropy_of
from mockserver.core.errors import Refusal
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.route import parse_decoded
from mockserver.pipeline.incoming import IncomingRequest, Response
from mockserver.server.asgi_request import (
    BodyTooLargeError,
    ClientLeftError,
    api_key,
    head_trouble,
    kept,
    kept_body,
    kept_path,
    read_body,
    refused_without_key,
    request_headers,
    seed_of,
)
from mockserver.server.clock import Wheel
from mockserver.server.connection import CONNECTION_KEY, NO_WRITES_KEY, WatchedConnection
from mockserver.server.guard import NOT_KEPT, is_control
from mockserver.server.namespace import Namespaces, StateLostError, StateNeededError
from mockserver.server.performer import answer_unread, perform

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from starlette.types import Receive, Scope, Send

    from mockserver.core.route import Route
    from mockserver.pipeline.respond import Service
    from mockserver.profile.edition import Edition
    from mockserver.server.clock import FixedClock, RealClock
    from mockserver.server.connection import Connection
    from mockserver.server.metrics import Metrics
    from mockserver.server.namespace import Namespace

    Decide = Callable[[Request, Namespace, int], Response]

log = logging.getLogger("mockserver")

LARGE_BODY_BYTES = 48 * 1024
"""What is answered to a larger body is decided in a thread: on the loop it would take over two milliseconds."""
CLOSE = ((b"connection", b"close"),)
NEEDS_SOCKET = "this fault is made of network writes; it needs the mock on a socket, not inside the client's process"


class BegunExchange:
    """An exchange whose head is there.

    Attributes:
        exchange: What is known of it.
        namespace: Whose it is.
        key: The API key.
        started: When it began, in seconds on the loop's clock.
        decide: What is answered.
        trouble: What is wrong with the head; None where nothing is.
    """

    __slots__ = ("decide", "exchange", "key", "namespace", "started", "trouble")

    def __init__(
        self, exchange: Exchange, namespace: Namespace, key: str, started: float, decide: Decide, trouble: str | None
    ) -> None:
        self.exchange = exchange
        self.namespace = namespace
        self.key = key
        self.started = started
        self.decide = decide
        self.trouble = trouble


class Mock:
    """What the routes share: the service, the clock, the wheel and who is told of each exchange.

    Args:
        edition: What is imitated; the control API tells of it.
        service: Turns requests into plans, by that edition's rules.
        clock: Where ids and `created` take their time from.
        on_exchange: Told of each finished exchange.
        namespaces: What tests set up and see; None keeps it in this process's memory.

    Attributes:
        workers: How many processes serve the port, of which this is one.
        metrics: Counts exchanges, for `/_mock/metrics`; None where nobody asked for figures.
        reading: Done when all files of answers are read, for which each chat waits; None where they are.
    """

    def __init__(
        self,
        edition: Edition,
        service: Service,
        clock: RealClock | FixedClock,
        on_exchange: Callable[[Exchange], None] | None = None,
        namespaces: Namespaces | None = None,
    ) -> None:
        self.edition = edition
        self.service = service
        self.clock = clock
        self.namespaces = namespaces or Namespaces(service.seed, service.forget)
        self.on_exchange = on_exchange
        self.metrics: Metrics | None = None
        self.workers = 1
        self.reading: Future[None] | None = None
        self.body_limit_bytes = service.rules.request.body_limit_bytes
        self._default_chip = service.rules.default_chip
        self._wheel: Wheel | None = None
        self._turn = asyncio.Lock()

    @property
    def wheel(self) -> Wheel:
        """The running loop's scheduler."""
        if self._wheel is None:
            self._wheel = Wheel(asyncio.get_running_loop())
        return self._wheel

    def _now(self) -> float:
        return (self._wheel or self.wheel).now()  # a property takes a call of its own, several times an answer

    def elapsed_ms(self, namespace: Namespace) -> float:
        """Milliseconds on a namespace's monotonic clock, on which quotas run; a test may move its own on."""
        return self._now() * 1000 + namespace.advanced_ms

    def decide_chat(self, route: Route, asked: Request, test: Namespace, seed: int) -> Response:
        """What is answered to a chat that was asked for at a route."""
        now_ms, elapsed_ms = self.clock.now_ms(), self.elapsed_ms(test)
        named, chip, deployment = route.named, route.chip or self._default_chip, bool(route.deployment)
        dice = self.clock.dice()
        return self.service.respond(
            IncomingRequest(named, chip, asked, now_ms, elapsed_ms, dice, test, seed, deployment)
        )

    def begin(
        self, asked: Request, key: str, decide: Decide, trouble: str | None = None, namespace: Namespace | None = None
    ) -> BegunExchange:
        """Begin an exchange: its head is there.

        Args:
            asked: The request as far as it is known and may be kept.
            key: Its API key.
            decide: What is answered.
            trouble: What is wrong with the head; None where nothing is.
            namespace: Whose it is; None finds it by the key.
        """
        started = self._now()
        if namespace is None:
            namespace = self.namespaces.of(key)
        exchange = Exchange.begun(asked, namespace.name, started * 1000 + namespace.advanced_ms)
        namespace.begin(exchange)
        return BegunExchange(exchange, namespace, key, started, decide, trouble)

    async def answer(self, scope: Scope, receive: Receive, send: Send, decide: Decide) -> None:
        """Read the body, decide the plan, perform it, and keep the exchange."""
        key = api_key(request_headers(scope))
        namespace = None if self.namespaces.current else await self.namespaces.refreshed(key)
        asked = Request(scope["method"], kept_path(scope["path"], key))
        begun = self.begin(asked, key, decide, head_trouble(scope["headers"], scope["http_version"]), namespace)
        await self.go_on(begun, scope, receive, send)

    async def go_on(
        self, begun: BegunExchange, scope: Scope, receive: Receive, send: Send, plan: Plan | None = None
    ) -> None:
        """The rest of an exchange: read the body and decide, unless `plan` is decided already; perform, and keep."""
        exchange = begun.exchange
        connection: Connection | None = scope.get(CONNECTION_KEY)
        watched = None
        try:
            if plan is None:
                try:
                    body = await read_body(scope, receive, self.body_limit_bytes)
                except BodyTooLargeError as error:
                    await self._too_large(str(error), scope, send, exchange)
                    return
                query = scope.get("query_string", b"").decode("latin-1")
                asked = Request(scope["method"], scope["path"], request_headers(scope), body, query)
                plan = await (self._decide_shared if self.namespaces.shared else self._decide_own)(asked, begun)
                begun.namespace.journal.planned()
            if connection is None:
                connection = watched = WatchedConnection(receive)
                plan = self._without_writes(plan, scope, exchange.request)
            await perform(plan, send, connection, self.wheel, exchange)
        except ClientLeftError:
            exchange.plan = connection.refused if connection is not None else None
            if exchange.plan is not None:  # it did not leave: the rest of its body did not come, or cannot be read
                exchange.frames_sent = len(exchange.plan.frames)
            else:
                exchange.ending, exchange.client_left = Ending.CUT, True
        except asyncio.CancelledError:
            exchange.ending = Ending.CUT
            if connection is None or connection is watched:
                raise
            connection.cut()  # the server stops: the client sees a cut, and the log no traceback
        finally:
            if watched is not None:
                watched.release()
            self.end(begun, connection.left_at if exchange.client_left and connection is not None else None)

    def end(self, begun: BegunExchange, ended: float | None = None) -> None:
        """Keep an exchange that ended now, or at `ended` (seconds on the loop's clock)."""
        begun.exchange.duration_ms = ((ended or self._now()) - begun.started) * 1000
        self._end(begun.exchange, begun.namespace)

    def decides_at_once(self, body: bytes) -> bool:
        """Whether what is answered to a body may be decided now, and holds the loop for no time worth speaking of."""
        return len(body) < LARGE_BODY_BYTES and not self._turn.locked() and self.reading is None

    def _without_writes(self, plan: Plan, scope: Scope, asked: Request) -> Plan:
        """The plan, or a refusal where it is made of network writes, which only our own connection can send."""
        if not plan.raw:
            return plan
        why = scope.get(NO_WRITES_KEY, NEEDS_SOCKET)
        return self.refusal(Refusal("unknown-quirk", why, param="X-Mock-Fault"), asked)

    async def _too_large(self, detail: str, scope: Scope, send: Send, exchange: Exchange) -> None:
        """Answer 413 at once; our own connection then reads the rest away, so that the client can read the answer."""
        exchange.plan = plan = self.refusal(Refusal("body-too-large", detail, headers=CLOSE), exchange.request)
        await answer_unread(plan, scope, send, self.body_limit_bytes)
        exchange.frames_sent = 1

    def _end(self, exchange: Exchange, namespace: Namespace) -> None:
        namespace.journal.end(exchange)
        if self.metrics is not None:
            self.metrics.count(exchange)
        if self.on_exchange is not None:
            self.on_exchange(exchange)

    async def _decide_shared(self, asked: Request, begun: BegunExchange) -> Plan:
        """What is answered where several processes share what tests set up: with that state where it matters."""
        try:
            if not self.namespaces.concern(begun.namespace, asked.headers):
                with contextlib.suppress(StateNeededError):
                    return await self._decide_own(asked, begun)
            return await self.namespaces.decide(
                begun.namespace, begun.exchange, partial(self._decide_own, asked, begun)
            )
        except StateLostError as lost:
            begun.exchange.request = kept(asked, begun.key)
            begun.exchange.plan = plan = lost_plan(str(lost))
            return plan

    async def _decide_own(self, asked: Request, begun: BegunExchange) -> Plan:
        """Decide one after the other: a large request in a thread, so that all but other chats goes on meanwhile.

        While files of answers are read for the start it waits for them: one that is not read yet may be the one.
        """
        if self.reading is not None:
            await asyncio.wrap_future(self.reading)
            self.reading = None
        if self.decides_at_once(asked.body):
            return self.decide(asked, begun)
        async with self._turn:
            if len(asked.body) < LARGE_BODY_BYTES:
                return self.decide(asked, begun)
            return await asyncio.to_thread(self.decide, asked, begun)

    def decide(self, asked: Request, begun: BegunExchange, kept_head: Request | None = None) -> Plan:
        """What is answered, noted in the exchange with what was asked, as far as that may be kept.

        Args:
            asked: The request.
            begun: The exchange.
            kept_head: What may be kept of it beside its body, where that is known.
        """
        response = self._respond(asked, begun)
        exchange, key = begun.exchange, begun.key
        if kept_head is None:
            exchange.request = kept(asked, key)
        else:
            body = kept_body(asked.body, key)
            exchange.request = Request(kept_head.method, kept_head.path, kept_head.headers, body, kept_head.query)
        exchange.chat, exchange.faults = response.chat, response.faults
        exchange.plan = refused_without_key(response.plan, key)  # last, as this may be a thread
        if self.metrics is not None:
            self.metrics.open(exchange)
        return exchange.plan

    def _respond(self, asked: Request, begun: BegunExchange) -> Response:
        """A refusal where the head is wrong, and a plan even where the mock itself fails."""
        if begun.trouble is not None:
            return Response(self.refusal(Refusal("invalid-http", begun.trouble, headers=CLOSE), asked))
        try:
            begun.exchange.seed = seed = seed_of(asked.headers, begun.namespace, begun.exchange.number)
            return begun.decide(asked, begun.namespace, seed)
        except Refusal as refusal:
            return Response(self.refusal(refusal, asked))
        except StateNeededError:
            raise
        except Exception as error:
            path = kept_path(asked.path, api_key(asked.headers))
            log.exception("genstudio-mock failed on %s %s", asked.method, ascii(path))
            text = f"genstudio-mock failed: {type(error).__name__}; this is a bug, the log has the traceback"
            return Response(self.refusal(Refusal("internal", text), asked))

    def refusal(self, refusal: Refusal, asked: Request) -> Plan:
        """A refusal's plan, where the pipeline was not asked for it."""
        entropy = self.clock.dice() or entropy_of(asked.method.encode(), asked.path.encode())
        route = parse_decoded(asked.path)
        plan = self.service.errors.plan(refusal, entropy, self.clock.now_ms(), route.chip if route else "", asked.body)
        return replace(plan, headers=(*plan.headers, *NOT_KEPT)) if is_control(asked.path) else plan

    def keep(self, exchange: Exchange) -> None:
        """Keep what the connection itself answered: nothing tells whose it is, so it is the default namespace's."""
        namespace = self.namespaces.default
        exchange.request = kept(exchange.request, api_key(exchange.request.headers))
        exchange.namespace = namespace.name
        exchange.at_ms = self.elapsed_ms(namespace) - exchange.duration_ms
        namespace.begin(exchange)
        self._end(exchange, namespace)


def lost_plan(why: str) -> Plan:
    """The answer to a request that needs a state which cannot be reached: the mock's own, in the control API's form."""
    body = json.dumps({"error": why}, ensure_ascii=False).encode()
    headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *NOT_KEPT)
    return Plan(503, headers, (body,), source="refusal:state", detail=why)

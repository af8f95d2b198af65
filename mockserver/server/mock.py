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
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Ending, Exchange, Request
from mockserver.core.route import parse_decoded
from mockserver.pipeline.head import entropy_of
from mockserver.pipeline.incoming import Response
from mockserver.server.asgi_request import (
    BodyTooLargeError,
    ClientLeftError,
    api_key,
    host_trouble,
    kept,
    kept_path,
    read_body,
    refused_without_key,
    request_headers,
    seed_of,
)
from mockserver.server.clock import Wheel
from mockserver.server.connection import CONNECTION_KEY, NO_WRITES_KEY, WatchedConnection
from mockserver.server.guard import NOT_KEPT, is_control
from mockserver.server.namespace import Namespaces
from mockserver.server.performer import answer_unread, perform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive, Scope, Send

    from mockserver.core.exchange import Plan
    from mockserver.pipeline.respond import Service
    from mockserver.profile.edition import Edition
    from mockserver.server.clock import FixedClock, RealClock
    from mockserver.server.connection import Connection
    from mockserver.server.metrics import Metrics
    from mockserver.server.namespace import Namespace

    Decide = Callable[[Request, Namespace, int], Response]

log = logging.getLogger("mockserver")

LARGE_BODY_BYTES = 256 * 1024
"""What is answered to a larger body is decided in a thread."""
CLOSE = ((b"connection", b"close"),)
NEEDS_SOCKET = "this fault is made of network writes; it needs the mock on a socket, not inside the client's process"


class Mock:
    """What the routes share: the service, the clock, the wheel and who is told of each exchange.

    Args:
        edition: What is imitated; the control API tells of it.
        service: Turns requests into plans, by that edition's rules.
        clock: Where ids and `created` take their time from.
        on_exchange: Told of each finished exchange.
    """

    def __init__(
        self,
        edition: Edition,
        service: Service,
        clock: RealClock | FixedClock,
        on_exchange: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.edition = edition
        self.service = service
        self.clock = clock
        self.namespaces = Namespaces(service.seed, service.forget)
        self._on_exchange = on_exchange
        self.metrics: Metrics | None = None
        self._body_limit = service.rules.request.body_limit_bytes
        self._wheel: Wheel | None = None
        self._turn = asyncio.Lock()

    def measure(self, metrics: Metrics) -> None:
        """Have each finished exchange counted, and the figures told at `/_mock/metrics`."""
        told, self.metrics = self._on_exchange, metrics

        def count(exchange: Exchange) -> None:
            metrics.count(exchange)
            if told is not None:
                told(exchange)

        self._on_exchange = count

    def in_flight(self) -> Iterator[Exchange]:
        """The exchanges that are going on, of all namespaces."""
        for namespace in self.namespaces:
            yield from namespace.journal.unfinished()

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
        exchange = Exchange(Request(scope["method"], kept_path(scope["path"], key)), namespace=namespace.name)
        exchange.at_ms = started * 1000 + namespace.advanced_ms
        exchange.number = namespace.next("exchange")
        namespace.journal.begin(exchange)
        connection: Connection | None = scope.get(CONNECTION_KEY)
        watched = None
        try:
            try:
                body = await read_body(scope, receive, self._body_limit)
            except BodyTooLargeError as error:
                await self._too_large(str(error), scope, send, exchange)
                return
            query = scope.get("query_string", b"").decode("latin-1")
            asked = Request(scope["method"], scope["path"], headers, body, query)
            if len(body) < LARGE_BODY_BYTES and not self._turn.locked():
                plan = self._decide(asked, namespace, exchange, scope, decide)
            else:
                plan = await self._decide_in_turn(asked, namespace, exchange, scope, decide)
            namespace.journal.planned()
            if connection is None:
                connection = watched = WatchedConnection(receive)
                plan = self._without_writes(plan, scope, asked)
            await perform(plan, send, connection, wheel, exchange)
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
            ended = wheel.now()
            if exchange.client_left and connection is not None:
                ended = connection.left_at or ended
            exchange.duration_ms = (ended - started) * 1000
            self._end(exchange, namespace)

    def _without_writes(self, plan: Plan, scope: Scope, asked: Request) -> Plan:
        """The plan, or a refusal where it is made of network writes, which only our own connection can send."""
        if not plan.raw:
            return plan
        why = scope.get(NO_WRITES_KEY, NEEDS_SOCKET)
        return self.refusal(Refusal("unknown-quirk", why, param="X-Mock-Fault"), asked)

    async def _too_large(self, detail: str, scope: Scope, send: Send, exchange: Exchange) -> None:
        """Answer 413 at once; our own connection then reads the rest away, so that the client can read the answer."""
        exchange.plan = plan = self.refusal(Refusal("body-too-large", detail, headers=CLOSE), exchange.request)
        await answer_unread(plan, scope, send, self._body_limit)
        exchange.frames_sent = 1

    def _end(self, exchange: Exchange, namespace: Namespace) -> None:
        namespace.journal.end(exchange)
        if self._on_exchange is not None:
            self._on_exchange(exchange)

    async def _decide_in_turn(
        self, asked: Request, namespace: Namespace, exchange: Exchange, scope: Scope, decide: Decide
    ) -> Plan:
        """Decide one after the other: a large request in a thread, so that all but other chats goes on meanwhile."""
        async with self._turn:
            if len(asked.body) < LARGE_BODY_BYTES:
                return self._decide(asked, namespace, exchange, scope, decide)
            return await asyncio.to_thread(self._decide, asked, namespace, exchange, scope, decide)

    def _decide(self, asked: Request, namespace: Namespace, exchange: Exchange, scope: Scope, decide: Decide) -> Plan:
        """What is answered, noted in the exchange with what was asked, as far as that may be kept."""
        response = self._respond(asked, namespace, exchange, scope, decide)
        key = api_key(asked.headers)
        exchange.request, exchange.plan = kept(asked, key), refused_without_key(response.plan, key)
        exchange.chat, exchange.faults = response.chat, response.faults
        return exchange.plan

    def _respond(
        self, asked: Request, namespace: Namespace, exchange: Exchange, scope: Scope, decide: Decide
    ) -> Response:
        """A refusal where the head is wrong, and a plan even where the mock itself fails."""
        trouble = host_trouble(scope)
        if trouble is not None:
            return Response(self.refusal(Refusal("invalid-http", trouble, headers=CLOSE), asked))
        try:
            exchange.seed = seed_of(asked.headers, namespace, exchange.number)
            return decide(asked, namespace, exchange.seed)
        except Refusal as refusal:
            return Response(self.refusal(refusal, asked))
        except Exception as error:
            path = kept_path(asked.path, api_key(asked.headers))
            log.exception("genstudio-mock failed on %s %s", asked.method, ascii(path))
            text = f"genstudio-mock failed: {type(error).__name__}; this is a bug, the log has the traceback"
            return Response(self.refusal(Refusal("internal", text), asked))

    def refusal(self, refusal: Refusal, asked: Request) -> Plan:
        """A refusal's plan, where the pipeline was not asked for it."""
        entropy = self.clock.dice() or entropy_of(asked.method.encode(), asked.path.encode())
        route = parse_decoded(asked.path)
        plan = self.service.errors.plan(refusal, entropy, self.clock.now_ms(), route.chip if route else "")
        return replace(plan, headers=(*plan.headers, *NOT_KEPT)) if is_control(asked.path) else plan

    def keep(self, exchange: Exchange) -> None:
        """Keep what the connection itself answered: nothing tells whose it is, so it is the default namespace's."""
        namespace = self.namespaces.default
        exchange.request = kept(exchange.request, api_key(exchange.request.headers))
        exchange.namespace, exchange.number = namespace.name, namespace.next("exchange")
        exchange.at_ms = self.elapsed_ms(namespace) - exchange.duration_ms
        namespace.journal.begin(exchange)
        self._end(exchange, namespace)

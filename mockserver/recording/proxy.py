"""The recording proxy: passes requests on to one upstream and answers through as they arrive, and keeps both.

An answer is on the disk before its last byte reaches the client. The upstream's faults are the client's too: a cut is
a cut, a reset is a reset, and silence ends as a cut.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.route import BASE_TEMPLATE, CHAT, CHAT_PATHS, SHOWN_BASE, parse_decoded
from mockserver.files.secrets import secrets_of
from mockserver.recording.inner_path import check_inner
from mockserver.recording.refusals import HEALTH_PATH, HEALTHY, check_caller, gateway_error, usable
from mockserver.recording.relay import KEPT_BYTES, Relay
from mockserver.recording.upstream import GatewayError, connect
from mockserver.server.asgi_request import (
    BodyTooLargeError,
    ClientLeftError,
    head_trouble,
    read_body,
    request_headers,
)
from mockserver.server.clock import Wheel
from mockserver.server.connection import CONNECTION_KEY
from mockserver.server.guard import Guard
from mockserver.server.performer import answer_unread, perform
from mockserver.sources.recording_file import request_of
from mockserver.sources.replay import exact_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.types import Receive, Scope, Send

    from mockserver.core.exchange import Headers
    from mockserver.recording.path_map import PathMap
    from mockserver.recording.recorder import Recorder
    from mockserver.recording.upstream import AnswerHead, UpstreamConnection
    from mockserver.recording.upstream_address import Upstream
    from mockserver.server.client_connection import ClientConnection

LINGER_SECONDS: Final = 5.0  # how long an answer is still read, to be kept, when its client has left
LOOK_SECONDS: Final = 1.0  # how often a silent stream looks whether its client has left
BODY_LIMIT_BYTES: Final = 10 * 2**20
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te transfer-encoding "
    b"upgrade".split()
)
_NOT_PASSED_ON = _HOP_BY_HOP | {b"host", b"content-length", b"accept-encoding", b"expect"}


LOCAL_GUARD: Final = Guard()


def check_head(asked: Request, scope: Scope, guard: Guard) -> None:
    """Refuse what shall not reach the upstream, before any of its body is read; raises Refusal or GatewayError."""
    trouble = head_trouble(scope["headers"], scope["http_version"])
    if trouble is not None:
        raise Refusal("invalid-http", trouble, headers=((b"connection", b"close"),))
    check_caller(asked, guard)
    check_inner(raw_path(scope))


def raw_path(scope: Scope) -> str:
    """The path as it stood in the request."""
    raw: bytes = scope.get("raw_path") or b"/"
    return raw.decode("latin-1")


class RecordingProxy:
    """The proxy as an ASGI application.

    Args:
        upstream: Where requests go, whatever they say about hosts.
        recorder: Keeps exchanges and knows the recorded ones.
        refusal: Makes the plan of a refusal in the edition's shape.
        maps: Path prefixes, the first that fits is used; a path that none fits stays as it is.
        key: The upstream's API key, sent in place of the client's; empty passes the client's through.
        headers: Further headers for the upstream, names in lower case, in place of the client's of these names.
        speed: Of replayed answers; 0 sends at once.
        guard: Which `Host` a request may have, and from which pages it may come.
    """

    def __init__(
        self,
        upstream: Upstream,
        recorder: Recorder,
        refusal: Callable[[Refusal], Plan],
        *,
        maps: Iterable[PathMap] = (),
        key: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        speed: float = 0.0,
        guard: Guard = LOCAL_GUARD,
    ) -> None:
        self._upstream = upstream
        self._recorder = recorder
        self._refusal = refusal
        self._maps = tuple(maps)
        self._key = key
        self._headers = headers
        self._dropped = _NOT_PASSED_ON | {name for name, _ in headers} | ({b"authorization"} if key else set())
        self._speed = speed
        self._guard = guard
        self._wheel: Wheel | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if self._wheel is None:
            self._wheel = Wheel(asyncio.get_running_loop())
        connection: ClientConnection = scope[CONNECTION_KEY]
        asked = Request(scope["method"], scope["path"], request_headers(scope))
        try:
            check_head(asked, scope, self._guard)
            if asked.path == HEALTH_PATH:
                await perform(HEALTHY, send, connection, self._wheel, Exchange(asked))
                return
            body = await read_body(scope, receive, BODY_LIMIT_BYTES)
            asked = Request(asked.method, asked.path, asked.headers, body)
            plan = self._known(asked)
            if plan is None:
                await self._forward(asked, scope, send, connection)
                return
        except ClientLeftError:
            return
        except BodyTooLargeError as error:
            plan = self._refusal(Refusal("body-too-large", str(error), headers=((b"connection", b"close"),)))
            await answer_unread(plan, scope, send, BODY_LIMIT_BYTES)
            return
        except Refusal as refusal:
            plan = self._refusal(refusal)
        except GatewayError as error:
            self._tell(f"{error.status} for {asked.path[:100]!r}: {error}", asked, scope)
            plan = gateway_error(error)
        await perform(plan, send, connection, self._wheel, Exchange(asked))

    def refusal(self, refusal: Refusal, asked: Request) -> Plan:  # noqa: ARG002 - as the connection asks
        """The plan of a refusal of a request that cannot be read."""
        return self._refusal(refusal)

    def keep(self, exchange: Exchange) -> None:
        """Tell of a request that could not be read; there is nothing to keep."""
        what = f"the client left before its request to {exchange.request.path[:100]!r} was whole"
        if exchange.plan is not None:
            what = f"{exchange.plan.status} for {exchange.request.path[:100]!r}: {exchange.plan.detail}"
        self._recorder.tell_masked(what, set())

    def _known(self, asked: Request) -> Plan | None:
        """The plan of a recording; None asks the upstream."""
        request = request_of(asked) if asked.method == "POST" else None
        found = self._recorder.known(request) if request else None
        if found is not None:
            return exact_plan(found, self._speed)
        if not self._recorder.offline:
            return None
        near = self._recorder.recordings.near_misses(request) if request else []
        nearest = f"; nearest: {' | '.join(near)}" if near else ""
        raise Refusal("no-match", f"no recording fits, and --mode none asks nobody{nearest}")

    async def _forward(self, asked: Request, scope: Scope, send: Send, connection: ClientConnection) -> None:
        """Ask the upstream and pass its answer through."""
        relay = Relay(connection)
        line = await connect(self._upstream, relay)
        try:
            line.write(self._request_bytes(asked, scope))
            head = usable(await line.head(self._upstream.silence_seconds), line, self._upstream)
            passed = tuple(pair for pair in head.headers if pair[0].lower() not in _HOP_BY_HOP)
            connection.write_head(head.status, passed)
            line.pour()
            ending = await self._end_of(line, relay, connection)
            if ending is None:
                left = f"not kept: the client of {asked.path[:100]!r} left before the answer was whole"
                self._tell(left, asked, scope)
                return
            last, duration_ms = relay.rest(), relay.since_ms
            answered = replace(received(head, relay, ending), trailers=tuple(line.trailers))
            if ending is not Ending.HANG:  # whose end is our patience
                answered = replace(answered, end_at_ms=relay.heard_ms if ending is Ending.COMPLETE else duration_ms)
            exchange = Exchange(asked, answered, len(answered.frames), duration_ms, ending)
            await self._keep(exchange, relay, scope, head.headers)
            if ending is Ending.COMPLETE and line.trailers:
                connection.write_part(last)
                connection.write_trailers(line.trailers)
                last = b""
            if ending is Ending.COMPLETE:
                await send({"type": "http.response.body", "body": last})
                return
            await send({"type": "http.response.body", "body": last, "more_body": True})
            if ending is Ending.RESET:
                await connection.reset()
            else:
                connection.cut()
        except asyncio.CancelledError:  # the server stops: the client sees a cut, and nobody a traceback
            connection.cut()
            self._tell(f"not kept: stopped before the answer to {asked.path[:100]!r} was whole", asked, scope)
        finally:
            line.close()

    async def _end_of(self, line: UpstreamConnection, relay: Relay, connection: ClientConnection) -> Ending | None:
        """How the answer ended: `hang` after too long a silence, None where the client left and it did not end soon."""
        silence = self._upstream.silence_seconds
        left = 0.0
        while True:
            ending = await line.ended(min(LOOK_SECONDS, silence))
            now = time.perf_counter()
            if ending is not None:
                return ending
            if now - relay.heard >= silence:
                return Ending.HANG
            if connection.gone:
                left = left or now
                if now - left > LINGER_SECONDS:
                    return None

    async def _keep(self, exchange: Exchange, relay: Relay, scope: Scope, answered: Headers) -> None:
        asked = exchange.request
        if asked.method != "POST" or parse_decoded(asked.path) is None:
            self._tell(no_chat(asked), asked, scope)
            return
        if relay.too_long:
            self._tell(f"not kept: the answer to {asked.path[:100]!r} is over {KEPT_BYTES >> 20} MiB", asked, scope)
            return
        trailers = exchange.plan.trailers if exchange.plan is not None else ()
        secrets = secrets_of(asked.headers, scope["query_string"], (*answered, *trailers))
        await asyncio.to_thread(self._recorder.keep, exchange, secrets)

    def _tell(self, line: str, asked: Request, scope: Scope) -> None:
        """Tell a line about a request, whose path may hold its key."""
        self._recorder.tell_masked(line, secrets_of(asked.headers, scope["query_string"], ()))

    def _request_bytes(self, asked: Request, scope: Scope) -> bytes:
        """The request as the upstream gets it."""
        path = raw_path(scope)
        mapped = next((made for made in (one.applied(path) for one in self._maps) if made is not None), path)
        target = (self._upstream.base + mapped).encode("latin-1") or b"/"
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        lines = [b"%b %b HTTP/1.1" % (asked.method.encode(), target), b"host: " + self._upstream.authority]
        lines += [b"%b: %b" % pair for pair in scope["headers"] if pair[0] not in self._dropped]
        lines += [b"%b: %b" % pair for pair in self._headers]
        if self._key:
            lines.append(b"authorization: Bearer " + self._key)
        lines.append(b"accept-encoding: identity")
        if asked.method == "POST":
            lines.append(b"content-length: %d" % len(asked.body))
        return b"\r\n".join((*lines, b"", asked.body))


def no_chat(asked: Request) -> str:
    """What is told of an exchange that passed through and is not kept, since it is no chat; and what to do."""
    says = f"passed through, not kept: {asked.method} {asked.path[:100]!r}"
    if asked.method == "POST" and asked.path.rstrip("/").endswith(CHAT):
        prefix = asked.path.rstrip("/").removesuffix(CHAT)[:100]
        todo = f"give the client the base URL {SHOWN_BASE} of this recorder, and start it with --map"
        return f"{says} names no model and chip; {todo} '{BASE_TEMPLATE}={prefix}'"
    return f"{says} asks for no chat; kept is POST {', '.join(CHAT_PATHS)}"


def received(head: AnswerHead, relay: Relay, ending: Ending) -> Plan:
    """What the proxy saw, as a plan that says it again."""
    times = tuple(relay.at_ms) or None
    return Plan(head.status, head.headers, tuple(relay.frames), times, ending, relay.head_at_ms, joinable=False)

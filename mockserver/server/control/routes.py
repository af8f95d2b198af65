"""The control API under `/_mock/`: routes made from the table of operations, and its OpenAPI document."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mockserver.server.asgi_request import api_key, head_trouble, kept_path, without_key
from mockserver.server.control.operations import NUMBER, OPERATIONS, RAW_TYPES, ControlCall, Operation
from mockserver.server.control.request import ControlError, checked_body, checked_query, checked_value, read_body
from mockserver.server.guard import JSON_ALONE, NOT_KEPT, PREFIX, ForbiddenError, Guard, is_control
from mockserver.server.namespace import StateLostError, Touches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.server.metrics import Metrics
    from mockserver.server.mock import Mock
    from mockserver.server.namespace import Namespace

log = logging.getLogger("mockserver")

DOCUMENT: Final = f"{PREFIX}/openapi.json"
METRICS: Final = f"{PREFIX}/metrics"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
NAMESPACE_HEADER: Final = b"x-mock-namespace"
"""Names a namespace instead of its API key, for who looks on and does not know the key."""


def routes(mock: Mock, guard: Guard | None) -> list[Route]:
    """The control API's routes; a path's other methods get 405 with `Allow`.

    Without a guard nobody is let in, and only what is open to all (health) is left.
    """
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        if guard is None and not operation.open:
            continue
        paths.setdefault(operation.path, {})[operation.method] = operation
    turn = asyncio.Lock()
    made = [
        Route(PREFIX + path, _endpoint(mock, guard, by_method, turn), methods=None) for path, by_method in paths.items()
    ]
    if mock.metrics is not None:
        made.append(Route(METRICS, _Asgi(_figures(mock.metrics)), methods=None))
    return made if guard is None else [*made, Route(DOCUMENT, _document(guard), methods=None)]


def _figures(metrics: Metrics) -> Callable[[Request], Awaitable[Response]]:
    """What Prometheus asks for; open as health is, since a scraper knows no token and nothing secret is told."""

    async def endpoint(request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            refused = _error(405, f"{request.method} is not allowed on {METRICS}; allowed: GET, HEAD")
            refused.headers["allow"] = "GET, HEAD"
            return refused
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return endpoint


def default(guard: Guard | None, otherwise: ASGIApp) -> ASGIApp:
    """What answers where no route does: below `/_mock` the control API's 404, elsewhere `otherwise`.

    No route can do that: Starlette's patterns end at a line break, which a path may hold.
    """
    unknown = _Asgi(_unknown)

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        ours = guard is not None and scope["type"] == "http" and is_control(scope["path"])
        await (unknown if ours else otherwise)(scope, receive, send)

    return endpoint


def _endpoint(mock: Mock, guard: Guard | None, by_method: Mapping[str, Operation], turn: asyncio.Lock) -> Any:
    async def endpoint(request: Request) -> Response:
        headers = dict(request.scope["headers"])
        operation = by_method.get("GET" if request.method == "HEAD" else request.method)
        try:
            if operation is None:
                return _wrong_method(request.method, by_method)
            if guard is not None and not operation.open:
                _let_in(guard, request, operation.takes)
            _need_all(mock, operation, request)
            path = {name: checked_value(f"path: {name}", x, NUMBER.schema) for name, x in request.path_params.items()}
            data = await _json_of(operation, request) if operation.body else b""
            body = checked_body(operation.body, data) if operation.body else None
            query = checked_query(operation.query, request.query_params.multi_items())
            key, namespace = await _namespace(mock, operation, headers)
            call = ControlCall(mock, namespace, key, path, query, body, data)
            made = await mock.namespaces.act(operation.touches, namespace, lambda: operation.handler(call))
        except (ForbiddenError, ControlError) as error:
            return _refused(request, error)
        except StateLostError as lost:
            return _refused(request, ControlError(503, str(lost)))
        if isinstance(made, Response):
            return made
        if operation.large:
            async with turn:  # many at once would hold the memory of all of them, and the chats up
                gone = await request.is_disconnected()
                written = b"" if gone else await asyncio.to_thread(lambda: _written(made()))
        else:
            written = _written(made)
        return Response(written, operation.status, media_type="application/json")

    return _Asgi(endpoint)


def _written(made: Any) -> bytes:
    """A reply as JSON; a list row by row, so that other threads get a turn."""
    if isinstance(made, list):
        return b"[" + b",".join(map(_written, made)) + b"]"
    return to_json(made, inf_nan_mode="null")


def _need_all(mock: Mock, operation: Operation, request: Request) -> None:
    """Raise ControlError where this process alone would be asked or told, of several that answer."""
    if mock.workers > 1 and operation.touches is not Touches.NOTHING and not mock.namespaces.shared:
        asked = f"{request.method} {request.url.path}"
        raise ControlError(
            409, f"{asked} would act on one of {mock.workers} processes alone; start the mock with --state for it"
        )


def _let_in(guard: Guard, request: Request, takes: Sequence[bytes] = JSON_ALONE) -> None:
    """Raise ForbiddenError for a request that the guard does not let in: of two `Host` headers it would see one."""
    trouble = head_trouble(request.scope["headers"], request.scope["http_version"])
    if trouble is not None:
        raise ForbiddenError(400, trouble)
    guard.check(request.method, dict(request.scope["headers"]), takes)


async def _json_of(operation: Operation, request: Request) -> bytes:
    """The body as JSON."""
    data, kind = await read_body(request), request.headers.get("content-type", "")
    if operation.raw is None or kind.partition(";")[0].strip().lower().encode() not in RAW_TYPES:
        return data
    return to_json(operation.raw(kind, data))


async def _namespace(mock: Mock, operation: Operation, headers: dict[bytes, bytes]) -> tuple[str, Namespace]:
    """The API key and the namespace that an operation acts on: those of the key, or of the name that is given."""
    name = headers.get(NAMESPACE_HEADER)
    if name is not None:
        known, namespace = named_namespace(mock, name)
        return known or "", namespace
    key = api_key(headers)
    return key, await mock.namespaces.claimed(key) if operation.claims else mock.namespaces.of(key)


def named_namespace(mock: Mock, name: bytes) -> tuple[str | None, Namespace]:
    """The API key, where it is known here, and the namespace of a name; raises ControlError where there is none."""
    found = mock.namespaces.named(name.decode("latin-1"))
    if found is None:
        known = ", ".join(one.name for one in mock.namespaces)
        raise ControlError(404, f"X-Mock-Namespace: {name.decode('latin-1')!r} is not there; there are: {known}")
    return found


class _Asgi:
    """A function of a request as an ASGI app: Starlette then leaves the methods to us."""

    def __init__(self, function: Callable[[Request], Awaitable[Response]]) -> None:
        self._function = function

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import ClientDisconnect, Request

        with contextlib.suppress(ClientDisconnect):  # nobody is left to answer
            response = await self._function(Request(scope, receive, send))
            response.headers.update({name.decode(): value.decode() for name, value in NOT_KEPT})
            await response(scope, receive, send)


async def _unknown(request: Request) -> Response:
    known = ", ".join(sorted({PREFIX + one.path for one in OPERATIONS} | {DOCUMENT}))
    path = kept_path(request.scope["path"], api_key(dict(request.scope["headers"])))[:200]
    return _error(404, f"{path!r} is not of the control API; there are: {known}")


def _wrong_method(method: str, allowed: Mapping[str, object]) -> Response:
    allow = ", ".join(allowed).replace("GET", "GET, HEAD")
    return _error(405, f"{method} is not allowed here; allowed: {allow}", {"allow": allow})


def _refused(request: Request, error: ForbiddenError | ControlError) -> Response:
    """What is refused, told to the log too: who was kept out is a warning."""
    level = logging.WARNING if isinstance(error, ForbiddenError) else logging.INFO
    key = api_key(dict(request.scope["headers"]))
    path, why = kept_path(request.scope["path"], key)[:200], without_key(str(error), key)
    log.log(level, "control API: %s %s %d: %s", request.method, path, error.status, why)
    return _error(error.status, why)


def _error(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    data = json.dumps({"error": detail}, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(data, status, headers, "application/json")


def _document(guard: Guard) -> Any:
    made: list[dict[str, Any]] = []

    async def endpoint(request: Request) -> Response:
        from mockserver.server.control.openapi import document

        if request.method not in {"GET", "HEAD"}:
            return _wrong_method(request.method, {"GET": None})
        try:
            _let_in(guard, request)
        except ForbiddenError as error:
            return _refused(request, error)
        if not made:
            made.append(document(OPERATIONS, PREFIX, token=guard.token is not None))
        return JSONResponse(made[0])

    return _Asgi(endpoint)

"""The control API: one table of operations under `/_mock/`, from which routes and the OpenAPI document are made.

An operation acts on the namespace of the API key in `Authorization`, which it claims; without a key on the default
one. So a test that uses a key of its own has its own faults, answers and journal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mockserver import __version__, quirks
from mockserver.errors import Refusal
from mockserver.pipeline.disturb import FAULT_TYPES, FaultError, fault_of
from mockserver.server import verdict, wire
from mockserver.server.guard import ForbiddenError, Guard
from mockserver.server.journal import Query
from mockserver.server.namespace import ArmedFault, Expectation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.exchange import Exchange
    from mockserver.server.app import Mock
    from mockserver.server.namespace import Namespace

PREFIX: Final = "/_mock"
BODY_LIMIT_BYTES: Final = 4 * 2**20
MOST_WAIT_MS: Final = 60_000


class ControlError(Exception):
    """A control request that cannot be; `status` is a 4xx, the text names field and what is allowed."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """One control request, as a handler sees it.

    Attributes:
        mock: The mock.
        namespace: What it acts on.
        key: The API key that it came with.
        path: Path parameters.
        query: Query parameters, checked.
        body: The body, checked; None where the operation takes none.
    """

    mock: Mock
    namespace: Namespace
    key: str
    path: Mapping[str, int]
    query: Mapping[str, Any]
    body: Any = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of path or query: its JSON Schema and what it is for."""

    schema: Mapping[str, Any]
    says: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A row: what is asked for, how, and who answers.

    Attributes:
        method: HTTP method.
        path: Below `/_mock`.
        says: One sentence for the document.
        handler: Gives what is sent back as JSON, or a whole response.
        body: The model of the body.
        query: Query parameters by name.
        status: The status of success.
        open: Whether it is let in from anywhere (health).
    """

    method: str
    path: str
    says: str
    handler: Callable[[Call], Awaitable[Any]]
    body: type[BaseModel] | None = None
    query: Mapping[str, Parameter] = field(default_factory=dict)
    status: int = 200
    open: bool = False


async def health(call: Call) -> Any:
    """The server is up."""
    edition = call.mock.service.edition
    return {
        "status": "ok",
        "version": __version__,
        "edition": edition.name,
        "chips": list(edition.chips),
        "models": list(edition.models),
    }


async def reset(call: Call) -> Any:
    """Forget."""
    if call.body.counters:
        call.mock.service.forget(call.namespace.name)
    call.namespace.reset(journal=call.body.journal, setup=call.body.setup, counters=call.body.counters)
    return {"namespace": call.namespace.name}


async def list_namespaces(call: Call) -> Any:
    """All namespaces in a line each."""
    return [
        {
            "name": one.name,
            "exchanges": len(one.journal),
            "dropped": one.journal.dropped,
            "faults": len(one.faults),
            "answers": len(one.script),
        }
        for one in call.mock.namespaces
    ]


async def release(call: Call) -> Any:
    """Give the namespace up."""
    call.mock.service.forget(call.namespace.name)
    return {"released": call.mock.namespaces.release(call.key)}


async def list_faults(call: Call) -> Any:
    """Armed faults."""
    return [wire.armed_json(one) for one in call.namespace.faults]


async def arm(call: Call) -> Any:
    """Arm a fault."""
    body: wire.ArmBody = call.body
    number = call.namespace.next("fault")
    armed = ArmedFault(number, body.fault, body.match.which(), body.times, body.every, body.probability)
    call.namespace.faults.append(armed)
    return wire.armed_json(armed)


async def disarm(call: Call) -> Any:
    """Disarm all faults, or one."""
    return _remove(call.namespace.faults, call.path.get("number"), "fault")


async def fault_types(_call: Call) -> Any:
    """What faults there are."""
    return {
        name: {
            "says": (kind.__doc__ or "").split("\n\n")[0],
            "settings": [one for one in kind.model_fields if one != "type"],
        }
        for name, kind in FAULT_TYPES.items()
    }


async def list_answers(call: Call) -> Any:
    """Scripted answers and what was not scripted."""
    script = [wire.expectation_json(one) for one in call.namespace.script]
    return {"answers": script, "unmet": len(call.namespace.unmet()), "unexpected": call.namespace.unexpected}


async def script(call: Call) -> Any:
    """Script an answer."""
    body: wire.ScriptBody = call.body
    number = call.namespace.next("answer")
    reply = wire.reply_of(body.answer, call.mock.service.edition)
    expectation = Expectation(number, reply, body.match.which(), body.times)
    call.namespace.script.append(expectation)
    return wire.expectation_json(expectation)


async def unscript(call: Call) -> Any:
    """Forget all scripted answers, or one."""
    return _remove(call.namespace.script, call.path.get("number"), "answer")


async def list_exchanges(call: Call) -> Any:
    """What happened; with `count` it waits until there are so many."""
    asked = dict(call.query)
    count, timeout_ms = asked.pop("count", 0), asked.pop("timeout_ms", 10_000)
    frames = asked.pop("frames", False)
    query = Query(**asked)
    found = await call.namespace.journal.wait(query, count, timeout_ms / 1000)
    return [wire.exchange_json(one, frames=frames) for one in found]


async def show_exchange(call: Call) -> Any:
    """One exchange with all that was sent."""
    return wire.exchange_json(_exchange(call), frames=True)


async def save_exchange(call: Call) -> Any:
    """One exchange as a fixture file: headers by an allow list, the key and what looks like one masked."""
    from mockserver.server.saved import NotSavedError, saved

    number = call.path["number"]
    try:
        text = saved(_exchange(call), call.key, call.mock.service.edition.name, call.mock.clock.now_ms())
    except NotSavedError as error:
        raise ControlError(409, f"exchange {number} {error}") from None
    return Response(text, media_type="application/json")


async def judge(call: Call) -> Any:
    """What the exchanges say of the client."""
    return verdict.verdict_json(verdict.judge(list(call.namespace.journal)))


async def list_quirks(_call: Call) -> Any:
    """The table of quirks."""
    return [
        {"name": quirk.name, "stage": axis.stage, "standard": quirk is axis.standard, "says": quirk.says}
        for axis in quirks.AXES
        for quirk in axis.quirks
    ]


async def show_clock(call: Call) -> Any:
    """The namespace's clock."""
    return {"elapsed_ms": round(call.mock.elapsed_ms(call.namespace), 3), "now_ms": call.mock.clock.now_ms()}


async def move_clock(call: Call) -> Any:
    """Move the namespace's clock on."""
    call.namespace.advanced_ms += call.body.advance_ms
    return await show_clock(call)


def _exchange(call: Call) -> Exchange:
    """The exchange whose number the path names."""
    for one in call.namespace.journal:
        if one.number == call.path["number"]:
            return one
    raise ControlError(404, f"exchange {call.path['number']} is not in the journal of {call.namespace.name}")


def _remove(rows: list[Any], number: int | None, what: str) -> Any:
    """Take one row out by its number, or all of them."""
    if number is None:
        count = len(rows)
        rows.clear()
        return {"removed": count}
    for index, row in enumerate(rows):
        if row.number == number:
            del rows[index]
            return {"removed": 1}
    known = ", ".join(str(row.number) for row in rows) or "none"
    raise ControlError(404, f"{what} {number} is not there; there are: {known}")


NUMBER: Final = Parameter({"type": "integer", "minimum": 1, "maximum": 999_999_999_999}, "its number, from 1")
_STRING = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
_WHICH_EXCHANGES: Final = {
    "model": Parameter(_STRING, "only this model"),
    "chip": Parameter(_STRING, "only this chip"),
    "status": Parameter({"type": "integer", "minimum": 100, "maximum": 599}, "only this HTTP status"),
    "stream": Parameter({"type": "boolean"}, "only streams, or only whole answers"),
    "text": Parameter(_STRING, "only requests whose body holds this"),
    "after": Parameter(_COUNT, "only exchanges with a higher number"),
    "count": Parameter(_COUNT, "wait until there are so many"),
    "timeout_ms": Parameter({"type": "integer", "minimum": 0, "maximum": MOST_WAIT_MS}, "how long to wait at most"),
    "frames": Parameter({"type": "boolean"}, "show what was sent, frame by frame"),
}

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("GET", "/health", "Whether the server is up, and what it imitates.", health, open=True),
    Operation("GET", "/ready", "Whether requests are answered; the same as health.", health, open=True),
    Operation("POST", "/reset", "Forget the journal, what was set up, and the counters.", reset, wire.ResetBody),
    Operation("GET", "/namespaces", "All namespaces.", list_namespaces),
    Operation("DELETE", "/namespace", "Give up the namespace of the API key.", release),
    Operation("GET", "/faults", "Armed faults, in the order they act.", list_faults),
    Operation("POST", "/faults", "Arm a fault.", arm, wire.ArmBody, status=201),
    Operation("DELETE", "/faults", "Disarm all faults.", disarm),
    Operation("DELETE", "/faults/{number}", "Disarm one fault.", disarm),
    Operation("GET", "/fault-types", "The faults there are, with their settings.", fault_types),
    Operation("GET", "/answers", "Scripted answers, and requests that were not scripted.", list_answers),
    Operation("POST", "/answers", "Script an answer.", script, wire.ScriptBody, status=201),
    Operation("DELETE", "/answers", "Forget all scripted answers.", unscript),
    Operation("DELETE", "/answers/{number}", "Forget one scripted answer.", unscript),
    Operation("GET", "/exchanges", "What happened, oldest first.", list_exchanges, query=_WHICH_EXCHANGES),
    Operation("GET", "/exchanges/{number}", "One exchange with all that was sent.", show_exchange),
    Operation("GET", "/exchanges/{number}/fixture", "One exchange as a fixture file to keep.", save_exchange),
    Operation("GET", "/verdict", "What the exchanges say of the client.", judge),
    Operation("GET", "/quirks", "The table of quirks.", list_quirks),
    Operation("GET", "/clock", "The namespace's clock, on which quotas run.", show_clock),
    Operation("POST", "/clock", "Move the namespace's clock on.", move_clock, wire.ClockBody),
)


def routes(mock: Mock, guard: Guard | None) -> list[Route]:
    """The control API's routes; a path's other methods get 405 with `Allow`.

    Without a guard nobody is let in, and only what is open to all (health) is left.
    """
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        if guard is None and not operation.open:
            continue
        paths.setdefault(operation.path, {})[operation.method] = operation
    made = [Route(PREFIX + path, _endpoint(mock, guard, by_method), methods=None) for path, by_method in paths.items()]
    return made if guard is None else [*made, Route(f"{PREFIX}/openapi.json", _document(guard), methods=None)]


def default(guard: Guard | None, otherwise: ASGIApp) -> ASGIApp:
    """What answers where no route does: below `/_mock` the control API's 404, elsewhere `otherwise`.

    No route can do that: Starlette's patterns end at a line break, which a path may hold.
    """
    unknown = _Asgi(_unknown)

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        ours = guard is not None and scope["type"] == "http" and f"{scope['path']}/".startswith(f"{PREFIX}/")
        await (unknown if ours else otherwise)(scope, receive, send)

    return endpoint


def _endpoint(mock: Mock, guard: Guard | None, by_method: Mapping[str, Operation]) -> Any:
    async def endpoint(request: Request) -> Response:
        headers = dict(request.scope["headers"])
        operation = by_method.get("GET" if request.method == "HEAD" else request.method)
        try:
            if operation is None:
                allow = ", ".join(by_method).replace("GET", "GET, HEAD")
                return _error(405, f"{request.method} is not allowed here; allowed: {allow}", {"allow": allow})
            if guard is not None and not operation.open:
                guard.check(request.method, headers)
            path = {name: _value(f"path: {name}", text, NUMBER.schema) for name, text in request.path_params.items()}
            body = _checked(operation.body, await _read(request)) if operation.body else None
            key = headers.get(b"authorization", b"").partition(b" ")[2].strip().decode("latin-1")
            namespace = mock.namespaces.default if operation.open else mock.namespaces.claim(key)
            query = _query(operation, request)
            made = await operation.handler(Call(mock, namespace, key, path, query, body))
        except (ForbiddenError, ControlError) as error:
            return _error(error.status, str(error))
        return made if isinstance(made, Response) else JSONResponse(made, operation.status)

    return _Asgi(endpoint)


class _Asgi:
    """A function of a request as an ASGI app: Starlette then leaves the methods to us."""

    def __init__(self, function: Callable[[Request], Awaitable[Response]]) -> None:
        self._function = function

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import Request

        response = await self._function(Request(scope, receive, send))
        await response(scope, receive, send)


async def _unknown(request: Request) -> Response:
    known = ", ".join(sorted({PREFIX + one.path for one in OPERATIONS}))
    return _error(404, f"{request.scope['path'][:200]!r} is not of the control API; there are: {known}")


async def _read(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT_BYTES:
            raise ControlError(413, f"the body has more than {BODY_LIMIT_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _checked(model: type[BaseModel], data: bytes) -> BaseModel:
    """The body as its model; an armed fault is checked first, since its type decides what is allowed.

    JSON has types, so 0 is no boolean here and "5" no number, as the document says.
    """
    from pydantic_core import from_json

    data = data if data.strip() else b"{}"
    try:
        document = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise ControlError(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise ControlError(400, "the body must be a JSON object")
    if "fault" in model.model_fields and "fault" in document:
        try:
            fault_of(document["fault"], strict=True)
        except FaultError as error:
            raise ControlError(400, f"fault: {error}") from None
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as wrong:
        from mockserver.profile import explain

        raise ControlError(400, explain(wrong, model)) from None
    except Refusal as refusal:
        raise ControlError(400, refusal.detail) from None


def _query(operation: Operation, request: Request) -> dict[str, Any]:
    """The query parameters with their types; raises ControlError for an unknown name or a wrong value."""
    found: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        parameter = operation.query.get(name)
        if parameter is None:
            known = ", ".join(operation.query) or "none"
            raise ControlError(400, f"query: {name!r} is not a parameter here; allowed: {known}")
        found[name] = _value(f"query: {name}", text, parameter.schema)
    return found


def _value(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    if schema["type"] == "boolean":
        if text not in {"true", "false"}:
            raise ControlError(400, f"{name}: {text!r} is not allowed; allowed: true, false")
        return text == "true"
    if schema["type"] == "integer":
        low, high = schema["minimum"], schema["maximum"]
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
            raise ControlError(400, f"{name}: {text!r} is not allowed; allowed: an integer from {low} to {high}")
        return int(text)
    return text


def _error(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    data = json.dumps({"error": detail}, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(data, status, headers, "application/json")


def _document(guard: Guard) -> Any:
    async def endpoint(request: Request) -> Response:
        from mockserver.server.openapi import document

        try:
            guard.check(request.method, dict(request.scope["headers"]))
        except ForbiddenError as error:
            return _error(error.status, str(error))
        if request.method not in {"GET", "HEAD"}:
            return _error(405, f"{request.method} is not allowed here; allowed: GET, HEAD", {"allow": "GET, HEAD"})
        return JSONResponse(document(OPERATIONS, PREFIX))

    return _Asgi(endpoint)

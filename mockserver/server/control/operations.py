"""What the control API can do: one table of operations, from which routes and the OpenAPI document are made.

An operation acts on the namespace of the API key in `Authorization`, which it claims; without a key on the default
one. So a test that uses a key of its own has its own faults, answers and journal. What a handler is annotated to give
is what the document says that comes back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from mockserver.files.exchange_file import ExchangeFile
from mockserver.page.drawn import chip_claims
from mockserver.pipeline.faults.table import FAULTS
from mockserver.profile import quirks
from mockserver.server import verdict
from mockserver.server.control import bodies, replies
from mockserver.server.control.request import ControlError, Parameter
from mockserver.server.guard import JSON_ALONE
from mockserver.server.journal import MOST_EXCHANGES, Query
from mockserver.server.namespace import Touches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pydantic import BaseModel

    from mockserver.core.exchange import Exchange
    from mockserver.server.mock import Mock
    from mockserver.server.namespace import Namespace
    from mockserver.server.namespace_setup import ArmedFault, Expectation

    Rows = list[ArmedFault] | list[Expectation]

RAW_TYPES: Final = (b"text/event-stream", b"application/x-ndjson", b"application/octet-stream")
"""Of bodies that are no JSON: none that a web page can send without asking first."""
MOST_WAIT_MS: Final = 5_000
"""How long one request may wait; a longer wait would look like a hang to proxies and fuzzers. Asking again goes on."""
WAIT_MS: Final = 2_000
PATIENCE_MS: Final = 60_000
"""How long a client may wait for an answer that never comes before the verdict says that it has no timeout."""
_LONGEST_PATIENCE_MS: Final = 3_600_000
MOST_SET_UP: Final = 1000
"""Faults, and scripted answers, of a namespace."""
MOST_SET_UP_OF_ALL: Final = 10_000
"""Those of all namespaces together."""
MOST_SET_UP_BYTES: Final = 8 * 2**20
"""Bytes of a namespace's faults, and of its scripted answers, as they were sent."""
MOST_SET_UP_BYTES_OF_ALL: Final = 64 * 2**20
"""Those of all namespaces together."""


@dataclass(frozen=True, slots=True)
class ControlCall:
    """One control request, as a handler sees it.

    Attributes:
        mock: The mock.
        namespace: What it acts on.
        key: The API key that it came with.
        path: Path parameters.
        query: Query parameters, checked.
        body: The body, checked; None where the operation takes none.
        said: The body as it was sent.
    """

    mock: Mock
    namespace: Namespace
    key: str
    path: Mapping[str, int]
    query: Mapping[str, Any]
    body: Any = None
    said: bytes = b""

    @property
    def elapsed_ms(self) -> float:
        """Now, in milliseconds on the namespace's clock."""
        return self.mock.elapsed_ms(self.namespace)


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
        refusals: Statuses of its own refusals, beside those that follow from the rest of the row.
        returns: What comes back, where the handler makes the response itself.
        raw: Makes the body's JSON of a body of one of `RAW_TYPES`; None takes JSON alone.
        open: Whether it is let in from anywhere (health).
        claims: Whether the API key's namespace is made where there is none.
        touches: What it reads or changes of namespaces: where it is nothing, any process can answer it.
        large: Whether what comes back may be so large that it is made off the loop's way and one at a time, by the
            function that the handler gives.
    """

    method: str
    path: str
    says: str
    handler: Callable[[ControlCall], Awaitable[Any]]
    body: type[BaseModel] | None = None
    query: Mapping[str, Parameter] = field(default_factory=dict)
    status: int = 200
    refusals: tuple[int, ...] = ()
    returns: Any = None
    raw: Callable[[str, bytes], dict[str, Any]] | None = None
    open: bool = False
    claims: bool = True
    touches: Touches = Touches.CHANGES
    large: bool = False

    @property
    def takes(self) -> tuple[bytes, ...]:
        """The kinds of bodies that are read."""
        return JSON_ALONE if self.raw is None else (*JSON_ALONE, *RAW_TYPES)

    @property
    def numbered(self) -> bool:
        """Whether its path names a row by its number."""
        return self.path.find("{number}") >= 0


async def health(call: ControlCall) -> replies.Health:
    """The server is up."""
    return replies.Health.of(call.mock.edition)


async def reset(call: ControlCall) -> replies.Cleared:
    """Forget."""
    if call.body.counters:
        call.mock.service.forget(call.namespace.name)
    call.namespace.reset(journal=call.body.journal, setup=call.body.setup, counters=call.body.counters)
    return replies.Cleared(namespace=call.namespace.name)


async def list_namespaces(call: ControlCall) -> list[replies.NamespaceRow]:
    """All namespaces in a line each."""
    return [replies.NamespaceRow.of(one) for one in call.mock.namespaces]


async def release(call: ControlCall) -> replies.Released:
    """Give the namespace up."""
    stale = [
        f"{one.plan.source}: {'; '.join(one.plan.stale)}"
        for one in call.namespace.journal
        if one.plan and one.plan.stale
    ]
    released = await call.mock.namespaces.give_up(call.key)
    return replies.Released(released=released, stale=list(dict.fromkeys(stale)) if released else [])


async def list_faults(call: ControlCall) -> list[replies.ArmedRow]:
    """Armed faults."""
    return [replies.ArmedRow.of(one) for one in call.namespace.faults]


async def arm(call: ControlCall) -> replies.ArmedRow:
    """Arm a fault."""
    body: bodies.ArmBody = call.body
    _need_room(call, "faults", lambda one: one.faults, len(call.said))
    armed = body.armed(call.namespace.next("fault"), call.said)
    call.namespace.faults.append(armed)
    return replies.ArmedRow.of(armed)


async def disarm(call: ControlCall) -> replies.Removed:
    """Disarm all faults, or one."""
    return _remove(call.namespace.faults, call.path.get("number"), "fault")


async def fault_types(_call: ControlCall) -> dict[str, replies.FaultTypeRow]:
    """What faults there are."""
    return {name: replies.FaultTypeRow.of(kind) for name, kind in FAULTS.items()}


async def list_answers(call: ControlCall) -> replies.Script:
    """Scripted answers and what was not scripted."""
    test = call.namespace
    rows = [replies.AnswerRow.of(one) for one in test.script]
    return replies.Script(answers=rows, unmet=len(test.unmet()), unexpected=test.unexpected)


async def script(call: ControlCall) -> replies.AnswerRow:
    """Script an answer."""
    body: bodies.ScriptBody = call.body
    _need_room(call, "answers", lambda one: one.script, body.weight(call.said))
    expectation = body.expectation(call.namespace.next("answer"), call.said, call.mock.edition)
    call.namespace.script.append(expectation)
    return replies.AnswerRow.of(expectation)


async def unscript(call: ControlCall) -> replies.Removed:
    """Forget all scripted answers, or one."""
    return _remove(call.namespace.script, call.path.get("number"), "answer")


async def list_exchanges(call: ControlCall) -> Callable[[], object]:
    """What happened; with `count` it waits until there are so many."""
    asked = dict(call.query)
    count, timeout_ms = asked.pop("count", 0), asked.pop("timeout_ms", WAIT_MS)
    frames = asked.pop("frames", False)
    found = await call.namespace.journal.wait(Query(**asked), count, timeout_ms / 1000)
    now_ms = call.elapsed_ms
    if frames:
        return partial(replies.whole_exchanges, found, now_ms)
    return lambda: [replies.exchange_row(one, now_ms) for one in found]


async def show_exchange(call: ControlCall) -> Callable[[], object]:
    """One exchange with all that was sent."""
    return partial(replies.whole_exchange, _exchange(call), call.elapsed_ms)


async def save_exchange(call: ControlCall) -> Response:
    """One exchange as a fixture file: headers by an allow list, the key and what looks like one masked."""
    from mockserver.server.control.fixture_export import NotSavedError, fixture_text

    number = call.path["number"]
    try:
        one, edition, now_ms = _exchange(call), call.mock.edition.name, call.mock.clock.now_ms()
        text = await asyncio.to_thread(fixture_text, one, call.key, edition, now_ms)
    except NotSavedError as error:
        raise ControlError(409, f"exchange {number} {error}") from None
    return Response(text, media_type="application/json")


async def judge(call: ControlCall) -> Callable[[], object]:
    """What the exchanges say of the client."""
    patience_ms = call.query.get("patience_ms", PATIENCE_MS)
    exchanges, elapsed_ms = list(call.namespace.journal), call.elapsed_ms
    return lambda: replies.VerdictReply.of(verdict.judge(exchanges, elapsed_ms, patience_ms))


async def list_quirks(_call: ControlCall) -> list[replies.QuirkRow]:
    """The table of quirks."""
    return [
        replies.QuirkRow(name=quirk.name, stage=axis.stage, standard=quirk is axis.standard, says=quirk.says)
        for axis in quirks.AXES
        for quirk in axis.quirks
    ]


async def list_editions(call: ControlCall) -> list[replies.EditionRow]:
    """The edition that is served, and those that are shipped."""
    from mockserver.page.editions import shipped_editions

    served = call.mock.edition
    others = await asyncio.to_thread(shipped_editions)
    rows = [served, *(one for one in others if one.name != served.name)]
    return [
        replies.EditionRow(name=one.name, title=one.file.title, served=one is served, chips=chip_claims(one))
        for one in sorted(rows, key=lambda one: one.name)
    ]


async def show_clock(call: ControlCall) -> replies.ClockRow:
    """The namespace's clock."""
    return replies.ClockRow(elapsed_ms=round(call.elapsed_ms, 3), now_ms=call.mock.clock.now_ms())


async def move_clock(call: ControlCall) -> replies.ClockRow:
    """Move the namespace's clock on."""
    call.namespace.advanced_ms += call.body.advance_ms
    return await show_clock(call)


def _need_room(call: ControlCall, what: str, rows_of: Callable[[Namespace], Rows], size: int) -> None:
    """Raise ControlError where there are as many as there may be, or where one of `size` bytes is too much."""
    rows = rows_of(call.namespace)
    everywhere = [rows_of(one) for one in call.mock.namespaces]
    own, name, together = sum(one.size for one in rows), call.namespace.name, "all namespaces together have"
    of_all = sum(one.size for others in everywhere for one in others)
    if len(rows) >= MOST_SET_UP:
        seen = f"{name} has {len(rows)}; allowed: at most {MOST_SET_UP}"
    elif sum(map(len, everywhere)) >= MOST_SET_UP_OF_ALL:
        seen = f"{together} {MOST_SET_UP_OF_ALL}; allowed: at most that many"
    elif own + size > MOST_SET_UP_BYTES:
        seen = f"{name} has {own} bytes of them and this one {size}; allowed: at most {MOST_SET_UP_BYTES}"
    elif of_all + size > MOST_SET_UP_BYTES_OF_ALL:
        seen = f"{together} {of_all} bytes of them and this one {size}; allowed: at most {MOST_SET_UP_BYTES_OF_ALL}"
    else:
        return
    raise ControlError(409, f"{what}: {seen}; DELETE /_mock/{what} forgets those of a namespace")


def _exchange(call: ControlCall) -> Exchange:
    """The exchange whose number the path names."""
    for one in call.namespace.journal:
        if one.number == call.path["number"]:
            return one
    raise ControlError(404, f"exchange {call.path['number']} is not in the journal of {call.namespace.name}")


def _remove(rows: list[Any], number: int | None, what: str) -> replies.Removed:
    """Take one row out by its number, or all of them."""
    if number is None:
        count = len(rows)
        rows.clear()
        return replies.Removed(removed=count)
    for index, row in enumerate(rows):
        if row.number == number:
            del rows[index]
            return replies.Removed(removed=1)
    known = ", ".join(str(row.number) for row in rows) or "none"
    raise ControlError(404, f"{what} {number} is not there; there are: {known}")


NUMBER: Final = Parameter({"type": "integer", "minimum": 1, "maximum": 999_999_999_999}, "its number, from 1")
_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": MOST_EXCHANGES}
_WAIT = {"type": "integer", "minimum": 0, "maximum": MOST_WAIT_MS, "default": WAIT_MS}
_PATIENCE = {"type": "integer", "minimum": 0, "maximum": _LONGEST_PATIENCE_MS, "default": PATIENCE_MS}
_WHICH_EXCHANGES: Final = {
    "model": Parameter(_STRING, "only this model"),
    "chip": Parameter(_STRING, "only this chip"),
    "status": Parameter({"type": "integer", "minimum": 100, "maximum": 599}, "only this HTTP status"),
    "stream": Parameter(_BOOLEAN, "only streams, or only whole answers"),
    "text": Parameter(_STRING, "only requests whose body holds this"),
    "after": Parameter({**NUMBER.schema, "minimum": 0}, "only exchanges with a higher number"),
    "in_flight": Parameter(_BOOLEAN, "only those in flight, or only those that have ended; absent shows both"),
    "count": Parameter(_COUNT, "wait until so many have ended; with in_flight=true, until so many are being answered"),
    "timeout_ms": Parameter(_WAIT, "how long to wait at most; ask again to wait longer"),
    "frames": Parameter(_BOOLEAN, "show what was sent, frame by frame"),
}
_HOW_TO_JUDGE: Final = {
    "patience_ms": Parameter(_PATIENCE, "how long a client may wait for an answer that never comes"),
}

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "GET", "/health", "Whether the server is up, and what it imitates.", health, open=True, claims=False,
        touches=Touches.NOTHING,
    ),
    Operation(
        "GET", "/ready", "Whether requests are answered; the same as health.", health, open=True, claims=False,
        touches=Touches.NOTHING,
    ),
    Operation("POST", "/reset", "Forget the journal, what was set up, and the counters.", reset, bodies.ResetBody),
    Operation("GET", "/namespaces", "All namespaces.", list_namespaces, touches=Touches.EVERYTHING),
    Operation(
        "DELETE", "/namespace", "Give up the namespace of the API key.", release, claims=False,
        touches=Touches.JOURNAL,
    ),
    Operation("GET", "/faults", "Armed faults, in the order they act.", list_faults, touches=Touches.SETUP),
    Operation("POST", "/faults", "Arm a fault.", arm, bodies.ArmBody, status=201, refusals=(409,)),
    Operation("DELETE", "/faults", "Disarm all faults.", disarm),
    Operation("DELETE", "/faults/{number}", "Disarm one fault.", disarm),
    Operation(
        "GET", "/fault-types", "The faults there are, with their settings.", fault_types,
        touches=Touches.NOTHING,
    ),
    Operation(
        "GET", "/answers", "Scripted answers, and requests that were not scripted.", list_answers,
        touches=Touches.SETUP,
    ),
    Operation(
        "POST", "/answers", "Script an answer; bytes that are no JSON are the next answer as they are.", script,
        bodies.ScriptBody, status=201, refusals=(409,), raw=bodies.raw_script,
    ),
    Operation("DELETE", "/answers", "Forget all scripted answers.", unscript),
    Operation("DELETE", "/answers/{number}", "Forget one scripted answer.", unscript),
    Operation(
        "GET", "/exchanges", "What happened, oldest first, then what is in flight.", list_exchanges,
        query=_WHICH_EXCHANGES, returns=list[replies.WholeExchange] | list[replies.ExchangeRow],
        touches=Touches.JOURNAL, large=True,
    ),
    Operation(
        "GET", "/exchanges/{number}", "One exchange with all that was sent.", show_exchange,
        returns=replies.WholeExchange, touches=Touches.JOURNAL, large=True,
    ),
    Operation(
        "GET", "/exchanges/{number}/fixture", "One exchange as a fixture file to keep.", save_exchange,
        refusals=(409,), returns=ExchangeFile, touches=Touches.JOURNAL,
    ),
    Operation(
        "GET", "/verdict", "What the exchanges say of the client.", judge, query=_HOW_TO_JUDGE,
        returns=replies.VerdictReply, touches=Touches.JOURNAL, large=True,
    ),
    Operation("GET", "/quirks", "The table of quirks.", list_quirks, touches=Touches.NOTHING),
    Operation(
        "GET", "/editions", "Editions, their chips and each chip's quirks with claim and source.", list_editions,
        touches=Touches.NOTHING,
    ),
    Operation("GET", "/clock", "The namespace's clock, on which quotas run.", show_clock, touches=Touches.SETUP),
    Operation("POST", "/clock", "Move the namespace's clock on.", move_clock, bodies.ClockBody),
)  # fmt: skip

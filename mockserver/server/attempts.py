"""Which exchanges are the attempts of one logical call.

Those with the same path and body are, where each began after the one before had failed. A client that counts its
retries (`x-stainless-retry-count`) is believed that an attempt is its first, as far as it makes any: where it makes
none, whoever uses it may make them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mockserver.core.exchange import Ending
from mockserver.pipeline.read import carried

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Exchange

RETRYABLE: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
ATTEMPT_HEADER: Final = b"x-stainless-retry-count"
Call = list["Exchange"]
Question = tuple[str, "str | bytes"]
_FORM: Final = frozenset({"stream", "stream_options"})
"""Fields of a request that say in which form it is answered."""


def calls(exchanges: Sequence[Exchange]) -> list[Call]:
    """Attempts, in the order in which they began, grouped into logical calls.

    Of several calls alike that an attempt may go on with, it is the one that failed first.
    """
    found: list[Call] = []
    failing: dict[tuple[str, bytes], list[Call]] = {}
    counted = {asked_of(one) for one in exchanges if one.request.headers.get(ATTEMPT_HEADER, b"0") != b"0"}
    for one in exchanges:
        asked = asked_of(one)
        first = asked in counted and one.request.headers.get(ATTEMPT_HEADER) == b"0"
        alike = failing.setdefault(asked, [])
        before = [call for call in alike if failed(call[-1]) and ended_ms(call[-1]) <= began_ms(one)]
        if before and not first:
            min(before, key=lambda call: ended_ms(call[-1])).append(one)
        else:
            found.append([one])
            alike.append(found[-1])
    return found


def began_ms(exchange: Exchange) -> float:
    """When an exchange began, on the clock of the exchanges, to the microsecond.

    uvloop's clock ticks in milliseconds, so one often begins in the very moment in which another ended, and what is
    compared must not differ in the last digits of a sum.
    """
    return round(exchange.at_ms, 3)


def ended_ms(exchange: Exchange) -> float:
    """When an exchange ended, likewise."""
    return round(exchange.at_ms + exchange.duration_ms, 3)


def failed(exchange: Exchange) -> bool:
    """Whether an attempt ended so that another one may help."""
    if exchange.in_flight:
        return False
    if exchange.plan is None or exchange.plan.status in RETRYABLE or exchange.ending is not Ending.COMPLETE:
        return True
    return exchange.plan.status < 400 and bool(broke_off(exchange))


def broke_off(exchange: Exchange) -> str:
    """How an answer that began well broke off; empty where it is whole.

    A stream that a fault ended politely lacks only its finish_reason, and an error may stand in a body of status 200:
    the bytes tell, where they are not of the mock's own making.
    """
    if exchange.ending in {Ending.CUT, Ending.RESET}:
        return exchange.ending
    if exchange.plan is None or not (exchange.faults or not exchange.plan.joinable):
        return ""
    said = carried(exchange)
    if not said.framing and exchange.plan.status == 200:
        return "an empty body"
    if said.error:
        return "an error in the body"
    if said.framing in {"sse", "json-lines"} and said.finish_reason is None and not said.blocked:
        return "no finish_reason"
    return ""


def asked_of(exchange: Exchange) -> tuple[str, bytes]:
    """What attempts of one call have in common."""
    return exchange.request.path, exchange.request.body


def question_of(exchange: Exchange) -> Question:
    """The path and what a body asks but for the form of the answer; a body that is no JSON object as it is."""
    path, body = asked_of(exchange)
    try:
        asked = json.loads(body)
        return path, json.dumps({key: asked[key] for key in asked if key not in _FORM}, sort_keys=True)
    except (ValueError, LookupError, TypeError, RecursionError):
        return path, body

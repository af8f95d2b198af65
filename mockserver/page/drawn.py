"""An exchange as the page draws it: plain JSON values, with the names that the control API gives them too."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.headers import as_texts
from mockserver.core.immutable import immutable
from mockserver.pipeline.read import carried
from mockserver.profile import quirks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import Edition

MOST_TICKS: Final = 48
"""Frames that a spark line shows; of more, evenly chosen ones."""
EXCERPT_LETTERS: Final = 120


@immutable(frozen=True, slots=True)
class QuirkShown:
    """A quirk in force, in a sentence, how it is known, and where that can be read."""

    name: str
    says: str
    claim: str
    source: str


@immutable(frozen=True, slots=True)
class ChipClaims:
    """A chip and the quirks by which it differs from the standard."""

    name: str
    summary: str
    quirks: tuple[QuirkShown, ...]


def chip_claims(edition: Edition) -> list[ChipClaims]:
    """The chips of an edition; of a quirk that stands for no difference nothing is told."""
    made: list[ChipClaims] = []
    for chip in edition.chips.values():
        differs = {one.name for one in quirks.deviations(chip.wire)}
        shown = tuple(
            QuirkShown(one.name, quirks.find(one.name)[1].says, one.claim, one.source)
            for one in chip.claims
            if one.name in differs
        )
        made.append(ChipClaims(chip.name, chip.summary, shown))
    return made


def drawn(exchange: Exchange, claims: Sequence[QuirkShown] | None = None) -> dict[str, Any]:
    """A finished exchange with all that was sent.

    Args:
        exchange: The exchange.
        claims: The quirks of its chip; None where the chip is not known.
    """
    plan = exchange.plan
    return {
        **in_short(exchange),
        "detail": plan.detail if plan else "",
        "request": {
            "method": exchange.request.method,
            "path": exchange.request.path,
            "query": exchange.request.query,
            "headers": dict(as_texts(exchange.request.headers.items())),
            "body": exchange.request.body.decode("utf-8", "replace"),
        },
        "response": {
            "headers": as_texts(plan.headers if plan else ()),
            "sends": [drawn_send(at, data) for at, data in exchange.sends],
            "carried": asdict(carried(exchange)),
            "raw": bool(plan and plan.raw),
            "writes": [{"at_ms": at, "frames_sent": frames} for at, frames in drawn_writes(exchange)],
        },
        "claims": None if claims is None else [asdict(one) for one in claims],
    }


def drawn_send(at_ms: float, data: bytes) -> dict[str, Any]:
    """A frame: its text, and its bytes where they are no UTF-8."""
    try:
        return {"at_ms": at_ms, "data": data.decode()}
    except UnicodeDecodeError:
        return {"at_ms": at_ms, "data": data.decode("utf-8", "replace"), "base64": b64encode(data).decode()}


def drawn_writes(exchange: Exchange) -> list[tuple[float, int]]:
    """When each network write left, and how many frames had been sent with it."""
    noted = exchange.writes[:]  # of one moment: the loop may go on while another thread draws
    return [(round(at, 3), int(frames)) for at, frames in zip(noted[::2], noted[1::2], strict=True)]


def drawn_row(exchange: Exchange, now_ms: float) -> dict[str, Any]:
    """A row of the journal: what is told of an exchange at a glance, with no body.

    Args:
        exchange: The exchange, which may be in flight.
        now_ms: Now on the clock of its namespace, in milliseconds.
    """
    chat = exchange.chat
    noted = exchange.writes[::2]
    step = max(1, -(-len(noted) // MOST_TICKS))
    return {
        **in_short(exchange, now_ms),
        "method": exchange.request.method,
        "path": exchange.request.path[:EXCERPT_LETTERS],
        "said": chat.last_user_text[:EXCERPT_LETTERS] if chat else "",
        "detail": exchange.plan.detail[:EXCERPT_LETTERS] if exchange.plan else "",
        "ticks": [round(at, 1) for at in noted[::step]],
        "quirks": exchange.request.headers.get(b"x-mock-quirks", b"").decode("latin-1"),
    }


def in_short(exchange: Exchange, now_ms: float | None = None) -> dict[str, Any]:
    """What the page and the control API tell alike of each exchange.

    Args:
        exchange: The exchange.
        now_ms: Now on the clock of its namespace, in milliseconds; None for one that has finished.
    """
    chat, plan = exchange.chat, exchange.plan
    goes_on_ms = now_ms - exchange.at_ms if exchange.in_flight and now_ms is not None else None
    return {
        "number": exchange.number,
        "namespace": exchange.namespace,
        "at_ms": round(exchange.at_ms, 3),
        "model": chat.model if chat else None,
        "chip": chat.chip if chat else None,
        "stream": chat.stream if chat else None,
        "status": (plan.status or None) if plan else None,
        "source": plan.source if plan else "",
        "faults": list(exchange.faults),
        "frames_planned": len(plan.frames) if plan else 0,
        "frames_sent": exchange.frames_sent,
        "duration_ms": round(exchange.duration_ms if goes_on_ms is None else goes_on_ms, 3),
        "ending": exchange.ending if goes_on_ms is None else None,
        "client_left": exchange.client_left,
    }

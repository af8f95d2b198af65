"""Performing a plan frame by frame, with endings other than complete: how faults and recordings are performed."""

from __future__ import annotations

import asyncio
from array import array
from typing import TYPE_CHECKING

from mockserver.core.exchange import Ending
from mockserver.core.network_writes import times
from mockserver.server.clock import until

if TYPE_CHECKING:
    from starlette.types import Send

    from mockserver.core.exchange import Exchange, Plan
    from mockserver.server.clock import Wheel
    from mockserver.server.connection import Connection


def goes_frame_by_frame(plan: Plan) -> bool:
    """Whether the fast way cannot perform the plan."""
    return plan.raw or not plan.joinable or plan.ending is not Ending.COMPLETE or plan.head_at_ms is not None


async def perform_frame_by_frame(
    plan: Plan, send: Send, connection: Connection, wheel: Wheel, exchange: Exchange, started: float
) -> None:
    """Every frame is its own send, at its own time; then the ending the plan wants."""
    at = times(plan)
    writes = exchange.writes = array("d")
    whole = plan.ending is Ending.COMPLETE
    last_at = at[-1] if at else 0.0
    end_at = max(plan.end_at_ms or 0.0, last_at)
    if not plan.raw:
        head_at = plan.head_at_ms if plan.head_at_ms is not None else (at[0] if at else 0.0)
        await until(started + head_at / 1000, wheel, connection.when_left)
        if plan.joinable or not connection.write_head(plan.status, plan.headers):
            await send({"type": "http.response.start", "status": plan.status, "headers": plan.headers})
    for number, frame in enumerate(plan.frames):
        await until(started + at[number] / 1000, wheel, connection.when_left)
        if connection.gone:
            return
        if plan.raw:
            connection.write(frame)
            await connection.drained()
        else:
            more = not whole or number + 1 < len(plan.frames) or bool(plan.trailers) or end_at > last_at
            await send({"type": "http.response.body", "body": frame, "more_body": more})
        exchange.frames_sent = number + 1
        writes.extend(((wheel.now() - started) * 1000, number + 1))
        await asyncio.sleep(0)  # others shall have their turn: a send does not wait while the socket takes bytes
    await until(started + end_at / 1000, wheel, connection.when_left)
    exchange.ending = plan.ending
    if connection.gone:
        return
    if plan.ending is Ending.HANG:
        await connection.left()
        connection.cut()
        exchange.client_left = True
    elif plan.ending is Ending.RESET:
        await connection.reset()
    elif plan.raw or not whole:
        connection.cut()
    elif plan.trailers or not plan.frames or end_at > last_at:
        if plan.trailers:
            connection.write_trailers(plan.trailers)
        await send({"type": "http.response.body", "body": b""})

"""Heartbeats: what a busy service sends in a silence, so that nobody on the way takes the connection for dead.

Comments in an event stream, as the WHATWG standard advises (server-sent events, "Authoring notes"); newlines between
JSON lines and before a JSON body, where white space means nothing (RFC 8259, section 2).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.core.body_types import BOM, is_events
from mockserver.core.exchange import Ending
from mockserver.core.headers import with_length
from mockserver.core.immutable import immutable
from mockserver.core.network_writes import times, with_frames

if TYPE_CHECKING:
    from mockserver.core.exchange import Plan

COMMENT: Final = b": keep-alive\n\n"
NEWLINE: Final = b"\n"
_EVENT_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")
_TELLING: Final = 8
"""So many frames tell what a body is."""
MOST_BEATS: Final = 10_000
"""In one silence; what comes after them is silent."""
LONGEST_MS: Final = 600_000
"""For so long they go on where nothing else ever comes."""


@immutable(frozen=True, slots=True)
class Beat:
    """How a silence is filled.

    Attributes:
        every_ms: How long nothing comes before a beat, > 0.
        data: What is sent; None for a comment in an event stream, else a newline.
    """

    every_ms: float
    data: bytes | None = None


BEATS: Final = {"700ms": Beat(700), "15s": Beat(15_000)}
"""Those of the quirks, by the values of their axis."""


def with_heartbeats(plan: Plan, beat: Beat) -> Plan:
    """The plan with beats where nothing comes for so long: before a frame that may have something before it.

    An event or a line has none inside it; a JSON body may have them between its lines, and before it.
    """
    if plan.raw or (plan.ending is not Ending.HANG and not any(plan.at_ms or ())):
        return plan
    events = is_events(b"".join(plan.frames[:_TELLING]))
    data = beat.data if beat.data is not None else COMMENT if events else NEWLINE
    frames: list[bytes] = []
    at: list[float] = []
    last = plan.head_at_ms or 0.0
    between = True
    for planned, due in zip(plan.frames, times(plan), strict=True):
        frame = planned
        if between:
            _fill(frames, at, data, beat.every_ms, last, due)
        if planned is plan.frames[0] and frames and planned.startswith(BOM):  # it begins a body, whatever that is
            frames[0], frame = BOM + frames[0], planned.removeprefix(BOM)
        frames.append(frame)
        at.append(due)
        last = due
        between = frame.endswith(_EVENT_ENDS if events else NEWLINE) or not frame
    if plan.ending is Ending.HANG and between:
        _fill(frames, at, data, beat.every_ms, last, last + LONGEST_MS)
    made = with_frames(plan, frames, at)
    return replace(made, headers=with_length(plan.headers, sum(map(len, frames)), or_more=True))


def _fill(frames: list[bytes], at: list[float], data: bytes, every_ms: float, start: float, end: float) -> None:
    """Add the beats of one silence."""
    count = min(int((end - start) / every_ms - 1e-9), MOST_BEATS)
    frames += [data] * count
    at += [start + every_ms * (number + 1) for number in range(count)]

"""A plan seen as what is written: when each frame leaves, and its frames as the bytes of whole network writes."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from mockserver.core.headers import has_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Plan


def times(plan: Plan) -> list[float]:
    """The frames' times in milliseconds; zeros where everything goes at once."""
    return list(plan.at_ms) if plan.at_ms is not None else [0.0] * len(plan.frames)


def with_frames(plan: Plan, frames: Sequence[bytes], at_ms: Sequence[float]) -> Plan:
    """The plan with other frames, the last of which ends it.

    A Content-Length stays what was announced: a fault may make it a lie.
    """
    times_ms = tuple(at_ms) if any(at_ms) or plan.at_ms is not None else None
    return replace(plan, frames=tuple(frames), at_ms=times_ms, end_at_ms=None)


def as_writes(plan: Plan) -> Plan:
    """The plan as network writes: status line, headers and the chunked coding stand in the frames themselves.

    The connection closes after the last write, as the added `connection: close` says.
    """
    if plan.raw:
        return plan
    try:
        phrase = HTTPStatus(plan.status).phrase.encode()
    except ValueError:
        phrase = b""
    headers = [*plan.headers, (b"connection", b"close")]
    chunked = not has_length(plan.headers)
    if chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    head = b"HTTP/1.1 %d %b\r\n" % (plan.status, phrase)
    head += b"".join(b"%b: %b\r\n" % pair for pair in headers) + b"\r\n"
    at = times(plan)
    frames = [head]
    head_at = plan.head_at_ms if plan.head_at_ms is not None else (at[0] if at else 0.0)
    frames += [b"%x\r\n%b\r\n" % (len(frame), frame) if chunked and frame else frame for frame in plan.frames]
    moments = [head_at, *at]
    if chunked and plan.ending == "complete":
        frames.append(b"0\r\n\r\n")
        moments.append(max(moments[-1], plan.end_at_ms or 0.0))
    return replace(with_frames(plan, frames, moments), raw=True, head_at_ms=None)

"""Faults as values, as a user writes them, checked by mypy and never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.pipeline.faults.content import (
    BlockedAt,
    DropDone,
    DropField,
    DuplicateFrame,
    ErrorFrame,
    MalformedFrame,
    RateLimit,
    Reorder,
    Status,
    TruncatedJson,
    WrongContentType,
)
from mockserver.pipeline.faults.timing import Bandwidth, FirstTokenDelay, Latency, SlowClose, Stall, Timeout
from mockserver.pipeline.faults.transport import BadChunkedFraming, Cut, EmptyBody, LimitData, ResetPeer, Slicer

if TYPE_CHECKING:
    from mockserver.pipeline.faults.fault import Fault
    from mockserver.testing.session import Session


def with_every_setting() -> list[Fault]:
    """Each fault, with keyword arguments."""
    return [
        Status(status=503, message="busy", retry_after_s=1.5),
        RateLimit(rpm=1, rpd=None, tpm=1000, retry_after=True),
        MalformedFrame(at_frame=2),
        TruncatedJson(at_frame=2),
        DropDone(),
        DuplicateFrame(at_frame=2),
        Reorder(at_frame=2),
        ErrorFrame(after_frames=1, code=50001, message="no"),
        WrongContentType(content_type="text/plain"),
        DropField(field="usage", at_frame=None),
        BlockedAt(after_pieces=1),
        Latency(ms=5, jitter_ms=1.5),
        FirstTokenDelay(ms=5),
        Stall(after_frames=1, ms=None),
        Bandwidth(bytes_per_s=1000),
        SlowClose(ms=5),
        Timeout(),
        Cut(after_frames=3, clean=True),
        Cut(after_bytes=3),
        LimitData(bytes=10),
        ResetPeer(after_frames=1),
        Slicer(average_bytes=7, delay_ms=0),
        BadChunkedFraming(at_frame=1),
        EmptyBody(),
    ]


def armed(session: Session) -> None:
    """In the place of a text, and wrongly."""
    session.arm(Cut(after_frames=3), times=1)
    Cut(after_frame=3)  # type: ignore[call-arg]
    Status()  # type: ignore[call-arg]
    Stall(after_frames="3")  # type: ignore[arg-type]

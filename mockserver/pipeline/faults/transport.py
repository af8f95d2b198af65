"""Faults of the transport: bytes are lost, cut, or arrive in odd portions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from mockserver.core.exchange import Ending
from mockserver.core.field_rules import Rule, exactly_one
from mockserver.core.headers import LENGTH, with_length, without_length
from mockserver.core.network_writes import as_writes, times, with_frames
from mockserver.pipeline.faults.fault import ActsOn, Fault

if TYPE_CHECKING:
    from mockserver.core.exchange import Plan
    from mockserver.pipeline.faults.fault import FaultContext


class Cut(Fault):
    """The answer stops after `after_frames` frames or `after_bytes` bytes of its body.

    Abrupt (the default) breaks the chunked coding, which every client can see; clean ends the body properly, so that
    only a missing finish_reason or done marker tells.

    Attributes:
        after_frames: What is sent; 0 or more frames, or null where after_bytes is given.
        after_bytes: What is sent of the body; 0 or more bytes, or null where after_frames is given.
        clean: Whether the body ends properly; true or false.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("after_frames", "after_bytes", "give either after_frames or after_bytes"),
    )

    type: Literal["cut"] = "cut"
    after_frames: int | None = Field(default=None, ge=0)
    after_bytes: int | None = Field(default=None, ge=0)
    clean: bool = False

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """A prefix of the plan."""
        return _prefix(plan, self.after_frames, self.after_bytes, Ending.COMPLETE if self.clean else Ending.CUT)


class LimitData(Fault):
    """The connection closes after `bytes` bytes of the body.

    Attributes:
        bytes: What is sent of the body; 0 or more bytes.
    """

    type: Literal["limit_data"] = "limit_data"
    bytes: int = Field(ge=0)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """A prefix of the plan."""
        return _prefix(plan, None, self.bytes, Ending.CUT)


class ResetPeer(Fault):
    """The connection is reset (TCP RST) after `after_frames` frames; 0 resets before the head.

    Attributes:
        after_frames: What is sent before the reset; 0 or more frames.
    """

    type: Literal["reset_peer"] = "reset_peer"
    after_frames: int = Field(default=0, ge=0)

    @property
    def unanswered(self) -> bool:
        """Before the head nothing comes."""
        return self.after_frames == 0

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """A prefix of the plan, or nothing."""
        if self.after_frames == 0:
            return replace(plan, status=0, frames=(), at_ms=None, ending=Ending.RESET, raw=True, head_at_ms=None)
        return _prefix(plan, self.after_frames, None, Ending.RESET)


class Slicer(Fault):
    """The bytes leave in uneven network writes of about `average_bytes`, `delay_ms` apart.

    A write may end anywhere: inside a Chinese character, inside `data:`, inside a chunk's size.

    Attributes:
        average_bytes: The size of a write, which varies from one byte to nearly twice as much; 1 to 65,536 bytes.
        delay_ms: The pause between writes; 0 to 60,000 milliseconds.
    """

    acts_on: ClassVar[ActsOn] = ActsOn.NETWORK_WRITES

    type: Literal["slicer"] = "slicer"
    average_bytes: int = Field(default=7, ge=1, le=65_536)
    delay_ms: float = Field(default=1.0, ge=0, le=60_000)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The same bytes, other portions."""
        wire = as_writes(plan)
        frames: list[bytes] = []
        at: list[float] = []
        now = 0.0
        for frame, due in zip(wire.frames, times(wire), strict=True):
            start, now = 0, max(now, due)
            while start < len(frame):
                end = start + context.dice.randint(1, 2 * self.average_bytes - 1)
                frames.append(frame[start:end])
                at.append(now)
                start, now = end, now + self.delay_ms
        return with_frames(wire, frames, at)


class BadChunkedFraming(Fault):
    """The chunk that carries frame `at_frame` (counted from 0) announces a size that is no number.

    Attributes:
        at_frame: Which frame, counted from 0; 0 or more.
    """

    acts_on: ClassVar[ActsOn] = ActsOn.TRANSFER_CODING

    type: Literal["bad_chunked_framing"] = "bad_chunked_framing"
    at_frame: int = Field(default=1, ge=0)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """One chunk's size is spoilt; an answer with a Content-Length is sent chunked to have one."""
        wire = as_writes(replace(plan, headers=without_length(plan.headers)))
        frames = list(wire.frames)
        if len(frames) < 2:  # nothing of a body is left to spoil, and a head that cannot be read is another fault
            return wire
        spoilt = min(self.at_frame + 1, len(frames) - 1)
        size, _, rest = frames[spoilt].partition(b"\r\n")
        frames[spoilt] = b"zz" + size + b"\r\n" + rest
        return with_frames(wire, frames, times(wire))


class EmptyBody(Fault):
    """Status and headers as planned, and no body at all."""

    type: Literal["empty_body"] = "empty_body"

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """No frames; the Content-Length is 0."""
        at = plan.at_ms[:1] if plan.at_ms else None
        return replace(plan, headers=(*without_length(plan.headers), (LENGTH, b"0")), frames=(b"",), at_ms=at)


def _prefix(plan: Plan, frames: int | None, size: int | None, ending: Ending) -> Plan:
    """The first frames, or the first bytes; an announced Content-Length stays, so a cut body lacks what it promised."""
    kept, at = list(plan.frames), times(plan)
    if frames is not None:
        if frames >= len(kept):
            return plan
        kept = kept[:frames]
    if size is not None:
        if size >= sum(map(len, kept)):
            return plan
        taken, left = [], size
        for frame in kept:
            taken.append(frame[:left])
            left -= len(taken[-1])
            if left == 0:
                break
        kept = [one for one in taken if one]
    if ending == Ending.COMPLETE:
        plan = replace(plan, headers=with_length(plan.headers, sum(map(len, kept))))
        if not kept:
            kept, at = [b""], [at[0] if at else 0.0]
    return replace(with_frames(plan, kept, at[: len(kept)]), ending=ending)


TRANSPORT_FAULTS: Final[tuple[type[Fault], ...]] = (
    Cut,
    LimitData,
    ResetPeer,
    Slicer,
    BadChunkedFraming,
    EmptyBody,
)

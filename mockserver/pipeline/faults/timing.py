"""Faults of time: nothing is lost, it only comes late."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from mockserver.core.exchange import Ending
from mockserver.core.headers import without_length
from mockserver.core.heartbeats import Beat, with_heartbeats
from mockserver.core.network_writes import as_writes, times, with_frames
from mockserver.pipeline.faults.fault import ActsOn, Fault

if TYPE_CHECKING:
    from mockserver.core.exchange import Plan
    from mockserver.pipeline.faults.fault import FaultContext


class Latency(Fault):
    """The whole answer, its head too, comes `ms` later, varied by up to `jitter_ms` either way.

    Attributes:
        ms: How much later; 0 to 3,600,000 milliseconds.
        jitter_ms: How much it varies either way; 0 to 3,600,000 milliseconds.
    """

    type: Literal["latency"] = "latency"
    ms: float = Field(ge=0, le=3_600_000)
    jitter_ms: float = Field(default=0.0, ge=0, le=3_600_000)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """Every time moves by the same amount."""
        late = max(self.ms + context.dice.uniform(-self.jitter_ms, self.jitter_ms), 0.0)
        moved = with_frames(plan, plan.frames, [at + late for at in times(plan)])
        head, end = (None if at is None else at + late for at in (plan.head_at_ms, plan.end_at_ms))
        return replace(moved, head_at_ms=head, end_at_ms=end)


class FirstTokenDelay(Fault):
    """The head comes at once, the first frame `ms` later: a long wait for the first token.

    Attributes:
        ms: How much later; 0 to 3,600,000 milliseconds.
    """

    type: Literal["first_token_delay"] = "first_token_delay"
    ms: float = Field(ge=0, le=3_600_000)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The frames move, the head does not."""
        at = times(plan)
        head = plan.head_at_ms if plan.head_at_ms is not None else (at[0] if at else 0.0)
        return replace(with_frames(plan, plan.frames, [one + self.ms for one in at]), head_at_ms=head)


class Stall(Fault):
    """After `after_frames` frames nothing comes for `ms`; without `ms` nothing more comes at all.

    Attributes:
        after_frames: What is sent before the silence; 0 or more frames.
        ms: How long nothing comes; 0 to 3,600,000 milliseconds, or null for ever.
    """

    type: Literal["stall"] = "stall"
    after_frames: int = Field(ge=0)
    ms: float | None = Field(default=None, ge=0, le=3_600_000)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The later frames move, or go."""
        at, cut = times(plan), self.after_frames
        if cut >= len(plan.frames):  # a client that has all that was announced sends its next request
            return plan
        if self.ms is None:
            return replace(with_frames(plan, plan.frames[:cut], at[:cut]), ending=Ending.HANG)
        return with_frames(plan, plan.frames, [one + (self.ms if n >= cut else 0.0) for n, one in enumerate(at)])


class Bandwidth(Fault):
    """The answer comes at `bytes_per_s`, in writes of at most a tenth of a second's bytes.

    Attributes:
        bytes_per_s: The speed of the line, head and transfer coding too; 1 to 1,000,000,000 bytes a second.
    """

    acts_on: ClassVar[ActsOn] = ActsOn.NETWORK_WRITES

    type: Literal["bandwidth"] = "bandwidth"
    bytes_per_s: int = Field(ge=1, le=10**9)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """Frames are cut and each waits until the line is free."""
        wire, step = as_writes(plan), max(self.bytes_per_s // 10, 1)
        frames: list[bytes] = []
        at: list[float] = []
        free = 0.0
        for frame, due in zip(wire.frames, times(wire), strict=True):
            for start in range(0, len(frame), step):
                part = frame[start : start + step]
                free = max(free, due) + len(part) * 1000 / self.bytes_per_s
                frames.append(part)
                at.append(free)
        return with_frames(wire, frames, at)


class SlowClose(Fault):
    """The last byte is there, the end of the body comes `ms` later.

    Attributes:
        ms: How much later; 0 to 3,600,000 milliseconds.
    """

    type: Literal["slow_close"] = "slow_close"
    ms: float = Field(ge=0, le=3_600_000)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """An empty frame at the end carries only the end."""
        at = times(plan)
        late = (at[-1] if at else 0.0) + self.ms
        return with_frames(replace(plan, headers=without_length(plan.headers)), [*plan.frames, b""], [*at, late])


class Timeout(Fault):
    """The request is taken and never answered."""

    type: Literal["timeout"] = "timeout"

    @property
    def unanswered(self) -> bool:
        """Nothing comes."""
        return True

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """Not even a head."""
        return replace(plan, status=0, frames=(), at_ms=None, ending=Ending.HANG, raw=True, head_at_ms=None)


class Heartbeat(Fault):
    """In a silence something comes every `every_ms`: a comment between events, a newline before a body.

    What makes the silence is another fault (`stall`, `first_token_delay`), the pace, or `delay_ms` of an answer. Where
    nothing else ever comes, beats come for ten minutes.

    Attributes:
        every_ms: How long nothing comes before each; 10 to 3,600,000 milliseconds.
        data: What comes; at least one character, or null for `: keep-alive` and a blank line between events, else a
            newline.
    """

    acts_on: ClassVar[ActsOn] = ActsOn.SILENCES

    type: Literal["heartbeat"] = "heartbeat"
    every_ms: float = Field(default=700.0, ge=10, le=3_600_000)
    data: str | None = Field(default=None, min_length=1)

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The plan with what comes in its silences."""
        data = None if self.data is None else self.data.encode("utf-8", "backslashreplace")
        return with_heartbeats(plan, Beat(self.every_ms, data))


class Pace(Fault):
    """The answer comes at a pace of its own, whatever the chip's is or the recording's was.

    Attributes:
        first_token_ms: From the request to the first frame; 0 to 3,600,000 milliseconds.
        inter_token_ms: Between two frames; 0 to 3,600,000 milliseconds.
        jitter: Share of the time between two frames by which it varies; 0 to 1.
    """

    type: Literal["pace"] = "pace"
    first_token_ms: float = Field(default=0.0, ge=0, le=3_600_000)
    inter_token_ms: float = Field(default=0.0, ge=0, le=3_600_000)
    jitter: float = Field(default=0.0, ge=0, le=1)

    @property
    def pace(self) -> tuple[float, float, float]:
        """It acts where the frames get their times, and not on the plan."""
        return self.first_token_ms, self.inter_token_ms, self.jitter


TIMING_FAULTS: Final[tuple[type[Fault], ...]] = (
    Latency,
    FirstTokenDelay,
    Stall,
    Bandwidth,
    SlowClose,
    Timeout,
    Heartbeat,
    Pace,
)

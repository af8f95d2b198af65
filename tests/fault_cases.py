"""The one table of what each fault does: to a plan, on the wire, to the contract and to the OpenAI SDK.

A fault that is added gets a row here. One row may say all four things, or several rows with other settings share them;
what a fault has no row for fails in test_fault_cases.py. Each column says what is seen and what should be, so that a
failure shows the difference.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import Ending, Plan
from mockserver.core.network_writes import times
from mockserver.pipeline.disturb import disturb, faults_of_header
from mockserver.pipeline.faults.fault import FaultContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockserver.pipeline.faults.fault import Fault
    from tests.fault_observed import Heard

Compared = tuple[object, object]
"""What is seen, and what should be."""


@dataclass(frozen=True)
class OnTheWire:
    """What a raw socket hears without the fault and with it.

    Attributes:
        form: Of the answer: `sse`, `json-lines`, or `json` for one body.
        good: Without the fault.
        bad: With it.
    """

    form: str
    good: Heard
    bad: Heard

    def frames(self, heard: Heard) -> list[bytes]:
        """The body, frame by frame."""
        if self.form == "json":
            return [heard.data]
        end = b"\n\n" if self.form == "sse" else b"\n"
        return [one + end for one in heard.data.split(end) if one]

    def objects(self, heard: Heard) -> list[Any]:
        """The JSON of each frame; None for one that is no JSON."""
        return [_json(frame) for frame in self.frames(heard) if b"[DONE]" not in frame]


def _json(frame: bytes) -> Any:
    try:
        return json.loads(frame.removeprefix(b"data: "))
    except ValueError:
        return None


@dataclass(frozen=True)
class Breaks:
    """The contract's clauses that a fault breaks, and no others; blanks between them."""

    clauses: str


@dataclass(frozen=True)
class Harmless:
    """A fault that breaks no promise of the service, and why."""

    why: str


@dataclass(frozen=True)
class Stops:
    """A limit of the service's own: the contract's run waits as asked, and in the end stops and says so."""


@dataclass(frozen=True)
class Sdk:
    """What the OpenAI SDK makes of an answer of 17 pieces, in the words of `fault_observed.outcome`.

    Attributes:
        stream: Of events.
        lines: Of bare JSON lines, on chip3.
        whole: Of one body.
    """

    stream: str
    lines: str
    whole: str


@dataclass(frozen=True)
class FaultCase:
    """A row of the table.

    Attributes:
        text: The fault, as `X-Mock-Fault` has it.
        effect: What it makes of the plan PACED.
        wire: What a raw socket hears, in each wire form.
        contract: What the contract finds.
        sdk: What the OpenAI SDK makes of it; docs/faults.md has a row for it.
    """

    text: str
    effect: Callable[[Plan], Compared] | None = None
    wire: Callable[[OnTheWire], Compared] | None = None
    contract: Breaks | Harmless | Stops | None = None
    sdk: Sdk | None = None

    def __str__(self) -> str:
        """The test's id."""
        return self.text

    @cached_property
    def fault(self) -> Fault:
        """The value that the text names."""
        (fault,) = faults_of_header(self.text)
        return fault

    @property
    def hangs(self) -> bool:
        """Whether a client waits for something that never comes."""
        return act(self.text, PACED).ending is Ending.HANG


COLUMNS: Final = ("effect", "wire", "contract", "sdk")


# --- plans ------------------------------------------------------------------------------------------------------------

FRAMES: Final = (
    b'data: {"id": "1", "choices": [{"delta": {"role": "assistant"}}]}\n\n',
    'data: {"id": "1", "choices": [{"delta": {"content": "你好"}}]}\n\n'.encode(),
    'data: {"id": "1", "choices": [{"delta": {"content": "世界"}}]}\n\n'.encode(),
    b'data: {"id": "1", "choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"total_tokens": 5}}\n\n',
    b"data: [DONE]\n\n",
)
ALL: Final = b"".join(FRAMES)
STREAM: Final = Plan(200, ((b"content-type", b"text/event-stream"),), FRAMES)
PACED: Final = replace(STREAM, at_ms=(10.0, 20.0, 30.0, 40.0, 50.0))


def refused(status: int, message: str | None, wait_s: float | None) -> Plan:
    """What stands for the service's shape here."""
    return Plan(status, ((b"retry-after", str(wait_s).encode()),), ((message or "no").encode(),))


def act(text: str, plan: Plan, seed: int = 0) -> Plan:
    """The plan after the faults of a header."""
    return disturb(plan, faults_of_header(text), FaultContext(random.Random(seed), refused))


def untouched(plan: Plan) -> Compared:
    """The plan as it was."""
    return plan, PACED


def timed(*at_ms: float) -> Callable[[Plan], Compared]:
    """All frames, at these times."""
    return lambda plan: ((plan.frames, times(plan)), (FRAMES, list(at_ms)))


def framed(frames: Sequence[bytes], ending: Ending = Ending.COMPLETE) -> Callable[[Plan], Compared]:
    """These frames, and this ending."""
    return lambda plan: ((plan.frames, plan.ending), (tuple(frames), ending))


def prefix(size: int) -> Callable[[Plan], Compared]:
    """So many bytes of the body, and then the connection is cut."""
    return lambda plan: ((b"".join(plan.frames), plan.ending), (ALL[:size], Ending.CUT))


def unheard(ending: Ending) -> Callable[[Plan], Compared]:
    """Not even a head."""
    return lambda plan: ((plan.frames, plan.ending, plan.raw), ((), ending, True))


def body_of_writes(plan: Plan) -> bytes:
    """The body that the network writes of a plan carry in the chunked coding."""
    _, _, rest = b"".join(plan.frames).partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def having(plan: Plan, key: bytes) -> list[bool]:
    """Which frames have a key."""
    return [b'"%b"' % key in frame for frame in plan.frames]


# --- the wire ---------------------------------------------------------------------------------------------------------


def same(on: OnTheWire) -> Compared:
    """Nothing is lost or changed."""
    return on.bad.told, (200, on.good.data, "complete")


def heard(status: int, ended: str, data: bytes | None = None) -> Callable[[OnTheWire], Compared]:
    """This status and this end, and where it is given this body."""
    return lambda on: (
        (on.bad.status, on.bad.ended, on.bad.data if data is not None else None),
        (status, ended, data),
    )


def first_bytes(size: int, ended: str) -> Callable[[OnTheWire], Compared]:
    """So many bytes of the body, and this end."""
    return lambda on: (on.bad.told, (200, on.good.data[:size], ended))


def one_spoilt(at: int) -> Callable[[OnTheWire], Compared]:
    """The body ends well; one of its frames, the last one that holds JSON at most, is shorter and no JSON any more."""

    def compared(on: OnTheWire) -> Compared:
        good, bad = on.frames(on.good), on.frames(on.bad)
        place = min(at, len(on.objects(on.good)) - 1)
        unreadable = [n for n, one in enumerate(on.objects(on.bad)) if one is None]
        rest = [frame for n, frame in enumerate(bad) if n != place]
        return (
            (on.bad.ended, unreadable, rest, len(on.bad.data) < len(on.good.data)),
            ("complete", [place], [frame for n, frame in enumerate(good) if n != place], True),
        )

    return compared


def swapped(on: OnTheWire) -> Compared:
    """The first two frames have changed places, where there are two."""
    first, *rest = on.frames(on.good)
    return (on.bad.ended, on.frames(on.bad)), ("complete", [*rest[:1], first, *rest[1:]])


def without(key: str) -> Callable[[OnTheWire], Compared]:
    """A key that the good answer has is in no object; all others are."""
    return lambda on: (
        (b'"%b"' % key.encode() in on.good.data, [set(one) for one in on.objects(on.bad)]),
        (True, [set(one) - {key} for one in on.objects(on.good)]),
    )


# --- the contract and the SDK -----------------------------------------------------------------------------------------

NO_TIME: Final = Harmless("no document promises a time")
UNHARMED: Final = Sdk("all 17 pieces", "**silent empty**", "all 24 characters")
"""What the SDK makes of answers as they are: of bare JSON lines, nothing."""
BROKEN_JSON: Final = "`JSONDecodeError`, which is no `OpenAIError`"
NO_CHOICES: Final = "`TypeError` in the caller's `choices[0]`"


def raises(name: str) -> Sdk:
    """The SDK raises, whatever the wire form."""
    return Sdk(f"`{name}`", f"`{name}`", f"`{name}`")


# --- the table --------------------------------------------------------------------------------------------------------

CASES: Final[tuple[FaultCase, ...]] = (
    FaultCase(
        "status;status=503",
        effect=lambda plan: (plan.status, 503),
        wire=heard(503, "complete"),
        sdk=raises("InternalServerError"),
    ),
    FaultCase("status;status=500", contract=Breaks("status")),
    FaultCase("status;status=503;retry_after_s=1.5", contract=Breaks("status")),
    FaultCase('status;status=503;headers={"retry-after": "1.5"}', contract=Breaks("status retry-after")),
    FaultCase("status;status=429;retry_after_s=1", contract=Stops()),
    FaultCase("rate_limit", effect=untouched),
    FaultCase("rate_limit;rpm=0", wire=heard(429, "complete"), sdk=raises("RateLimitError")),
    FaultCase("rate_limit;rpm=3", contract=Stops()),
    FaultCase(
        "malformed_frame",
        effect=lambda plan: ((plan.frames[1][:10], plan.frames[2]), (b'data: "id"', FRAMES[2])),
        wire=one_spoilt(1),
        contract=Breaks("readable as-asked"),
        sdk=Sdk(BROKEN_JSON, "**silent empty**", BROKEN_JSON),
    ),
    FaultCase("malformed_frame;at_frame=999", wire=one_spoilt(999)),
    FaultCase(
        "truncated_json",
        effect=lambda plan: ((len(plan.frames[1]) < len(FRAMES[1]), plan.frames[1][-2:]), (True, b"\n\n")),
        wire=one_spoilt(1),
        contract=Breaks("readable"),
        sdk=Sdk(BROKEN_JSON, "**silent empty**", BROKEN_JSON),
    ),
    FaultCase("truncated_json;at_frame=999", wire=one_spoilt(999)),
    FaultCase(
        "drop_done",
        effect=framed(FRAMES[:4]),
        wire=lambda on: (on.bad.told, (200, on.good.data.replace(b"data: [DONE]\n\n", b""), "complete")),
        contract=Breaks("frame-done frame-blocked-done"),
        sdk=UNHARMED,
    ),
    FaultCase(
        "duplicate_frame",
        effect=framed((*FRAMES[:2], *FRAMES[1:])),
        contract=Breaks(
            "readable completion-count finish-once finish-last usage-once shape-usage blocked-form "
            "tools-later-id tools-later-name tools-later-type"
        ),
        sdk=Sdk("**silently wrong: 18 pieces for 17**", "**silent empty**", BROKEN_JSON),
    ),
    FaultCase(
        "duplicate_frame;at_frame=0",
        wire=lambda on: (on.bad.told, (200, on.frames(on.good)[0] + on.good.data, "complete")),
    ),
    FaultCase(
        "duplicate_frame;at_frame=3",
        contract=Breaks("readable completion-count tool-calls done-last framed-to-the-byte"),
    ),
    FaultCase(
        "reorder",
        effect=framed((FRAMES[0], FRAMES[2], FRAMES[1], *FRAMES[3:])),
        contract=Breaks(
            "done-last framed-to-the-byte stream-is-body tools-opening tools-later-id tools-later-name tools-later-type"
        ),
        sdk=Sdk("**silently wrong order**", "**silent empty**", "all 24 characters"),
    ),
    FaultCase("reorder;at_frame=0", wire=swapped),
    FaultCase("reorder;at_frame=2", contract=Breaks("tool-calls stream-is-body done-last framed-to-the-byte")),
    FaultCase(
        "error_frame",
        effect=lambda plan: (
            (plan.frames[:2], len(plan.frames), plan.frames[2][:32]),
            (FRAMES[:2], 3, b'data: {"error": {"code": "50000"'),
        ),
        contract=Breaks("chunk-shape completion-shape known-keys blocked-form keys-fixed"),
        sdk=Sdk("1 of 17 pieces, then `APIError`", "**silent empty**", NO_CHOICES),
    ),
    FaultCase(
        "error_frame;after_frames=0",
        wire=lambda on: (
            (on.bad.ended, [one["error"]["type"] for one in on.objects(on.bad)]),
            ("complete", ["server_error"]),
        ),
    ),
    FaultCase(
        "wrong_content_type",
        effect=lambda plan: (plan.headers[0], (b"content-type", b"text/html")),
        wire=lambda on: ((on.bad.headers["content-type"], on.bad.data), ("text/html", on.good.data)),
        contract=Breaks("body-type frame-content-type announced"),
        sdk=UNHARMED,
    ),
    FaultCase(
        "drop_field;field=id",
        effect=lambda plan: (having(plan, b"id"), [False] * 5),
        contract=Breaks("shape-id completion-shape keys-fixed"),
    ),
    FaultCase(
        "drop_field;field=choices.0.delta;at_frame=2",
        effect=lambda plan: (having(plan, b"delta"), [True, True, False, True, False]),
    ),
    FaultCase(
        "drop_field;field=choices",
        wire=without("choices"),
        contract=Breaks("chunk-shape completion-shape finish-once says-something"),
        sdk=Sdk(NO_CHOICES, "**silent empty**", NO_CHOICES),
    ),
    *(
        FaultCase(f"drop_field;field={field}", contract=Breaks(clauses))
        for field, clauses in {
            "model": "shape-model completion-shape keys-fixed",
            "usage": "usage-asked shape-usage shape-usage-when chunk-blocked-usage completion-shape keys-fixed",
            "choices.0": "completion-shape finish-once chunk-usage-chunk says-something",
            "choices.0.index": "one-choice shape-choice-index keys-fixed",
            "choices.0.finish_reason": "finish-once tool-calls chunk-blocked-finish",
            "choices.0.message.role": "completion-shape keys-fixed",
            "choices.0.delta.content": "says-something completion-count stream-is-body",
            "choices.0.delta.role": "shape-role",
            "usage.total_tokens": "usage-adds-up chunk-usage-order keys-fixed",
            "object;at_frame=1": "shape-object",
            "choices.0.delta;at_frame=1": "chunk-shape completion-count tool-calls stream-is-body tools-opening",
        }.items()
    ),
    FaultCase(
        "drop_field;field=blocked",
        contract=Breaks("blocked-due"),  # only observed: which texts are blocked is not public
    ),
    FaultCase("blocked_at", effect=untouched),  # it acts on the answer: see test_disturb.py
    FaultCase(
        "blocked_at;after_pieces=1",
        wire=lambda on: ((on.bad.ended, b'"blocked"' in on.bad.data), ("complete", True)),
    ),
    FaultCase("blocked_at;after_pieces=2", contract=Harmless("the text review may stop any answer")),
    FaultCase(
        "blocked_at;after_pieces=3",
        sdk=Sdk("**silently short: 3 of 17 pieces**", "**silent empty**", "**silently short: 6 of 24 characters**"),
    ),
    FaultCase(
        "set_header;name=x-should-retry;value=false",
        effect=lambda plan: (plan.headers[-1], (b"x-should-retry", b"false")),
        wire=lambda on: ((on.bad.headers.get("x-should-retry"), on.bad.data), ("false", on.good.data)),
        contract=Harmless("the documents name no header that may not be there"),
        sdk=UNHARMED,
    ),
    FaultCase(
        "set_header;name=content-type",
        effect=lambda plan: (plan.headers, ()),
        contract=Breaks("body-type frame-content-type announced"),
    ),
    FaultCase(
        "heartbeat;every_ms=10",
        effect=framed(FRAMES),
        wire=same,
        contract=NO_TIME,
        sdk=UNHARMED,
    ),
    FaultCase(
        "pace;first_token_ms=5;inter_token_ms=1",
        effect=untouched,  # it acts where frames get their times: see test_pace_of_a_test.py
        wire=same,
        contract=NO_TIME,
        sdk=UNHARMED,
    ),
    FaultCase(
        "latency;ms=5",
        effect=timed(15, 25, 35, 45, 55),
        wire=same,
        contract=Harmless("no document promises a time; what never comes is `timeout`"),
        sdk=UNHARMED,
    ),
    FaultCase(
        "first_token_delay;ms=5",
        effect=lambda plan: ((plan.head_at_ms, times(plan)[0]), (10, 15)),
        wire=same,
        contract=NO_TIME,
        sdk=UNHARMED,
    ),
    FaultCase(
        "stall;after_frames=2;ms=5",
        effect=timed(10, 20, 35, 45, 55),
        contract=Harmless("no document promises a time; a stall without an end breaks `ends`"),
    ),
    FaultCase("stall;after_frames=0;ms=1", wire=same),
    FaultCase("stall;after_frames=2", effect=framed(FRAMES[:2], Ending.HANG), contract=Breaks("ends")),
    FaultCase("stall;after_frames=0", wire=heard(200, "hang", b"")),
    FaultCase(
        "stall;after_frames=4",
        sdk=Sdk("3 of 17 pieces, then `APITimeoutError`", "`APITimeoutError`", "all 24 characters"),
    ),
    FaultCase(
        "bandwidth;bytes_per_s=1000",
        effect=lambda plan: ((times(plan)[-1] >= len(ALL), times(plan)), (True, sorted(times(plan)))),
    ),
    FaultCase(
        "bandwidth;bytes_per_s=1000000",
        wire=same,
        contract=Harmless("no document promises a speed"),
        sdk=UNHARMED,
    ),
    FaultCase(
        "slow_close;ms=5",
        effect=lambda plan: ((plan.frames, times(plan)[-1]), ((*FRAMES, b""), 55)),
        wire=same,
        contract=NO_TIME,
        sdk=UNHARMED,
    ),
    FaultCase(
        "timeout",
        effect=unheard(Ending.HANG),
        wire=heard(0, "hang"),
        contract=Breaks("status ends"),
        sdk=raises("APITimeoutError"),
    ),
    FaultCase("cut;after_frames=2", effect=framed(FRAMES[:2], Ending.CUT), contract=Breaks("ends")),
    FaultCase("cut;after_frames=2;clean=true", effect=framed(FRAMES[:2])),
    FaultCase("cut;after_frames=99", effect=untouched),
    FaultCase("cut;after_bytes=70", effect=prefix(70)),
    FaultCase("cut;after_frames=0", wire=heard(200, "cut", b"")),
    FaultCase("cut;after_bytes=10", wire=first_bytes(10, "cut")),
    FaultCase("cut;after_bytes=10;clean=true", wire=first_bytes(10, "complete")),
    FaultCase("cut;after_bytes=40;clean=true", contract=Breaks("readable")),
    FaultCase(
        "cut;after_frames=3;clean=true",
        contract=Breaks("finish-once usage-asked frame-done shape-usage shape-usage-when tool-calls stream-is-body"),
    ),
    FaultCase(
        "cut;after_frames=4",
        sdk=Sdk("3 of 17 pieces, then `APIConnectionError`", "`APIConnectionError`", "all 24 characters"),
    ),
    FaultCase(
        "cut;after_frames=4;clean=true",
        sdk=Sdk("**silently short: 3 of 17 pieces**", "**silent empty**", "all 24 characters"),
    ),
    FaultCase("limit_data;bytes=70", effect=prefix(70)),
    FaultCase("limit_data;bytes=10", wire=first_bytes(10, "cut")),
    FaultCase("limit_data;bytes=40", contract=Breaks("ends readable")),
    FaultCase("limit_data;bytes=300", sdk=raises("APIConnectionError")),
    FaultCase(
        "reset_peer",
        effect=unheard(Ending.RESET),
        wire=heard(0, "reset"),
        contract=Breaks("status ends"),
        sdk=raises("APIConnectionError"),
    ),
    FaultCase("reset_peer;after_frames=1", effect=framed(FRAMES[:1], Ending.RESET)),
    FaultCase("reset_peer;after_frames=2", contract=Breaks("ends")),
    FaultCase(
        "slicer",
        effect=lambda plan: (
            (body_of_writes(plan), [size for size in map(len, plan.frames) if size > 13]),
            (ALL, []),
        ),
        sdk=UNHARMED,
    ),
    FaultCase("slicer;delay_ms=0", wire=same),
    FaultCase(
        "slicer;average_bytes=50;delay_ms=0",
        contract=Harmless("the same bytes in other network writes are the same answer"),
    ),
    FaultCase(
        "bad_chunked_framing",
        effect=lambda plan: ([frame[:2] for frame in plan.frames].count(b"zz"), 1),
        contract=Breaks("ends"),
        sdk=raises("APIConnectionError"),
    ),
    FaultCase("bad_chunked_framing;at_frame=0", wire=heard(200, "broken", b"")),
    FaultCase(
        "empty_body",
        effect=lambda plan: ((plan.frames, dict(plan.headers)[b"content-length"]), ((b"",), b"0")),
        wire=heard(200, "complete", b""),
        contract=Breaks("readable"),
        sdk=Sdk("**silent empty**", "**silent empty**", BROKEN_JSON),
    ),
)
"""Each fault in the order of the program's table; the first row with a column is its example."""


def cases(column: str) -> list[FaultCase]:
    """The rows that say something in a column."""
    return [case for case in CASES if getattr(case, column) is not None]

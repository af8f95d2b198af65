"""The faults, as pure functions of plans, and how a request names them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.exchange import Answer, Ending, Plan, Usage
from mockserver.pipeline.disturb import FAULT_TYPES, FaultError, disturb, disturb_answer, fault_of, faults_of_header
from mockserver.pipeline.faults.fault import Hand, as_writes, times

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = (
    b'data: {"id": "1", "choices": [{"delta": {"role": "assistant"}}]}\n\n',
    'data: {"id": "1", "choices": [{"delta": {"content": "你好"}}]}\n\n'.encode(),
    'data: {"id": "1", "choices": [{"delta": {"content": "世界"}}]}\n\n'.encode(),
    b'data: {"id": "1", "choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"total_tokens": 5}}\n\n',
    b"data: [DONE]\n\n",
)
STREAM = Plan(200, ((b"content-type", b"text/event-stream"),), FRAMES)
PACED = replace(STREAM, at_ms=(10.0, 20.0, 30.0, 40.0, 50.0))
BODY = b'{"id": "1", "choices": [{"message": {"content": "hi"}}]}'
WHOLE = Plan(200, ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))), (BODY,))


def refused(status: int, message: str | None, wait_s: float | None) -> Plan:
    """What stands for the service's shape here."""
    return Plan(status, ((b"retry-after", str(wait_s).encode()),), ((message or "no").encode(),))


def act(text: str, plan: Plan, seed: int = 0) -> Plan:
    """The plan after the faults of a header."""
    return disturb(plan, faults_of_header(text), Hand(random.Random(seed), refused))


def lost(plan: Plan, name: bytes) -> bool:
    """Whether a header is gone."""
    return all(one != name for one, _ in plan.headers)


def body_of_writes(plan: Plan) -> bytes:
    """The body that the network writes of a plan carry in the chunked coding."""
    _, _, rest = b"".join(plan.frames).partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


EFFECTS: dict[str, Callable[[Plan], bool]] = {
    "latency;ms=100": lambda p: times(p) == [110, 120, 130, 140, 150],
    "first_token_delay;ms=100": lambda p: p.head_at_ms == 10 and times(p)[0] == 110,
    "stall;after_frames=2;ms=100": lambda p: times(p) == [10, 20, 130, 140, 150],
    "stall;after_frames=2": lambda p: p.frames == FRAMES[:2] and p.ending is Ending.HANG,
    "cut;after_frames=2": lambda p: p.frames == FRAMES[:2] and p.ending is Ending.CUT,
    "cut;after_frames=2;clean=true": lambda p: p.frames == FRAMES[:2] and p.ending is Ending.COMPLETE,
    "cut;after_frames=99": lambda p: p == PACED,
    "cut;after_bytes=70": lambda p: b"".join(p.frames) == b"".join(FRAMES)[:70] and p.ending is Ending.CUT,
    "limit_data;bytes=70": lambda p: b"".join(p.frames) == b"".join(FRAMES)[:70] and p.ending is Ending.CUT,
    "reset_peer": lambda p: p.frames == () and p.ending is Ending.RESET and p.raw,
    "reset_peer;after_frames=1": lambda p: p.frames == FRAMES[:1] and p.ending is Ending.RESET,
    "timeout": lambda p: p.frames == () and p.ending is Ending.HANG and p.raw,
    "slicer": lambda p: body_of_writes(p) == b"".join(FRAMES) and max(map(len, p.frames)) <= 13,
    "bandwidth;bytes_per_s=1000": lambda p: times(p)[-1] >= len(b"".join(FRAMES)) and times(p) == sorted(times(p)),
    "bad_chunked_framing": lambda p: any(frame.startswith(b"zz") for frame in p.frames),
    "slow_close;ms=100": lambda p: p.frames == (*FRAMES, b"") and times(p)[-1] == 150,
    "empty_body": lambda p: p.frames == (b"",) and (b"content-length", b"0") in p.headers,
    "malformed_frame": lambda p: p.frames[1].startswith(b'data: "id"') and p.frames[2] == FRAMES[2],
    "truncated_json": lambda p: len(p.frames[1]) < len(FRAMES[1]) and p.frames[1].endswith(b"\n\n"),
    "drop_done": lambda p: p.frames == FRAMES[:4],
    "duplicate_frame": lambda p: p.frames == (*FRAMES[:2], *FRAMES[1:]),
    "reorder": lambda p: p.frames == (FRAMES[0], FRAMES[2], FRAMES[1], *FRAMES[3:]),
    "error_frame": lambda p: len(p.frames) == 3 and p.frames[2].startswith(b'data: {"error": {"code": "50000"'),
    "wrong_content_type": lambda p: p.headers[0] == (b"content-type", b"text/html"),
    "drop_field;field=id": lambda p: not any(b'"id"' in frame for frame in p.frames),
    "drop_field;field=choices.0.delta;at_frame=2": lambda p: b"delta" in p.frames[1] and b"delta" not in p.frames[2],
    "status;status=503": lambda p: p.status == 503,
    "blocked_at": lambda p: p == PACED,
    "rate_limit": lambda p: p == PACED,
}


@pytest.mark.parametrize("text", EFFECTS)
def test_effect(text: str) -> None:
    """Each fault does to a paced stream what its name says, and nothing else."""
    assert EFFECTS[text](act(text, PACED))


def test_every_fault_has_an_effect_here() -> None:
    """A fault without a row in the table above is untested."""
    assert {text.partition(";")[0] for text in EFFECTS} == set(FAULT_TYPES)


@pytest.mark.parametrize("text", EFFECTS)
def test_whole_answers_bear_every_fault(text: str) -> None:
    """An answer that is not streamed takes every fault; a complete one promises the bytes that it has."""
    plan = act(text, WHOLE)

    promised = [int(value) for name, value in plan.headers if name == b"content-length"]
    if promised and plan.ending is Ending.COMPLETE and not plan.raw:
        assert promised == [sum(map(len, plan.frames))]
    assert lost(plan, b"content-length") <= (text.partition(";")[0] in {"bad_chunked_framing", "slow_close", "status"})


def test_blocked_at_cuts_the_answer_itself() -> None:
    """`blocked_at` works on what is said, so that every chip frames the block in its own way."""
    answer = disturb_answer(Answer(("a", "b", "c"), Usage(1, 4)), faults_of_header("blocked_at;after_pieces=1"))

    assert (answer.pieces, answer.blocked) == (("a",), True)


def test_faults_compose_in_order() -> None:
    """Duplicating then cutting is not cutting then duplicating."""
    assert act("duplicate_frame, cut;after_frames=3", STREAM).frames == (FRAMES[0], FRAMES[1], FRAMES[1])
    assert act("cut;after_frames=3, duplicate_frame", STREAM).frames == (FRAMES[0], FRAMES[1], FRAMES[1], FRAMES[2])


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_slicing_changes_no_byte(seed: int, average: int) -> None:
    """However the bytes are sliced, joined they are the same bytes in the same order."""
    plan = act(f"slicer;average_bytes={average}", STREAM, seed)

    assert b"".join(plan.frames) == b"".join(as_writes(STREAM).frames)
    assert times(plan) == sorted(times(plan))


@given(st.integers(0, 600))
def test_a_cut_is_a_prefix(size: int) -> None:
    """What a cut leaves is a prefix of what would have been sent."""
    cut = b"".join(act(f"cut;after_bytes={size}", STREAM).frames)

    assert b"".join(FRAMES).startswith(cut)
    assert len(cut) == min(size, len(b"".join(FRAMES)))


@given(st.lists(st.sampled_from(sorted(EFFECTS)), min_size=1, max_size=4), st.integers(0, 99), st.booleans())
def test_any_faults_in_any_order_make_a_plan(texts: list[str], seed: int, stream: bool) -> None:
    """Every sequence of faults ends in a plan with a time for each frame; the same seed, the same plan."""
    plan = act(",".join(texts), PACED if stream else WHOLE, seed)

    assert len(times(plan)) == len(plan.frames)
    assert plan == act(",".join(texts), PACED if stream else WHOLE, seed)


MISTAKES = {
    "cutt": "type: 'cutt' is not a fault; did you mean cut?",
    "cut": "cut: give either after_frames or after_bytes",
    "cut;after_frames=1;after_bytes=2": "cut: give either after_frames or after_bytes",
    "cut;after_frames=1;after_frames=2": "cut: after_frames is given twice; give it once",
    "cut;type=timeout": "cut: type is given twice; give it once",
    "cut;after=3": "cut: after: unknown setting; did you mean after_bytes, after_frames?",
    "cut;after_frames=x": "cut: after_frames: 'x' is not allowed; allowed: a valid integer",
    "latency;ms=-1": "latency: ms: '-1' is not allowed; allowed: greater than or equal to 0",
    "latency;ms": "latency: 'ms' is not of the form name=value",
    "drop_done;x=1": "drop_done: x: unknown setting; it has no settings",
    "stall": "stall: after_frames: missing",
    "status;status=200": "status: status: '200' is not allowed; allowed: greater than or equal to 400",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_named(text: str) -> None:
    """A fault that cannot be is refused with its type, its field and what is allowed."""
    with pytest.raises(FaultError) as caught:
        faults_of_header(text)

    assert str(caught.value) == MISTAKES[text]


OBJECT = 'is not allowed; allowed: an object with type, like {"type": "timeout"}'
KNOWN = f"is not a fault; known: {', '.join(FAULT_TYPES)}"
JUNK: list[tuple[object, str]] = [
    (None, f"None {OBJECT}"), (3, f"3 {OBJECT}"), ([], f"[] {OBJECT}"), ("cut", f"'cut' {OBJECT}"),
    ({}, f"type: None {KNOWN}"), ({"type": 3}, f"type: 3 {KNOWN}"), ({"type": None}, f"type: None {KNOWN}"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "text"), JUNK, ids=[repr(data) for data, _ in JUNK])
def test_junk_is_no_fault(data: object, text: str) -> None:
    """Whatever is not an object with a known type is refused, never a crash."""
    with pytest.raises(FaultError) as caught:
        fault_of(data)

    assert str(caught.value) == text

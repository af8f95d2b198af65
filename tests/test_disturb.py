"""The faults, as pure functions of plans, and how a request names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.exchange import Answer, Ending, Plan, Usage
from mockserver.core.network_writes import as_writes, times
from mockserver.pipeline.disturb import FaultError, disturb_answer, fault_of, faults_of_header
from mockserver.pipeline.faults.table import FAULTS
from tests.fault_cases import ALL, FRAMES, PACED, STREAM, act, cases

if TYPE_CHECKING:
    from tests.fault_cases import FaultCase

BODY = b'{"id": "1", "choices": [{"message": {"content": "hi"}}]}'
WHOLE = Plan(200, ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))), (BODY,))
EFFECTS = cases("effect")
UNANNOUNCED = {"bad_chunked_framing", "slow_close", "status"}
"""What sends a whole body without a Content-Length."""


def lost(plan: Plan, name: bytes) -> bool:
    """Whether a header is gone."""
    return all(one != name for one, _ in plan.headers)


@pytest.mark.parametrize("case", EFFECTS, ids=str)
def test_effect(case: FaultCase) -> None:
    """Each fault does to a paced stream what its name says, and nothing else."""
    assert case.effect is not None
    seen, expected = case.effect(act(case.text, PACED))

    assert seen == expected


@pytest.mark.parametrize("case", EFFECTS, ids=str)
def test_whole_answers_bear_every_fault(case: FaultCase) -> None:
    """An answer that is not streamed takes every fault; a complete one promises the bytes that it has."""
    plan = act(case.text, WHOLE)

    promised = [int(value) for name, value in plan.headers if name == b"content-length"]
    if promised and plan.ending is Ending.COMPLETE and not plan.raw:
        assert promised == [sum(map(len, plan.frames))]
    assert lost(plan, b"content-length") <= (case.fault.type in UNANNOUNCED)


def test_blocked_at_cuts_the_answer_itself() -> None:
    """`blocked_at` works on what is said, so that every chip frames the block in its own way."""
    answer = disturb_answer(Answer(("a", "b", "c"), Usage(1, 4)), faults_of_header("blocked_at;after_pieces=1"))

    assert (answer.pieces, answer.blocked) == (("a",), True)


def test_faults_compose_in_order() -> None:
    """Duplicating then cutting is not cutting then duplicating."""
    assert act("duplicate_frame, cut;after_frames=3", STREAM).frames == (FRAMES[0], FRAMES[1], FRAMES[1])
    assert act("cut;after_frames=3, duplicate_frame", STREAM).frames == (FRAMES[0], FRAMES[1], FRAMES[1], FRAMES[2])


@pytest.mark.parametrize("plan", [STREAM, WHOLE], ids=["stream", "whole"])
@pytest.mark.parametrize("text", [*map(str, EFFECTS), "limit_data;bytes=0", "cut;after_bytes=0", "cut;after_frames=0"])
def test_a_spoilt_chunk_leaves_the_head_whole(text: str, plan: Plan) -> None:
    """Where another fault leaves nothing of the body, there is no chunk to spoil, and the head is no chunk."""
    sent = b"".join(act(f"{text}, bad_chunked_framing", plan).frames)

    assert sent == b"" or sent.startswith(b"HTTP/1.1 ")


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

    assert ALL.startswith(cut)
    assert len(cut) == min(size, len(ALL))


@given(st.lists(st.sampled_from(EFFECTS), min_size=1, max_size=4), st.integers(0, 99), st.booleans())
def test_any_faults_in_any_order_make_a_plan(several: list[FaultCase], seed: int, stream: bool) -> None:
    """Every sequence of faults ends in a plan with a time for each frame; the same seed, the same plan."""
    text = ",".join(map(str, several))
    plan = act(text, PACED if stream else WHOLE, seed)

    assert len(times(plan)) == len(plan.frames)
    assert plan == act(text, PACED if stream else WHOLE, seed)


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
    'heartbeat;data=""': "heartbeat: data: '' is not allowed; allowed: at least 1 character",
    "drop_done;x=1": "drop_done: x: unknown setting; it has no settings",
    "stall": "stall: after_frames: missing",
    "status;status=503;headers=[]": "status: headers: [] is not allowed; allowed: an object",
    "status;status=199": "status: status: '199' is not allowed; allowed: greater than or equal to 200",
    "status;status=503;body={};message=no": "status: give either body or message",
    "set_header;name=a b": "set_header: name: 'a b' is no name of a header; allowed: letters, digits and dashes",
    "set_header;name=Content-Length;value=1": (
        "set_header: name: Content-Length says where the body ends, which is the server's to say; the faults cut and "
        "limit_data lie"
    ),
    'set_header;name=a;value="b\\nc"': (
        "set_header: value: 'b\\nc' is not allowed; allowed: characters of Latin-1 on one line"
    ),
    "error_frame;then=more": "error_frame: then: 'more' is not allowed; allowed: 'end', 'done' or 'rest'",
    "heartbeat;every_ms=1": "heartbeat: every_ms: '1' is not allowed; allowed: greater than or equal to 10",
    "pace;jitter=2": "pace: jitter: '2' is not allowed; allowed: less than or equal to 1",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_named(text: str) -> None:
    """A fault that cannot be is refused with its type, its field and what is allowed."""
    with pytest.raises(FaultError) as caught:
        faults_of_header(text)

    assert str(caught.value) == MISTAKES[text]


OBJECT = 'is not allowed; allowed: an object with type, like {"type": "timeout"}'
KNOWN = f"is not a fault; known: {', '.join(FAULTS)}"
JUNK: list[tuple[object, str]] = [
    (None, f"None {OBJECT}"), (3, f"3 {OBJECT}"), ([], f"[] {OBJECT}"),
    ("cut", "cut: give either after_frames or after_bytes"),
    ({}, f"type: None {KNOWN}"), ({"type": 3}, f"type: 3 {KNOWN}"), ({"type": None}, f"type: None {KNOWN}"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "text"), JUNK, ids=[repr(data) for data, _ in JUNK])
def test_junk_is_no_fault(data: object, text: str) -> None:
    """Whatever is not an object with a known type is refused, never a crash."""
    with pytest.raises(FaultError) as caught:
        fault_of(data)

    assert str(caught.value) == text

"""What a target sends is hostile input: no answer ends a run of the contract, of learn or of drift."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockserver.contract import drift, finding_file, in_process, learn, report
from mockserver.contract.cases import Phase
from mockserver.contract.clauses.clause import Context
from mockserver.contract.findings import Run
from mockserver.contract.result import Budget, Clock
from mockserver.contract.runner import Runner
from mockserver.core.checking import checks
from mockserver.files.atomic import write_whole
from mockserver.profile.edition_file import ChipFile
from tests.conftest import load

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from mockserver.contract.result import Result
    from mockserver.core.exchange import Plan

STILL = Clock(lambda: 0.0, lambda _seconds: None)
CHIP, MODEL = "nvidia", "qwen3-8b"
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from([1e308, "", "\ud83e", "\udd16", "\ufffd", "assistant", "stop", "\x00\x1b[31m", "x" * 5000]),
    st.sampled_from([[], {}, [[]], [{}], {"a": []}, [None], ["x"], {"message": []}]),
)
KEYS = (
    *("id", "object", "created", "model", "choices", "usage", "blocked", "error", "code", "msg", "index", "delta"),
    *("message", "finish_reason", "role", "content", "reasoning_content", "tool_calls", "function", "arguments"),
    *("completion_tokens", "prompt_tokens", "total_tokens", "type", "name"),
)
SPLICES = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"\xef\xbb\xbf",
    b"\\ud83e",
    b"\xff",
    b"[" * 3000,
    b"\x00",
    b"\r",
    b"\n\n",
    b"",
)


def run(disturb: Callable[[Plan], Plan], phases: tuple[Phase, ...] = tuple(Phase)) -> Result:
    """A run of the contract against the mock with its answers changed, but for the first, which lets the run in."""
    edition = load("2025-reference")
    first = iter([True])
    send = in_process.transport(
        in_process.service(edition),
        edition.file.defaults.created * 1000,
        lambda plan: plan if next(first, False) else disturb(plan),
    )
    runner = Runner(send, edition, edition.chips[CHIP], MODEL, clock=STILL, budget=Budget(requests=24, tokens=100_000))
    return runner.run(phases)


def with_value(value: Any, key: str, put: Any) -> Any:
    """A JSON value with one key changed wherever it stands."""
    if isinstance(value, dict):
        return {name: put if name == key else with_value(one, key, put) for name, one in value.items()}
    return [with_value(one, key, put) for one in value] if isinstance(value, list) else value


def keyed(key: str, put: Any) -> Callable[[bytes], bytes]:
    """Puts a value at a key in each frame's object, and leaves what is no object."""

    def change(frame: bytes) -> bytes:
        head, brace, rest = frame.partition(b"{")
        try:
            value = json.loads(brace + rest)
        except (ValueError, RecursionError):
            return frame
        return head + json.dumps(with_value(value, key, put)).encode() + b"\n\n"

    return change


def spliced(at: float, cut: int, put: bytes) -> Callable[[bytes], bytes]:
    """Puts bytes at a place of each frame, instead of some."""

    def change(frame: bytes) -> bytes:
        place = int(at * len(frame))
        return frame[:place] + put + frame[place + cut :]

    return change


CHANGES = st.one_of(
    st.builds(keyed, st.sampled_from(KEYS), ODD),
    st.builds(spliced, st.floats(0, 1), st.integers(0, 12), st.sampled_from(SPLICES)),
)


@st.composite
def disturbances(draw: st.DrawFn) -> Callable[[Plan], Plan]:
    """Changes to what every answer says, to its status and its headers."""
    changes = draw(st.lists(CHANGES, min_size=1, max_size=3))
    status = draw(st.sampled_from([None, None, None, 200, 204, 400, 401, 429, 503, 599]))
    header = draw(st.sampled_from([(), ((b"retry-after", b"9" * 40),), ((b"content-encoding", b"gzip"),)]))

    def disturb(plan: Plan) -> Plan:
        frames = list(plan.frames)
        for change in changes:
            frames = [change(one) for one in frames]
        return replace(plan, status=status or plan.status, frames=frames, headers=(*plan.headers, *header))

    return disturb


def halves(plan: Plan) -> Plan:
    """A character in two halves, each in a delta of its own."""
    texts = iter(["\\ud83e", "\\udd16"] * len(plan.frames))
    frames = [
        one.replace(b'"content": "', b'"content": "' + next(texts).encode(), 1) if b'"content": "' in one else one
        for one in plan.frames
    ]
    return replace(plan, frames=frames)


def odd_refusals(plan: Plan) -> Plan:
    """Refusals whose message is a list."""
    return plan if plan.status == 200 else replace(plan, frames=[b'{"code": [1], "msg": [{"why": null}]}'])


@settings(max_examples=8, deadline=None)
@given(disturb=disturbances())
@example(disturb=halves)
@example(disturb=odd_refusals)
def test_no_answer_ends_a_run(disturb: Callable[[Plan], Plan], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever the answers say, the run comes to an end, no clause fails, and each report and exchange is written."""
    folder = tmp_path_factory.mktemp("hostile")
    result = run(disturb)
    written = Run("http://127.0.0.1:1", "/maas/{model}/{chip}/chat/completions", "2025-reference", MODEL, [result])

    assert [(one.clause.id, one.evidence) for one in result.raised] == []
    for name, writer in {**report.WRITERS, "terminal": report.terminal}.items():
        write_whole(folder / name, writer(written))
    for finding in result.findings:
        write_whole(
            folder / "exchange.json", finding_file.dump(finding_file.of_finding(finding, "2025-reference", MODEL))
        )
        assert finding_file.load(folder / "exchange.json").clause == finding.clause.id


@settings(max_examples=5, deadline=None)
@given(disturb=disturbances())
@example(disturb=halves)
@example(disturb=odd_refusals)
def test_no_answer_ends_learn_or_drift(disturb: Callable[[Plan], Plan]) -> None:
    """Whatever the answers say, learn writes a profile or says why not, and drift tells what is different."""
    edition = load("2025-reference")
    now_ms = edition.file.defaults.created * 1000
    ours, theirs = (
        in_process.transport(in_process.service(edition), now_ms, change) for change in (lambda plan: plan, disturb)
    )
    runner = Runner(ours, edition, edition.chips[CHIP], MODEL, clock=STILL)
    requests = {name: runner.request(case) for name, case in learn.probes(edition, MODEL).items()}
    exchanges = {name: theirs(request) for name, request in requests.items()}

    found = learn.learned(edition, MODEL, CHIP, exchanges, "2026-01-01")
    written = learn.text_of(found.file, found.notes)
    pairs = [(name, ours(requests[name]), one) for name, one in exchanges.items()]
    rows = drift.compare(Context(edition, edition.chips[CHIP], MODEL), pairs)

    assert checks(ChipFile).validate_python(tomllib.loads(written)) == found.file
    assert all(row.live.isprintable() for row in rows)

"""Every fault of the mock, switched on behind the contract's back over a real socket, breaks the clauses that watch it.

Each row is held to the letter: a clause that accuses what is not wrong fails as surely as one that sees nothing. The
first request is left alone, since a target that does not answer it is nobody (exit code 3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mockserver.contract.cases import Phase
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.contract.result import Budget, Clock, Result
from mockserver.contract.runner import Runner
from mockserver.pipeline.disturb import FAULT_TYPES, faults_of_header
from tests.conftest import load
from tests.contract_live import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.core.exchange import Exchange, Request

BREAKS: dict[str, str] = {  # the fault as its header names it: the clauses that it breaks, and no others
    "status;status=500": "status",
    "status;status=503;retry_after_s=1.5": "status retry-after",
    "stall;after_frames=2": "ends",
    "cut;after_frames=2": "ends",
    "cut;after_bytes=40;clean=true": "readable",
    "cut;after_frames=3;clean=true": "finish-once usage-asked frame-done shape-usage shape-usage-when tool-calls "
    "stream-is-body",
    "reset_peer": "status ends",
    "reset_peer;after_frames=2": "ends",
    "limit_data;bytes=40": "ends readable",
    "timeout": "status ends",
    "malformed_frame": "readable as-asked",
    "truncated_json": "readable",
    "drop_done": "frame-done frame-blocked-done",
    "duplicate_frame": "readable completion-count finish-once finish-last usage-once shape-usage blocked-form",
    "duplicate_frame;at_frame=3": "readable completion-count tool-calls done-last framed-to-the-byte",
    "reorder": "done-last framed-to-the-byte stream-is-body",
    "reorder;at_frame=2": "tool-calls stream-is-body done-last framed-to-the-byte",
    "error_frame": "chunk-shape completion-shape known-keys blocked-form",
    "wrong_content_type": "body-type frame-content-type",
    "bad_chunked_framing": "ends",
    "empty_body": "readable",
    "drop_field;field=id": "shape-id completion-shape",
    "drop_field;field=model": "shape-model completion-shape",
    "drop_field;field=usage": "usage-asked shape-usage shape-usage-when chunk-blocked-usage completion-shape",
    "drop_field;field=choices": "chunk-shape completion-shape finish-once says-something",
    "drop_field;field=choices.0": "completion-shape finish-once chunk-usage-chunk says-something",
    "drop_field;field=choices.0.index": "one-choice",
    "drop_field;field=choices.0.finish_reason": "finish-once tool-calls chunk-blocked-finish",
    "drop_field;field=choices.0.message.role": "completion-shape",
    "drop_field;field=choices.0.delta.content": "says-something completion-count stream-is-body",
    "drop_field;field=choices.0.delta.role": "shape-role",
    "drop_field;field=usage.total_tokens": "usage-adds-up chunk-usage-order",
    "drop_field;field=object;at_frame=1": "shape-object",
    "drop_field;field=choices.0.delta;at_frame=1": "chunk-shape completion-count tool-calls stream-is-body",
}
HARMLESS: dict[str, str] = {  # what breaks no promise, and why
    "latency;ms=5": "no document promises a time; what never comes is `timeout`",
    "first_token_delay;ms=5": "no document promises a time",
    "stall;after_frames=2;ms=5": "no document promises a time; a stall without an end breaks `ends`",
    "slow_close;ms=5": "no document promises a time",
    "bandwidth;bytes_per_s=1000000": "no document promises a speed",
    "slicer;average_bytes=50;delay_ms=0": "the same bytes in other network writes are the same answer",
    "blocked_at;after_pieces=2": "the text review may stop any answer",
    "drop_field;field=blocked": "which texts are blocked is not public, so no answer has to be",
}
HANGS = ("stall;after_frames=2", "timeout")
"""What costs the client's whole patience each time."""
REFERENCE = load("2025-reference")
LIMITS = ("status;status=429;retry_after_s=1", "rate_limit;rpm=3")
"""A limit of the service's own: the run waits as asked, and in the end stops and says so."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A mock that keeps its contract."""
    with serving(REFERENCE) as where:
        yield where


def run(url: str, fault: str) -> Result:
    """The contract's examples against the mock, each request but the first with the fault in a header."""
    hangs = fault in HANGS
    send = HttpTransport(Address(url, timeout_s=1.0 if hangs else 30.0), "sk-test", lambda: 0.0)
    asked: list[Request] = []

    def disturbed(request: Request) -> Exchange:
        asked.append(request)
        more = {b"x-mock-fault": fault.encode()} if len(asked) > 1 else {}
        return send(replace(request, headers={**request.headers, **more}))

    still = Clock(lambda: 0.0, lambda _seconds: None)
    budget = Budget(requests=4 if hangs else 60, tokens=100_000)
    runner = Runner(
        disturbed,
        REFERENCE,
        REFERENCE.chips["nvidia"],
        "qwen3-8b",
        clock=still,
        budget=budget,
    )
    return runner.run((Phase.EXAMPLES,))


@pytest.mark.parametrize("fault", BREAKS)
def test_a_fault_breaks_its_clauses_and_no_others(fault: str, url: str) -> None:
    """What goes wrong on the wire is told by the clauses that watch for it."""
    assert {one.clause.id for one in run(url, fault).findings} == set(BREAKS[fault].split())


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_fault_that_breaks_no_promise_breaks_no_clause(fault: str, url: str) -> None:
    """Nothing is broken, and the run comes to its end."""
    result = run(url, fault)

    assert [(one.clause.id, one.evidence) for one in result.findings] == []
    assert result.stopped == ""


@pytest.mark.parametrize("fault", LIMITS)
def test_a_limit_of_the_service_stops_the_run(fault: str, url: str) -> None:
    """A target that says 429 again and again is left alone, and is not accused."""
    result = run(url, fault)

    assert result.findings == []
    assert result.stopped.startswith("the target answers 429 and asks to wait")


def test_every_fault_has_its_row() -> None:
    """A fault that is added to the mock's table is added here, with what it breaks or why it breaks nothing."""
    rows = {one.type for header in (*BREAKS, *HARMLESS, *LIMITS) for one in faults_of_header(header)}

    assert rows == set(FAULT_TYPES)

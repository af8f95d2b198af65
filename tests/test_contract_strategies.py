"""What the strategies call valid is valid, what they call broken is refused, and cuts change no byte."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockserver.contract import in_process, strategies
from mockserver.contract.cases import Case, Phase, breaks
from mockserver.contract.clauses.clause import Outcome
from mockserver.contract.result import Clock
from mockserver.contract.runner import Runner
from mockserver.pipeline.frame import DONE, WIRE_FORMATS
from mockserver.profile import quirks
from tests.conftest import load

MODELS = {"2024-tutorial": "mt-infini-3b", "2025-reference": "qwen3-8b"}
calm = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def runner(name: str) -> Runner:
    """A runner whose target is a mock of the same edition."""
    edition = load(name)
    send = in_process.transport(in_process.service(edition), edition.file.defaults.created * 1000)
    return Runner(send, edition, edition.chips["nvidia"], MODELS[name], clock=Clock(lambda: 0.0, lambda _s: None))


def status_of(name: str, case: Case) -> int:
    """What the mock answers to a case."""
    made = runner(name)
    exchange = made._send(made.request(case))
    assert exchange.plan is not None
    return exchange.plan.status


@pytest.mark.parametrize("name", MODELS)
@calm
@given(data=st.data())
def test_valid_requests_are_answered(name: str, data: st.DataObject) -> None:
    """A valid request of an edition is answered 200."""
    case = data.draw(strategies.valid_cases(load(name), MODELS[name]))

    assert status_of(name, case) == 200


@pytest.mark.parametrize("name", MODELS)
@calm
@given(data=st.data())
def test_no_request_asks_for_more_tokens_than_a_run_allows(name: str, data: st.DataObject) -> None:
    """Whichever of its limits a server goes by, a generated request asks for at most as many tokens as were allowed."""
    body = data.draw(strategies.requests(load(name), MODELS[name], 7))

    assert all(1 <= (body.get(key) or 1) <= 7 for key in ("max_tokens", "max_completion_tokens"))


@pytest.mark.parametrize("name", MODELS)
@calm
@given(data=st.data())
def test_a_broken_request_gets_the_refusal_that_it_names(name: str, data: st.DataObject) -> None:
    """A request with one rule broken gets the status of the refusal that comes with it."""
    case = data.draw(strategies.broken_requests(load(name), MODELS[name]))

    assert case.refusal is not None
    assert status_of(name, case) == load(name).file.errors[case.refusal].status


@pytest.mark.parametrize("name", MODELS)
def test_every_listed_break_gets_its_refusal(name: str) -> None:
    """The list of broken requests is right case by case."""
    edition = load(name)
    wrong = [
        (case.name, status_of(name, case))
        for case in breaks(edition, MODELS[name])
        if status_of(name, case) != edition.file.errors[case.refusal or ""].status
    ]

    assert wrong == []


def test_samples_are_repeatable_and_as_many_as_asked() -> None:
    """The same number draws the same cases, another one others."""
    edition = load("2025-reference")
    first = strategies.samples(edition, "qwen3-8b", 16, 10, 1)

    assert len(first) == 10
    assert strategies.samples(edition, "qwen3-8b", 16, 10, 1) == first
    assert strategies.samples(edition, "qwen3-8b", 16, 10, 2) != first
    assert strategies.samples(edition, "qwen3-8b", 16, 0) == []
    assert {one.phase for one in first} == {Phase.GENERATED}


@pytest.mark.parametrize("framing", ["sse", "json-lines"])
@calm
@given(data=st.data())
def test_a_stream_says_its_answer_however_it_is_cut(framing: str, data: st.DataObject) -> None:
    """The writes are the frames' bytes, and read in these pieces they give the answer's text."""
    base = quirks.changed(quirks.STANDARD, framing)
    stream = data.draw(strategies.streams(base, tools=True))

    reader = WIRE_FORMATS[framing].reader()
    events = [event for write in stream.writes for event in reader.feed(write)] + reader.close()
    said = [
        choice["delta"].get("content") or ""
        for one in events
        if one is not DONE
        for choice in one["choices"]  # type: ignore[index]
    ]
    assert b"".join(stream.writes) == b"".join(stream.frames)
    assert all(stream.writes)
    assert "".join(said) == stream.answer.text


def test_generated_cases_are_judged_like_the_others() -> None:
    """The generated phase runs what is drawn, and the mock holds."""
    name = "2025-reference"
    edition = load(name)
    send = in_process.transport(in_process.service(edition), edition.file.defaults.created * 1000)
    made = Runner(send, edition, edition.chips["chip3"], MODELS[name], clock=Clock(lambda: 0.0, lambda _s: None))

    result = made.run([Phase.GENERATED], lambda count: strategies.samples(edition, MODELS[name], 16, count))

    assert [(one.clause.id, one.evidence, one.case) for one in result.findings] == []
    assert len(result.exchanges) == made.budget.requests
    assert result.outcome("status") is Outcome.HOLDS

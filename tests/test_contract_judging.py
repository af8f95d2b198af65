"""Judging: whatever a target sends, each clause has a word on it, and a clause that does not apply says so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.contract.clauses.answer import limit_kept
from mockserver.contract.clauses.clause import Check, Context, Outcome
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.relations import DIALOGUE, RELATIONS, Relation, same_status
from mockserver.contract.clauses.table import CHECKS, judge
from mockserver.contract.clauses.wire_form import ledger
from mockserver.core.exchange import Exchange, Plan, Request
from tests.conftest import load

KEYS = [
    *("id", "object", "created", "model", "choices", "usage", "blocked", "error", "code", "msg", "type"),
    *("index", "delta", "message", "finish_reason", "logprobs", "role", "content", "reasoning_content"),
    *("tool_calls", "function", "name", "arguments", "prompt_tokens", "completion_tokens", "total_tokens"),
]
REFERENCE = load("2025-reference")
LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, -1, 10**30, 1.5, "", "x", "assistant", "stop", "chat.completion", "tool_calls", [], {}]
)


def exchange(body: bytes, *, stream: bool, status: int = 200) -> Exchange:
    """An answer to a request that asks for all that a clause looks at."""
    asked = {"stream": stream, "max_tokens": 3, "stop": ["x"], "stream_options": {"include_usage": True}}
    request = Request("POST", "/", {}, json.dumps(asked).encode())
    kind = b"text/event-stream" if stream else b"application/json"
    headers = ((b"content-type", kind), *(((b"retry-after", b"1"),) if status >= 400 else ()))
    plan = Plan(status, headers, (body,), (0.0,))
    return Exchange(request, plan, frames_sent=1)


def shaped(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with the API's keys, whatever stands behind them, and lists of such."""
    return st.dictionaries(st.sampled_from(KEYS), values, max_size=5) | st.lists(values, max_size=2)


VALUES = st.recursive(LEAVES, shaped, max_leaves=12)
DELTAS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("role", "content", "tool_calls", "reasoning_content", "logprobs"), VALUES)
)
CHOICES = st.fixed_dictionaries(
    {"delta": DELTAS | VALUES}, optional={"message": DELTAS, "finish_reason": VALUES, "index": VALUES}
)
CHUNKS = st.fixed_dictionaries(  # near enough to a chunk to be looked into
    {"choices": st.lists(CHOICES | VALUES, max_size=2)},
    optional={"usage": VALUES, "created": VALUES, "blocked": VALUES, "id": VALUES},
)


@settings(max_examples=60, deadline=None)
@given(
    objects=st.lists(CHUNKS | VALUES, min_size=1, max_size=3),
    form=st.sampled_from(["sse", "json-lines", "json"]),
    status=st.sampled_from([200, 400, 503]),
    refusal=st.sampled_from([None, "invalid-field", "missing-key"]),
)
def test_every_clause_has_a_word_on_whatever_json_comes(
    objects: list[Any], form: str, status: int, refusal: str | None
) -> None:
    """No body, however misshapen, is more than a clause can judge; nor the ledger, nor a relation."""
    texts = [json.dumps(one) for one in objects]
    body = "".join(f"data: {one}\n\n" for one in texts) if form == "sse" else "\n".join(texts)
    made = exchange(body.encode(), stream=form != "json", status=status)
    profile = REFERENCE.chips["nvidia"]

    verdicts = judge(made, Context(REFERENCE, profile, "m", refusal))
    entries = ledger(profile, [Reading(made)])
    compared = [one.compare(Reading(made), Reading(made)) for one in (*RELATIONS, DIALOGUE)]

    assert all(one.outcome in Outcome for one in (*verdicts.values(), *compared))
    assert entries


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\xff", b"[" * 100_000, b"{" * 100_000, b"data: \n\n" * 3, b"\xef\xbb\xbf", b"null", b"data: 5\n\n",
     b'{"choices": NaN}', b'{"created": 1e999}', b'data: {"delta": ' + b"[" * 5000]
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
def test_every_clause_has_a_word_on_whatever_bytes_come(body: bytes, stream: bool) -> None:
    """Nothing, garbage, deep nesting, numbers that JSON has not."""
    made = exchange(body, stream=stream)

    verdicts = judge(made, Context(REFERENCE, REFERENCE.chips["chip3"], "m"))

    assert any(one.outcome is Outcome.BROKEN for one in verdicts.values())


ALWAYS = {"status", "ends", "utf8", "head-trace-header", "head-request-id-header"} | {
    one.id for one in RELATIONS if one.compare is same_status
}
"""What applies to whatever comes."""
ELSEWHERE = [
    exchange(b"", stream=False, status=503),
    exchange(b"{}", stream=False),
    exchange(b"data: {}\n\n", stream=True),
]


@pytest.mark.parametrize("check", [pytest.param(one, id=one.id) for one in CHECKS])
def test_a_clause_does_not_apply_where_it_has_nothing_to_look_at(check: Check) -> None:
    """An error, a body and a stream, each with nothing in it: one of them is none of the clause's business."""
    context = Context(REFERENCE, REFERENCE.chips["nvidia"], "m")
    outcomes = [check.judge(Reading(one), context).outcome for one in ELSEWHERE]

    assert (Outcome.NOT_APPLICABLE in outcomes) is (check.id not in ALWAYS)


@pytest.mark.parametrize("relation", [pytest.param(one, id=one.id) for one in (*RELATIONS, DIALOGUE)])
def test_a_relation_does_not_apply_where_there_is_nothing_to_compare(relation: Relation) -> None:
    """Two answers without a text and without usage are alike in nothing but their status."""
    outcome = relation.compare(Reading(ELSEWHERE[1]), Reading(ELSEWHERE[0])).outcome

    assert (outcome is Outcome.NOT_APPLICABLE) is (relation.id not in ALWAYS)


@pytest.mark.parametrize(
    ("limits", "outcome"),
    [
        ({"max_tokens": 4}, Outcome.BROKEN),
        ({"max_completion_tokens": 4}, Outcome.BROKEN),
        ({"max_tokens": 4, "max_completion_tokens": 9}, Outcome.HOLDS),
        ({"max_tokens": 9, "max_completion_tokens": 4}, Outcome.HOLDS),
        ({"max_tokens": None}, Outcome.NOT_APPLICABLE),
    ],
)
def test_no_document_says_which_of_two_limits_counts(limits: dict[str, int | None], outcome: Outcome) -> None:
    """An answer of five tokens keeps the limit where either of two limits allows it."""
    answer = Plan(200, (), [b'{"choices": [], "usage": {"completion_tokens": 5}}'], [0.0])
    reading = Reading(Exchange(Request("POST", "/", {}, json.dumps(limits).encode()), answer))

    assert limit_kept(reading, Context(REFERENCE, REFERENCE.chips["nvidia"], "m")).outcome is outcome


def test_an_answer_that_should_have_been_refused_is_told_once() -> None:
    """Where a refusal was due and an answer came, only the status is wrong: no rule says what the answer is like."""
    made = exchange(b'{"id": null, "choices": []}', stream=False)
    verdicts = judge(made, Context(REFERENCE, REFERENCE.chips["nvidia"], "m", refusal="missing-key"))

    assert [check.id for check, verdict in verdicts.items() if verdict.outcome is Outcome.BROKEN] == ["status"]

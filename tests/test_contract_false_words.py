"""The contract accuses nobody of what is right, counts only what is known, and asks politely through every door."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import Any

import pytest

from mockserver.contract import in_process, library
from mockserver.contract.cases import Phase, breaks
from mockserver.contract.clauses.clause import Context, Outcome, Severity, claim_of
from mockserver.contract.clauses.relations import DIALOGUE, RELATIONS, SYSTEM
from mockserver.contract.clauses.table import CHECKS, CLAUSES, judge
from mockserver.contract.clauses.wire_form import WIRE_CHECKS
from mockserver.contract.http_client import Address, HttpTransport, UnreachableError
from mockserver.contract.library import Target
from mockserver.contract.politeness import MOST_BYTES_ELSEWHERE
from mockserver.contract.result import Budget, Clock
from mockserver.contract.runner import Runner
from mockserver.core.exchange import Exchange, Plan, Request
from tests.conftest import load
from tests.contract_live import KEY, Quiet, serving, serving_with

REFERENCE = load("2025-reference")
TUTORIAL = load("2024-tutorial")
STILL = Clock(lambda: 0.0, lambda _seconds: None)
MODELS = {"2024-tutorial": "mt-infini-3b", "2025-reference": "qwen3-8b"}


def broken_by(exchange: Exchange) -> dict[str, str]:
    """What the clauses of the reference's nvidia say of an exchange: id and evidence of those that are broken."""
    verdicts = judge(exchange, Context(REFERENCE, REFERENCE.chips["nvidia"], "qwen3-8b"))
    return {check.id: one.evidence for check, one in verdicts.items() if one.outcome is Outcome.BROKEN}


@pytest.mark.parametrize(("off", "broken"), [(0, False), (-1, True)])
def test_a_length_is_compared_with_the_body_that_came(off: int, broken: bool) -> None:
    """A target that echoes the API key, which no exchange keeps, has announced the length of what it sent."""

    class Echo(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the base class calls it
            self.request_body()
            data = json.dumps({"code": 60000, "msg": f"who is {self.headers['authorization']}?"}).encode()
            self.send_response(401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data) + off))
            self.end_headers()
            self.wfile.write(data)

    headers = {b"authorization": b"Bearer $API_KEY"}
    with serving_with(Echo) as url:
        exchange = HttpTransport(Address(url), KEY, lambda: 0.0)(Request("POST", "/", headers, b"{}"))

    assert exchange.plan is not None
    assert KEY.encode() not in b"".join(exchange.plan.frames)
    assert "content-length" not in broken_by(exchange)
    assert ("error-type" in broken_by(exchange)) is broken, "a body that is shorter than sent is no JSON"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "text",
    ["hello \ufffd", "æ\x88\x91 and Ã©tude", "É\u00a0! «À\u00a0»", "你好", "\x85 nel"],
    ids=["a replacement character", "an encoding error quoted", "French", "Chinese", "a control character"],
)
def test_the_user_s_own_text_is_nobody_s_fault(text: str, stream: bool) -> None:
    """What the user wrote comes back as it was written, over a socket, and breaks no clause on characters."""
    body = {"model": "qwen3-8b", "messages": [{"role": "user", "content": f"请重复:{text}"}], "stream": stream}
    request = Request(
        "POST",
        "/maas/qwen3-8b/nvidia/chat/completions",
        {b"authorization": b"Bearer sk-1", b"content-type": b"application/json"},
        json.dumps(body).encode(),
    )
    with serving(REFERENCE) as url:
        exchange = HttpTransport(Address(url), "sk-1", lambda: 0.0)(request)

    assert text.encode() in b"".join(exchange.plan.frames if exchange.plan else ()) or stream
    assert broken_by(exchange) == {}


LAST: dict[str, tuple[dict[str, Any], bool]] = {
    "usage alone": ({"choices": [], "usage": {"prompt_tokens": 1}}, False),
    "usage beside a choice that says nothing": (
        {"choices": [{"index": 0, "delta": {}, "finish_reason": None}], "usage": {"prompt_tokens": 1}},
        False,
    ),
    "more text": ({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]}, True),
    "text beside usage": (
        {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}], "usage": {"prompt_tokens": 1}},
        True,
    ),
}


@pytest.mark.parametrize(("last", "broken"), LAST.values(), ids=LAST)
def test_usage_may_follow_what_the_review_has_blocked(last: dict[str, Any], broken: bool) -> None:
    """In whichever form a server sends it; text may not."""
    blocked = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "blocked": True}
    frames = tuple(f"data: {json.dumps(one)}\n\n".encode() for one in (blocked, last))
    asked = Request("POST", "/maas/qwen3-8b/nvidia/chat/completions", {}, b'{"messages": [], "stream": true}')
    plan = Plan(200, ((b"content-type", b"text/event-stream"),), (*frames, b"data: [DONE]\n\n"))

    assert ("blocked-form" in broken_by(Exchange(asked, plan, 3, 0.0))) is broken


def test_a_packed_answer_is_told_as_packed() -> None:
    """The evidence names the coding, and nothing else is said of bytes that nobody unpacked."""
    data = gzip.compress(b'{"id": "x"}', mtime=0)
    headers = ((b"content-type", b"application/json"), (b"content-encoding", b"gzip"))
    request = Request("POST", "/", {}, b'{"model": "qwen3-8b"}')
    told = broken_by(Exchange(request, Plan(200, headers, (data,), (0.0,)), frames_sent=1))

    assert told.pop("utf8") == "content-encoding is gzip; due none, since the request asks for none"
    assert told.keys() <= {"head-trace-header", "head-request-id-header"}


def contexts(edition: str) -> list[Context]:
    """What an edition's exchanges are measured against: each chip, an answer and each refusal."""
    found = load(edition)
    refusals = [None, *found.file.errors]
    return [Context(found, chip, MODELS[edition], one) for chip in found.chips.values() for one in refusals]


@pytest.mark.parametrize("clause", [pytest.param(one, id=one.id) for one in CLAUSES])
def test_a_clause_counts_only_where_its_claim_is_known(clause: Any) -> None:
    """Each clause names a document or an observation, or weighs by a claim of the edition or the chip's file."""
    weights = {clause.weight(context) for edition in MODELS for context in contexts(edition)}

    if clause.weigh is None:
        known = claim_of(clause.source) != "assumed"
        assert known or weights == {Severity.OBSERVED}, clause.source
        assert weights <= {clause.severity, Severity.OBSERVED}
    elif clause not in WIRE_CHECKS:  # these go by the chip's file alone: see test_what_is_not_known_does_not_count
        assert claim_of(clause.source) != "assumed" or clause.source.startswith("edition: errors"), clause.source


WEIGHTS = [
    ("2024-tutorial", "chip3", "announced", None, Severity.MUST, "the tutorial: any but text/event-stream"),
    ("2024-tutorial", "chip3", "frame-content-type", None, Severity.OBSERVED, "which one, it does not say"),
    ("2024-tutorial", "nvidia", "head-trace-header", None, Severity.OBSERVED, "seen in 2026, not of 2024"),
    ("2025-reference", "nvidia", "head-trace-header", None, Severity.SHOULD, "seen on every response"),
    ("2024-tutorial", "nvidia", "limit-kept", None, Severity.OBSERVED, "the tutorial has no max_tokens"),
    ("2025-reference", "nvidia", "limit-kept", None, Severity.MUST, "the reference has"),
    ("2024-tutorial", "nvidia", "tool-calls", None, Severity.OBSERVED, "the tutorial has no tools"),
    ("2025-reference", "nvidia", "tool-calls", None, Severity.SHOULD, "the reference has"),
    ("2024-tutorial", "nvidia", "status", "unknown-chip", Severity.OBSERVED, "the tutorial lists no status"),
    ("2025-reference", "nvidia", "status", "unknown-chip", Severity.MUST, "the reference lists 404"),
    ("2025-reference", "nvidia", "status", "wrong-method", Severity.OBSERVED, "it does not list 405"),
    ("2024-tutorial", "nvidia", "status", "missing-key", Severity.MUST, "seen live"),
    ("2025-reference", "nvidia", "error-shape", "unknown-chip", Severity.OBSERVED, "no body of a 404 was seen"),
    ("2025-reference", "nvidia", "error-type", "wrong-method", Severity.OBSERVED, "a real 405 was a page of HTML"),
    ("2025-reference", "nvidia", "error-type", "missing-key", Severity.SHOULD, "seen live"),
    ("2025-reference", "nvidia", "finish-value", None, Severity.MUST, "the reference lists them"),
    ("2025-reference", "nvidia", "error-fits-status", None, Severity.OBSERVED, "LiteLLM's rule, no document's"),
    ("2025-reference", "nvidia", "shape-usage-unasked", None, Severity.OBSERVED, "no document tells"),
]


@pytest.mark.parametrize(
    ("edition", "chip", "clause", "refusal", "weight", "why"), WEIGHTS, ids=[f"{w[0]} {w[2]} {w[3]}" for w in WEIGHTS]
)
def test_what_is_documented_weighs_and_what_is_not_is_told(
    edition: str, chip: str, clause: str, refusal: str | None, weight: Severity, why: str
) -> None:
    """The same clause weighs by what the documents of the edition say."""
    found = load(edition)
    check = next(one for one in CHECKS if one.id == clause)

    assert check.weight(Context(found, found.chips[chip], "m", refusal)) is weight, why


def test_relations_weigh_by_the_edition_too() -> None:
    """What the reference says of max_tokens and of null, the tutorial does not say."""
    by_edition = {
        name: {one.id for one in (*RELATIONS, SYSTEM, DIALOGUE) if one.weight(contexts(name)[0]) is Severity.OBSERVED}
        for name in MODELS
    }
    assert by_edition["2025-reference"] == {
        *("stream-is-body", "key-order-text", "fresh-id", "fresh-trace", "system-counts"),
    }
    assert by_edition["2024-tutorial"] - by_edition["2025-reference"] == {
        *("length-where-cut", "max-tokens-monotone", "null-is-absent"),
    }


def test_a_target_that_answers_what_it_should_refuse_costs_no_more_than_allowed() -> None:
    """Requests that are due a refusal are reckoned too: an answer to one of them never passes the tokens."""
    send = in_process.transport(in_process.service(TUTORIAL), TUTORIAL.file.defaults.created * 1000)
    good = next(one for one in breaks(TUTORIAL, "mt-infini-3b") if one.name == "no key").data
    spent: list[int] = []

    def generous(request: Request) -> Exchange:
        path = "/maas/mt-infini-3b/nvidia/chat/completions"
        del request  # whatever it is, it is answered
        exchange = send(
            Request("POST", path, {b"authorization": b"Bearer sk-1", b"content-type": b"application/json"}, good)
        )
        assert exchange.plan is not None
        spent.append(json.loads(b"".join(exchange.plan.frames))["usage"]["total_tokens"])
        return exchange

    budget = Budget(requests=200, tokens=500)
    runner = Runner(generous, TUTORIAL, TUTORIAL.chips["nvidia"], "mt-infini-3b", clock=STILL, budget=budget)
    result = runner.run([Phase.BROKEN])

    assert 0 < sum(spent) <= budget.tokens
    assert any("the budget does not reach" in note for note in result.notes)


@pytest.mark.parametrize("status", [401, 403, 503])
@pytest.mark.parametrize("code", [60000, 10009])
def test_a_bad_key_ends_a_run_whatever_its_status(status: int, code: int) -> None:
    """Both codes by which the service refuses a key end the run at its first request, through the library too."""
    asked: list[str] = []

    class Refuses(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the base class calls it
            asked.append(self.path)
            self.request_body()
            data = json.dumps({"code": code, "msg": "no"}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving_with(Refuses) as url, pytest.raises(UnreachableError, match="refuses the API key"):
        library.check(Target(url, "mt-infini-3b", "nvidia"))

    assert len(asked) == 1


def test_the_library_asks_as_slowly_as_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """`library.check` keeps to twelve requests a minute off this machine, to its budget, and asks nothing giant."""
    send = in_process.transport(in_process.service(TUTORIAL), TUTORIAL.file.defaults.created * 1000)
    now, asked = [0.0], list[tuple[float, int]]()

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def told(request: Request) -> Exchange:
        asked.append((now[0], len(request.body)))
        return send(request)

    monkeypatch.setattr(library, "HttpTransport", lambda *_words: told)
    target = Target("https://service.example", "mt-infini-3b", "nvidia", TUTORIAL)
    library.check(target, clock=Clock(lambda: now[0], sleep), phases=[Phase.EXAMPLES, Phase.BROKEN])

    assert len(asked) <= Budget().requests
    assert {round(later - before, 6) for (before, _), (later, _) in pairwise(asked)} == {5.0}
    asked.clear()
    library.check(target, clock=Clock(lambda: now[0], sleep), phases=[Phase.BROKEN], budget=Budget(requests=200))
    assert max(size for _, size in asked) <= MOST_BYTES_ELSEWHERE

"""The contract can fail: every quirk and every fault that is switched on behind its back breaks a clause."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.contract import in_process
from mockserver.contract.cases import Phase
from mockserver.contract.clauses import observers_chunk, observers_frame, observers_tools
from mockserver.contract.clauses.clause import Context, Outcome, Severity
from mockserver.contract.clauses.dialect import alike
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.relations import DIALOGUE, RELATIONS, SYSTEM, Relation
from mockserver.contract.clauses.table import CHECKS, CLAUSES, judge
from mockserver.contract.clauses.wire_form import MUST_FIELDS, OPAQUE_FIELDS, WIRE_CHECKS, claim_of, clause_of, ledger
from mockserver.contract.result import Budget, Clock, Result
from mockserver.contract.runner import Runner
from mockserver.core.exchange import Answer, Ending, Exchange, Head, Plan, Request, ToolCall, Usage
from mockserver.pipeline.render import render_body, render_stream
from mockserver.profile import quirks
from tests.conftest import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.profile.edition import ChipProfile, Edition

STILL = Clock(lambda: 0.0, lambda _seconds: None)
PLENTY = Budget(requests=200, tokens=100_000)
MODELS = {"2024-tutorial": "mt-infini-3b", "2025-reference": "qwen3-8b"}
CHIPS = [
    (edition, chip) for edition in MODELS for chip in ("nvidia", "amd", "chip1", "chip2", "chip3", "chip4", "chip5")
]


NOT_ASKED = {
    ("tools", "index"), ("tools", "order"), ("tools", "no_arguments"), ("chunk", "body_content_beside_call"),
}  # fmt: skip
"""Axes that only two calls, a call without arguments or one in a body show: a run asks for one call in a stream."""


def run(
    edition: Edition,
    chip: str,
    *,
    behind: Edition | None = None,
    disturb: Callable[[Plan], Plan] = lambda plan: plan,
    phases: tuple[Phase, ...] = (Phase.EXAMPLES, Phase.BROKEN, Phase.DIALOGUE),
) -> Result:
    """Run the contract of one edition against a mock of another, by default of the same."""
    now_ms = edition.file.defaults.created * 1000
    send = in_process.transport(in_process.service(behind or edition), now_ms, disturb)
    runner = Runner(send, edition, edition.chips[chip], MODELS[edition.name], clock=STILL, budget=PLENTY)
    return runner.run(phases)


@pytest.mark.parametrize(("edition", "chip"), CHIPS)
def test_every_clause_holds_for_the_mock(edition: str, chip: str) -> None:
    """Every chip of every edition keeps its contract, the observed clauses included, and nothing is left out."""
    result = run(load(edition), chip)

    assert [(one.clause.id, one.evidence) for one in result.findings] == []
    assert result.notes == []


def test_every_clause_is_reached() -> None:
    """Over the two editions' most different chips every clause applies at least once, but for those on rare headers."""
    results = [run(load(edition), chip) for edition in MODELS for chip in ("nvidia", "chip3")]

    ids = [one.id for one in CLAUSES]
    silent = [one for one in ids if all(result.outcome(one) == "does not apply" for result in results)]
    unasked = {f"{stage}-{field}".replace("_", "-") for stage, field in NOT_ASKED}
    rare = {"retry-after", "retry-told", "frame-heartbeat"}  # in process nothing is silent
    assert set(silent) == {*rare, "shape-usage-unasked", "shape-usage-choices", *unasked}


@pytest.mark.parametrize(
    "name", [quirk.name for axis in quirks.AXES if (axis.stage, axis.field) in NOT_ASKED for quirk in axis.quirks[1:]]
)
def test_what_no_run_asks_for_is_seen_in_a_recording(name: str) -> None:
    """Two calls, one of them without arguments, in a stream and in a body: the axis's clause tells the quirk."""
    axis, _ = quirks.find(name)
    edition = load("2025-reference")
    chip = edition.chips["nvidia"]
    calls = (ToolCall("a", "look", ('{"q":', "1}")), ToolCall("b", "time", ("{}",)))
    answer = Answer((), Usage(5, 4), "tool_calls", tool_calls=calls)
    wire, head = quirks.changed(chip.wire, name), Head("chatcmpl-1", 1_700_000_000, "m")
    stream = tuple(render_stream(answer, head, wire, include_usage=True))
    broken = set()
    for body, asked in ((stream, b'{"stream": true}'), ((render_body(answer, head, wire),), b"{}")):
        exchange = Exchange(Request("POST", "/", {}, asked), Plan(200, (), body), frames_sent=len(body))
        verdicts = judge(exchange, Context(edition, chip, "m"))
        broken |= {check.id for check, verdict in verdicts.items() if verdict.outcome is Outcome.BROKEN}

    assert clause_of(axis) in broken


def test_every_axis_has_an_observer() -> None:
    """A field of the quirk table that nothing looks for on the wire could deviate unseen; and no observer is idle."""
    axes = [(axis.stage, axis.field) for axis in quirks.AXES]
    observed = [*observers_frame.OBSERVERS, *observers_chunk.OBSERVERS, *observers_tools.OBSERVERS]

    unseen = [f"{stage}.{field}" for stage, field in axes if (stage, field) not in observed]
    assert not unseen, (
        f"{', '.join(unseen)}: no observer; write a function that says which value an exchange shows, and its row in "
        "OBSERVERS, in mockserver/contract/clauses/observers_frame.py (stages frame and head) or observers_chunk.py "
        "(shape and chunk)"
    )
    assert sorted(observed) == sorted(axes), "OBSERVERS has a row twice, or one for a field that is no axis"


OF_TIME = {"heartbeat"}  # seen in silences alone, and in process there are none: see test_heartbeat.py
MUTANTS = [
    pytest.param(*quirks.find(name), id=name)
    for name in (*quirks.QUIRKS, *quirks.EXAMPLES)
    if (quirks.find(name)[0].stage, quirks.find(name)[0].field) not in NOT_ASKED
    and quirks.find(name)[0].field not in OF_TIME
]
STAGES_OF_PROOF = (  # where a quirk shows: some show only beside others
    ("2025-reference", "nvidia", ""),
    ("2024-tutorial", "chip3", ""),
    ("2025-reference", "nvidia", "ascii-escapes"),
    ("2025-reference", "nvidia", "usage-on-request"),
    ("2025-reference", "nvidia", "usage-chunk"),
)


def shown_on(axis: quirks.Axis, quirk: quirks.Quirk) -> tuple[Edition, ChipProfile, ChipProfile]:
    """An edition, a chip's profile without the quirk, and the same with it, whose bytes can differ."""
    other = next(one for one in axis.quirks if one.value != quirk.value)  # of a part: that it is not set
    for name, chip, further in STAGES_OF_PROOF:
        profile = load(name).chips[chip]
        wire = quirks.changed(profile.wire, further)
        if axis.value_in(wire) == quirk.value:
            wire = quirks.apply(wire, axis, other)
        secret = quirks.apply(wire, axis, quirk)
        if not alike(wire, secret):
            return load(name), replace(profile, wire=wire), replace(profile, wire=secret)
    raise AssertionError(f"{quirk.name} shows nowhere")


@pytest.mark.parametrize(("axis", "quirk"), MUTANTS)
def test_a_quirk_behind_the_contracts_back_breaks_its_axis_clause(axis: quirks.Axis, quirk: quirks.Quirk) -> None:
    """A chip that has a quirk which its profile does not declare (or lacks one that it declares) is found out."""
    edition, profile, secret = shown_on(axis, quirk)

    result = run(
        in_process.with_chip(edition, profile),
        profile.name,
        behind=in_process.with_chip(edition, secret),
        phases=(Phase.EXAMPLES,),
    )

    assert clause_of(axis) in [one.clause.id for one in result.findings]


def _changed_body(change: Callable[[bytes], bytes]) -> Callable[[Plan], Plan]:
    def disturb(plan: Plan) -> Plan:
        data = change(b"".join(plan.frames))
        headers = tuple((n, b"%d" % len(data) if n == b"content-length" else v) for n, v in plan.headers)
        return replace(plan, frames=(data,), headers=headers)

    return disturb


def _frames(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, frames=change(list(plan.frames))) if len(plan.frames) > 2 else plan


def _object(change: Callable[[dict[str, Any]], Any]) -> Callable[[Plan], Plan]:
    """Change the JSON object of answers that are not streamed."""

    def edit(data: bytes) -> bytes:
        if not data.startswith(b"{") or b'"delta"' in data:
            return data
        one = json.loads(data)
        change(one)
        return json.dumps(one, ensure_ascii=False).encode()

    return _changed_body(edit)


def _says(one: dict[str, Any], text: str) -> None:
    for choice in one.get("choices", []):
        choice["message"]["content"] = text


def _replace(old: str, new: str) -> Callable[[Plan], Plan]:
    return _changed_body(lambda data: data.replace(old.encode(), new.encode()))


def _header(name: bytes, value: bytes) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, headers=(*((n, v) for n, v in plan.headers if n != name), (name, value)))


WRONG_ANSWERS: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "500 on everything": (lambda plan: replace(plan, status=500), "status"),
    "200 on everything": (lambda plan: replace(plan, status=200), "status"),
    "503 on everything": (lambda plan: replace(plan, status=503), "status"),
    "the body is cut": (lambda plan: replace(plan, ending=Ending.CUT, frames=plan.frames[:-1]), "ends"),
    "the connection is reset": (lambda plan: replace(plan, ending=Ending.RESET), "ends"),
    "the body never ends": (lambda plan: replace(plan, ending=Ending.HANG), "ends"),
    "a byte is lost": (_replace('"choices":[', '"choices":'), "readable"),
    "half a character": (_changed_body(lambda data: data.replace("人".encode(), "人".encode()[:2])), "utf8"),
    "GBK": (_changed_body(lambda data: data.decode().encode("gbk", "replace")), "utf8"),
    "a replacement character": (_replace("人", "\ufffd"), "whole-characters"),
    "a frame is lost": (_frames(lambda frames: frames[:3] + frames[4:]), "stream-is-body"),
    "a frame comes twice": (_frames(lambda frames: [*frames[:3], *frames[2:]]), "completion-count"),
    "two frames change places": (
        _frames(lambda frames: [frames[0], frames[2], frames[1], *frames[3:]]), "stream-is-body"),
    "nothing is said": (_replace('"content":', '"contents":'), "says-something"),
    "the finish is lost": (_frames(lambda frames: [one for one in frames if b'"usage"' not in one]), "finish-once"),
    "the stream goes on after the finish": (_frames(lambda frames: [*frames, frames[2]]), "finish-last"),
    "the done marker comes first": (_frames(lambda frames: [frames[-1], *frames[:-1]]), "done-last"),
    "the stream is empty": (_frames(lambda _frames: [b""]), "readable"),
    "a page of HTML": (_changed_body(lambda _data: b"<html>busy</html>"), "as-asked"),
    "an error in HTML": (
        lambda plan: replace(plan, frames=(b"<html/>",)) if plan.status >= 400 else plan, "error-type"),
    "an error of another family": (_replace('{"code":', '{"number":'), "error-shape"),
    "an error with another code": (_replace("60000", "60001"), "error-words"),
    "an error whose type misleads": (
        lambda plan: replace(
            plan, status=503, frames=(b'{"error":{"message":"","type":"invalid_request_error"}}',), headers=()
        ),
        "error-fits-status",
    ),
    "Retry-After is a word": (_header(b"retry-after", b"soon"), "retry-after"),
    "405 without Allow": (
        lambda plan: replace(plan, headers=tuple(h for h in plan.headers if h[0] != b"allow")), "allow"),
    "the length is a lie": (_header(b"content-length", b"7"), "content-length"),
    "a body announced as text": (_header(b"content-type", b"text/plain"), "body-type"),
    "usage does not add up": (_object(lambda one: one.get("usage", {}).update(total_tokens=1)), "usage-adds-up"),
    "a prompt without tokens": (_object(lambda one: one.get("usage", {}).update(prompt_tokens=0)), "usage-adds-up"),
    "the limit is passed": (_object(lambda one: one.get("usage", {}).update(completion_tokens=99)), "limit-kept"),
    "created in milliseconds": (_object(lambda one: one.update(created=1_700_000_000_000)), "created"),
    "another model": (_object(lambda one: one.update(model="gpt-3.5-turbo")), "model-echo"),
    "no id": (_object(lambda one: one.pop("id", None)), "completion-shape"),
    "two choices": (_object(lambda one: one.update(choices=one.get("choices", []) * 2)), "one-choice"),
    "a new key": (_object(lambda one: one.update(x_unknown="fp")), "known-keys"),
    "blocked: false": (_object(lambda one: one.update(blocked=False)), "blocked-form"),
    "finish_reason is a fantasy": (_replace('"finish_reason":"stop"', '"finish_reason":"bored"'), "finish-value"),
    "role is user": (_replace('"role":"assistant"', '"role":"user"'), "role"),
    "the id changes": (
        _frames(lambda frames: [*frames[:2], frames[2].replace(b'"id":"', b'"id":"x'), *frames[3:]]), "one-identity"),
    "choices is no list": (_replace('"choices":[', '"choice":['), "chunk-shape"),
    "usage twice": (_frames(lambda frames: [*frames[:-2], frames[-2], frames[-2], *frames[-1:]]), "usage-once"),
    "usage is lost": (_replace('"usage":{', '"use":{'), "usage-asked"),
    "the stop string stays": (_object(lambda one: _says(one, "九。")), "stop-kept"),
    "a tool call in pieces": (_replace('{\\"city\\":', "{city"), "tool-calls"),
    "a key twice": (_replace('{"id":', '{"id":"x","id":'), "unique-keys"),
    "swapped keys": (_object(lambda one: one.update(id=one.pop("id", ""))), "key-order-printed"),
    "usage behind blocked": (_object(lambda one: one.update(usage=one.pop("usage", {}), x=1)), "key-order-printed"),
    "a byte order mark in a body": (
        _changed_body(lambda data: b"\xef\xbb\xbf" + data if data.startswith(b"{") else data), "readable"),
    "NaN in a body": (_changed_body(lambda data: data.replace(b'"index":0', b'"index":NaN')), "readable"),
    "one space more in a body": (_changed_body(lambda data: data.replace(b'"choices":', b'"choices" :')),
        "framed-to-the-byte"),
    "one escape that nothing asks for": (_changed_body(lambda data: data.replace("工".encode(), b"\\u5de5")),
        "framed-to-the-byte"),
    "a packed body": (_header(b"content-encoding", b"gzip"), "utf8"),
    "events announced as text": (_header(b"content-type", b"text/plain"), "announced"),
    "no trace header on refusals": (
        lambda plan: plan if plan.status == 200 else replace(
            plan, headers=tuple(h for h in plan.headers if h[0] != b"traceresponse")), "head-trace-header"),
    "a trace id of another form": (_header(b"traceresponse", b"00-abc-def-01"), "trace-form"),
    "refusals without a charset": (
        lambda plan: plan if plan.status == 200 else _header(b"content-type", b"application/json")(plan),
        "error-charset"),
    "length sent as stop": (_replace('"finish_reason":"length"', '"finish_reason":"stop"'), "length-where-cut"),
    "blocked is dropped": (_object(lambda one: one.pop("blocked", None)), "blocked-due"),
    "one token too many": (_object(lambda one: one.get("usage", {}).update(
        completion_tokens=one.get("usage", {}).get("completion_tokens", 0) + 1,
        total_tokens=one.get("usage", {}).get("total_tokens", 0) + 1)), "stream-completion-alike"),
    "the path's model is not told": (_object(lambda one: one.update(model=None)), "model-echo"),
    "content_filter where nothing is blocked": (
        _replace('"finish_reason":"stop"', '"finish_reason":"content_filter"'), "finish-value"),
    "a tab before each event": (_changed_body(lambda data: data.replace(b'{"id"', b'{\t"id"')), "framed-to-the-byte"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG_ANSWERS)
def test_a_fault_behind_the_contracts_back_breaks_a_clause(fault: str) -> None:
    """Each way in which an answer can go wrong is found by the clause that watches for it."""
    disturb, clause = WRONG_ANSWERS[fault]

    result = run(load("2025-reference"), "nvidia", disturb=disturb, phases=(Phase.EXAMPLES, Phase.BROKEN))

    assert clause in [one.clause.id for one in result.findings]


def test_every_clause_has_an_exchange_that_it_rejects() -> None:
    """The tables above leave no clause without a way to fail: what cannot fail is not a test."""
    rejected = {clause for _, clause in WRONG_ANSWERS.values()} | {clause_of(axis) for axis in quirks.AXES}
    rejected |= {clause_of(quirks.find(name)[0]) for name in quirks.EXAMPLES}

    never = {one.id for one in CHECKS} - rejected - {"retry-told"}  # see test_a_429_is_judged
    assert never == set(), f"{', '.join(sorted(never))}: nothing breaks it; add a row to WRONG_ANSWERS that does"


def reading(
    status: int = 200,
    text: str = "你好",
    prompt: int = 5,
    completion: int = 3,
    finish: str = "stop",
    asked: dict[str, Any] | None = None,
) -> Reading:
    """An answer with one body."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    choice = {"message": {"content": text}, "finish_reason": finish}
    body = json.dumps({"id": "chatcmpl-1", "choices": [choice], "usage": usage}).encode()
    request = Request("POST", "/", {}, json.dumps(asked or {}).encode())
    trace = (b"traceresponse", b"00-260921203125a888fe1b430031ebb464-e47d406fb43d95aa-01")
    return Reading(Exchange(request, Plan(status, (trace,), (body,)), frames_sent=1))


UNLIKE = {
    "stream-is-body": reading(text="再见"),
    "stream-counts-alike": reading(prompt=6),
    "stream-completion-alike": reading(completion=4),
    "stream-finish-alike": reading(finish="length"),
    "fresh-id": reading(),
    "fresh-trace": reading(),
    "system-counts": reading(),
    "length-where-cut": reading(completion=1, finish="stop", asked={"max_tokens": 1}),
    "unknown-fields": reading(status=400),
    "key-order": reading(status=400),
    "key-order-text": reading(text="再见"),
    "null-is-absent": reading(status=400),
    "max-tokens-monotone": reading(completion=4),
    "dialogue-grows": reading(prompt=5),
}


@pytest.mark.parametrize("relation", [pytest.param(one, id=one.id) for one in (*RELATIONS, SYSTEM, DIALOGUE)])
def test_every_relation_has_a_pair_that_it_rejects(relation: Relation) -> None:
    """A pair of exchanges that contradict each other breaks the relation that watches for it."""
    assert relation.compare(reading(), UNLIKE[relation.id]).outcome == "broken"


@pytest.mark.parametrize(
    ("headers", "clauses"),
    [
        pytest.param((), {"retry-told"}, id="without Retry-After"),
        pytest.param(((b"retry-after", b"soon"),), {"retry-after"}, id="with a word"),
    ],
)
def test_a_429_is_judged(headers: tuple[tuple[bytes, bytes], ...], clauses: set[str]) -> None:
    """A 429 that nobody asked for is waited for, asked again, and judged as the refusal that it is."""
    left = iter([True, False])  # the first answer lets the run in, the second is the 429

    def disturb(plan: Plan) -> Plan:
        if next(left, True):
            return plan
        body = b'{"code":42900,"msg":"Rate limit exceeded"}'
        kind = (b"content-type", b"application/json; charset=utf-8")
        return replace(plan, status=429, headers=(kind, *headers), frames=(body,))

    result = run(load("2025-reference"), "nvidia", disturb=disturb, phases=(Phase.EXAMPLES,))

    about = {one.clause.id for one in result.findings if one.exchange.plan and one.exchange.plan.status == 429}
    assert about & {"retry-told", "retry-after"} == clauses
    assert all(one.plan and one.plan.status == 200 for _, one in result.exchanges)


@pytest.mark.parametrize("edition", MODELS)
def test_what_is_not_known_does_not_count(edition: str) -> None:
    """A clause counts where its claim is documented or observed; an assumed or silent one is only told."""
    found = load(edition)
    for profile in found.chips.values():
        context = Context(found, profile, MODELS[edition])
        for axis in quirks.AXES:
            check = next(one for one in WIRE_CHECKS if one.id == clause_of(axis))
            claim = claim_of(profile, axis)
            known = claim.claim != "assumed" if claim else axis.field in MUST_FIELDS
            counts = check.weight(context) is not Severity.OBSERVED
            assert counts == (known and axis.field not in OPAQUE_FIELDS), (profile.name, check.id)


def test_every_clause_names_its_source_or_is_observed() -> None:
    """What counts says where that stands."""
    for clause in CLAUSES:
        assert clause.source
        counts = clause.severity is not Severity.OBSERVED
        assert not counts or re.search(r"tutorial|reference|RFC|observation|edition|profile|clients", clause.source), (
            clause.id
        )


def test_a_ledger_is_strict_both_ways() -> None:
    """One deviation that is declared and there, one that is gone, one that nobody declared."""
    edition = load("2024-tutorial")
    profile = edition.chips["chip3"]
    secret = replace(profile, wire=quirks.changed(profile.wire, "object-every,crlf"))
    result = run(edition, "chip3", behind=in_process.with_chip(edition, secret), phases=(Phase.EXAMPLES,))

    entries = {one.clause: one for one in ledger(profile, [Reading(exchange) for _, exchange in result.exchanges])}

    assert entries["frame-framing"].state == "as declared"
    assert entries["shape-created"].state == "as declared"
    assert entries["shape-object"].state == "gone"
    assert (entries["frame-newline"].state, entries["frame-newline"].seen) == ("undeclared", "crlf")

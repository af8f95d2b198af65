"""What a written answer says, and how it looks on the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Request, ToolCall, Usage
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.pace import PaceSettings
from mockserver.pipeline.respond import Service
from mockserver.sources.fixture_answer import FixtureAnswer, answer_of
from mockserver.sources.fixture_file import parse
from tests.conftest import load
from tests.fixture_helpers import WHOLE_ANSWER

if TYPE_CHECKING:
    from mockserver.core.exchange import Plan


def answer(data: dict[str, Any]) -> FixtureAnswer:
    """The answer of a fixture, written as this JSON."""
    file = parse(json.dumps({"match": {}, "answer": data}).encode(), "a.json")
    assert file is not None
    assert file.answer is not None
    return file.answer


def test_an_answer_says_all_that_is_written() -> None:
    """Pieces, reasoning, calls, figures, id and delay arrive as they stand in the file."""
    said = answer(WHOLE_ANSWER)

    made = answer_of(said, "a.json", lambda: 99)

    assert made.pieces == ("晴", "。")
    assert "".join(made.reasoning) == "想一想"
    assert [(call.id, call.name, call.arguments) for call in made.tool_calls] == [
        ("call_1", "get_weather", '{"city": "北京"}')
    ]
    assert made.usage == Usage(5, 6, 2)
    assert (made.finish_reason, made.id, made.created, made.delay_ms) == ("stop", "chatcmpl-1", 1, 2.5)
    assert made.source == "fixture:a.json"


def test_tokens_are_counted_where_the_file_has_no_figures() -> None:
    """One token for each piece of reasoning, content and arguments, and one for the end."""
    made = answer_of(
        answer({"pieces": ["a", "b"], "reasoning": "想", "tool_calls": [{"name": "f"}]}), "a.json", lambda: 7
    )

    arguments = len(made.tool_calls[0].pieces)
    assert made.usage == Usage(7, 2 + 1 + arguments + 1, 1)


FINISHES: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"text": "a"}, "stop"),
    "tool calls": ({"tool_calls": [{"name": "f"}]}, "tool_calls"),
    "as written": ({"text": "a", "finish_reason": "length"}, "length"),
}


@pytest.mark.parametrize(("data", "reason"), FINISHES.values(), ids=FINISHES)
def test_the_finish_reason_follows_from_what_is_said(data: dict[str, Any], reason: str) -> None:
    """It need not be written."""
    assert answer_of(answer(data), "a.json", lambda: 1).finish_reason == reason


@pytest.mark.parametrize("written_as", ['{"city": ', {"city": "北京"}], ids=["text", "object"])
def test_arguments_are_sent_as_written(written_as: Any) -> None:
    """An object becomes JSON text; a text is sent as it is, also where it is no JSON."""
    call: ToolCall = answer({"tool_calls": [{"name": "f", "arguments": written_as}]}).calls[0]

    assert call.arguments == (written_as if isinstance(written_as, str) else '{"city": "北京"}')


def test_two_calls_of_one_function_have_two_ids() -> None:
    """Ids that the file does not give are derived, the same each time, and differ within an answer."""
    data = {"tool_calls": [{"name": "f"}, {"name": "f"}]}
    first, second = answer(data).calls

    assert first.id != second.id
    assert first.id.startswith("call_")
    assert answer(data).calls == (first, second)


def test_a_blocked_answer_may_say_nothing() -> None:
    """`blocked` alone stops the answer before its first piece."""
    made = answer_of(answer({"blocked": True}), "a.json", lambda: 1)

    assert (made.pieces, made.blocked, made.usage.completion_tokens) == ((), True, 1)


ERRORS: dict[str, tuple[Any, tuple[object, ...]]] = {
    "kind": ("rate-limited", ("rate-limited", "asked for by the fixture a.json", None, None)),
    "kind in an object": ({"kind": "internal"}, ("internal", "asked for by the fixture a.json", None, None)),
    "own": ({"status": 503, "code": "x", "message": "later"}, ("fixture", "later", 503, "x")),
    "own status alone": ({"status": 418}, ("fixture", "asked for by the fixture a.json", 418, None)),
}


@pytest.mark.parametrize(("error", "expected"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_a_refusal(error: Any, expected: tuple[object, ...]) -> None:
    """A kind takes its form from the edition; status, code and message are an error of one's own."""
    with pytest.raises(Refusal) as raised:
        answer_of(answer({"error": error, "delay_ms": 5}), "a.json", lambda: 1)

    refusal = raised.value
    assert (refusal.kind, refusal.detail, refusal.status, refusal.code) == expected
    assert refusal.delay_ms == 5


EDITION = load("2024-tutorial")
HEADERS = {b"authorization": b"Bearer sk-any"}


def served(data: dict[str, Any], pace: PaceSettings | None = None, *, stream: bool = False) -> Plan:
    """The plan for a request that a written answer answers."""
    service = Service(
        EDITION.rules,
        lambda _request: answer_of(answer(data), "a.json", lambda: 1),
        lambda _request: (),
        paces={} if pace is None else {"chip3": pace},
    )
    body = json.dumps({"messages": [{"role": "user", "content": "a"}], "stream": stream}).encode()
    return service.respond(IncomingRequest("mt-infini-3b", "chip3", Request("POST", "", HEADERS, body), 0)).plan


DELAYS: dict[str, tuple[dict[str, Any], PaceSettings | None, bool, list[float] | None]] = {
    "none": ({"pieces": ["a"]}, None, True, None),
    "stream": ({"pieces": ["a"], "delay_ms": 20}, None, True, [20, 20, 20]),
    "body": ({"pieces": ["a", "b"], "delay_ms": 20}, None, False, [20]),
    "paced stream": ({"pieces": ["a"], "delay_ms": 20}, PaceSettings(100, 10), True, [120, 130, 140]),
    "paced body": ({"pieces": ["a", "b"], "delay_ms": 20}, PaceSettings(100, 10), False, [130]),
    "error": ({"error": "overloaded", "delay_ms": 20}, None, True, [20]),
    "error at once": ({"error": "overloaded"}, None, True, None),
}


@pytest.mark.parametrize(("data", "pace", "stream", "at_ms"), DELAYS.values(), ids=DELAYS)
def test_a_delay_comes_before_the_answer(
    data: dict[str, Any], pace: PaceSettings | None, stream: bool, at_ms: list[float] | None
) -> None:
    """`delay_ms` shifts the whole answer, streamed or not, paced or not, an error too."""
    plan = served(data, pace, stream=stream)

    assert (plan.at_ms if plan.at_ms is None else list(plan.at_ms)) == at_ms
    assert plan.at_ms is None or len(plan.at_ms) == len(plan.frames)


WIRE_ERRORS: dict[str, tuple[Any, int, Any]] = {
    "kind": ("payment-required", 402, {"code": 40200, "msg": "Insufficient balance"}),
    "integer code": ({"status": 418, "code": 41800, "message": "茶壶"}, 418, {"code": 41800, "msg": "茶壶"}),
    "no code": ({"status": 502, "message": "bad"}, 502, {"code": 502, "msg": "bad"}),
    "text code": (
        {"status": 429, "code": "busy", "message": "later"},
        429,
        {"error": {"code": "busy", "message": "later", "param": None, "type": "rate_limit_error"}},
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["body", "stream"])
@pytest.mark.parametrize(("error", "status", "body"), WIRE_ERRORS.values(), ids=WIRE_ERRORS)
def test_an_error_on_the_wire(error: Any, status: int, body: Any, stream: bool) -> None:
    """A kind looks as the edition says; an integer code takes the gateway's form, a text the upstream's."""
    plan = served({"error": error}, stream=stream)

    assert (plan.status, json.loads(plan.frames[0])) == (status, body)


def test_a_blocked_answer_on_the_wire() -> None:
    """The text so far, then blocked: true."""
    made = json.loads(served({"text": "晴", "blocked": True}).frames[0])

    assert (made["choices"][0]["message"]["content"], made["blocked"]) == ("晴", True)


THEN: dict[str, tuple[dict[str, Any], list[str | None]]] = {
    "one answer": ({"answer": {"text": "a"}}, ["a", "a", "a", "a"]),
    "repeat": ({"answers": [{"text": "a"}, {"text": "b"}]}, ["a", "b", "b", "b"]),
    "cycle": ({"answers": [{"text": "a"}, {"text": "b"}], "then": "cycle"}, ["a", "b", "a", "b"]),
    "error": ({"answers": [{"text": "a"}, {"text": "b"}], "then": "error"}, ["a", "b", None, None]),
}


@pytest.mark.parametrize(("data", "texts"), THEN.values(), ids=THEN)
def test_answers_come_one_after_the_other(data: dict[str, Any], texts: list[str | None]) -> None:
    """After the last comes the last again, the first again, or none."""
    file = parse(json.dumps({"match": {}, **data}).encode(), "a.json")
    assert file is not None

    said = [file.said(call) for call in range(4)]
    assert [one and "".join(one.content) for one in said] == texts

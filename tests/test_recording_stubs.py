"""Stubs of aimock and WireMock become fixtures, and what they say beyond those is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.errors import OperatorError
from mockserver.files.secrets import Scrubbing
from mockserver.recording.formats import aimock, wiremock
from mockserver.recording.formats.stubs import convert, stubs_in, wrong
from mockserver.sources import fixture_file
from mockserver.testing.mock_server import MockServer
from tests.command import called
from tests.session_helpers import asked, said

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.recording.formats.stub import Stub

HELLO = {"match": {"userMessage": "hello"}, "response": {"content": "Hi!"}}
COMPLETION = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}  # fmt: skip
SAID = {
    "text": "Hi!", "finish_reason": "stop", "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    "id": "chatcmpl-1", "created": 7,
}  # fmt: skip


def aimock_stub(**entry: Any) -> Stub:
    """A stub of aimock."""
    [stub] = aimock.stubs({"fixtures": [{**HELLO, **entry}]})
    return stub


def wiremock_stub(request: dict[str, Any] | None = None, response: dict[str, Any] | None = None, **more: Any) -> Stub:
    """A stub of WireMock."""
    asks = {"method": "POST", "urlPath": "/v1/chat/completions", **(request or {})}
    [stub] = wiremock.stubs({"request": asks, "response": response or {"jsonBody": COMPLETION}, **more})
    return stub


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "user": ({"userMessage": "你好"}, {"user": {"contains": "你好"}}, []),
    "system": ({"systemMessage": "strict"}, {"system": {"contains": "strict"}}, []),
    "two of the system": ({"systemMessage": ["a", "b"]}, {"system": {"contains": "a"}},
                          ["match.systemMessage ('b' too)"]),
    "call": ({"toolCallId": "call_1"}, {"body": {"$.messages[-1].tool_call_id": "call_1"}}, []),
    "no result": ({"hasToolResult": False}, {"body": {"$.messages[-1].tool_call_id": {"exists": False}}}, []),
    "result": ({"toolResultContains": "ok"}, {"body": {"$.messages[-1].role": "tool", "$.messages[-1].content":
                                                       {"contains": "ok"}}}, []),
    "model": ({"model": "gpt-4o"}, {"model": "gpt-4o"}, []),
    "format": ({"responseFormat": "json_object"}, {"body": {"$.response_format.type": "json_object"}}, []),
    "tool": ({"userMessage": "a", "toolName": "f"}, {"user": {"contains": "a"}}, ["match.toolName"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_what_aimock_asks(case: str) -> None:
    """Each condition in a fixture's words, or told as left out."""
    match, due, left_out = ASKED[case]
    stub = aimock_stub(match=match)

    assert (stub.match, stub.left_out, stub.useless) == (due, left_out, "")


ANSWERED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "text": ({"response": {"content": "a"}}, {"text": "a"}, []),
    "structured": ({"response": {"content": {"a": 1}}}, {"text": '{"a": 1}'}, []),
    "thoughts": ({"response": {"content": "a", "reasoning": "b"}}, {"text": "a", "reasoning": "b"}, []),
    "calls": ({"response": {"toolCalls": [{"name": "f", "arguments": {"a": 1}, "id": "c"}]}},
              {"tool_calls": [{"name": "f", "arguments": {"a": 1}, "id": "c"}]}, []),
    "blocks": ({"response": {"blocks": [{"type": "toolCall", "name": "f", "arguments": "{}"},
                                        {"type": "text", "text": "a"}]}},
               {"text": "a", "tool_calls": [{"name": "f", "arguments": "{}"}]}, ["the order of response.blocks"]),
    "overrides": ({"response": {"content": "a", "finishReason": "length", "id": "x", "created": 5, "model": "other",
                                "usage": {"prompt_tokens": 3, "completion_tokens": 2}}},
                  {"text": "a", "finish_reason": "length", "id": "x", "created": 5,
                   "usage": {"prompt_tokens": 3, "completion_tokens": 2}}, ["response.model"]),
    "half of usage": ({"response": {"content": "a", "usage": {"prompt_tokens": 3}}}, {"text": "a"},
                      ["response.usage (prompt_tokens and completion_tokens are needed)"]),
    "error": ({"response": {"error": {"message": "slow", "type": "rate_limit_error"}, "status": 429, "retryAfter": 3}},
              {"error": {"status": 429, "body": {"error": {"message": "slow", "type": "rate_limit_error"}},
                         "headers": {"retry-after": "3"}}}, []),
    "json": ({"response": {"json": {"a": 1}, "status": 202}},
             {"raw": {"status": 202, "headers": {"content-type": "application/json"}, "sends": ['{"a": 1}']}}, []),
    "chunks": ({"response": {"content": "abcde"}, "chunkSize": 2}, {"pieces": ["ab", "cd", "e"]}, []),
    "times": ({"streamingProfile": {"ttft": 300, "tps": 40}, "latency": 5}, {"text": "Hi!", "delay_ms": 300},
              ["streamingProfile.tps (--pace first_token_ms=…,inter_token_ms=…)",
               "latency (--pace first_token_ms=…,inter_token_ms=…)"]),
    "faults": ({"truncateAfterChunks": 3}, {"text": "Hi!"},
               ["truncateAfterChunks (arm a fault: docs/faults.md)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERED)
def test_what_aimock_answers(case: str) -> None:
    """Each answer in a fixture's words, which a fixture file takes; times and faults are told."""
    entry, due, left_out = ANSWERED[case]
    stub = aimock_stub(**entry)

    assert (stub.answer, stub.left_out, stub.useless) == (due, left_out, "")
    assert fixture_file.parse(json.dumps({"match": stub.match, "answer": stub.answer}).encode(), "it")


REQUESTS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "header": ({"headers": {"X-Team": {"equalTo": "blue"}}}, {"headers": {"X-Team": "blue"}}, []),
    "no header": ({"headers": {"X-Team": {"absent": True}}}, {"headers": {"X-Team": {"exists": False}}}, []),
    "key": ({"headers": {"Authorization": {"contains": "sk-"}}}, {}, ["request.headers.Authorization"]),
    "query": ({"queryParameters": {"v": {"matches": "[0-9]+"}}}, {"query": {"v": {"regex": "^(?:[0-9]+)$"}}}, []),
    "url with a query": ({"url": "/v1/chat/completions?v=2"}, {"query": {"v": "2"}}, []),
    "path": ({"bodyPatterns": [{"matchesJsonPath": "$.tools[0]"}]}, {"body": {"$.tools[0]": {"exists": True}}}, []),
    "path and value": ({"bodyPatterns": [{"matchesJsonPath": {"expression": "$.model", "equalTo": "gpt-4o"}}]},
                       {"body": {"$.model": "gpt-4o"}}, []),
    "filter": ({"bodyPatterns": [{"matchesJsonPath": "$.messages[?(@.role == 'user')]"}]}, {},
               ["request.bodyPatterns matchesJsonPath: $.messages[?(@.role == 'user')]"]),
    "json": ({"bodyPatterns": [{"equalToJson": '{"stream": true}'}]}, {"body": {"$.stream": True}}, []),
    "anywhere": ({"bodyPatterns": [{"contains": "hello"}]}, {"user": {"contains": "hello"}},
                 ["request.bodyPatterns contains (looked for in the last user message alone)"]),
    "xml": ({"bodyPatterns": [{"matchesXPath": "//a"}]}, {}, ["request.bodyPatterns matchesXPath"]),
    "pattern of paths": ({"urlPathPattern": ".*"}, {}, ["request.urlPathPattern (every path of chat is answered)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REQUESTS)
def test_what_wiremock_asks(case: str) -> None:
    """Each pattern in a fixture's words, or told as left out."""
    request, due, left_out = REQUESTS[case]
    stub = wiremock_stub(request)

    assert (stub.match, stub.left_out, stub.useless) == (due, left_out, "")


STREAM = 'data: {"choices": []}\n\ndata: [DONE]\n\n'
RESPONSES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "completion": ({"jsonBody": COMPLETION}, SAID, []),
    "completion as text": ({"status": 200, "body": json.dumps(COMPLETION)}, SAID, []),
    "its headers": ({"jsonBody": COMPLETION, "headers": {"X-A": "1", "Content-Type": "application/json"}}, SAID,
                    ["response.headers.x-a"]),
    "stream": ({"body": STREAM, "headers": {"Content-Type": "text/event-stream"}},
               {"raw": {"status": 200, "headers": {"Content-Type": "text/event-stream"}, "sends": [STREAM]}}, []),
    "error": ({"status": 503, "jsonBody": {"error": "busy"}, "headers": {"Retry-After": "2"}},
              {"error": {"status": 503, "body": {"error": "busy"}, "headers": {"Retry-After": "2"}}}, []),
    "delay": ({"jsonBody": COMPLETION, "fixedDelayMilliseconds": 50}, {**SAID, "delay_ms": 50}, []),
    "dribble": ({"jsonBody": COMPLETION, "chunkedDribbleDelay": {}}, SAID, ["response.chunkedDribbleDelay"]),
    "reset": ({"fault": "CONNECTION_RESET_BY_PEER"}, {"raw": {"sends": [], "ending": "reset"}}, []),
}  # fmt: skip


@pytest.mark.parametrize("case", RESPONSES)
def test_what_wiremock_answers(case: str) -> None:
    """A completion becomes words, anything else stays its bytes; a fixture file takes each."""
    response, due, left_out = RESPONSES[case]
    stub = wiremock_stub(None, response)

    assert (stub.answer, stub.left_out, stub.useless) == (due, left_out, "")
    assert fixture_file.parse(json.dumps({"match": {"user": "a"}, "answer": stub.answer}).encode(), "it")


def test_who_comes_first_in_wiremock() -> None:
    """Its 1 goes before its 5, a fixture's higher number before a lower one; scenarios are told."""
    stub = wiremock_stub(priority=1, scenarioName="s")

    assert (stub.more, stub.left_out) == ({"priority": 4}, ["scenarioName"])


FAULT = "RANDOM_DATA_THEN_CLOSE"
USELESS = [
    (aimock_stub(match={"userMessage": "a", "endpoint": "image"}), "endpoint 'image' is no chat"),
    (aimock_stub(response={"embedding": [1]}), "response.embedding is no answer of a chat"),
    (wiremock_stub({"method": "GET"}), "GET asks for no chat"),
    (wiremock_stub({"urlPath": "/v1/models"}), "/v1/models is no path of chat"),
    (wiremock_stub(None, {"bodyFileName": "a.json"}), "response has bodyFileName, which a fixture cannot say"),
    (wiremock_stub(None, {"fault": FAULT}), f"fault {FAULT}: arm a fault instead, docs/faults.md"),
    (aimock_stub(response={"toolCalls": [3]}), "a part of it is not as such files have it: "),
]


@pytest.mark.parametrize(("stub", "why"), USELESS, ids=[why.split(":")[0] for _, why in USELESS])
def test_what_is_no_fixture(stub: Stub, why: str) -> None:
    """Of a stub that no fixture can stand for it is said why."""
    assert stub.useless.startswith(why)


def test_converted_and_served(tmp_path: Path) -> None:
    """The fixtures answer what the stubs answered, in their order and call after call; what is left out is told."""
    source = tmp_path / "stubs.json"
    rows = [
        {"match": {"userMessage": "hello", "sequenceIndex": 0}, "response": {"content": "first"}},
        {"match": {"userMessage": "hello", "sequenceIndex": 1}, "response": {"content": "second"}},
        {"match": {"userMessage": "hel"}, "response": {"content": "short"}, "chaos": {"dropRate": 1}},
        {"match": {"toolName": "f"}, "response": {"content": "everything"}},
    ]
    source.write_text("\ufeff" + json.dumps({"fixtures": rows}), "utf-8")
    code, out, err = called("fixtures", "convert", str(source), str(tmp_path / "made"))

    assert code == 0
    assert err.splitlines() == [
        f"{source}: taken for stubs of aimock",
        f"{source}: fixtures[2]: left out: chaos (arm a fault: docs/faults.md)",
        f"{source}: fixtures[3]: left out: match.toolName",
        f"{source}: fixtures[3]: no fixture: nothing is left that it asks, so it would answer everything",
    ]
    assert out.splitlines() == [str(tmp_path / "made" / "any" / "any" / name) for name in ("hello.json", "hel.json")]
    with MockServer(fixtures=[tmp_path / "made"], strict=True) as mock, mock.session() as session:
        answers = [said(asked(session, text)) for text in ("hello you", "hello you", "help")]
    assert answers == ["first", "second", "short"]


def test_a_folder_of_mappings(tmp_path: Path) -> None:
    """WireMock's `mappings/` as a whole; nothing is overwritten, and what looks like a key is masked."""
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    for name in ("a", "b"):
        stub = {
            "name": "greeting",
            "request": {
                "method": "POST", "urlPath": "/maas/m1/chip3/chat/completions",
                "bodyPatterns": [{"contains": "sk-abcdefghijklmnopqrstuvwxyz0123456789"}],
            },
            "response": {"jsonBody": COMPLETION},
        }  # fmt: skip
        (mappings / f"{name}.json").write_text(json.dumps({"mappings": [stub]}), "utf-8")
    (mappings / "other.json").write_text('{"a": 1}', "utf-8")
    made = convert(stubs_in(mappings), tmp_path / "made", Scrubbing(), lambda _line: None)

    assert [path.relative_to(tmp_path / "made").as_posix() for path in made] == [
        "m1/chip3/greeting.json", "m1/chip3/greeting-2.json"
    ]  # fmt: skip
    assert "sk-abcdefgh" not in made[0].read_text("utf-8")


def test_wrong_targets(tmp_path: Path) -> None:
    """A file as the target, and stubs of which none can be a fixture, are one line each."""
    source = tmp_path / "stubs.json"
    source.write_text(json.dumps({"fixtures": [HELLO]}), "utf-8")
    useless = tmp_path / "useless.json"
    useless.write_text(json.dumps({"fixtures": [{"match": {}, "response": {"embedding": []}}]}), "utf-8")

    with pytest.raises(OperatorError, match=r"x\.har: stubs become fixtures, one a file; give a folder"):
        convert(stubs_in(source), tmp_path / "x.har", Scrubbing(), lambda _line: None)
    with pytest.raises(OperatorError, match=r"useless\.json: none of its stubs can be a fixture"):
        convert(stubs_in(useless), tmp_path / "made", Scrubbing(), lambda _line: None)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["content", "toolCalls", "blocks", "error", "usage", "status", "body", "jsonBody", "headers",
                         "url", "urlPath", "method", "bodyPatterns", "queryParameters", "userMessage", "systemMessage",
                         "sequenceIndex", "fault", "priority", "chunkSize", "streamingProfile"])  # fmt: skip
PARTS = st.dictionaries(NAMES, ANYTHING, max_size=5)


@given(PARTS, PARTS, PARTS)
@settings(max_examples=150, deadline=None)
def test_no_stub_is_a_crash(asks: dict[str, Any], says: dict[str, Any], more: dict[str, Any]) -> None:
    """Whatever stands in a file, each stub is a fixture or it is said why not."""
    for kind, value in ((aimock, {"fixtures": [{**more, "match": asks, "response": says}]}),
                        (wiremock, [{**more, "request": {"method": "POST", **asks}, "response": says}])):  # fmt: skip
        if kind.fits(value):
            [stub] = kind.stubs(value)
            fixture = {"match": stub.match, "answer": stub.answer, **stub.more}
            assert isinstance(stub.useless or wrong(fixture), str)

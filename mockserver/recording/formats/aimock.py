"""Fixture files of aimock (https://github.com/CopilotKit/aimock): `{"fixtures": [{"match": …, "response": …}]}`.

Names and meanings are those of its version 1.43, `types.ts`: `userMessage` is a part of the last user message,
`systemMessage` of the system's, `toolCallId` the call that the last message answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mockserver.recording.formats.stub import Stub, as_text, reading, usage_of, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST: Final = "$.messages[-1]"
_FAULT: Final = "arm a fault: docs/faults.md"
_PACE: Final = "--pace first_token_ms=…,inter_token_ms=…"
_INSTEAD: Final = {
    "latency": _PACE,
    "replaySpeed": "--speed",
    "recordedTimings": _PACE,
    "truncateAfterChunks": _FAULT,
    "disconnectAfterMs": _FAULT,
    "chaos": _FAULT,
}
"""Keys of an entry that no fixture has, and what does the same."""
_OF_OTHERS: Final = ("embedding", "image", "images", "audio", "transcription", "video")
"""Answers of what is no chat."""


def fits(value: object) -> bool:
    """Whether a JSON value is such a file."""
    rows = value.get("fixtures") if isinstance(value, dict) else None
    return (
        isinstance(rows, list)
        and bool(rows)
        and all(
            isinstance(row, dict) and isinstance(row.get("match"), dict) and isinstance(row.get("response"), dict)
            for row in rows
        )
    )


def stubs(value: Any) -> Iterator[Stub]:
    """The stubs of a file."""
    for number, row in enumerate(value["fixtures"]):
        made = Stub(f"fixtures[{number}]")
        endpoint = row["match"].get("endpoint", "chat")
        if endpoint != "chat":
            made.useless = f"endpoint {endpoint!r} is no chat"
        else:
            with reading(made):
                _ask(made, row["match"])
                _say(made, row["response"])
                _time(made, {name: held for name, held in row.items() if name not in {"match", "response"}})
        yield made


def _ask(stub: Stub, match: dict[str, Any]) -> None:
    for name, wanted in match.items():
        if name in _CONDITIONS:
            _CONDITIONS[name](stub, wanted)
        elif name != "endpoint":
            stub.leave_out(f"match.{name}")


def _user(stub: Stub, wanted: Any) -> None:
    stub.title = as_text(wanted)
    stub.match["user"] = {"contains": stub.title}


def _system(stub: Stub, wanted: Any) -> None:
    parts = wanted if isinstance(wanted, list) else [wanted]
    if parts:
        stub.match["system"] = {"contains": as_text(parts[0])}
    for part in parts[1:]:
        stub.leave_out("match.systemMessage", f"{as_text(part)!r} too")


def _tool_call(stub: Stub, wanted: Any) -> None:
    stub.title = stub.title or as_text(wanted)
    stub.asks(f"{LAST}.tool_call_id", wanted)


def _tool_result(stub: Stub, wanted: Any) -> None:
    stub.asks(f"{LAST}.role", "tool")
    stub.asks(f"{LAST}.content", {"contains": as_text(wanted)})


def _has_result(stub: Stub, wanted: Any) -> None:
    stub.asks(f"{LAST}.tool_call_id", {"exists": bool(wanted)})


def _model(stub: Stub, wanted: Any) -> None:
    stub.match["model"] = wanted


def _response_format(stub: Stub, wanted: Any) -> None:
    stub.asks("$.response_format.type", wanted)


def _turn(stub: Stub, wanted: Any) -> None:
    if whole(wanted):
        stub.turn = wanted
    else:
        stub.leave_out("match.sequenceIndex")


_CONDITIONS: Final[dict[str, Callable[[Stub, Any], None]]] = {
    "userMessage": _user,
    "systemMessage": _system,
    "hasToolResult": _has_result,
    "toolCallId": _tool_call,
    "toolResultContains": _tool_result,
    "model": _model,
    "responseFormat": _response_format,
    "sequenceIndex": _turn,
}


def _say(stub: Stub, response: dict[str, Any]) -> None:
    others = [name for name in _OF_OTHERS if name in response]
    if others:
        stub.useless = f"response.{others[0]} is no answer of a chat"
        return
    known = {"content", "toolCalls", "blocks", "reasoning", "usage", "finishReason", "id", "created"}
    if "error" in response:
        known = {"error", "status", "retryAfter"}
        stub.answer = {"error": {"status": response.get("status", 500), "body": {"error": response["error"]}}}
        if "retryAfter" in response:
            stub.answer["error"]["headers"] = {"retry-after": f"{response['retryAfter']}"}
    elif "json" in response:
        known = {"json", "status"}
        body = {"status": response.get("status", 200), "headers": {"content-type": "application/json"}}
        stub.answer = {"raw": {**body, "sends": [as_text(response["json"])]}}
    else:
        stub.answer = _words(stub, response)
    for name in response.keys() - known:
        stub.leave_out(f"response.{name}")


def _words(stub: Stub, response: dict[str, Any]) -> dict[str, Any]:
    """Text and calls; blocks one after the other become all text and then all calls."""
    blocks = [one for one in response.get("blocks") or () if isinstance(one, dict)]
    calls = response.get("toolCalls") or [one for one in blocks if one.get("type") == "toolCall"]
    texts = [one.get("text", "") for one in blocks if one.get("type") == "text"]
    content = response.get("content", "".join(texts) if texts else None)
    if blocks:
        stub.leave_out("the order of response.blocks")
    said: dict[str, Any] = {} if content is None else {"text": as_text(content)}
    if calls:
        said["tool_calls"] = [{name: one[name] for name in ("name", "arguments", "id") if name in one} for one in calls]
        for one in said["tool_calls"]:
            if isinstance(one.get("arguments"), list):
                one["arguments"] = as_text(one["arguments"])
    for name, ours in {
        "reasoning": "reasoning",
        "finishReason": "finish_reason",
        "id": "id",
        "created": "created",
    }.items():
        if name in response:
            said[ours] = response[name]
    if "usage" in response:
        usage = usage_of(response["usage"])
        if usage is None:
            stub.leave_out("response.usage", "prompt_tokens and completion_tokens are needed")
        else:
            said["usage"] = usage
    return said


def _time(stub: Stub, entry: dict[str, Any]) -> None:
    profile = entry.pop("streamingProfile", None)
    if isinstance(profile, dict):
        if "ttft" in profile:
            stub.answer["delay_ms"] = profile["ttft"]
        for name in profile.keys() - {"ttft"}:
            stub.leave_out(f"streamingProfile.{name}", _PACE)
    size = entry.pop("chunkSize", None)
    if whole(size) and size > 0 and stub.answer.get("text"):
        text = stub.answer.pop("text")
        stub.answer = {"pieces": [text[at : at + size] for at in range(0, len(text), size)], **stub.answer}
    entry.pop("metadata", None)
    for name in entry:
        stub.leave_out(name, _INSTEAD.get(name, ""))

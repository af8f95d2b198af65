"""What was no success stays no success: recordings are judged by what their bodies say before they are said anew."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockserver import MockServer
from mockserver.core.exchange import Answer, ChatRequest, Ending, Exchange, Plan, Request
from mockserver.files.exchange_file import Provenance, file_of, written
from mockserver.files.secrets import Scrubbing
from mockserver.pipeline.judge import judge
from mockserver.pipeline.read import carried, read
from mockserver.recording.formats.convert import exchanges
from mockserver.recording.formats.imported_exchange import Hints
from mockserver.sources.recording_file import recording
from mockserver.sources.recordings import Recordings
from mockserver.sources.replay import ReplaySettings, replayed

CHIP = "nvidia"
PATH = f"/maas/mt-infini-3b/{CHIP}/chat/completions"
ASKED = {"messages": [{"role": "user", "content": "judged"}], "stream": True}
MESSAGES: list[Any] = [{"role": "user", "content": "judged"}]
REQUEST = ChatRequest("mt-infini-3b", CHIP, MESSAGES, stream=True, body=ASKED)
DONE = "data: [DONE]\n\n"


def event(one: object) -> str:
    """A server-sent event."""
    return f"data: {json.dumps(one, ensure_ascii=False)}\n\n"


def chunk(delta: object = None, finish: object = None, index: object = 0, **more: Any) -> str:
    """The event of a chunk with one choice."""
    return event({"choices": [{"index": index, "delta": delta or {}, "finish_reason": finish}], **more})


def call(**keys: Any) -> str:
    """The event of a chunk with a piece of a call."""
    return chunk({"tool_calls": [keys]})


A, STOP = chunk({"content": "a"}), chunk({}, "stop")

FAULTS: dict[str, tuple[str, str]] = {
    "an-error-midway": (A + event({"error": {"message": "overloaded"}}), "object 2 of its body holds 'error'"),
    "an-error-at-the-end": (A + STOP + event({"error": "overloaded"}) + DONE, "object 3 of its body holds 'error'"),
    "an-error-alone": (event({"error": {"message": "quota"}}) + DONE, "object 1 of its body holds 'error'"),
    "an-error-beside-choices": (A + event({"choices": [], "error": {"code": 1}}), "object 2 of its body holds 'error'"),
    "an-error-in-a-choice": (
        A + event({"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 502}}]}),
        "a choice in object 2 of its body holds 'error'",
    ),
    "an-error-of-another-form": (A + event({"code": 429, "message": "m"}), "choices are missing in object 2"),
    "a-named-error": (A + "event: error\ndata: {}\n\n", "an event of it is named error"),
    "a-named-error-behind-a-mark": ("\ufeffevent: error\ndata: {}\n\n", "an event of it is named error"),
    "choices-null": (event({"choices": None}) + STOP, "choices is no list in object 1"),
    "no-finish-reason": (A + A + DONE, "it never had a finish_reason"),
    "empty-finish-reasons": (chunk({"content": "a"}, ""), "it never had a finish_reason"),
    "cut-in-an-object": (A + 'data: {"choices": [{"ind', "the stream ends inside an event"),
    "cut-in-a-line": ('{"choices": [{"index": 0, "delta": {"content": "a"}}]}\n{"choi', "cannot be read"),
    "empty": ("", "its body is empty"),
    "blank": (" \n\n", "its body is empty"),
    "html": ("<html><body>502 Bad Gateway</body></html>", "cannot be read"),
    "done-alone": (DONE, "its body holds no completion"),
    "comments-alone": (": keep-alive\n\n", "its body holds no completion"),
    "json-then-done": (json.dumps({"choices": []}) + "\n[DONE]", "cannot be read"),
    "an-array": ("[]", "a JSON object was due"),
    "deep": ("[" * 100_000, "cannot be read"),
}  # fmt: skip


def plan_of(body: str, **fields: Any) -> Plan:
    """A plan with this body in one frame."""
    return Plan(200, (), [body.encode()] if body else [], joinable=False, **fields)


@pytest.mark.parametrize(("body", "why"), FAULTS.values(), ids=FAULTS)
def test_the_body_says_that_it_is_no_answer(body: str, why: str) -> None:
    """A status of 200 and an end in order do not make an answer."""
    assert why in judge(plan_of(body)).failure


LOSSES: dict[str, tuple[str, str]] = {
    "two-choices": (A + chunk({"content": "b"}, "stop", 1) + STOP, "object 2 of its body has the choice index '1'"),
    "two-in-a-chunk": (event({"choices": [{"delta": {}, "finish_reason": "stop"}] * 2}), "has 2 choices"),
    "an-odd-index": (chunk({"content": "a"}, "stop", "0"), "has the choice index '0'"),
    "a-refusal": (chunk({"refusal": "no"}) + STOP, "refusal is said"),
    "an-old-call": (chunk({"function_call": {"name": "f"}}) + STOP, "function_call is said"),
    "content-in-parts": (chunk({"content": [{"type": "text", "text": "a"}]}) + STOP, "content is no text"),
    "delta-and-message": (event({"choices": [{"delta": {"content": "a"}, "message": {"content": "a"},
                                              "finish_reason": "stop"}]}), "both delta and message"),
    "arguments-as-an-object": (call(index=0, function={"name": "f", "arguments": {"a": 1}}) + STOP, "no text"),
    "a-name-in-pieces": (call(index=0, function={"name": "get_"}) + call(index=0, function={"name": "x"}) + STOP,
                         "a name in pieces"),
    "two-calls-without-index": (call(id="1", function={"name": "f"}) + call(id="2", function={"name": "f"}) + STOP,
                                "a second call with the same index"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "why"), LOSSES.values(), ids=LOSSES)
def test_what_would_lose_something_cannot_be_said_anew(body: str, why: str) -> None:
    """It is a success all the same: the recorder does not ask for it again."""
    found = judge(plan_of(body))

    assert found.failure == ""
    assert why in found.unsayable


GOOD = {
    "plain": A + STOP + DONE,
    "without-done": A + STOP,
    "nulls": chunk({"content": "a", "tool_calls": None, "refusal": None}, error=None, usage=None) + STOP,
    "a-usage-chunk": A + STOP + event({"choices": [], "usage": {"prompt_tokens": 1}}),
    "a-bare-usage": A + STOP + event({"usage": {"prompt_tokens": 1}}),
    "no-index": event({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}),
    "blocked": A + event({"choices": [{"index": 0, "delta": {}, "finish_reason": None}], "blocked": True}),
    "the-same-name-again": call(index=0, id="1", function={"name": "f"}) + call(index=0, id="", function={"name": "f"})
    + STOP,
    "whole": json.dumps({"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}]}),
    "lines": '{"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "length"}]}\n',
    "the-word-error-in-a-text": chunk({"content": "event: error"}) + STOP,
}  # fmt: skip


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_a_whole_answer_can_be_said_anew(body: str) -> None:
    """Nulls, missing indexes and chunks of usage are dialects, not faults."""
    assert judge(plan_of(body)).why == ""


def test_an_error_in_a_choice_is_an_error_for_the_journal_too() -> None:
    """Some gateways put it there, beside the finish_reason `error`; null is none."""
    told = chunk({}, "error").replace('"finish_reason"', '"error": {"message": "upstream is gone"}, "finish_reason"')

    assert carried(exchange(A + told)).error == "upstream is gone"
    assert carried(exchange(A + told.replace('{"message": "upstream is gone"}', "null"))).error == ""


def test_status_ending_and_coding_count_too() -> None:
    """What the body cannot say is asked of the head and of the ending."""
    whole = (A + STOP).encode()

    assert judge(Plan(503, (), [whole])).failure == "its status is 503"
    assert judge(Plan(200, (), [whole], ending=Ending.CUT)).failure == "it ended as cut"
    assert "'br' is not read" in judge(Plan(200, ((b"content-encoding", b"br"),), [whole])).failure
    assert judge(Plan(200, ((b"content-encoding", b"gzip"),), [gzip.compress(whole)])).why == ""


def taken(body: str) -> Recordings:
    """The recordings that hold one stream with this body."""
    made = recording(Path("one.json"), file_of(exchange(body), Provenance(recorded_at="", tool="", body_sha256="")))
    assert made is not None
    return Recordings([made])


def exchange(body: str) -> Exchange:
    """A stream that was asked for, with this body."""
    plan = plan_of(body)
    return Exchange(Request("POST", PATH, {}, json.dumps(ASKED).encode()), plan, len(plan.frames))


def anew(body: str, chip: str = CHIP) -> Answer | Plan | None:
    """What `--replay regenerate` makes of a recorded stream."""
    request = ChatRequest("mt-infini-3b", chip, MESSAGES, stream=True, body=ASKED)
    return replayed(taken(body), request, ReplaySettings("regenerate"), lambda: 7)


@pytest.mark.parametrize("body", [one for one, _ in (*FAULTS.values(), *LOSSES.values())], ids=[*FAULTS, *LOSSES])
def test_it_is_played_as_it_came_and_the_plan_says_why(body: str) -> None:
    """On its own chip the same bytes; on another no answer is made of it."""
    played = anew(body)

    assert isinstance(played, Plan)
    assert b"".join(played.frames) == body.encode()
    assert played.detail.startswith("played as it came: ")
    assert anew(body, "chip3") is None


def test_a_miss_tells_why_it_is_not_said_anew() -> None:
    """Who asks another chip is told what keeps the recording from answering there."""
    request = ChatRequest("mt-infini-3b", "chip3", MESSAGES, stream=True, body=ASKED)
    differs = "one.json: chip is 'nvidia', asked 'chip3'"

    assert taken(A).near_misses(request) == [differs]
    assert taken(A).near_misses(request, anew=True) == [f"{differs}; cannot be said anew: it never had a finish_reason"]


USAGES: dict[str, tuple[str, tuple[int, int], str]] = {
    "recorded": (A + chunk({}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 5}), (3, 5), ""),
    "in-the-choice": (
        A + event({"choices": [{"delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 3,
                                                                                "completion_tokens": 5}}]}),
        (3, 5), ""),
    "cumulative": (
        chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 1})
        + chunk({}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 2}), (3, 2), ""),
    "none": (A + A + STOP, (7, 3), "prompt_tokens, completion_tokens"),
    "empty": (A + A + chunk({}, "stop", usage={}), (7, 3), "prompt_tokens, completion_tokens"),
    "half": (A + A + chunk({}, "stop", usage={"prompt_tokens": 3}), (3, 3), "completion_tokens"),
    "one-long-piece": (chunk({"content": "一二三四五六七八九十" * 3}) + STOP, (7, 31),
                       "prompt_tokens, completion_tokens"),
    "a-call": (
        call(index=0, id="1", function={"name": "f", "arguments": '{"city":'})
        + call(index=0, function={"arguments": ' "x'}) + call(index=0, function={"arguments": '"}'}) + STOP,
        (7, 4), "prompt_tokens, completion_tokens"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "counts", "missing"), USAGES.values(), ids=USAGES)
def test_usage_is_the_recorded_one_or_counted_and_said_so(body: str, counts: tuple[int, int], missing: str) -> None:
    """The request's tokens, the pieces and the end token, where nothing was recorded; never a constant."""
    said = anew(body)

    assert isinstance(said, Answer)
    assert said.detail == (f"usage was not recorded, so it is counted: {missing}" if missing else "")
    assert (said.usage.prompt_tokens, said.usage.completion_tokens) == counts


def test_the_journal_says_why(tmp_path: Path) -> None:
    """Over the wire: an error in a stream is an error again, and who looks into the journal reads the reason."""
    body = A + event({"error": {"message": "server overloaded"}})
    file = file_of(exchange(body), Provenance(recorded_at="", tool="", body_sha256=""))
    (tmp_path / "a.json").write_text(written(file), "utf-8")

    with MockServer(port=0, fixtures=[tmp_path], strict=True, replay="regenerate") as mock, mock.session() as session:
        key = {"Authorization": f"Bearer {session.api_key}"}
        answer = httpx.post(f"{session.base_url}/chat/completions", json=ASKED, headers=key)
        detail = session.last.detail

    assert answer.text == body
    assert detail == "played as it came: object 2 of its body holds 'error'"


# --- any stream ---------------------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from('a你🙂"\\\n '), max_size=4)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["assistant", None]),
        "content": st.none() | TEXTS | st.just([{"type": "text", "text": "part"}]),
        "reasoning_content": st.none() | TEXTS,
        "refusal": st.none() | st.just("no"),
        "tool_calls": st.none()
        | st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "index": st.sampled_from([0, 1, None, "0"]),
                    "id": st.sampled_from(["c1", "c2", "", None]),
                    "function": st.fixed_dictionaries(
                        {},
                        optional={
                            "name": st.sampled_from(["f", "g", None]),
                            "arguments": st.sampled_from(["{", "}", "", None]) | st.just({"a": 1}),
                        },
                    ),
                },
            ),
            max_size=2,
        ),
    },
)
CHOICES = st.fixed_dictionaries(
    {"delta": DELTAS},
    optional={
        "index": st.sampled_from([0, 0, 0, 1, None]),
        "finish_reason": st.sampled_from([None, None, "stop", "length", "", 7]),
        "usage": st.sampled_from([None, {"prompt_tokens": 2, "completion_tokens": 9}]),
    },
)
USAGE = st.sampled_from([None, {}, {"prompt_tokens": 1, "completion_tokens": 5}, {"completion_tokens": -1}])
OBJECTS = st.one_of(
    st.fixed_dictionaries({"choices": st.lists(CHOICES, min_size=1, max_size=1)}, optional={"usage": USAGE}),
    st.fixed_dictionaries({"choices": st.lists(CHOICES, max_size=2) | st.none()}, optional={"usage": USAGE}),
    st.sampled_from([{"error": {"message": "x"}}, {"usage": {"prompt_tokens": 1}}, {"code": 500}, {}]),
)
FRAMES = st.one_of(OBJECTS.map(event), st.sampled_from([DONE, ": hi\n\n", "event: error\ndata: {}\n\n", "<html>"]))
STREAMS = st.builds(
    lambda frames, cut: "".join(frames)[: len("".join(frames)) - cut],
    st.lists(FRAMES | OBJECTS.map(event), max_size=5),
    st.sampled_from([0, 0, 0, 3]),
)


@settings(max_examples=150, deadline=None)
@example(
    'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
    'data: {"choices": [{"delta": {}, "finish_reason": ""}]}\n\n'
)
@given(STREAMS)
def test_said_anew_nothing_is_better_than_it_was(body: str) -> None:
    """Any stream, good or bad: the same bytes with a reason, or the same text, calls and finish as a client read."""
    said = anew(body)
    came = carried(exchange(body))

    if isinstance(said, Plan):
        assert b"".join(said.frames) == body.encode()
        assert said.detail
        return
    assert isinstance(said, Answer)
    assert came.problem == ""
    assert said.finish_reason == came.finish_reason
    assert said.text == came.text
    assert {one.name for one in said.tool_calls if one.name} == set(came.tool_calls)
    assert not any("error" in one for one in read(body.encode()).objects)
    assert said.usage.completion_tokens >= 1 or not said.detail


@settings(max_examples=60, deadline=None)
@given(body=STREAMS)
def test_imported_and_said_anew_nothing_is_better_than_it_was(
    body: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any stream saved from the wire, imported and asked for anew: as it came with a reason, or what it said."""
    path = tmp_path_factory.mktemp("imported") / "a.sse"
    path.write_bytes(body.encode())
    [file] = exchanges(path, Hints("mt-infini-3b", CHIP, "judged", stream=True), Scrubbing())
    made = recording(path, file)
    assert made is not None

    said = replayed(Recordings([made]), REQUEST, ReplaySettings("regenerate"), lambda: 7)

    whole = judge(plan_of(body)).why == ""
    assert isinstance(said, Answer) == whole
    if isinstance(said, Plan):
        assert b"".join(said.frames) == body.encode()
        assert said.detail == f"played as it came: {judge(plan_of(body)).why}"

"""The recorded source: which recording answers a request, and how it is played."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.exchange import Answer, ChatRequest, Ending, Exchange, Plan, Request
from mockserver.files.exchange_file import Provenance, file_of
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.pace import pace_as_recorded
from mockserver.pipeline.read import meaning
from mockserver.pipeline.respond import Service
from mockserver.sources.recording_file import Recording, chat_request, recording
from mockserver.sources.recordings import Recordings
from mockserver.sources.replay import ReplaySettings, replayed
from tests.conftest import load

FIELDS: list[dict[str, Any]] = [{"temperature": 0}, {"temperature": 1}, {"temperature": 2}]
USER = {"role": "user", "content": "你是谁?"}
LINE = '{"id": "chatcmpl-1", "created": 5, "choices": [{"index": 0, "delta": {"content": "%s"}}]}\n'
LAST = LINE.replace("}}]", '}, "finish_reason": "stop"}]')


def recorded(
    messages: list[Any], *, model: str = "mt-infini-3b", chip: str = "nvidia", stream: bool = True, says: str = "我",
    ending: Ending = Ending.COMPLETE, status: int = 200, **fields: Any,
) -> Recording:  # fmt: skip
    """A recording of a dialogue, named for what it says."""
    body = json.dumps({"messages": messages, "stream": stream, **fields}).encode()
    frames = (*((LINE % part).encode() for part in says[:-1]), (LAST % says[-1]).encode())
    plan = Plan(status, (), frames, tuple(10.0 * n for n in range(len(frames))), ending)
    asked = Request("POST", f"/maas/{model}/{chip}/chat/completions", {}, body)
    provenance = Provenance(recorded_at="", tool="", body_sha256="")
    made = recording(Path(f"{says}.json"), file_of(Exchange(asked, plan, len(frames), 0, ending), provenance))
    assert made is not None
    return made


def asked(
    messages: list[Any], *, model: str = "mt-infini-3b", chip: str = "nvidia", stream: bool = True, **f: Any
) -> ChatRequest:
    """A request as the pipeline would let it in."""
    return ChatRequest(model, chip, messages, stream, body={"messages": messages, "stream": stream, **f})


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([{"role": "user", "content": "你是谁？ "}], id="full-width-and-space"),
        pytest.param(
            [{"role": "user", "content": [{"type": "text", "text": "你是"}, {"type": "text", "text": "谁?"}]}],
            id="parts",
        ),
        pytest.param([{"content": "你是谁?"}], id="role-is-user-by-default"),
    ],
)
def test_the_same_dialogue_in_other_words_fits(messages: list[Any]) -> None:
    """Messages are compared by role and text after NFKC."""
    assert Recordings([recorded([USER])]).find(asked(messages)) is not None


@pytest.mark.parametrize(
    ("request_", "difference"),
    [
        pytest.param(asked([USER], chip="chip3"), "chip is 'nvidia', asked 'chip3'", id="chip"),
        pytest.param(asked([USER], stream=False), "stream is true, asked false", id="stream"),
        pytest.param(asked([USER], model="other"), "model is 'mt-infini-3b', asked 'other'", id="model"),
        pytest.param(
            asked([{"role": "user", "content": "你是鬼?"}]),
            "messages[0].content is '你是谁?', asked '你是鬼?'",
            id="text",
        ),
        pytest.param(asked([USER, USER]), "1 messages, asked 2", id="turns"),
        pytest.param(asked([{**USER, "role": "system"}]), "messages[0].role is 'user', asked 'system'", id="role"),
    ],
)
def test_a_miss_says_what_differs(request_: ChatRequest, difference: str) -> None:
    """Nothing fits, and the nearest recording is named with what keeps it from fitting."""
    recordings = Recordings([recorded([USER])])

    assert recordings.find(request_) is None
    assert recordings.near_misses(request_) == [f"我.json: {difference}"]


def test_turns_are_told_apart_by_content() -> None:
    """The same last question in two dialogues has two answers, in whatever order they are asked."""
    first = [USER, {"role": "assistant", "content": "我是A"}, {"role": "user", "content": "为什么?"}]
    second = [USER, {"role": "assistant", "content": "我是B"}, {"role": "user", "content": "为什么?"}]
    recordings = Recordings([recorded(first, says="一"), recorded(second, says="二")])

    found = [recordings.find(asked(messages)) for messages in (second, first, second)]

    assert [one.path.stem if one else None for one in found] == ["二", "一", "二"]


def test_of_several_the_most_alike_wins() -> None:
    """Other fields of the body decide between recordings of one dialogue; what came later wins a tie."""
    recordings = Recordings([recorded([USER], says="冷", temperature=0), recorded([USER], says="热", temperature=1)])

    assert [one.path.stem if (one := recordings.find(asked([USER], **fields))) else None for fields in FIELDS] == [
        "冷",
        "热",
        "热",
    ]


def test_a_stream_is_said_anew_from_a_stream() -> None:
    """Only a stream has the pieces and their times: it goes before a whole answer whose other fields are more alike.

    Clients ask for a stream with `stream_options` and for a whole answer without.
    """
    streamed = recorded([USER], says="流", stream_options={"include_usage": True})
    whole = recorded([USER], says="全", stream=False)

    for known in (Recordings([streamed, whole]), Recordings([whole, streamed])):
        assert known.find(asked([USER], chip="chip3"), any_form=True) is streamed
        assert known.find(asked([USER], chip="chip3", stream=False), any_form=True) is whole


def test_the_bodys_model_is_a_name_too() -> None:
    """Where an edition lets the body's model win, the recording is still found."""
    body = {"messages": [USER], "stream": True, "model": "body-model"}
    one = recorded([USER])
    other = Recording(one.path, one.file, ChatRequest("path-model", "nvidia", [USER], stream=True, body=body), one.key)
    recordings = Recordings([other])

    assert recordings.find(asked([USER], model="path-model")) is other
    assert recordings.find(asked([USER], model="body-model")) is other


def test_a_file_that_comes_again_replaces_itself() -> None:
    """Recorded anew, the old answer is gone."""
    recordings = Recordings([recorded([USER], says="我", n=1), recorded([USER], says="我", n=2)])

    found = recordings.find(asked([USER], n=1))

    assert len(recordings) == 1
    assert found is not None
    assert found.request.body["n"] == 2


@pytest.mark.parametrize(("speed", "expected"), [(0, None), (1, (0.0, 10.0)), (10, [0.0, 1.0])])
def test_exact_replay_keeps_bytes_chunks_and_times(speed: float, expected: object) -> None:
    """The plan has the recorded chunks at the recorded times divided by the speed."""
    said = replayed(
        Recordings([recorded([USER], says="我是")]), asked([USER]), ReplaySettings("exact", speed), lambda: 7
    )

    assert isinstance(said, Plan)
    assert said.frames == ((LINE % "我").encode(), (LAST % "是").encode())
    assert said.at_ms == expected
    assert said.source == "recording:我是.json"


@pytest.mark.parametrize(("chip", "stream"), [("chip3", True), ("nvidia", False), ("chip3", False)])
def test_regenerated_for_another_chip_or_form(chip: str, stream: bool) -> None:
    """What was recorded on one chip is said on any chip, streamed or not."""
    recordings = Recordings([recorded([USER], says="我是")])

    said = replayed(recordings, asked([USER], chip=chip, stream=stream), ReplaySettings("regenerate"), lambda: 7)

    assert isinstance(said, Answer)
    assert (said.pieces, said.id, said.created) == (("我", "是"), "chatcmpl-1", 5)


def test_regenerated_with_a_fresh_identity() -> None:
    """Ids and times are the head stage's where they are not kept."""
    said = replayed(
        Recordings([recorded([USER])]), asked([USER]), ReplaySettings("regenerate", identity="fresh"), lambda: 7
    )

    assert isinstance(said, Answer)
    assert (said.id, said.created) == (None, None)


@pytest.mark.parametrize("fault", [{"ending": Ending.CUT}, {"status": 500}])
def test_a_recorded_fault_is_played_as_it_came(fault: dict[str, Any]) -> None:
    """A fault has no meaning: exact on its own chip, and no answer on another."""
    recordings = Recordings([recorded([USER], **fault)])
    settings = ReplaySettings("regenerate")

    assert isinstance(replayed(recordings, asked([USER]), settings, lambda: 7), Plan)
    assert replayed(recordings, asked([USER], chip="chip3"), settings, lambda: 7) is None


AS_RECORDED = {
    "same-number-of-frames": ((0.0, 5.0, 9.0, 12.0), 4, 2, [0.0, 5.0, 9.0, 12.0]),
    "role-merged": ((0.0, 5.0, 9.0, 12.0), 3, 2, [5.0, 9.0, 12.0]),
    "more-at-the-end": ((0.0, 5.0, 9.0, 12.0), 6, 2, [0.0, 5.0, 9.0, 12.0, 12.0, 12.0]),
    "limited": ((0.0, 5.0, 9.0, 12.0, 20.0), 4, 2, [0.0, 5.0, 9.0, 12.0]),
    "in-one-chunk": ((0.0, 5.0, 9.0, 12.0), 2, 2, [0.0, 12.0]),
    "one-frame": ((0.0, 5.0, 9.0), 1, 1, [0.0]),
    "nothing-said": ((3.0, 4.0), 2, 0, [3.0, 4.0]),
}


@pytest.mark.parametrize(("at_ms", "frames", "parts", "expected"), AS_RECORDED.values(), ids=AS_RECORDED)
def test_recorded_times_for_other_frames(
    at_ms: tuple[float, ...], frames: int, parts: int, expected: list[float]
) -> None:
    """Each part leaves when it came, what stands before it when the answer began, what is behind it at its end."""
    assert pace_as_recorded(frames, at_ms, parts) == expected


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=9).map(sorted), st.integers(1, 12), st.integers(0, 12))
def test_recorded_times_never_fall(at_ms: list[float], frames: int, parts: int) -> None:
    """For any times and any number of frames each frame has a time, and none is earlier than the one before."""
    made = pace_as_recorded(frames, at_ms, parts)

    assert len(made) == frames
    assert made == sorted(made)
    assert set(made) <= set(at_ms)


@pytest.mark.parametrize(("speed", "expected"), [(0, ()), (1, (0.0, 0.0, 10.0, 10.0)), (10, (0.0, 0.0, 1.0, 1.0))])
def test_a_regenerated_answer_keeps_its_pace(speed: float, expected: tuple[float, ...]) -> None:
    """When it began, when each piece came and when it was whole, divided by the speed; 0 leaves it to the chip."""
    recordings = Recordings([recorded([USER], says="我是")])

    said = replayed(recordings, asked([USER], chip="chip3"), ReplaySettings("regenerate", speed), lambda: 7)

    assert isinstance(said, Answer)
    assert said.at_ms == expected


def test_pieces_are_timed_by_the_chunk_that_completes_them() -> None:
    """However the wire cut the events, a piece came with the last byte of its event."""
    events = [b"data: %b\n\n" % (LINE % part).strip().encode() for part in "我是"]
    body = b"".join(events) + b"data: [DONE]\n\n"
    cuts = [0, 3, len(events[0]) + 5, len(body) - 4, len(body)]
    frames = tuple(body[start:end] for start, end in pairwise(cuts))

    said = meaning(Plan(200, (), frames, (1.0, 2.0, 3.0, 4.0)))

    assert said.at_ms == (2.0, 2.0, 3.0, 4.0)


def test_the_pipeline_performs_both() -> None:
    """Recorded on nvidia: regenerated on chip3 it is bare JSON lines, exact it is the recorded bytes."""
    edition = load("2024-tutorial")
    recordings = Recordings([recorded([USER], says="我是")])
    body = json.dumps({"messages": [USER], "stream": True}).encode()
    headers = {b"authorization": b"Bearer k", b"content-type": b"application/json"}

    def respond(chip: str, mode: Any) -> Plan:
        def answer(request: ChatRequest) -> Answer | Plan:
            said = replayed(recordings, request, ReplaySettings(mode), lambda: 7)
            assert said is not None
            return said

        service = Service(edition.rules, answer, lambda _request: ())
        incoming = IncomingRequest("mt-infini-3b", chip, Request("POST", "/", headers, body), 0)
        return service.respond(incoming).plan

    exact, lines, events = respond("nvidia", "exact"), respond("chip3", "regenerate"), respond("nvidia", "regenerate")

    assert b"".join(exact.frames) == (LINE % "我" + LAST % "是").encode()
    assert lines.frames[1].startswith(b'{"id": "chatcmpl-1"')
    assert events.frames[1].startswith(b'data: {"id": "chatcmpl-1"')


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/maas/m/c/models", b'{"messages": []}'),
        ("/maas/m/c/chat/completions", b"["),
        ("/maas/m/c/chat/completions", b"{}"),
    ],
)
def test_what_is_no_chat(path: str, body: bytes) -> None:
    """Other paths and bodies without messages are not matched with anything."""
    assert chat_request(path, body) is None

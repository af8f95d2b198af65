"""Recordings of a served folder: how they are played, and that they are seen as they come and go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.errors import OperatorError, Refusal
from mockserver.core.exchange import Answer, ChatRequest, Exchange, Plan, Request
from mockserver.files.exchange_file import Provenance, file_of, written
from mockserver.settings.assemble import edition_of, sources
from mockserver.settings.config import load

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.sources.source_order import Sources

PATH = "/maas/mt-infini-3b/chip3/chat/completions"
LINE = '{"id": "chatcmpl-1", "created": 5, "choices": [{"index": 0, "delta": {"content": "%s"}}]}\n'


def recorded(says: str, user: str = "录音在哪里?") -> str:
    """The text of a recording, one piece in ten milliseconds."""
    body = json.dumps({"messages": [{"role": "user", "content": user}], "stream": True}).encode()
    lines = [LINE % piece for piece in says]
    frames = tuple(line.encode() for line in (*lines[:-1], lines[-1].replace("}}]", '}, "finish_reason": "stop"}]')))
    plan = Plan(200, (), frames, tuple(10.0 * (number + 1) for number in range(len(frames))), head_at_ms=4.0)
    exchange = Exchange(Request("POST", PATH, {}, body), plan, len(frames))
    return written(file_of(exchange, Provenance(recorded_at="", tool="", body_sha256="")))


class Served:
    """The sources of a mock that serves a folder, strictly, on a clock of the test's."""

    def __init__(self, folder: Path, **flags: str) -> None:
        config = load({"fixtures": [str(folder)], "strict": "true", **flags}, {}, cwd=folder).config
        self.now_s = 0.0
        self.sources: Sources = sources(config, edition_of(config), lambda: self.now_s)
        self.sources.begin()

    def said(self, chip: str = "chip3", user: str = "录音在哪里?") -> Answer | Plan | None:
        """What is answered a second later; None for a refusal."""
        self.now_s += 1
        messages: list[Any] = [{"role": "user", "content": user}]
        request = ChatRequest("mt-infini-3b", chip, messages, stream=True, body={"messages": messages, "stream": True})
        try:
            return self.sources.answer(request)
        except Refusal:
            return None


@pytest.mark.parametrize(
    ("flags", "at_ms", "head_at_ms"),
    [
        pytest.param({}, None, None, id="at-once-by-default"),
        pytest.param({"pace": "recorded"}, (10.0, 20.0), 4.0, id="recorded"),
        pytest.param({"pace": "recorded", "speed": "10"}, [1.0, 2.0], 0.4, id="recorded-ten-times-as-fast"),
        pytest.param({"pace": "recorded", "speed": "0"}, None, None, id="recorded-not-at-all"),
        pytest.param({"speed": "1"}, (10.0, 20.0), 4.0, id="speed-asks-for-the-recorded-pace"),
        pytest.param({"pace": "profile"}, None, None, id="a-chips-pace-is-not-a-recordings"),
    ],
)
def test_the_pace_of_exact_replays(
    flags: dict[str, str], at_ms: object, head_at_ms: float | None, tmp_path: Path
) -> None:
    """`--pace recorded` has the recorded times, `--speed` divides them, and by itself asks for them."""
    (tmp_path / "a.json").write_text(recorded("我是"), "utf-8")

    said = Served(tmp_path, **flags).said()

    assert isinstance(said, Plan)
    assert (said.at_ms, said.head_at_ms) == (at_ms, head_at_ms)


@pytest.mark.parametrize(
    ("flags", "at_ms"),
    [
        pytest.param({}, (), id="at-once-by-default"),
        pytest.param({"pace": "recorded"}, (10.0, 10.0, 20.0, 20.0), id="recorded"),
        pytest.param({"pace": "recorded", "speed": "10"}, (1.0, 1.0, 2.0, 2.0), id="recorded-ten-times-as-fast"),
    ],
)
def test_the_pace_of_regenerated_answers(flags: dict[str, str], at_ms: tuple[float, ...], tmp_path: Path) -> None:
    """What is said anew on another chip is said at the recorded times too."""
    (tmp_path / "a.json").write_text(recorded("我是"), "utf-8")

    said = Served(tmp_path, replay="regenerate", **flags).said("nvidia")

    assert isinstance(said, Answer)
    assert (said.text, said.at_ms) == ("我是", at_ms)


def test_recordings_come_change_and_go(tmp_path: Path) -> None:
    """A file that appears in a served folder answers, edited it answers anew, removed it does not, in any depth."""
    served = Served(tmp_path)
    path = tmp_path / "mt-infini-3b" / "chip3" / "a.json"

    before = served.said()
    path.parent.mkdir(parents=True)
    path.write_text(recorded("我是"), "utf-8")
    first, generation = served.said(), served.sources.generation()
    path.write_text(recorded("我不是"), "utf-8")
    second = served.said()
    again = served.sources.generation()
    path.unlink()
    after = served.said()

    assert before is None
    assert isinstance(first, Plan)
    assert isinstance(second, Plan)
    assert [len(first.frames), len(second.frames)] == [2, 3]
    assert again != generation
    assert after is None


@pytest.mark.parametrize("text", ["{", '{"response": {"status": 200}}', '{"response": 5}'], ids=["cut", "keys", "type"])
def test_a_recording_that_breaks_is_told_and_served_on(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At a strict start it stops the mock with its name; later one line names it, and its last good state answers."""
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(OperatorError, match=r"a\.json: "):
        Served(tmp_path)

    caplog.clear()
    path.write_text(recorded("我是"), "utf-8")
    served = Served(tmp_path)
    path.write_text(text)

    assert isinstance(served.said(), Plan)
    assert [record.getMessage().startswith(f"{path}: ") for record in caplog.records] == [True]


def test_recordings_stand_between_the_operators_fixtures_and_the_shipped_ones(tmp_path: Path) -> None:
    """What was recorded is served though the package has an answer of its own; what was written beside it wins."""
    served = Served(tmp_path)
    shipped = served.said(user="你是谁?")
    (tmp_path / "a.json").write_text(recorded("录", "你是谁?"), "utf-8")
    recording = served.said(user="你是谁?")
    (tmp_path / "mt-infini-3b" / "any").mkdir(parents=True)
    answer = {"match": {"user": "你是谁?"}, "answer": {"text": "我"}, "source": "a test"}
    (tmp_path / "mt-infini-3b" / "any" / "b.json").write_text(json.dumps(answer), "utf-8")
    written_one = served.said(user="你是谁?")

    assert [getattr(one, "source", None) for one in (shipped, recording, written_one)] == [
        "fixture:mt-infini-3b/any/who-are-you-streamed.json",
        "recording:a.json",
        "fixture:mt-infini-3b/any/b.json",
    ]

"""Folders with more files than can be read at once: an early start, looks beside the loop, answers read when asked."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Answer, Exchange, Plan, Request
from mockserver.files.exchange_file import Provenance, file_of, written
from mockserver.server.app import App
from mockserver.server.beside import beside
from mockserver.server.guard import Guard
from mockserver.settings import assemble
from mockserver.settings.config import Config
from mockserver.sources.recording_file import read_recording
from mockserver.sources.recordings import Recordings
from tests.fixture_helpers import NEW_YEAR_S, TWO, found, loaded, request, user, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.sources.source_order import Sources

WAIT_SECONDS = 10


class Served:
    """The sources of a folder on a clock of the test's; what is to be taken beside is kept."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.config = Config(fixtures=(folder,), **settings)
        self.now_s = float(NEW_YEAR_S)
        self.left: list[Iterator[None]] = []
        made = assemble.sources(self.config, assemble.edition_of(self.config), lambda: self.now_s)
        made._beside = self.left.append
        self.sources: Sources = made

    def said(self, text: str) -> str:
        """The source of the answer, a second later."""
        self.now_s += 1
        said = self.sources.answer(request(user(text), model="mt-infini-3b"))
        assert isinstance(said, Answer)
        return said.source


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step reads two files, or looks at five."""
    monkeypatch.setattr("mockserver.sources.fixtures.READ_A_STEP", 2)
    monkeypatch.setattr("mockserver.files.watch.FILES_A_STEP", 5)


def test_an_early_start_leaves_the_rest_and_a_late_file_may_be_the_most_special(tmp_path: Path) -> None:
    """After the steps that the start may take the others are left; what they read goes before what was read first."""
    for number in range(9):
        write(tmp_path, f"{number}.json", {"user": {"contains": "order"}})
    write(tmp_path, "z.json", {"user": "order 7", "system": "be brief"}, priority=1)
    served = Served(tmp_path)

    left = served.sources.begin(3)
    assert left is not None
    steps = sum(1 for _ in left)

    assert steps > 1
    asked = request({"role": "system", "content": "be brief"}, user("order 7"), model="mt-infini-3b")
    said = served.sources.answer(asked)
    assert isinstance(said, Answer)
    assert said.source == "fixture:z.json"


def test_a_strict_start_reads_all(tmp_path: Path) -> None:
    """One broken file among many keeps a strict mock from starting, however many steps it was given."""
    for number in range(9):
        write(tmp_path, f"{number}.json", {})
    (tmp_path / "z.json").write_text("{")

    with pytest.raises(OperatorError, match=r"z\.json: not a JSON file"):
        Served(tmp_path, strict=True).sources.begin(1)


def test_a_broken_file_is_told_before_anybody_asks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever takes the rest of an early start's steps has told each broken file, once."""
    for number in range(9):
        write(tmp_path, f"{number}.json", {})
    (tmp_path / "y.json").write_text("{")
    (tmp_path / "z.json").write_text('{"match": {}}')

    left = Served(tmp_path).sources.begin(1)
    for _ in left or ():
        pass

    assert [record.getMessage().rpartition("/")[2] for record in caplog.records] == [
        "y.json: not a JSON file: EOF while parsing an object at line 1 column 1",
        "z.json: give either answer or answers",
    ]


def test_a_long_look_is_taken_beside_and_requests_go_on(tmp_path: Path) -> None:
    """The request that finds it due takes one step; until the others are taken no second look begins."""
    write(tmp_path, "a.json", {"user": "a"})
    served = Served(tmp_path)
    served.sources.begin()
    for number in range(9):
        write(tmp_path, f"{number}.json", {"user": str(number)})

    before = [served.said(text) for text in "a88"]
    waiting = len(served.left)
    for _ in served.left.pop():
        pass

    assert before == ["fixture:a.json", "synthetic", "synthetic"]
    assert waiting == 1
    assert served.said("8") == "fixture:8.json"


def test_steps_beside_are_taken_in_a_thread_and_a_failure_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """What is done when they end says so also where one failed, and who waits for it cannot end it for others."""
    taken = []

    def steps() -> Iterator[None]:
        taken.append(1)
        yield
        raise ValueError("no")

    done = beside(steps())

    assert not done.cancel()
    assert done.result(WAIT_SECONDS) is None
    assert taken == [1]
    assert [record.getMessage() for record in caplog.records] == [
        "genstudio-mock failed while it read files; this is a bug"
    ]


async def chats(app: App, steps: Iterator[None], done: Future[None]) -> tuple[bool, int, int, list[Any]]:
    """Whether chats waited until the steps were taken, the status of another request meanwhile, and what they got."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        chat = partial(
            client.post, "/maas/late-model/late-chip/chat/completions", headers={"Authorization": "Bearer key"},
            json={"model": "late-model", "messages": [user("Who is late?")]},
        )  # fmt: skip
        waiting = [asyncio.create_task(chat()) for _ in range(3)]
        health = await client.get("/_mock/health")
        left = waiting.pop()
        left.cancel()  # a client that leaves takes nothing from the others
        waited = not any(one.done() for one in waiting)
        for _ in steps:
            pass
        done.set_result(None)
        answers = await asyncio.gather(*waiting)
        direct = await chat()
    return waited, health.status_code, direct.status_code, [one.json() for one in answers]


def test_a_chat_waits_until_all_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the answer that was read last, of a model and a chip that only this file names; the rest goes on."""
    for number in range(9):
        write(tmp_path, f"{number}.json", {})
    write(tmp_path, "z.json", {"user": "Who is late?", "model": "late-model", "chip": "late-chip"})
    left: list[Iterator[None]] = []
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()

    def kept(steps: Iterator[None]) -> Future[None]:
        left.append(steps)
        return done

    monkeypatch.setattr(assemble, "beside", kept)
    monkeypatch.setattr(assemble, "STEPS_AT_START", 1)
    monkeypatch.setattr("gc.freeze", lambda: None)
    mock = assemble.build(Config(fixtures=(tmp_path,)), early=True)

    waited, health, direct, answers = asyncio.run(chats(App(mock, Guard(None)), left[0], done))

    assert (waited, health, direct) == (True, 200, 200)
    assert [one["choices"][0]["message"]["content"] for one in answers] == ["z.json"] * 2
    assert "late-model" in mock.edition.models


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file's bytes are kept."""
    monkeypatch.setattr("mockserver.sources.fixtures.KEPT_BYTES", 0)


@pytest.mark.usefixtures("nothing_kept")
def test_what_is_not_kept_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    """An answer, and several one after the other, are the same as where all is kept."""
    write(tmp_path, "a.json", {"user": "a"})
    write(tmp_path, "b.json", {"user": "b"}, answers=TWO)
    fixtures = loaded(tmp_path)

    assert [one.data for one in fixtures] == [None, None]
    assert [found(fixtures, request(user(text))) for text in "abbb"] == ["a.json", "one", "two", "two"]


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("now", "says"),
    [
        pytest.param({"match": {"user": "a"}, "answer": {"text": "new"}}, "new", id="says something else"),
        pytest.param({"match": {"user": "b"}, "answer": {"text": "new"}}, "less special", id="fits no longer"),
        pytest.param({"match": 5}, "less special", id="broken"),
        pytest.param(None, "less special", id="gone"),
    ],
)
def test_what_is_not_kept_and_has_changed_counts_as_it_is_now(
    now: dict[str, Any] | None, says: str, tmp_path: Path
) -> None:
    """Before a look has seen that a file changed, what it holds now is said where that fits; else the next in order."""
    path = write(tmp_path, "a.json", {"user": "a"}, answer={"text": "old"})
    write(tmp_path, "b.json", {}, answer={"text": "less special"})
    fixtures = loaded(tmp_path)

    if now is None:
        path.unlink()
    else:
        write(tmp_path, "a.json", **now)

    assert found(fixtures, request(user("a"))) == says


@pytest.mark.parametrize(
    ("now", "source"),
    [
        pytest.param("Who are you?", "recording:a.json", id="as it was"),
        pytest.param("Who am I?", None, id="of another dialogue"),
        pytest.param("", None, id="broken"),
        pytest.param(None, None, id="gone"),
    ],
)
def test_a_recording_that_is_not_kept_is_read_when_it_is_played(
    now: str | None, source: str | None, tmp_path: Path
) -> None:
    """It is found by what was noted of it; where its file is another one by now, there is none."""
    path = tmp_path / "a.json"
    path.write_text(recorded("Who are you?"), "utf-8")
    made = read_recording(path)
    assert made is not None
    recordings = Recordings([made], most_whole=0)

    if now is None:
        path.unlink()
    else:
        path.write_text(recorded(now) if now else "{", "utf-8")
    found = recordings.find(made.request)

    assert (found and found.plan.source) == source
    assert (path in recordings, len(recordings), recordings.named()) == (True, 1, {("mt-infini-3b", "nvidia")})


def recorded(text: str) -> str:
    """The text of a file with a recorded answer to this."""
    body = json.dumps({"messages": [user(text)]}).encode()
    asked = Request("POST", "/maas/mt-infini-3b/nvidia/chat/completions", {}, body)
    exchange = Exchange(asked, Plan(200, (), (b"{}",), (0.0,)), 1)
    return written(file_of(exchange, Provenance(recorded_at="", tool="", body_sha256="")))

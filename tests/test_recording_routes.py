"""The three forms of a chat's path are alike: recorded, saved, replayed, said anew, compared, served as a stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from openai import OpenAI

from mockserver.cli import drift as drift_command
from mockserver.contract import fuzz, fuzz_files, library
from mockserver.contract.cases import Phase
from mockserver.contract.library import edition_of
from mockserver.contract.result import Budget
from mockserver.core.route import PATH_TEMPLATE, Route
from mockserver.files.exchange_file import read
from mockserver.settings.config import Config
from mockserver.testing.mock_server import MockServer
from tests.command import EDITIONS, ROOT, called
from tests.in_thread import WAIT_SECONDS
from tests.learning import MODEL, changed_chip, run
from tests.recording_helpers import LINES_HEAD, RawUpstream, Seen, ask, chat_body, chunked, recording_of
from tests.session_helpers import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ID = "mif-c7kxdnah6nu5lrpw"
FORMS = {"model-and-chip": Route(MODEL, "nvidia"), "by-body": Route(), "deployment": Route(deployment=ID)}
FOLDERS = dict(zip(FORMS.values(), (f"{MODEL}/nvidia", f"{MODEL}/any", f"{ID}/any"), strict=True))
KEY = ("Authorization: Bearer sk-any-key-will-do",)
WIRE = [b'data: {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n' % part.encode()
        for part in "录音"]  # fmt: skip
WIRE += ['data: {"choices": [{"index": 0, "delta": {"content": "机"}, "finish_reason": "stop"}]}\n\n'.encode()]
LIVE = [LINES_HEAD, *chunked(*WIRE)]

every_form = pytest.mark.parametrize("route", FORMS.values(), ids=FORMS)


def asked(model: str | None = MODEL, prompt: str = "录音在哪里?", *, stream: bool = True) -> bytes:
    """The body of a request that names a model; with None, of one that names none."""
    return chat_body(prompt, model=model, stream=stream)


def recorded(route: Route, root: Path, body: bytes | None = None) -> Path:
    """The file of one answer that was recorded from an upstream."""
    with RawUpstream(LIVE) as upstream, recording_of(upstream.url, root) as proxy:
        ask(proxy.port, route.path, asked() if body is None else body, KEY)
    [path] = proxy.files
    return path


def served(mock: MockServer, route: Route, body: bytes | None = None) -> Seen:
    """What a mock answers."""
    return ask(int(mock.url.rpartition(":")[2]), route.path, asked() if body is None else body, KEY)


@every_form
def test_what_is_recorded_is_replayed_to_the_byte(route: Route, tmp_path: Path) -> None:
    """It lies under the model or the deployment, and under `any` where the path names no chip."""
    path = recorded(route, tmp_path)

    with MockServer(fixtures=[tmp_path], strict=True) as mock:
        again, other = served(mock, route), served(mock, route, asked("infini-megrez-7b", "谁?"))

    assert path.parent.relative_to(tmp_path).as_posix() == FOLDERS[route]
    assert (again.status, again.chunks) == (200, WIRE)
    assert other.status == 404


def test_the_commands_record_and_replay_all_forms(tmp_path: Path) -> None:
    """`genstudio-mock record` and then `serve --fixtures --strict`, as processes; each form has its own answer."""
    live = {}
    with (
        MockServer() as upstream,
        running("record", "--base-url", upstream.url, "--output", "kept", at=tmp_path) as port,
    ):
        for route in FORMS.values():
            live[route] = ask(port, route.path, asked(), KEY)
    with running("serve", "--fixtures", "kept", "--strict", at=tmp_path) as port:
        again = {route: ask(port, route.path, asked(), KEY) for route in FORMS.values()}

    assert {one.status for one in live.values()} == {200}
    assert len({one.body for one in live.values()}) == len(FORMS)
    assert {route: one.chunks for route, one in again.items()} == {route: one.chunks for route, one in live.items()}


@contextmanager
def running(*words: str, at: Path) -> Iterator[int]:
    """A command as a process in a folder, until it is left; yields the port on which it listens."""
    file = at / f"{words[0]}.port"
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", *words, "--port", "0", "--port-file", str(file)],
        cwd=at, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield int(file.read_text())
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)


@every_form
@pytest.mark.parametrize(("chip", "start"), [("nvidia", b"data: {"), ("chip3", b"{")], ids=["events", "bare-lines"])
def test_what_is_recorded_is_said_anew_on_any_chip(route: Route, chip: str, start: bytes, tmp_path: Path) -> None:
    """`--replay regenerate`: the same words in the wire form of the chip that is asked; a deployment's, on its own."""
    recorded(route, tmp_path)
    target = route if route.deployment else Route(MODEL, chip)

    with MockServer(Config(port=0, fixtures=(tmp_path,), strict=True, replay="regenerate")) as mock:
        anew = served(mock, target)

    said = [json.loads(line.removeprefix(b"data: ")) for line in anew.body.split(b"\n") if b'"delta"' in line]
    assert anew.status == 200
    assert anew.body.startswith(b"data: {" if route.deployment else start)
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in said) == "录音机"


@every_form
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_what_a_session_saves_is_replayed_to_the_byte(route: Route, stream: bool, tmp_path: Path) -> None:
    """`Session.save` and `GET /_mock/exchanges/{number}/fixture` give the same file, with which a mock answers."""
    body = asked(stream=stream)
    with MockServer() as mock, mock.session("sk-any-key-will-do") as session:
        session.answer("一二三")
        before = served(mock, route, body)
        session.save(tmp_path / "one.json")
        got = httpx.get(f"{mock.url}/_mock/exchanges/1/fixture", headers={"authorization": KEY[0][15:]}, **PLAIN)
    with MockServer(fixtures=[tmp_path], strict=True) as mock:
        again = served(mock, route, body)

    assert called("validate", str(tmp_path))[0] == 0
    assert got.text == (tmp_path / "one.json").read_text("utf-8")
    assert (again.status, again.body) == (before.status, before.body)
    assert before.status == 200


# --- which recording answers ---------------------------------------------------------------------------------------

OTHER = Route(deployment="mif-another")
MEETINGS = {
    "first-chip-asked-by-body": (FORMS["model-and-chip"], Route(), MODEL, True),
    "by-body-asked-on-the-first-chip": (Route(), FORMS["model-and-chip"], MODEL, True),
    "by-body-asked-on-another-chip": (Route(), Route(MODEL, "chip3"), MODEL, False),
    "by-body-asked-for-another-model": (Route(), Route(), "infini-megrez-7b", False),
    "by-body-asked-of-a-deployment": (Route(), FORMS["deployment"], MODEL, False),
    "deployment-asked-by-another-name": (FORMS["deployment"], FORMS["deployment"], "whatever", True),
    "deployment-asked-by-no-name": (FORMS["deployment"], FORMS["deployment"], None, True),
    "deployment-asked-of-another": (FORMS["deployment"], OTHER, MODEL, False),
    "deployment-asked-by-body": (FORMS["deployment"], Route(), MODEL, False),
    "deployment-asked-on-the-first-chip": (FORMS["deployment"], FORMS["model-and-chip"], MODEL, False),
    "first-chip-asked-of-a-deployment": (FORMS["model-and-chip"], FORMS["deployment"], MODEL, False),
}


@pytest.mark.parametrize(("kept", "route", "model", "answered"), MEETINGS.values(), ids=MEETINGS)
def test_which_recording_answers(kept: Route, route: Route, model: str | None, answered: bool, tmp_path: Path) -> None:
    """A path without a chip means the edition's first chip; a deployment is its id, whatever the body's model."""
    recorded(kept, tmp_path)

    with MockServer(fixtures=[tmp_path], strict=True) as mock:
        seen = served(mock, route, asked(model))

    assert (seen.status, seen.chunks == WIRE) == ((200, True) if answered else (404, False))


def test_a_model_with_the_name_of_a_deployment_is_none(tmp_path: Path) -> None:
    """Whatever model a body named, a recording of a model's path does not answer a deployment."""
    recorded(FORMS["model-and-chip"], tmp_path, asked(ID))

    with MockServer(fixtures=[tmp_path], strict=True) as mock:
        assert served(mock, FORMS["deployment"], asked(ID)).status == 404


def test_a_paths_own_recording_goes_before_its_neighbours(tmp_path: Path) -> None:
    """Where both were recorded, each path has its own bytes, whichever was recorded last."""
    with MockServer() as upstream, recording_of(upstream.url, tmp_path) as proxy:
        live = {route: ask(proxy.port, route.path, asked(), KEY).body for route in FORMS.values()}
    with MockServer(fixtures=[tmp_path], strict=True) as mock:
        again = {route: served(mock, route).body for route in FORMS.values()}

    assert len(set(live.values())) == len(FORMS)
    assert again == live


def test_a_miss_names_the_deployment(tmp_path: Path) -> None:
    """The nearest recording is told with the id that differs, not with models that do not count."""
    path = recorded(FORMS["deployment"], tmp_path)

    with MockServer(fixtures=[tmp_path], strict=True) as mock:
        refused, elsewhere = served(mock, OTHER, asked("x")), served(mock, Route())

    nearest = f"no recording fits; nearest: {path.name}: deployment is '{ID}', asked"
    assert json.loads(refused.body)["msg"].startswith(f"{nearest} 'mif-another'; ")
    assert json.loads(elsewhere.body)["msg"].startswith(f"{nearest} null; ")


# --- the recorder --------------------------------------------------------------------------------------------------


@every_form
def test_the_recorder_replays_all_forms(route: Route, tmp_path: Path) -> None:
    """What is recorded is not asked again, and `--mode none` answers with it."""
    recorded(route, tmp_path)

    with RawUpstream(LIVE) as upstream, recording_of(upstream.url, tmp_path, "new-episodes") as proxy:
        known = ask(proxy.port, route.path, asked(), KEY)
    with recording_of("http://127.0.0.1:1", tmp_path, "none") as proxy:
        offline = ask(proxy.port, route.path, asked(), KEY)

    assert upstream.heard == []
    assert known.chunks == offline.chunks == WIRE


def test_the_recorder_keeps_the_forms_apart(tmp_path: Path) -> None:
    """Which chip answers where the path names none is the service's secret, so each path is asked for itself."""
    with RawUpstream(LIVE) as upstream, recording_of(upstream.url, tmp_path, "new-episodes") as proxy:
        for route in (*FORMS.values(), *FORMS.values()):
            ask(proxy.port, route.path, asked(), KEY)

    paths = [heard.split(b" ")[1].decode() for heard in upstream.heard]
    assert paths == [route.path for route in FORMS.values()]


@pytest.mark.parametrize(
    ("body", "folder"),
    [
        pytest.param(asked(), f"{MODEL}/any", id="model"),
        pytest.param(asked("Qwen/Qwen2"), "Qwen%2FQwen2/any", id="slash"),
        pytest.param(asked("../../up"), "%2E.%2F..%2Fup/any", id="dots"),
        pytest.param(asked(None), "any/any", id="null"),
        pytest.param(b'{"messages": []}', "any/any", id="absent"),
        pytest.param(b"[1", "any/any", id="no-json"),
    ],
)
def test_the_bodys_model_names_the_folder(body: bytes, folder: str, tmp_path: Path) -> None:
    """Whatever the body is, there is a file, and it lies in the folder that was given."""
    path = recorded(Route(), tmp_path, body)

    assert path.parent.relative_to(tmp_path).as_posix() == folder


NO_CHAT = (
    "kept is POST /maas/{model}/{chiptype}/chat/completions, /maas/v1/chat/completions, "
    "/maas/deployment/{mif-…}/chat/completions"
)


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        pytest.param("POST", "/maas/v1/embeddings", f"asks for no chat; {NO_CHAT}", id="embeddings"),
        pytest.param(
            "POST",
            "/v1/chat/completions",
            "names no model and chip; give the client the base URL /maas/<model>/<chip> of this recorder, and start it "
            "with --map '/maas/{model}/{chip}=/v1'",
            id="another-base",
        ),
        pytest.param("GET", "/maas/v1/models", f"asks for no chat; {NO_CHAT}", id="models"),
    ],
)
def test_what_is_no_chat_is_told(method: str, path: str, says: str, tmp_path: Path) -> None:
    """The answer passes through, and one line says that there is no file, why, and what to do."""
    with RawUpstream(LIVE) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        seen = ask(proxy.port, path, asked(), KEY, method)

    assert seen.chunks == WIRE
    assert proxy.files == []
    assert proxy.told == [f"passed through, not kept: {method} '{path}' {says}"]


# --- looking, converting, comparing, fuzzing -----------------------------------------------------------------------


@every_form
def test_files_are_shown_and_converted(route: Route, tmp_path: Path) -> None:
    """`fixtures list` names prompt and file, `show` the path, and a HAR or a cassette comes back to the same place."""
    path = recorded(route, tmp_path / "kept")
    name = path.relative_to(tmp_path / "kept").as_posix()

    listed, shown = called("fixtures", "list", str(tmp_path / "kept")), called("fixtures", "show", str(path))
    for suffix in ("har", "yaml"):
        called("fixtures", "convert", str(tmp_path / "kept"), str(tmp_path / f"one.{suffix}"))
        back = called("fixtures", "convert", str(tmp_path / f"one.{suffix}"), str(tmp_path / suffix))
        assert back == (0, f"{tmp_path / suffix / name}\n", "")
        assert read(tmp_path / suffix / name).request == read(path).request

    assert listed[1].splitlines()[1].endswith(f"录音在哪里? · {path}")
    assert shown[1].splitlines()[0] == f"POST {route.path}  录音在哪里?"


@every_form
@pytest.mark.parametrize("quirk", ["", "crlf"], ids=["as-declared", "drifted"])
def test_recordings_are_compared(route: Route, quirk: str, tmp_path: Path) -> None:
    """`drift --against` and `--fixtures`: where the path names no chip, the recording is of the edition's first one."""
    template = ("--path-template", route.path) if not route.chip else ()
    words = ("--model", MODEL, "--chip", "nvidia")
    with changed_chip("nvidia", quirk) as url:
        with recording_of(url, tmp_path) as proxy:
            for stream in (True, False):
                model = None if route.deployment else MODEL
                ask(proxy.port, route.path, asked(model, "hi", stream=stream), KEY)
        live = run(drift_command, "--base-url", url, *words, *template, "--fixtures", str(tmp_path))
        examples = run(drift_command, "--base-url", url, *words, *template)
    against = run(drift_command, *words, "--against", str(tmp_path))
    other = run(drift_command, "--model", MODEL, "--chip", "chip3", "--against", str(tmp_path))

    found = "1 difference" if quirk else "no drift"
    for (code, out, err), count in ((live, 2), (against, 2), (examples, 60)):
        assert out.splitlines()[0].startswith(f"nvidia: {found} in {count} exchanges"), err
        assert code == bool(quirk)
    assert "holds no recording of chip chip3" in other[2]


def test_a_path_without_a_model_is_asked_with_one_in_the_body(tmp_path: Path) -> None:
    """Recordings of a model's path need not name it in the body; of `/maas/v1` they cannot be asked so."""
    with changed_chip("nvidia", "crlf") as url:
        with recording_of(url, tmp_path) as proxy:
            ask(proxy.port, Route(MODEL, "nvidia").path, chat_body(), KEY)
        words = ("--base-url", url, "--model", MODEL, "--chip", "nvidia", "--path-template", Route().path)
        code, out, _ = run(drift_command, *words, "--fixtures", str(tmp_path))

    assert (code, out.splitlines()[0]) == (1, "nvidia: 1 difference in 1 exchange, 1 more observed")


def test_a_deployment_is_compared_though_no_model_was_named(tmp_path: Path) -> None:
    """An edition that demands a model in the body does not demand it of a deployment: no status drifted."""
    with MockServer(edition="2025-reference") as upstream, recording_of(upstream.url, tmp_path) as proxy:
        live = ask(proxy.port, FORMS["deployment"].path, chat_body(), KEY)
    words = ("--model", MODEL, "--chip", "nvidia", "--edition", "2025-reference", "--against", str(tmp_path))
    code, out, _ = run(drift_command, *words)

    assert live.status == 200
    assert (code, out.splitlines()[0].partition(";")[0]) == (0, "nvidia: no drift in 1 exchange"), out


@pytest.mark.parametrize("path", [PATH_TEMPLATE, Route().path, FORMS["deployment"].path], ids=FORMS)
@pytest.mark.parametrize("edition", EDITIONS)
def test_the_contract_holds_for_any_form(path: str, edition: str) -> None:
    """A deployment answers to any model's name, so no refusal is due for one."""
    with MockServer(edition=edition) as mock:
        target = library.Target(mock.url, mock.edition.models[0], mock.edition.chips[0], edition, path_template=path)
        result = library.check(target, budget=Budget(requests=60), phases=[Phase.EXAMPLES, Phase.BROKEN])

    assert [(one.clause.id, one.case.name, one.evidence) for one in result.findings] == []


@every_form
def test_any_form_is_fuzzed_and_served_as_a_stream(route: Route, tmp_path: Path) -> None:
    """A client's base URL has the form that is asked, when it is fuzzed and when what was found is served again."""
    bases: list[str] = []

    def client(base_url: str) -> str:
        bases.append(httpx.URL(base_url).path)
        with OpenAI(base_url=base_url, api_key="k", max_retries=0) as sdk:
            chunks = sdk.chat.completions.create(model="any", messages=[{"role": "user", "content": "hi"}], stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    failure = fuzz.find_bug(client, edition_of("2024-tutorial").chips["chip3"].wire, path=route.path)
    assert failure is not None
    path = fuzz_files.save(failure, tmp_path, "def read(base_url): ...")[0]
    with fuzz.serving(fuzz.load(path)) as base_url:
        problem = fuzz.difference(client(base_url), fuzz.truth_of(failure.stream))

    assert set(bases) == {route.base}
    assert problem.startswith("silent: the client read nothing")


def test_a_recording_of_any_name_is_served_as_a_stream(tmp_path: Path) -> None:
    """The base URL of a stream can be sent, whatever characters its recording's names have."""
    path = recorded(Route("模型", "chip 3"), tmp_path)

    with fuzz.serving(fuzz.load(path)) as base_url:
        answer = httpx.post(f"{base_url}/chat/completions", **PLAIN)

    assert base_url.endswith("/maas/%E6%A8%A1%E5%9E%8B/chip%203")
    assert answer.content == b"".join(WIRE)

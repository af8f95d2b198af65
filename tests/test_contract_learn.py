"""A profile is learnt from what a target does, holds for it and for the mock, and drift from it is told."""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import subprocess
import tomllib
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockserver import quirks
from mockserver.contract import command_drift, command_learn, drift, learn, library, rehearsal
from mockserver.contract.checks_wire import WIRE_CHECKS
from mockserver.contract.client import Address, HttpTransport
from mockserver.contract.dialect import alike
from mockserver.contract.library import Target
from mockserver.contract.result import Budget, Clock
from mockserver.contract.runner import Runner
from mockserver.contract.verdict import Severity
from mockserver.data import shipped
from mockserver.exchange import Exchange, Plan, Request
from mockserver.exchange_file import Provenance, file_of, read
from mockserver.profile import ChipFile, Edition, load_edition, read_toml
from mockserver.recording.store import Store
from tests.conftest import EDITIONS
from tests.contract_live import Quiet, serving, serving_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.profile import ChipProfile

MODEL = "mt-infini-3b"


@cache
def tutorial() -> Edition:
    """The default edition."""
    return load_edition("2024-tutorial", [shipped("profiles")])


def run(which: Any, *words: str) -> tuple[int, str, str]:
    """A command with its arguments; exit code, output and errors."""
    parser = argparse.ArgumentParser()
    which.add_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    code = which.main(parser.parse_args(words), {}, out, err)
    return code, out.getvalue(), err.getvalue()


class OtherServer(Quiet):
    """A server that is not ours: OpenAI's form of 2026 as many gateways write it, in one way after another its own."""

    def do_POST(self) -> None:  # noqa: N802 - the base class calls it
        """Answer a chat request."""
        try:
            asked = json.loads(self.request_body())
            assert isinstance(asked["messages"], list)
        except (ValueError, KeyError, TypeError, AssertionError):
            self.answer(400, {"error": {"message": "bad request", "type": "invalid_request_error"}})
            return
        pieces = ["你好", "，", "世界", "！", " How", " are", " you", "?"][: asked.get("max_tokens") or 8]
        usage = {"prompt_tokens": 9, "completion_tokens": len(pieces), "total_tokens": 9 + len(pieces)}
        head = {"id": "chatcmpl-0123456789abcdef0123456789abcdef", "created": 1_700_000_000, "model": asked["model"]}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "".join(pieces)}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            self.answer(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
        deltas += [({"content": piece}, None) for piece in pieces] + [({}, "stop")]
        for delta, finish in deltas:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            self.event({**head, "object": "chat.completion.chunk", "choices": [choice]})
        if (asked.get("stream_options") or {}).get("include_usage"):
            self.event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self.send_chunk(b"data: [DONE]\n\n")
        self.send_chunk(b"")

    def event(self, chunk: dict[str, Any]) -> None:
        """One event, as a compact JSON text in ASCII."""
        self.send_chunk(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")

    def answer(self, status: int, document: dict[str, Any]) -> None:
        """One JSON body."""
        data = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
def test_learning_from_the_mock_gives_its_own_profile_back(chip: str, tmp_path: Path) -> None:
    """What is learnt of a shipped chip makes the same bytes as its shipped profile."""
    with serving(tutorial()) as url:
        code, out, _ = run(
            command_learn, "--base-url", url, "--model", MODEL, "--chip", chip, "--output", str(tmp_path)
        )

    assert code == 0, out
    again = load_edition("2024-tutorial", [tmp_path, shipped("profiles")]).chips[chip]
    assert alike(again.wire, tutorial().chips[chip].wire)
    assert "checked: the mock with this profile keeps its contract" in out


def test_another_server_is_learnt_and_then_holds(tmp_path: Path) -> None:
    """A server that is not ours breaks the edition's clauses; under its learnt profile no wire clause is broken."""
    words = ["--model", MODEL, "--chip", "other", "--path-template", "/v1/chat/completions"]
    with serving_with(OtherServer) as url:
        code, out, _ = run(command_learn, "--base-url", url, *words, "--output", str(tmp_path))
        edition = load_edition("2024-tutorial", [tmp_path, shipped("profiles")])
        target = Target(url, MODEL, "other", edition, path_template="/v1/chat/completions")
        after = library.check(target, budget=Budget(requests=60))
        before = library.check(replace(target, chip="nvidia"), budget=Budget(requests=60))

    wire = {check.id for check in WIRE_CHECKS}
    assert code == 0, out
    assert {"frame-content-type", "frame-escapes", "chunk-logprobs", "head-id-form"} <= {
        one.clause.id for one in before.findings
    }
    assert [one.evidence for one in after.findings if one.clause.id in wire] == []
    learnt = {claim.name for claim in edition.chips["other"].claims if claim.claim == "observed"}
    assert {"type-event-stream", "json-compact", "ascii-escapes", "usage-on-request", "usage-chunk"} <= learnt
    assert {
        "body-spaced",
        "body-utf8-text",
        "id-chatcmpl-hex",
        "logprobs-null",
        "no-trace-header",
        "no-request-id",
        "role-with-content",
    } <= learnt
    result = learn.rehearse(edition, edition.chips["other"], MODEL)
    assert [one.evidence for one in result.findings] == []


def test_each_learnt_quirk_names_its_proof_its_date_and_how_sure_it_is(tmp_path: Path) -> None:
    """The profile is TOML whose sources name a probe, a date and a count; the latency has its quantiles."""
    with serving(tutorial()) as url:
        run(command_learn, "--base-url", url, "--model", MODEL, "--chip", "chip3", "--output", str(tmp_path))

    text = (tmp_path / "2024-tutorial" / "chip3.toml").read_text()
    file = tomllib.loads(text)
    sources = {quirk["name"]: quirk["source"] for quirk in file["quirks"]}
    assert re.fullmatch(
        r"chip3-probes/02-single-turn-streamed\.json, 20..-..-..; 16 of 16 exchanges show it, confidence 94%",
        sources["json-lines"],
    )
    proof = read(tmp_path / "2024-tutorial" / sources["json-lines"].partition(",")[0])
    assert proof.provenance.origin == "learn"
    assert proof.request.path == f"/maas/{MODEL}/chip3/chat/completions"
    assert "# these follow from them, and change no byte more: no-done, type-json\n" in text
    assert "TTFT p50" in file["latency"]["source"]
    assert "ITL p50" in file["latency"]["source"]


def test_learning_is_taken_up_again(tmp_path: Path) -> None:
    """A run that stopped midway keeps its answers, and the next one sends only what is left; a finished one is asked
    anew, and so is what was asked otherwise.
    """  # noqa: D205 - one sentence
    words = ["--model", MODEL, "--chip", "nvidia", "--output", str(tmp_path)]
    with serving(tutorial()) as url:
        _, _, first = run(command_learn, "--base-url", url, *words, "--requests", "4")
        _, _, second = run(command_learn, "--base-url", url, *words, "--tokens", "9000")
        _, _, third = run(command_learn, "--base-url", url, *words, "--tokens", "9000")
        next(tmp_path.rglob("05-*.json")).unlink()
        _, _, fourth = run(command_learn, "--base-url", url, *words, "--tokens", "9000", "--max-tokens", "30")

    assert "23 probes left out: the budget does not reach; run it again\n" in first
    assert second.count("kept from") == 4
    assert "left out" not in second
    assert third.count("kept from") == 0
    assert fourth.count("kept from") == 0


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    """The probes are printed, about thirty of them, and nothing is written."""
    code, out, _ = run(command_learn, "--base-url", "http://127.0.0.1:9", "--model", MODEL, "--chip", "chip3",
                       "--output", str(tmp_path), "--dry-run")  # fmt: skip

    assert code == 0
    assert 25 <= len(out.splitlines()) <= 35
    assert out.splitlines()[-1].endswith("probes, none sent; at most 60 requests are allowed")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_answers_nothing_is_no_profile(tmp_path: Path) -> None:
    """Refusals alone teach nothing, and no profile is written."""
    with serving(tutorial()) as url:
        code, _, err = run(command_learn, "--base-url", url, "--model", "no-such", "--chip", "chip3", "--output",
                           str(tmp_path), "--path-template", "/nowhere")  # fmt: skip

    assert code == 3
    assert "does not serve this (status 404" in err
    assert not list(tmp_path.rglob("*.toml"))


def test_latency_is_measured_from_the_pieces() -> None:
    """Time to first token and between tokens are the medians of what came."""
    body = [b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'] * 4
    plan = Plan(200, ((b"content-type", b"text/event-stream"),), body, [100.0, 110.0, 120.0, 150.0])
    exchange = Exchange(Request("POST", "/", {}, b'{"stream": true}'), plan, frames_sent=4)

    latency = learn.latency_of([exchange], "2026-11-22")

    assert (latency.first_token_ms, latency.inter_token_ms) == (100.0, 10.0)
    assert latency.source == (
        "1 stream, 2026-11-22: TTFT p50 100.0, p90 100.0, p99 100.0 ms; ITL p50 10.0, p90 26.0, p99 29.6 ms"
    )


def test_no_drift_is_exit_code_0(tmp_path: Path) -> None:
    """A target that is as its profile says has no drift, live or recorded."""
    words = ["--model", MODEL, "--chip", "chip3"]
    with serving(tutorial()) as url:
        run(command_learn, "--base-url", url, *words, "--output", str(tmp_path))
        live = run(command_drift, "--base-url", url, *words)
    recorded = run(command_drift, *words, "--against", str(tmp_path / "2024-tutorial" / "chip3-probes"))

    assert (live[0], live[1].splitlines()[0]) == (0, "chip3: no drift in 33 exchanges; only observed:")
    assert (recorded[0], recorded[1].splitlines()[0]) == (0, "chip3: no drift in 27 exchanges; only observed:")
    assert {line.split()[-1] for line in live[1].splitlines()[2:]} == {"observed"}


@contextmanager
def changed_chip(name: str, text: str) -> Iterator[str]:
    """A mock of the tutorial whose chip differs from its profile; yields its base URL."""
    chip = tutorial().chips[name]
    with serving(rehearsal.with_chip(tutorial(), replace(chip, wire=quirks.changed(chip.wire, text)))) as url:
        yield url


PROGRAMS = {"patch": ["patch", "-p1", "-i"], "git": ["git", "apply"]}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "last_line", ["\n", "# the end, with U+2028 \u2028 in it"], ids=["whole", "no newline at the end"]
)
def test_drift_is_a_table_and_a_patch(
    program: str, last_line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chip that speaks events now is told field by field, and the patch makes its profile right again."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine" / "2024-tutorial" / "chip3.toml"
    path.parent.mkdir(parents=True)
    before = "# kept\n" + (shipped("profiles") / "2024-tutorial" / "chip3.toml").read_text("utf-8") + last_line
    path.write_text(before, "utf-8")
    words = ["--model", MODEL, "--chip", "chip3", "--profiles", "mine"]
    with changed_chip("chip3", "sse,done,type-event-stream,-object-last") as url:
        code, out, _ = run(command_drift, "--base-url", url, *words, "--patch", "drift.patch", "--output", "whole")
        subprocess.run([*PROGRAMS[program], "drift.patch"], check=True, capture_output=True)
        again = run(command_drift, "--base-url", url, *words, "--patch", "none.patch")
        whole = run(command_drift, "--base-url", url, *words[:4], "--profiles", "whole")

    assert code == 1
    assert out.splitlines()[0].startswith("chip3: 4 differences in 33 exchanges")
    assert out.splitlines()[1].split() == ["field", "mock", "live", "severity"]
    assert any(line.split() == ["frame-framing", "json-lines", "sse", "must"] for line in out.splitlines())
    assert '-name = "json-lines"\n' in out
    assert (again[0], "@@" in again[1]) == (0, False), again[1]
    assert (whole[0], "@@" in whole[1]) == (0, False), whole[1]
    assert path.read_text("utf-8").startswith("# kept\n")
    assert path.read_text("utf-8").endswith(last_line)
    assert not (tmp_path / "none.patch").exists()


def test_recordings_are_compared(tmp_path: Path) -> None:
    """What `record` wrote is compared as it lies, and its requests can be asked of a live target."""
    with changed_chip("chip3", "blank-line-between") as url:
        _record(url, tmp_path / "fixtures", "chip3")
        words = ["--model", MODEL, "--chip", "chip3"]
        live = run(command_drift, "--base-url", url, *words, "--fixtures", str(tmp_path / "fixtures"))
    recorded = run(command_drift, *words, "--against", str(tmp_path / "fixtures"))
    other = run(command_drift, "--model", MODEL, "--chip", "nvidia", "--against", str(tmp_path / "fixtures"))

    for code, out, _ in (live, recorded):
        assert code == 1
        assert out.splitlines()[0] == "chip3: 1 difference in 2 exchanges"
        assert "frame-lines-apart  line-after-line" in out
    assert other[:2] == (2, "")
    assert other[2] == (
        f"genstudio-mock: --against {tmp_path / 'fixtures'}: holds no recording of chip nvidia; "
        "genstudio-mock record and learn make some\n"
    )


def _record(url: str, folder: Path, chip: str) -> None:
    """Two questions, asked of a target and kept as the recorder keeps them; a written answer lies beside them."""
    send = HttpTransport(Address(url), "sk-test", lambda: 0.0)
    provenance = Provenance(recorded_at="2026-11-22T00:00:00Z", tool="test", body_sha256="")
    for stream in (True, False):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        path = f"/maas/{MODEL}/{chip}/chat/completions"
        headers = {b"content-type": b"application/json", b"authorization": b"Bearer sk-test"}
        Store(folder).save(file_of(send(Request("POST", path, headers, json.dumps(body).encode())), provenance))
    (folder / MODEL / chip / "written.json").write_text('{"answer": {"content": "hi"}}')


def test_drift_as_json() -> None:
    """With --report json the rows, how many exchanges were compared and the patch are one document."""
    with changed_chip("chip3", "crlf") as url:
        code, out, _ = run(command_drift, "--base-url", url, "--model", MODEL, "--chip", "nvidia,chip3",
                           "--report", "json")  # fmt: skip

    found = {one["chip"]: one for one in json.loads(out)}
    row = {"field": "frame-newline", "mock": "lf", "live": "crlf", "severity": "should"}
    assert code == 1
    assert row in found["chip3"]["rows"]
    assert found["chip3"]["patch"].startswith("--- a/profiles/2024-tutorial/chip3.toml\n")
    assert found["nvidia"]["patch"] == ""
    assert found["nvidia"]["exchanges"] == 33


@pytest.mark.parametrize(
    ("first_ms", "every_ms", "rows"),
    [
        (450.0, 42.0, []),
        (520.0, 60.0, []),
        (1500.0, 42.0, [("TTFT", "medium (450 ms)", "slow (1500 ms)")]),
        (450.0, 5.0, [("ITL", "fast (42 ms)", "instant (5 ms)")]),
    ],
)
def test_the_timing_class_is_compared(first_ms: float, every_ms: float, rows: list[tuple[str, str, str]]) -> None:
    """Times are compared by class, so that noise is no drift; another class is told and does not count."""
    chip = tutorial().chips["chip3"]
    exchange = ask(tutorial(), chip)["02-single-turn-streamed"]
    assert exchange.plan is not None
    times = [first_ms + every_ms * number for number in range(len(exchange.plan.frames))]
    paced = replace(exchange, plan=replace(exchange.plan, at_ms=times))

    found = drift.compare(chip, [("one", exchange, paced)])

    assert [(row.field, row.mock, row.live) for row in found] == rows
    assert {row.severity for row in found} <= {Severity.OBSERVED}


def ask(edition: Edition, chip: ChipProfile) -> dict[str, Exchange]:
    """What a mock in this process answers to the probes."""
    made = rehearsal.service(rehearsal.with_chip(edition, chip))
    send = rehearsal.transport(made, edition.file.defaults.created * 1000)
    model = next(iter(edition.models))
    runner = Runner(send, edition, chip, model, clock=Clock(lambda: 0.0, lambda _s: None))
    asked = {name: case for name, case in learn.probes(edition, model).items() if "-again-" not in name}
    return {name: send(runner.request(case)) for name, case in asked.items()}


def sent(exchanges: dict[str, Exchange]) -> dict[str, tuple[object, list[bytes]]]:
    """Headers and bytes of exchanges."""
    return {n: (one.plan.headers, list(one.plan.frames)) for n, one in exchanges.items() if one.plan is not None}


quirk_sets = st.lists(st.sampled_from(list(quirks.QUIRKS)), max_size=8, unique=True).map(
    lambda names: [one for one in names if one != "blocked-text-emptied" or "blocked-no-usage" not in names]
)
"""Names of quirks; without usage nothing tells whether a blocked body was emptied, or was empty."""
few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(st.sampled_from(EDITIONS), quirk_sets)
def test_what_is_learnt_of_any_quirks_makes_the_same_bytes(name: str, names: list[str]) -> None:
    """Whatever quirks a chip has, the mock with the learnt profile sends what it sends, and learns the same again."""
    edition = library.edition_of(name)
    unknown = learn.blank(edition, "new")
    chip = replace(unknown, wire=reduce(quirks.changed, names, unknown.wire))
    seen = ask(edition, chip)
    found = learn.learned(edition, MODEL, "new", seen, "2026-11-22").file
    wire = reduce(quirks.changed, (claim.name for claim in found.quirks), unknown.wire)
    again = ask(edition, replace(unknown, wire=wire))

    assert sent(again) == sent(seen)
    assert learn.learned(edition, MODEL, "new", again, "2026-11-22").file.quirks == found.quirks


@pytest.mark.parametrize("name", EDITIONS)
def test_every_shipped_chip_is_learnt_back(name: str) -> None:
    """Of each chip of both editions the learnt profile makes the same bytes as the shipped one."""
    edition = library.edition_of(name)
    base = learn.blank(edition, "x").wire
    for chip in edition.chips.values():
        found = learn.learned(edition, MODEL, chip.name, ask(edition, chip), "2026-11-22")
        wire = reduce(quirks.changed, (claim.name for claim in found.file.quirks), base)
        declared = {quirk.name for quirk in quirks.deviations(chip.wire)} - {q.name for q in quirks.deviations(base)}

        assert alike(wire, chip.wire), chip.name
        assert declared == {claim.name for claim in found.file.quirks} | set(found.implied), chip.name
        assert found.notes == (), chip.name


@few
@given(st.sampled_from(EDITIONS), st.sampled_from(["nvidia", "chip3"]), quirk_sets)
def test_a_patched_profile_has_no_drift(name: str, chip_name: str, names: list[str]) -> None:
    """Whatever quirks a chip took on, the patched file says what the patch says, and drift finds nothing more."""
    edition = library.edition_of(name)
    chip = edition.chips[chip_name]
    live = ask(edition, replace(chip, wire=reduce(quirks.changed, names, chip.wire)))
    path = shipped("profiles") / name / f"{chip_name}.toml"

    after = drift.patched(read_toml(path, ChipFile), chip, live, "now")
    text = drift.edited(path.read_text("utf-8"), after)
    wire = reduce(quirks.changed, (one.name for one in (*edition.file.quirks, *after.quirks)), quirks.STANDARD)
    patched = replace(chip, claims=after.quirks, wire=wire)
    mine = ask(edition, patched)
    rows = drift.compare(patched, [(one, mine[one], live[one]) for one in live])

    assert ChipFile.model_validate(tomllib.loads(text)) == after
    assert [row for row in rows if row.severity is not Severity.OBSERVED] == []


def test_drift_of_the_schema_is_told() -> None:
    """A field that is gone and one that is new are rows of the table."""
    with serving_with(OtherServer) as url:
        code, out, _ = run(command_drift, "--base-url", url, "--model", MODEL, "--chip", "nvidia",
                           "--path-template", "/v1/chat/completions")  # fmt: skip

    rows = [line.split() for line in out.splitlines()]
    assert code == 1
    assert ["choices[].logprobs", "absent", "null", "should"] in rows


def test_wrong_usage_of_drift_is_one_line() -> None:
    """Neither a live target nor recordings: the line says what to give."""
    code, out, err = run(command_drift, "--model", MODEL, "--chip", "chip3")

    assert (code, out) == (2, "")
    assert err == "genstudio-mock: drift: nothing to compare with; say --base-url URL or --against DIR\n"

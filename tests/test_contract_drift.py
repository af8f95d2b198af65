"""Drift from a profile is told, field by field, and its patch makes the profile right again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.cli import drift as drift_command
from mockserver.cli import learn as learn_command
from mockserver.contract import drift, library
from mockserver.contract.clauses.clause import Context, Severity
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.core.checking import checks
from mockserver.core.data import shipped
from mockserver.core.exchange import Request
from mockserver.files.checked import read_toml
from mockserver.files.exchange_file import Provenance, file_of
from mockserver.profile import quirks
from mockserver.profile.edition_file import ChipFile
from mockserver.recording.store import Store
from tests.conftest import EDITIONS
from tests.contract_live import serving, serving_with
from tests.learning import MODEL, TUTORIAL, OtherServer, ask, changed_chip, few, quirk_sets, run

if TYPE_CHECKING:
    from pathlib import Path


def test_no_drift_is_exit_code_0(tmp_path: Path) -> None:
    """A target that is as its profile says has no drift, live or recorded."""
    words = ["--model", MODEL, "--chip", "chip3"]
    with serving(TUTORIAL) as url:
        run(learn_command, "--base-url", url, *words, "--output", str(tmp_path))
        live = run(drift_command, "--base-url", url, *words)
    recorded = run(drift_command, *words, "--against", str(tmp_path / "2024-tutorial" / "chip3-probes"))

    assert (live[0], live[1].splitlines()[0]) == (0, "chip3: no drift in 60 exchanges; only observed:")
    assert (recorded[0], recorded[1].splitlines()[0]) == (0, "chip3: no drift in 27 exchanges; only observed:")
    rows = [line for line in live[1].splitlines()[2:] if ": note: " not in line]
    assert {line.split()[-1] for line in rows} == {"observed"}


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
        code, out, _ = run(drift_command, "--base-url", url, *words, "--patch", "drift.patch", "--output", "whole")
        subprocess.run([*PROGRAMS[program], "drift.patch"], check=True, capture_output=True)
        again = run(drift_command, "--base-url", url, *words, "--patch", "none.patch")
        whole = run(drift_command, "--base-url", url, *words[:4], "--profiles", "whole")

    assert code == 1
    shown = [line.split()[-1] for line in out.splitlines()[2:] if line.endswith((" must", " should", " observed"))]
    more = f", {shown.count('observed')} more observed" if "observed" in shown else ""
    assert out.splitlines()[0] == f"chip3: 5 differences in 60 exchanges{more}"
    assert len(shown) == 5 + shown.count("observed")
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
        live = run(drift_command, "--base-url", url, *words, "--fixtures", str(tmp_path / "fixtures"))
    recorded = run(drift_command, *words, "--against", str(tmp_path / "fixtures"))
    other = run(drift_command, "--model", MODEL, "--chip", "nvidia", "--against", str(tmp_path / "fixtures"))

    for code, out, _ in (live, recorded):
        assert code == 1
        assert re.fullmatch(r"chip3: 1 difference in 2 exchanges(, \d more observed)?", out.splitlines()[0])
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
        code, out, _ = run(drift_command, "--base-url", url, "--model", MODEL, "--chip", "nvidia,chip3",
                           "--report", "json")  # fmt: skip

    found = {one["chip"]: one for one in json.loads(out)}
    row = {"field": "frame-newline", "mock": "lf", "live": "crlf", "severity": "should"}
    assert code == 1
    assert row in found["chip3"]["rows"]
    assert found["chip3"]["patch"].startswith("--- a/profiles/2024-tutorial/chip3.toml\n")
    assert found["nvidia"]["patch"] == ""
    assert found["nvidia"]["exchanges"] == 60


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
    chip = TUTORIAL.chips["chip3"]
    exchange = ask(TUTORIAL, chip)["02-single-turn-streamed"]
    assert exchange.plan is not None
    times = [first_ms + every_ms * number for number in range(len(exchange.plan.frames))]
    paced = replace(exchange, plan=replace(exchange.plan, at_ms=times))

    found = drift.compare(Context(TUTORIAL, chip, MODEL), [("one", exchange, paced)])

    assert [(row.field, row.mock, row.live) for row in found] == rows
    assert {row.severity for row in found} <= {Severity.OBSERVED}


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
    rows = drift.compare(Context(edition, patched, MODEL), [(one, mine[one], live[one]) for one in live])

    assert checks(ChipFile).validate_python(tomllib.loads(text)) == after
    assert [row for row in rows if row.severity is not Severity.OBSERVED] == []


def test_drift_of_the_schema_is_told() -> None:
    """A field that is gone and one that is new are rows of the table."""
    with serving_with(OtherServer) as url:
        code, out, _ = run(drift_command, "--base-url", url, "--model", MODEL, "--chip", "nvidia",
                           "--path-template", "/v1/chat/completions")  # fmt: skip

    rows = [line.split() for line in out.splitlines()]
    assert code == 1
    assert ["choices[].logprobs", "absent", "null", "should"] in rows


def test_a_model_that_no_catalogue_has_is_no_drift(tmp_path: Path) -> None:
    """Another server's model is answered by the mock too; what drift asks beyond learn, its files then say."""
    words = ["--model", "somebody/own-7b", "--chip", "other", "--path-template", "/v1/chat/completions"]
    all_of_it = ["--requests", "200", "--tokens", "100000"]
    learnt, whole = ["--profiles", str(tmp_path / "learnt")], ["--profiles", str(tmp_path / "whole")]
    with serving_with(OtherServer) as url:
        first = run(learn_command, "--base-url", url, *words, "--output", learnt[1])
        asked = ["--base-url", url, *words, *all_of_it]
        run(drift_command, *asked, *learnt, "--output", whole[1])
        run(drift_command, *asked, *whole, *learnt, "--output", whole[1])  # what takes "1" for 1 may take all else too
        code, out, _ = run(drift_command, *asked, *whole, *learnt, "--report", "json")

    (report,) = json.loads(out)
    assert (first[0], code, report["patch"]) == (0, 1, "")
    assert {row["field"] for row in report["rows"] if row["severity"] == "must"} == {
        'status: stream: "?"',  # it streams what is no true, which no rule of an edition says
        "status: a giant body",
    }


def test_wrong_usage_of_drift_is_one_line() -> None:
    """Neither a live target nor recordings: the line says what to give."""
    code, out, err = run(drift_command, "--model", MODEL, "--chip", "chip3")

    assert (code, out) == (2, "")
    assert err == "genstudio-mock: drift: nothing to compare with; say --base-url URL or --against DIR\n"

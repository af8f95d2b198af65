"""The command `contract` over a real socket: exit codes, reports, replay, and a key that is never shown."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mockserver.cli import contract as contract_command
from mockserver.contract import in_process, library
from mockserver.contract.cases import Phase
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.contract.library import Target, assert_clause
from mockserver.contract.politeness import no_target
from mockserver.contract.result import Budget, Clock
from mockserver.contract.runner import Runner
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.profile import quirks
from mockserver.sources import recordings
from tests.command import called
from tests.conftest import load
from tests.contract_live import KEY, Quiet, serving, serving_with
from tests.lean_pytest import LEAN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TUTORIAL = load("2024-tutorial")


@pytest.fixture(scope="module")
def honest() -> Iterator[str]:
    """A mock that keeps its contract."""
    with serving(TUTORIAL) as url:
        yield url


@pytest.fixture(scope="module")
def deviant() -> Iterator[str]:
    """A mock whose chip3 speaks events and whose nvidia lacks the done marker, against all claims."""
    edition = TUTORIAL
    for chip, words in (("chip3", "sse,done,type-fitting"), ("nvidia", "no-done")):
        profile = edition.chips[chip]
        edition = in_process.with_chip(edition, replace(profile, wire=quirks.changed(profile.wire, words)))
    with serving(edition) as url:
        yield url


def run(*words: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    """The command with its arguments; exit code, output and errors."""
    parser = argparse.ArgumentParser()
    contract_command.add_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    code = contract_command.main(parser.parse_args(words), environ or {}, out, err)
    return code, out.getvalue(), err.getvalue()


def asked(url: str, chip: str = "nvidia") -> list[str]:
    """The arguments that every run needs."""
    return ["--base-url", url, "--model", "mt-infini-3b", "--chip", chip]


def test_a_mock_keeps_its_contract(honest: str) -> None:
    """Exit code 0, a matrix of clause by chip, and progress on standard error while it runs."""
    code, out, err = run(*asked(honest, "nvidia,chip3"), "--requests", "75", "--tokens", "9000")

    assert (code, "BROKEN" in out) == (0, False), out
    assert out.splitlines()[0].split() == ["clause", "nvidia", "chip3"]
    assert "The contract holds" in out
    assert "nvidia 1/75 examples: single turn: ok" in err


def test_the_default_budget_reaches_every_phase(honest: str) -> None:
    """60 requests are enough for a piece of each phase, and are never passed."""
    result = library.check(Target(honest, "mt-infini-3b", "chip3", TUTORIAL))

    phases = [case.phase.value for case, _ in result.exchanges]
    assert list(dict.fromkeys(phases)) == ["examples", "one rule broken", "generated", "dialogue"]
    assert len(phases) <= Budget().requests
    assert result.findings == []


def test_deviations_fail_both_ways(deviant: str) -> None:
    """An undeclared deviation breaks the contract, and so does a declared one that is gone."""
    code, out, _ = run(*asked(deviant, "nvidia,chip3"), "--quiet")

    assert code == 1
    assert "undeclared: declared done, seen no-done" in out
    assert "gone: declared json-lines, seen sse" in out
    assert "chip3: the declared json-lines is gone: A stream is data-only server-sent events." in out


def test_each_failure_has_a_curl_line_a_test_and_a_file(deviant: str, tmp_path: Path) -> None:
    """The curl line shows the fault, the test fails by it, and the file is judged again with and without the target."""
    code, _, _ = run(*asked(deviant), "--quiet", "--report", "json", "--output", str(tmp_path / "r.json"),
                     "--exchanges", str(tmp_path / "broken"))  # fmt: skip
    assert code == 1
    findings = json.loads((tmp_path / "r.json").read_text())["chips"][0]["findings"]
    finding = next(one for one in findings if one["clause"] == "frame-done")

    said = subprocess.run(
        ["bash", "-c", finding["curl"]],
        capture_output=True,
        check=True,
        env={"API_KEY": "sk-x", "PATH": "/usr/bin:/bin"},
    )
    assert b"data: {" in said.stdout
    assert b"[DONE]" not in said.stdout

    names: dict[str, object] = {}
    exec(finding["test"], names)  # noqa: S102 - the text under test is a test
    with pytest.raises(AssertionError, match="frame-done: nvidia: no-done"):
        names["test_frame_done_nvidia"]()  # type: ignore[operator]

    file = str(tmp_path / "broken" / "nvidia-frame-done.json")
    assert run("replay", file)[:2] == (1, f"{file}: frame-done on nvidia: broken: {finding['evidence']}\n")
    assert run("replay", file, "--base-url", deviant)[0] == 1


def test_a_saved_failure_is_an_exchange_file_like_any_other(deviant: str, tmp_path: Path) -> None:
    """The recorder's commands show and validate it, the mock plays it, and it holds no key."""
    run(*asked(deviant), "--quiet", "--exchanges", str(tmp_path), "--api-key-env", "K", environ={"K": KEY})
    file = tmp_path / "nvidia-frame-done.json"

    shown = called("fixtures", "show", str(file))
    valid = called("validate", str(file))
    played = recordings.load(tmp_path)

    assert (shown[0], "mt-infini-3b" in shown[1]) == (0, True), shown
    assert valid[0] == 0, valid
    assert file in [one.path for one in played]
    assert b"".join(played[0].plan.frames) in deviations(deviant)
    assert KEY not in file.read_text("utf-8")


def deviations(url: str) -> list[bytes]:
    """The bodies of what breaks the contract."""
    result = library.check(Target(url, "mt-infini-3b", "nvidia", TUTORIAL))
    return [b"".join(one.exchange.plan.frames) for one in result.findings if one.exchange.plan]


def test_replay_holds_once_the_target_is_mended(deviant: str, honest: str, tmp_path: Path) -> None:
    """The same file against a mended target comes to exit code 0."""
    run(*asked(deviant), "--quiet", "--exchanges", str(tmp_path))

    code, out, _ = run("replay", str(tmp_path / "nvidia-frame-done.json"), "--base-url", honest)

    assert (code, out.strip().rpartition(": ")[2]) == (0, "holds")


@pytest.mark.parametrize("form", ["junit", "json", "markdown", "html"])
def test_reports_are_whole(deviant: str, form: str) -> None:
    """Each format can be read, names the broken clause and holds no key."""
    code, out, _ = run(*asked(deviant), "--quiet", "--report", form, "--api-key-env", "K", environ={"K": KEY})

    assert code == 1
    assert "frame-done" in out
    assert KEY not in out
    if form == "junit":
        suite = ET.fromstring(out)[0]  # noqa: S314 - our own
        assert int(suite.attrib["failures"]) == len(suite.findall(".//failure")) > 0
    if form == "html":
        assert (out.count("<script"), out.count("http-equiv")) == (2, 1)  # ours and its data; the policy
        assert "default-src &#x27;none&#x27;" in out


def test_a_key_that_the_target_echoes_is_cut_out() -> None:
    """Neither a body nor a header that repeats the key brings it into an exchange, also where two chunks share it."""

    class Echo(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the base class calls it
            self.request_body()
            sent = self.headers["authorization"].encode()
            self.send_response(200)
            self.send_header("x-echo", sent.decode())
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.send_chunk(b"you sent " + sent[:15])
            self.send_chunk(sent[15:])
            self.send_chunk(b"")

    with serving_with(Echo) as url:
        send = HttpTransport(Address(url), KEY, lambda: 0.0)
        exchange = send(Request("POST", "/", {b"authorization": b"Bearer $API_KEY"}, b"{}"))

    assert exchange.plan is not None
    assert b"".join(exchange.plan.frames) == b"you sent Bearer $API_KEY"
    assert KEY not in repr(exchange)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model", "m", "--chip", "c"], "--base-url: missing; say --base-url URL --model MODEL --chip CHIP"),
        (asked("ftp://x"), "--base-url: 'ftp://x' is no address; allowed: http://host:port or https://host"),
        (asked("http://[::1"), "--base-url: 'http://[::1' is no address; allowed: http://host:port or https://host"),
        (asked("http://a b"), "--base-url: 'http://a b' is no address; allowed: http://host:port or https://host"),
        (asked("http://a..b"), "--base-url: 'http://a..b' is no address; allowed: http://host:port or https://host"),
        (asked("http://a/路"), "--base-url: 'http://a/路' is no address; allowed: http://host:port or https://host"),
        (asked("http://me:my-word@a"), "--base-url: credentials do not belong into the address; use --api-key-env"),
        (
            [*asked("http://127.0.0.1:1"), "--path-template", "/v1/{modle}"],
            "--path-template: '/v1/{modle}' is no path; allowed: ASCII, {model} and {chip}",
        ),
        (asked("http://127.0.0.1:1", "chip6"), "--chip: 'chip6' is not in edition 2024-tutorial; did you mean chip5"),
        ([*asked("http://127.0.0.1:1"), "--edition", "2023"], "edition: '2023' is not in"),
        ([*asked("http://127.0.0.1:1"), "--requests", "0"], "--requests: 0 is not allowed; allowed: at least 1"),
        ([*asked("http://127.0.0.1:1"), "--per-minute", "-1"], "--per-minute: -1 is not allowed; allowed: more than 0"),
        ([*asked("http://127.0.0.1:1"), "--api-key-env", "NO"], "--api-key-env NO: the variable is not set; export NO"),
        ([*asked("http://127.0.0.1:1"), "--profiles", "/nowhere"], "--profiles /nowhere: no such directory"),
        (["replay", "/nowhere.json"], "/nowhere.json: no such file"),
        (["reply", "x"], "contract: 'reply x' is not known; say contract replay FILE"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_exit_code_2(words: list[str], says: str) -> None:
    """A mistake of the operator's is told in one line that says what is allowed."""
    code, out, err = run(*words)

    assert (code, out) == (2, "")
    assert err.startswith(f"genstudio-mock: {says}")
    assert err.count("\n") == 1


PLACES = {
    "a report below a file": ("contract", "--output", "file/x", "file: is no folder; give a folder, which is made"),
    "a report without a folder": ("contract", "--output", "no/x", "no is not there; make it, or give another file"),
    "a report that is a folder": ("contract", "--output", ".", "is a folder; give a file, which is made or replaced"),
    "exchanges": ("contract", "--exchanges", "file", "is no folder; give a folder, which is made where there is none"),
    "a learned profile": (
        "learn",
        "--output",
        "file",
        "is no folder; give a folder, which is made where there is none",
    ),
    "a drifted profile": (
        "drift",
        "--output",
        "file",
        "is no folder; give a folder, which is made where there is none",
    ),
    "a patch": ("drift", "--patch", "no/x", "no is not there; make it, or give another file"),
}


@pytest.mark.parametrize("name", PLACES)
def test_where_nothing_can_be_written_nothing_is_asked(
    name: str, honest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live service is paid by the request: what it said would be lost behind the last one."""
    command, flag, place, says = PLACES[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("", "utf-8")
    code, out, err = called(command, *asked(honest), flag, place)

    assert (code, out) == (2, "")
    assert err.startswith(f"genstudio-mock: {flag} {place}: {says}")
    assert err.count("\n") == 1


def test_an_unreachable_target_is_exit_code_3() -> None:
    """Nobody listens: one line, and another code than a broken contract's."""
    code, out, err = run(*asked("http://127.0.0.1:9"))

    assert (code, out) == (3, "")
    reason = "http://127.0.0.1:9 cannot be reached: Connection refused"
    assert err == f"genstudio-mock: {reason}; is it running, and is --base-url right?\n"


def test_a_429_is_waited_for_as_asked() -> None:
    """The runner sleeps as long as Retry-After says and sends again; the retries count against the budget."""
    left = [2]

    class Busy(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the base class calls it
            self.request_body()
            left[0] -= 1
            self.send_response(429 if left[0] >= 0 else 500)
            self.send_header("retry-after", "7")
            self.send_header("content-length", "0")
            self.end_headers()

    slept: list[float] = []
    clock = Clock(lambda: 0.0, slept.append)
    with serving_with(Busy) as url:
        result = library.check(Target(url, "m", "nvidia", TUTORIAL), budget=Budget(requests=4), clock=clock)

    assert slept == [7.0, 7.0]
    assert len(result.exchanges) + 2 == 4


@pytest.mark.parametrize(
    ("url", "waits"),
    [
        pytest.param("http://127.0.0.1:1", [], id="this machine"),
        pytest.param("http://localhost:1", [], id="this machine by name"),
        pytest.param("http://[::1]:1", [], id="this machine, IPv6"),
        pytest.param("https://llm.example", [5.0] * 3, id="another machine"),
        pytest.param("http://127.0.0.1.example", [5.0] * 3, id="a name that looks like this machine"),
    ],
)
def test_every_door_is_polite(url: str, waits: list[float]) -> None:
    """A budget that says nothing of the rate asks another machine twelve times a minute, whoever calls."""
    now, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    send = in_process.transport(in_process.service(TUTORIAL), TUTORIAL.file.defaults.created * 1000)
    clock = Clock(lambda: now[0], sleep)
    chip = TUTORIAL.chips["nvidia"]
    runner = Runner(send, TUTORIAL, chip, "mt-infini-3b", clock=clock, budget=Budget(requests=4), address=Address(url))
    runner.run([Phase.EXAMPLES])

    assert slept == waits


@pytest.mark.parametrize("tokens", [100, 150, 333, 1000, 6000])
def test_the_tokens_of_a_run_are_never_passed(tokens: int) -> None:
    """What all answers cost by their own usage stays within the budget; what did not fit is a note."""
    send = in_process.transport(in_process.service(TUTORIAL), TUTORIAL.file.defaults.created * 1000)
    budget = Budget(requests=60, tokens=tokens)
    clock = Clock(lambda: 0.0, lambda _seconds: None)
    result = Runner(send, TUTORIAL, TUTORIAL.chips["nvidia"], "mt-infini-3b", clock=clock, budget=budget).run()
    spent = [Reading(exchange).usage.get("total_tokens", 0) for _, exchange in result.exchanges]

    assert 0 < sum(spent) <= tokens
    assert any("the budget does not reach" in note for note in result.notes)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, {"code": 10009, "msg": "no"}, "refuses the API key"),
        (200, {"code": 10009, "msg": "no"}, ""),
        (503, {"code": 50300, "msg": "busy"}, ""),
        (403, {}, "refuses the API key"),
    ],
)
def test_a_bad_key_is_told_by_its_code(status: int, body: dict[str, object], why: str) -> None:
    """Whatever the status of a refusal, the code of a bad key says that the key is bad."""
    data = json.dumps(body).encode()
    came = Exchange(Request("POST", "/", {}, b"{}"), Plan(status, (), (data,)), frames_sent=1)

    assert no_target(Reading(came), {10009}).startswith(why)
    assert bool(no_target(Reading(came), {10009})) is bool(why)


def test_a_rate_is_kept() -> None:
    """Between two requests the runner waits for its turn."""
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    edition = TUTORIAL
    send = in_process.transport(in_process.service(edition), edition.file.defaults.created * 1000)
    runner = Runner(
        send, edition, edition.chips["nvidia"], "mt-infini-3b",
        clock=Clock(lambda: now[0], sleep), budget=Budget(requests=5, per_second=0.5),
    )  # fmt: skip
    runner.run()

    assert slept == [2.0] * 4


@pytest.mark.parametrize(
    ("how", "ending"), [("cut", Ending.CUT), ("short", Ending.CUT), ("endless", Ending.HANG)]
)  # fmt: skip
def test_the_client_tells_how_a_body_ended(how: str, ending: Ending) -> None:
    """A chunked body without its end, a body shorter than announced, and one that does not end are told apart."""

    class Odd(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the base class calls it
            self.request_body()
            self.send_response(200)
            if how == "short":
                self.send_header("content-length", "100")
            else:
                self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            if how == "short":
                self.wfile.write(b"{}")
            else:
                for _ in range(200 if how == "endless" else 2):
                    self.send_chunk(b"x" * 50)
            self.close_connection = True

    with serving_with(Odd) as url:
        exchange = HttpTransport(Address(url), "k", lambda: 0.0, most_bytes=1000)(Request("POST", "/", {}, b""))

    assert exchange.plan is not None
    assert exchange.ending is exchange.plan.ending is ending


def test_a_clause_can_be_asserted_on_its_own(honest: str, deviant: str) -> None:
    """The library call passes where the clause holds and raises AssertionError with the evidence where not."""
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hello there"}]}'
    assert_clause("frame-framing", Target(honest, "mt-infini-3b", "chip3"), body=body)

    with pytest.raises(AssertionError, match="frame-framing: chip3: the declared json-lines is gone"):
        assert_clause("frame-framing", Target(deviant, "mt-infini-3b", "chip3"), body=body)


def test_the_contract_runs_as_pytest(deviant: str) -> None:
    """`pytest --pyargs mockserver.contract --base-url …` has one test a clause."""
    words = [sys.executable, "-m", "pytest", "-q", "--pyargs", "mockserver.contract"]
    done = subprocess.run(
        [*words, *asked(deviant)], env={**os.environ, **LEAN}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_clause[frame-done]" in done.stdout
    assert "no-done: A stream ends without data: [DONE]" in done.stdout
    assert "1 failed" in done.stdout  # the marker after a blocked answer is only observed: no document tells of it


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("http://127.0.0.1:9", 3, "Exit: http://127.0.0.1:9 cannot be reached: Connection refused; is it running"),
        ("ftp://nowhere", 2, "Exit: --base-url: 'ftp://nowhere' is no address; allowed: http://host:port or https://"),
    ],
)
def test_the_contract_as_pytest_ends_plainly_where_nobody_is_there(url: str, code: int, says: str) -> None:
    """One line and the command's exit code instead of an error for each clause."""
    words = [sys.executable, "-m", "pytest", "-q", "--pyargs", "mockserver.contract"]
    done = subprocess.run(
        [*words, *asked(url)], env={**os.environ, **LEAN}, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout.count("cannot be reached")) == (code, int(code == 3)), done.stdout
    assert says in done.stdout + done.stderr

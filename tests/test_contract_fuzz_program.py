"""Programs as clients of the fuzzer: what they print, how they end, and what is left of them."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import deque
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from mockserver.cli import fuzz as fuzz_command
from mockserver.contract import fuzz, fuzz_files, fuzz_server, fuzz_staying
from mockserver.contract.fuzz_program import Program
from mockserver.contract.fuzz_staying import StayingProgram
from mockserver.contract.harmless import known
from mockserver.contract.library import edition_of
from tests.buggy_clients import waits_for_done
from tests.in_thread import WAIT_SECONDS
from tests.lean_pytest import LEAN
from tests.snippets import ROOT

CLIENT = r"""
import os, sys, json, urllib.request
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", b"{}")
body = urllib.request.urlopen(request).read().decode()
print("reading ...", file=sys.stderr)
for line in body.split("\n"):
    if line.startswith("data: ") and line != "data: [DONE]":
        for choice in json.loads(line[6:])["choices"]:
            sys.stdout.write(choice["delta"].get("content") or "")
"""
SHELL = """curl -sN "$OPENAI_BASE_URL/chat/completions" -d '{}' | sed -un 's/^data: *{/{/p' |
jq -rj '.choices[].delta.content // ""'"""
NODE = """
const answer = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", {method: "POST", body: "{}"});
let text = "", rest = "";
for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + piece).split("\\n");
  rest = lines.pop();
  for (const line of lines) {
    if (!line.startsWith("data:") || line.slice(5).trim() === "[DONE]") continue;
    for (const choice of JSON.parse(line.slice(5)).choices) text += choice.delta.content ?? "";
  }
}
process.stdout.write(text);
"""
SEPARATED = [sys.executable, "-m", "mockserver", "fuzz"]


def run(*words: str) -> tuple[int, str, str]:
    """The command with its arguments; exit code, output and errors."""
    parser = argparse.ArgumentParser()
    fuzz_command.add_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    code = fuzz_command.main(parser.parse_args(words), {}, out, err)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def script(tmp_path: Path) -> str:
    """A client in Python that wants a space after `data:`."""
    path = tmp_path / "client.py"
    path.write_text(CLIENT)
    return str(path)


def test_a_command_is_fuzzed_and_its_test_fails_until_it_is_mended(tmp_path: Path, script: str) -> None:
    """A program's output is what it read; the saved test runs under pytest, fails, and passes once it is mended."""
    saved = tmp_path / "s"
    code, out, err = run("--chip", "nvidia", "--output", str(saved), "--", sys.executable, script)

    assert code == 1
    assert out.splitlines()[:3] == [
        "silent: the client read nothing and raised nothing; the stream says '0'",
        "data: is not followed by a space",
        "a stream of 4 frames in 4 writes (with data-nospace):",
    ]
    first, second, *_, last = err.splitlines()
    assert first.startswith("1/150 as the chip sends it, cut inside a character, cut inside data:, ")
    assert first.endswith(": ok")
    assert second.startswith("2/150 data-nospace, cut inside a character, ")
    assert " looking for a smaller one: " in last
    test = next(saved.glob("test_*.py"))
    assert f"again: pytest {test}" in out
    assert _pytest(test) == 1
    (tmp_path / "client.py").write_text(CLIENT.replace("data: ", "data:").replace("6:", "5:"))
    assert _pytest(test) == 0


def _pytest(test: Path) -> int:
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        str(test.parent),
    ]
    environ = {**os.environ, **LEAN, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*words, str(test)], cwd=test.parent, env=environ, capture_output=True, check=False
    ).returncode


def test_a_command_that_reads_rightly_is_exit_code_0(script: str) -> None:
    """Without quirks that it cannot bear, the same program passes."""
    code, out, err = run("--chip", "nvidia", "--quirks", "none", "--examples", "3", "--", sys.executable, script)

    assert code == 0
    assert out.splitlines()[:2] == ["3 streams, all read rightly", "forms (1): as the chip sends it 3"]
    assert [line.rpartition(": ")[2] for line in err.splitlines()] == ["ok", "ok", "ok"]


FORGETFUL = """
import { writeFileSync } from "node:fs";
const told = process.argv[1];
writeFileSync(told, "0");
let text = "", bytes = 0;
const answer = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", {method: "POST", body: "{}"});
for await (const piece of answer.body) {
  for (const line of Buffer.from(piece).toString().split("\\n")) {
    if (!line.startsWith("data:")) continue;
    let choices = [];
    try { choices = JSON.parse(line.slice(5)).choices; } catch {}
    for (const choice of choices) text += choice.delta.content ?? "";
  }
  writeFileSync(told, String(bytes += piece.length));
}
process.stdout.write(text);
"""
"""Takes each piece for whole lines, and writes into the file it is given how many bytes it has read."""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_cut_reaches_a_client_that_reads_all_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Node's fetch joins pieces that lie ready; behind a cut it is waited for, so who forgets half a line is found."""
    told = tmp_path / "told"

    def until_read(_server: object, written: int) -> None:
        until = time.monotonic() + 30
        while int(told.read_text() or "0") < written and time.monotonic() < until:
            time.sleep(0.001)

    monkeypatch.setattr(fuzz_server._Listening, "let_it_be_read", until_read)
    words = ["--chip", "nvidia", "--quirks", "none", "--examples", "20", "--output", str(tmp_path)]
    code, out, _ = run(*words, "--", "node", "--input-type=module", "-e", FORGETFUL, str(told))

    assert code == 1
    assert out.startswith("silent: the client read nothing and raised nothing; the stream says ")
    assert "a stream of 4 frames in 5 writes:" in out


@pytest.mark.parametrize(
    "words",
    [["sh", "-c", SHELL], ["node", "--input-type=module", "-e", NODE]],
    ids=["curl, sed and jq", "node"],
)
def test_clients_in_other_languages(words: list[str], tmp_path: Path) -> None:
    """A shell script and a Node program read what their chip sends, and fail where lines end with CR alone."""
    for program in ("node", "curl", "sed", "jq"):
        if program in " ".join(words) and shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    good = run("--chip", "nvidia", "--quirks", "crlf,data-nospace", "--examples", "3", "--", *words)
    bad = run("--chip", "nvidia", "--quirks", "cr", "--examples", "2", "--output", str(tmp_path), "--", *words)

    assert good[0] == 0
    assert good[1].startswith("3 streams, all read rightly\nforms (3): ")
    assert bad[0] == 1
    assert "(with cr)" in bad[1]


ENDS = {
    "prints nothing": ("pass", ""),
    "prints and a line end": ("print('你好')", "你好" + os.linesep),
    "prints no UTF-8": ("sys.stdout.buffer.write(b'\\xa3')", "\\xa3"),
}
FAILS = {
    "exits": ("print('progress', file=sys.stderr); sys.exit(3)", "exit code 3: progress"),
    "raises": ("raise KeyError('content')", "exit code 1: KeyError: 'content'"),
    "says nothing": ("sys.exit(7)", "exit code 7: it printed nothing on standard error"),
    "crashes": ("os.abort()", "killed by SIGABRT: it printed nothing on standard error"),
    "prints without end": ("\nwhile True: print('x' * 9999)", "it printed over 4194304 bytes"),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_a_program_prints_is_what_it_read(end: str) -> None:
    """Standard output is taken as it is; bytes that are no UTF-8 are shown as such."""
    code, read = ENDS[end]

    assert Program([sys.executable, "-c", f"import sys; {code}"], os.environ)("http://x") == read


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "intranet"},
        {"http_proxy": "http://127.0.0.1:9", "no_proxy": "intranet"},
        {"ALL_PROXY": "http://127.0.0.1:9", "no_proxy": "intranet", "NO_PROXY": "127.0.0.1"},
    ],
    ids=["upper", "lower", "both"],
)
def test_a_program_is_led_past_a_proxy(environ: dict[str, str]) -> None:
    """Whichever spelling its client reads, it asks the stream's server itself, and what was excepted stays so."""
    code = (
        "import os; from urllib.request import proxy_bypass_environment as bypassed;"
        "print([bypassed('127.0.0.1:80', {'no': os.environ[name]}) for name in ('no_proxy', 'NO_PROXY')],"
        "bypassed('intranet'), bypassed('elsewhere'), end='')"
    )

    others = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

    read = Program([sys.executable, "-c", code], {**others, **environ})("http://127.0.0.1:80")

    assert read == "[True, True] True False"


@pytest.mark.parametrize("end", FAILS)
def test_how_a_program_fails(end: str) -> None:
    """The problem names how it ended and the last line on its standard error."""
    code, problem = FAILS[end]

    with pytest.raises(RuntimeError) as caught:
        Program([sys.executable, "-c", f"import os, sys; {code}"], os.environ)("http://x")
    assert str(caught.value) == problem


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    """A file that is no program, or is gone by now, is named with the system's reason."""
    with pytest.raises(RuntimeError) as caught:
        Program([str(tmp_path / "gone")], os.environ)("http://x")
    assert str(caught.value) == f"exit code 127: {tmp_path / 'gone'}: No such file or directory"


def test_a_program_that_hangs_is_ended_with_all_that_it_started() -> None:
    """A shell whose child keeps the output open is ended in time too."""
    patient = Program(["sh", "-c", "sleep 600 & echo $!; wait"], os.environ, 0.3)

    with pytest.raises(TimeoutError, match=r"it did not end within 0\.3 s"):
        patient("http://x")


def test_json_is_compared_key_by_key(tmp_path: Path) -> None:
    """With --client-json a program tells more than the text, and what it gets wrong of that is found."""
    told = "import json; print(json.dumps({'finish_reason': 'stop'}))"

    code, out, _ = run("--chip", "nvidia", "--client-json", "--output", str(tmp_path), "--", sys.executable, "-c", told)

    assert code == 1
    assert out.startswith("the client read finish_reason 'stop'; the stream says '")
    with pytest.raises(ValueError, match="it was to print one JSON object and printed 'no'"):
        Program([sys.executable, "-c", "print('no', end='')"], os.environ, as_json=True)("http://x")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_ends_the_client_and_leaves_no_file(tmp_path: Path) -> None:
    """Interrupted in the middle of a run, the fuzzer ends its client and exits with 130; nothing is written."""
    client = """import os, time
with open("pid", "w") as file:
    file.write(str(os.getpid()))
os.rename("pid", "ready")
time.sleep(600)"""
    fuzzing = subprocess.Popen(
        [*SEPARATED, "--chip", "nvidia", "--timeout", "600", "--", sys.executable, "-c", client],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        while not (tmp_path / "ready").exists():
            assert fuzzing.poll() is None

        fuzzing.send_signal(signal.SIGINT)
        out, err = fuzzing.communicate(timeout=WAIT_SECONDS)
    finally:
        fuzzing.kill()  # of one that has ended: nothing

    assert (fuzzing.returncode, out, err) == (130, b"", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["ready"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "ready").read_text()), 0)


def test_a_saved_stream_is_served_to_whatever_asks(tmp_path: Path) -> None:
    """`--serve` answers any request with the stream, write by write, until it is interrupted."""
    edition = edition_of("2024-tutorial")
    failure = fuzz.find_bug(waits_for_done, edition.chips["nvidia"].wire)
    assert failure is not None
    path = fuzz_files.save(failure, tmp_path, "def read(base_url): ...")[0]
    serving = subprocess.Popen(
        [*SEPARATED, "--serve", str(path), "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        url = serving.stdout.readline().split(" at ")[1].partition(";")[0]
        got = [urllib.request.urlopen(url, data).read() for data in (None, b"{}")]
    finally:
        serving.send_signal(signal.SIGINT)
        try:
            serving.communicate(timeout=WAIT_SECONDS)
        finally:
            serving.kill()

    assert got == [b"".join(failure.stream.frames)] * 2
    assert serving.returncode == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--chip", "nvidia"], "fuzz: no client; say genstudio-mock fuzz --chip nvidia -- python client.py"),
        (["--", "x"], "--chip: missing; say genstudio-mock fuzz --chip CHIP -- python client.py"),
        (
            ["--chip", "nvidia", "--", "/no/such/client"],
            "fuzz: /no/such/client is no program that can be run; give its path, or one on PATH",
        ),
        (["--chip", "nvidia", "--quirks", "sss", "--", "true"], "--quirks: unknown quirk 'sss'; did you mean sse?"),
        (["--chip", "nvidia", "--quirks=-bmo", "--", "true"], "--quirks: unknown quirk 'bmo'; did you mean bom?"),
        (["--chip", "nvidia", "--examples", "0", "--", "true"], "--examples: 0 is not allowed; allowed: at least 1"),
        (["--chip", "nvidia", "--timeout", "0", "--", "true"],
         "--timeout: 0 is not allowed; allowed: more than 0 seconds"),
        (["--chip", "nvidia", "--output", __file__, "--", "true"],
         f"--output {__file__}: is no folder; give a folder, which is made where there is none"),
        (["--serve", "no.json"], "no.json: no such file"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_exit_code_2(words: list[str], says: str) -> None:
    """A mistake of the operator's is told in one line."""
    assert run(*words) == (2, "", f"genstudio-mock: {says}\n")


def test_harmless_quirks_can_be_left_out() -> None:
    """`--quirks=-name` tries all harmless ones but that."""
    wire = edition_of("2024-tutorial").chips["nvidia"].wire

    names = fuzz_command._further("-crlf,-cr,+bom,-data-lines", wire)

    assert names is not None
    assert set(fuzz.harmless(wire)) ^ set(names) == {"crlf", "cr", "bom", "data-lines"}
    assert set(known(wire)) - set(fuzz_command._known("-half-characters,+bom", wire) or ()) == {
        "bom",
        "half-characters",
    }
    assert fuzz_command._known("crlf", wire) == ()


def test_the_saved_test_is_plain_ascii(tmp_path: Path) -> None:
    """Whatever the stream says, the test that is saved can be read on any system."""
    failure = fuzz.find_bug(lambda _url: "", edition_of("2024-tutorial").chips["nvidia"].wire, further=())
    assert failure is not None

    paths = fuzz_files.save(failure, tmp_path, "def read(base_url): ...")

    assert paths[-1].read_bytes().isascii()
    assert json.loads(paths[0].read_text("utf-8"))["provenance"]["origin"] == "fuzz"


def test_without_hypothesis_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package does not need Hypothesis; only the fuzzer does, and says so."""
    for name in [one for one in sys.modules if one.startswith("mockserver.contract.fuzz")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("mockserver.contract.fuzz")
    monkeypatch.setitem(sys.modules, "hypothesis", None)

    code, out, err = run("--chip", "nvidia", "--", sys.executable)

    assert (code, out) == (2, "")
    brings = "pip install 'hypothesis>=6.100' 'pytest>=7.4' 'rich>=13.7'"
    assert err == f"genstudio-mock: fuzz: hypothesis is not installed; {brings}\n"


# --- a client that stays ------------------------------------------------------------------------------------------

STAYS = r"""
import json, os, sys, urllib.request
print(os.getpid(), file=open("pids", "a"))
for line in sys.stdin:
    body = urllib.request.urlopen(urllib.request.Request(line.strip() + "/chat/completions", b"{}")).read().decode()
    text = ""
    for data in body.split("\n"):
        if data.startswith("data: {"):
            for choice in json.loads(data[6:])["choices"]:
                text += choice["delta"].get("content") or ""
    print(json.dumps({"text": text}), flush=True)
"""


def test_a_client_stays_for_many_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --stay one process reads every stream; its saved test starts one too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "client.py").write_text(STAYS)
    words = ["--chip", "nvidia", "--stay", "--output", str(tmp_path), "--max-pause-ms", "0", "--"]

    good = run("--quirks", "none", "--examples", "20", *words, sys.executable, "client.py")
    pids = (tmp_path / "pids").read_text().split()
    bad = run(*words, sys.executable, "client.py")

    assert good[0] == 0, good
    assert len(pids) == 1
    assert bad[0] == 1
    assert "(with data-nospace)" in bad[1]
    assert _pytest(next(tmp_path.glob("test_*.py"))) == 1


STAYING_FAILS = {
    "says an error": ("print('{\"error\": \"no choices\"}', flush=True)", RuntimeError, "no choices"),
    "ends": ("sys.exit(3)", RuntimeError, "exit code 3: it printed nothing on standard error"),
    "ends well": (
        "sys.exit(0)", RuntimeError,
        "exit code 0: it ended before its standard input did; it is to print one line for each line that it gets",
    ),
    "prints no JSON": ("print('hi', flush=True)", ValueError, "it was to print one JSON object and printed 'hi\\n'"),
    "hangs": ("time.sleep(600)", TimeoutError, "it printed no line within 0.3 s"),
    "tells nothing": (
        "print('{}', flush=True)", ValueError,
        "the object that it printed has none of text, finish_reason, usage, tool_calls, error: '{}\\n'",
    ),
    "closes its output": (
        "os.close(1); time.sleep(600)", RuntimeError,
        "it closed its standard output and goes on; it is to print one line for each line that it gets",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fail", STAYING_FAILS)
def test_how_a_client_that_stays_fails(fail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem names what it did; it is started anew for the next stream."""
    code, kind, problem = STAYING_FAILS[fail]
    monkeypatch.setattr(fuzz_staying, "ENDS_WITHIN_S", 0.1 if fail == "closes its output" else WAIT_SECONDS)
    words = [sys.executable, "-c", f"import os, sys, time\nfor line in sys.stdin:\n {code}"]
    client = StayingProgram(words, os.environ, 0.3 if fail == "hangs" else WAIT_SECONDS)
    try:
        for _ in range(1 if "sleep" in code else 2):
            with pytest.raises(kind) as caught:
                client("http://127.0.0.1:1")
            assert str(caught.value) == problem
    finally:
        client.close()


def test_a_client_that_answers_before_it_is_asked_is_told() -> None:
    """Its lines would be taken for what it read of later streams."""
    answers = "import sys\nfor line in sys.stdin:\n print('{\"text\": \"\"}\\n' * 3, end='', flush=True)"
    client = StayingProgram([sys.executable, "-c", answers], os.environ, 10)
    problem = 'it printed a line before it was asked: b\'{"text": ""}\\n\'; it is to print one line for each'
    try:
        assert client("http://127.0.0.1:1") == {"text": ""}
        with pytest.raises(RuntimeError, match=f"^{re.escape(problem)} line that it gets$"):
            deque((client("http://127.0.0.1:1") for _ in range(100)), 0)  # the second line comes when it comes
    finally:
        client.close()


def test_a_staying_client_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    """As with one that does not stay."""
    with pytest.raises(RuntimeError, match=r"exit code 127: .*gone: No such file or directory"):
        StayingProgram([str(tmp_path / "gone")], os.environ)("http://127.0.0.1:1")


# --- reports ------------------------------------------------------------------------------------------------------


def test_several_bugs_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --keep-going each bug is found by itself: what breaks the client already is left out of what follows."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "client.py"
    path.write_text(STAYS)
    quirks = "data-nospace,cr,usage-chunk,keys-reversed"
    words = ["--chip", "nvidia", "--stay", "--keep-going", "--quirks", quirks, "--output", str(tmp_path)]
    words += ["--max-pause-ms", "0", "--examples", "30", "--", sys.executable, str(path)]

    code, out, _ = run(*words[:4], "--report", "json", *words[4:])
    told = json.loads(out)
    xml = ET.fromstring(run(*words[:4], "--report", "junit", *words[4:])[1])  # noqa: S314 - our own
    text = run(*words)[1]

    assert code == 1
    assert [one["quirks"] for one in told["failures"]] == [["data-nospace"], ["cr"]]
    assert told["failures"][0]["words"] == ["data: is not followed by a space"]
    assert set(told["covered"]["forms"]) == {"as the chip sends it", *quirks.split(",")}
    assert [Path(one["files"][0]).suffix for one in told["failures"]] == [".json", ".json"]
    assert [one.attrib for one in xml] == [{
        "name": "fuzz.nvidia", "tests": "5", "failures": "2", "errors": "0", "skipped": "0",
    }]  # fmt: skip
    assert [one.get("name") for one in xml.iter("testcase") if one.find("failure") is not None] == [
        "bug: data: is not followed by a space",
        "bug: Lines of an event stream end with CR alone, which the standard allows",
    ]
    assert "\n2 bugs, each with its smallest stream; " in text

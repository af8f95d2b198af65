"""`genstudio-mock run -- cmd`: the command's own output and exit code, and what the mock saw of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mockserver.cli.run import execute
from mockserver.contract.fuzz_program import Program
from tests.in_thread import WAIT_SECONDS
from tests.snippets import ROOT, blocks
from tests.third_party import node_programs

if TYPE_CHECKING:
    from pathlib import Path

NODE_PACKAGE = "openai@7.57.0"
CURL = (
    'curl -sSN --noproxy "*" "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY"'
    """ -H 'Content-Type: application/json' -d '{"messages": [{"role": "user", "content": "你是谁?"}]%s}'"""
)
unix = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")


def started(*words: str, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """The command as a user starts it, without settings from outside; bytes that are no text come as surrogates."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("GENSTUDIO_MOCK_", "OPENAI_"))}
    environ |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "mockserver", "run", *words],
        cwd=cwd, env=environ, encoding="utf-8", errors="surrogateescape",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ran(*words: str, cwd: Path, says: str = "", **variables: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command whose standard input says something."""
    with started(*words, cwd=cwd, **variables) as process:
        out, err = process.communicate(says, timeout=60)
    return process.returncode, out, err


@unix
def test_a_shell_script_with_curl(tmp_path: Path) -> None:
    """The variables lead to the mock; output and exit code are the script's."""
    script = CURL % ', "stream": true' + "\necho to stderr >&2\nexit 3"
    code, out, err = ran("--chip", "chip3", "--", "sh", "-c", script, cwd=tmp_path)

    assert code == 3
    assert len(out.splitlines()) == 19
    assert '"content": "我是"' in out
    assert err == (
        "to stderr\ngenstudio-mock: 1 exchange\n"
        "  #1  chip3  200  json-lines, 17 pieces  '我是来自无问芯穹的超大规模语言模型,我叫无问天权。'  "
        "finish_reason stop  complete\n"
        "  look at #1: these are bare JSON lines without `data:`, which a reader of server-sent events, that of the "
        "OpenAI SDKs among them, skips without an error: read the body line by line and parse each line as JSON, or "
        "ask with stream=false\n"
    )


def test_the_variables(tmp_path: Path) -> None:
    """Address of model and chip, twice, and a key; a model that the edition lacks is added."""
    code = "import os; print(*(os.environ[f'OPENAI_{name}'] for name in ('BASE_URL', 'API_BASE', 'API_KEY')))"
    _, out, err = ran("--model", "own-model", "--chip", "chip4", "--", sys.executable, "-c", code, cwd=tmp_path)

    base_url, api_base, key = out.split()
    assert base_url == api_base
    assert base_url.endswith("/maas/own-model/chip4")
    assert key == "any-key"
    assert err == "genstudio-mock: 0 exchanges\n  no request came; see that the command reads OPENAI_BASE_URL\n"


def test_the_verdict(tmp_path: Path) -> None:
    """What the client made of a fault is told, with advice."""
    code = (
        "import openai; openai.OpenAI(max_retries=0).chat.completions.create(model='', messages=[dict(content='hi')])"
    )
    words = ("--fault", "status;status=503", "--", sys.executable, "-c", code)
    exit_code, _, err = ran(*words, cwd=tmp_path)

    assert exit_code == 1
    assert err.endswith(
        "genstudio-mock: 1 exchange\n  #1  nvidia  503  complete  faults status\n"
        "  bad: gave-up: ended with 503 after 1 attempt (#1); "
        "retry 429 and 5xx a few times before giving up\n"
    )


@unix
def test_refused_requests(tmp_path: Path) -> None:
    """A request that the service would refuse is told with the reason, once for however many the same."""
    script = (CURL % ', "temperature": "hot"') + "\n" + (CURL % ', "temperature": "hot"')
    code, _, err = ran("--", "sh", "-c", script, cwd=tmp_path)

    assert code == 0
    assert err.splitlines()[0] == "genstudio-mock: 2 exchanges"
    assert err.count("  refused: ") == 1
    assert err.endswith(
        "  refused: /maas/mt-infini-3b/nvidia/chat/completions: temperature: 'hot' (a string) is not allowed; "
        "allowed: a number from 0 to 2 (or null)\n"
    )


@unix
@pytest.mark.parametrize(("ending", "code"), [("", 1), ("; exit 7", 7)], ids=["success", "failure"])
def test_strictly_unmatched(tmp_path: Path, ending: str, code: int) -> None:
    """With --strict a request that nothing matches makes 1 of 0, and is told with its near misses."""
    script = (CURL % "").replace("你是谁?", "not written") + ending
    exit_code, out, err = ran("--strict", "--", "sh", "-c", script, cwd=tmp_path)

    assert exit_code == code
    assert "no fixture fits" in out
    assert "  unmatched: /maas/mt-infini-3b/nvidia/chat/completions: no fixture fits; nearest: (1) " in err


@unix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_signals_are_passed_on(tmp_path: Path, number: signal.Signals) -> None:
    """The command decides what a signal does; what the mock saw is told all the same."""
    script = f"trap 'echo caught; exit 5' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
    with started("--", "sh", "-c", script, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=WAIT_SECONDS)

    assert (process.returncode, out) == (5, "caught\n")
    assert err.startswith("genstudio-mock: 0 exchanges")


@unix
def test_a_command_that_a_signal_ended(tmp_path: Path) -> None:
    """The exit code is a shell's: 128 and the signal's number."""
    code, _, _ = ran("--", "sh", "-c", "kill -9 $$", cwd=tmp_path)

    assert code == 128 + 9


ODD: dict[str, tuple[str, str]] = {
    "reads its input": ("cat", "输入"),
    "prints bytes": ("printf '\\377\\000\\200'", "\udcff\0\udc80"),
    "leaves a process behind": ("sleep 30 > /dev/null 2>&1 & echo $! > left; printf here", "here"),
    "inside another": (
        f"'{sys.executable}' -m mockserver run --chip chip4 -- sh -c 'printf %s \"${{OPENAI_BASE_URL##*/}}\"'",
        "chip4",
    ),
    "past a proxy": (
        CURL.replace('--noproxy "*"', "") % "" + " | head -n 2",
        '{\n"id": "chatcmpl-n5McEDBxBdxNDbx2CA8Rz8",\n',
    ),
}


@unix
@pytest.mark.parametrize(("script", "printed"), ODD.values(), ids=ODD)
def test_odd_commands(tmp_path: Path, script: str, printed: str) -> None:
    """Input, output and what is left behind are the command's own; a proxy in the environment is led past."""
    code, out, err = ran("--", "sh", "-c", script, cwd=tmp_path, says="输入", HTTP_PROXY="http://127.0.0.1:9")

    assert (code, out) == (0, printed), err
    left = tmp_path / "left"
    if left.exists():
        os.kill(int(left.read_text("ascii")), signal.SIGKILL)


@unix
@pytest.mark.parametrize("fault", ["timeout", "stall;after_frames=2"])
def test_a_command_that_gives_up_on_a_hang(tmp_path: Path, fault: str) -> None:
    """What hung is told of, though it ended only with the command."""
    script = (CURL % ', "stream": true') + " --max-time 0.5; exit 0"
    code, _, err = ran("--fault", fault, "--", "sh", "-c", script, cwd=tmp_path)

    assert code == 0
    assert "genstudio-mock: 1 exchange\n  #1  nvidia  " in err
    assert "\n  good: timeout: left a hanging answer after " in err


@unix
def test_for_programs(tmp_path: Path) -> None:
    """The same as JSON, in a file where one is named; standard error is then the command's own."""
    words = ("--fault", "status;status=503", "--json", "--output", "seen.json", "--", "sh", "-c", CURL % "")
    code, _, err = ran(*words, cwd=tmp_path)
    seen = json.loads((tmp_path / "seen.json").read_text("utf-8"))

    assert (code, err) == (0, "")
    [exchange] = seen["exchanges"]
    assert (exchange["status"], exchange["faults"], exchange["ending"]) == (503, ["status"], "complete")
    assert not seen["verdict"]["resilient"]
    assert [one["rule"] for one in seen["verdict"]["findings"]] == ["gave-up"]
    assert json.loads(ran("--json", "--", "true", cwd=tmp_path)[2])["exchanges"] == []


def test_nowhere_to_write(tmp_path: Path) -> None:
    """It is said before the command runs."""
    assert ran("--output", "no/seen", "--", "echo", "ran", cwd=tmp_path) == (
        2, "", "--output no/seen: no is no directory\n"
    )  # fmt: skip


@unix
def test_nobody_reads_the_report(tmp_path: Path) -> None:
    """The exit code is the command's all the same."""
    with started("--", "sh", "-c", "exit 5", cwd=tmp_path) as process:
        assert process.stderr is not None
        process.stderr.close()
        assert process.wait(WAIT_SECONDS) == 5


WRONG: dict[str, str] = {
    "": "genstudio-mock run: no command given; write it after --, like genstudio-mock run --chip chip3 -- npm test",
    "--": "genstudio-mock run: no command given; write it after --, like genstudio-mock run --chip chip3 -- npm test",
    "-- no-such-command": "genstudio-mock run: 'no-such-command': No such file or directory",
    "--chip chip33 -- true": (
        "genstudio-mock run: chip 'chip33' is not in edition 2024-tutorial; did you mean chip3, chip5, chip4?"
    ),
    "--fault cutt -- true": "genstudio-mock run: --fault cutt: type: 'cutt' is not a fault; did you mean cut?",
    "--prot 3 -- true": "genstudio-mock run: unknown flag --prot; did you mean --profiles, --output, --tls?",
    "--model a/b -- true": "--model: 'a/b' is not allowed; allowed: letters, digits, dots, dashes and underscores",
}


@pytest.mark.parametrize(("words", "text"), WRONG.items(), ids=[words or "nothing" for words in WRONG])
def test_wrong_use(tmp_path: Path, words: str, text: str) -> None:
    """Exit code 2 and one line; the command is not run."""
    code, out, err = ran(*words.split(), cwd=tmp_path)

    assert (code, out, err) == (2, "", f"{text}\n")


def test_pytest(tmp_path: Path) -> None:
    """A suite that knows nothing of the mock is run as it is."""
    (tmp_path / "test_app.py").write_text(
        "import openai\n\n"
        "def test_app():\n"
        "    answer = openai.OpenAI().chat.completions.create(model='', messages=[dict(content='你是谁?')])\n"
        "    assert answer.choices[0].message.content.startswith('我是')\n",
        "utf-8",
    )
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    code, out, err = ran("--strict", "--", *command, cwd=tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

    assert code == 0, out
    assert "1 passed" in out
    assert "genstudio-mock: 1 exchange\n" in err


FETCH = """\
const url = process.env.OPENAI_BASE_URL + "/chat/completions";
const headers = { "Content-Type": "application/json", Authorization: "Bearer " + process.env.OPENAI_API_KEY };
const body = JSON.stringify({ stream: true, messages: [{ role: "user", content: "你是谁?" }] });
const response = await fetch(url, { method: "POST", headers, body });
let text = "", rest = "";
for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + part).split("\\n");
  rest = lines.pop();
  for (const line of lines) {
    if (line.startsWith("data: {")) text += JSON.parse(line.slice(6)).choices[0].delta.content ?? "";
  }
}
console.log(text);
"""
SHOWN = {"nvidia": "我是来自无问芯穹的超大规模语言模型,我叫无问天权。\n", "chip3": "\n"}
"""What a reader of server-sent events shows: nothing where bare JSON lines came."""


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js 18 or newer, which has fetch."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


@pytest.fixture(scope="session")
def node_openai(node: str) -> Path:
    """A folder with the npm package `openai`: three seconds and 20 MB at the first time."""
    assert node
    return node_programs("node", NODE_PACKAGE)


@pytest.mark.parametrize("chip", SHOWN)
def test_node_with_fetch(node: str, tmp_path: Path, chip: str) -> None:
    """A reader of events by hand, in another language."""
    (tmp_path / "app.mjs").write_text(FETCH, "utf-8")
    code, out, err = ran("--chip", chip, "--", node, "app.mjs", cwd=tmp_path)

    assert (code, out) == (0, SHOWN[chip]), err


@pytest.mark.parametrize(("chip", "code"), [("nvidia", 0), ("chip3", 1)])
def test_npm_test(node_openai: Path, tmp_path: Path, chip: str, code: int) -> None:
    """The documented test with the official client for Node, in a project as npm makes it: chip3 breaks it."""
    test = next(block for block in blocks(ROOT / "docs" / "testing.md") if block.note == "file: app.test.mjs")
    (tmp_path / "app.test.mjs").write_text(test.text, "utf-8")
    (tmp_path / "package.json").write_text('{"scripts": {"test": "node --test"}}', "utf-8")
    (tmp_path / "node_modules").symlink_to(node_openai / "node_modules")
    exit_code, out, err = ran("--chip", chip, "--", shutil.which("npm") or "npm", "test", cwd=tmp_path)

    assert exit_code == code, out + err
    assert ("nothing was shown, and nothing was thrown" in out) == (code == 1)
    assert "genstudio-mock: 1 exchange\n" in err


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone ends a child with its parent")
def test_a_killed_run_leaves_no_command(tmp_path: Path) -> None:
    """`kill -9` of `run` ends its command too: the pipe that the command holds open closes."""
    with started("--", "sh", "-c", "echo begun; exec sleep 300", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
        assert process.stdout.read() == ""  # the end of the file, when nobody holds it open any more


def test_a_command_is_found_as_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """`npm` is `npm.cmd` on Windows, which only a look at PATH tells; `run` and `fuzz` both look."""
    monkeypatch.setattr(shutil, "which", lambda name, path=None: sys.executable if name == "npm" else None)  # noqa: ARG005

    assert execute(["npm", "-c", "raise SystemExit(7)"], os.environ) == 7
    assert Program(["npm", "-c", "print('read', end='')"], os.environ)("http://x") == "read"

"""The pytest plugin: pytest run inside pytest, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.live import MockServer
from mockserver.shared import SharedMock, _lease, _read_where
from tests.snippets import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = "pytester"

PLUGINS = ("-p", "mockserver.pytest_plugin", "-p", "xdist")
"""Named, with all others left out: it is faster, and the same whether the package is installed or not."""

SIX_LINES = """\
from openai import OpenAI


def test_my_app_on_chip3(genstudio_mock):
    client = OpenAI(base_url=genstudio_mock.chip("chip3").base_url, api_key=genstudio_mock.api_key)
    stream = client.chat.completions.create(model="", messages=[{"role": "user", "content": "你是谁?"}], stream=True)
    genstudio_mock.assert_client_saw("".join(chunk.choices[0].delta.content or "" for chunk in stream))
"""
"""README's first screen: a test that catches a client's bug on one chip."""

ASK = """\
import json, urllib.request, pytest

def ask(session, text="你是谁?", **more):
    body = json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()
    headers = {"Authorization": "Bearer " + session.api_key, "Content-Type": "application/json"}
    request = urllib.request.Request(session.base_url + "/chat/completions", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.loads(answer.read())["choices"][0]["message"]["content"]
"""
"""What most inner tests begin with."""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run pytest in a process of its own; every warning is an error there, and no mock is left behind."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    base = pytester.path / "base"

    def run(*arguments: str) -> pytest.RunResult:
        result = pytester.runpytest_subprocess(
            *PLUGINS, "-W", "error", "--strict-markers", f"--basetemp={base}", *arguments, timeout=100
        )
        for where in base.glob("genstudio-mock.json"):
            assert _lease(_read_where(where)) is None, "the mock of the run is still there"
        return result

    return run


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    """How many passed, failed and so on."""
    return {name: count for name, count in result.parseoutcomes().items() if name != "warnings"}


def test_six_lines_catch_a_bug(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
    """The official SDK shows nothing of chip3's stream; the test says so, and shows the wire."""
    pytester.makepyfile(SIX_LINES)
    result = run()

    assert outcomes(result) == {"failed": 1}
    result.stdout.re_match_lines(
        [
            r"E\s+mockserver\.client_saw\.SilentEmptyError: the client saw nothing, but chip3 sent 17 content chunks",
            r"-+ genstudio-mock: what went over the wire -+",
            r"#1  POST  /maas/mt-infini-3b/chip3/chat/completions  200  application/json  complete  19 of 19 frames",
            r"    first  '\{\"id\"",
            r"    said   17 content chunks as json-lines; '我是",
        ]
    )


def test_each_test_has_its_own_namespace(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
    """What one test scripts, arms and sees is nothing to the next; the mock is the same."""
    pytester.makepyfile(
        ASK
        + """
seen = []

@pytest.mark.parametrize("number", range(3))
def test_own(genstudio_mock, genstudio_mock_server, number):
    seen.append((genstudio_mock.api_key, genstudio_mock.url))
    assert genstudio_mock.exchanges() == [] and genstudio_mock.url == genstudio_mock_server.url
    genstudio_mock.answer(f"answer {number}", times=None)
    assert ask(genstudio_mock) == f"answer {number}"
    assert len(genstudio_mock.exchanges()) == 1

def test_keys():
    assert len({key for key, _ in seen}) == 3 and len({url for _, url in seen}) == 1
"""
    )
    assert outcomes(run()) == {"passed": 4}


def test_markers(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
    """chip, fault, fixture_set and genstudio_env set a test up; class and test together."""
    answers = pytester.mkdir("answers")
    (answers / "a.json").write_text('{"match": {"user": "hello"}, "answer": {"text": "from a file"}}')
    pytester.makepyfile(
        ASK
        + """
import os, urllib.error

@pytest.mark.chip("chip4")
def test_chip(genstudio_mock):
    assert genstudio_mock.base_url.endswith("/chip4")

@pytest.mark.chip("chip4", "chip5")
def test_chips(genstudio_mock):
    assert genstudio_mock.base_url[-5:] in ("chip4", "chip5")

@pytest.mark.fault("status;status=503", times=1)
class TestFaults:
    def test_once(self, genstudio_mock):
        with pytest.raises(urllib.error.HTTPError, match="503"):
            ask(genstudio_mock)
        ask(genstudio_mock)

    @pytest.mark.fault("latency;ms=1")
    def test_both(self, genstudio_mock):
        with pytest.raises(urllib.error.HTTPError, match="503"):
            ask(genstudio_mock)
        assert genstudio_mock.last.faults == ("status", "latency")

@pytest.mark.fixture_set("answers")
def test_fixture_set(genstudio_mock):
    assert ask(genstudio_mock, "hello") == "from a file"

@pytest.mark.genstudio_env
def test_env(genstudio_mock):
    assert os.environ["OPENAI_BASE_URL"] == os.environ["OPENAI_API_BASE"] == genstudio_mock.base_url
    assert os.environ["OPENAI_API_KEY"] == genstudio_mock.api_key

def test_env_is_gone():
    assert "OPENAI_BASE_URL" not in os.environ
"""
    )
    assert outcomes(run()) == {"passed": 8}


def test_unittest(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
    """A test case of the standard library gets the fixture as its kind get fixtures, and markers work."""
    pytester.makepyfile(
        ASK
        + """
import unittest

class TestApp(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _mock(self, genstudio_mock):
        self.mock = genstudio_mock

    @pytest.mark.chip("chip5")
    def test_it(self):
        self.mock.answer("好")
        assert ask(self.mock) == "好" and self.mock.last.chip == "chip5"
"""
    )
    assert outcomes(run()) == {"passed": 1}


def test_crosstalk(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
    """Eight workers and two hundred tests share one mock, and none sees anything of another."""
    pytester.makepyfile(
        ASK
        + """
@pytest.mark.parametrize("number", range(200))
def test_own(genstudio_mock, number, tmp_path_factory, worker_id):
    genstudio_mock.answer(f"answer {number}")
    genstudio_mock.arm("latency;ms=1")
    assert ask(genstudio_mock) == f"answer {number}"
    assert [one.faults for one in genstudio_mock.exchanges()] == [("latency",)]
    genstudio_mock.assert_all_used()
    (tmp_path_factory.getbasetemp().parent / f"seen-{worker_id}").write_text(genstudio_mock.url)
"""
    )
    assert outcomes(run("-n", "8")) == {"passed": 200}

    seen = list((pytester.path / "base").glob("seen-*"))
    assert len(seen) > 1
    assert len({path.read_text() for path in seen}) == 1


class TestServer:
    """The mock of a run: found, configured, ended."""

    def test_an_external_one(self, pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
        """With --genstudio-mock-url, or the setting, a running mock is used, and its namespaces are tidied."""
        pytester.makepyfile(ASK + "def test_it(genstudio_mock):\n    assert ask(genstudio_mock)\n")
        with MockServer() as mock:
            assert outcomes(run("--genstudio-mock-url", mock.url)) == {"passed": 1}
            pytester.makeini(f"[pytest]\ngenstudio_mock_url = {mock.url}")
            assert outcomes(run()) == {"passed": 1}
            assert [one["name"] for one in mock.call("GET", "/namespaces")] == ["default"]
            url = mock.url

        result = run()
        assert outcomes(result) == {"errors": 1}
        result.stdout.fnmatch_lines([f"{url}: no mock answers there: *"])

    def test_its_settings(self, pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
        """The flags of serve, and the configuration file beside pytest's."""
        pytester.makepyfile(
            "def test_it(genstudio_mock):\n    assert genstudio_mock.mock.edition.name == '2025-reference'"
        )
        assert outcomes(run("--genstudio-mock-args", "--edition 2025-reference")) == {"passed": 1}
        pytester.makeini("[pytest]\ngenstudio_mock_args = --edition 2025-reference")
        assert outcomes(run()) == {"passed": 1}
        pytester.makeini("[pytest]")
        (pytester.path / "genstudio-mock.toml").write_text('edition = "2025-reference"\nport = 1\napi_key = ["x"]\n')
        assert outcomes(run()) == {"passed": 1}

    def test_wrong_settings(self, pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
        """The error of the test is the operator's one line."""
        pytester.makepyfile("def test_it(genstudio_mock):\n    pass")
        result = run("--genstudio-mock-args", "--edition 2025")

        assert outcomes(result) == {"errors": 1}
        result.stdout.re_match_lines([r"edition: '2025' is not in .*; known: 2024-tutorial, 2025-reference"])

    def test_no_mock_without_need(self, pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
        """A suite that does not use the mock starts none and imports nothing of it."""
        pytester.makepyfile("""
            import sys

            def test_it():
                assert not {"mockserver.session", "mockserver.live", "pydantic", "uvicorn"} & set(sys.modules)
        """)
        assert outcomes(run()) == {"passed": 1}
        assert not list((pytester.path / "base").glob("genstudio-mock*"))

    @pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
    def test_a_killed_run_leaves_no_mock(self, pytester: pytest.Pytester) -> None:
        """The kernel closes the leases of processes that were killed, so the mock ends."""
        base = pytester.path / "base"
        pytester.makepyfile(
            "import sys\n\ndef test_it(genstudio_mock):\n    print('here', flush=True)\n    sys.stdin.read()"
        )
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", *PLUGINS, "-s", "-p", "no:cacheprovider", f"--basetemp={base}"]
        with subprocess.Popen(
            command, cwd=pytester.path, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert any(b"here" in line for line in process.stdout)
            where = _read_where(base / "genstudio-mock.json")
            watching = _lease(where)
            assert watching is not None
            process.kill()
            process.wait(10)

        with watching:  # ours is the last lease now, and its end is that of the mock's process
            watching.settimeout(20)
            watching.shutdown(1)
            assert watching.recv(1) == b""
        assert _lease(where) is None

    def test_who_comes_later(self, tmp_path: Path) -> None:
        """Two processes hold one mock; it ends with the second, and who comes then starts a new one."""
        one = SharedMock(tmp_path, (), tmp_path)
        other = SharedMock(tmp_path, (), tmp_path)
        assert one.url == other.url
        one.leave()
        assert other.edition.name == "2024-tutorial"
        other.leave()
        third = SharedMock(tmp_path, (), tmp_path)
        assert third.url != one.url
        third.leave()
        assert _lease(_read_where(tmp_path / "genstudio-mock.json")) is None


CHIPS = (
    ASK
    + """
import http.client, socket

def lines(session):
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
    headers = {"Authorization": "Bearer " + session.api_key, "Content-Type": "application/json"}
    request = urllib.request.Request(session.base_url + "/chat/completions", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return [line for line in answer.read().decode().split("\\n") if line]

def test_events_only(genstudio_mock):
    chunks = [json.loads(line[6:]) for line in lines(genstudio_mock) if line.startswith("data: {")]
    genstudio_mock.assert_client_saw("".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks))

def test_prefix_needed(genstudio_mock):
    json.loads(lines(genstudio_mock)[0].removeprefix("data: "))
    raise KeyError("choices")

def test_text(genstudio_mock):
    assert ask(genstudio_mock) == "something else"

@pytest.mark.fault("timeout", chip="chip3")
def test_hang(genstudio_mock):
    assert ask(genstudio_mock)

@pytest.mark.parametrize("n", [1, 2])
def test_good(genstudio_mock, n):
    if n == 2:
        pytest.skip("not today")
    assert ask(genstudio_mock)

def test_without():
    pass
"""
)
MATRIX = """\
test                      nvidia       chip3
test_it.py::test_events_only    passed       silent empty
test_it.py::test_good[1]        passed       passed
test_it.py::test_good[2]        skipped      skipped
test_it.py::test_hang           passed       hang
test_it.py::test_prefix_needed  KeyError     KeyError
test_it.py::test_text           wrong text   wrong text
"""


class TestChips:
    """`pytest --chips`."""

    @pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
    def test_the_matrix(
        self, pytester: pytest.Pytester, run: Callable[..., pytest.RunResult], workers: tuple[str, ...]
    ) -> None:
        """Each test that uses the mock runs once for each chip; what became of it is printed and written."""
        pytester.makepyfile(test_it=CHIPS)
        result = run("--chips", "nvidia,chip3", "--chips-timeout", "1", "--chips-report", "r.md",
                     "--chips-report", "r.json", *workers)  # fmt: skip

        assert outcomes(result) == {"passed": 5, "failed": 6, "skipped": 2}
        printed = [line.split() for line in result.stdout.lines]
        for line in MATRIX.splitlines():
            assert line.split() in printed
        result.stdout.fnmatch_lines(["4 passed, 2 wrong text, 1 silent empty, 2 exception, 1 hang, 2 skipped"])
        markdown = (pytester.path / "r.md").read_text("utf-8")
        assert "| `test_it.py::test_hang` | passed | hang |" in markdown
        assert "- `test_it.py::test_hang` on chip3: hang: still running after 1 s (--chips-timeout)" in markdown
        data: dict[str, Any] = json.loads((pytester.path / "r.json").read_text("utf-8"))
        fates = {row["test"]: [row["chips"][chip]["fate"] for chip in data["chips"]] for row in data["tests"]}
        assert data["chips"] == ["nvidia", "chip3"]
        assert fates["test_it.py::test_events_only"] == ["passed", "silent empty"]
        assert fates["test_it.py::test_prefix_needed"] == ["exception", "exception"]

    def test_the_summary_of_a_workflow(
        self, pytester: pytest.Pytester, run: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All chips of the edition; what stood in $GITHUB_STEP_SUMMARY stays; a marker's chip is not multiplied."""
        pytester.makepyfile(
            ASK
            + """
def test_it(genstudio_mock):
    assert ask(genstudio_mock)

@pytest.mark.chip("chip3")
def test_one(genstudio_mock):
    assert ask(genstudio_mock)
"""
        )
        summary = pytester.path / "summary.md"
        summary.write_text("before\n")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        # The fixture takes the variable away for all other runs; this one is about it.
        assert outcomes(run("--chips", "all")) == {"passed": 8}

        assert summary.read_text("utf-8").startswith(
            "before\n## Which test survives which chip\n\n| test | nvidia | amd |"
        )

    WRONG: list[tuple[str, str]] = [  # noqa: RUF012 - a table for the test below
        ("--chips chip33", "*--chips: 'chip33' is not in edition 2024-tutorial; did you mean chip3, chip5, chip4?"),
        ("--chips ,", "*--chips: ',' names no chip; allowed: all, nvidia, *"),
        ("--chips all --chips-timeout 0", "*--chips-timeout: 0 is not allowed; allowed: more than 0 seconds"),
        ("--chips all --chips-report r.txt", "*--chips-report: 'r.txt' is not allowed; allowed: [*].md, [*].json"),
        ("--chips-report r.md", "*--chips-report: there is no matrix without --chips; add --chips all"),
        ("--chips all --genstudio-mock-args=--prot", "*unknown flag --prot; did you mean *"),
        ("--chips all --genstudio-mock-url http://127.0.0.1:1", "*http://127.0.0.1:1: no mock answers there: *"),
    ]

    @pytest.mark.parametrize(("words", "line"), WRONG, ids=[words for words, _ in WRONG])
    def test_wrong_use(
        self, pytester: pytest.Pytester, run: Callable[..., pytest.RunResult], words: str, line: str
    ) -> None:
        """The way of pytest for a wrong option: exit code 4 and one line."""
        pytester.makepyfile("def test_it():\n    pass")
        result = run(*words.split())

        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([line])


def test_help(run: Callable[..., pytest.RunResult]) -> None:
    """Options, settings and markers are told of where pytest tells of them."""
    told = str(run("--help").stdout) + str(run("--markers").stdout)

    for word in (
        "--genstudio-mock-url=URL",
        "--chips=all|NAME,...",
        "genstudio_mock_args",
        "@pytest.mark.fixture_set(",
    ):
        assert word in told

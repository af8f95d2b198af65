"""The mock of a pytest run from another environment: the tests' own lacks everything that the server needs."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from tests.inner_pytest import ASK, outcomes, runner
from tests.snippets import ROOT

if TYPE_CHECKING:
    from tests.inner_pytest import Run

pytest_plugins = "pytester"

LACKING = (
    "faker", "google", "h11", "httptools", "hypothesis", "pydantic", "pydantic_core", "re2", "starlette", "uvicorn",
    "uvloop",
)  # fmt: skip
WITHOUT = f"""
import sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LACKING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuses())
"""
"""A `sitecustomize` that makes an environment without the server's packages of one that has them."""
START = f"""
import sys

sys.path.insert(0, {str(ROOT)!r})
from mockserver.cli import run

run()
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest without the server's packages; the mock's command line is in the settings."""
    made = runner(pytester, monkeypatch)
    bare = pytester.mkdir("bare")
    (bare / "sitecustomize.py").write_text(WITHOUT, "utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(bare), str(ROOT)]))
    (bare / "start.py").write_text(START, "utf-8")
    command = shlex.join([sys.executable, str(bare / "start.py")])
    pytester.makeini(f"[pytest]\ngenstudio_mock_command = {command}\n")
    return made


TESTS = (
    ASK
    + f"""
import sys, urllib.error
import mockserver

LACKING = {LACKING}

@pytest.fixture(autouse=True)
def _lacking():
    with pytest.raises(ModuleNotFoundError):
        import pydantic
    yield
    assert not [name for name in sys.modules if name.partition(".")[0] in LACKING]
"""
    + """
def test_answers(genstudio_mock):
    genstudio_mock.answer("你好", contains="hi")
    assert ask(genstudio_mock, "hi") == "你好"
    genstudio_mock.assert_client_saw("你好")
    genstudio_mock.assert_all_used()
    assert genstudio_mock.wait_for(1)[0].carried.text == "你好"

def test_faults(genstudio_mock):
    genstudio_mock.arm("latency;ms=1, status;status=503;message=12", times=1)
    genstudio_mock.arm({"type": "latency", "ms": 1})
    with pytest.raises(urllib.error.HTTPError, match="503"):
        ask(genstudio_mock)
    ask(genstudio_mock)
    genstudio_mock.disarm()
    assert [one.faults for one in genstudio_mock.exchanges()] == [("latency", "status", "latency"), ("latency",)]
    assert "12" in genstudio_mock.exchanges()[0].detail
    assert genstudio_mock.verdict().resilient
    genstudio_mock.assert_resilient()

def test_the_rest_of_a_session(genstudio_mock, genstudio_mock_server, tmp_path, monkeypatch):
    genstudio_mock.set_env(monkeypatch)
    genstudio_mock.clock.advance(1000)
    assert genstudio_mock.clock.elapsed_ms >= 1000
    ask(genstudio_mock.model("qwen-7b-chat"))
    genstudio_mock.save(tmp_path / "kept.json")
    assert "qwen-7b-chat" in (tmp_path / "kept.json").read_text("utf-8")
    genstudio_mock.reset()
    with genstudio_mock_server.session() as other:
        assert other.exchanges() == genstudio_mock.exchanges() == []

@pytest.mark.chip("chip3", "chip4")
@pytest.mark.fault("latency;ms=1")
@pytest.mark.genstudio_env
def test_markers(genstudio_mock):
    ask(genstudio_mock)
    assert genstudio_mock.last.faults == ("latency",)

def test_a_fault_as_a_value(genstudio_mock):
    with pytest.raises(ImportError) as wrong:
        mockserver.Cut
    assert str(wrong.value) == (
        "mockserver.Cut needs pydantic, which is not installed here; docs/testing.md tells what works without"
    )

@pytest.mark.fixture_set(".")
def test_fixture_files(genstudio_mock):
    pass
"""
)
FIXTURE_FILES = (
    "@pytest.mark.fixture_set: answer_from: fixture files are read with pydantic, which is not installed here; "
    "install it, or let the mock read them: genstudio_mock_args = --fixtures FOLDER"
)


def test_without_the_servers_packages(pytester: pytest.Pytester, run: Run) -> None:
    """Fixtures, markers and every method of a session work; what needs a package that is missing says so in a line."""
    pytester.makepyfile(TESTS)
    result = run()

    assert outcomes(result) == {"passed": 6, "errors": 1}
    assert FIXTURE_FILES in result.outlines


def test_its_chips(pytester: pytest.Pytester, run: Run) -> None:
    """`--chips` asks the mock which there are; all workers share it, and it takes its flags from the settings."""
    pytester.makepyfile(ASK + "def test_it(genstudio_mock):\n    assert ask(genstudio_mock, model=None)\n")
    flags = ("--genstudio-mock-args", "--edition 2025-reference")
    result = run("--chips", "nvidia,chip3", "-n", "2", *flags)
    assert outcomes(result) == {"passed": 2}

    wrong = run("--chips", "chip9", *flags)
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    wrong.stderr.fnmatch_lines(["*--chips: 'chip9' is not in edition 2025-reference; did you mean *"])


def test_the_default_needs_them(pytester: pytest.Pytester, run: Run) -> None:
    """Without the setting this environment's own mock is started, which says what is missing and what to set."""
    pytester.makeini("[pytest]")
    pytester.makepyfile("def test_it(genstudio_mock):\n    pass")
    result = run()

    assert outcomes(result) == {"errors": 1}
    told = "genstudio-mock: uvicorn is not installed here; pip install without --no-deps brings it, and for pytest"
    result.stdout.fnmatch_lines([f"{told} genstudio_mock_command can start the one of another environment"])


def test_the_variable_comes_first(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """GENSTUDIO_MOCK_COMMAND counts before the setting, and the mock that it starts does not read it."""
    pytester.makepyfile("def test_it(genstudio_mock):\n    pass")
    monkeypatch.setenv("GENSTUDIO_MOCK_COMMAND", shlex.join([sys.executable, str(pytester.path / "bare" / "start.py")]))
    pytester.makeini("[pytest]\ngenstudio_mock_command = nowhere")

    assert outcomes(run()) == {"passed": 1}


ADVICE = "genstudio_mock_command is the command line of genstudio-mock, like uvx --from PATH genstudio-mock"
SAYS = shlex.join([sys.executable, "-c", "print('hello')"])
FAILS = shlex.join([sys.executable, "-c", "raise SystemExit('no such flag')"])
WRONG = {
    "nowhere-to-be-found": "genstudio_mock_command: 'nowhere-to-be-found' cannot be started: *",
    SAYS: f"{SAYS} serve --lease: ended with exit code *, and is no mock: hello; {ADVICE}",
    FAILS: f"{FAILS} serve --lease: ended with exit code 1, and is no mock: no such flag; {ADVICE}",
    "'": """genstudio_mock_command: "'" cannot be split into words: No closing quotation""",
}


@pytest.mark.parametrize(("command", "text"), WRONG.items(), ids=["not there", "says", "fails", "quote"])
def test_commands_that_start_no_mock(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch, command: str, text: str
) -> None:
    """The tests fail in one line that has the command and what it said."""
    pytester.makepyfile("def test_it(genstudio_mock):\n    pass")
    monkeypatch.setenv("GENSTUDIO_MOCK_COMMAND", command)
    result = run()

    assert outcomes(result) == {"errors": 1}
    result.stdout.fnmatch_lines([text.replace("[", "[[]")])

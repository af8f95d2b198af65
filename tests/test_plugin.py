"""The pytest plugin: a namespace for each test, markers, and what a failure shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.inner_pytest import ASK, SIX_LINES, outcomes, runner

if TYPE_CHECKING:
    from tests.inner_pytest import Run

pytest_plugins = "pytester"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a process of its own."""
    return runner(pytester, monkeypatch)


def test_six_lines_catch_a_bug(pytester: pytest.Pytester, run: Run) -> None:
    """The official SDK shows nothing of chip3's stream; the test says so, and shows the wire."""
    pytester.makepyfile(SIX_LINES)
    result = run()

    assert outcomes(result) == {"failed": 1}
    result.stdout.re_match_lines(
        [
            r"E\s+mockserver\.SilentEmptyError: the client saw nothing, but chip3 sent 17 content chunks",
            r"-+ genstudio-mock: what went over the wire -+",
            r"#1  POST  /maas/mt-infini-3b/chip3/chat/completions  200  application/json  complete  19 of 19 frames",
            r"    first  '\{\"id\"",
            r"    said   17 content chunks as json-lines; '我是",
        ]
    )


def test_a_fixture_that_fails_shows_the_wire(pytester: pytest.Pytester, run: Run) -> None:
    """What a fixture asked before it broke stands in the report of the error."""
    pytester.makepyfile(
        ASK
        + """
@pytest.fixture
def logged_in(genstudio_mock):
    raise LookupError(ask(genstudio_mock))

def test_it(logged_in):
    pass
"""
    )
    result = run()

    assert outcomes(result) == {"errors": 1}
    result.stdout.re_match_lines([r"-+ genstudio-mock: what went over the wire -+", r"#1  POST  /maas/.*  200  "])


def test_each_test_has_its_own_namespace(pytester: pytest.Pytester, run: Run) -> None:
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


def test_markers(pytester: pytest.Pytester, run: Run) -> None:
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


def test_wrong_markers(pytester: pytest.Pytester, run: Run) -> None:
    """A marker that asks for what is not there is an error of its test, in one line that names the marker."""
    pytester.makepyfile(
        """
import pytest

@pytest.mark.chip("chip33")
def test_chip(genstudio_mock):
    pass

@pytest.mark.fault("cutt")
def test_fault(genstudio_mock):
    pass

@pytest.mark.fault("cut;after_frames=1", times=0)
def test_times(genstudio_mock):
    pass

@pytest.mark.fixture_set("nowhere")
def test_fixture_set(genstudio_mock):
    pass
"""
    )
    result = run("-q")

    assert outcomes(result) == {"errors": 4}
    assert [line for line in result.outlines if line.startswith("@")] == [
        "@pytest.mark.chip: chip 'chip33' is not in edition 2024-tutorial; did you mean chip3, chip5, chip4?",
        "@pytest.mark.fault: type: 'cutt' is not a fault; did you mean cut?",
        "@pytest.mark.fault: POST /_mock/faults: 400: times: 0 is not allowed; allowed: greater than or equal to 1",
        f"@pytest.mark.fixture_set: {pytester.path / 'nowhere'}: no such file or folder",
    ]
    assert not any("Error" in line and line.startswith("E ") for line in result.outlines)


@pytest.mark.parametrize("marker", ["chip", "chip(3)"])
def test_a_chip_without_a_name(pytester: pytest.Pytester, run: Run, marker: str) -> None:
    """It is told where the tests are collected."""
    pytester.makepyfile(f"import pytest\n\n@pytest.mark.{marker}\ndef test_it(genstudio_mock):\n    pass")
    result = run()

    assert outcomes(result) == {"errors": 1}
    result.stdout.fnmatch_lines(["@pytest.mark.chip: it takes one or several names of chips, each a text"])


CONFTEST = """\
import os

os.environ["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1"
os.environ["OPENAI_API_KEY"] = "sk-mine"
os.environ["HTTP_PROXY"] = "http://127.0.0.1:9"
"""
STRICT = """\
[pytest]
addopts = --import-mode=importlib --strict-config
filterwarnings = error
xfail_strict = true
"""
PROJECT = """\
import openai, pytest

def ask(**more):
    messages = [{"role": "user", "content": "你是谁?"}]
    return openai.OpenAI(max_retries=0, **more).chat.completions.create(model="", messages=messages)

@pytest.mark.genstudio_env
def test_led_there(genstudio_mock):
    ask()
    assert genstudio_mock.last.status == 200

def test_asks_the_proxy(genstudio_mock):
    ask(base_url=genstudio_mock.base_url, api_key=genstudio_mock.api_key)
"""


def test_in_a_project_of_its_own(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strict settings, a client set up for elsewhere, a proxy, no home, a folder that needs quoting: all is well.

    Where the client asks the proxy, because nobody led it past, the report says so.
    """
    folder = pytester.mkdir("用户 项目") / "tests"
    folder.mkdir()
    for name, text in {"../conftest.py": CONFTEST, "../pytest.ini": STRICT, "test_it.py": PROJECT}.items():
        (folder / name).write_text(text, "utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HOME", raising=False)
    result = run()

    assert outcomes(result) == {"passed": 1, "failed": 1}
    assert (
        "no request came to this test's namespace; a proxy is set: NO_PROXY=127.0.0.1 or the marker genstudio_env "
        "leads past it"
    ) in result.outlines


def test_unittest(pytester: pytest.Pytester, run: Run) -> None:
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


def test_crosstalk(pytester: pytest.Pytester, run: Run) -> None:
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


def test_help(run: Run) -> None:
    """Options, settings and markers are told of where pytest tells of them."""
    told = str(run("--help").stdout) + str(run("--markers").stdout)

    for word in (
        "--genstudio-mock-url=URL",
        "--chips=all|distinct|NAME,...",
        "genstudio_mock_args",
        "@pytest.mark.fixture_set(",
    ):
        assert word in told

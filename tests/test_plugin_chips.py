"""`pytest --chips`: which test survives which chip."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.inner_pytest import ASK, outcomes, runner

if TYPE_CHECKING:
    from tests.inner_pytest import Run

pytest_plugins = "pytester"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a process of its own."""
    return runner(pytester, monkeypatch)


CHIPS = (
    ASK
    + """
import http.client, socket

def lines(session):
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
    headers = {"Authorization": "Bearer " + session.api_key, "Content-Type": "application/json"}
    request = urllib.request.Request(session.base_url + "/chat/completions", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=WAIT_SECONDS) as answer:
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
    def test_the_matrix(self, pytester: pytest.Pytester, run: Run, workers: tuple[str, ...]) -> None:
        """Each test that uses the mock runs once for each chip; what became of it is printed and written."""
        pytester.makepyfile(test_it=CHIPS)
        result = run("--chips", "nvidia,chip3", "--chips-timeout", "3", "--chips-report", "r.md",
                     "--chips-report", "r.json", *workers)  # fmt: skip

        assert outcomes(result) == {"passed": 5, "failed": 6, "skipped": 2}
        printed = [line.split() for line in result.stdout.lines]
        for line in MATRIX.splitlines():
            assert line.split() in printed
        result.stdout.fnmatch_lines(["4 passed, 2 wrong text, 1 silent empty, 2 exception, 1 hang, 2 skipped"])
        markdown = (pytester.path / "r.md").read_text("utf-8")
        assert "| `test_it.py::test_hang` | passed | hang |" in markdown
        assert "- `test_it.py::test_hang` on chip3: hang: still running after 3 s (--chips-timeout)" in markdown
        data: dict[str, Any] = json.loads((pytester.path / "r.json").read_text("utf-8"))
        fates = {row["test"]: [row["chips"][chip]["fate"] for chip in data["chips"]] for row in data["tests"]}
        assert data["chips"] == ["nvidia", "chip3"]
        assert fates["test_it.py::test_events_only"] == ["passed", "silent empty"]
        assert fates["test_it.py::test_prefix_needed"] == ["exception", "exception"]

    def test_the_summary_of_a_workflow(
        self, pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
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

    @pytest.mark.parametrize("edition", ["2024-tutorial", "2025-reference"])
    def test_one_chip_of_each_wire_form(self, pytester: pytest.Pytester, run: Run, edition: str) -> None:
        """`--chips distinct` asks the first chip of each; what else a chip has is its pace."""
        pytester.makepyfile("def test_it(genstudio_mock):\n    pass")
        result = run("--chips", "distinct", "--genstudio-mock-args", f"--edition {edition}")

        assert outcomes(result) == {"passed": 2}
        assert ["test", "nvidia", "chip3"] in [line.split() for line in result.stdout.lines]

    def test_parameters_that_look_like_chips(self, pytester: pytest.Pytester, run: Run) -> None:
        """A row is a test with all its parameters, whatever they are called."""
        pytester.makepyfile(
            test_it="""
import pytest

@pytest.mark.parametrize("text", ["chip3", "[chip3]", "a[chip3-b"])
def test_text(genstudio_mock, text):
    pass
"""
        )
        result = run("--chips", "nvidia,chip3")

        assert outcomes(result) == {"passed": 6}
        rows = [line.split() for line in result.stdout.lines if line.startswith("test_it.py::")]
        assert rows == [
            [f"test_it.py::test_text[{text}]", "passed", "passed"] for text in ("[chip3]", "a[chip3-b", "chip3")
        ]

    def test_reports_that_cannot_be_written(
        self, pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run's outcome is what it is; a line tells what is missing."""
        pytester.makepyfile("def test_it(genstudio_mock):\n    pass")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", "nowhere/summary.md")
        result = run("--chips", "chip3", "--chips-report", "nowhere/r.md", "--chips-report", "r.json")

        assert outcomes(result) == {"passed": 1}
        assert {
            "--chips-report nowhere/r.md: cannot be written: No such file or directory",
            "$GITHUB_STEP_SUMMARY: nowhere/summary.md: cannot be written: No such file or directory",
        } <= set(result.outlines)
        assert (pytester.path / "r.json").exists()

    def test_nothing_is_told_of_what_did_not_run(self, pytester: pytest.Pytester, run: Run) -> None:
        """`--collect-only` shows the tests, one for each chip, and no matrix."""
        pytester.makepyfile("def test_it(genstudio_mock):\n    pass")
        result = run("--chips", "nvidia,chip3", "--collect-only", "-q")

        assert [line for line in result.outlines if "::" in line] == [
            f"test_nothing_is_told_of_what_did_not_run.py::test_it[{chip}]" for chip in ("nvidia", "chip3")
        ]
        assert "survives" not in str(result.stdout)

    WRONG: list[tuple[str, str]] = [  # noqa: RUF012 - a table for the test below
        ("--chips chip33", "*--chips: 'chip33' is not in edition 2024-tutorial; did you mean chip3, chip5, chip4?"),
        (
            "--chips ,",
            "*--chips: ',' names no chip; allowed: all, distinct, nvidia, amd, chip1, chip2, chip3, chip4, chip5",
        ),
        ("--chips all --chips-timeout 0", "*--chips-timeout: 0 is not allowed; allowed: more than 0 seconds"),
        (
            "-p no_timers --chips all --chips-timeout 5",
            "*--chips-timeout: this system has no interval timers, so nothing ends a test that hangs; leave it out*",
        ),
        (
            "--chips all --chips-report r.txt",
            "*--chips-report: 'r.txt' is not allowed; allowed: [*].md, [*].json, [*].html",
        ),
        ("--chips-report r.md", "*--chips-report: there is no matrix without --chips; add --chips all"),
        ("--chips all --genstudio-mock-args=--prot", "*unknown flag --prot; did you mean --port, --host, --profiles?"),
        (
            "--chips all --genstudio-mock-args='",
            """*--genstudio-mock-args: "'" cannot be split into flags: No closing quotation""",
        ),
        ("--chips all --genstudio-mock-url http://127.0.0.1:1", "*http://127.0.0.1:1: no mock answers there: *"),
    ]

    @pytest.mark.parametrize(("words", "line"), WRONG, ids=[words for words, _ in WRONG])
    def test_wrong_use(self, pytester: pytest.Pytester, run: Run, words: str, line: str) -> None:
        """The way of pytest for a wrong option: exit code 4 and one line."""
        pytester.makepyfile("def test_it():\n    pass", no_timers="import signal\n\ndel signal.setitimer")
        pytester.syspathinsert()
        result = run(*words.split())

        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert len([one for one in result.errlines if one.startswith("ERROR")]) == 1
        result.stderr.fnmatch_lines([line])

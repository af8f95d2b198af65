"""The files and snippets for CI systems: their shell runs here, and they name what is there."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import Request, urlopen

import pytest
import yaml  # type: ignore[import-untyped]

from mockserver.testing.control_client import ControlClient
from tests.snippets import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = (ROOT / "docs" / "ci.md").read_text("utf-8")
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ACTION: Final[dict[str, Any]] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
SUMMARY: Final[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/action/summary/action.yml").read_text("utf-8"))
BIN: Final = Path(sys.executable).parent
SECONDS: Final = 60


def block(number: int, language: str) -> str:
    """A snippet of the page by its place among those of its language."""
    found: list[str] = [text for kind, text in BLOCK.findall(PAGE) if kind == language]
    return found[number]


def shell(text: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a CI system would, in the group of its own that is ended at the end."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-e", "-c", f"{text}\n"], cwd=folder, env={**os.environ, "PATH": path, **environ}, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    out, _ = process.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess(text, process.returncode, out)


def without_install(script: str) -> str:
    """A script without the lines that install: the package is installed here already."""
    return "\n".join(line for line in script.splitlines() if "pip install" not in line)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a job; a mock that it leaves behind is ended."""
    yield tmp_path
    for name in ("pid", "runner/genstudio-mock/pid"):
        if (tmp_path / name).is_file():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int((tmp_path / name).read_text("utf-8")), signal.SIGTERM)


def started(folder: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the action's script as a runner would; what it printed, and its outputs."""
    home = folder / "runner" / "genstudio-mock" / "venv" / "bin"
    home.mkdir(parents=True, exist_ok=True)
    for command in ("genstudio-mock", "python"):
        (home / command).unlink(missing_ok=True)
        (home / command).write_text(f'#!/bin/sh\nexec "{BIN / command}" "$@"\n', "utf-8")
        (home / command).chmod(0o755)
    outputs, path = folder / "outputs", folder / "path"
    (step,) = ACTION["runs"]["steps"]
    given = {f"INPUT_{name.upper().replace('-', '_')}": str(row["default"]) for name, row in ACTION["inputs"].items()}
    assert given.keys() == step["env"].keys()
    environ = {
        **given, **inputs, "INPUT_PYTHON": sys.executable, "RUNNER_TEMP": str(folder / "runner"),
        "GITHUB_OUTPUT": str(outputs), "GITHUB_PATH": str(path), "GITHUB_ACTION_PATH": str(ROOT),
    }  # fmt: skip
    done = shell(step["run"], folder, **environ)
    lines = outputs.read_text("utf-8").splitlines() if outputs.exists() else []
    return done, dict(line.split("=", 1) for line in lines)


def test_the_action_starts_a_mock_and_says_where(folder: Path) -> None:
    """Its outputs are those that it declares; flags with quotes are a shell's; it goes on when the step is over."""
    done, outputs = started(folder, INPUT_EDITION="2025-reference", INPUT_ARGS="--strict --model 'my-model'")

    assert done.returncode == 0, done.stdout
    assert outputs.keys() == ACTION["outputs"].keys()
    named = [f"${{{{ steps.start.outputs.{name} }}}}" for name in ACTION["outputs"]]
    assert [row["value"] for row in ACTION["outputs"].values()] == named
    mock = ControlClient(outputs["url"])
    assert (mock.edition.name, "my-model" in mock.edition.models) == ("2025-reference", True)
    assert outputs["base-url"] == mock.base_url()
    assert outputs["url"].endswith(f":{outputs['port']}")


def test_the_action_puts_its_command_alone_on_the_path(folder: Path) -> None:
    """The steps that follow keep the Python that the job has set up, and its packages."""
    started(folder)
    (added,) = (folder / "path").read_text("utf-8").splitlines()

    assert [one.name for one in Path(added).iterdir()] == ["genstudio-mock"]
    done = shell(f'PATH="{added}:/usr/bin:/bin" genstudio-mock --version', folder)
    assert (done.returncode, done.stdout.split()[0]) == (0, "genstudio-mock")


def test_the_summary_tells_what_the_mock_saw(folder: Path) -> None:
    """In Markdown, with the verdict; a bad finding fails the job only where that is asked for."""
    _, outputs = started(folder)
    for _ in range(2):
        with pytest.raises(OSError, match="503"):
            urlopen(_request(outputs, "status;status=503;retry_after_s=9"))
    (step,) = SUMMARY["runs"]["steps"]
    summary = folder / "summary.md"
    environ = {"RUNNER_TEMP": str(folder / "runner"), "GITHUB_STEP_SUMMARY": str(summary), "INPUT_URL": outputs["url"]}

    assert shell(step["run"], folder, **environ, INPUT_FAIL="false").returncode == 0
    assert shell(step["run"], folder, **environ, INPUT_FAIL="true").returncode == 1
    told = summary.read_text("utf-8")
    assert told.startswith(
        "## What the mock saw of the client\n\nnot resilient: 1 bad finding\n\n- bad: retry-after: asked to wait "
    )
    assert "\n#1  nvidia  503  complete  faults status\n" in told


def _request(outputs: dict[str, str], fault: str) -> Request:
    body = b'{"messages": [{"role": "user", "content": "a"}]}'
    headers = {"Authorization": f"Bearer {outputs['api-key']}", "X-Mock-Fault": fault}
    headers["Content-Type"] = "application/json"
    return Request(f"{outputs['base-url']}/chat/completions", body, headers)


WRONG: Final = {
    "a flag": ({"INPUT_ARGS": "--prot 3"}, "unknown flag --prot; did you mean --port"),
    "an edition": ({"INPUT_EDITION": "2031"}, "edition: '2031'"),
    "fixtures": ({"INPUT_FIXTURES": "nowhere"}, "--fixtures: 'nowhere' is not allowed"),
}


@pytest.mark.parametrize(("inputs", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_input_fails_the_step_with_its_line(folder: Path, inputs: dict[str, str], text: str) -> None:
    """The line that the command ended with is the annotation of the job."""
    done, outputs = started(folder, **inputs)

    assert (done.returncode, outputs) == (1, {})
    assert done.stdout.startswith("::error title=genstudio-mock::")
    assert text in done.stdout


def test_the_workflow_uses_the_actions_as_they_are() -> None:
    """Each input and output that the page's workflow names is there, and the table tells all inputs."""
    workflow = yaml.safe_load(block(0, "yaml"))
    steps = workflow["jobs"]["test"]["steps"]
    start, summary = (one for one in steps if one.get("uses", "").startswith("genstudio-mock/"))
    named = set(re.findall(r"steps\.mock\.outputs\.([\w-]+)", block(0, "yaml")))

    assert start["with"].keys() <= ACTION["inputs"].keys()
    assert summary["with"].keys() <= SUMMARY["inputs"].keys()
    assert named <= ACTION["outputs"].keys()
    assert [name for name in ACTION["inputs"] if f"`{name}`" not in PAGE] == []
    assert (ROOT / summary["uses"].partition("@")[0].split("/", 2)[2] / "action.yml").is_file()


def test_gitlabs_script_runs(folder: Path) -> None:
    """Its lines are one shell's, the last of which asks the mock; what comes after tells the verdict."""
    job = yaml.safe_load(block(1, "yaml"))["test"]
    lines = "\n".join([*job["script"], *job["after_script"]]).replace("8777", "0").replace(" verdict", VERDICT)
    done = shell(without_install(lines.replace("2>&1 &", "2>&1 & echo $! > pid")), folder)

    assert done.returncode == 0, done.stdout
    assert '"status":"ok"' in done.stdout
    assert done.stdout.endswith("no request came: see that the client asks this mock, with the key that is meant\n")


VERDICT: Final = ' verdict --base-url "http://127.0.0.1:$(cat mock.port)"'


def test_jenkins_script_runs(folder: Path) -> None:
    """Of the shell within the pipeline, with the command of this environment."""
    (script,) = re.findall(r"sh '''\n(.*?)'''", block(0, "groovy"), re.DOTALL)
    script = without_install(script).replace(".mock/bin/", "").replace("python3 -m venv .mock", "")
    done = shell(script, folder)

    assert done.returncode == 0, done.stdout
    assert "the command's exit code: 7" in done.stdout


def test_azures_script_runs(folder: Path) -> None:
    """It sets the variable that the next steps read."""
    script = yaml.safe_load(block(2, "yaml"))["steps"][1]["script"]
    done = shell(without_install(script).replace("2>&1 &", "2>&1 & echo $! > pid"), folder)

    assert done.returncode == 0, done.stdout
    told = r"^##vso\[task\.setvariable variable=OPENAI_BASE_URL\]http://127\.0\.0\.1:\d+/maas/"
    assert re.search(told, done.stdout, re.MULTILINE)

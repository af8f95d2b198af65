"""`genstudio-mock init`: what it writes works, and what is there stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]

from mockserver.cli import init
from mockserver.cli.schema import schema
from mockserver.settings.config import load
from tests.command import called
from tests.lean_pytest import LEAN

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "genstudio-mock.toml",
    "mock-answers/mt-infini-3b/any/hello.json",
    "test_genstudio_mock.py",
    ".genstudio-mock/config.schema.json",
    ".genstudio-mock/fixture.schema.json",
}
WORKFLOW = ".github/workflows/genstudio-mock.yml"


def _json(value: object) -> object:
    return json.loads(json.dumps(value))


def written(folder: Path) -> set[str]:
    """The files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_new_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, an answer, a test and the schemas are written, each is valid, and the test passes."""
    monkeypatch.chdir(tmp_path)
    code, out, err = called("init")

    assert (code, err) == (0, "")
    assert written(tmp_path) == FILES
    assert out.startswith("wrote  genstudio-mock.toml\n")
    assert "  pytest test_genstudio_mock.py " in out
    assert called("validate", "genstudio-mock.toml", "mock-answers")[0] == 0
    assert load({}, {}, cwd=tmp_path).config.fixtures == (tmp_path / "mock-answers",)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path, env={**os.environ, **LEAN}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("there", "first"),
    [
        pytest.param({"pytest", "openai"}, "pytest test_genstudio_mock.py", id="all-there"),
        pytest.param({"pytest"}, "pip install openai", id="no-client"),
        pytest.param(set[str](), "pip install pytest openai", id="neither"),
    ],
)
def test_what_the_first_test_wants_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: set[str], first: str
) -> None:
    """An environment that holds only the mock is told what to install before the test."""
    monkeypatch.setattr(init, "find_spec", lambda name: object() if name in there else None)
    _, out, _ = called("init", "--output", str(tmp_path))

    assert out.partition("next:\n")[2].split("#")[0].strip() == first


def test_editors_find_the_schemas(tmp_path: Path) -> None:
    """The directive of the TOML file and the fixture's `$schema` lead to files that are there and fit."""
    called("init", "--output", str(tmp_path))
    first = (tmp_path / "genstudio-mock.toml").read_text("utf-8").splitlines()[0]
    fixture = tmp_path / "mock-answers/mt-infini-3b/any/hello.json"
    held = json.loads(fixture.read_text("utf-8"))

    assert json.loads((tmp_path / first.removeprefix("#:schema ")).read_text("utf-8")) == _json(schema("config"))
    beside = json.loads((fixture.parent / held["$schema"]).read_text("utf-8"))
    assert beside == _json(schema("fixture"))
    jsonschema_rs.validator_for(beside).validate(held)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Each file that is there stays to the byte, and is named; the others are written."""
    own = {name: f"mine: {name}" for name in ("genstudio-mock.toml", "test_genstudio_mock.py", WORKFLOW)}
    for name, text in own.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    code, out, _ = called("init", "--workflow", "--output", str(tmp_path))

    assert code == 0
    assert {name: (tmp_path / name).read_text("utf-8") for name in own} == own
    assert {line.split()[1] for line in out.splitlines() if line.startswith("kept")} == set(own)
    assert written(tmp_path) == FILES | set(own)


def test_settings_in_pyproject(tmp_path: Path) -> None:
    """No file is written that would count before the settings that pyproject.toml has."""
    (tmp_path / "pyproject.toml").write_text("[tool.genstudio-mock]\nseed = 3\n", "utf-8")
    _, out, _ = called("init", "--output", str(tmp_path))

    assert not (tmp_path / "genstudio-mock.toml").exists()
    assert "kept   genstudio-mock.toml " in out
    assert "pyproject.toml has [tool.genstudio-mock]" in out


INSTALLS = [
    ("nothing", "", 'pytest openai "${{ vars.GENSTUDIO_MOCK }}"'),
    ("requirements", "requirements.txt", "-r requirements.txt"),
    ("a project", "pyproject.toml", "."),
]


@pytest.mark.parametrize(("there", "install"), [one[1:] for one in INSTALLS], ids=[one[0] for one in INSTALLS])
def test_workflow(tmp_path: Path, there: str, install: str) -> None:
    """The workflow installs what the project says, and runs the test, which is where the others are."""
    if there:
        (tmp_path / there).write_text("", "utf-8")
    (tmp_path / "tests").mkdir()
    called("init", "--workflow", "--output", str(tmp_path))
    text = (tmp_path / WORKFLOW).read_text("utf-8")
    steps = yaml.safe_load(text)["jobs"]["test"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]

    assert commands == [f"python -m pip install {install}", "python -m pytest tests/test_genstudio_mock.py"]
    assert (tmp_path / commands[-1].split()[-1]).is_file()


def test_wrong_folder(tmp_path: Path) -> None:
    """A folder that is not there is one line, and nothing is made."""
    assert called("init", "--output", str(tmp_path / "no")) == (
        2,
        "",
        f"--output {tmp_path / 'no'}: no such directory\n",
    )
    assert written(tmp_path) == set()


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """What stands in the way of a file's folder is one line that names the file."""
    (tmp_path / ".genstudio-mock").write_text("a file", "utf-8")
    code, _, err = called("init", "--output", str(tmp_path))

    assert code == 2
    assert err.startswith(f"{tmp_path}/.genstudio-mock/config.schema.json: cannot be written: ")

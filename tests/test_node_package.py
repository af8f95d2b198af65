"""The Node package: it does what the Python session does, and what it mirrors is current."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from mockserver import __version__
from mockserver.testing.session import Session
from tests.node_package import ADVICE_FILE, PACKAGE, TYPES_FILE, advice_table, control_types
from tests.third_party import node_programs

if TYPE_CHECKING:
    from pathlib import Path

USERS: Final = (
    "openai@7.57.0", "ai@6.0.180", "@ai-sdk/openai-compatible@2.0.40", "vitest@4.1.12", "jest@30.5.2",
    "typescript@5.9.3", "@types/node@22.19.0",
)  # fmt: skip
RUNNERS: Final = {
    "node": ["node", "--test", "node.test.mjs"],
    "vitest": ["node", "node_modules/vitest/vitest.mjs", "run", "vitest.test.mjs"],
    "jest": ["node", "--experimental-vm-modules", "node_modules/jest/bin/jest.js", "--rootDir", ".", "jest.test.mjs"],
}
NAMES: Final = {
    "api_key": "apiKey", "base_url": "baseURL", "answer_from": "answerFrom", "wait_for": "waitFor",
    "assert_all_used": "assertAllUsed", "assert_client_saw": "assertClientSaw", "assert_resilient": "assertResilient",
}  # fmt: skip
NOT_THERE: Final = {"set_env": "it takes pytest's monkeypatch; env() gives the same variables"}
RUN_SECONDS: Final = 120


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed the packed package beside what people use."""
    installed = node_programs("node-package", *USERS) / "node_modules"
    project = tmp_path_factory.mktemp("user")
    npm = shutil.which("npm")
    assert npm is not None
    packed = subprocess.run(
        [npm, "pack", "--json", "--pack-destination", project], cwd=PACKAGE, check=True, capture_output=True
    )
    archive = project / json.loads(packed.stdout)[0]["filename"]
    modules = project / "node_modules"
    modules.mkdir()
    for one in installed.iterdir():
        if one.name != ".package-lock.json":
            (modules / one.name).symlink_to(one)
    shutil.unpack_archive(archive, project)
    (project / "package").rename(modules / "genstudio-mock")
    (project / "package.json").write_text('{"type": "module", "jest": {"transform": {}}}', "utf-8")
    for example in (PACKAGE / "examples").iterdir():
        shutil.copy(example, project)
    return project


def run(user: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the user's project, with this environment's mock."""
    environ = {**os.environ, "GENSTUDIO_MOCK_COMMAND": f"{sys.executable} -P -m mockserver", "CI": "true"}
    return subprocess.run(
        words, cwd=user, env=environ, capture_output=True, encoding="utf-8", timeout=RUN_SECONDS, check=False
    )


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_examples_pass(user: Path, runner: str) -> None:
    """With the packed package, the real clients and each test runner, which ends by itself."""
    done = run(user, *RUNNERS[runner])

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_snippet_of_the_readme_finds_the_lost_answer(user: Path) -> None:
    """It ends with the error that its comment names, told with advice."""
    (snippet,) = re.findall(r"^```js\n(.*?)^```", (PACKAGE / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (user / "snippet.mjs").write_text(snippet, "utf-8")
    done = run(user, "node", "snippet.mjs")

    assert done.returncode == 1
    assert "SilentEmptyError" in done.stderr
    assert "read the body line by line and parse each line as JSON" in done.stderr


def test_every_method_does_what_pythons_does(user: Path) -> None:
    """One program uses each; what it prints is what the session of Python would show."""
    done = run(user, "node", "every_method.mjs")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "ok\n"


def test_the_types_hold(user: Path) -> None:
    """The examples, and a program that uses every type, pass the compiler at its strictest."""
    options = [
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--lib",
        "esnext",
        "--types",
        "node",
    ]
    done = run(user, "node", "node_modules/typescript/bin/tsc", *options, "types.mts")

    assert done.returncode == 0, done.stdout


def test_it_has_every_member_of_the_python_session() -> None:
    """By the same name, in the manner of JavaScript; what is missing has a reason."""
    declared = (PACKAGE / "src" / "index.d.ts").read_text("utf-8")
    (of_session,) = re.findall(r"^export class Session .*?^}", declared, re.MULTILINE | re.DOTALL)
    told = set(re.findall(r"^  (?:readonly )?(\w+)[(:]", of_session, re.MULTILINE))
    public = {name for name in dir(Session) if not name.startswith("_")} | {"api_key", "mock"}

    assert {NAMES.get(name, name) for name in public - set(NOT_THERE)} == told
    assert NOT_THERE.keys() <= public


def test_the_written_files_are_current(tmp_path: Path) -> None:
    """`make tables` writes them; the version is the one of the Python package."""
    assert ADVICE_FILE.read_text("utf-8") == advice_table()
    assert json.loads((PACKAGE / "package.json").read_text("utf-8"))["version"] == __version__
    assert TYPES_FILE.read_text("utf-8") == control_types(tmp_path)

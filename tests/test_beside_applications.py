"""The package as a guest: in an application's environment of older versions, and without what its server needs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command import wheel_in
from tests.inner_pytest import SIX_LINES
from tests.third_party import pip_of, python_programs

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION = {
    "fastapi": "0.115.6",
    "starlette": "0.41.3",
    "uvicorn": "0.34.0",
    "pydantic": "2.9.2",
    "pytest": "8.3.4",
}
"""What an application of early 2025 has in its environment."""
BESIDE = ("httpx==0.28.1", "openai==3.54.0", "faker", "httptools", "uvloop; sys_platform != 'win32'")
"""What it has besides, in whatever version pip chooses."""
APP = """
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

class Order(BaseModel):
    count: int

app = FastAPI()

@app.post("/orders")
def order(order: Order) -> Order:
    return order

with TestClient(app) as client:
    print(client.post("/orders", json={"count": 3}).json())
"""
ASKS = """
import json, urllib.request

def test_it(genstudio_mock):
    headers = {"Authorization": "Bearer " + genstudio_mock.api_key, "Content-Type": "application/json"}
    body = json.dumps({"messages": [{"role": "user", "content": "你是谁?"}]}).encode()
    request = urllib.request.Request(genstudio_mock.base_url + "/chat/completions", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=WAIT_SECONDS) as answer:
        assert json.load(answer)["choices"][0]["message"]["content"] == genstudio_mock.last.carried.text
"""

LACKING = (
    r"genstudio-mock: \w+ is not installed here; pip install without --no-deps brings it, and for pytest "
    r"genstudio_mock_command can start the one of another environment\n"
)
"""What a command says in an environment without the server's packages."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip would."""
    return wheel_in(tmp_path_factory.mktemp("dist"))


def ran(words: list[str], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command, run as a user would, away from the checkout."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        words,
        cwd=cwd, env={**environ, **variables}, capture_output=True, check=False, encoding="utf-8", timeout=120,
    )  # fmt: skip


def called(commands: Path, cwd: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The environment's Python with these words."""
    return ran([str(commands / "python"), *words], cwd, **variables)


def pip(commands: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The pip of the environment with these words."""
    return ran([*pip_of(commands), *words], cwd)


def installed(commands: Path, cwd: Path, wheel: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Install the wheel from nothing but what is there: pip fails where that does not do."""
    pip(commands, cwd, "uninstall", "-qy", "genstudio-mock")
    return pip(commands, cwd, "install", "-q", "--no-index", *flags, str(wheel))


def test_an_application_keeps_its_versions_and_starts(wheel: Path, tmp_path: Path) -> None:
    """Beside FastAPI 0.115 nothing is raised, the application answers, and README's test catches the bug."""
    pins = [f"{name}=={version}" for name, version in APPLICATION.items()]
    commands = python_programs("application-of-2025", *pins, *BESIDE)
    (tmp_path / "test_my_app.py").write_text(SIX_LINES, "utf-8")

    done = installed(commands, tmp_path, wheel)
    assert (done.returncode, done.stderr) == (0, "")
    listed = json.loads(pip(commands, tmp_path, "list", "--format", "json").stdout)
    versions = {row["name"]: row["version"] for row in listed}
    assert {name: versions[name] for name in APPLICATION} == APPLICATION

    started = called(commands, tmp_path, "-c", APP)
    assert (started.stdout, started.returncode) == ("{'count': 3}\n", 0), started.stderr

    caught = called(commands, tmp_path, "-m", "pytest", "-p", "no:cacheprovider", "test_my_app.py")
    assert "1 failed" in caught.stdout, caught.stdout
    assert "mockserver.SilentEmptyError: the client saw nothing, but chip3 sent 17 content chunks" in caught.stdout


def test_a_test_side_without_the_servers_packages(wheel: Path, tmp_path: Path) -> None:
    """Installed without its dependencies beside pytest alone, the plugin uses the mock of another environment."""
    commands = python_programs("pytest-alone", "pytest==8.3.4")
    (tmp_path / "test_it.py").write_text(ASKS, "utf-8")
    elsewhere = shlex.join([sys.executable, "-m", "mockserver"])

    done = installed(commands, tmp_path, wheel, "--no-deps")
    assert (done.returncode, done.stderr) == (0, "")

    run = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    passed = called(commands, tmp_path, *run, GENSTUDIO_MOCK_COMMAND=elsewhere)
    assert "1 passed" in passed.stdout, passed.stdout + passed.stderr

    served = called(commands, tmp_path, "-m", "mockserver", "serve")
    assert (served.returncode, served.stdout) == (2, "")
    assert re.fullmatch(LACKING, served.stderr), served.stderr

    refused = called(commands, tmp_path, *run)
    assert "genstudio_mock_command can start the one of another environment" in refused.stdout, refused.stdout

"""The wheel holds what a user needs and nothing else, and works away from the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from mockserver import __version__
from tests.command import wheel_in

ROOT = Path(__file__).resolve().parent.parent
VERSION = __version__
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip would."""
    return wheel_in(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, as it lies in site-packages."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def tracked(folder: str) -> set[str]:
    """Files below a folder of the checkout, without what tools leave there."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_the_wheel_holds_package_data_and_nothing_else(wheel: Path) -> None:
    """All of `mockserver`, the profiles and the fixtures; no tests, no benchmarks, no checkout's litter."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    data = {f"mockserver/_data/{name}" for name in tracked("profiles") | tracked("fixtures")}
    assert names == tracked("mockserver") | data
    assert "mockserver/py.typed" in names


def test_the_metadata_says_who_may_use_it(installed: Path) -> None:
    """Name, Python, licence and the command are in the wheel; the readme is its long description."""
    info = next(installed.glob("*.dist-info"))
    metadata = (info / "METADATA").read_text("utf-8")

    for line in ("Name: genstudio-mock", "Requires-Python: >=3.11", "License-Expression: Apache-2.0"):
        assert f"\n{line}\n" in metadata
    assert "Point the official OpenAI SDK at a chip3 stream" in metadata
    assert "genstudio-mock = mockserver.__main__:run" in (info / "entry_points.txt").read_text("utf-8")
    assert (info / "licenses" / "LICENSE").read_text("utf-8") == (ROOT / "LICENSE").read_text("utf-8")


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed command, away from the checkout."""
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-m", "mockserver", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False, encoding="utf-8")


def test_the_installed_command_finds_its_data(installed: Path, tmp_path: Path) -> None:
    """Profiles and fixtures come from the wheel, not from the checkout."""
    told = run(installed, tmp_path, "--version")
    shown = run(installed, tmp_path, "profiles", "show", "chip3")
    checked = run(installed, tmp_path, "validate", str(installed / "mockserver" / "_data"))

    assert told.stdout.strip().endswith(VERSION)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "json-lines" in shown.stdout
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_version_is_said_once_and_the_same() -> None:
    """In the package; the wheel's metadata are made from it, and the manifests name it."""
    assert PROJECT["dynamic"] == ["version"]
    for name in ("compose.yaml", "kubernetes/kustomization.yaml"):
        named = re.findall(r"(?:image: genstudio-mock:|newTag: )(\S+)", (ROOT / "deploy" / name).read_text("utf-8"))
        assert set(named) == {VERSION}, name


def pins(name: str) -> dict[str, str]:
    """The versions that a file of constraints pins, in the order of the file."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return {
        canonicalize_name(package): version
        for package, _, version in (line.partition("==") for line in lines if not line.startswith("#"))
    }


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-oldest.txt"])
def test_no_file_names_a_registry_or_a_machine(name: str) -> None:
    """Pinned versions come without addresses, so that they work wherever a registry is."""
    lines = (ROOT / name).read_text("utf-8").splitlines()

    assert all(line.startswith("#") or line.count("==") == 1 for line in lines)
    assert not [line for line in lines if "://" in line or "@" in line]


RANGES = [
    Requirement(text)
    for text in (*PROJECT["dependencies"], *(one for more in PROJECT["optional-dependencies"].values() for one in more))
]


@pytest.mark.parametrize("needed", RANGES, ids=lambda needed: needed.name)
def test_a_range_begins_with_what_is_tested_and_has_no_end(needed: Requirement) -> None:
    """A user's environment is met where it is: the lowest version is the one of `make test-oldest`."""
    (bound,) = needed.specifier

    assert bound.operator == ">="
    assert Version(bound.version) == Version(pins("constraints-oldest.txt")[canonicalize_name(needed.name)])
    assert Version(bound.version) <= Version(pins("constraints.txt")[canonicalize_name(needed.name)])


def test_the_oldest_have_the_tools_of_the_others() -> None:
    """Only what is installed with the package is old."""
    lowest = {canonicalize_name(needed.name) for needed in RANGES}
    tools = {name: version for name, version in pins("constraints-oldest.txt").items() if name not in lowest}

    assert tools.items() <= pins("constraints.txt").items()
    assert tools

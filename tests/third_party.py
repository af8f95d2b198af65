"""Programs that others wrote, for tests that need a server or a client which is not ours.

Each set is installed once, from the package registries, into a folder of its own below `.cache/`, never into the
environment under test: what they require is nobody else's business. A set that cannot be installed here (no npm, no
network) skips the test that asks for it, and the reason says so.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from typing import TYPE_CHECKING, Final, cast

import pytest
from filelock import FileLock

from tests.snippets import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType

CACHE: Final = ROOT / ".cache"
INSTALL_SECONDS: Final = 300


def library(module: str) -> ModuleType:
    """A library that the tests use as a client; skips where it cannot be installed beside the oldest versions."""
    name = module.partition(".")[0].replace("_", "-")
    return cast("ModuleType", pytest.importorskip(module, reason=f"{name} needs newer versions than are tested here"))


def python_programs(name: str, *requirements: str) -> Path:
    """The folder of commands of a virtual environment that has the requirements, pinned as `name==version`.

    Args:
        name: Names the environment below `.cache/`.
        requirements: What pip installs into it.
    """
    folder = CACHE / name
    commands = folder / ("Scripts" if sys.platform == "win32" else "bin")

    def install() -> None:
        venv.create(folder, clear=True)
        run([*pip_of(commands), "install", "-q", "--no-compile", *requirements], folder)

    once(folder, [sys.version, *requirements], install)
    return commands


def pip_of(commands: Path) -> list[str]:
    """The words that begin a call of pip for such an environment, which has none: to install one takes seconds."""
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(commands.parent)]


def node_programs(name: str, *packages: str) -> Path:
    """A folder whose `node_modules` has the packages, pinned as `name@version`; their commands are in `.bin` there."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"npm is not installed, which {' '.join(packages)} would come with")
    folder = CACHE / name

    def install() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text("{}", "utf-8")
        run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages], folder)

    once(folder, packages, install)
    return folder


def once(folder: Path, wanted: Sequence[str], install: Callable[[], None]) -> None:
    """Install unless it is there as wanted; processes that ask at the same time wait for the first."""
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    installed = folder / "installed"
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / f"{folder.name}.lock", timeout=2 * INSTALL_SECONDS):
        if not installed.is_file() or installed.read_text("utf-8") != digest:
            install()
            installed.write_text(digest, "utf-8")


def run(words: Sequence[str], cwd: Path) -> None:
    """Run a command of an installation; where it fails, the test that asks for it is skipped."""
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{' '.join(words[-3:])}: not installed within {INSTALL_SECONDS} s")
    if done.returncode != 0:
        pytest.skip(f"{' '.join(words[-3:])}: cannot be installed here: {done.stderr.decode(errors='replace')[-400:]}")

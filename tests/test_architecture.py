"""The rules of the architecture, read from the imports; and that the code names no chip, model or edition."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mockserver
from tests.conftest import EDITIONS, load

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(mockserver.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "_data" not in path.parts)
NAMES = {path: "mockserver/" + path.relative_to(ROOT).as_posix() for path in FILES}

LAYERS = (
    "core",  # nouns, and facts that all share
    "pipeline",  # pure stages
    "files",  # what lies on disk
    "profile",  # quirks, editions and chips
    "sources",  # what is said
    "contract",  # clauses, and what drives a target
    "server",
    "recording",
    "settings",
    "testing",
    "cli",
)
"""The folders of the package; each imports from itself and from those before it alone."""
NEVER_WAIT = ("core", "pipeline", "files", "profile", "sources", "contract/clauses", "settings")
"""Folders in which nothing waits, reads a clock or touches a socket."""
ON_TOP = {"__init__.py", "__main__.py"}

TOGETHER = {"__init__", "compiled", "respond", "incoming", "body", "meaning", "wire_settings"}
"""Files of the pipeline that put the stages together, or stand before and behind all of them."""
STAGES = [path for path in FILES if path.relative_to(ROOT).parts[0] == "pipeline" and path.stem not in TOGETHER]
BELOW_SERVER = {"asyncio", "time", "socket", "starlette", "uvicorn", "threading", "selectors"}
ONLY_IN = {
    "faker": ("mockserver/sources/synthetic.py",),
    "hypothesis": ("mockserver/contract/strategies.py", "mockserver/contract/runner.py", "mockserver/contract/fuzz.py"),
    "re2": ("mockserver/files/pattern.py",),
    "uvicorn.protocols": ("mockserver/server/protocol.py", "mockserver/server/client_connection.py"),
    "httptools": ("mockserver/server/protocol.py", "mockserver/recording/upstream.py"),
    "pytest": (
        "mockserver/testing/plugin.py",
        "mockserver/testing/chips.py",
        "mockserver/contract/test_contract.py",
        "mockserver/contract/pytest_options.py",
    ),
}


def imports(path: Path, *, types_too: bool) -> Iterator[str]:
    """Full names of the modules and names that a file imports, at whatever depth."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped: set[ast.AST] = set()
    if not types_too:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                skipped |= {inner for statement in node.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folder_of(name: str) -> str:
    """The folder of the package in which a file lies; empty for the package's own files."""
    return name.removeprefix("mockserver/").rpartition("/")[0]


def layer(name: str) -> int:
    """The number of a file's folder; the package's own files come last."""
    top = folder_of(name).partition("/")[0]
    return LAYERS.index(top) if top else len(LAYERS)


def file_of(module: str) -> str | None:
    """The file that an imported name of ours lies in."""
    parts = module.split(".")
    while parts:
        base = ROOT.parent.joinpath(*parts)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path in NAMES:
                return NAMES[path]
        parts.pop()
    return None


def under(name: str, package: str) -> bool:
    """Whether a name is a package or lies in it."""
    return name == package or name.startswith(package + ".")


def test_every_file_lies_in_a_layer() -> None:
    """The folders are the layers, and beside them lie the public names and `python -m` alone."""
    assert {name.removeprefix("mockserver/") for name in NAMES.values() if not folder_of(name)} == ON_TOP
    assert {folder_of(name).partition("/")[0] for name in NAMES.values()} - {""} == set(LAYERS)


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "chips"], ids=NAMES.get)
def test_imports_run_downwards(path: Path) -> None:
    """A file imports from its own folder and from those before it."""
    name = NAMES[path]
    for module in imports(path, types_too=False):
        target = file_of(module) if under(module, "mockserver") and module != "mockserver.__version__" else None
        assert target is None or layer(target) <= layer(name), f"{name} imports {target}"


DISTURB = {"disturb", "fault", "content", "timing", "transport"}


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_stages_do_not_import_one_another(path: Path) -> None:
    """A stage knows the nouns alone; `respond` and `compiled` put them together. Faults are one stage in some files."""
    own = {NAMES[one] for one in STAGES if one.stem in DISTURB} if path.stem in DISTURB else set()
    for module in imports(path, types_too=True):
        target = file_of(module) if under(module, "mockserver.pipeline") else None
        assert target in {None, "mockserver/pipeline/__init__.py", "mockserver/pipeline/faults/__init__.py", *own}, (
            f"{path.name} imports {target}"
        )


@pytest.mark.parametrize(
    "path", [path for path in FILES if folder_of(NAMES[path]).startswith(NEVER_WAIT)], ids=NAMES.get
)
def test_nothing_below_the_server_waits_or_touches_a_socket(path: Path) -> None:
    """Time and randomness are handed in."""
    found = {module.split(".")[0] for module in imports(path, types_too=True)} & BELOW_SERVER
    assert not found
    assert not [
        module for module in imports(path, types_too=True) if module in {"secrets", "random.random", "os.urandom"}
    ]


@pytest.mark.parametrize("package", ONLY_IN)
def test_one_file_alone_imports(package: str) -> None:
    """What may break with a foreign release, or is slow to import, has one place."""
    users = [NAMES[path] for path in FILES if any(under(module, package) for module in imports(path, types_too=True))]

    assert set(users) <= set(ONLY_IN[package])


@pytest.mark.parametrize("path", FILES, ids=NAMES.get)
def test_no_chip_model_or_edition_is_named_in_the_code(path: Path) -> None:
    """They are data: no string constant outside docstrings is one of their names."""
    names = {name for edition in EDITIONS for name in (edition, *load(edition).chips, *load(edition).models)}
    tree = ast.parse(path.read_text("utf-8"))
    prose = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    constants = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node not in prose and isinstance(node.value, str)
    }

    assert not constants & names


HEAVY = {"starlette", "uvicorn", "pydantic", "faker", "hypothesis", "re2", "httptools", "asyncio"}


@pytest.mark.parametrize(
    "statement", ["import mockserver", "import mockserver.core.exchange", "import mockserver.core.errors"]
)
def test_the_nouns_are_light(statement: str) -> None:
    """Importing the package costs nothing: what is heavy comes when it is used."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)

    assert not HEAVY & {name.split(".")[0] for name in done.stdout.split()}

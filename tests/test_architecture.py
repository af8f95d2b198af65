"""The rules of the architecture, read from the imports; and that the code names no chip, model or edition."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import mockserver
from tests.conftest import EDITIONS, load
from tests.in_thread import WAIT_SECONDS

ROOT = Path(mockserver.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "_data" not in path.parts)
BENCH = sorted((ROOT.parent / "bench").glob("*.py"))
NAMES = {path: "mockserver/" + path.relative_to(ROOT).as_posix() for path in FILES}

NEVER, MAY = False, True
LAYERS = {
    "core": NEVER,  # nouns, and facts that all share
    "pipeline": NEVER,  # pure stages
    "files": NEVER,  # what lies on disk
    "profile": NEVER,  # quirks, editions and chips
    "sources": NEVER,  # what is said
    "page": NEVER,  # what the inspector draws, and the page itself
    "contract/clauses": NEVER,  # judge an exchange and touch nothing
    "contract": MAY,  # what drives a target
    "server": MAY,
    "recording": MAY,
    "settings": NEVER,
    "testing": MAY,
    "cli": MAY,
}
"""A row a folder of the package: whether anything in it may wait, read a clock or touch a socket. Each imports from
itself and from those before it alone. A folder in a folder that has no row is part of the one around it."""
NEVER_WAIT = tuple(folder for folder, waits in LAYERS.items() if waits is NEVER)
ON_TOP = {"__init__.py", "__main__.py"}

TOGETHER = {
    "respond", "incoming", "edition_rules", "wire_settings", "render", "wire_templates", "error_plans", "catalogue",
    "set_up", "memory", "coding", "read", "judge", "further_headers",
}  # fmt: skip
"""Files of the pipeline that put stages together, or stand before and behind all of them; all others are stages."""
STAGES = [
    path for path in FILES if path.relative_to(ROOT).parts[0] == "pipeline" and path.stem not in {*TOGETHER, "__init__"}
]
BELOW_SERVER = {"asyncio", "time", "socket", "starlette", "uvicorn", "threading", "selectors"}
ONLY_IN = {
    "faker": (),
    "hypothesis": (
        "mockserver/contract/strategies.py",
        "mockserver/contract/fuzz.py",
        "mockserver/cli/hypothesis_folder.py",
    ),
    "re2": ("mockserver/files/pattern.py",),
    "redis": ("mockserver/server/state/link.py", "mockserver/server/state/check.py"),
    "uvicorn.protocols": (
        "mockserver/server/limited_protocol.py",
        "mockserver/server/protocol.py",
        "mockserver/server/client_connection.py",
    ),
    "httptools": ("mockserver/server/limited_protocol.py", "mockserver/recording/upstream.py"),
    "pytest": (
        "mockserver/testing/plugin.py",
        "mockserver/testing/chips_plugin.py",
        "mockserver/testing/mock_of_run.py",
        "mockserver/contract/test_contract.py",
        "mockserver/contract/pytest_options.py",
    ),
}


def nodes(path: Path) -> list[ast.AST]:
    """Every node of a file's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


@cache
def imports(path: Path) -> list[str]:
    """Full names of the modules and names that a file imports, at whatever depth, for types too."""
    found: list[str] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found += (f"{node.module}.{alias.name}" for alias in node.names)
    return found


def folder_of(name: str) -> str:
    """The folder of the package in which a file lies; empty for the package's own files."""
    return name.removeprefix("mockserver/").rpartition("/")[0]


def layer(name: str) -> int:
    """The number of a file's folder; the package's own files come last."""
    folder = folder_of(name)
    while folder and folder not in LAYERS:
        folder = folder.rpartition("/")[0]
    return list(LAYERS).index(folder) if folder else len(LAYERS)


@cache
def path_of(module: str) -> Path | None:
    """The file of the package or of the benchmarks that an imported name lies in."""
    parts = module.split(".")
    while parts:
        base = ROOT.parent.joinpath(*parts)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path in NAMES or path in BENCH:
                return path
        parts.pop()
    return None


def file_of(module: str) -> str | None:
    """The file of the package that an imported name lies in."""
    path = path_of(module)
    return NAMES.get(path) if path is not None else None


def imported_files(path: Path) -> set[Path]:
    """The files of ours that a file imports, for types too; what it asks of the package itself is the version alone."""
    modules = [module for module in imports(path) if module != "mockserver.__version__"]
    return {found for module in modules if (found := path_of(module)) is not None}


def under(name: str, package: str) -> bool:
    """Whether a name is a package or lies in it."""
    return name == package or name.startswith(package + ".")


def test_every_file_lies_in_a_layer() -> None:
    """The folders are the layers, and beside them lie the public names and `python -m` alone."""
    assert {name.removeprefix("mockserver/") for name in NAMES.values() if not folder_of(name)} == ON_TOP
    assert {folder_of(name).partition("/")[0] for name in NAMES.values()} - {""} <= set(LAYERS)
    assert [row for row in LAYERS if not (ROOT / row).is_dir()] == []


@pytest.mark.parametrize("path", FILES, ids=NAMES.get)
def test_imports_run_downwards(path: Path) -> None:
    """A file imports from its own folder and from those before it."""
    name = NAMES[path]
    for target in imported_files(path):
        assert layer(NAMES[target]) <= layer(name), f"{name} imports {target}"


def test_no_two_files_import_in_a_circle() -> None:
    """Not by a third file either, nor late, nor for a type: a shared type lies in a file of its own."""
    graph = {str(path): {str(one) for one in imported_files(path)} for path in (*FILES, *BENCH)}
    circles = [[str(Path(name).relative_to(ROOT.parent)) for name in one] for one in circles_of(graph)]

    assert circles == []


def circles_of(graph: dict[str, set[str]]) -> list[list[str]]:
    """The files that reach one another: a file's circle is what it reaches and is reached by."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        found: set[str] = set()
        ahead = [start]
        while ahead:
            for one in graph[ahead.pop()] - found:
                found.add(one)
                ahead.append(one)
        reached[start] = found
    circles = {frozenset(two for two in reached[one] if one in reached[two]) for one in graph if one in reached[one]}
    return sorted(sorted(one) for one in circles)


@pytest.mark.parametrize(
    ("graph", "circles"),
    [
        pytest.param({"a": {"b"}, "b": {"c"}, "c": set()}, [], id="a line"),
        pytest.param({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}, [], id="two ways to one file"),
        pytest.param({"a": {"b"}, "b": {"a"}}, [["a", "b"]], id="two files"),
        pytest.param({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]], id="by a third, seen by one"),
        pytest.param({"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}}, [["a", "b"], ["c", "d"]], id="two circles"),
    ],
)
def test_circles_are_found(graph: dict[str, set[str]], circles: list[list[str]]) -> None:
    """What the test above asserts can fail."""
    assert circles_of(graph) == circles


STAGES_OF_FILES = {"disturb": "pipeline/faults", "admit": "pipeline/request"}
"""Stages that are a file and a folder beside it."""


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_stages_do_not_import_one_another(path: Path) -> None:
    """A stage knows the nouns alone; the files of TOGETHER put them together. Two stages are some files each."""
    own: set[str] = set()
    for stem, folder in STAGES_OF_FILES.items():
        files = [one for one in STAGES if one.stem == stem or folder_of(NAMES[one]) == folder]
        if path in files:
            own = {f"mockserver/{folder}/__init__.py", *(NAMES[one] for one in files)}
    for module in imports(path):
        target = file_of(module) if under(module, "mockserver.pipeline") else None
        assert target in {None, "mockserver/pipeline/__init__.py", *own}, f"{path.name} imports {target}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if folder_of(NAMES[path]).startswith(NEVER_WAIT)], ids=NAMES.get
)
def test_nothing_below_the_server_waits_or_touches_a_socket(path: Path) -> None:
    """Time and randomness are handed in."""
    found = {module.split(".")[0] for module in imports(path)} & BELOW_SERVER
    assert not found
    assert not [module for module in imports(path) if module in {"secrets", "random.random", "os.urandom"}]


@pytest.mark.parametrize("package", ONLY_IN)
def test_one_file_alone_imports(package: str) -> None:
    """What may break with a foreign release, or is slow to import, has one place."""
    users = [NAMES[path] for path in FILES if any(under(module, package) for module in imports(path))]

    assert set(users) <= set(ONLY_IN[package])


@pytest.mark.parametrize("path", FILES, ids=NAMES.get)
def test_no_chip_model_or_edition_is_named_in_the_code(path: Path) -> None:
    """They are data: no string constant outside docstrings is one of their names."""
    names = {name for edition in EDITIONS for name in (edition, *load(edition).chips, *load(edition).models)}
    found = nodes(path)
    prose = {node.value for node in found if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    constants = {
        node.value
        for node in found
        if isinstance(node, ast.Constant) and node not in prose and isinstance(node.value, str)
    }

    assert not constants & names


def test_a_class_name_stands_once() -> None:
    """One meaning a word: who reads a name of a class need not ask which of two it is."""
    places: dict[str, list[str]] = {}
    for path in FILES:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(NAMES[path])

    assert {name: files for name, files in places.items() if len(files) > 1} == {}


HEAVY = {"starlette", "uvicorn", "pydantic", "faker", "hypothesis", "re2", "httptools", "asyncio"}


@pytest.mark.parametrize(
    "statement", ["import mockserver", "import mockserver.core.exchange", "import mockserver.core.errors"]
)
def test_the_nouns_are_light(statement: str) -> None:
    """Importing the package costs nothing: what is heavy comes when it is used."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=WAIT_SECONDS
    )

    assert not HEAVY & {name.split(".")[0] for name in done.stdout.split()}


TESTS = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.py")), ids=lambda path: path.stem)
def test_no_file_imports_from_a_file_of_tests(path: Path) -> None:
    """What two files of tests share lies in a file of helpers, so that each runs by itself."""
    assert not [module for module in imports(path) if module.startswith("tests.test_")]

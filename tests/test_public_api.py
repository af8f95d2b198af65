"""What is public: listed in the package, imported from there when it is asked for, and typed."""

from __future__ import annotations

import ast
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

import mockserver
from mockserver.pipeline.faults.table import FAULTS
from tests.snippets import ROOT

PACKAGE = Path(mockserver.__file__)
LATE = (
    "import mockserver, sys; before = set(sys.modules);"
    " assert {name!r} in dir(mockserver) and {name!r} not in vars(mockserver);"
    " found = mockserver.{name}; assert found is mockserver.{name} and set(sys.modules) > before; print(found.__name__)"
)


def names_for_type_checkers() -> set[str]:
    """What the package imports where TYPE_CHECKING is true."""
    (block,) = [
        node
        for node in ast.parse(PACKAGE.read_text("utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_three_lists_are_one() -> None:
    """`__all__`, what type checkers see, and where each name is found at run time."""
    found = [name for names in mockserver._PLACES.values() for name in names.split()]

    assert sorted(found) == sorted(mockserver.__all__), "__all__ and _PLACES of mockserver/__init__.py differ"
    assert names_for_type_checkers() == set(mockserver.__all__), "the imports below TYPE_CHECKING and __all__ differ"


@pytest.mark.parametrize("name", mockserver.__all__)
def test_a_name_is_there(name: str) -> None:
    """It is the thing of that name, and `dir` shows it."""
    assert getattr(mockserver, name).__name__ == name
    assert name in dir(mockserver)


@pytest.mark.parametrize("name", ["MockServer", "Cut", "SilentEmptyError"])
def test_nothing_is_imported_before_it_is_asked_for(name: str) -> None:
    """In a new process a name is shown before its module is there, and found once."""
    done = subprocess.run(
        [sys.executable, "-c", LATE.format(name=name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert (done.stdout, done.stderr) == (f"{name}\n", "")


WRONG = {
    "MockServr": "mockserver has no 'MockServr'; did you mean MockServer, MockError?",
    "latency": "mockserver has no 'latency'; did you mean Latency?",
}


@pytest.mark.parametrize(("name", "text"), WRONG.items(), ids=WRONG)
def test_a_wrong_name(name: str, text: str) -> None:
    """The nearest names are told."""
    with pytest.raises(AttributeError) as wrong:
        getattr(mockserver, name)

    assert str(wrong.value) == text


def test_every_fault_is_public() -> None:
    """A new fault is listed too."""
    lacking = {kind.__name__ for kind in FAULTS.values()} - set(mockserver.__all__)

    assert lacking == set(), "list it in mockserver/__init__.py: the imports below TYPE_CHECKING, __all__ and _PLACES"


ERRORS = [name for name in mockserver.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_shown_by_its_public_name(name: str) -> None:
    """A traceback names what can be imported."""
    kind: type[Exception] = getattr(mockserver, name)

    assert traceback.format_exception_only(kind("text")) == [f"mockserver.{name}: text\n"]


def test_a_user_types_every_name() -> None:
    """The file that mypy checks as a user's uses each public name."""
    tree = ast.parse((ROOT / "tests" / "typing_api.py").read_text("utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

    assert set(mockserver.__all__) - used == set(), "use it in tests/typing_api.py as a user would"


@pytest.mark.parametrize("path", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda path: path.name)
def test_documents_import_what_is_public(path: Path) -> None:
    """Nobody learns from the documents to import what may change."""
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]

    assert [line for line in lines if line.startswith(("from mockserver.", "import mockserver."))] == []

"""docs/windows.md has PowerShell for each shell snippet that PowerShell reads otherwise; CI for three systems."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped]

from tests.snippets import ROOT, blocks

if TYPE_CHECKING:
    from tests.snippets import Block

PAGE = ROOT / "docs" / "windows.md"
COVERED = {"README.md": ROOT / "README.md", "testing.md": ROOT / "docs" / "testing.md"}
WORKFLOW = ROOT / "docs" / "ci-three-systems.yml"
SHELL_ONLY = re.compile(r"""[\\|&$<>'"`();{}]|^make |^\w+=|^\w+\(\)""", re.MULTILINE)
"""What PowerShell reads otherwise, or not at all."""
NOT_POWERSHELL = re.compile(
    r"\\$|&&|\|\||^\w+=\S|2>&1|(?<![.\w-])curl(?!\.exe)|\$\{?OPENAI|/dev/null|\bexport\b", re.MULTILINE
)


def first(block: Block) -> str:
    """The line by which a snippet is known, without comment and continuation."""
    return re.sub(r"\s+# .*", "", block.text.splitlines()[0]).rstrip("\\").strip()


def powershell() -> list[Block]:
    """The snippets of the page that stand for one of another page."""
    return [block for block in blocks(PAGE) if block.language == "powershell" and block.note]


@pytest.mark.parametrize("name", COVERED)
def test_each_shell_snippet_has_one(name: str) -> None:
    """Snippet by snippet, known by its first line; one that PowerShell reads as it stands needs none."""
    due = Counter(
        f"{name}: {first(block)}" for block in blocks(COVERED[name])
        if block.language in {"sh", "bash"} and SHELL_ONLY.search(re.sub(r"\s+# .*", "", block.text))
    )  # fmt: skip

    assert Counter(block.note for block in powershell() if block.note.startswith(f"{name}: ")) == due


@pytest.mark.parametrize("block", powershell(), ids=lambda block: f"{block.line}")
def test_it_is_no_shell(block: Block) -> None:
    """What only a POSIX shell knows does not slip in."""
    assert NOT_POWERSHELL.search(block.text) is None


def test_what_make_does() -> None:
    """The page and the workflow install the Makefile's extras, in the way that it does, and run its tests."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    extras = re.search(r"^EXTRAS := (\S+)$", makefile, re.MULTILINE)
    assert extras is not None
    install = f'-m pip install -c constraints.txt -e ".[{extras[1]}]" --group dev'
    run = "-m pytest -n 2 --dist loadfile -q"

    assert run in makefile
    for text in (PAGE.read_text("utf-8"), WORKFLOW.read_text("utf-8")):
        assert install in text
        assert run in text


def test_the_workflow_needs_python_alone() -> None:
    """Three systems, the lowest Python that is allowed among them, and every command is a module of Python's."""
    job = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["test"]
    matrix = job["strategy"]["matrix"]

    assert {one.partition("-")[0] for one in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert "3.11" in matrix["python"]
    commands = [shlex.split(step["run"]) for step in job["steps"] if "run" in step]
    assert all(words[:2] == ["python", "-m"] for words in commands)
    assert {words[2] for words in commands} == {"pip", "ruff", "mypy", "mockserver", "pytest"}

"""Reading the documents: their fenced blocks, which are run, and their tables.

A block's language says what is done with it: `sh` is run, `python` is run, `text` right after one of them is what it
prints (a line of three dots stands for any lines), `json` and `toml` named by `<!-- file: NAME -->` are what a reader
would put into that file. A block under `<!-- not run: reason -->` is only shown.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tests.lean_pytest import LEAN

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"(?:<!-- (?P<note>[^\n]*?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```\n", re.DOTALL)
_SHOWN_ONLY = "not run:"
"""A note that begins so keeps a block from being run, and says why."""
_MAKES = re.compile(r"^make ", re.MULTILINE)
ADDRESS = "127.0.0.1:8777"
SECONDS = 240
"""How long a block may take; a busy machine takes many times what it takes elsewhere."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        document: Where it stands.
        line: The line of its fence, from 1.
        language: What follows the fence.
        note: The comment before it.
        text: What is between the fences.
        expected: The `text` block right after it, if any.
    """

    document: Path
    line: int
    language: str
    note: str
    text: str
    expected: str | None = None

    @property
    def name(self) -> str:
        """A readable id."""
        return f"{self.document.name}:{self.line}"


def blocks(document: Path) -> list[Block]:
    """All fenced blocks of a document; a `text` block right after another is its expected output."""
    text = document.read_text("utf-8")
    found: list[Block] = []
    last_end = -1
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        between = text[last_end : match.start()].strip() if last_end >= 0 else "x"
        if match["language"] == "text" and found and not between and found[-1].expected is None:
            before = found.pop()
            found.append(Block(before.document, before.line, before.language, before.note, before.text, match["text"]))
        else:
            found.append(Block(document, line, match["language"], match["note"] or "", match["text"]))
        last_end = match.end()
    return found


def table(document: Path, first: str) -> list[list[str]]:
    """The rows of the table whose first heading is `first`."""
    lines = document.read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def run(block: Block, address: str, folder: Path) -> str:
    """What a block prints when it is run in `folder` against a server at `address`; fails where it fails."""
    environ = {
        **os.environ,
        **LEAN,
        "OPENAI_API_KEY": "any-key",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "NO_COLOR": "1",
    }
    text = block.text.replace(ADDRESS, address)
    command = [sys.executable, "-c", text] if block.language == "python" else ["bash", "-euo", "pipefail", "-c", text]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            printed, told = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # what it has started too
            printed, _ = process.communicate()
            raise AssertionError(f"{block.name} was not done after {SECONDS} s; it printed:\n{printed}") from None
    assert process.returncode == 0, f"{block.name} ended with {process.returncode}:\n{printed}\n{told}"
    return printed.replace(address, ADDRESS)


def files(document: Path) -> dict[str, str]:
    """The files that a document gives its snippets: their paths and texts."""
    named = [block for block in blocks(document) if block.note.startswith("file: ")]
    return {block.note.removeprefix("file: "): block.text for block in named}


def to_run() -> list[Block]:
    """The blocks to run: not those that say why not, nor those that would run the tests again."""
    return [
        block
        for document in DOCUMENTS
        for block in blocks(document)
        if block.language in {"sh", "python"}
        and not block.note.startswith(_SHOWN_ONLY)
        and not _MAKES.search(block.text)
    ]


@lru_cache
def different() -> tuple[Block, ...]:
    """Of the blocks to run those that stand nowhere before, to the letter, with the same files and the same output."""
    first: dict[tuple[object, ...], Block] = {}
    for block in to_run():
        first.setdefault((block.language, block.text, block.expected, *files(block.document).items()), block)
    return tuple(first.values())


def check(block: Block, address: str, folder: Path) -> None:
    """Fail where a block, run in `folder` with its document's files, does not print what the document says."""
    for name, text in files(block.document).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(ADDRESS, address), "utf-8")

    printed = run(block, address, folder)

    assert block.expected is None or fits(printed, block.expected), printed


def fits(printed: str, expected: str) -> bool:
    """Whether what was printed is what was expected, where a line `...` stands for any lines and `…` for any text."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else ".*?".join(map(re.escape, line.rstrip().split("…"))) + r"\s*\n"
        for line in expected.strip().splitlines()
    )
    lines = [line.rstrip() for line in printed.strip().splitlines()]
    return re.fullmatch(pattern, "\n".join(lines) + "\n") is not None

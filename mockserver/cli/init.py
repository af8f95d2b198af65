"""`genstudio-mock init`: the first files of a project that tests with the mock. What is there stays as it is."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockserver.cli.arguments import Parser
from mockserver.core.errors import OperatorError
from mockserver.settings.config import FILE_NAME, PROJECT_FILE_NAME, TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Cell, Console

SAYS = """\
Write a configuration file, a first answer and a first test, with JSON Schemas for your editor, and
with --workflow a workflow for GitHub. A file that is there already is left as it is."""
EXAMPLES = (
    ("genstudio-mock init", "in the folder of your project"),
    ("genstudio-mock init --workflow", "with .github/workflows/genstudio-mock.yml"),
)

QUESTION: Final = "Say hello."
ANSWER: Final = "Hello from the mock."
SCHEMAS: Final = ".genstudio-mock"
ANSWERS: Final = "mock-answers"
TEST: Final = "test_genstudio_mock.py"
TESTED_WITH: Final = ("pytest", "openai")
"""What the first test imports, which the package does not bring."""
WORKFLOW: Final = ".github/workflows/genstudio-mock.yml"

_SETTINGS: Final = """\
#:schema {schemas}/config.schema.json
# Settings of genstudio-mock; genstudio-mock serve --print-config shows them all and where each comes from.
edition = "{edition}"
fixtures = ["{answers}"]
"""
_TEST: Final = '''\
"""A first test with genstudio-mock: the answer lies in {answers}/. `pytest --chips all` asks every chip."""

import pytest

openai = pytest.importorskip("openai", reason="pip install openai")


def test_the_first_answer(genstudio_mock):
    client = openai.OpenAI(base_url=genstudio_mock.base_url, api_key=genstudio_mock.api_key)
    stream = client.chat.completions.create(
        model="", messages=[{{"role": "user", "content": "{question}"}}], stream=True
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    genstudio_mock.assert_client_saw(said)
    assert said == "{answer}"
'''
_WORKFLOW: Final = """\
name: genstudio-mock
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      # {why}
      - run: python -m pip install {install}
      - run: python -m pytest {test}
"""


def run(argv: Sequence[str], console: Console) -> int:
    """Write what is not there; says of each file whether it was written."""
    used = parser()
    found = used.read(argv, console)
    if found is None:
        return 0
    folder: Path = found.output
    if not folder.is_dir():
        raise OperatorError(f"--output {folder}: no such directory")
    rows: list[tuple[Cell, ...]] = []
    names = files(folder, workflow=found.workflow)
    for name, text in names.items():
        trouble = _configured(folder) if name == FILE_NAME else ""
        if trouble or not write_new(folder / name, text):
            rows.append((("kept", "yellow"), name, trouble or "it is there already"))
        else:
            rows.append((("wrote", "green"), name, ""))
    test = next(name for name in names if name.endswith(TEST))
    console.print(*console.columns(rows, indent=0), "", *_next(test, console))
    return 0


def parser() -> Parser:
    """The parser of `init`."""
    made = Parser("init", SAYS, EXAMPLES)
    made.add_argument("--workflow", action="store_true", help=f"write {WORKFLOW} too")
    made.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="the project (default: this folder)")
    return made


def files(folder: Path, *, workflow: bool) -> dict[str, str]:
    """Name, below the project's folder, to text, of what a project begins with."""
    from mockserver.cli.schema import as_file
    from mockserver.core.data import shipped
    from mockserver.profile.edition import default_edition, load_edition

    roots = [shipped("profiles")]
    edition = default_edition(roots)
    model = next(iter(load_edition(edition, roots).models))
    answer = {
        "$schema": f"../../../{SCHEMAS}/fixture.schema.json",
        "match": {"user": QUESTION},
        "answer": {"text": ANSWER},
    }
    test = f"tests/{TEST}" if (folder / "tests").is_dir() else TEST
    made = {
        FILE_NAME: _SETTINGS.format(schemas=SCHEMAS, edition=edition, answers=ANSWERS),
        f"{ANSWERS}/{model}/any/hello.json": json.dumps(answer, ensure_ascii=False, indent=2) + "\n",
        test: _TEST.format(answers=ANSWERS, question=QUESTION, answer=ANSWER),
        **{f"{SCHEMAS}/{name}.schema.json": as_file(name) for name in ("config", "fixture")},
    }
    if workflow:
        why, install = _install(folder)
        made[WORKFLOW] = _WORKFLOW.format(why=why, install=install, test=test)
    return made


def write_new(path: Path, text: str) -> bool:
    """Write a file that is not there, whole or not at all; whether it was written.

    Raises:
        OperatorError: it cannot be written.
    """
    from mockserver.files.atomic import write_whole

    if path.exists() or path.is_symlink():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror or error}") from None
    write_whole(path, text)
    return True


def _configured(folder: Path) -> str:
    """Why no configuration file is due: it would count before what pyproject.toml says already."""
    from mockserver.files.toml import toml_of

    path = folder / PROJECT_FILE_NAME
    tool = toml_of(path).get("tool") if path.is_file() else None
    if isinstance(tool, dict) and TABLE_NAME in tool:
        return f"{PROJECT_FILE_NAME} has [tool.{TABLE_NAME}]"
    return ""


def _install(folder: Path) -> tuple[str, str]:
    """What pip is to install, as the project says it, and a comment about it."""
    names = [name for name in ("requirements-dev.txt", "requirements.txt") if (folder / name).is_file()]
    known = f"-r {names[0]}" if names else "." if (folder / PROJECT_FILE_NAME).is_file() else ""
    if known:
        return (
            "This must bring pytest, openai and genstudio-mock: the latter as a path, a wheel or a git address.",
            known,
        )
    why = (
        "Set the repository's variable GENSTUDIO_MOCK to what pip takes: the address of a wheel or of a git repository."
    )
    return why, 'pytest openai "${{ vars.GENSTUDIO_MOCK }}"'


def _next(test: str, console: Console) -> list[str]:
    """What can be done with it, and first what the test still wants."""
    lacking = [name for name in TESTED_WITH if find_spec(name) is None]
    rows = [(f"pip install {' '.join(lacking)}", "# which the test wants")] if lacking else []
    rows += [
        (f"pytest {test}", "# the first test"),
        (f"pytest --chips all {test}", "# which chips it survives"),
        ("genstudio-mock run -- COMMAND", "# the same for any language: npm test, a script"),
        ("genstudio-mock serve", "# a mock to look at, in a browser too"),
        ("genstudio-mock doctor", "# what stands in the way here"),
    ]
    return ["next:", *console.columns(rows)]

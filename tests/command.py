"""What the tests of the command line share."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from pathlib import Path

from mockserver.cli import main

ROOT = Path(__file__).parent.parent
EDITIONS = sorted(path.parent.name for path in (ROOT / "profiles").glob("*/edition.toml"))


def called(*argv: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    code = main(argv, environ or {}, out, err)
    return code, out.getvalue(), err.getvalue()


def wheel_in(folder: Path) -> Path:
    """The wheel, built into a folder as pip would."""
    code = f"import hatchling.build; print(hatchling.build.build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, encoding="utf-8")
    return folder / done.stdout.splitlines()[-1]


def shown(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The flags that a command's help shows."""
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    return {flag: action for action in actions for flag in action.option_strings}

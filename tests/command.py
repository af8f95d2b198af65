"""What the tests of the command line share."""

from __future__ import annotations

import io
from pathlib import Path

from mockserver.cli import main

ROOT = Path(__file__).parent.parent
EDITIONS = sorted(path.parent.name for path in (ROOT / "profiles").glob("*/edition.toml"))


def called(*argv: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    code = main(argv, environ or {}, out, err)
    return code, out.getvalue(), err.getvalue()

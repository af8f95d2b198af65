"""`make docs`: the documents as a site, built from the pages as they lie in the repository.

The pages keep their places, so that a link which works in the repository works on the site, and one that does not is an
error of the build.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Final

from tests.snippets import ROOT

SOURCE: Final = ROOT / "build" / "site-source"
FOLDERS: Final = ("", "docs", "docs/zh", "docs/pictures", "clients/node")
SHOWN: Final = frozenset({".md", ".png", ".svg"})


def copy() -> None:
    """Copy the pages and what they show."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for folder in FOLDERS:
        for path in (ROOT / folder).glob("*"):
            if path.suffix in SHOWN:
                target = SOURCE / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)


def main() -> int:
    """Build it; the exit code is that of the builder."""
    copy()
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())

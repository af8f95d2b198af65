"""`make release`: a wheel, a tag and an image of one version. It asks nobody and publishes nothing.

What could be wrong is looked at before anything is made; docs/release.md says what comes before and after.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
HEADING: Final = "## Unreleased"


class ReleaseError(Exception):
    """A release cannot be made; the text is one line that says what to do."""


def run(*command: str, root: Path = ROOT) -> str:
    """What a command prints; raises ReleaseError where it fails."""
    try:
        done = subprocess.run(command, cwd=root, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
    except FileNotFoundError:
        raise ReleaseError(f"{command[0]} is not installed") from None
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)}: exit code {done.returncode}; nothing after it was done")
    return done.stdout.strip()


def version_in(root: Path) -> str:
    """The version, from the one place where it is said."""
    text = (root / "mockserver/__init__.py").read_text("utf-8")
    found = re.search(r'^__version__(?:: .+?)? = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ReleaseError('mockserver/__init__.py: no line __version__ = "1.2.3"')
    return found[1]


def released(changelog: str, version: str, day: str) -> str:
    """The changelog in which what was unreleased is this version's, under a new empty heading.

    Raises:
        ReleaseError: there is nothing unreleased, or the version is there already.
    """
    if re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md has a section {version} already; raise __version__ in mockserver/__init__.py")
    before, heading, after = changelog.partition(f"{HEADING}\n")
    if not heading or not after.partition("\n## ")[0].strip():
        raise ReleaseError(f"CHANGELOG.md: nothing stands under {HEADING!r}; say what is new")
    after = re.sub(r"^\nThis will be ([^,\n]+), ", r"\n\1 is ", after, count=1)
    return f"{before}{HEADING}\n\n## {version} ({day})\n{after}"


def check(root: Path) -> str:
    """The version that can be released; raises ReleaseError for a dirty tree and a tag that is there."""
    dirty = run("git", "status", "--porcelain", root=root)
    if dirty:
        first = dirty.splitlines()[0].strip()
        raise ReleaseError(f"the checkout is not clean ({first}); commit or remove what git status shows")
    version = version_in(root)
    if run("git", "tag", "--list", f"v{version}", root=root):
        raise ReleaseError(f"v{version} is tagged already; raise __version__ in mockserver/__init__.py")
    return version


def main() -> int:
    """Make the release."""
    try:
        version = check(ROOT)
        path = ROOT / "CHANGELOG.md"
        changelog = released(path.read_text("utf-8"), version, datetime.now(UTC).date().isoformat())
        run("make", "check", "test")
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", "dist", ".")
        path.write_text(changelog, "utf-8")
        run("git", "commit", "-q", "-m", f"Release {version}", "CHANGELOG.md")
        run("git", "tag", "-a", f"v{version}", "-m", f"genstudio-mock {version}")
        run("make", "image")
    except ReleaseError as error:
        sys.stderr.write(f"release: {error}\n")
        return 2
    sys.stdout.write(f"{version}: dist/, tag v{version}, image genstudio-mock:{version}; nothing is published\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

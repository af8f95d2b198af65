"""The recipe of the image: what it takes, and its health check. `tests/image_check.py` runs the image itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mockserver.testing.mock_server import MockServer
from tests.command import ROOT, called

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.settings.keywords import Keywords

RECIPE = (ROOT / "Dockerfile").read_text("utf-8")
DEAD_PROXY = "http://127.0.0.1:9"


def health_check(**environ: str) -> int:
    """The exit code of the recipe's health check in a container with these variables."""
    found = re.search(r"^HEALTHCHECK .* CMD (\[.+\])$", RECIPE, re.MULTILINE)
    copied = re.search(r"^COPY (\S+) (/opt/\S+)$", RECIPE, re.MULTILINE)
    assert found
    assert copied
    _, *flags, script = json.loads(found[1])
    assert script == copied[2]
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    command = [sys.executable, *flags, str(ROOT / copied[1])]
    return subprocess.run(command, env={**kept, **environ}, check=False, capture_output=True).returncode


@pytest.mark.parametrize("served", [{}, {"tls": "self-signed"}], ids=["http", "https"])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_the_health_check_goes_past_any_proxy(name: str, served: Keywords) -> None:
    """Engines put a company's proxy into each container; it knows nothing of a container's own loopback."""
    with MockServer(**served) as mock:
        assert health_check(GENSTUDIO_MOCK_PORT=mock.url.rpartition(":")[2], **{name: DEAD_PROXY}) == 0


def test_the_health_check_fails_where_nothing_listens() -> None:
    """Port 9 of loopback is nobody's."""
    assert health_check(GENSTUDIO_MOCK_PORT="9") == 1


def test_the_context_holds_what_the_recipe_copies_and_no_more() -> None:
    """What is sent to an engine is named one by one, so no checkout's litter goes there."""
    first, *named, last = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", RECIPE, re.MULTILINE)

    assert (first, last) == ("*", "**/__pycache__")
    assert sorted(name.removeprefix("!") for name in named) == sorted(" ".join(copied).split())
    assert all((ROOT / name.removeprefix("!")).exists() for name in named)


@pytest.mark.parametrize("flags", [["--workers", "2"], ["--tls", "self-signed"]], ids=" ".join)
def test_a_root_that_cannot_be_written_to(flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container with a read-only root and nothing at /tmp: one line."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))

    code, out, err = called("serve", "--port", "0", *flags)

    assert (code, out) == (2, "")
    assert err == (
        f"{' '.join(flags)}: no temporary file can be made: No such file or directory; name a folder that can be "
        "written to in TMPDIR (a container with a read-only root wants a tmpfs at /tmp)\n"
    )

"""The recipe of the image: its health check, tried as an engine runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from mockserver.testing.mock_server import MockServer
from tests.command import ROOT

RECIPE = (ROOT / "Dockerfile").read_text("utf-8")
DEAD_PROXY = "http://127.0.0.1:9"


def health_check(**environ: str) -> int:
    """The exit code of the recipe's health check in a container with these variables."""
    found = re.search(r"^HEALTHCHECK [^\[]*CMD (\[.+\])$", RECIPE.replace("\\\n", " "), re.MULTILINE)
    assert found
    command = json.loads(found[1])
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run([sys.executable, *command[1:]], env={**kept, **environ}, check=False, capture_output=True)
    return done.returncode


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_the_health_check_goes_past_any_proxy(name: str) -> None:
    """Engines put a company's proxy into each container; it knows nothing of a container's own loopback."""
    with MockServer() as mock:
        assert health_check(GENSTUDIO_MOCK_PORT=mock.url.rpartition(":")[2], **{name: DEAD_PROXY}) == 0


def test_the_health_check_fails_where_nothing_listens() -> None:
    """Port 9 of loopback is nobody's."""
    assert health_check(GENSTUDIO_MOCK_PORT="9") == 1

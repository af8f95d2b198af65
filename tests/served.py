"""What tests of `serve` in a process of its own share."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.command import ROOT
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def started(*flags: str) -> Iterator[subprocess.Popen[str]]:
    """A server as a user starts it; ended at the latest with the test."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("GENSTUDIO_MOCK_")}
    environ |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "serve", *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environ,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=WAIT_SECONDS)


def ready_url(process: subprocess.Popen[str]) -> str:
    """The URL of the ready line, which is the first line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r" is ready at (http://127\.0\.0\.1:\d+) ", line)
    assert found, line
    return found[1]


def question(url: str) -> urllib.request.Request:
    """A stream asked for."""
    return urllib.request.Request(
        f"{url}/maas/mt-infini-3b/chip3/chat/completions",
        json.dumps({"messages": [{"role": "user", "content": "你是谁?"}], "stream": True, "foo": 1}).encode(),
        {"Authorization": "Bearer k", "Content-Type": "application/json"},
    )

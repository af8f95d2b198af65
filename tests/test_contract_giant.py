"""A body that is too large: asked on this machine alone, answered by who does not read it, and told in few words."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from mockserver.contract import finding_file
from mockserver.contract.cases import breaks
from mockserver.contract.finding_file import SavedFinding
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.core.exchange import Exchange, Plan, Request
from tests.conftest import load
from tests.contract_live import Quiet, serving_with

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = load("2025-reference")


def giant() -> Request:
    """The request."""
    case = next(one for one in breaks(REFERENCE, "qwen3-8b") if one.refusal == "body-too-large")
    return Request("POST", "/maas/qwen3-8b/nvidia/chat/completions", {b"content-type": b"application/json"}, case.data)


def test_it_is_one_byte_too_large_and_costs_nothing() -> None:
    """It is larger than the edition allows by white space: where it is answered, that is a short answer."""
    body = giant().body

    assert len(body) == REFERENCE.file.request.body_limit_bytes + 1
    assert len(body.strip()) < 100
    assert json.loads(body)["messages"] == [{"role": "user", "content": "你好"}]


@pytest.mark.parametrize("close", ["at once", "after the answer"])
def test_who_refuses_it_without_reading_it_is_heard(close: str) -> None:
    """A server may answer 413 and stop reading: the answer counts, where it arrives."""

    class Impatient(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the base class calls it
            self.send_response(413)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            if close == "after the answer":
                self.request_body()
            self.close_connection = True

    with serving_with(Impatient) as url:
        exchange = HttpTransport(Address(url), "sk-1", lambda: 0.0)(giant())

    assert exchange.plan is None or exchange.plan.status == 413
    assert exchange.plan is not None or close == "at once", "a reset may take the answer away"


def test_its_line_for_a_shell_and_its_test_are_short() -> None:
    """The line that a report shows sends the very bytes, and holds no megabytes; the test of it neither."""
    request = giant()
    line = finding_file.curl(request, "http://127.0.0.1:1")
    sending = line.split(" | curl ")[0]
    saved = SavedFinding("status", "x", REFERENCE.name, "qwen3-8b", "nvidia", "body-too-large", Exchange(request))
    test = finding_file.pytest_test(saved, "http://127.0.0.1:1", "")

    assert len(line) < 500
    assert subprocess.run(["sh", "-c", sending], capture_output=True, check=True).stdout == request.body
    assert len(test) < 2000
    assert f'.encode() + b" " * {len(request.body) - len(request.body.rstrip())},' in test


BODIES = {
    "a giant body": giant().body,
    "JSON with spaces": b'{"model": "m", "messages": []}',
    "compact JSON": b'{"model":"m","messages":[]}',
    "a key twice": b'{"model":"m","model":"n"}',
    "other escapes": b'{"model":"\\u4f60"}',
    "no JSON": b'{"model":"m",} ',
    "no UTF-8": b'{"model":"\xff"}',
    "nothing": b"",
    "spaces alone": b"   ",
    "a line end behind it": b'{"model":"m"} \n',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_saved_finding_is_sent_again_to_the_byte(body: bytes, tmp_path: Path) -> None:
    """What was saved is what is sent again: white space, a key that stands there twice; a giant is a small file."""
    request = Request("POST", giant().path, {b"content-type": b"application/json"}, body)
    exchange = Exchange(request, Plan(200, (), (b"{}",)))
    text = finding_file.dump(SavedFinding("status", "x", REFERENCE.name, "qwen3-8b", "nvidia", None, exchange))
    (tmp_path / "one.json").write_text(text, "utf-8")

    assert finding_file.load(tmp_path / "one.json").exchange.request.body == body
    assert len(text) < 2000

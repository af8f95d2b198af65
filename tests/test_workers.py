"""`serve --workers`: several processes on one port behave as one server, and say where they are not one."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from mockserver.server.control.operations import OPERATIONS, Operation
from mockserver.server.guard import PREFIX
from mockserver.server.namespace import Touches
from tests.command import ROOT, called
from tests.in_thread import WAIT_SECONDS
from tests.served import question, ready_url, started

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc")

STREAMS: Final = 8


def workers_of(process: subprocess.Popen[str]) -> set[int]:
    """The processes that answer: the children of the one that was started."""
    pid = process.pid
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()}


def line_of(process: subprocess.Popen[str], wanted: str) -> str:
    """The first line of the log from here on that holds a text."""
    assert process.stderr is not None
    return next(line for line in process.stderr if wanted in line)


@pytest.fixture(scope="module")
def two() -> Iterator[str]:
    """The address of two processes."""
    with started("--workers", "2", "--port", "0") as process:
        yield ready_url(process)
        process.terminate()
        assert process.wait(WAIT_SECONDS) == 0


def call(url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of a control request."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if body is not None else {}
    asked = urllib.request.Request(url + PREFIX + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=WAIT_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_sigterm_drains_all(tmp_path: Path) -> None:
    """Streams of all processes come to their end; the port file is there once all accept and goes; one log has all."""
    port_file = tmp_path / "port"
    flags = ("--workers", "3", "--port", "0", "--port-file", str(port_file), "--log-format", "json")
    with started(*flags, "--pace", "inter_token_ms=20", "--grace-seconds", "20") as process, ExitStack() as held:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert port_file.read_text() == f"{ready['url'].rpartition(':')[2]}\n"
        asked = question(ready["url"])
        answers = [held.enter_context(urllib.request.urlopen(asked, timeout=WAIT_SECONDS)) for _ in range(STREAMS)]
        firsts = [one.readline() for one in answers]
        process.terminate()
        streams = [[first, *one] for first, one in zip(firsts, answers, strict=True)]
        out, err = process.communicate(timeout=WAIT_SECONDS)

    assert (ready["workers"], out, process.returncode) == (3, "", 0)
    assert [json.loads(one[-1])["choices"][0]["finish_reason"] for one in streams] == ["stop"] * STREAMS
    assert [json.loads(line)["ending"] for line in err.splitlines()] == ["complete"] * STREAMS
    assert sorted(tmp_path.iterdir()) == []


def test_a_worker_that_is_killed_is_started_again() -> None:
    """The log says so in one line, and the port never stops accepting: connections wait for the new process."""
    with started("--workers", "2", "--port", "0") as process:
        url = ready_url(process)
        before = workers_of(process)
        assert len(before) == 2
        os.kill(min(before), signal.SIGKILL)
        told = line_of(process, "worker")
        for _ in range(STREAMS):
            with urllib.request.urlopen(question(url), timeout=WAIT_SECONDS) as answer:
                assert len(answer.readlines()) == 19
        until = time.monotonic() + WAIT_SECONDS
        while len(after := workers_of(process)) < 2:  # which is told first, and then done
            assert time.monotonic() < until
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)

    assert re.search(rf"worker [12] of 2 \(process {min(before)}\) ended by SIGKILL; it is started again\n", told)
    assert (len(after), len(after & before)) == (2, 1)
    assert process.returncode == 0


def test_no_worker_outlives_its_parent() -> None:
    """Where the parent is killed they end by themselves, and with the last of them the output."""
    with started("--workers", "2", "--port", "0", "--grace-seconds", "0") as process:
        ready_url(process)
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)  # returns when nobody holds the output open any more


def test_a_second_server_is_refused_the_port(two: str) -> None:
    """Though processes may share a port, two servers may not."""
    port = two.rpartition(":")[2]

    code, _, err = called("serve", "--workers", "2", "--port", port)

    assert code == 2
    assert re.fullmatch(
        rf"--port {port}: 127\.0\.0\.1:{port} cannot be bound: .*; --port 0 takes a free one, .+ doctor .*\n", err
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_the_control_api_never_acts_on_one_of_several(operation: Operation, two: str) -> None:
    """What any process can answer is answered; all else is refused in one line, whatever it is sent."""
    path = operation.path.replace("{number}", "1")

    status, told = call(two, operation.method, path, {} if operation.body else None)

    if operation.touches is Touches.NOTHING:
        assert status == 200
        return
    assert (status, told) == (
        409,
        {"error": f"{operation.method} {PREFIX}{path} would act on one of 2 processes alone; "
                  "start the mock with --state for it"},
    )  # fmt: skip


def test_there_is_no_inspector(two: str) -> None:
    """It would show the exchanges of one process."""
    assert call(two, "GET", "/ui/")[0] == 404


def test_what_is_apart_is_said_at_the_start() -> None:
    """The ready block has a row of it."""
    with started("--workers", "2", "--port", "0") as process:
        assert process.stdout is not None
        ready_url(process)
        told = [next(process.stdout) for _ in range(8)]
        process.terminate()

    assert "  workers  2 processes; each by itself counts exchanges, the calls of fixtures with answers, " in told[4]


def test_a_unix_socket_is_shared(tmp_path: Path) -> None:
    """All accept from the one socket, which is gone afterwards."""
    path = tmp_path / "mock"
    with started("--workers", "2", "--uds", str(path), "--log-format", "json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(STREAMS):
            done = subprocess.run(
                ["curl", "-s", "--unix-socket", str(path), f"http://localhost{PREFIX}/health"],
                capture_output=True, check=True,
            )  # fmt: skip
            assert json.loads(done.stdout)["status"] == "ok"
        process.terminate()
        _, err = process.communicate(timeout=WAIT_SECONDS)

    assert (process.returncode, err, path.exists()) == (0, "", False)


def test_without_fork_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line: Windows has none."""
    monkeypatch.delattr(os, "fork")

    code, _, err = called("serve", "--workers", "2", "--port", "0")

    text = "--workers: this system has no fork, so one process serves; start it without --workers\n"
    assert (code, err) == (2, text)


def test_what_fails_at_the_start_is_one_line() -> None:
    """As with one process: a folder of fixtures that is broken ends all, before any is started."""
    code, out, err = called("serve", "--workers", "2", "--edition", "nope")

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("--edition nope: ") or "nope" in err


WRITE: Final = """
import os, sys, tempfile
from mockserver.server.log_writer import LogWriter
turn = tempfile.TemporaryFile()
for number in range(3):
    if os.fork() == 0:
        writer = LogWriter(sys.stderr, str, turn=turn.fileno())
        for _ in range(60):
            writer.add(lambda: str(number) * 9000)
        writer.close()
        os._exit(0)
for _ in range(3):
    os.wait()
"""


def test_lines_of_several_processes_stay_whole() -> None:
    """Also those that are longer than what a pipe takes in one piece."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", WRITE], capture_output=True, text=True, check=True, env=environ, timeout=60
    )

    lines = done.stderr.splitlines()
    assert sorted(set(lines)) == [str(number) * 9000 for number in range(3)]
    assert len(lines) == 180


def test_a_kept_connection_stays_with_its_process(two: str) -> None:
    """Requests on one connection are answered in turn, as with one process."""
    host = two.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=WAIT_SECONDS)
    asked = question(two)
    for _ in range(3):
        connection.request("POST", asked.selector, asked.data, dict(asked.headers))
        assert connection.getresponse().read().endswith(b"}\n")
    connection.close()

"""`serve` in a process of its own, as a user starts it: ready, answering, told to stop, refused an address."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from mockserver.server.serving import new_event_loop
from mockserver.settings.config import SETTINGS
from tests.command import ROOT, called
from tests.in_thread import WAIT_SECONDS
from tests.served import question, ready_url, started

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a process group only")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_answer_in_flight_end(tmp_path: Path, how: signal.Signals) -> None:
    """Told to stop in the midst of a stream, the mock sends it whole, exits with 0 and takes its port file away."""
    port_file = tmp_path / "port"
    flags = ("--port", "0", "--port-file", str(port_file), "--pace", "inter_token_ms=20", "--grace-seconds", "20")
    with started(*flags) as process:
        url = ready_url(process)
        assert port_file.read_text() == f"{url.rpartition(':')[2]}\n"
        with urllib.request.urlopen(question(url), timeout=WAIT_SECONDS) as answer:
            first = answer.readline()
            process.send_signal(how)
            lines = [first, *answer]
        assert process.stdout is not None
        out = process.stdout.read()
        _, err = process.communicate(timeout=WAIT_SECONDS)

    assert json.loads(lines[-1])["choices"][0]["finish_reason"] == "stop"
    assert len(lines) == 19
    assert process.returncode == 0
    assert not port_file.exists()
    assert sorted(tmp_path.iterdir()) == []
    assert "  a request to paste:\n" in out
    told = r"[\d:.]+ POST /maas/\S+ 200  19 frames  [\d.]+ ms  fixture:\S+  complete  ignored foo\n"
    assert re.fullmatch(told, err)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_json_is_one_line_each() -> None:
    """With --log-format json the ready block and each request are one JSON object a line."""
    with started("--port", "0", "--log-format", "json", "--strict") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        hostile = urllib.request.Request(f"{ready['url']}/a%0Ab%1B[31m%E2%80%A8", b"x")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(hostile, timeout=WAIT_SECONDS)
        caught.value.close()
        process.terminate()
        out = process.stdout.read()
        _, err = process.communicate(timeout=WAIT_SECONDS)

    assert ready["event"] == "ready"
    assert ready["chips"]["chip3"] == [
        "json-lines", "no-done", "type-json", "object-last", "created-last",
        "usage-total-second", "body-flush-lines",
    ]  # fmt: skip
    assert (out, err.count("\n")) == ("", 1)
    line = json.loads(err)
    assert (line["path"], line["status"], line["ending"]) == ("/a\nb\x1b[31m\u2028", 404, "complete")
    assert line["detail"].startswith("'/a\\nb\\x1b[31m\\u2028' is not served; ")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_with_level_warning_nothing_is_told_of_requests() -> None:
    """A quiet mock says nothing of what went well."""
    with started("--port", "0", "--log-level", "warning") as process:
        with urllib.request.urlopen(question(ready_url(process)), timeout=WAIT_SECONDS) as answer:
            answer.read()
        process.terminate()
        _, err = process.communicate(timeout=WAIT_SECONDS)

    assert (process.returncode, err) == (0, "")


def test_a_port_in_use() -> None:
    """A second server on the same port ends with exit code 2 and one line that says what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started("--port", str(port)) as process:
            out, err = process.communicate(timeout=WAIT_SECONDS)

    assert (process.returncode, out) == (2, "")
    assert re.fullmatch(
        rf"--port {port}: 127\.0\.0\.1:{port} cannot be bound: .*; --port 0 takes a free one, .+ doctor .*\n", err
    )


def test_a_port_file_that_cannot_be_written(tmp_path: Path) -> None:
    """Nothing is served without the port file that was asked for."""
    path = tmp_path / "none" / "port"
    with started("--port", "0", "--port-file", str(path)) as process:
        out, err = process.communicate(timeout=WAIT_SECONDS)

    assert (process.returncode, out) == (2, "")
    assert err.startswith(f"--port-file {path}: cannot be written: ")
    assert err.count("\n") == 1


WRONG_LATER = {
    "host": ("a b", "a b: Name or service not known"),
    "port_file": ("/", "/: exists and is no file; name one that may be replaced"),
    "edition": ("nope", f"'nope' is not in {ROOT / 'profiles'}; did you mean openai?"),
    "tls_key": ("/nokey", "/nokey: the certificate is missing; name it with --tls-cert"),
    "state": ("redis://127.0.0.1:99999", "redis://127.0.0.1:99999: Port out of range"),
}


@pytest.mark.parametrize("name", WRONG_LATER)
@pytest.mark.parametrize("where", ["flag", "variable", "file"])
def test_what_turns_out_to_be_wrong_later_is_told_by_where_it_was_set(tmp_path: Path, name: str, where: str) -> None:
    """A value that only the start can judge is told by its flag, its variable, or its file and key."""
    value, trouble = WRONG_LATER[name]
    setting, file = SETTINGS[name], tmp_path / "own.toml"
    file.write_text(f"{name} = '{value}'\n" if where == "file" else "", "utf-8")
    flags = (setting.flag, value) if where == "flag" else ()
    environ = {setting.variable: value} if where == "variable" else {}
    said = {"flag": setting.flag, "variable": setting.variable, "file": f"{file}: {name}"}[where]
    if name == "edition" and where == "flag":
        said = "edition"

    code, out, err = called("serve", "--port", "0", "--config", str(file), *flags, environ=environ)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.match(rf"(genstudio-mock[^:]*: )?{re.escape(said)}:? {re.escape(trouble[:20])}", err), err


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_unix_socket(tmp_path: Path) -> None:
    """`--uds` listens in the file system, and takes the socket away at the end."""
    path = tmp_path / "s"
    with started("--uds", str(path)) as process:
        assert process.stdout is not None
        assert f" is ready at unix:{path} " in process.stdout.readline()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_SECONDS)
            client.connect(str(path))
            client.sendall(b"GET /_mock/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)

    assert process.returncode == 0
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_the_server_goes_on_where_nobody_reads_its_log() -> None:
    """Requests are answered beyond what a pipe holds, and a signal ends it in time and without a fault."""
    with started("--port", "0") as process:
        address = ready_url(process).partition("://")[2]
        connection = http.client.HTTPConnection(address, timeout=WAIT_SECONDS)
        for _ in range(600):
            connection.request("GET", "/" + "p" * 190)
            answer = connection.getresponse()
            assert answer.status == 404
            answer.read()
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0
        assert process.stderr is not None
        assert len(process.stderr.read().splitlines()) < 600


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_reader_that_leaves() -> None:
    """`genstudio-mock profiles --quirks | head -1` says nothing of a broken pipe."""
    read, write = os.pipe()
    os.close(read)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "mockserver", "profiles", "--quirks"],
        stdout=write, stderr=subprocess.PIPE, check=False, env=environ,
    )  # fmt: skip
    os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("version", "made_by"), [("0.22.1", "asyncio"), ("0.23.0", "uvloop"), ("1.0", "uvloop")])
def test_a_uvloop_that_hides_resets_is_not_used(version: str, made_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 0.23 it takes a reset for an end where data comes with it."""
    uvloop = pytest.importorskip("uvloop", reason="uvloop has no wheel for this system")
    monkeypatch.setattr(uvloop, "__version__", version)

    loop = new_event_loop()
    loop.close()

    assert type(loop).__module__.partition(".")[0] == made_by

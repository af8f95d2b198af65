"""The port file of `serve`, as a waiting script sees it; and hosts as people write them."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mockserver.core.errors import OperatorError
from mockserver.server.port_file import PortFile
from mockserver.testing.mock_server import MockServer
from tests.command import ROOT
from tests.in_thread import WAIT_SECONDS
from tests.served import question, ready_url, started

if TYPE_CHECKING:
    from pathlib import Path


def has_ipv6() -> bool:
    """Whether this machine's loopback speaks IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine's loopback")


def test_the_file_of_an_earlier_run_is_gone_before_anything_is_bound(tmp_path: Path) -> None:
    """Also where the start fails: nobody who waits finds the port of a server that is dead."""
    path = tmp_path / "port"
    path.write_text("1\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with started("--port", str(taken.getsockname()[1]), "--port-file", str(path)) as process:
            process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode == 2
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kills hard")
@pytest.mark.parametrize("killed", ["the process", "its group"])
def test_the_file_of_a_killed_run_goes_with_it(tmp_path: Path, killed: str) -> None:
    """The next job's script looks for the file before its own mock has even begun to start."""
    path = tmp_path / "port"
    words = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--port-file", str(path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, env=environ, process_group=0, stdout=subprocess.PIPE, text=True) as process:
        ready_url(process)
        assert path.exists()
        if killed == "the process":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        until = time.monotonic() + WAIT_SECONDS
        while path.exists() and time.monotonic() < until:
            os.sched_yield()
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_the_file_is_gone_while_answers_end(tmp_path: Path) -> None:
    """After a signal no connection is accepted, and the file says none, though an answer in flight goes on."""
    path = tmp_path / "port"
    flags = ("--port", "0", "--port-file", str(path), "--pace", "first_token_ms=0,inter_token_ms=600000")
    with started(*flags, "--grace-seconds", "20") as process:
        url = ready_url(process)
        host, _, port = url.partition("://")[2].partition(":")
        asked = question(url)
        with closing(http.client.HTTPConnection(host, int(port), timeout=WAIT_SECONDS)) as client:
            assert isinstance(asked.data, bytes)
            client.request("POST", asked.selector, asked.data, dict(asked.header_items()))
            answer = client.getresponse()
            answer.readline()
            process.send_signal(signal.SIGTERM)
            while True:
                try:
                    socket.create_connection((host, int(port)), timeout=WAIT_SECONDS).close()
                except OSError:
                    break
            assert process.poll() is None
            assert not path.exists()


def test_what_may_stand_where_the_file_is_to_be(tmp_path: Path) -> None:
    """An earlier file goes, a folder is refused in one line, and another mock's file is left at the end."""
    path = tmp_path / "port"
    path.write_text("1\n")
    first = PortFile(path)
    assert not path.exists()
    first.write(8777)
    assert path.read_text() == "8777\n"

    second = PortFile(path)
    second.write(8778)
    first.remove()
    assert path.read_text() == "8778\n"
    second.remove()
    assert not path.exists()

    with pytest.raises(OperatorError) as told:
        PortFile(tmp_path)
    assert str(told.value) == f"--port-file {tmp_path}: exists and is no file; name one that may be replaced"


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_host_with_and_without_brackets(host: str) -> None:
    """Either is bound, named in brackets, and let in by the control API."""
    with MockServer(host=host) as mock:
        assert mock.url.startswith("http://[::1]:")
        assert mock.session().exchanges() == []


@needs_ipv6
def test_an_ipv6_address_in_use() -> None:
    """The message has the address as a URL has it."""
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OperatorError, match=rf"^--port {port}: \[::1\]:{port} cannot be bound: "):
            MockServer(host="[::1]", port=port).start()

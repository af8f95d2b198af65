"""The command `record` as a process: its key, its port, signals, and what is on the disk when it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Self

import pytest

from mockserver.core.exchange import Ending
from mockserver.files.exchange_file import read
from tests.in_thread import WAIT_SECONDS
from tests.recording_helpers import CHAT, LINES_HEAD, RawUpstream, ask, chat_body, chunked, posted

LINE = b'{"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n'
ROOT = Path(__file__).parent.parent
MAIN = (
    "import argparse, os, sys; from mockserver.cli import record;"
    "from mockserver.cli.record import add_arguments, main; record.GRACE_SECONDS = %r;"
    "p = argparse.ArgumentParser(); add_arguments(p);"
    "sys.exit(main(p.parse_args(sys.argv[1:]), os.environ, sys.stdout, sys.stderr))"
)


class Running:
    """`genstudio-mock record` as a process."""

    def __init__(self, *words: str, grace_seconds: float = 5.0, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN % grace_seconds, *words, "--port", "0"],
            cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        self.port = int(self.process.stdout.readline().split(":")[-1].split("/")[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self, sent: signal.Signals) -> tuple[int, str]:
        """Send a signal; the exit code and standard error."""
        self.process.send_signal(sent)
        out, err = self.process.communicate(timeout=WAIT_SECONDS)
        assert out == ""
        return self.process.returncode, err


def test_a_further_header_reaches_the_upstream_and_no_file(tmp_path: Path) -> None:
    """What a gateway wants is sent in place of the client's own header, and masked where the answer echoes it."""
    value = "portkey-own-value"
    with RawUpstream([LINES_HEAD, *chunked(LINE % value.encode())]) as upstream:
        running = Running(
            *("--base-url", upstream.url, "--output", str(tmp_path / "f")),
            *("--header", f"X-Gateway: {value}", "--header", "x-provider: openai"),
        )
        seen = ask(running.port, headers=("x-gateway: the client's", "x-other: kept"))
        _, err = running.end(signal.SIGTERM)

    [path] = (tmp_path / "f").rglob("*.json")
    heard = upstream.heard[0].lower()
    assert heard.count(b"x-gateway:") == 1
    assert f"x-gateway: {value}\r\n".encode() in heard
    assert b"x-provider: openai\r\n" in heard
    assert b"x-other: kept\r\n" in heard
    assert value.encode() in seen.body
    assert value not in path.read_text() + err
    assert "x-gateway" not in path.read_text().lower()


@pytest.mark.parametrize("text", ["no-colon", "na me: value-of-it", "Authorization: Bearer value-of-it"])
def test_a_wrong_header_is_one_line_without_its_value(text: str, tmp_path: Path) -> None:
    """What is no header, or is set by `record` itself, ends the start with exit code 2."""
    words = ["--base-url", "http://127.0.0.1:9", "--output", str(tmp_path), "--port", "0", "--header", text]
    command = [sys.executable, "-m", "mockserver", "record", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("--header: ")
    assert done.stderr.count("\n") == 1
    assert "value-of-it" not in done.stderr


def test_record_as_a_process(tmp_path: Path) -> None:
    """It says where to send requests, records with the key of the environment, and leaves with 0 on SIGTERM."""
    with RawUpstream([LINES_HEAD, *chunked(LINE % b"a")]) as upstream:
        running = Running(
            "--base-url",
            upstream.url,
            "--output",
            str(tmp_path / "f"),
            "--api-key-env",
            "KEY",
            KEY="sk-environment-1",
        )
        ask(running.port, headers=("Authorization: Bearer client-key-1",))
        code, err = running.end(signal.SIGTERM)

    [path] = (tmp_path / "f").rglob("*.json")
    assert running.said == f"recording {upstream.url} into {tmp_path / 'f'}\n"
    assert b"authorization: Bearer sk-environment-1\r\n" in upstream.heard[0]
    assert (code, err) == (0, f"kept {path}: 200, 1 chunk, {err.split(', ')[2]}, complete\n")
    assert "sk-environment-1" not in path.read_text() + err


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """After `kill -9` every answer that a client has seen whole is in a whole file, and no other JSON file is there."""
    with RawUpstream([LINES_HEAD, *chunked(LINE % b"a")]) as upstream:
        running = Running("--base-url", upstream.url, "--output", str(tmp_path), "--mode", "all")
        answered = [
            ask(running.port, body=json.dumps({"messages": [{"role": "user", "content": f"{n}"}]}).encode()).ending
            for n in range(10)
        ]
        running.end(signal.SIGKILL)

    files = [read(path) for path in tmp_path.rglob("*.json")]
    assert answered == [Ending.COMPLETE] * 10
    assert sorted(int((file.request.body or {})["messages"][0]["content"]) for file in files) == list(range(10))


def test_a_kill_while_files_are_written(tmp_path: Path) -> None:
    """Whatever was under way, every JSON file is whole after `kill -9`."""
    head = [LINES_HEAD, *chunked(*[LINE % b"a"] * 3000)]
    with (
        RawUpstream([b"".join(head)]) as upstream,
        Running("--base-url", upstream.url, "--output", str(tmp_path), "--mode", "all") as running,
        ThreadPoolExecutor(8) as pool,
    ):
        asked = [pool.submit(ask, running.port, body=chat_body(f"{number}")) for number in range(40)]
        while not any(tmp_path.rglob("*.json")):
            assert running.process.poll() is None
        running.process.kill()
        wait(asked)

    files = list(tmp_path.rglob("*.json"))
    assert files
    assert {len(read(path).response.sends) for path in files} == {3000}


SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}


@pytest.mark.parametrize("sent", SIGNALS.values(), ids=SIGNALS)
def test_a_signal_in_mid_stream(sent: signal.Signals, tmp_path: Path) -> None:
    """A stream that does not end in its grace time is cut, which is told in one line, and nothing of it is kept."""
    head = [LINES_HEAD, chunked(LINE % b"a")[0]]
    with (
        RawUpstream(head, Ending.HANG) as upstream,
        Running("--base-url", upstream.url, "--output", str(tmp_path), grace_seconds=0.1) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=WAIT_SECONDS) as client,
    ):
        client.sendall(posted(chat_body()))
        got = b""
        while LINE % b"a" not in got:
            got += client.recv(65536)
        code, err = running.end(sent)
        seen = client.recv(65536)

    assert (code, err) == (0, f"not kept: stopped before the answer to '{CHAT}' was whole\n")
    assert seen == b""
    assert list(tmp_path.rglob("*.json")) == []


def test_the_port_is_in_a_file(tmp_path: Path) -> None:
    """`--port-file` has the port while connections are accepted, and is gone afterwards."""
    port_file = tmp_path / "port"
    with Running(
        "--base-url", "http://127.0.0.1:1", "--output", str(tmp_path), "--port-file", str(port_file)
    ) as running:
        assert port_file.read_text() == f"{running.port}\n"
        assert running.end(signal.SIGTERM) == (0, "")

    assert not port_file.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe is filled without blocking")
def test_lines_that_nobody_reads_hold_nothing_up(tmp_path: Path) -> None:
    """With standard error a full pipe, requests are answered, and the command ends in time."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    words = ["--base-url", "http://127.0.0.1:1", "--output", str(tmp_path), "--port", "0"]
    running = subprocess.Popen(
        [sys.executable, "-c", MAIN % 5.0, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=writing, text=True
    )
    try:
        assert running.stdout is not None
        port = int([running.stdout.readline() for _ in range(2)][1].split(":")[-1].split("/")[0])
        answers = [ask(port) for _ in range(2)]  # no upstream is there, which each time is told
        running.send_signal(signal.SIGTERM)
        code = running.wait(timeout=WAIT_SECONDS)
    finally:
        running.kill()
        running.communicate()
        os.close(reading)
        os.close(writing)

    assert code == 0
    assert [one.status for one in answers] == [502, 502]


def test_a_port_file_that_cannot_be_written(tmp_path: Path) -> None:
    """One line and exit code 2, though the address was had already."""
    words = [sys.executable, "-m", "mockserver", "record", "--base-url", "http://127.0.0.1:1", "--port", "0"]
    words += ["--output", str(tmp_path), "--port-file", "none/port"]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)

    message = "--port-file none/port: cannot be written: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)

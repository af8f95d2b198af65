"""The command `record`, as a user types it, and its arguments."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from mockserver.errors import OperatorError
from mockserver.exchange import Ending
from mockserver.exchange_file import read
from mockserver.recording.address import upstream_of
from mockserver.recording.command import add_record_arguments, main, span
from mockserver.recording.paths import path_map
from mockserver.recording.show import visible
from mockserver.recording.store import folder_name
from tests.recording_helpers import CHAT, LINES_HEAD, RawUpstream, ask, chat_body, chunked, posted

LINE = b'{"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n'
ROOT = Path(__file__).parent.parent
MAIN = (
    "import argparse, os, sys; from mockserver.recording import command;"
    "from mockserver.recording.command import add_record_arguments, main; command.GRACE_SECONDS = %r;"
    "p = argparse.ArgumentParser(); add_record_arguments(p);"
    "sys.exit(main(p.parse_args(sys.argv[1:]), os.environ, sys.stdout, sys.stderr))"
)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("cloud.infini-ai.com", "give http(s)://host[:port][/path]; example: https://cloud.infini-ai.com"),
        ("ftp://a", "give http(s)://"),
        ("http://a:99999", "Port out of range"),
        ("http://me:secret@a", "credentials do not belong into the address; use --upstream-key-env NAME"),
    ],
)
def test_bad_upstreams(url: str, message: str) -> None:
    """What is no address is refused with an example, and credentials are not repeated."""
    with pytest.raises(OperatorError) as caught:
        upstream_of(url, {}, 1.0)

    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "via"),
    [
        ({"HTTPS_PROXY": "http://proxy.invalid:3128"}, ("proxy.invalid", 3128)),
        ({"https_proxy": "proxy.invalid:3128"}, ("proxy.invalid", 3128)),
        ({"HTTPS_PROXY": "http://proxy.invalid:3128", "NO_PROXY": "other, .infini-ai.com"}, None),
        ({"HTTPS_PROXY": "http://proxy.invalid:3128", "no_proxy": "*"}, None),
        ({"HTTP_PROXY": "http://proxy.invalid:3128"}, None),
    ],
)
def test_https_proxy(environ: dict[str, str], via: tuple[str, int] | None) -> None:
    """`HTTPS_PROXY` and `NO_PROXY` are honoured."""
    assert upstream_of("https://cloud.infini-ai.com", environ, 1.0).via == via


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:1", "loopback"), ("http://localhost", "loopback"), ("http://10.0.0.1", "private"),
        ("http://ollama", "private"), ("https://cloud.infini-ai.com", "public"), ("http://8.8.8.8", "public"),
    ],
)  # fmt: skip
def test_a_file_tells_only_the_class_of_the_host(url: str, kind: str) -> None:
    """The upstream's name is not kept."""
    assert upstream_of(url, {}, 1.0).host_class == kind


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("/maas/{model}/{chip}=/v1", CHAT, "/v1/chat/completions"),
        ("/maas={model}", CHAT, OperatorError),
        ("/maas/{model}=/{chip}", CHAT, OperatorError),
        ("/=/api", "/x", None),
        ("/maas=", CHAT, "/mt-infini-3b/chip3/chat/completions"),
        ("/ma=/v1", CHAT, None),
        ("/maas/{model}/{chip}=/{chip}/{model}", CHAT, "/chip3/mt-infini-3b/chat/completions"),
    ],
)
def test_maps(text: str, path: str, expected: object) -> None:
    """A prefix ends at a slash; TO knows the placeholders of FROM."""
    if expected is OperatorError:
        with pytest.raises(OperatorError, match="--map"):
            path_map(text)
    elif text == "/=/api":
        assert path_map(text).applied(path) == "/api/x"
    else:
        assert path_map(text).applied(path) == expected


@pytest.mark.parametrize(("text", "seconds"), [("30d", 2_592_000), ("12h", 43_200), ("90m", 5_400), ("2w", 1_209_600)])
def test_spans(text: str, seconds: int) -> None:
    """A number and a unit."""
    assert span(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1y", "99999999d"])
def test_bad_spans(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(OperatorError, match=r"give a number and a unit \(s, m, h, d, w\); example: 30d"):
        span(text)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("qwen1.5-72b", "qwen1.5-72b"),
        ("a/b", "a%2Fb"),
        ("..", "%2E."),
        ("c:\\d", "c%3A%5Cd"),
        ("模型", "%E6%A8%A1%E5%9E%8B"),
    ],
)
def test_folder_names(name: str, folder: str) -> None:
    """Plain names stay, others are percent-encoded."""
    assert folder_name(name) == folder


def test_control_characters_do_not_reach_the_terminal() -> None:
    """Escapes, bidi marks and line breaks are shown, not obeyed."""
    assert visible("a\x1b]0;x\x07\u202eb\r\n\u2028") == "a\\x1b]0;x\\x07\\u202eb\\r\\n\\u2028"


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
        out, err = self.process.communicate(timeout=10)
        assert out == ""
        return self.process.returncode, err


def test_record_as_a_process(tmp_path: Path) -> None:
    """It says where to send requests, records with the key of the environment, and leaves with 0 on SIGTERM."""
    with RawUpstream([LINES_HEAD, *chunked(LINE % b"a")]) as upstream:
        running = Running(
            "--upstream",
            upstream.url,
            "--out",
            str(tmp_path / "f"),
            "--upstream-key-env",
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
        running = Running("--upstream", upstream.url, "--out", str(tmp_path), "--mode", "all")
        answered = [
            ask(running.port, body=json.dumps({"messages": [{"role": "user", "content": f"{n}"}]}).encode()).ending
            for n in range(10)
        ]
        running.end(signal.SIGKILL)

    files = [read(path) for path in tmp_path.rglob("*.json")]
    assert answered == [Ending.COMPLETE] * 10
    assert sorted(int((file.request.body or {})["messages"][0]["content"]) for file in files) == list(range(10))


SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}


@pytest.mark.parametrize("sent", SIGNALS.values(), ids=SIGNALS)
def test_a_signal_in_mid_stream(sent: signal.Signals, tmp_path: Path) -> None:
    """A stream that does not end in its grace time is cut, which is told in one line, and nothing of it is kept."""
    head = [LINES_HEAD, chunked(LINE % b"a")[0]]
    with (
        RawUpstream(head, Ending.HANG) as upstream,
        Running("--upstream", upstream.url, "--out", str(tmp_path), grace_seconds=0.1) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=5) as client,
    ):
        client.sendall(posted(chat_body()))
        while LINE % b"a" not in client.recv(65536):
            pass
        code, err = running.end(sent)
        seen = client.recv(65536)

    assert (code, err) == (0, f"not kept: stopped before the answer to '{CHAT}' was whole\n")
    assert seen == b""
    assert list(tmp_path.rglob("*.json")) == []


def test_the_port_is_in_a_file(tmp_path: Path) -> None:
    """`--port-file` has the port while connections are accepted, and is gone afterwards."""
    port_file = tmp_path / "port"
    with Running("--upstream", "http://127.0.0.1:1", "--out", str(tmp_path), "--port-file", str(port_file)) as running:
        assert port_file.read_text() == f"{running.port}\n"
        assert running.end(signal.SIGTERM) == (0, "")

    assert not port_file.exists()


def test_a_port_file_that_cannot_be_written(tmp_path: Path) -> None:
    """One line and exit code 2, though the address was had already."""
    words = [sys.executable, "-m", "mockserver", "record", "--upstream", "http://127.0.0.1:1", "--port", "0"]
    words += ["--out", str(tmp_path), "--port-file", "none/port"]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    message = "--port-file none/port: cannot be written: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


LOCAL = ("--upstream", "http://127.0.0.1:1")
WRONG = [
    (("--upstream", "x"), "--upstream 'x': give http(s)://host[:port][/path]; example: https://cloud.infini-ai.com"),
    (
        (*LOCAL, "--upstream-key-env", "NOT_SET"),
        "--upstream-key-env NOT_SET: the variable is not set; example: export NOT_SET=sk-…",
    ),
    (
        (*LOCAL, "--upstream-key-env", "SHORT"),
        "--upstream-key-env SHORT: a key is at least 6 printable ASCII characters",
    ),
    (("--upstream", "https://a", "--upstream-ca", "none.pem"), "--upstream-ca none.pem: No such file or directory"),
    ((*LOCAL, "--map", "/maas"), "--map '/maas': give FROM=TO, two path prefixes; example: /maas/{model}/{chip}=/v1"),
    ((*LOCAL, "--map", "m=/v1"), "--map 'm=/v1': give FROM=TO, two path prefixes; example: /maas/{model}/{chip}=/v1"),
    ((*LOCAL, "--map", "/maas/{a}=/{b}"), "--map '/maas/{a}=/{b}': {b} is not in FROM; placeholders there: a"),
    ((*LOCAL, "--map", "/{a}/{a}=/"), "--map '/{a}/{a}=/': {a}: placeholders in FROM are names that differ"),
    ((*LOCAL, "--timeout", "0"), "--timeout 0: give seconds over 0; example: --timeout 120"),
    ((*LOCAL, "--timeout", "nan"), "--timeout nan: give seconds over 0; example: --timeout 120"),
    ((*LOCAL, "--speed", "-1"), "--speed -1: give a number, 0 or more; example: --speed 1"),
    ((*LOCAL, "--port", "99999"), "--port 99999: give 0 to 65535; 0 takes a free one"),
    ((*LOCAL, "--out", "a-file"), "--out a-file: is no folder; give a folder, which is made where there is none"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words[2:]) or words[1] for words, _ in WRONG])
def test_wrong_use_is_one_line(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot start says what was seen, what is allowed, and stops."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").touch()
    parser = argparse.ArgumentParser()
    add_record_arguments(parser)
    arguments = parser.parse_args(["--port", "0", *words])

    with pytest.raises(OperatorError) as caught:
        main(arguments, {"SHORT": "abc"}, io.StringIO(), io.StringIO())

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--scrub-pattern", "(?=a)"), "--scrub-pattern: '(?=a)' is not a regular expression"),
        (("--edition", "none"), "none"),
    ],
)
def test_wrong_use_names_the_flag(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """Where the rest of the text is another module's, the flag and the value are in it, in one line."""
    parser = argparse.ArgumentParser()
    add_record_arguments(parser)
    arguments = parser.parse_args([*LOCAL, *words, "--out", str(tmp_path), "--port", "0"])

    with pytest.raises(OperatorError) as caught:
        main(arguments, {}, io.StringIO(), io.StringIO())

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

"""The command `record`, as a user types it, and its arguments."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mockserver.errors import OperatorError
from mockserver.exchange import Ending
from mockserver.exchange_file import read
from mockserver.recording.address import upstream_of
from mockserver.recording.command import add_record_arguments, main, span
from mockserver.recording.paths import path_map
from mockserver.recording.show import visible
from mockserver.recording.store import folder_name
from tests.recording_helpers import CHAT, LINES_HEAD, RawUpstream, ask, chunked

LINE = b'{"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n'
ROOT = Path(__file__).parent.parent
MAIN = (
    "import argparse, os, sys; from mockserver.recording.command import add_record_arguments, main;"
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

    def __init__(self, *words: str, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *words, "--port", "0"],
            cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        self.port = int(self.process.stdout.readline().split(":")[-1].split("/")[0])

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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--upstream", "x"), "--upstream 'x': give http(s)://host"),
        (
            ("--upstream", "http://a", "--upstream-key-env", "NOT_SET"),
            "--upstream-key-env NOT_SET: the variable is not set",
        ),
        (
            ("--upstream", "http://a", "--scrub-pattern", "(?=a)"),
            "--scrub-pattern: '(?=a)' is not a regular expression",
        ),
        (("--upstream", "http://a", "--timeout", "0"), "--timeout must be over 0"),
        (("--upstream", "http://a", "--edition", "none"), "none"),
    ],
)
def test_wrong_use_is_one_line(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """What cannot start says why."""
    parser = argparse.ArgumentParser()
    add_record_arguments(parser)
    arguments = parser.parse_args([*words, "--out", str(tmp_path), "--port", "0"])

    with pytest.raises(OperatorError) as caught:
        main(arguments, {}, io.StringIO(), io.StringIO())

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

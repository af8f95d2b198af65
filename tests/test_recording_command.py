"""The commands `record` and `fixtures`, as a user types them."""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from recording_helpers import CHAT, LINES_HEAD, RawUpstream, ask, chunked

from mockserver.errors import OperatorError
from mockserver.exchange import Ending, Exchange, Plan, Request
from mockserver.exchange_file import ExchangeFile, Provenance, file_of, read, written
from mockserver.recording.address import upstream_of
from mockserver.recording.command import add_fixtures_arguments, add_record_arguments, main, span
from mockserver.recording.paths import path_map
from mockserver.recording.show import visible
from mockserver.recording.store import Store, folder_name

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE = b'{"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n'
ROOT = Path(__file__).parent.parent
MAIN = (
    "import argparse, os, sys; from mockserver.recording.command import add_record_arguments, main;"
    "p = argparse.ArgumentParser(); add_record_arguments(p);"
    "sys.exit(main(p.parse_args(sys.argv[1:]), os.environ, sys.stdout, sys.stderr))"
)


def fixtures(*words: str) -> tuple[int, str]:
    """Run `genstudio-mock fixtures`: its exit code and what it printed."""
    parser = argparse.ArgumentParser()
    add_fixtures_arguments(parser)
    out = io.StringIO()
    return main(parser.parse_args(words), {}, out, io.StringIO()), out.getvalue()


def exchange_file(
    frames: Sequence[bytes],
    gap_ms: float = 10.0,
    ending: Ending = Ending.COMPLETE,
    recorded_at: str = "2026-11-22T00:00:00Z",
    prompt: str = "你是谁?",
) -> ExchangeFile:
    """A recording."""
    times = tuple(gap_ms * (number + 1) for number in range(len(frames)))
    plan = Plan(200, ((b"Content-Type", b"application/json"),), tuple(frames), times or None, ending)
    body = json.dumps({"messages": [{"role": "user", "content": prompt}], "stream": True}).encode()
    exchange = Exchange(Request("POST", CHAT, {}, body), plan, len(frames), 0, ending)
    return file_of(exchange, Provenance(recorded_at=recorded_at, tool="", body_sha256=""))


def put(path: Path, file: ExchangeFile) -> str:
    """Write a file and return its name."""
    path.write_text(written(file))
    return str(path)


def test_show_draws_a_time_line(tmp_path: Path) -> None:
    """A row for each send: when, how long after the one before, how many bytes, where in the whole, and its text."""
    name = put(tmp_path / "a.json", exchange_file([b"abc", "我\x1b[31m".encode()], 10.0, Ending.CUT))

    code, text = fixtures("show", name)

    assert code == 0
    assert text.splitlines() == [
        f"POST {CHAT}  你是谁?",
        "200, 2 chunks, 11 bytes, cut",
        "  Content-Type: application/json",
        "     at ms       gap   bytes",
        "      10.0     +10.0       3 |···········█            | abc",
        "      20.0     +10.0       8 |·······················█| 我\\x1b[31m",
        "           cut: the body did not end",
    ]


def test_list_names_what_is_recorded(tmp_path: Path) -> None:
    """Status, ending, chunks, bytes, times, age, prompt and file; answer files are left out."""
    name = put(tmp_path / "a.json", exchange_file([b"abc", b"d"]))
    (tmp_path / "answer.json").write_text('{"match": {}, "answer": {"text": "a"}}')

    code, text = fixtures("list", str(tmp_path))

    assert code == 0
    [_, row] = text.splitlines()
    assert row.startswith("200    complete      2        4      10.0      20.0 ")
    assert row.endswith(f"你是谁? · {name}")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(exchange_file([LINE % b"a", LINE % b"b"]), [], id="same"),
        pytest.param(
            exchange_file([LINE % b"a", LINE % b"c"]),
            ['bytes: 110 / 110; first difference at byte 103: ‹tent": "b"}}]}\\n› / ‹tent": "c"}}]}\\n›'],
            id="bytes",
        ),
        pytest.param(
            exchange_file([(LINE % b"a")[:5], (LINE % b"a")[5:] + LINE % b"b"]),
            ["chunks: 2 / 2; first difference at chunk 0: 55 bytes / 5 bytes"],
            id="chunks",
        ),
        pytest.param(
            exchange_file([LINE % b"a", LINE % b"b"], 40.0),
            [
                "timing: first send 10.0 ms / 40.0 ms",
                "timing: last send 20.0 ms / 80.0 ms",
                "timing: median gap 10.0 ms / 40.0 ms",
            ],
            id="timing",
        ),
        pytest.param(
            exchange_file([LINE % b"a", LINE % b"b"], ending=Ending.CUT), ["ending: complete / cut"], id="ending"
        ),
    ],
)
def test_diff_says_what_differs(other: ExchangeFile, expected: list[str], tmp_path: Path) -> None:
    """Bytes, chunks, shape and timing apart; the exit code is 1 where anything differs."""
    one = put(tmp_path / "a.json", exchange_file([LINE % b"a", LINE % b"b"]))

    code, text = fixtures("diff", one, put(tmp_path / "b.json", other))

    assert text.splitlines() == (expected or ["no difference in head, bytes, chunks, shape and timing"])
    assert code == bool(expected)


def test_diff_compares_shapes(tmp_path: Path) -> None:
    """A key that one chunk has more is named with its place."""
    one = put(tmp_path / "a.json", exchange_file([LINE % b"a"]))
    other = put(tmp_path / "b.json", exchange_file([b'{"id": 1, "choices": []}\n']))

    _, text = fixtures("diff", one, other)

    shape = "shape: 1 / 1 objects; first difference at object 0: {choices[{index, delta{content}}]} / {id, choices[]}"
    assert shape in text.splitlines()


@pytest.mark.parametrize(("most", "code"), [("30d", 1), ("90000w", 0)])
def test_age(most: str, code: int, tmp_path: Path) -> None:
    """Recordings older than the span are named; without a date a recording counts as too old."""
    old = put(tmp_path / "old.json", exchange_file([b"a"], recorded_at="2020-01-01T00:00:00Z"))
    put(tmp_path / "new.json", exchange_file([b"a"], recorded_at=dt.datetime.now(dt.UTC).isoformat()))

    found, text = fixtures("age", "--max", most, str(tmp_path))

    assert found == code
    assert text.splitlines()[-1] == (f"1 older than {most}" if code else f"none is older than {most}")
    assert text.startswith(f"{old}: ") == bool(code)


VERIFIED = {
    "key-in-a-prompt": (exchange_file([b"a"], prompt="sk-abcdefghijklmnop1234"), "holds an API key (sk-…)"),
    "key-in-a-body": (exchange_file([b'{"a": "sk-abcdefghij', b'klmnop1234"}']), "holds an API key (sk-…)"),
    "key-in-pieces": (
        exchange_file([LINE % b"sk-abcdefghij", LINE % b"klmnop1234"]),
        "holds a key that the answer spells across its chunks",
    ),
    "clean": (exchange_file([LINE % b"a"]), ""),
}


@pytest.mark.parametrize(("file", "message"), VERIFIED.values(), ids=VERIFIED)
def test_verify_finds_keys(file: ExchangeFile, message: str, tmp_path: Path) -> None:
    """What looks like a key is found wherever it hides, is not shown again, and makes the exit code 1."""
    name = put(tmp_path / "a.json", file)

    code, text = fixtures("verify", str(tmp_path))

    assert code == bool(message)
    assert (f"{name}: {message}" in text) == bool(message)
    assert "abcdefgh" not in text
    assert text.splitlines()[-1] == f"1 files, {int(bool(message))} with problems"


def test_verify_reads_answer_files_and_notes_edits(tmp_path: Path) -> None:
    """Keys in answer files are found too; an edit is a note, a broken file a problem."""
    (tmp_path / "answer.json").write_text('{"match": {}, "answer": {"text": "Bearer abcdefghijklmnop"}}')
    put(tmp_path / "edited.json", exchange_file([b"abc"]))
    (tmp_path / "edited.json").write_text((tmp_path / "edited.json").read_text().replace("abc", "abd"))
    (tmp_path / "broken.json").write_text("{")

    code, text = fixtures("verify", str(tmp_path))

    assert code == 1
    assert f"{tmp_path / 'answer.json'}: holds a bearer token; record again, or remove it" in text
    assert f"{tmp_path / 'edited.json'}: note: its body was edited after it was recorded" in text
    assert f"{tmp_path / 'broken.json'}: not a JSON file" in text
    assert text.endswith("3 files, 2 with problems\n")


def test_the_shipped_fixtures_hold_no_key() -> None:
    """What is published with the package was looked through."""
    code, text = fixtures("verify")

    assert code == 0, text


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


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    """The folder is named in the error, and no half file is left."""
    (tmp_path / "mt-infini-3b").write_text("in the way")

    with pytest.raises(OperatorError, match="chip3: cannot be written"):
        Store(tmp_path).save(exchange_file([b"a"]))

    assert [path.name for path in tmp_path.iterdir()] == ["mt-infini-3b"]

"""The command `record`, as a user types it, and its arguments."""

from __future__ import annotations

import argparse
import io
import re
from typing import TYPE_CHECKING, get_args

import pytest

from mockserver.cli.fixtures import span
from mockserver.cli.record import add_arguments, check_record_arguments, main
from mockserver.core.errors import OperatorError
from mockserver.recording.modes import DEFAULT, MODES, Mode
from mockserver.recording.path_map import path_map
from mockserver.recording.show import visible
from mockserver.recording.store import folder_name
from mockserver.recording.upstream_address import upstream_of
from tests.command import ROOT, called
from tests.recording_helpers import CHAT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("cloud.infini-ai.com", "give http(s)://host[:port][/path]; example: https://cloud.infini-ai.com"),
        ("ftp://a", "give http(s)://"),
        ("http://a:0", "give http(s)://"),
        ("http://a:99999", "Port out of range"),
        ("http://a b", "give http(s)://"),
        ("http://a..b", "no host has such a name; example: "),
        ("http://a/路", "a path is ASCII, other characters are written as %E4%BD%A0; example: "),
        ("http://me:secret@a", "credentials do not belong into the address; use --api-key-env NAME"),
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
    """A span is a number and a unit."""
    assert span(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1y", "99999999d"])
def test_bad_spans(text: str) -> None:
    """What is no number and unit is refused with an example."""
    with pytest.raises(OperatorError, match=r"give a number and a unit \(s, m, h, d, w\); example: 30d"):
        span(text)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("qwen1.5-72b", "qwen1.5-72b"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        ("CON", "%43ON"),
        ("nul.txt", "%6Eul.txt"),
        ("console", "console"),
        ("a.", "a%2E"),
        ("a\0b", "a%00b"),
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


def test_modes_are_told_everywhere() -> None:
    """Help has the sentence of each mode, and docs/recording.md a row for each."""
    _, told, _ = called("record", "--help")
    _, _, guide = (ROOT / "docs" / "recording.md").read_text("utf-8").partition("| `--mode` |")
    rows = re.findall(r"^\| `([a-z-]+)` \|", guide.partition("\n\n")[0], re.MULTILINE)

    assert tuple(MODES) == get_args(Mode)
    assert rows[0] == DEFAULT
    assert sorted(rows) == sorted(MODES)
    assert all(f"{mode}: {says}" in " ".join(told.split()) for mode, says in MODES.items())


LOCAL = ("--base-url", "http://127.0.0.1:1")
WRONG = [
    (("--base-url", "x"), "--base-url 'x': give http(s)://host[:port][/path]; example: https://cloud.infini-ai.com"),
    (
        (*LOCAL, "--api-key-env", "NOT_SET"),
        "--api-key-env NOT_SET: the variable is not set; example: export NOT_SET=sk-…",
    ),
    (
        (*LOCAL, "--api-key-env", "SHORT"),
        "--api-key-env SHORT: a key is at least 6 printable ASCII characters",
    ),
    (("--base-url", "https://a", "--ca", "none.pem"), "--ca none.pem: No such file or directory"),
    ((*LOCAL, "--map", "/maas"), "--map '/maas': give FROM=TO, two path prefixes; example: /maas/{model}/{chip}=/v1"),
    ((*LOCAL, "--map", "m=/v1"), "--map 'm=/v1': give FROM=TO, two path prefixes; example: /maas/{model}/{chip}=/v1"),
    ((*LOCAL, "--map", "/maas/{a}=/{b}"), "--map '/maas/{a}=/{b}': {b} is not in FROM; placeholders there: a"),
    ((*LOCAL, "--map", "/{a}/{a}=/"), "--map '/{a}/{a}=/': {a}: placeholders in FROM are names that differ"),
    ((*LOCAL, "--timeout", "0"), "--timeout 0: give seconds over 0; example: --timeout 120"),
    ((*LOCAL, "--timeout", "nan"), "--timeout nan: give seconds over 0; example: --timeout 120"),
    ((*LOCAL, "--speed", "-1"), "--speed -1: give a number, 0 or more; example: --speed 1"),
    ((*LOCAL, "--port", "99999"), "--port 99999: give 0 to 65535; 0 takes a free one"),
    ((*LOCAL, "--output", "a-file"), "--output a-file: is no folder; give a folder, which is made where there is none"),
    (
        (*LOCAL, "--output", "a-file/recordings"),
        "--output a-file/recordings: a-file is no folder; give a folder, which is made where there is none",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words[2:]) or words[1] for words, _ in WRONG])
def test_wrong_use_is_one_line(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot start says what was seen, what is allowed, and stops."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").touch()
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args(["--port", "0", *words])

    with pytest.raises(OperatorError) as caught:
        main(arguments, {"SHORT": "abc"}, io.StringIO(), io.StringIO())

    assert str(caught.value) == message


def test_a_folder_that_may_not_be_written_to_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody records for an hour to find nothing kept; what only replays needs no such folder."""
    monkeypatch.setattr("mockserver.files.atomic.os.access", lambda *_: False)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    out = tmp_path / "made" / "later"

    with pytest.raises(OperatorError) as caught:
        check_record_arguments(parser.parse_args([*LOCAL, "--output", str(out)]))
    check_record_arguments(parser.parse_args([*LOCAL, "--output", str(out), "--mode", "none"]))

    assert str(caught.value) == f"--output {out}: {tmp_path} may not be written to; give a folder that may"


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
    add_arguments(parser)
    arguments = parser.parse_args([*LOCAL, *words, "--output", str(tmp_path), "--port", "0"])

    with pytest.raises(OperatorError) as caught:
        main(arguments, {}, io.StringIO(), io.StringIO())

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

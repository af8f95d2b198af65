"""Users' files: whatever lies at a path, reading it ends soon, in a bounded memory and with one line."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Final

import pytest

from mockserver.files.bounded import FILE_LIMIT_BYTES, UnreadableFileError, read_bounded
from tests.command import called
from tests.recording_helpers import LINES_HEAD, RawUpstream, ask, chunked, recording_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices with a path are POSIX")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8 << 30)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


ODD: Final[dict[str, tuple[Callable[[Path], object], str]]] = {
    "pipe": (os.mkfifo, "it is a pipe; allowed: a regular file"),
    "device": (_device, "it is a device; allowed: a regular file"),
    "folder": (os.mkdir, "it is a folder; allowed: a regular file"),
    "socket": (_socket, "it is a socket; allowed: a regular file"),
    "sparse": (_sparse, f"it has 8589934592 bytes; allowed: at most {FILE_LIMIT_BYTES >> 20} MiB"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_of_a_fitting_size_is_one_line(kind: str, tmp_path: Path) -> None:
    """It is opened without waiting and not read past the limit; the line says what it is and what is allowed."""
    path = tmp_path / "odd.json"
    make, says = ODD[kind]
    make(path)
    with pytest.raises(UnreadableFileError) as caught:
        read_bounded(path)
    assert str(caught.value) == f"{path}: cannot be read: {says}"


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize(
    "words",
    [("list",), ("show",), ("verify",), ("age", "--max", "30d"), ("convert",)],
    ids=lambda words: words[0],
)
def test_fixtures_reads_no_such_file(words: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    """Each action names it in one line and ends."""
    path = tmp_path / "in" / "odd.json"
    path.parent.mkdir()
    ODD[kind][0](path)
    where = path if words[0] == "show" else path.parent
    code, out, err = called("fixtures", *words, str(where), *([str(tmp_path / "out")] if words[0] == "convert" else []))
    if kind == "folder" and words[0] != "show":
        assert "Traceback" not in err
        return
    assert code in {1, 2}
    assert "cannot be read: " in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
def test_the_recorder_meets_no_such_file(kind: str, tmp_path: Path) -> None:
    """Where it stands at the place of a recording, the next free name is taken."""
    line = b"{}\n"
    with RawUpstream([LINES_HEAD, *chunked(line)]) as upstream, recording_of(upstream.url, tmp_path / "a") as proxy:
        ask(proxy.port)
        there = proxy.files[0]
        there.unlink()
        ODD[kind][0](there)
        assert ask(proxy.port).status == 200
        assert there.with_name(f"{there.stem}-2.json") in proxy.files


GOOD: Final = {"match": {"user": "hello"}, "answer": {"text": "one"}}


def test_a_name_with_an_escape_reaches_no_terminal(tmp_path: Path) -> None:
    """Control characters of a name are shown as escapes wherever a name is printed."""
    path = tmp_path / "a\x1b]0;owned\x07\u202e.json"
    path.write_text("{")
    for words in (("validate",), ("fixtures", "verify"), ("fixtures", "list"), ("fixtures", "show")):
        where = path if words[-1] == "show" else tmp_path
        _, out, err = called(*words, str(where))
        assert "\\x1b]0;owned\\x07\\u202e" in out + err
        assert not {"\x1b", "\x07", "\u202e"} & {*out, *err}


def test_a_fixture_that_is_half_written_says_what_it_said(tmp_path: Path) -> None:
    """Under hot reload the last good state answers until the file is whole again; gone is gone."""
    from mockserver.sources.fixtures import Fixtures

    path = tmp_path / "hello.json"
    path.write_text(json.dumps(GOOD))
    fixtures = Fixtures([tmp_path])
    fixtures.refresh(0.0)
    path.write_text(json.dumps(GOOD)[:20])
    told = fixtures.refresh(10.0)
    assert told
    assert told[0].endswith("; what it said before is served on")
    assert [one.name for one in fixtures] == ["hello.json"]
    assert list(fixtures.broken) == [(0, "hello.json")]
    path.write_text(json.dumps({**GOOD, "answer": {"text": "two"}}))
    assert fixtures.refresh(20.0) == []
    assert [one.file.answer.text for one in fixtures if one.file.answer] == ["two"]
    assert fixtures.broken == {}
    path.unlink()
    fixtures.refresh(30.0)
    assert list(fixtures) == []

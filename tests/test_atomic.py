"""The one way in which files are written: whole or absent."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from mockserver.core.errors import OperatorError
from mockserver.files.atomic import draft, write_whole
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

MISSING = os.strerror(errno.ENOENT)


@pytest.mark.parametrize("recording", [False, True], ids=["file", "recording"])
@pytest.mark.parametrize(("content", "written"), [("你\r\n\n", "你\r\n\n".encode()), (b"\xff\0", b"\xff\0"), ("", b"")])
def test_what_is_written_is_all_that_is_there(
    tmp_path: Path, content: str | bytes, written: bytes, recording: bool
) -> None:
    """Text is UTF-8 with its line ends as they are, bytes are bytes; the old file is gone, and so is the draft."""
    path = tmp_path / "a"
    path.write_bytes(b"a longer one, which stood there before")

    write_whole(path, content, recording=recording)

    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a": written}


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
@pytest.mark.parametrize(("recording", "mode"), [(False, 0o640), (True, 0o600)], ids=["file", "recording"])
def test_who_may_read_it(tmp_path: Path, recording: bool, mode: int) -> None:
    """A recording is for its owner alone, whatever stood there; another file is for whom the umask lets."""
    path = tmp_path / "a"
    path.touch()
    path.chmod(0o666)
    before = os.umask(0o027)
    try:
        write_whole(path, "x", recording=recording)
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(("named", "says"), [("", "{path}"), ("--port-file p", "--port-file p")], ids=["path", "flag"])
def test_what_cannot_be_written_is_one_line(tmp_path: Path, named: str, says: str) -> None:
    """It names the path, or what the caller calls it."""
    path = tmp_path / "none" / "a"

    with pytest.raises(OperatorError) as caught:
        write_whole(path, "x", named=named)

    assert str(caught.value) == f"{says.format(path=path)}: cannot be written: {MISSING}"


def test_a_place_that_is_taken(tmp_path: Path) -> None:
    """Where a folder stands no file can: it stays as it was, and no draft is left."""
    (tmp_path / "a" / "b").mkdir(parents=True)

    with pytest.raises(OperatorError, match="cannot be written"):
        write_whole(tmp_path / "a", "x")

    assert sorted(one.name for one in tmp_path.rglob("*")) == ["a", "b"]


def test_a_draft_is_gone_where_the_block_fails(tmp_path: Path) -> None:
    """In the block it is whole and hidden."""
    with contextlib.suppress(ZeroDivisionError), draft(tmp_path, "x") as whole:
        assert whole.name.startswith(".")
        assert whole.read_text() == "x"
        raise ZeroDivisionError

    assert list(tmp_path.iterdir()) == []


def test_a_draft_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """One that another writes just now, or that a killed process left under our number, is not written over."""
    with draft(tmp_path, "first") as other:
        write_whole(tmp_path / "a", "second")
        assert other.read_text() == "first"
        other.replace(tmp_path / "b")

    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"a": "second", "b": "first"}


def test_several_write_the_same_file(tmp_path: Path) -> None:
    """One of them is there, whole."""
    path, texts = tmp_path / "a", [str(number) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(lambda text: write_whole(path, text), texts))

    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_light() -> None:
    """What tests import writes with it: no module of ours but the errors comes along."""
    code = "import mockserver.files.atomic, sys; print(*sorted(n for n in sys.modules if n.startswith('mockserver.')))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=WAIT_SECONDS
    )

    assert done.stdout.split() == [
        "mockserver.core", "mockserver.core.errors", "mockserver.files", "mockserver.files.atomic"
    ]  # fmt: skip

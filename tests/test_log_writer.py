"""The thread that writes the log: in order, soon, and never in the way of who logs, whether it is read or not."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from typing import TYPE_CHECKING, TextIO

import pytest

from mockserver.core.exchange import Exchange, Plan, Request
from mockserver.server import log, log_writer
from mockserver.server.log_writer import LogWriter
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLD = re.compile("told: ([0-9]+) lines were not written: nobody read the log")
PIPES = pytest.mark.skipif(sys.platform == "win32", reason="pipes are not asked there whether they take more")


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Both ends of a pipe: to read from, and as a stream to write to."""
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        try:
            yield read, stream
        finally:
            with contextlib.suppress(OSError):
                os.close(read)


def line(number: int) -> str:
    """A line of about a hundred bytes."""
    return f"{number:100d}"


@PIPES
def test_a_line_is_written_without_an_end_to_come() -> None:
    """Nothing but the line is waited for."""
    with pipe() as (read, stream):
        writer = LogWriter(stream, str)
        writer.add(lambda: "你好")

        assert os.read(read, 100) == "你好\n".encode()
        writer.close()


@PIPES
def test_what_nobody_reads_is_dropped_and_counted() -> None:
    """Who logs never waits; what was kept is written in order once it is read, and then how much was not."""
    count, kept = 5000, 100
    with pipe() as (read, stream):
        writer = LogWriter(stream, lambda text: f"told: {text}", kept)
        for number in range(count):
            writer.add(lambda number=number: line(number))  # type: ignore[misc]
        found: list[str] = []
        with os.fdopen(os.dup(read), encoding="utf-8") as lines:
            while len(found) - len(told := TOLD.findall("\n".join(found))) + sum(map(int, told)) < count:
                found.append(lines.readline()[:-1])
        writer.close()

    written = [one for one in found if not TOLD.fullmatch(one)]
    assert written == sorted(written)
    assert kept <= len(written) < count


@PIPES
def test_the_end_does_not_wait_for_a_reader_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left then is not written, and the thread ends."""
    monkeypatch.setattr(log_writer, "CLOSE_SECONDS", 0.05)
    with pipe() as (_, stream):
        writer = LogWriter(stream, str)
        for number in range(5000):
            writer.add(lambda number=number: line(number))  # type: ignore[misc]
        writer.close()
        writer._thread.join(WAIT_SECONDS)
        assert not writer._thread.is_alive()


@PIPES
def test_a_reader_that_leaves() -> None:
    """Nobody is told of it: there is nobody."""
    with pipe() as (read, stream):
        writer = LogWriter(stream, str)
        os.close(read)
        for number in range(5000):
            writer.add(lambda number=number: line(number))  # type: ignore[misc]
        writer.close()


@PIPES
def test_what_the_stream_cannot_encode_is_escaped() -> None:
    """A terminal without Unicode is no reason to lose a line."""
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="ascii") as stream:
        writer = LogWriter(stream, str)
        writer.add(lambda: "你")
        assert os.read(read, 100) == b"\\u4f60\n"
        writer.close()
    os.close(read)


def test_the_end_writes_what_is_left() -> None:
    """All lines, in order, also where there is no file below the stream."""
    written = io.StringIO()
    writer = LogWriter(written, str)
    for number in range(100):
        writer.add(lambda number=number: str(number))  # type: ignore[misc]
    writer.close()

    assert written.getvalue().split() == [str(number) for number in range(100)]


def test_an_exchange_is_not_held_by_its_line() -> None:
    """What waits to be written is small, whatever was sent: parts of long texts, none of the body."""
    exchange = Exchange(Request("POST", "/" + "p" * 70_000, {}, b"x" * 10**6), Plan(404, (), (b"",), detail="d" * 9000))
    told = log.told_of(exchange)

    assert all(isinstance(part, str | int | tuple) for part in told)
    assert len("".join(log.in_words(told))) < 1300

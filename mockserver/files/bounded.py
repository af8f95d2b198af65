"""The one way in which a user's file is read: a regular file, of a size that fits, without waiting for anybody."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import Final
from unicodedata import category

from mockserver.core.errors import OperatorError

FILE_LIMIT_BYTES: Final = 64 * 2**20
"""Most bytes of a profile, a configuration, a fixture or a recording; the recorder itself keeps 16 MiB of an answer."""
_COMMANDS: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, what turns the direction, line ends
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class UnreadableFileError(OperatorError):
    """A file that is not there, may not be read, is no regular one, too large, or no JSON, whatever it was to hold."""


def read_bounded(path: Path | str, limit: int = FILE_LIMIT_BYTES) -> bytes:
    """A regular file's bytes.

    It is opened without waiting (a pipe has no writer), looked at when it is open (so that nobody changes it in
    between), and never read past the limit, also where it grows meanwhile.

    Args:
        path: The file; a link to one is followed.
        limit: Most bytes; a sparse file counts with what it says that it holds.

    Raises:
        UnreadableFileError: one line with the path, what was seen and what is allowed.
    """
    name = visible_path(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise UnreadableFileError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:  # a ValueError for a zero byte in the name
        raise UnreadableFileError(f"{name}: cannot be read: {_why(path, error)}") from None
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            raise UnreadableFileError(f"{name}: cannot be read: it is {_kind(seen.st_mode)}; allowed: a regular file")
        if seen.st_size > limit:
            raise _too_large(name, f"{seen.st_size} bytes", limit)
        data = os.read(descriptor, seen.st_size + 1)  # no file object: there may be a hundred thousand of them
        while len(data) != seen.st_size and len(data) <= limit and (more := os.read(descriptor, limit + 1 - len(data))):
            data += more
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be read: {error.strerror or error}") from None
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise _too_large(name, "more", limit)
    return data


def without_byte_order_mark(data: bytes) -> bytes:
    """A text without the mark that some editors write in front; JSON from a user's disk is read with it."""
    return data.removeprefix(codecs.BOM_UTF8)


def decoded(data: bytes, where: Path | str) -> str:
    """A user's file as text, without the mark that some editors write in front.

    Raises:
        UnreadableFileError: it is no UTF-8; UTF-16 is named, since PowerShell 5 writes it with `>`.
    """
    try:
        return without_byte_order_mark(data).decode()
    except UnicodeDecodeError as wrong:
        seen = f"byte {wrong.object[wrong.start]:#04x} at offset {wrong.start}"
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            seen = "it is UTF-16, as PowerShell's > writes it"
        raise UnreadableFileError(f"{where}: not UTF-8: {seen}; save the file as UTF-8") from None


def visible_path(path: Path | str) -> str:
    """A path for people: what a terminal would take for a command, and what does not show, is escaped."""
    text = str(path)
    if text.isprintable():
        return text
    return "".join(ascii(char)[1:-1] if category(char) in _COMMANDS else char for char in text)


def _too_large(name: str, seen: str, limit: int) -> UnreadableFileError:
    return UnreadableFileError(f"{name}: cannot be read: it has {seen}; allowed: at most {limit >> 20} MiB")


def _why(path: Path | str, error: Exception) -> str:
    """The system's reason, or what the path is where the system has no word for it (a socket)."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        mode = stat.S_IFREG
    if not stat.S_ISREG(mode):
        return f"it is {_kind(mode)}; allowed: a regular file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _kind(mode: int) -> str:
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "no regular file")

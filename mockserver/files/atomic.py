"""Writing a file so that it is whole or absent: beside its place, then renamed.

Only the standard library and the errors are imported, so that what a test holds stays light.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from mockserver.core.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_whole(path: Path, content: str | bytes, *, named: str = "", recording: bool = False) -> None:
    """Write a file so that it is whole or absent; what stood there is replaced.

    Args:
        path: The file.
        content: Bytes, or text, which becomes UTF-8 with its line ends as they are.
        named: What the error calls the file, a flag and its value say; without it the path.
        recording: As in `draft`.

    Raises:
        OperatorError: it cannot be written.
    """
    try:
        with draft(path.parent, content, recording=recording) as whole:
            whole.replace(path)
    except OSError as error:
        raise OperatorError(f"{named or path}: cannot be written: {error.strerror or error}") from None


def check_folder(folder: Path, named: str, *, written: bool = True) -> None:
    """See that files can be written into a folder, which may be one that is still to be made.

    Asked before what takes long or costs money, whose result would be lost otherwise.

    Args:
        folder: The folder.
        named: What the error calls it, a flag and its value say.
        written: Whether anything will be.

    Raises:
        OperatorError: it cannot.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        seen = "" if there == folder else f"{there} "
        raise OperatorError(f"{named}: {seen}is no folder; give a folder, which is made where there is none")
    if written and not os.access(there, os.W_OK | os.X_OK):
        raise OperatorError(f"{named}: {there} may not be written to; give a folder that may")


def check_file(path: Path, named: str) -> None:
    """The same for one file, whose folder must be there.

    Raises:
        OperatorError: it cannot be written.
    """
    if path.is_dir():
        raise OperatorError(f"{named}: is a folder; give a file, which is made or replaced")
    if not path.parent.exists():
        raise OperatorError(f"{named}: {path.parent} is not there; make it, or give another file")
    check_folder(path.parent, f"{named}: {path.parent}")


@contextlib.contextmanager
def draft(folder: Path, content: str | bytes, *, recording: bool = False) -> Iterator[Path]:
    """A whole file under a hidden name, to which the block gives its own; where it fails, the file is gone.

    Args:
        folder: Where it lies, which is where it is to stay.
        content: Bytes, or text, which becomes UTF-8 with its line ends as they are.
        recording: It holds what a live service said, which costs money to ask again: nobody else may read it (mode
            0600), and it is flushed to the disk before the block, its name after it.

    Raises:
        OSError: it cannot be written.
    """
    path, descriptor = _opened(folder, 0o600 if recording else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as out:
            # half a character, as a target may send it, is written as its escape: a report is no place to fail
            out.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
            out.flush()
            if recording:
                os.fsync(out.fileno())
        yield path
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()  # only here: once it is renamed, the hidden name may be another one's
        raise
    if recording:
        _flush_folder(folder)


@contextlib.contextmanager
def temporary(flag: str) -> Iterator[None]:
    """A block that makes a temporary file or folder, for what a flag asks for; raises OperatorError where it cannot."""
    try:
        yield
    except OSError as error:
        raise OperatorError(
            f"{flag}: no temporary file can be made: {error.strerror or error}; name a folder that can be written to "
            "in TMPDIR (a container with a read-only root wants a tmpfs at /tmp)"
        ) from None


def _opened(folder: Path, mode: int) -> tuple[Path, int]:
    """A new file under a name that nobody else has: other threads, other processes, or one that was killed."""
    number = 0
    while True:
        path = folder / f".{os.getpid()}-{number}.part"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            number += 1


def _flush_folder(folder: Path) -> None:
    """Make the new name last, where the system lets a folder be flushed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

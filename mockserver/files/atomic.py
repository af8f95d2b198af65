"""Writing a file so that it is whole or absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.core.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is whole or absent; raises OperatorError where that cannot be."""
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OperatorError(f"{path}: cannot be written: {error.strerror or error}") from None

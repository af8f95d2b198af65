"""TOML as it lies in files."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import OperatorError
from mockserver.files.bounded import decoded, read_bounded

if TYPE_CHECKING:
    from pathlib import Path


def toml_of(path: Path) -> dict[str, Any]:
    """What a TOML file holds; raises OperatorError with the file and the place in it."""
    try:
        return tomllib.loads(decoded(read_bounded(path), path).replace("\r\n", "\n"))
    except RecursionError:
        raise OperatorError(f"{path}: not TOML: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and a plain one for a number of thousands of digits
        raise OperatorError(f"{path}: not TOML: {error}") from None

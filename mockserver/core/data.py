"""Where the shipped data lies: `_data/` in an installed wheel, beside the package in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

ANY: Final = "any"
"""The name of a folder of fixtures that stands for every model or chip, and of recordings whose path names none."""
_HERE = Path(__file__).resolve().parent.parent


@cache
def shipped(kind: Literal["profiles", "fixtures"]) -> Path:
    """The folder of the shipped profiles or fixtures; raises FileNotFoundError for a broken installation."""
    for base in (_HERE / "_data", _HERE.parent):
        if (base / kind).is_dir():
            return base / kind
    raise FileNotFoundError(f"{kind}: not found beside {_HERE}; the installation is incomplete")

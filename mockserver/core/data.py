"""Where the shipped data lies: `_data/` in an installed wheel, beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_HERE = Path(__file__).resolve().parent.parent


def shipped(kind: Literal["profiles", "fixtures"]) -> Path:
    """The folder of the shipped profiles or fixtures; raises FileNotFoundError for a broken installation."""
    for base in (_HERE / "_data", _HERE.parent):
        if (base / kind).is_dir():
            return base / kind
    raise FileNotFoundError(f"{kind}: not found beside {_HERE}; the installation is incomplete")

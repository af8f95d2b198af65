"""The preset of a private mock: one that a program, a command or a test run starts for itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockserver.settings.config import Config


def private(config: Config) -> Config:
    """The configuration of a mock for whoever starts it alone.

    It listens on a free port of this machine, lets every key in, has its control API without a token, is one
    process, and when it is stopped waits for nobody.
    """
    return replace(
        config, host="127.0.0.1", port=0, uds=None, port_file=None, api_key=(), control=True, control_token=None,
        grace_seconds=0.0, workers=1, state=None,
    )  # fmt: skip

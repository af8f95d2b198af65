"""The mock of a pytest run: one that runs already, or a process that all of the run's processes share."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.testing.mock_lease import MockLease
    from mockserver.testing.running_mock import RunningMock

_MOCK: Final = pytest.StashKey["RunningMock"]()
_LEASE: Final = pytest.StashKey["MockLease"]()


def mock_of_run(config: pytest.Config) -> RunningMock:
    """The mock, which is held from the first call on until `leave`.

    Raises:
        MockError: the one that runs already does not answer.
        OperatorError: a setting is wrong, or the mock did not start.
    """
    if _MOCK not in config.stash:
        from mockserver.testing.running_mock import RunningMock

        url = config.getoption("genstudio_mock_url") or config.getini("genstudio_mock_url")
        mock = RunningMock(url, config.getoption("genstudio_mock_token")) if url else RunningMock(_lease(config).url)
        _ = mock.edition  # it answers
        config.stash[_MOCK] = mock
    return config.stash[_MOCK]


def leave(config: pytest.Config) -> None:
    """Give the mock back; it ends with the last process that holds it."""
    lease = config.stash.get(_LEASE, None)
    if lease is not None:
        del config.stash[_LEASE]
        lease.leave()


def _lease(config: pytest.Config) -> MockLease:
    from mockserver.settings.config import COMMAND_VARIABLE
    from mockserver.testing.mock_lease import HERE, MockLease

    if _LEASE not in config.stash:
        args = config.getoption("genstudio_mock_args") or config.getini("genstudio_mock_args")
        command = os.environ.get(COMMAND_VARIABLE) or config.getini("genstudio_mock_command")
        flags, words = (
            _split("--genstudio-mock-args", args, "flags"),
            _split("genstudio_mock_command", command, "words"),
        )
        if edition := config.getoption("edition"):
            flags += ["--edition", edition]
        config.stash[_LEASE] = MockLease(_shared_folder(config), flags, config.rootpath, words or HERE)
    return config.stash[_LEASE]


def _split(name: str, text: str, into: str) -> list[str]:
    """A command line as its words; raises OperatorError where quotes are not closed."""
    from mockserver.core.errors import OperatorError

    try:
        return shlex.split(text.replace("\\", "\\\\") if sys.platform == "win32" else text)
    except ValueError as error:
        raise OperatorError(f"{name}: {text!r} cannot be split into {into}: {error}") from None


def _shared_folder(config: pytest.Config) -> Path:
    """A folder of this run; that of a worker of xdist lies in the one of all."""
    own: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # noqa: SLF001 - as xdist does
    return own.parent if hasattr(config, "workerinput") else own

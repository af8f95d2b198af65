"""Hypothesis keeps what it has reckoned in `.hypothesis` of the working directory; a command leaves nothing there."""

from __future__ import annotations

import atexit
import contextlib
from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "HYPOTHESIS_STORAGE_DIRECTORY"


def keep_elsewhere(environ: Mapping[str, str]) -> None:
    """Let Hypothesis keep it in a folder that goes with this process, unless its own variable names one."""
    if not environ.get(VARIABLE):
        _keep_in_temporary_folder()


@cache
def _keep_in_temporary_folder() -> None:
    with contextlib.suppress(ImportError):  # it is an extra
        from hypothesis.configuration import set_hypothesis_home_dir

        folder = TemporaryDirectory(prefix="genstudio-mock-", ignore_cleanup_errors=True)
        atexit.register(folder.cleanup)
        set_hypothesis_home_dir(folder.name)

"""Ctrl-C at any moment ends a command without a traceback, however far Python has come with importing it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Final

import pytest

from tests.command import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C ends a process otherwise there")

WHILE_IMPORTING: Final = """
import signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            signal.raise_signal(signal.{name})
sys.meta_path.insert(0, Interrupting())
"""
WHILE_A_CLASS_IS_MADE: Final = """
import dataclasses, signal
import mockserver.cli
dataclasses.Field.__set_name__ = lambda *_: signal.raise_signal(signal.SIGINT)
"""
IN_A_CALLBACK: Final = """
import signal, sys, weakref
class Interrupting:
    def find_spec(self, name, *_):
        if name == "mockserver.cli.serve":
            gone = Interrupting()
            watched = weakref.ref(gone, lambda _: signal.raise_signal(signal.SIGINT))
            del gone
sys.meta_path.insert(0, Interrupting())
"""
IGNORED: Final = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
SERVE: Final = """
import sys
from mockserver.__main__ import run
sys.argv = ["genstudio-mock", "serve", "--port", "0", "--print-config"]
run()
"""
ENDED: Final = 130
EARLY: Final = ("mockserver.cli", "dataclasses", "mockserver.core.errors")
LATE: Final = ("mockserver.cli.serve", "mockserver.settings.config", "mockserver.profile.edition")


def interrupted(how: str) -> tuple[int, bytes]:
    """Exit code and standard error of a `serve` that something interrupts."""
    done = subprocess.run([sys.executable, "-c", how + SERVE], cwd=ROOT, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", EARLY)
def test_before_the_command_line_is_there(module: str, name: str) -> None:
    """The signal ends the process as it ends any program: a shell says 130 or 143."""
    how = WHILE_IMPORTING.format(module=module, name=name)
    assert interrupted(how) == (-signal.Signals[name], b"")


@pytest.mark.parametrize("module", LATE)
def test_while_a_command_is_imported(module: str) -> None:
    """Exit code 130."""
    assert interrupted(WHILE_IMPORTING.format(module=module, name="SIGINT")) == (ENDED, b"")


def test_while_a_class_is_made() -> None:
    """Python 3.11 makes another error of the interrupt there."""
    assert interrupted(WHILE_A_CLASS_IS_MADE) == (ENDED, b"")


def test_in_a_callback() -> None:
    """Nobody can be told there, so Python would go on as if nothing had been."""
    assert interrupted(IN_A_CALLBACK) == (ENDED, b"")


def test_who_ignores_it_is_not_ended() -> None:
    """A shell's `command &` lets Ctrl-C be ignored."""
    how = IGNORED + WHILE_IMPORTING.format(module="mockserver.core.errors", name="SIGINT")
    assert interrupted(how) == (0, b"")

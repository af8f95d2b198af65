"""The command `genstudio-mock`: one file a command, and the table of commands.

What several commands share lies beside them: `arguments` (the parser, and flags of settings), `target` (the flags of
those that ask a server), `scrubbing` (the flags of those that mask), `ready` (what `serve` says when it is ready, and
`profiles` shows), `terminal` (colour and columns), `progress` (how far long work has come).

Everything from outside is an argument of `main`. What the operator did wrong is one line on standard error and exit
code 2. `--help` and `--version` import nothing of the server.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, TextIO

from mockserver import __version__
from mockserver.cli.terminal import Console
from mockserver.core.errors import OperatorError, suggestion
from mockserver.files.bounded import visible_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WRONG_USE: Final = 2
INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: What people type, and the file it lives in, which has `run(argv, console) -> exit code`.
        says: What it does, for help.
    """

    name: str
    says: str


COMMANDS: Final[tuple[Command, ...]] = (
    Command("serve", "answer as the service does, on this machine"),
    Command("run", "run a command with a mock beside it: pytest, npm test, a script"),
    Command("record", "keep what a live service answers, chunk by chunk"),
    Command("fixtures", "look at recordings, compare and convert them"),
    Command("contract", "hold any server to the documents"),
    Command("learn", "write a chip's profile from probes of a live one"),
    Command("drift", "tell what has changed since a profile was written"),
    Command("fuzz", "find the stream that breaks a client"),
    Command("verdict", "say how a client took what a running mock did to it"),
    Command("profiles", "show editions, chips, quirks and models"),
    Command("validate", "check files of profiles, fixtures and configuration"),
    Command("init", "write a configuration, a first answer and a first test"),
    Command("doctor", "say what stands in the way on this machine"),
    Command("completion", "print what makes a shell complete commands and flags"),
    Command("schema", "print the JSON Schema of such files, for editors"),
)

EXAMPLES: Final = (
    ("genstudio-mock serve", "on 127.0.0.1:8777; prints a curl to paste"),
    ("genstudio-mock serve --port 0 --pace profile", "on a free port, as fast as the chips"),
    ("genstudio-mock profiles", "which chip deviates in what"),
)


def run() -> None:
    """The entry point: `main` with the real world, which it leaves with the exit code."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it is closed; what is said there is lost, and the command is done all the same
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to fail
    sys.unraisablehook = _end_if_interrupted
    try:
        code = main(sys.argv[1:], os.environ, sys.stdout, sys.stderr)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except RuntimeError as error:  # which Python 3.11 makes of what ends the making of a class, so of an import
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        code = INTERRUPTED
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the last flush does not fail too
        code = 0
    sys.exit(code)


def _end_if_interrupted(unraisable: sys.UnraisableHookArgs) -> None:
    """Ctrl-C that came in a callback, of an import's locks or of the interpreter's end, where nobody can be told."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(unraisable)


def main(argv: Sequence[str], environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Run one command.

    Args:
        argv: The words after the program's name.
        environ: The environment.
        out: Standard output.
        err: Standard error.

    Returns:
        The exit code: 0, or 2 for wrong use, wrong files and addresses that cannot be had.
    """
    console = Console(out, err, environ)
    try:
        return _dispatch(argv, console)
    except OperatorError as error:
        said = str(error)
    except OSError as error:
        if error.filename is None:
            raise  # a connection, not a path that the operator gave
        said = f"{error.filename}: cannot be used: {error.strerror}"
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == __name__.partition(".")[0]:
            raise
        said = (
            f"genstudio-mock: {error.name} is not installed here; pip install without --no-deps brings it, and for "
            "pytest genstudio_mock_command can start the one of another environment"
        )
    err.write(f"{visible_path(' '.join(said.splitlines()))}\n")
    return WRONG_USE


def _dispatch(argv: Sequence[str], console: Console) -> int:
    word, *rest = argv or ("--help",)
    if word in {"-h", "--help"}:
        console.print(*_help(console))
        return 0
    if word in {"-V", "--version"}:
        console.print(f"genstudio-mock {__version__}")
        return 0
    for command in COMMANDS:
        if command.name == word:
            code: int = import_module(f"{__name__}.{command.name}").run(rest, console)
            return code
    if word.startswith("-"):
        near = suggestion(word, ["--help", "--version"])
        raise OperatorError(f"genstudio-mock: {word} is not known before a command; {near}; commands: {_names()}")
    raise OperatorError(f"genstudio-mock: unknown command {word!r}; {suggestion(word, [c.name for c in COMMANDS])}")


def _names() -> str:
    return ", ".join(command.name for command in COMMANDS)


def _help(console: Console) -> list[str]:
    return [
        "usage: genstudio-mock COMMAND [FLAG ...]",
        "",
        "GenStudio's M×N chat endpoint on your laptop and in CI: each chip's wire behaviour byte for byte.",
        "",
        "commands:",
        *console.columns([(command.name, command.says) for command in COMMANDS]),
        "",
        "flags:",
        *console.columns([("-h, --help", "show this help"), ("-V, --version", "show the version")]),
        "",
        "examples:",
        *console.columns([(line, f"# {what}") for line, what in EXAMPLES]),
        "",
        "genstudio-mock COMMAND --help tells of a command's flags.",
    ]

"""`genstudio-mock fixtures`: look at recordings, compare them, turn them into other forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.cli.arguments import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Look at recorded exchanges, compare them, find those that are too old or hold a key, and convert
them from and to HAR, VCR.py cassettes, curl -i -N dumps and pasted lines."""
EXAMPLES = (
    ("genstudio-mock fixtures show FILE", "a stream as a time line"),
    ("genstudio-mock fixtures verify fixtures", "exit code 1 where a file holds a key"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Read the flags and do it."""
    from mockserver.recording.command import add_fixtures_arguments, main

    parser = Parser("fixtures", SAYS, EXAMPLES)
    add_fixtures_arguments(parser)
    found = parser.read(argv, console, ordered=True)
    return 0 if found is None else main(found, console.environ, console.out, console.err)

"""`genstudio-mock drift`: tell what has changed since a profile was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.cli.arguments import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Ask the mock and the live service the same, and compare schema, wire dialect and timing. Exit code
1 where they drifted apart, with a patch to the profile."""
EXAMPLES = (
    ("genstudio-mock drift --base-url URL --model M --chip C --api-key-env KEY", "against the live service"),
    ("genstudio-mock drift --against recordings --model M --chip C", "against recordings"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Read the flags and do it."""
    from mockserver.contract.command_drift import add_arguments, main

    parser = Parser("drift", SAYS, EXAMPLES)
    add_arguments(parser)
    found = parser.read(argv, console)
    return 0 if found is None else main(found, console.environ, console.out, console.err)

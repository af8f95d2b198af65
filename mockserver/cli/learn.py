"""`genstudio-mock learn`: write a chip's profile from probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.cli.arguments import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Ask a live chip some thirty questions within a budget and write its profile: each quirk with the
exchange that proves it. Then check the mock with that profile against what was recorded."""
EXAMPLES = (
    ("genstudio-mock learn --base-url URL --model M --chip C --api-key-env KEY", "writes C.toml"),
    ("genstudio-mock learn --base-url URL --model M --chip C --dry-run", "shows the probes"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Read the flags and do it."""
    from mockserver.contract.command_learn import add_arguments, main

    parser = Parser("learn", SAYS, EXAMPLES)
    add_arguments(parser)
    found = parser.read(argv, console)
    return 0 if found is None else main(found, console.environ, console.out, console.err)

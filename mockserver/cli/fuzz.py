"""`genstudio-mock fuzz`: find the smallest valid stream that a client reads wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.cli.arguments import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Generate valid streams for a chip and cut them into network writes anywhere; your client reads
each on a real socket and prints its text, which is compared with the truth. The smallest stream
that it reads wrongly is shown with a hexdump and saved."""
EXAMPLES = (
    ("genstudio-mock fuzz --chip chip3 -- python client.py", "the client reads $OPENAI_BASE_URL"),
    ("genstudio-mock fuzz --chip chip3 --save found -- node client.mjs", "keep what was found"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Read the flags and do it."""
    from mockserver.contract.command_fuzz import add_arguments, main

    parser = Parser("fuzz", SAYS, EXAMPLES)
    add_arguments(parser)
    found = parser.read(argv, console, ordered=True)
    return 0 if found is None else main(found, console.environ, console.out, console.err)

"""`genstudio-mock contract`: hold any server to the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.cli.arguments import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Run the contract against any base URL, the mock's or the live service's: documented examples, one
rule broken, generated requests, a dialogue. Exit code 0: holds, 1: broken, 2: wrong use, 3:
nobody there."""
EXAMPLES = (
    ("genstudio-mock contract --base-url http://127.0.0.1:8777 --model mt-infini-3b --chip chip3", "the mock"),
    ("genstudio-mock contract --base-url URL --model M --chip C --api-key-env KEY", "the live service, politely"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Read the flags and do it."""
    from mockserver.contract.command import add_arguments, main

    parser = Parser("contract", SAYS, EXAMPLES)
    add_arguments(parser)
    found = parser.read(argv, console)
    return 0 if found is None else main(found, console.environ, console.out, console.err)

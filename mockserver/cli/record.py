"""`genstudio-mock record`: keep what a live service answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.cli.arguments import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Pass requests on to a live service, pass its answers through as they arrive, and keep each
exchange as a fixture file: every transfer chunk with its time, and how the answer ended. Keys,
cookies and organisations have no place in the files."""
EXAMPLES = (
    (
        "genstudio-mock record --upstream https://cloud.infini-ai.com",
        "same paths as the service; files go to fixtures/",
    ),
    (
        "genstudio-mock record --upstream http://127.0.0.1:8000 --map '/maas/{model}/{chip}=/v1'",
        "any OpenAI-compatible server",
    ),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Read the flags and do it."""
    from mockserver.recording.command import add_record_arguments, main

    parser = Parser("record", SAYS, EXAMPLES)
    add_record_arguments(parser)
    found = parser.read(argv, console)
    return 0 if found is None else main(found, console.environ, console.out, console.err)

"""`genstudio-mock drift`: tell what has changed since a profile was written."""

from mockserver.cli.arguments import passing_to

SAYS = """\
Ask the mock and the live service the same, and compare schema, wire dialect and timing. Exit code
1 where they drifted apart, with a patch to the profile."""
EXAMPLES = (
    ("genstudio-mock drift --base-url URL --model M --chip C --api-key-env KEY", "against the live service"),
    ("genstudio-mock drift --against recordings --model M --chip C", "against recordings"),
)

run = passing_to("mockserver.contract.command_drift", "drift", SAYS, EXAMPLES)

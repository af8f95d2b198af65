"""`genstudio-mock learn`: write a chip's profile from probes."""

from mockserver.cli.arguments import passing_to

SAYS = """\
Ask a live chip some thirty questions within a budget and write its profile: each quirk with the
exchange that proves it. Then check the mock with that profile against what was recorded."""
EXAMPLES = (
    ("genstudio-mock learn --base-url URL --model M --chip C --api-key-env KEY", "writes C.toml"),
    ("genstudio-mock learn --base-url URL --model M --chip C --dry-run", "shows the probes"),
)

run = passing_to("mockserver.contract.command_learn", "learn", SAYS, EXAMPLES)

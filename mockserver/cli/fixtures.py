"""`genstudio-mock fixtures`: look at recordings, compare them, turn them into other forms."""

from mockserver.cli.arguments import passing_to

SAYS = """\
Look at recorded exchanges, compare them, find those that are too old or hold a key, and convert
them from and to HAR, VCR.py cassettes, curl -i -N dumps and pasted lines."""
EXAMPLES = (
    ("genstudio-mock fixtures show FILE", "a stream as a time line"),
    ("genstudio-mock fixtures verify fixtures", "exit code 1 where a file holds a key"),
)

run = passing_to(
    "mockserver.recording.command", "fixtures", SAYS, EXAMPLES, arguments="add_fixtures_arguments", ordered=True
)

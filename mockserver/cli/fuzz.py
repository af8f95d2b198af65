"""`genstudio-mock fuzz`: find the smallest valid stream that a client reads wrongly."""

from mockserver.cli.arguments import passing_to

SAYS = """\
Generate valid streams for a chip and cut them into network writes anywhere; your client reads
each on a real socket and prints its text, which is compared with the truth. The smallest stream
that it reads wrongly is shown with a hexdump and saved."""
EXAMPLES = (
    ("genstudio-mock fuzz --chip chip3 -- python client.py", "the client reads $OPENAI_BASE_URL"),
    ("genstudio-mock fuzz --chip chip3 --save found -- node client.mjs", "keep what was found"),
)

run = passing_to("mockserver.contract.command_fuzz", "fuzz", SAYS, EXAMPLES, ordered=True)

"""`genstudio-mock contract`: hold any server to the documents."""

from mockserver.cli.arguments import passing_to

SAYS = """\
Run the contract against any base URL, the mock's or the live service's: documented examples, one
rule broken, generated requests, a dialogue. Exit code 0: holds, 1: broken, 2: wrong use, 3:
nobody there."""
EXAMPLES = (
    ("genstudio-mock contract --base-url http://127.0.0.1:8777 --model mt-infini-3b --chip chip3", "the mock"),
    ("genstudio-mock contract --base-url URL --model M --chip C --api-key-env KEY", "the live service, politely"),
)

run = passing_to("mockserver.contract.command", "contract", SAYS, EXAMPLES)

"""`genstudio-mock record`: keep what a live service answers."""

from mockserver.cli.arguments import passing_to

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

run = passing_to("mockserver.recording.command", "record", SAYS, EXAMPLES, arguments="add_record_arguments")

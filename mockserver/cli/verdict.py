"""`genstudio-mock verdict`: what a running mock saw of a client, and how the client took what went wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mockserver.cli.arguments import Parser, add_json
from mockserver.core.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Console
    from mockserver.testing.client_verdict import ClientVerdict
    from mockserver.testing.seen_exchange import SeenExchange

ADDRESS: Final = "http://127.0.0.1:8777"
SAYS: Final = """\
Ask a running mock what came and how the client took what went wrong: a line for each exchange, what
common readers pass over in silence, and each finding with what to do about it. The exit code is 1
when a finding is bad."""
EXAMPLES: Final = (
    ("genstudio-mock verdict", "of the mock on port 8777, for all keys that have no namespace of their own"),
    ('genstudio-mock verdict --report markdown >> "$GITHUB_STEP_SUMMARY"', "in a workflow"),
)
MARKS: Final = {"good": "green", "bad": "red", "note": "yellow"}


def run(argv: Sequence[str], console: Console) -> int:
    """Ask and tell."""
    used = parser()
    found = used.read(argv, console)
    if found is None:
        return 0
    from mockserver.testing.control_client import ControlClient, MockError
    from mockserver.testing.session_journal import SessionJournal

    key, token = (_value(console, used.prog, name) for name in (found.api_key_env, found.token_env))
    try:
        session = SessionJournal(ControlClient(found.base_url, token or None), key)
        exchanges, verdict = session.exchanges(), session.verdict()
    except MockError as error:
        raise OperatorError(f"{used.prog}: {error}") from None
    if found.report == "json":
        console.print(json.dumps(session.call("GET", "/verdict"), ensure_ascii=False, indent=2))
    elif found.report == "markdown":
        console.print(*_markdown(exchanges, verdict))
    else:
        console.print(*_text(exchanges, verdict, console))
    return 0 if verdict.resilient else 1


def parser() -> Parser:
    """Its flags."""
    made = Parser("verdict", SAYS, EXAMPLES)
    made.add_argument("--base-url", metavar="URL", default=ADDRESS, help=f"the mock's address (default {ADDRESS})")
    made.add_argument("--api-key-env", metavar="VAR", help="variable with the API key whose namespace is meant")
    made.add_argument("--token-env", metavar="VAR", help="variable with the token of the control API")
    made.add_argument("--report", choices=("markdown", "json"), help="for a page, or for programs, instead of lines")
    add_json(made)
    return made


def _value(console: Console, prog: str, variable: str | None) -> str:
    if variable is None:
        return ""
    value = console.environ.get(variable, "").strip()
    if not value:
        raise OperatorError(f"{prog}: {variable} is not set, or empty; set it, or leave the flag out")
    return value


def _text(exchanges: Sequence[SeenExchange], verdict: ClientVerdict, console: Console) -> list[str]:
    from mockserver.testing.client_verdict import told
    from mockserver.testing.passed_over import exchange_lines

    lines = [f"{len(exchanges)} exchange{'' if len(exchanges) == 1 else 's'}"]
    lines += [f"  {line}" for line in exchange_lines(exchanges)]
    lines += [f"  {console.paint(told(one), MARKS[one.mark])}" for one in verdict.findings]
    return [*lines, _word(exchanges, verdict)]


def _markdown(exchanges: Sequence[SeenExchange], verdict: ClientVerdict) -> list[str]:
    from mockserver.testing.client_verdict import told
    from mockserver.testing.passed_over import exchange_lines

    lines = ["## What the mock saw of the client", "", _word(exchanges, verdict), ""]
    lines += [f"- {_plain(told(one))}" for one in verdict.findings] + ([""] if verdict.findings else [])
    return [*lines, "```text", *exchange_lines(exchanges), "```"] if exchanges else lines[:-1]


def _word(exchanges: Sequence[SeenExchange], verdict: ClientVerdict) -> str:
    if not exchanges:
        return "no request came: see that the client asks this mock, with the key that is meant"
    bad = sum(one.mark == "bad" for one in verdict.findings)
    return f"not resilient: {bad} bad finding{'' if bad == 1 else 's'}" if bad else "nothing bad to say of the client"


def _plain(text: str) -> str:
    """A text in Markdown that formats nothing of it."""
    return "".join(f"\\{char}" if char in "\\`*_<>[]|" else char for char in text)

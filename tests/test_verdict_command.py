"""`genstudio-mock verdict` tells what a running mock saw of a client, for people, for a summary and for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.command import called
from tests.session_helpers import asked, streamed

if TYPE_CHECKING:
    from mockserver.testing.session import Session

NOTHING = "no request came: see that the client asks this mock, with the key that is meant"


def told(session: Session, *flags: str) -> tuple[int, str, str]:
    """What the command says of a session's namespace."""
    return called(
        "verdict", "--base-url", session.url, "--api-key-env", "KEY", *flags, environ={"KEY": session.api_key}
    )


def test_nothing_came(session: Session) -> None:
    """It says so, and that is no bad finding."""
    assert told(session) == (0, f"0 exchanges\n{NOTHING}\n", "")
    assert told(session, "--report", "markdown") == (0, f"## What the mock saw of the client\n\n{NOTHING}\n", "")


def test_a_silently_lost_answer_is_told(session: Session) -> None:
    """A line for the exchange, and the sentence that says what common readers do with it."""
    streamed(session.chip("chip3"))
    code, out, _ = told(session)
    first, line, look, word = out.splitlines()

    assert (code, first, word) == (0, "1 exchange", "nothing bad to say of the client")
    assert line.startswith("  #1  chip3  200  json-lines, ")
    assert look.startswith("  look at #1: these are bare JSON lines without `data:`")


def test_a_bad_finding_is_exit_code_1_in_every_form(session: Session) -> None:
    """With its advice; the JSON is that of the control API; Markdown formats nothing of what was seen."""
    session.arm("status;status=503;retry_after_s=0")
    asked(session)

    code, text, _ = told(session)
    assert code == 1
    assert text.endswith(
        "  bad: gave-up: ended with 503 after 1 attempt (#1); retry 429 and 5xx a few times before giving up\n"
        "not resilient: 1 bad finding\n"
    )
    code, text, _ = told(session, "--report", "json")
    assert (code, json.loads(text)) == (1, session.call("GET", "/verdict"))
    code, text, _ = told(session, "--report", "markdown")
    assert code == 1
    assert "\n- bad: gave-up: ended with 503 after 1 attempt (#1); retry 429 and 5xx " in text
    assert text.endswith("\n```text\n#1  nvidia  503  complete  faults status\n```\n")


WRONG = {
    "nobody-there": (
        ["--base-url", "http://127.0.0.1:9"],
        "http://127.0.0.1:9: no mock answers there: Connection refused; ",
    ),
    "no-address": (["--base-url", "ftp://x"], "'ftp://x' is not the address of a mock; allowed: http(s)://HOST:PORT"),
    "no-port": (["--base-url", "http://a:99999"], "'http://a:99999' is not the address of a mock; allowed: http(s)://"),
    "half-ipv6": (["--base-url", "http://[::1"], "'http://[::1' is not the address of a mock; allowed: http(s)://"),
    "no-key": (["--api-key-env", "K"], "K is not set, or empty; set it, or leave the flag out"),
    "no-form": (["--report", "xml"], "--report: 'xml' is not allowed; allowed: markdown, json"),
}


@pytest.mark.parametrize(("words", "line"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line(words: list[str], line: str) -> None:
    """Wrong use ends with code 2 and one line."""
    code, out, err = called("verdict", *words)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"genstudio-mock verdict: {line}")

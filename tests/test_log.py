"""The log: what is told of a request, and that no client can forge or colour a line."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import ChatRequest, Ending, Exchange, Plan, Request
from mockserver.server import log

ANSWERED = Exchange(
    Request("POST", "/maas/m/c/chat/completions"),
    Plan(200, (), (b"a", b"b"), source="fixture:who.json"),
    frames_sent=2,
    duration_ms=1.26,
)
CUT = Exchange(
    Request("POST", "/maas/m/c/chat/completions"),
    Plan(200, (), (b"a", b"b"), source="synthetic"),
    frames_sent=1,
    duration_ms=30,
    ending=Ending.CUT,
    chat=ChatRequest("m", "c", [], ignored=("foo",)),
    faults=("limit_data",),
)
REFUSED = Exchange(Request("GET", "/x\n\x1b[31m"), Plan(404, (), (b"{}",), detail="no '/x'"), frames_sent=1)
LEFT = Exchange(Request("POST", "/p" * 200), ending=Ending.CUT)

LINES = [
    (ANSWERED, "POST /maas/m/c/chat/completions 200  2 frames  1.3 ms  fixture:who.json  complete"),
    (CUT, "POST /maas/m/c/chat/completions 200  1 of 2 frames  30 ms  synthetic  cut  faults limit_data  ignored foo"),
    (REFUSED, "GET /x\\n\\u001b[31m 404  1 frame  0.0 ms  complete: no '/x'"),
    (LEFT, f"POST {('/p' * 200)[:199]}… -  0 frames  0.0 ms  cut: the client left before its request was whole"),
]


@pytest.mark.parametrize(("exchange", "line"), LINES, ids=["answered", "cut", "refused", "left"])
def test_text(exchange: Exchange, line: str) -> None:
    """One line a request: method, path, status, frames, time, source, ending, ignored fields, detail."""
    written = io.StringIO()
    with log.logging_to(written, "text", "info") as tell:
        assert tell is not None
        tell(exchange)

    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} (.*)\n", written.getvalue()).group(1) == line  # type: ignore[union-attr]


def test_json() -> None:
    """The same facts as keys of one object; what has nothing to tell is absent."""
    written = io.StringIO()
    with log.logging_to(written, "json", "info") as tell:
        assert tell is not None
        tell(CUT)
    line = json.loads(written.getvalue())

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", line.pop("time"))
    assert line == {
        "level": "info",
        "event": "exchange",
        "method": "POST",
        "path": "/maas/m/c/chat/completions",
        "status": 200,
        "frames": 1,
        "planned": 2,
        "ms": 30,
        "source": "synthetic",
        "ending": "cut",
        "faults": ["limit_data"],
        "ignored": ["foo"],
    }


HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\n\r\x1b\x85\x9b\u2028\u202e你😀\ud800")))


@settings(max_examples=60)
@given(HOSTILE, st.sampled_from(["text", "json"]))
def test_what_a_client_sent_stays_on_its_line(path: str, form: str) -> None:
    """Whatever the path holds, one request is one line without a character that a terminal hides or obeys."""
    written = io.StringIO()
    with log.logging_to(written, form, "info") as tell:
        assert tell is not None
        tell(Exchange(Request("POST", path[:150])))

    line = written.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    if form == "json":
        assert json.loads(line)["path"] == path[:150]


def test_the_http_server_is_heard_from_warning_on() -> None:
    """The HTTP server's own lines come in our form, and only when they matter."""
    written = io.StringIO()
    with log.logging_to(written, "text", "debug"):
        logging.getLogger("uvicorn.error").info("Started")
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")

    assert written.getvalue()[13:] == "WARNING uvicorn.error: Invalid HTTP request received.\n"


def test_a_traceback_is_told() -> None:
    """A fault of the mock comes with its traceback, in JSON still on one line."""

    def fail() -> None:
        raise RuntimeError("a\x1bb")

    forms = {}
    for form in ("text", "json"):
        written = io.StringIO()
        with log.logging_to(written, form, "error"):
            try:
                fail()
            except RuntimeError:
                log.log.exception("failed")
        forms[form] = written.getvalue()

    assert forms["text"][13:].startswith("ERROR mockserver: failed\nTraceback (most recent call last):\n")
    assert forms["text"].endswith("RuntimeError: a\\u001bb\n")
    assert json.loads(forms["json"])["traceback"].endswith("RuntimeError: a\x1bb")
    assert forms["json"].count("\n") == 1


def test_afterwards_the_loggers_are_as_before() -> None:
    """The log of one mock leaves nothing behind in the process."""
    ours = (logging.getLogger("mockserver"), logging.getLogger("uvicorn"))
    before = [(one.level, one.propagate, list(one.handlers)) for one in ours]
    with log.logging_to(io.StringIO(), "text", "info"):
        pass

    assert [(one.level, one.propagate, list(one.handlers)) for one in ours] == before

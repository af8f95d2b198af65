"""Targets that send what no client expects: every command ends with its word, its exit code, and text that prints."""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
from typing import TYPE_CHECKING

import pytest

from mockserver.cli import contract as contract_command
from mockserver.cli import drift as drift_command
from mockserver.cli import learn as learn_command
from mockserver.contract.clauses.clause import Context
from mockserver.contract.clauses.table import judge
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.contract.result import Clock
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from tests.conftest import load
from tests.learning import run
from tests.raw_targets import answers, listening, request, says

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.raw_targets import Behaviour

OK = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,'
    b'"total_tokens":2}}'
)
COMMANDS = {"contract": contract_command, "drift": drift_command}


def head(status: str, *headers: str) -> bytes:
    """The head of a response."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def body(data: bytes) -> Behaviour:
    """One JSON body for everything."""
    return says(head("200 OK", "Content-Type: application/json", f"Content-Length: {len(data)}") + data)


def again(start: bytes, piece: bytes) -> Behaviour:
    """A start, and one piece again and again, for as long as anybody listens: 16 MiB of it at most."""

    def behave(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(start)
        data = piece * 1024
        for _ in range(2**24 // len(data)):
            connection.sendall(data)

    return behave


def events(data: bytes) -> Behaviour:
    """One event stream for everything."""
    return says(head("200 OK", "Content-Type: text/event-stream", "Connection: close") + data)


STRANGE: dict[str, tuple[Behaviour, int, str]] = {
    "half a character as model": (body(OK.replace(b'"model":"m"', b'"model":"\\udfff"')), 1, ""),
    "half a character in a key": (body(OK.replace(b'"usage"', b'"\\ud800":1,"usage"')), 1, ""),
    "half a character as finish": (body(OK.replace(b'"stop"', b'"\\ud800"')), 1, ""),
    "half a character in chunks": (
        events(b'data: {"id":"\\ud800","choices":[{"delta":{"content":"\\udc00"}}]}\n\ndata: [DONE]\n\n'), 1, ""
    ),
    "a number of 5000 digits": (body(OK.replace(b"1700000000", b"9" * 5000)), 1, ""),
    "null": (body(b"null"), 1, ""),
    "objects nested too deeply": (body(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), 1, ""),
    "events of null and numbers": (events(b'data: null\n\ndata: {"choices":[{"delta":7}]}\n\n'), 1, ""),
    "calls that are none": (body(b'{"choices":[{"message":{"tool_calls":[null,1,{"function":[]}]}}]}'), 1, ""),
    "two lengths": (says(head("200 OK", "Content-Length: 5", "Content-Length: 500") + OK), 1, ""),
    "a chunk of negative size": (says(head("200 OK", "Transfer-Encoding: chunked") + b"-5\r\nhello\r\n"), 1, ""),
    "switching protocols": (says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nxx"), 1, ""),
    "a code that is an object": (answers("400 Bad", body='{"code":{"a":1},"error":[1]}'), 1, ""),
    "300 headers": (
        says(head("200 OK", *[f"X-{n}: 1" for n in range(300)]) + OK), 3,
        "does not speak HTTP/1.1 that can be read: got more than 100 headers; is --base-url right?",
    ),
    "a header of 100 kB": (
        says(head("200 OK", "X: " + "a" * 100_000) + OK), 3,
        "does not speak HTTP/1.1 that can be read: got more than 65536 bytes when reading header line; is",
    ),
    "100 Continue for ever": (
        again(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), 3,
        "does not speak HTTP/1.1 that can be read: the response has no end; is --base-url right?",
    ),
    "103 Early Hints for ever": (
        again(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), 3,
        "can be read: more than 100 answers 1xx before the final one; is --base-url right?",
    ),
    "a head without end": (
        again(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"), 3, "that can be read: got more than 100 headers; is --base-url",
    ),
    "trailers without end": (again(head("200 OK", "Transfer-Encoding: chunked") + b"0\r\n", b"X: 1\r\n"), 1, ""),
    "a length of a chunk without end": (again(head("200 OK", "Transfer-Encoding: chunked"), b"1;"), 1, ""),
    "HTTP/2": (says(b"HTTP/2 200 OK\r\n\r\n"), 3, "does not speak HTTP/1.1 that can be read: HTTP/2; is --base-url"),
    "a control character in a redirect": (
        answers("303 See Other", "Location: \x1b[31m"), 3, "redirects to \\x1b[31m (status 303), which is not followed"
    ),
    "a control character in a refusal": (answers("401 No", body="\x1b[31m no"), 3, "(status 401: \\x1b[31m no)"),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", STRANGE)
def test_what_is_strange_is_told(name: str, command: str) -> None:
    """Exit code 1 for who answers strangely, 3 with the reason for who cannot be asked; all of it can be printed."""
    behave, due, why = STRANGE[name]
    parser = argparse.ArgumentParser()
    COMMANDS[command].add_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    with listening(behave) as port:
        words = ["--base-url", f"http://127.0.0.1:{port}", "--model", "m", "--chip", "openai", "--edition", "openai"]
        args = parser.parse_args([*words, "--quiet", "--timeout", "5", "--requests", "6"])
        code = COMMANDS[command].main(args, {}, out, err, Clock(lambda: 0.0, lambda _s: None))

    said = out.getvalue() + err.getvalue()
    assert code == due, said
    assert why in err.getvalue()
    assert all(one.isprintable() or one == "\n" for one in said)


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", id="a head"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\nHTTP", id="an answer before it"),
        pytest.param(head("200 OK", "Transfer-Encoding: chunked") + b"1;", id="the length of a chunk"),
        pytest.param(head("200 OK", "Content-Length: 9999999"), id="a body"),
    ],
)
def test_an_answer_that_drips_has_its_time(start: bytes) -> None:
    """However a response comes byte for byte, each in time, it is given up when the time of a whole answer is over."""
    seconds = itertools.count()
    with listening(again(start, b"a")) as port:
        address = Address(f"http://127.0.0.1:{port}", timeout_s=5)
        send = HttpTransport(address, "sk-test", lambda: float(next(seconds)), longest_s=3)
        came = send(Request("POST", "/", {b"host": b"x"}, b"{}"))

    assert came.ending is Ending.HANG


def test_a_long_stream_is_looked_at_once() -> None:
    """What sixty clauses ask of a stream is worked out once: each chunk is read a bounded number of times."""
    edition = load("2024-tutorial")
    context = Context(edition, edition.chips["nvidia"], "m")
    counts = []
    for chunks in (100, 200):
        data = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n' * chunks
        asked = Request("POST", "/maas/m/nvidia/chat/completions", {}, b'{"messages":[],"stream":true}')
        came = Exchange(asked, Plan(200, ((b"content-type", b"text/event-stream"),), (data,)), 1)
        counts.append(_calls(lambda came=came: judge(came, context)))

    assert (counts[1] - counts[0]) / 100 < MOST_CALLS


MOST_CALLS = 600
"""Calls of Python functions for one chunk more: 292 were counted, and 2,630 while each clause looked anew."""


def _calls(work: object) -> int:
    import sys

    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        work()  # type: ignore[operator]
    finally:
        sys.setprofile(None)
    return count


def learnt(behave: Behaviour, folder: Path, *flags: str) -> tuple[int, str, str]:
    """What `learn` makes of a target: its exit code, and what it said."""
    with listening(behave) as port:
        return run(
            learn_command, "--base-url", f"http://127.0.0.1:{port}", "--model", "m", "--chip", "odd",
            "--quiet", "--output", str(folder), *flags,
        )  # fmt: skip


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(says(head("200 OK", "Content-Length: 1000") + OK[:50]), id="cut in the body"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Ty"), id="cut in the head"),
        pytest.param(
            again(head("200 OK", "Transfer-Encoding: chunked") + b"0\r\n", b"X: 1\r\n"), id="endless trailers"
        ),
        pytest.param(body(b"{}"), id="another object"),
    ],
)
def test_nothing_is_learnt_of_who_answers_nothing_whole(behave: Behaviour, tmp_path: Path) -> None:
    """One line that says where the answers lie, exit code 2, and no profile."""
    code, out, err = learnt(behave, tmp_path, "--requests", "3", "--timeout", "5")

    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("genstudio-mock: learn: none of 3 answers is whole and has choices; see ")
    assert [one.name for one in tmp_path.rglob("*.toml")] == []


def test_what_closes_the_connection_behind_its_answer_is_read_to_the_end() -> None:
    """The standard library lets go of such a connection when the head has come; the body is read all the same."""
    closing = head("200 OK", "Connection: close", "Content-Type: application/json") + OK
    with listening(says(closing)) as port:
        send = HttpTransport(Address(f"http://127.0.0.1:{port}"), "sk-test", lambda: 0.0)
        came = send(Request("POST", "/", {b"host": b"x"}, b"{}"))

    assert came.plan is not None
    assert (came.ending, b"".join(came.plan.frames)) == (Ending.COMPLETE, OK)


def test_why_no_probe_was_answered_is_told(tmp_path: Path) -> None:
    """As a server that takes no max_tokens says it; exit code 2."""
    said = '{"error":{"message":"max_tokens: Extra inputs are not permitted\x7f"}}'
    code, out, err = learnt(answers("400 Bad Request", body=said), tmp_path, "--requests", "2")

    assert (code, out) == (2, "")
    told = "genstudio-mock: learn: none of 2 probes was answered with 200; the first: 400 "
    shown = '{"error":{"message":"max_tokens: Extra inputs are not permitted\\x7f"}}; see '
    assert err.splitlines()[-1].startswith(told + shown)


def test_a_target_that_packs_what_nobody_asked_it_to_is_told_so(tmp_path: Path) -> None:
    """It is not that nothing came whole; exit code 2, and no profile."""
    data = gzip.compress(OK)
    packed = says(head("200 OK", "Content-Encoding: gzip", f"Content-Length: {len(data)}") + data)
    code, out, err = learnt(packed, tmp_path, "--requests", "3")

    assert (code, out) == (2, "")
    told = "genstudio-mock: learn: all answers are packed (content-encoding: gzip), which no probe asks for; see "
    assert err.splitlines()[-1].startswith(told)
    assert [one.name for one in tmp_path.rglob("*.toml")] == []


INTERIM = {
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
    "processing": b"HTTP/1.1 102 Processing\r\n\r\n" * 50,
    "continue and hints": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n",
    "chunked, they say": b"HTTP/1.1 199 Odd\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("name", INTERIM)
def test_answers_1xx_are_passed_over(name: str) -> None:
    """The final answer counts, and nothing of a head before it stays: RFC 9110, 15.2."""
    answer = head("200 OK", "Content-Type: application/json", f"Content-Length: {len(OK)}", "X-Final: yes") + OK
    with listening(says(INTERIM[name] + answer)) as port:
        send = HttpTransport(Address(f"http://127.0.0.1:{port}"), "sk-test", lambda: 0.0)
        came = send(Request("POST", "/", {b"host": b"x"}, b"{}"))

    assert came.plan is not None
    assert (came.plan.status, came.ending, b"".join(came.plan.frames)) == (200, Ending.COMPLETE, OK)
    assert [name.lower() for name, _ in came.plan.headers] == [b"content-type", b"content-length", b"x-final"]

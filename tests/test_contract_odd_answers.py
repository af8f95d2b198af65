"""Targets whose answers are right but for one thing of HTTP or JSON: each command ends in time, with a word for it."""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.cli import contract as contract_command
from mockserver.cli import drift as drift_command
from mockserver.cli import learn as learn_command
from tests.learning import run
from tests.raw_targets import listening

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from tests.raw_targets import Behaviour

HEAD = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "m"}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
MESSAGE = {"index": 0, "message": {"role": "assistant", "content": "hi there"}, "finish_reason": "stop"}
BODY = {**HEAD, "object": "chat.completion", "choices": [MESSAGE], "usage": USAGE}
CHUNKS = [
    {**HEAD, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    for delta, finish in (({"role": "assistant", "content": ""}, None), ({"content": "hi there"}, None), ({}, "stop"))
]


def asked(connection: socket.socket) -> bytes:
    """The body of one request."""
    with connection.makefile("rb") as file:
        length = 0
        while (line := file.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return file.read(length)


def said(body: bytes, change: Callable[[Any], Any] = lambda one: one) -> tuple[str, bytes]:
    """The type and the bytes of a right answer."""
    if b'"stream": true' not in body:
        return "application/json", json.dumps(change(BODY)).encode()
    events = b"".join(b"data: " + json.dumps(change(one)).encode() + b"\n\n" for one in CHUNKS)
    return "text/event-stream", events + b"data: [DONE]\n\n"


def answers(
    headers: str = "content-length: {length}",
    *,
    version: str = "1.1",
    data: Callable[[bytes], bytes] = lambda data: data,
    change: Callable[[Any], Any] = lambda one: one,
    longer: int = 0,
) -> Behaviour:
    """A target that answers every request, in one thing otherwise."""

    def behave(connection: socket.socket) -> None:
        kind, right = said(asked(connection), change)
        sent = data(right)
        told = headers.format(length=len(sent) + longer)
        connection.sendall(f"HTTP/{version} 200 OK\r\ncontent-type: {kind}\r\n{told}\r\n\r\n".encode() + sent)

    return behave


def shuffled(one: Any) -> Any:
    """The same with the keys of each object in any order."""
    if isinstance(one, dict):
        return {key: shuffled(one[key]) for key in random.sample([*one], len(one))}
    return [*map(shuffled, one)] if isinstance(one, list) else one


def key_goes_bad() -> Behaviour:
    """A target whose key goes bad behind the third answer."""
    right, number = answers(), iter(range(10**6))

    def behave(connection: socket.socket) -> None:
        if next(number) < 3:
            right(connection)
            return
        asked(connection)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno")

    return behave


def endless_chunk(data: bytes) -> bytes:
    """One transfer chunk of 64 GiB, of which 2 MiB come."""
    return b"FFFFFFFFF\r\n" + data + b"x" * 2**21


GARBAGE = b"\x00\xff}} HTTP/1.1"
NOT_WHOLE = "learn: none of {} answers is whole and has choices; see "
ODD: dict[str, tuple[Callable[[], Behaviour], int, str]] = {
    "too long a content-length": (lambda: answers(longer=9), 0, "no quirk is for ends (must): "),
    "too short a content-length": (lambda: answers(longer=-9), 2, NOT_WHOLE),
    "HTTP/1.0 until it closes": (lambda: answers("x: y", version="1.0"), 0, ""),
    "an endless chunk": (lambda: answers("transfer-encoding: chunked", data=endless_chunk), 2, NOT_WHOLE),
    "a coding before chunked": (
        lambda: answers(
            "transfer-encoding: gzip, chunked", data=lambda one: b"%x\r\n%b\r\n0\r\n\r\n" % (len(one), one)
        ), 2, NOT_WHOLE,
    ),
    "another charset": (lambda: answers(data=lambda one: one.decode().encode("utf-16")), 2, NOT_WHOLE),
    "packed": (lambda: answers("content-encoding: gzip\r\ncontent-length: {length}", data=gzip.compress), 2, "packed"),
    "keys in any order": (lambda: answers(change=shuffled), 0, ""),
    "garbage behind the body": (lambda: answers(data=lambda one: one + GARBAGE, longer=-len(GARBAGE)), 0, ""),
    "a key that goes bad": (key_goes_bad, 0, "probes left out: from request 4 on the target refuses the API key"),
}  # fmt: skip


LOST = {"a key that goes bad", "an endless chunk"}
"""Where `drift` is told that nobody is left to be asked."""


@pytest.mark.parametrize("name", ODD)
def test_each_command_ends_with_a_word_for_it(name: str, tmp_path: Path) -> None:
    """The contract is broken, drift is told, a profile is learnt or one line says why not; all of it can be printed."""
    made, learns, why = ODD[name]
    codes, told = {}, ""
    for command in (contract_command, drift_command, learn_command):
        with listening(made()) as port:
            words = ["--base-url", f"http://127.0.0.1:{port}", "--model", "m", "--edition", "2024-tutorial", "--quiet"]
            words += ["--timeout", "5", "--chip", "nvidia" if command is not learn_command else "odd"]
            words += (
                ["--requests", "40", "--output", str(tmp_path)] if command is learn_command else ["--requests", "6"]
            )
            code, out, err = run(command, *words)
        codes[command] = code
        told = out + err
        assert all(one.isprintable() or one == "\n" for one in told)

    assert codes[contract_command] == 1
    assert codes[drift_command] == (3 if name in LOST else 1)
    assert codes[learn_command] == learns, told
    assert why.partition("{}")[0] in told

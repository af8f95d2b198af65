"""The memory of answered requests: the same response as without it, bounded, and nothing kept of what came once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mockserver.core.exchange import Plan, Request
from mockserver.pipeline.incoming import IncomingRequest, Response
from mockserver.pipeline.memory import MOST_BYTES, MOST_MET, MOST_RESPONSES, Memory
from tests.conftest import KEY, compose, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.pipeline.respond import Service


_GOOD = {b"authorization": b"Bearer " + KEY.encode()}
_DECIDE: dict[str, tuple[dict[bytes, bytes], dict[bytes, bytes], bytes]] = {
    name: (one, other, body)
    for name, one, other, body in (
        ("key", {b"authorization": b"Basic x"}, {b"authorization": b""}, b""),
        ("type", {b"content-type": b"text/plain"}, {b"content-type": b"text/html"}, b""),
        ("coding", {b"content-encoding": b"br"}, {b"content-encoding": b"gzip"}, b"\x1f\x8b"),
        ("no coding", {b"content-encoding": b"br"}, {}, b"\x1f\x8b"),
        ("quirks", {b"x-mock-quirks": b"type-json"}, {}, b'{"messages": [{"content": "hi"}], "stream": true}'),
        ("error", {b"x-mock-error": b"internal"}, {b"x-mock-error": b"missing-key"}, b""),
        ("style", {b"x-mock-answer": b"echo"}, {}, b'{"messages": [{"content": "hi"}]}'),
    )
}  # fmt: skip


def asked(body: bytes) -> IncomingRequest:
    """A request with this body."""
    return IncomingRequest("m", "c", Request("POST", "/", {}, body), 0)


def decided_by(
    memory: Memory[Response], request: IncomingRequest, decide: Callable[[IncomingRequest], Response]
) -> Response:
    """What a memory says to a request of which the body decides."""
    return memory.decided("", request, lambda _head, one: decide(one))


def counting() -> tuple[list[bytes], Callable[[IncomingRequest], Response]]:
    """The bodies that were decided, and what decides."""
    decided: list[bytes] = []

    def decide(request: IncomingRequest) -> Response:
        decided.append(request.request.body)
        return Response(Plan(200, (), (request.request.body,)))

    return decided, decide


def test_a_request_is_remembered_from_the_second_time_on() -> None:
    """What comes once leaves no response; the third time and later it is the second one's object."""
    memory = Memory[Response](lambda: 1)
    decided, decide = counting()
    made = [decided_by(memory, asked(b"x"), decide) for _ in range(5)]

    assert decided == [b"x", b"x"]
    assert made[1] is made[2] is made[4]
    assert made[0] == made[1]


def test_another_generation_is_decided_anew() -> None:
    """What was decided before files changed is not said again."""
    generation = [1]
    memory = Memory[Response](lambda: generation[0])
    decided, decide = counting()
    for generation[0] in (1, 1, 1, 2, 2):
        decided_by(memory, asked(b"x"), decide)

    assert len(decided) == 3


def test_nothing_is_remembered_of_long_or_unstable_ones() -> None:
    """Bodies past the bound and sources that depend on heads are decided each time."""
    for memory, request in (
        (Memory[Response](lambda: 1), asked(b"x" * (MOST_BYTES + 1))),
        (Memory[Response](lambda: None), asked(b"x")),
        (Memory[Response](None), asked(b"x")),
    ):
        decided, decide = counting()
        for _ in range(4):
            decided_by(memory, request, decide)
        assert len(decided) == 4


def test_the_memory_is_bounded() -> None:
    """Neither the responses nor the notes of what came once grow past their bounds."""
    memory = Memory[Response](lambda: 1)
    decide = counting()[1]
    for number in range(MOST_MET + 10):
        decided_by(memory, asked(b"%d" % number), decide)
    for number in range(MOST_RESPONSES + 10):
        for _ in range(2):
            decided_by(memory, asked(b"again %d" % number), decide)

    assert len(memory._met) <= MOST_MET
    assert len(memory._kept) <= MOST_RESPONSES


@pytest.mark.parametrize("dice", [b"", bytes(64)], ids=["response", "decision"])
@pytest.mark.parametrize(("one", "other", "body"), _DECIDE.values(), ids=_DECIDE)
def test_each_header_that_decides_is_told_apart(
    one: dict[bytes, bytes], other: dict[bytes, bytes], body: bytes, dice: bytes
) -> None:
    """What is remembered of a body is not said where a header makes it another request."""
    edition = load("2024-tutorial")

    def plan(of: Service, headers: dict[bytes, bytes]) -> tuple[object, ...]:
        request = Request("POST", "/", {**_GOOD, **headers}, body)
        said = of.respond(IncomingRequest("mt-infini-3b", "nvidia", request, 1000, dice=dice)).plan
        return said.status, said.headers, tuple(said.frames)

    service = compose(edition)
    for _ in range(3):
        remembered = plan(service, one)

    assert plan(service, other) == plan(compose(edition), other) != remembered

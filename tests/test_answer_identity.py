"""Whose id and time an answer has: a fixture's own, or such as are derived from the request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.core.drawn import entropy_of
from mockserver.core.exchange import Request
from mockserver.pipeline.incoming import IncomingRequest
from tests.conftest import KEY, compose, load

TUTORIAL = load("2024-tutorial")
SERVICE = compose(TUTORIAL)
OWN = ("chatcmpl-", 1708497105)
QUESTION = {"role": "user", "content": "你是谁?"}
EARLIER = [QUESTION, {"role": "assistant", "content": "我是大模型。"}]


def said(*messages: dict[str, Any], dice: bytes = b"", now_ms: int = 1_800_000_000_000) -> tuple[str, int]:
    """Id and time of the answer to a dialogue that ends with the tutorial's question."""
    body = json.dumps({"model": "mt-infini-3b", "messages": [*messages, QUESTION]}).encode()
    request = Request("POST", "/", {b"authorization": b"Bearer " + KEY.encode()}, body)
    plan = SERVICE.respond(IncomingRequest("mt-infini-3b", "nvidia", request, now_ms, dice=dice)).plan
    assert plan.source.startswith("fixture:")
    one = json.loads(b"".join(plan.frames))
    return one["id"], one["created"]


def test_a_fixtures_identity_stands_in_the_first_turn() -> None:
    """The tutorial's answer to the tutorial's question has the tutorial's id and time, each time it is asked."""
    assert said() == said()
    assert said()[1] == OWN[1]


def test_a_later_turn_has_an_identity_of_its_own() -> None:
    """The same fixture in a later turn is another message: another id, and the same one for the same request."""
    first, later, latest = said(), said(*EARLIER), said(*EARLIER, *EARLIER)

    assert len({first[0], later[0], latest[0]}) == 3
    assert later == said(*EARLIER)
    assert later[1] == 1_800_000_000


@pytest.mark.parametrize("earlier", [[], EARLIER], ids=["first turn", "later turn"])
def test_on_a_real_clock_nothing_is_told_again(earlier: list[dict[str, Any]]) -> None:
    """With random ids and the present time, a fixture's own never stand: that is what a live service would say."""
    one, other = (said(*earlier, dice=bytes([number]) * 32) for number in (1, 2))

    assert one[0] != other[0]
    assert one[1] == other[1] == 1_800_000_000


@pytest.mark.parametrize("body", [b"", b"x", b'{"messages":' * 9], ids=["empty", "one-byte", "many"])
def test_a_way_that_is_known_derives_what_a_new_one_does(body: bytes) -> None:
    """What was worked out from a head gives the same random-looking bytes as all parts together, each time."""
    said()
    way = next(one for one in SERVICE._ways.values() if one.entrance.chip == "nvidia")
    whole = entropy_of(SERVICE.derived, b"mt-infini-3b", b"nvidia", body)

    assert [way.entropy(body), way.entropy(b"other"), way.entropy(body)][::2] == [whole, whole]

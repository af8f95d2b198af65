"""What is decided once is told again as if it had been decided anew, under ids and times of its own on a real clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Answer, Plan, Request, Usage
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.pace import PaceSettings
from tests.conftest import compose, load

if TYPE_CHECKING:
    from mockserver.core.exchange import ChatRequest
    from mockserver.pipeline.incoming import Response

EDITION: Final = "2024-tutorial"
DICE: Final = [bytes([number]) * 32 for number in range(3)]
PACES: Final = {"chip1": PaceSettings(10, 20, 0.5)}


class Source:
    """Says what it is asked, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.generation = 0

    def __call__(self, request: ChatRequest) -> Answer | Plan:
        """What the last message says."""
        self.asked += 1
        if request.last_user_text == "nothing":
            raise Refusal("no-match", "nothing fits")
        if request.last_user_text == "a plan":
            return Plan(200, (), (b"a plan",))
        return Answer(("a", "b", str(self.generation)), Usage(1, 4))


def asked(text: str, dice: bytes, now_ms: int, chip: str = "nvidia", **more: Any) -> IncomingRequest:
    """A request with a good key."""
    body = {"model": "mt-infini-3b", "messages": [{"role": "user", "content": text}], **more}
    request = Request("POST", "/", {b"authorization": b"Bearer any-key"}, json.dumps(body).encode())
    return IncomingRequest("mt-infini-3b", chip, request, now_ms, dice=dice)


def told(response: Response) -> tuple[Any, ...]:
    """All of a response that can be compared."""
    plan = response.plan
    at = None if plan.at_ms is None else tuple(plan.at_ms)
    return plan.status, plan.headers, tuple(plan.frames), at, plan.source, plan.detail, response.chat


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"n": "wrong"}], ids=["whole", "stream", "refused"])
@pytest.mark.parametrize("chip", ["nvidia", "chip1", "chip3"])
@pytest.mark.parametrize("text", ["anything", "nothing", "a plan"])
def test_equal_requests_are_told_as_if_decided_anew(text: str, chip: str, more: dict[str, Any]) -> None:
    """On a real clock: the bytes, times and notes are those of a mock that remembers nothing, whatever the dice say."""
    kept = Source()
    remembers = compose(load(EDITION), answer=kept, paces=PACES, generation=lambda: kept.generation)
    forgets = compose(load(EDITION), answer=Source(), paces=PACES, generation=None)

    for number, dice in enumerate(DICE):
        one = asked(text, dice, 1_700_000_000_000 + number * 1000, chip, **more)
        assert told(remembers.respond(one)) == told(forgets.respond(one))
    assert kept.asked == (0 if "n" in more else 2)  # what comes once is not kept


def test_equal_requests_have_ids_and_times_of_their_own() -> None:
    """What repeats is the text alone."""
    service = compose(load(EDITION), answer=Source(), generation=lambda: 0)
    bodies = [
        json.loads(b"".join(service.respond(asked("a", dice, 1_700_000_000_000 + at * 5000)).plan.frames))
        for at, dice in enumerate(DICE)
    ]

    assert len({one["id"] for one in bodies}) == len(DICE)
    assert [one["created"] for one in bodies] == [1_700_000_000, 1_700_000_005, 1_700_000_010]
    assert len({json.dumps(one["choices"]) for one in bodies}) == 1


@pytest.mark.parametrize("dice", [b"", DICE[1]], ids=["fixed", "real"])
def test_what_changed_is_decided_anew(dice: bytes) -> None:
    """Files that changed, or a sequence that went on, end the memory; the third of the same is not decided."""
    source = Source()
    service = compose(load(EDITION), answer=source, generation=lambda: source.generation)
    texts = []
    for source.generation in (0, 0, 0, 1):
        body = json.loads(b"".join(service.respond(asked("a", dice, 0)).plan.frames))
        texts.append(body["choices"][0]["message"]["content"])

    assert (texts, source.asked) == (["ab0", "ab0", "ab0", "ab1"], 3)

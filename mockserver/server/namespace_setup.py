"""What a test sets up in its namespace: armed faults and scripted answers, and which requests each is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from mockserver.sources.match import RequestView, match_differences

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from mockserver.core.exchange import Answer, ChatRequest, Plan
    from mockserver.pipeline.faults.fault import Fault
    from mockserver.sources.fixture_file import Match


@dataclass(frozen=True, slots=True)
class Which:
    """Which requests a fault or a scripted answer is for; None does not matter.

    Attributes:
        model: The model that answers.
        chip: The chip of the path.
        stream: Whether a stream is asked for.
        contains: What the last user message holds.
        match: What a fixture would ask of it beyond model and chip.
    """

    model: str | None = None
    chip: str | None = None
    stream: bool | None = None
    contains: str | None = None
    match: Match | None = None

    def fits(self, request: ChatRequest) -> bool:
        """Whether the request is meant."""
        return (
            self.model in {None, request.model}
            and self.chip in {None, request.chip}
            and self.stream in {None, request.stream}
            and (self.contains is None or self.contains in request.last_user_text)
            and (self.match is None or not any(match_differences(self.match, RequestView(request, date.min))))
        )


@dataclass(slots=True)
class ArmedFault:
    """A fault that waits for its requests.

    Attributes:
        number: Its number in the namespace, from 1.
        fault: What it does.
        which: Which requests it is for.
        times: How often it fires; None for always.
        every: It fires at every k-th request that fits (1 for each).
        probability: Chance to fire, from 0 to 1, drawn with the exchange's seed.
        seen: Requests that fitted.
        fired: How often it has fired.
        size: What it weighs, in bytes.
        said: The body that armed it.
    """

    number: int
    fault: Fault
    which: Which = field(default_factory=Which)
    times: int | None = None
    every: int = 1
    probability: float = 1.0
    seen: int = 0
    fired: int = 0
    size: int = 0
    said: bytes = b""

    def fires(self, request: ChatRequest, dice: random.Random) -> bool:
        """Whether it fires at this request; counts."""
        if (self.times is not None and self.fired >= self.times) or not self.which.fits(request):
            return False
        self.seen += 1
        if self.seen % self.every or (self.probability < 1 and dice.random() >= self.probability):
            return False
        self.fired += 1
        return True


@dataclass(slots=True)
class Expectation:
    """A scripted answer.

    Attributes:
        number: Its number in the namespace, from 1.
        reply: What is said to a request at a call, counted from 0: an answer to be framed for the chip, or a plan that
            is sent as it is; raises the Refusal where it is one.
        which: Which requests it is for.
        times: How often it answers; None for always.
        least: How often it must be asked for where it answers always.
        used: How often it has answered.
        size: What it weighs, in bytes.
        said: The body that scripted it.
    """

    number: int
    reply: Callable[[ChatRequest, int], Answer | Plan]
    which: Which = field(default_factory=Which)
    times: int | None = 1
    least: int = 1
    used: int = 0
    size: int = 0
    said: bytes = b""

    @property
    def met(self) -> bool:
        """Whether it was used as often as it was set up for."""
        return self.used >= (self.least if self.times is None else self.times)

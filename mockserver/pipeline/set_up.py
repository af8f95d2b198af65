"""What goes beside a request's way through the stages: scripted answers, rate limits and faults.

A test has set them up for its namespace, or the request names them itself in `X-Mock-Fault`. For most requests there
is nothing of it, and nothing of it is imported.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Plan
from mockserver.core.heartbeats import with_heartbeats
from mockserver.pipeline.incoming import FAULT_HEADER, SEED_HEADER
from mockserver.pipeline.pace import PaceSettings, pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.core.exchange import Answer, ChatRequest
    from mockserver.core.heartbeats import Beat
    from mockserver.pipeline.faults.fault import Fault
    from mockserver.pipeline.incoming import IncomingRequest

    Source = Callable[[ChatRequest], Answer | Plan]

NOTHING_SAID: Final = Plan(200, (), (b"",))
"""What an error takes the place of."""


class NothingSetUp:
    """A request for which nothing is set up: every stage as it is.

    Attributes:
        faults: Types of the faults that act.
        pace: The speed of this one answer; None takes the chip's.
    """

    faults: tuple[str, ...] = ()
    pace: PaceSettings | None = None

    def answer(self, request: ChatRequest, source: Source) -> Answer | Plan:
        """Stage `answer`, and `disturb` as far as it works on what is said; raises Refusal where nothing is said."""
        return source(request)

    def spend(self, answer: Answer) -> None:
        """Tell what the answer came to."""

    def disturb(self, plan: Plan, beat: Beat | None = None) -> Plan:
        """Stage `disturb`: what goes wrong, and the chip's heartbeats in all silences that there are then."""
        return plan if beat is None else with_heartbeats(plan, beat)


NOTHING_SET_UP: Final = NothingSetUp()


class SetUp(NothingSetUp):
    """A request for which something is set up; asking counts.

    Args:
        asked: The request as it came in.
        request: The request, let in.
        error: Makes the plan of an error from its status, its message and the seconds of its `Retry-After`.

    Raises:
        Refusal: `X-Mock-Fault` names what is no fault.
    """

    def __init__(
        self, asked: IncomingRequest, request: ChatRequest, error: Callable[[int, str | None, float | None], Plan]
    ) -> None:
        from mockserver.pipeline.faults.content import RateLimit

        self._test = asked.test
        self._elapsed_ms = asked.elapsed_ms
        self._seed = asked.seed
        self._dice = random.Random(asked.seed)  # noqa: S311 - reproducible, not secret
        self._error = error
        named = faults_named(asked.request.headers.get(FAULT_HEADER, b"").decode("latin-1"))
        armed = self._test.faults_for(request, self._dice) if self._test is not None else []
        self._faults = [*armed, *named]
        self._limits = [fault for fault in self._faults if isinstance(fault, RateLimit)]
        self._tokens: int | None = None
        self.faults = tuple(fault.type for fault in self._faults)
        paces = (PaceSettings(*fault.pace) for fault in self._faults if fault.pace is not None)
        self.pace = next(paces, None)

    def answer(self, request: ChatRequest, source: Source) -> Answer | Plan:
        """What the test scripted, else what the sources say, as the faults leave it; raises Refusal for a full limit.

        Where a fault lets nothing of it out, nothing is said, so that what a test scripted waits for its turn.
        """
        from mockserver.pipeline.disturb import disturb_answer

        if self._test is not None:
            self._test.check_quotas(self._limits, self._elapsed_ms)
        self._tokens = 0
        if any(fault.unanswered for fault in self._faults):
            return NOTHING_SAID
        said = (self._test.scripted(request) if self._test is not None else None) or source(request)
        if not isinstance(said, Plan):
            said = disturb_answer(said, self._faults)
            return said if self.pace is None else replace(said, at_ms=())
        if self.pace is None:
            return said
        return replace(said, at_ms=pace(len(said.frames), self.pace, b"%d" % self._seed), head_at_ms=None)

    def spend(self, answer: Answer) -> None:
        """Tell what the answer came to: its tokens count against the rate limits."""
        self._tokens = answer.usage.total_tokens

    def disturb(self, plan: Plan, beat: Beat | None = None) -> Plan:
        """The plan as all faults leave it, with the seed that repeats what they drew."""
        from mockserver.pipeline.disturb import disturb
        from mockserver.pipeline.faults.fault import FaultContext

        if self._test is not None and self._tokens is not None:  # not refused by the limits themselves
            self._test.count(self._limits, self._elapsed_ms, self._tokens)
        context = FaultContext(self._dice, lambda *what: self._seeded(self._error(*what)))
        faults = self._faults
        if beat is not None:
            from mockserver.pipeline.faults.timing import Heartbeat

            faults = [*faults, Heartbeat(every_ms=beat.every_ms)]
        return disturb(self._seeded(plan), faults, context)

    def _seeded(self, plan: Plan) -> Plan:
        if not self._faults:
            return plan
        return replace(plan, headers=(*plan.headers, (SEED_HEADER, b"%d" % self._seed)))


def faults_named(text: str) -> list[Fault]:
    """The faults that `X-Mock-Fault` names; raises Refusal."""
    from mockserver.pipeline.disturb import FaultError, faults_of_header

    try:
        return faults_of_header(text)
    except FaultError as error:
        raise Refusal("unknown-quirk", f"X-Mock-Fault: {error}", param="X-Mock-Fault") from None

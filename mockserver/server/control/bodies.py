"""What may be sent to the control API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from mockserver.core.data import ANY
from mockserver.core.errors import Refusal
from mockserver.core.field_rules import Rule, Ruled, exactly_one
from mockserver.pipeline.faults.table import AnyFault
from mockserver.server.namespace import Which
from mockserver.sources import tokens
from mockserver.sources.fixture_answer import FixtureAnswer, answer_of
from mockserver.sources.fixture_file import Match, Then, said_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.core.exchange import Answer, ChatRequest
    from mockserver.profile.edition import Edition

Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Body(BaseModel):
    """What a control request holds; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class WhichBody(Match):
    """Which requests are meant, in the words of a fixture's `match`; a key that is absent does not matter."""

    contains: str | None = None
    """What the last user message holds, character by character."""

    def which(self) -> Which:
        """The same as the namespace keeps it."""
        asks = bool(self.model_fields_set & {"user", "system", "messages", "body"})
        model, chip = (None if name == ANY else name for name in (self.model, self.chip))
        return Which(model, chip, self.stream, self.contains, self if asks else None)


class ArmBody(Body):
    """Arm a fault."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"fault": {"type": "status", "status": 503}, "times": 1}]}
    )

    fault: AnyFault
    match: WhichBody = Field(default=WhichBody(), json_schema_extra={"default": {}})
    times: Count | None = Field(default=None, description="how often it fires; absent for always")
    every: Count = Field(default=1, description="it fires at every k-th request that fits")
    probability: float = Field(default=1.0, ge=0, le=1, description="chance to fire, drawn with the exchange's seed")


class ScriptBody(Ruled, Body):
    """Script the next answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answer": {"text": "你好"}}]})

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("answer", "answers", "give either answer or answers"),)

    answer: FixtureAnswer | None = None
    answers: tuple[FixtureAnswer, ...] | None = Field(
        default=None, min_length=1, description="one call after the other"
    )
    then: Then = Field(default="repeat", description="after the last of answers: it again, the first again, an error")
    match: WhichBody = Field(default=WhichBody(), json_schema_extra={"default": {}})
    times: Count | None = Field(
        default=None, description="how often it answers; null for always; absent: an answer once, answers always"
    )

    @property
    def most(self) -> int | None:
        """How often it answers; None for always."""
        return 1 if self.answer is not None and "times" not in self.model_fields_set else self.times

    @property
    def least(self) -> int:
        """How often it must be asked for where it answers always."""
        return len(self.answers or ()) or 1

    def reply(self, edition: Edition) -> Callable[[ChatRequest, int], Answer]:
        """What is said to a request at a call, counted from 0; tokens are counted where the script has no figures."""

        def say(request: ChatRequest, call: int) -> Answer:
            said = said_at(call, self.answers, self.then) if self.answers is not None else self.answer
            if said is None:
                detail = f"answers: this is call {call + 1} and there are {self.least}"
                raise Refusal("no-match", f'{detail}; by their "then": "error" no more are given')
            return answer_of(said, "script", lambda: tokens.prompt_tokens(request, edition))

        return say


class ResetBody(Body):
    """What to forget."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"setup": False}]})

    journal: bool = True
    setup: bool = Field(default=True, description="armed faults and scripted answers")
    counters: bool = True


class ClockBody(Body):
    """Move the namespace's clock, on which quotas run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"advance_ms": 60_000}]})

    advance_ms: float = Field(gt=0, le=10**12)

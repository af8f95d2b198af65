"""What may be sent to the control API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mockserver.core.checking import Ruled
from mockserver.core.data import ANY
from mockserver.core.errors import Refusal
from mockserver.core.field_rules import Must, Rule
from mockserver.core.immutable import immutable
from mockserver.files.byte_text import plain, text_of
from mockserver.pipeline.disturb import fault_of
from mockserver.pipeline.faults.table import AnyFault
from mockserver.server.namespace_setup import ArmedFault, Expectation, Which
from mockserver.sources.fixture_answer import FixtureAnswer, reply_of
from mockserver.sources.fixture_file import Match, Then, said_at
from mockserver.sources.prompt_tokens import prompt_tokens
from mockserver.sources.raw_answer import RawAnswer
from mockserver.sources.staleness import not_offered

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.core.exchange import Answer, ChatRequest, Plan
    from mockserver.profile.edition import Edition

ANSWER_BYTES: Final = 1024
"""What each answer of a sequence weighs beyond its text."""
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Body(BaseModel):
    """What a control request holds; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


@immutable(frozen=True, kw_only=True)
class WhichBody(Match):
    """Which requests are meant, in the words of a fixture's `match`; a key that is absent does not matter."""

    contains: str | None = None
    """What the last user message holds, character by character."""

    def which(self) -> Which:
        """The same as the namespace keeps it."""
        asks = replace(self.asks(), stream=None).conditions > 0
        model, chip = (None if name == ANY else name for name in (self.model, self.chip))
        return Which(model, chip, self.stream, self.contains, self if asks else None)


def _named(value: object) -> object:
    """A fault that a text names, as in the header `X-Mock-Fault`; all else as it is."""
    return fault_of(value) if isinstance(value, str) else value


class ArmBody(Body):
    """Arm a fault."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"fault": {"type": "status", "status": 503}, "times": 1}]}
    )

    fault: Annotated[AnyFault, BeforeValidator(_named)]
    """Also as its text in X-Mock-Fault, like cut;after_frames=3."""
    match: WhichBody = Field(default=WhichBody(), json_schema_extra={"default": {}})
    times: Count | None = Field(default=None, description="how often it fires; absent for always")
    every: Count = Field(default=1, description="it fires at every k-th request that fits")
    probability: float = Field(default=1.0, ge=0, le=1, description="chance to fire, drawn with the exchange's seed")

    def armed(self, number: int, said: bytes) -> ArmedFault:
        """The fault as it is armed; `said` is this body as it was sent."""
        which = self.match.which()
        return ArmedFault(
            number, self.fault, which, self.times, self.every, self.probability, size=len(said), said=said
        )


_SAID: Final = frozenset({"answer", "answers", "response"})


class ScriptBody(Ruled, Body):
    """Script the next answers: in the words of a fixture, or by an exchange file, whose response is then sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answer": {"text": "你好"}}]})

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "give either answer, or answers, or the response of an exchange file",
            tuple({one: Must.GIVEN} | dict.fromkeys(sorted(_SAID - {one}), Must.NULL) for one in sorted(_SAID)),
        ),
    )

    answer: FixtureAnswer | None = None
    answers: tuple[FixtureAnswer, ...] | None = Field(
        default=None, min_length=1, description="one call after the other"
    )
    then: Then = Field(default="repeat", description="after the last of answers: it again, the first again, an error")
    match: WhichBody = Field(default=WhichBody(), json_schema_extra={"default": {}})
    times: Count | None = Field(
        default=None, description="how often it answers; null for always; absent: answers always, all else once"
    )
    response: RawAnswer | None = Field(default=None, description="an exchange file's: sent as it is, at its times")
    request: dict[str, Any] | None = Field(default=None, description="an exchange file's; `match` says which are meant")
    provenance: dict[str, Any] | None = Field(default=None, description="an exchange file's; of no effect")
    contract: dict[str, Any] | None = Field(default=None, description="an exchange file's; of no effect")

    @property
    def most(self) -> int | None:
        """How often it answers; None for always."""
        return 1 if self.answers is None and "times" not in self.model_fields_set else self.times

    @property
    def least(self) -> int:
        """How often it must be asked for where it answers always."""
        return len(self.answers or ()) or 1

    def weight(self, said: bytes) -> int:
        """What the script weighs, in bytes; `said` is this body as it was sent."""
        return len(said) + ANSWER_BYTES * self.least

    def expectation(self, number: int, said: bytes, edition: Edition) -> Expectation:
        """The answer as it is scripted; `said` is this body as it was sent."""
        which, size = self.match.which(), self.weight(said)
        return Expectation(number, self.reply(edition), which, self.most, self.least, size=size, said=said)

    def reply(self, edition: Edition) -> Callable[[ChatRequest, int], Answer | Plan]:
        """What is said to a request at a call, counted from 0; tokens are counted where the script has no figures."""

        def say(request: ChatRequest, call: int) -> Answer | Plan:
            if self.response is not None:
                return self.response.plan("script")
            said = said_at(call, self.answers, self.then) if self.answers is not None else self.answer
            if said is None:
                detail = f"answers: this is call {call + 1} and there are {self.least}"
                raise Refusal("no-match", f'{detail}; by their "then": "error" no more are given')
            made = reply_of(said, "script", lambda: prompt_tokens(request, edition))
            stale = not_offered(made, request)
            return replace(made, stale=stale) if stale else made

        return say


def raw_script(content_type: str, data: bytes) -> dict[str, Any]:
    """The JSON that scripts bytes as the next answer; an octet stream has the type that fits its bytes."""
    headers = {} if content_type.startswith("application/octet-stream") else {"content-type": content_type}
    return {"answer": {"raw": {"headers": headers, "sends": [{"data": plain(text_of(data))}]}}}


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

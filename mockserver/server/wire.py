"""The control API's JSON: what may be sent, and what comes back."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mockserver.pipeline.disturb import AnyFault
from mockserver.server.carried import carried
from mockserver.server.namespace import Which
from mockserver.sources import tokens
from mockserver.sources.fixture import ANY, Match
from mockserver.sources.written import FixtureAnswer, answer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.exchange import Answer, ChatRequest, Exchange
    from mockserver.profile import Edition
    from mockserver.server.namespace import ArmedFault, Expectation

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

    fault: AnyFault
    match: WhichBody = WhichBody()
    times: Count | None = Field(default=None, description="how often it fires; absent for always")
    every: Count = Field(default=1, description="it fires at every k-th request that fits")
    probability: float = Field(default=1.0, ge=0, le=1, description="chance to fire, drawn with the exchange's seed")


class ScriptBody(Body):
    """Script the next answers."""

    answer: FixtureAnswer
    match: WhichBody = WhichBody()
    times: Count | None = Field(default=1, description="how often it answers; null for always")


class ResetBody(Body):
    """What to forget."""

    journal: bool = True
    setup: bool = Field(default=True, description="armed faults and scripted answers")
    counters: bool = True


class ClockBody(Body):
    """Move the namespace's clock, on which quotas run."""

    advance_ms: float = Field(gt=0, le=10**12)


def reply_of(said: FixtureAnswer, edition: Edition) -> Callable[[ChatRequest], Answer]:
    """What a scripted answer says to a request; tokens are counted for it where the script has no figures."""
    return lambda request: answer_of(said, "script", lambda: tokens.prompt_tokens(request, edition))


def armed_json(armed: ArmedFault) -> dict[str, Any]:
    """An armed fault."""
    return {
        "number": armed.number,
        "fault": armed.fault.model_dump(exclude_none=True),
        "match": which_json(armed.which),
        "times": armed.times,
        "every": armed.every,
        "probability": armed.probability,
        "seen": armed.seen,
        "fired": armed.fired,
    }


def which_json(which: Which) -> dict[str, Any]:
    """Which requests are meant, without what does not matter."""
    pairs = {"model": which.model, "chip": which.chip, "stream": which.stream, "contains": which.contains}
    return {name: value for name, value in pairs.items() if value is not None}


def expectation_json(one: Expectation) -> dict[str, Any]:
    """A scripted answer's state."""
    return {"number": one.number, "match": which_json(one.which), "times": one.times, "used": one.used, "met": one.met}


def exchange_json(exchange: Exchange, *, frames: bool) -> dict[str, Any]:
    """An exchange; with `frames` also what was sent, frame by frame."""
    chat, plan = exchange.chat, exchange.plan
    made: dict[str, Any] = {
        "number": exchange.number,
        "namespace": exchange.namespace,
        "at_ms": round(exchange.at_ms, 3),
        "request": {
            "method": exchange.request.method,
            "path": exchange.request.path,
            "headers": {k.decode("latin-1"): v.decode("latin-1") for k, v in exchange.request.headers.items()},
            "body": exchange.request.body.decode("utf-8", "replace"),
        },
        "model": chat.model if chat else None,
        "chip": chat.chip if chat else None,
        "stream": chat.stream if chat else None,
        "ignored": list(chat.ignored) if chat else [],
        "status": plan.status if plan else None,
        "source": plan.source if plan else "",
        "detail": plan.detail if plan else "",
        "faults": list(exchange.faults),
        "seed": exchange.seed,
        "frames_planned": len(plan.frames) if plan else 0,
        "frames_sent": exchange.frames_sent,
        "duration_ms": round(exchange.duration_ms, 3),
        "ending": exchange.ending.value,
        "client_left": exchange.client_left,
    }
    if frames:
        made["response"] = {
            "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in (plan.headers if plan else ())],
            "sends": [{"at_ms": at, "data": data.decode("utf-8", "replace")} for at, data in exchange.sends],
            "carried": asdict(carried(exchange)),
        }
    return made

"""A mock in the same process for the contract to practise on: `learn` checks its profile with it, tests break it.

What it says is as plain as can be, but every feature that a clause looks at can be had by asking: a repeated text, a
thought, a tool call, a stop string, a limit. All else is the real pipeline.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from mockserver.core.exchange import Answer, Exchange, ToolCall, Usage, texts_of
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.respond import Service
from mockserver.sources import tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockserver.contract.transport import Transport
    from mockserver.core.exchange import ChatRequest, Plan, Request
    from mockserver.profile.edition import ChipProfile, Edition

_SENTENCE: Final = "人工智能让机器学习、推理和表达。Machines read 文字 as tokens 🤖。"
_REPEAT: Final = "请重复:"


def speak(request: ChatRequest) -> Answer:
    """The answer to a request: what it asks to have repeated, or one sentence; the pipeline limits it."""
    asked = next(("".join(texts_of(one)) for one in reversed(request.messages) if one.get("role") == "user"), "")
    text = asked.removeprefix(_REPEAT) if asked.startswith(_REPEAT) else _SENTENCE
    prompt = sum(1 + len(tokens.pieces(text)) for message in request.messages for text in texts_of(message))
    if request.body.get("tools") and request.body.get("tool_choice") != "none":
        call = ToolCall("call_1", "get_current_weather", ('{"city":', ' "北京"}'))
        return Answer((), Usage(prompt, 4), "tool_calls", tool_calls=(call,))
    thought = ("想", "一想", "。") if request.body.get("enable_thinking") is True else ()
    pieces = tokens.pieces(text)
    return Answer(pieces, Usage(prompt, len(thought) + len(pieces) + 1, len(thought)), reasoning=thought)


def service(edition: Edition) -> Service:
    """An edition that answers with `speak`, its text review in force."""

    def texts(request: ChatRequest) -> Sequence[str]:
        return [text for message in request.messages for text in texts_of(message)]

    return Service(edition.rules, speak, texts, edition.file.moderation.rules(edition.name))


def with_chip(edition: Edition, chip: ChipProfile) -> Edition:
    """The edition with one chip's profile replaced or added."""
    return replace(edition, chips={**edition.chips, chip.name: chip})


def with_model(edition: Edition, model: str) -> Edition:
    """The edition with one model more, on every chip, where its catalogue lacks it: the target may be anybody's."""
    return replace(edition, models={model: edition.entry(model), **edition.models})


def transport(made: Service, now_ms: int, disturb: Callable[[Plan], Plan] = lambda plan: plan) -> Transport:
    """A transport to a service in this process, without a socket.

    Args:
        made: The service.
        now_ms: Its fixed time, in milliseconds since the Unix epoch.
        disturb: Changes each plan before it is "received".
    """

    def send(request: Request) -> Exchange:
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        model, chip = (parts[1], parts[2]) if len(parts) == 5 else ("", "")
        plan = made.respond(IncomingRequest(model, chip, request, now_ms)).plan
        if request.method != "POST":
            plan = _wrong_method(made, now_ms)
        plan = disturb(plan)
        return Exchange(request, plan, frames_sent=len(plan.frames), ending=plan.ending)

    return send


def _wrong_method(made: Service, now_ms: int) -> Plan:
    from mockserver.core.errors import Refusal

    refusal = Refusal("wrong-method", "GET is not allowed; allowed: POST", headers=((b"allow", b"POST"),))
    return made.errors.plan(refusal, b"0" * 32, now_ms)

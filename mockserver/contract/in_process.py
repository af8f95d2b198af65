"""A mock in the same process for the contract to practise on: `learn` checks its profile with it, tests break it.

What it says is as plain as can be, but every feature that a clause looks at can be had by asking: a repeated text, a
thought, a tool call, a stop string, a limit. All else is the real pipeline.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Answer, Exchange, ToolCall, Usage, texts_of
from mockserver.core.route import parse
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.respond import Service
from mockserver.sources import tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockserver.contract.http_client import Transport
    from mockserver.core.exchange import ChatRequest, Plan, Request
    from mockserver.profile.edition import ChipProfile, Edition

_SENTENCE: Final = "人工智能让机器学习、推理和表达。Machines read 文字 as tokens 🤖。"
_REPEAT: Final = "请重复:"
_ENTROPY: Final = b"0" * 32
_TOO_LARGE: Final = Refusal("body-too-large", "the body is larger than the edition allows")
_WRONG_METHOD: Final = Refusal("wrong-method", "GET is not allowed; allowed: POST", headers=((b"allow", b"POST"),))


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


def transport(
    made: Service, now_ms: int, disturb: Callable[[Plan], Plan] = lambda plan: plan, *, chip: str = ""
) -> Transport:
    """A transport to a service in this process, without a socket.

    Args:
        made: The service.
        now_ms: Its fixed time, in milliseconds since the Unix epoch.
        disturb: Changes each plan before it is "received".
        chip: Who answers where the path names no chip; empty takes the edition's first.
    """

    def send(request: Request) -> Exchange:
        route = parse(request.path)
        if route is None:
            plan = made.errors.plan(Refusal("unknown-path", f"{request.path!r} is not served"), _ENTROPY, now_ms)
        elif len(request.body) > made.rules.request.body_limit_bytes:
            plan = made.errors.plan(_TOO_LARGE, _ENTROPY, now_ms, route.chip or chip)
        elif request.method != "POST":
            plan = made.errors.plan(_WRONG_METHOD, _ENTROPY, now_ms, route.chip or chip)
        else:
            answering = route.chip or chip or made.rules.default_chip
            deployed = bool(route.deployment)
            plan = made.respond(IncomingRequest(route.named, answering, request, now_ms, deployment=deployed)).plan
        plan = disturb(plan)
        return Exchange(request, plan, frames_sent=len(plan.frames), ending=plan.ending)

    return send

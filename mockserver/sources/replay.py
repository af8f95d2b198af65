"""How a recording is played: its bytes as they came, or its meaning in the wire form of whatever chip is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from mockserver.core.errors import Refusal
from mockserver.core.immutable import immutable
from mockserver.sources import tokens
from mockserver.sources.staleness import USUAL, changes, stale_detail

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.core.exchange import Answer, ChatRequest, Plan
    from mockserver.sources.recording_file import Recording
    from mockserver.sources.recordings import Recordings


@immutable(frozen=True, slots=True)
class ReplaySettings:
    """How recordings are played.

    Attributes:
        mode: `exact` sends the bytes as they came; `regenerate` says the same in the asked chip's wire form.
        speed: How many times as fast as recorded, > 0; 0 gives up the recorded times: an exact replay is sent at
            once, a regenerated answer at the chip's pace.
        identity: Whether regenerated answers keep the recorded id and `created`.
        match_on: What a recording is found by beside model, chip and stream.
        strict_requests: Whether a request that differs from the recorded one in anything but identity is refused.
    """

    mode: Literal["exact", "regenerate"] = "exact"
    speed: float = 0.0
    identity: Literal["kept", "fresh"] = "kept"
    match_on: tuple[str, ...] = USUAL
    strict_requests: bool = False


def replayed(
    recordings: Recordings, request: ChatRequest, settings: ReplaySettings, prompt_tokens: Callable[[], int]
) -> Answer | Plan | None:
    """What the recordings say to a request: a plan to be performed as it is, an answer, or None where none fits.

    What was no whole answer, or cannot be said anew without a loss, is performed as it came, on the chip where it came;
    the plan's detail says why.

    Args:
        recordings: What there is.
        request: What is asked.
        settings: How it is played.
        prompt_tokens: Counts the request's tokens, where the recording tells none.
    """
    anew = settings.mode == "regenerate"
    found = recordings.find(request, any_form=anew)
    if found is None:
        return None
    stale = changes(found.request, request)
    if stale and settings.strict_requests:
        raise Refusal("no-match", stale_detail(found.path.name, stale))
    said: Answer | Plan
    if anew and not found.judgement.why:
        said = _regenerated(found, settings, prompt_tokens)
    else:
        said = exact_plan(found, settings.speed)
        said = replace(said, detail=f"played as it came: {found.judgement.why}") if anew else said
    return replace(said, stale=stale) if stale else said


def exact_plan(one: Recording, speed: float) -> Plan:
    """The recorded bytes in their chunks, at the recorded times divided by `speed`; 0 sends at once."""
    plan = one.plan
    if speed == 0:
        return replace(plan, at_ms=None, head_at_ms=None, end_at_ms=None)
    if speed == 1:
        return plan
    head_at_ms, end_at_ms = (None if at is None else at / speed for at in (plan.head_at_ms, plan.end_at_ms))
    times = [at / speed for at in plan.at_ms or ()]
    return replace(plan, at_ms=times, head_at_ms=head_at_ms, end_at_ms=end_at_ms)


def _regenerated(one: Recording, settings: ReplaySettings, prompt_tokens: Callable[[], int]) -> Answer:
    answer = one.said
    if one.request.stream is False:
        answer = replace(answer, pieces=tokens.pieces(answer.text), reasoning=tokens.pieces("".join(answer.reasoning)))
    answer = _counted(answer, one.usage_counts, prompt_tokens)
    at_ms = tuple(at / settings.speed for at in answer.at_ms) if settings.speed else ()
    answer = replace(answer, at_ms=at_ms)
    return answer if settings.identity == "kept" else replace(answer, id=None, created=None)


def _counted(answer: Answer, told: set[str], prompt_tokens: Callable[[], int]) -> Answer:
    """The answer with the counts that were not recorded: the request's tokens, the answer's pieces and the end token.

    What came in one piece is cut as its tokens would be.
    """
    missing = [name for name in ("prompt_tokens", "completion_tokens") if name not in told]
    if not missing:
        return answer
    usage = answer.usage
    if "prompt_tokens" in missing:
        usage = replace(usage, prompt_tokens=prompt_tokens())
    if "completion_tokens" in missing:
        thoughts = _pieces_in(answer.reasoning)
        said = _pieces_in(answer.pieces) + sum(_pieces_in(call.pieces) for call in answer.tool_calls)
        usage = replace(usage, completion_tokens=thoughts + said + 1, reasoning_tokens=thoughts)
    return replace(answer, usage=usage, detail=f"usage was not recorded, so it is counted: {', '.join(missing)}")


def _pieces_in(pieces: tuple[str, ...]) -> int:
    return len(pieces) if len(pieces) > 1 else len(tokens.pieces("".join(pieces)))

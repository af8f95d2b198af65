"""Stage `pace`: when each frame leaves."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Answer


@immutable(frozen=True, slots=True)
class PaceSettings:
    """How fast a stream runs.

    Attributes:
        first_token_ms: From the request to the first frame (TTFT), >= 0.
        inter_token_ms: Between two frames (ITL), >= 0.
        jitter: Share of the inter-token time by which each one varies, 0 (even) to 1.
    """

    first_token_ms: float = 0.0
    inter_token_ms: float = 0.0
    jitter: float = 0.0


def pace_of(
    answer: Answer, steps: int, frames: int, settings: PaceSettings | None, entropy: bytes
) -> Sequence[float] | None:
    """Times for the frames of an answer, in milliseconds from the start, never falling; None sends all at once.

    Args:
        answer: What is said; one that was recorded may bring its own times.
        steps: How many steps it takes, one a frame where it is streamed.
        frames: How many frames there are: one that waits for all that stands in it leaves with the last step.
        settings: The chip's speed.
        entropy: What a varying speed is drawn from.
    """
    if answer.at_ms:
        times: list[float] | None = pace_as_recorded(steps, answer.at_ms, answer.parts)
    else:
        times = pace(steps, settings, entropy, answer.delay_ms)
    return times if times is None or steps == frames else times[-frames:]


def pace_as_recorded(frames: int, at_ms: Sequence[float], parts: int) -> list[float]:
    """Times for `frames` frames that are those of a recording, in milliseconds from the start, never falling.

    Args:
        frames: How many frames there are: one that begins, unless the first part does, the parts, and some that end.
        at_ms: When the recorded answer began, when each of its parts came, and when it was whole; two times or more.
        parts: How many parts the answer has now; fewer than were recorded where it was limited.
    """
    first, *came, last = at_ms
    if parts < len(came):
        came, last = came[:parts], came[parts]
    if frames <= len(came):  # a wire form with fewer chunks: their times are spread over what came
        whole = [first, *came, last]
        return [whole[number * (len(whole) - 1) // max(frames - 1, 1)] for number in range(frames)]
    before = 1 if frames > len(came) + 1 else 0
    return [first] * before + came + [last] * (frames - before - len(came))


def pace(frames: int, settings: PaceSettings | None, entropy: bytes, delay_ms: float = 0.0) -> list[float] | None:
    """Times for `frames` frames, in milliseconds from the start, never falling; None sends all at once.

    The jitter is drawn from `entropy`, so the same request has the same rhythm. All times are later by `delay_ms`.
    """
    if settings is None or (settings.first_token_ms == 0 and settings.inter_token_ms == 0):
        return [delay_ms] * frames if delay_ms else None
    first, step = settings.first_token_ms + delay_ms, settings.inter_token_ms
    if not settings.jitter:
        return [first + step * number for number in range(frames)]
    dice = random.Random(entropy)  # noqa: S311 - a rhythm, not a secret
    times, now = [], first
    for _ in range(frames):
        times.append(now)
        now += step * (1 + settings.jitter * (2 * dice.random() - 1))
    return times

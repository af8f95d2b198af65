"""Stage `pace`: when each frame leaves."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
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

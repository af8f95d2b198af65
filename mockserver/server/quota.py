"""What counts against a rate limit, and when it is used up."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.pipeline.faults.content import RateLimit

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000


class Quota:
    """Counters of one rate limit: requests and tokens in the last minute, requests in the last day.

    Attributes:
        asked: When each request that counts was let in, in milliseconds, and its tokens.
    """

    def __init__(self, asked: Iterable[tuple[float, int]] = ()) -> None:
        self.asked = list(asked)

    def count(self, now_ms: float, tokens: int) -> None:
        """Count a request and its tokens."""
        self.asked.append((now_ms, tokens))

    def check(self, limit: RateLimit, now_ms: float) -> None:
        """Raise the Refusal of the quota that stays used up for longest; one that is full does not count.

        It tells when enough of what was counted has left the window for one more request.
        """
        counts_ms = MINUTE_MS if limit.rpd is None else DAY_MS
        self.asked = [one for one in self.asked if one[0] > now_ms - counts_ms]
        minute = [one for one in self.asked if one[0] > now_ms - MINUTE_MS]
        full = []
        for name, allowed, counted, window_ms in (
            ("requests a minute", limit.rpm, [(at, 1) for at, _ in minute], MINUTE_MS),
            ("tokens a minute", limit.tpm, minute, MINUTE_MS),
            ("requests a day", limit.rpd, [(at, 1) for at, _ in self.asked], DAY_MS),
        ):
            used = left = sum(weight for _, weight in counted)
            if allowed is None or used < allowed:
                continue
            last_ms = now_ms
            for at_ms, weight in counted:
                last_ms, left = at_ms, left - weight
                if left < allowed:
                    break
            wait_s = max(ceil((last_ms + window_ms - now_ms) / 1000), 1)
            full.append((wait_s, f"{used} of {allowed} {name} used"))
        if full:
            wait_s, says = max(full, key=lambda one: one[0])
            headers = ((b"retry-after", b"%d" % wait_s),) if limit.retry_after else ()
            raise Refusal("rate-limited", f"rate limit: {says}; free again in {wait_s} s", headers=headers)

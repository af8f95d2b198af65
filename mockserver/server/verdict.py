"""What the journal says of a client: how it took what went wrong.

Exchanges with the same path and body, one after the other, are the attempts of one logical call. Each rule looks at
one call and gives a finding with one line of advice. Times are the mock's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from mockserver.exchange import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockserver.exchange import Exchange

STORM_ATTEMPTS: Final = 10
STORM_WINDOW_MS: Final = 1000.0
EARLY_SHARE: Final = 0.9  # a client may be up to a tenth early: clocks and timers are not exact
RETRYABLE: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
Mark = Literal["good", "bad", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule saw in one call.

    Attributes:
        rule: Name of the rule.
        mark: `good`, `bad`, or `note` for what is neither.
        says: What was seen.
        advice: What to do about it; empty where nothing is to be done.
        exchanges: Numbers of the exchanges.
    """

    rule: str
    mark: Mark
    says: str
    advice: str
    exchanges: tuple[int, ...]


def calls(exchanges: Sequence[Exchange]) -> list[list[Exchange]]:
    """Attempts grouped into logical calls: same path and body, each begun after the one before had failed."""
    found: list[list[Exchange]] = []
    latest: dict[tuple[str, bytes], list[Exchange]] = {}
    for one in exchanges:
        key = (one.request.path, one.request.body)
        group = latest.get(key)
        if group is not None and failed(group[-1]):
            group.append(one)
        else:
            latest[key] = group = [one]
            found.append(group)
    return found


def failed(exchange: Exchange) -> bool:
    """Whether an attempt gave its caller no whole good answer."""
    return exchange.plan is None or exchange.plan.status >= 400 or exchange.ending is not Ending.COMPLETE


def judge(exchanges: Sequence[Exchange]) -> list[Finding]:
    """All findings, call by call."""
    return [finding for call in calls(exchanges) for rule in RULES if (finding := rule(call)) is not None]


def retry_after(call: Sequence[Exchange]) -> Finding | None:
    """Whether the client waited as long as `Retry-After` said."""
    for before, after in pairwise(call):
        wait_ms = _retry_after_ms(before)
        if wait_ms is None:
            continue
        waited = after.at_ms - (before.at_ms + before.duration_ms)
        numbers = (before.number, after.number)
        if waited < wait_ms * EARLY_SHARE:
            return Finding(
                "retry-after", "bad", f"asked to wait {wait_ms:.0f} ms, came back after {waited:.0f} ms",
                "read Retry-After (seconds) and wait that long before the next attempt", numbers,
            )  # fmt: skip
        return Finding("retry-after", "good", f"waited {waited:.0f} ms of {wait_ms:.0f} ms asked", "", numbers)
    return None


def backoff(call: Sequence[Exchange]) -> Finding | None:
    """Whether the pauses between three or more attempts grow."""
    pauses = [b.at_ms - (a.at_ms + a.duration_ms) for a, b in pairwise(call)]
    if len(pauses) < 2 or any(_retry_after_ms(one) is not None for one in call):
        return None
    numbers = tuple(one.number for one in call)
    shown = ", ".join(f"{pause:.0f}" for pause in pauses)
    if pauses[-1] > pauses[0] * 1.2:
        return Finding("backoff", "good", f"pauses grow: {shown} ms", "", numbers)
    return Finding(
        "backoff", "bad", f"pauses do not grow: {shown} ms", "double the pause each time, with jitter", numbers
    )


def storm(call: Sequence[Exchange]) -> Finding | None:
    """Whether attempts came in a storm."""
    for first in range(len(call) - STORM_ATTEMPTS + 1):
        last = call[first + STORM_ATTEMPTS - 1]
        if last.at_ms - call[first].at_ms < STORM_WINDOW_MS:
            return Finding(
                "storm", "bad", f"{STORM_ATTEMPTS} attempts within {last.at_ms - call[first].at_ms:.0f} ms",
                "bound the attempts and pause between them", tuple(one.number for one in call),
            )  # fmt: skip
    return None


def truncated(call: Sequence[Exchange]) -> Finding | None:
    """Whether a stream that broke off was taken for whole: nothing came after it."""
    last = call[-1]
    broken = last.plan is not None and last.plan.status < 400 and not last.client_left
    if broken and last.ending in {Ending.CUT, Ending.RESET}:
        return Finding(
            "truncated", "note", f"the last answer broke off ({last.ending}) and was not asked for again",
            "see that the caller got an error and not half an answer", (last.number,),
        )  # fmt: skip
    return None


def blocked(call: Sequence[Exchange]) -> Finding | None:
    """Whether a blocked answer was asked for again."""
    for before, after in pairwise(call):
        if any(b'"blocked"' in frame for frame in (before.plan.frames if before.plan else ())):
            return Finding(
                "blocked", "bad", "the same request came again after a blocked answer",
                "read blocked: true and tell the user; asking again gives the same", (before.number, after.number),
            )  # fmt: skip
    return None


def gave_up(call: Sequence[Exchange]) -> Finding | None:
    """Whether a call ended in an error that could have been tried again."""
    last = call[-1]
    if last.plan is None or last.plan.status not in RETRYABLE:
        return None
    tries = f"{len(call)} attempt{'s' if len(call) > 1 else ''}"
    advice = "retry 429 and 5xx a few times before giving up" if len(call) == 1 else ""
    return Finding(
        "gave-up", "bad" if len(call) == 1 else "note", f"ended with {last.plan.status} after {tries}", advice,
        tuple(one.number for one in call),
    )  # fmt: skip


def recovered(call: Sequence[Exchange]) -> Finding | None:
    """Whether a call that failed at first came to a good answer."""
    if len(call) < 2 or failed(call[-1]):
        return None
    numbers = tuple(one.number for one in call)
    return Finding("recovered", "good", f"a good answer at attempt {len(call)}", "", numbers)


def hung(call: Sequence[Exchange]) -> Finding | None:
    """How long the client waited for an answer that never came."""
    for one in call:
        if one.ending is Ending.HANG:
            says = f"left a hanging answer after {one.duration_ms:.0f} ms"
            return Finding("timeout", "good" if one.client_left else "bad", says, "", (one.number,))
    return None


RULES: Final[tuple[Callable[[Sequence[Exchange]], Finding | None], ...]] = (
    retry_after, backoff, storm, truncated, blocked, gave_up, recovered, hung,
)  # fmt: skip


def verdict_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings as JSON; `resilient` is whether none is bad."""
    return {
        "resilient": all(one.mark != "bad" for one in findings),
        "findings": [
            {"rule": f.rule, "mark": f.mark, "says": f.says, "advice": f.advice, "exchanges": list(f.exchanges)}
            for f in findings
        ],
    }


def _retry_after_ms(exchange: Exchange) -> float | None:
    for name, value in exchange.plan.headers if exchange.plan else ():
        if name.lower() == b"retry-after" and value.replace(b".", b"", 1).isdigit():
            return float(value) * 1000
    return None

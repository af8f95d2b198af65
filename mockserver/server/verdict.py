"""What the journal says of a client: how it took what went wrong.

Each rule looks at one call and gives a finding with one line of advice. Times are the mock's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from mockserver.core.exchange import Ending
from mockserver.pipeline.read import carried
from mockserver.server.attempts import RETRYABLE, asked_of, began_ms, broke_off, calls, ended_ms, failed, question_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mockserver.core.exchange import Exchange
    from mockserver.pipeline.read import Carried
    from mockserver.server.attempts import Call, Question

STORM_ATTEMPTS: Final = 10
STORM_WINDOW_MS: Final = 1000.0
EARLY_SHARE: Final = 0.9  # a client may be up to a tenth early: clocks and timers are not exact
LEAST_PAUSE_MS: Final = 10.0  # below it a pause is the noise of the machine
STEADY_MS: Final = 50.0  # pauses that differ by more were not meant to be alike
GROWTH: Final = 1.2
SHOWN_PAUSES: Final = 8
Mark = Literal["good", "bad", "note"]


@dataclass(frozen=True, slots=True)
class ClientFinding:
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


@dataclass(frozen=True)
class Scene:
    """What a rule may see beside the call.

    Attributes:
        exchanges: All exchanges, in the order in which they began.
        now_ms: Now, on the clock of the exchanges.
        patience_ms: How long a client may wait for an answer that never comes.
    """

    exchanges: Sequence[Exchange]
    now_ms: float
    patience_ms: float

    def later(self, exchange: Exchange) -> Iterator[Exchange]:
        """The exchanges that began after one had ended."""
        return (one for one in self.exchanges if began_ms(one) >= ended_ms(exchange) and one is not exchange)

    @cached_property
    def dialogues(self) -> dict[str, list[Exchange]]:
        """What the assistant said in the dialogues of requests, and the requests: each body is read once."""
        found: dict[str, list[Exchange]] = {}
        for one in self.exchanges:
            for text in _assistant_texts(one):
                found.setdefault(text, []).append(one)
        return found

    @cached_property
    def questions(self) -> dict[Question, list[Exchange]]:
        """What requests ask, in whichever form, and the requests: each body is read once."""
        found: dict[Question, list[Exchange]] = {}
        for one in self.exchanges:
            found.setdefault(question_of(one), []).append(one)
        return found

    def asked_again(self, exchange: Exchange, *, otherwise: bool = False) -> bool:
        """Whether the same was asked later, streamed or whole, as a client may fall back; or only in the other form."""
        return any(
            began_ms(one) >= ended_ms(exchange) and one is not exchange
            for one in self.questions[question_of(exchange)]
            if not otherwise or asked_of(one) != asked_of(exchange)
        )


def judge(exchanges: Sequence[Exchange], now_ms: float, patience_ms: float) -> list[ClientFinding]:
    """All findings, call by call.

    Args:
        exchanges: Finished ones and those in flight.
        now_ms: Now, on the clock of the exchanges.
        patience_ms: How long a client may wait for an answer that never comes.
    """
    scene = Scene(sorted(exchanges, key=lambda one: one.at_ms), now_ms, patience_ms)
    return [made for call in calls(scene.exchanges) for rule in RULES if (made := rule(call, scene)) is not None]


def retry_after(call: Call, _scene: Scene) -> ClientFinding | None:
    """Whether the client waited as long as `Retry-After` said, each time."""
    good = None
    for before, after in pairwise(call):
        wait_ms = _retry_after_ms(before)
        if wait_ms is None:
            continue
        waited = after.at_ms - ended_ms(before)
        numbers = (before.number, after.number)
        if waited < wait_ms * EARLY_SHARE:
            return ClientFinding(
                "retry-after", "bad", f"asked to wait {wait_ms:.0f} ms, came back after {waited:.0f} ms",
                "read Retry-After (seconds) and wait that long before the next attempt", numbers,
            )  # fmt: skip
        good = good or ClientFinding(
            "retry-after", "good", f"waited {waited:.0f} ms of {wait_ms:.0f} ms asked", "", numbers
        )
    return good


def backoff(call: Call, _scene: Scene) -> ClientFinding | None:
    """Whether the pauses between three or more attempts grow; those that are drawn at random need not each time."""
    pauses = [after.at_ms - ended_ms(before) for before, after in pairwise(call)]
    if len(pauses) < 2 or any(_retry_after_ms(one) is not None for one in call):
        return None
    numbers = tuple(one.number for one in call)
    shown = ", ".join(f"{pause:.0f}" for pause in pauses[:SHOWN_PAUSES]) + (", …" if len(pauses) > SHOWN_PAUSES else "")
    if pauses[-1] > max(pauses[0] * GROWTH, LEAST_PAUSE_MS):
        return ClientFinding("backoff", "good", f"pauses grow: {shown} ms", "", numbers)
    if min(pauses) > LEAST_PAUSE_MS and max(pauses) - min(pauses) > STEADY_MS:
        return ClientFinding(
            "backoff", "note", f"pauses vary and do not clearly grow: {shown} ms",
            "let the bound of the jitter double each time", numbers,
        )  # fmt: skip
    return ClientFinding(
        "backoff", "bad", f"pauses do not grow: {shown} ms", "double the pause each time, with jitter", numbers
    )


def storm(call: Call, _scene: Scene) -> ClientFinding | None:
    """Whether attempts came in a storm."""
    for first in range(len(call) - STORM_ATTEMPTS + 1):
        last = call[first + STORM_ATTEMPTS - 1]
        if last.at_ms - call[first].at_ms < STORM_WINDOW_MS:
            return ClientFinding(
                "storm", "bad", f"{STORM_ATTEMPTS} attempts within {last.at_ms - call[first].at_ms:.0f} ms",
                "bound the attempts and pause between them", tuple(one.number for one in call),
            )  # fmt: skip
    return None


def truncated(call: Call, scene: Scene) -> ClientFinding | None:
    """Whether an answer that broke off was taken for whole: it stands in a later dialogue, or nothing came after it."""
    last = call[-1]
    if last.in_flight or last.client_left or last.plan is None or last.plan.status >= 400:
        return None
    how = broke_off(last)
    if not how:
        return None
    if (later := _said_again(carried(last), last, scene)) is not None:
        return ClientFinding(
            "truncated", "bad", f"half an answer ({how}) was taken for whole: a later request goes on with it",
            "take an answer without finish_reason for an error", (last.number, later.number),
        )  # fmt: skip
    if scene.asked_again(last):
        return None  # the client has, or whoever uses it
    return ClientFinding(
        "truncated", "note", f"the last answer broke off ({how}) and was not asked for again",
        "see that the caller got an error and not half an answer", (last.number,),
    )  # fmt: skip


def blocked(call: Call, scene: Scene) -> ClientFinding | None:
    """Whether the client went on after an answer that the text review had blocked."""
    last = call[-1]
    if last.in_flight or not any(b'"blocked"' in frame for frame in (last.plan.frames if last.plan else ())):
        return None
    said = carried(last)
    if not said.blocked:
        return None
    if (later := _said_again(said, last, scene)) is not None:
        return ClientFinding(
            "blocked", "bad", "what was said before the review blocked it stands in the dialogue of a later request",
            "read blocked: true, take the answer back and tell the user", (last.number, later.number),
        )  # fmt: skip
    again = (one for one in scene.later(last) if asked_of(one) == asked_of(last))
    if (later := next(again, None)) is not None:
        return ClientFinding(
            "blocked", "note", "the same request came again after a blocked answer",
            "read blocked: true and tell the user; asking again gives the same", (last.number, later.number),
        )  # fmt: skip
    return None


def gave_up(call: Call, scene: Scene) -> ClientFinding | None:
    """Whether a call ended in an error that could have been tried again."""
    last = call[-1]
    if (
        last.in_flight
        or last.plan is None
        or last.plan.status not in RETRYABLE
        or scene.asked_again(last, otherwise=True)
    ):
        return None
    tries = f"{len(call)} attempt{'s' if len(call) > 1 else ''}"
    advice = "retry 429 and 5xx a few times before giving up" if len(call) == 1 else ""
    return ClientFinding(
        "gave-up", "bad" if len(call) == 1 else "note", f"ended with {last.plan.status} after {tries}", advice,
        tuple(one.number for one in call),
    )  # fmt: skip


def recovered(call: Call, _scene: Scene) -> ClientFinding | None:
    """Whether a call that failed at first came to a good answer."""
    last = call[-1]
    if len(call) < 2 or last.in_flight or failed(last) or (last.plan is not None and last.plan.status >= 400):
        return None
    numbers = tuple(one.number for one in call)
    return ClientFinding("recovered", "good", f"a good answer at attempt {len(call)}", "", numbers)


def hung(call: Call, scene: Scene) -> ClientFinding | None:
    """How long the client waited for an answer that never came."""
    found = [one for one in call if one.plan is not None and one.plan.ending is Ending.HANG]
    waits = next((one for one in found if one.in_flight), None)
    if waits is not None:
        waited = scene.now_ms - waits.at_ms
        if waited > scene.patience_ms:
            return ClientFinding(
                "timeout", "bad", f"still waits after {waited:.0f} ms for an answer that never comes",
                "set a timeout, also between two chunks of a stream", (waits.number,),
            )  # fmt: skip
        return ClientFinding(
            "timeout", "note", f"waits for {waited:.0f} ms so far on a hanging answer", "", (waits.number,)
        )
    left = next((one for one in found if one.client_left), None)
    if left is None:
        return None
    patient = left.duration_ms <= scene.patience_ms
    return ClientFinding(
        "timeout", "good" if patient else "note", f"left a hanging answer after {left.duration_ms:.0f} ms",
        "" if patient else "a shorter timeout spares the user the wait", (left.number,),
    )  # fmt: skip


def stale(call: Call, _scene: Scene) -> ClientFinding | None:
    """Whether the request is another one than the answer was recorded or written for."""
    plan = call[-1].plan
    if plan is None or not plan.stale:
        return None
    return ClientFinding(
        "stale", "note", f"{plan.source} is for another request than the one that came: {'; '.join(plan.stale)}",
        "record or write the answer anew; --strict-requests refuses such a request", (call[-1].number,),
    )  # fmt: skip


RULES: Final[tuple[Callable[[Call, Scene], ClientFinding | None], ...]] = (
    retry_after, backoff, storm, truncated, blocked, gave_up, recovered, hung, stale,
)  # fmt: skip


def _said_again(said: Carried, exchange: Exchange, scene: Scene) -> Exchange | None:
    """The first later request in whose dialogue the assistant said what an exchange carried."""
    text = said.text.strip()
    again = scene.dialogues.get(text, ()) if text else ()
    return next((one for one in again if began_ms(one) >= ended_ms(exchange) and one is not exchange), None)


def _assistant_texts(exchange: Exchange) -> list[str]:
    """What the assistant said in a request's dialogue, message by message."""
    try:
        messages = json.loads(exchange.request.body)["messages"]
        return [one["content"].strip() for one in messages if one["role"] == "assistant"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []


def _retry_after_ms(exchange: Exchange) -> float | None:
    """How long the client is to wait; `retry-after-ms` counts first, as in OpenAI's SDKs."""
    told = {name.lower(): value for name, value in (exchange.plan.headers if exchange.plan else ())}
    for name, unit_ms in ((b"retry-after-ms", 1), (b"retry-after", 1000)):
        value = told.get(name, b"")
        if value.replace(b".", b"", 1).isdigit():
            return float(value) * unit_ms
    return None

"""Namespaces: arming, scripting, quotas and seeds, apart from each other."""

from __future__ import annotations

import random

import pytest

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Answer, ChatRequest, Exchange, Request, Usage
from mockserver.pipeline.disturb import fault_of
from mockserver.pipeline.faults.content import RateLimit
from mockserver.server.journal import Journal, JournalBudget, weight
from mockserver.server.namespace import MOST_NAMESPACES, Namespaces
from mockserver.server.namespace_setup import ArmedFault, Expectation, Which
from mockserver.server.quota import Quota

CUT = fault_of({"type": "cut", "after_frames": 1})
ANSWER = Answer(("hi",), Usage(1, 2))


def say(_request: ChatRequest, _call: int) -> Answer:
    """A scripted reply."""
    return ANSWER


def request(chip: str = "left", text: str = "hello", *, stream: bool = True) -> ChatRequest:
    """A request to a chip."""
    return ChatRequest("m", chip, [{"role": "user", "content": text}], stream)


FIRING = {
    "once": (ArmedFault(1, CUT, times=1), [True, False, False, False]),
    "twice": (ArmedFault(1, CUT, times=2), [True, True, False, False]),
    "always": (ArmedFault(1, CUT), [True, True, True, True]),
    "every second": (ArmedFault(1, CUT, every=2), [False, True, False, True]),
    "never by chance": (ArmedFault(1, CUT, probability=0.0), [False, False, False, False]),
    "another chip": (ArmedFault(1, CUT, Which(chip="right")), [False, False, False, False]),
    "this text": (ArmedFault(1, CUT, Which(contains="ell"), times=3), [True, True, True, False]),
    "whole answers": (ArmedFault(1, CUT, Which(stream=False)), [False, False, False, False]),
}


@pytest.mark.parametrize("name", FIRING)
def test_firing(name: str) -> None:
    """A fault fires as often, and at such requests, as it was armed for."""
    armed, expected = FIRING[name]

    assert [armed.fires(request(), random.Random(0)) for _ in expected] == expected


def test_probability_is_drawn_with_the_seed() -> None:
    """The same seed fires or does not fire alike; over many seeds about as often as armed for."""
    fired = [ArmedFault(1, CUT, probability=0.3).fires(request(), random.Random(seed)) for seed in range(1000)]

    assert fired == [ArmedFault(1, CUT, probability=0.3).fires(request(), random.Random(seed)) for seed in range(1000)]
    assert 230 < sum(fired) < 370


def test_script_is_used_in_order_and_counted() -> None:
    """Scripted answers are used up in order; what comes after them is unexpected, what is left is unmet."""
    namespace = Namespaces().claim("key")
    namespace.script += [Expectation(1, say), Expectation(2, say, Which(chip="right")), Expectation(3, say)]

    used = [namespace.scripted(request()) for _ in range(3)]

    assert used == [ANSWER, ANSWER, None]
    assert [one.number for one in namespace.unmet()] == [2]
    assert namespace.unexpected == 1


def test_keys_are_apart() -> None:
    """A claimed key has its own namespace, an unclaimed one shares the default; no name tells a key."""
    namespaces = Namespaces()
    mine = namespaces.claim("sk-secret")

    assert namespaces.of("sk-secret") is mine is not namespaces.of("other")
    assert namespaces.of("other") is namespaces.of("") is namespaces.default
    assert [one.name for one in namespaces] == ["default", "key-1"]


def test_namespaces_are_bounded() -> None:
    """Of too many the one goes that was not asked about for longest, and who keeps more for it is told."""
    gone: list[str] = []
    namespaces = Namespaces(forget=gone.append)
    for number in range(MOST_NAMESPACES):
        namespaces.claim(f"key{number}")
    namespaces.claim("key0")
    for number in range(MOST_NAMESPACES, 10 * MOST_NAMESPACES):
        namespaces.claim("key0")
        namespaces.claim(f"key{number}")

    assert namespaces.of("key0") is not namespaces.default
    assert namespaces.of("key1") is namespaces.default
    assert len(list(namespaces)) == 1 + MOST_NAMESPACES
    assert gone[:2] == ["key-2", "key-3"]
    assert len(gone) == len(set(gone)) == 9 * MOST_NAMESPACES


def test_all_journals_together_are_bounded() -> None:
    """Where the budget is spent, the heaviest lets its oldest go, never what just came; a cleared one is free."""
    size = weight(Exchange(Request("POST", "/"), number=1))
    budget = JournalBudget(most_bytes=5 * size)
    journals = [Journal(budget=budget) for _ in range(3)]

    def keep(journal: Journal, number: int) -> None:
        one = Exchange(Request("POST", "/"), number=number)
        journal.begin(one)
        journal.end(one)

    for number in range(1, 5):
        for journal in journals:
            keep(journal, number)
    assert sorted(len(journal) for journal in journals) == [1, 2, 2]
    assert [list(journal)[-1].number for journal in journals] == [4, 4, 4]
    assert budget.used_bytes == 5 * size
    least = min(journals, key=len)
    least.clear()
    keep(least, 5)
    assert [[one.number for one in journal] for journal in journals if journal is not least] == [[3, 4], [3, 4]]
    assert [one.number for one in least] == [5]


def test_seeds_repeat_after_a_reset() -> None:
    """Exchange numbers, and with them seeds, begin again after a reset, so a test repeats itself."""
    namespace = Namespaces(7).claim("key")
    first = [namespace.seed_of(namespace.next("exchange")) for _ in range(3)]
    namespace.reset()

    assert [namespace.seed_of(namespace.next("exchange")) for _ in range(3)] == first
    assert len(set(first)) == 3


def let_in(quota: Quota, limit: RateLimit, now_ms: float, tokens: int = 10) -> None:
    """A request that is counted where it is not refused."""
    quota.check(limit, now_ms)
    quota.count(now_ms, tokens)


def test_requests_a_minute() -> None:
    """The third request of a minute with two allowed is refused until the first is a minute old."""
    quota, limit = Quota(), RateLimit(rpm=2, rpd=None, tpm=None, retry_after=True)
    let_in(quota, limit, 0)
    let_in(quota, limit, 20_000)

    with pytest.raises(Refusal) as caught:
        let_in(quota, limit, 30_500)

    assert str(caught.value) == "rate limit: 2 of 2 requests a minute used; free again in 30 s"
    assert caught.value.headers == ((b"retry-after", b"30"),)
    let_in(quota, limit, 60_001)


def test_tokens_a_minute_and_requests_a_day() -> None:
    """Tokens and days have quotas of their own."""
    quota = Quota()
    let_in(quota, RateLimit(rpm=None, rpd=None, tpm=100), 0, 100)
    with pytest.raises(Refusal, match="100 of 100 tokens a minute used; free again in 60 s"):
        quota.check(RateLimit(rpm=None, rpd=None, tpm=100), 1)
    with pytest.raises(Refusal, match="1 of 1 requests a day used; free again in 86340 s"):
        quota.check(RateLimit(rpm=None, rpd=1, tpm=None), 60_001)


QUOTAS = [
    pytest.param({"tpm": 40}, [(0, 1), (10_000, 40)], 20_000, "41 of 40 tokens a minute used", 50, id="tokens"),
    pytest.param({"tpm": 40}, [(0, 30), (1000, 9), (9000, 39)], 20_000, "78 of 40 tokens a minute used", 41, id="two"),
    pytest.param({"rpm": 2, "rpd": 2}, [(0, 1), (1000, 1)], 2000, "2 of 2 requests a day used", 86_398, id="day"),
    pytest.param({"rpm": 1, "tpm": 5}, [(0, 9)], 1, "1 of 1 requests a minute used", 60, id="both-as-long"),
]


@pytest.mark.parametrize(("limit", "counted", "at_ms", "says", "wait_s"), QUOTAS)
def test_who_waits_as_long_as_told_is_let_in(
    limit: dict[str, int], counted: list[tuple[float, int]], at_ms: float, says: str, wait_s: int
) -> None:
    """A full quota tells when enough has left its window for one more request; of several, the one full for longest."""
    quota = Quota()
    rate = RateLimit.model_validate({"rpm": None, "rpd": None, "tpm": None, "retry_after": True} | limit)
    for when_ms, tokens in counted:
        quota.count(when_ms, tokens)

    with pytest.raises(Refusal) as caught:
        quota.check(rate, at_ms)

    assert str(caught.value) == f"rate limit: {says}; free again in {wait_s} s"
    assert caught.value.headers == ((b"retry-after", b"%d" % wait_s),)
    with pytest.raises(Refusal):
        quota.check(rate, at_ms + (wait_s - 1) * 1000 - 1)
    quota.check(rate, at_ms + wait_s * 1000)

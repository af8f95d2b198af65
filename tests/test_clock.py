"""The wheel calls back in time, in order, and with one timer; the clocks say what they promise."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.server.clock import HOLD_SECONDS, LOOK_EVERY, FixedClock, RealClock
from tests.fake_time import FakeLoop

delays_ms = st.lists(st.floats(min_value=0, max_value=500, allow_nan=False), min_size=1, max_size=20)


@settings(max_examples=80)
@given(delays_ms, st.sampled_from([1.0, 7.0, 100.0]))
def test_no_callback_is_lost_early_or_out_of_order(delays: list[float], step: float) -> None:
    """Every callback runs once, not before its time, and in the order of the grid's milliseconds."""
    loop = FakeLoop()
    wheel = loop.wheel()
    start = loop.now
    called: list[tuple[float, float]] = []
    for delay in delays:
        wheel.at(start + delay / 1000, lambda due=delay: called.append((due, (loop.now - start) * 1000)))  # type: ignore[misc]

    for _ in range(int(502 / step) + 1):
        loop.advance(step)

    assert sorted(due for due, _ in called) == sorted(delays)
    assert all(at >= due - 0.5 for due, at in called)
    assert all(later >= earlier - 1 for (earlier, _), (later, _) in pairwise(called))


def test_callbacks_of_one_millisecond_share_a_timer() -> None:
    """A thousand streams that are due together cost one timer."""
    loop = FakeLoop()
    wheel = loop.wheel()
    called: list[int] = []
    for number in range(1000):
        wheel.at(loop.now + 0.0201, lambda number=number: called.append(number))  # type: ignore[misc]

    assert len(loop.timers) == 1
    loop.advance(21)

    assert called == list(range(1000))
    assert loop.pending == []


@pytest.mark.parametrize("again", [False, True], ids=["once", "and at once again"])
def test_a_pass_of_the_wheel_is_short(again: bool) -> None:
    """What is due takes its turn in passes of two milliseconds, in order, and what others write leaves in between."""
    loop = FakeLoop()
    wheel = loop.wheel()
    due = loop.now + 0.02
    called: list[int] = []
    passes: set[float] = set()

    def work(number: int) -> None:
        called.append(number)
        passes.add(loop.passed_at)
        loop.now += 0.0005
        if again and number < 10:
            wheel.at(due, partial(work, 100 + number))

    for number in range(100):
        wheel.at(due, partial(work, number))
    loop.advance(20)

    assert called == list(range(110 if again else 100))
    assert len(passes) >= 100 // LOOK_EVERY
    assert LOOK_EVERY * 0.0005 > HOLD_SECONDS


def test_an_earlier_deadline_moves_the_timer_forward() -> None:
    """The one timer always stands at the earliest deadline."""
    loop = FakeLoop()
    wheel = loop.wheel()
    wheel.at(loop.now + 0.5, lambda: None)
    wheel.at(loop.now + 0.1, lambda: None)
    wheel.at(loop.now + 0.3, lambda: None)

    assert [timer.when for timer in loop.pending] == [pytest.approx(loop.now + 0.1, abs=0.0011)]


def test_a_callback_may_ask_for_the_next_one() -> None:
    """A stream that asks from within its turn keeps to the absolute times, also where a turn comes late."""
    loop = FakeLoop()
    wheel = loop.wheel()
    start = loop.now
    turns: list[float] = []

    def turn() -> None:
        turns.append(round((loop.now - start) * 1000))
        wheel.at(start + 0.02 * (len(turns) + 1), turn)

    wheel.at(start + 0.02, turn)
    loop.advance(20)
    loop.advance(27)
    loop.advance(13)
    loop.advance(20)

    assert turns == [20, 47, 60, 80]


def test_the_fixed_clock_gives_one_instant_and_no_dice() -> None:
    """Under the fixed clock, `created` is the edition's instant and ids are derived from the request."""
    clock = FixedClock(1_708_486_029)

    assert (clock.now_ms(), clock.dice()) == (1_708_486_029_000, b"")


def test_the_real_clock_rolls_new_dice_each_time() -> None:
    """Under the real clock, two equal requests have different ids."""
    clock = RealClock()

    assert len(clock.dice()) == 32
    assert clock.dice() != clock.dice()
    assert clock.now_ms() > 1_700_000_000_000

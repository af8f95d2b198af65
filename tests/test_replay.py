"""Which of several fixtures answers, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.errors import Refusal
from mockserver.sources.fixtures import Fixtures
from tests.fixture_helpers import DAY_S, HISTORY, NEW_YEAR_S, TWO, found, loaded, request, system, user, write

if TYPE_CHECKING:
    from pathlib import Path

# --- precedence ---------------------------------------------------------------------------------------------------

RANKS: dict[str, tuple[tuple[str, dict[str, Any], int], tuple[str, dict[str, Any], int]]] = {
    "priority before conditions": (("z.json", {}, 1), ("a.json", {"user": "a", "stream": False}, 0)),
    "zero before negative": (("z.json", {}, 0), ("a.json", {"user": "a"}, -1)),
    "conditions before model": (("z.json", {"user": "a"}, 0), ("mt/a.json", {}, 0)),
    "each path is a condition": (("z.json", {"body": {"$.n": 1, "$.s": 1}}, 0), ("a.json", {"user": "a"}, 0)),
    "each message is a condition": (
        ("z.json", {"messages": [system("s"), user("a")]}, 0),
        ("mt/a.json", {"user": "a"}, 0),
    ),
    "model before chip": (("mt/any/z.json", {"user": "a"}, 0), ("any/chip3/a.json", {"user": "a"}, 0)),
    "model and chip before model": (("mt/chip3/z.json", {"user": "a"}, 0), ("mt/any/a.json", {"user": "a"}, 0)),
    "chip before any": (("any/chip3/z.json", {"user": "a"}, 0), ("any/any/a.json", {"user": "a"}, 0)),
    "named model before exact text": (("mt/z.json", {"user": {"contains": "a"}}, 0), ("a.json", {"user": "a"}, 0)),
    "exact text before a pattern": (("z.json", {"user": "a"}, 0), ("a.json", {"user": {"regex": "a"}}, 0)),
    "path": (("a.json", {"user": "a"}, 0), ("b.json", {"user": "a"}, 0)),
}


@pytest.mark.parametrize(("first", "second"), RANKS.values(), ids=RANKS)
def test_the_most_special_answers(
    first: tuple[str, dict[str, Any], int], second: tuple[str, dict[str, Any], int], tmp_path: Path
) -> None:
    """Priority, then more conditions, named model, named chip, exact text, path."""
    for name, match, priority in (first, second):
        write(tmp_path, name, match, priority=priority)
    fixtures = loaded(tmp_path)

    assert found(fixtures, request(system("s"), user("a"), n=1, s=1)) == first[0]
    assert [one.name for one in fixtures] == [first[0], second[0]]


def test_an_earlier_root_answers_first(tmp_path: Path) -> None:
    """What the user wrote goes before what is shipped, however special that is."""
    write(tmp_path / "mine", "catch-all.json", {})
    write(tmp_path / "shipped", "mt/chip3/special.json", {"user": "a", "stream": False}, priority=9)

    assert found(loaded(tmp_path / "mine", tmp_path / "shipped"), request(user("a"))) == "catch-all.json"
    assert found(loaded(tmp_path / "shipped", tmp_path / "mine"), request(user("a"))) == "mt/chip3/special.json"


def test_a_dialogue_is_matched_by_what_it_holds_not_by_how_often_one_asked(tmp_path: Path) -> None:
    """The second turn can be asked before the first, and again."""
    write(tmp_path, "first.json", {"messages": HISTORY[:1]})
    write(tmp_path, "second.json", {"messages": HISTORY})
    fixtures = loaded(tmp_path)

    said = [found(fixtures, request(*messages)) for messages in (HISTORY, HISTORY[:1], HISTORY)]

    assert said == ["second.json", "first.json", "second.json"]


# --- sequences ----------------------------------------------------------------------------------------------------


def test_each_namespace_counts_its_own_calls(tmp_path: Path) -> None:
    """Two tests that use their own keys do not disturb each other."""
    write(tmp_path, "a.json", {}, answers=TWO, then="cycle")
    fixtures = loaded(tmp_path)

    said = [found(fixtures, request(user("a")), namespace) for namespace in ("x", "x", "y", "x", "y")]

    assert said == ["one", "two", "one", "one", "two"]


def test_calls_of_one_namespace_can_begin_again(tmp_path: Path) -> None:
    """A test that is over leaves no count behind."""
    write(tmp_path, "a.json", {}, answers=TWO)
    fixtures = loaded(tmp_path)
    for namespace in ("x", "y"):
        found(fixtures, request(user("a")), namespace)

    fixtures.forget_calls("x")

    assert [found(fixtures, request(user("a")), namespace) for namespace in ("x", "y")] == ["one", "two"]


def test_only_calls_that_the_fixture_answers_are_counted(tmp_path: Path) -> None:
    """A near miss and a more special fixture leave the count as it is."""
    write(tmp_path, "a.json", {"user": "a"}, answers=TWO)
    write(tmp_path, "b.json", {"user": "a", "stream": True})
    fixtures = loaded(tmp_path)

    said = [
        found(fixtures, request(user(text), stream=stream))
        for text, stream in (("a", True), ("b", False), ("a", False))
    ]

    assert said == ["b.json", None, "one"]


def test_answers_that_are_used_up_say_so(tmp_path: Path) -> None:
    """With `"then": "error"` one call too many is told which fixture ended."""
    write(tmp_path, "mt/a.json", {}, answers=TWO, then="error")
    fixtures = loaded(tmp_path)
    for _ in TWO:
        found(fixtures, request(user("a")))

    with pytest.raises(Refusal) as raised:
        found(fixtures, request(user("a")))

    assert (raised.value.kind, raised.value.detail) == (
        "no-match",
        'mt/a.json: this is call 3 and it has 2 answers; by its "then": "error" no more are given',
    )


# --- expiry -------------------------------------------------------------------------------------------------------

EXPIRES: dict[str, tuple[float, bool]] = {
    "the day before": (NEW_YEAR_S - 1, True),
    "the first second of the day": (NEW_YEAR_S, True),
    "the last second of the day": (NEW_YEAR_S + DAY_S - 1, True),
    "the day after": (NEW_YEAR_S + DAY_S, False),
}


@pytest.mark.parametrize(("now_s", "fits"), EXPIRES.values(), ids=EXPIRES)
def test_a_fixture_expires_after_its_last_day(now_s: float, fits: bool, tmp_path: Path) -> None:
    """`expires` is the last day, in UTC, on which a fixture fits."""
    write(tmp_path, "a.json", {}, expires="2026-01-01")
    fixtures = Fixtures([tmp_path])
    fixtures.refresh(now_s)

    assert (found(fixtures, request(user("a"))) is not None) is fits


def test_an_expired_fixture_is_told_once_and_replaced_by_the_next(tmp_path: Path) -> None:
    """The log has one line, at the first look after the last day; the next fixture that fits answers."""
    path = write(tmp_path, "a.json", {"user": "a"}, expires="2026-01-01")
    write(tmp_path, "b.json", {})
    fixtures = Fixtures([tmp_path])

    reports = [fixtures.refresh(NEW_YEAR_S + days * DAY_S) for days in (0, 1, 2)]

    assert reports == [[], [f"{path}: expires: 2026-01-01 is over; it no longer fits any request"], []]
    assert found(fixtures, request(user("a"))) == "b.json"

"""The indexes of fixtures and of `contains` conditions find what asking each of them finds."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockserver.core.checking import checks
from mockserver.core.exchange import ChatRequest
from mockserver.sources.contains_index import ContainsIndex
from mockserver.sources.fixture_file import Fixture, Match
from mockserver.sources.fixture_index import FixtureIndex
from mockserver.sources.fixtures import Fixtures
from mockserver.sources.match import RequestView, fits

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("a", "b", "ab", "abc", "天")
MATCHES = st.one_of(
    st.sampled_from(TEXTS).map(lambda text: {"user": text}),
    st.sampled_from(TEXTS).map(lambda text: {"user": {"contains": text}}),
    st.sampled_from(TEXTS).map(lambda text: {"messages": [{"role": "user", "content": text}]}),
    st.sampled_from(
        [{}, {"user": {"regex": "b"}}, {"headers": {"x-a": {"exists": False}}}, {"user": "a", "stream": False}]
    ),
)
VALUES = st.sampled_from([1, 1.0, True, 0, False, None, "a", "ａ", " a ", [1], {"a": 1}, {"exists": True}])
BODIES = st.dictionaries(st.sampled_from(["$.a", "$.b", "$.a[0]"]), VALUES, min_size=1).map(lambda said: {"body": said})
HEADS = st.sampled_from(
    [{"headers": {"X-A": "a"}}, {"query": {"q": "1"}, "user": {"regex": "a"}}, {"headers": {"x-a": "b"}}]
)
MATCHES |= BODIES | HEADS
ASKED = st.builds(
    lambda body, headers, query: ChatRequest("m", "c", [], body=body, headers=headers, query=query),
    st.dictionaries(st.sampled_from("ab"), VALUES),
    st.sampled_from([{}, {b"x-a": b"a"}, {b"x-a": b"b"}]),
    st.sampled_from(["", "q=1", "q=2&q=1"]),
)
WORDS = st.text(st.sampled_from("ab天 "), min_size=1, max_size=12)


@given(wanted=st.lists(WORDS, max_size=60), text=st.text(st.sampled_from("ab天 "), max_size=60))
@example(wanted=["a"] * 60, text="")
@example(wanted=["abababa"], text="abababa" * 9)
@settings(max_examples=150, deadline=None, database=None)
def test_nothing_that_is_contained_is_missed(wanted: list[str], text: str) -> None:
    """Whatever is wanted and sent, what the text contains is among the candidates, once."""
    index: ContainsIndex[int] = ContainsIndex()
    for number, one in enumerate(wanted):
        index.add(one, number)

    found = list(index.candidates(text))

    assert {number for number, one in enumerate(wanted) if one in text} <= set(found)
    assert len(found) == len(set(found))


def test_among_many_the_first_that_fits_is_found(tmp_path: Path) -> None:
    """The index finds what asking each fixture in its order finds, among all kinds of conditions."""
    folder = tmp_path / "any" / "any"
    folder.mkdir(parents=True)
    matches: list[dict[str, object]] = [{"user": {"contains": f"order {number}"}} for number in range(40)]
    matches += [
        {"user": {"contains": "order"}, "system": "be brief"},
        {"user": "order 7"},
        {"user": "order 7", "chip": "c"},
        {"user": {"regex": "^x"}},
        {},
    ]
    for number, match in enumerate(matches):
        answer = {"match": match, "answer": {"text": str(number)}, "source": "written for the test"}
        (folder / f"{number}.json").write_text(json.dumps(answer), "utf-8")
    asked = ["order 7", "my ORDER 7, please", "Ｏrder 1", "order 39 and order 38", "x order", "nothing", ""]
    requests = [
        ChatRequest("m", "c", [*before, {"role": "user", "content": text}])
        for text in asked
        for before in ([], [{"role": "system", "content": "be brief"}])
    ]
    fixtures = Fixtures([tmp_path])
    assert fixtures.refresh(0.0) == []

    found = [None if (one := fixtures.find(request, "")) is None else one.fixture.name for request in requests]
    views = [RequestView(request, date.min) for request in requests]

    assert found == [next(one.name for one in fixtures if fits(one, view)) for view in views]
    assert len(set(found)) == 5


@given(data=st.data())
@settings(max_examples=60, deadline=None, database=None)
def test_what_comes_and_goes_leaves_no_trace(data: st.DataObject) -> None:
    """An index in which fixtures came, changed and went finds what one does that was made of those that are left."""
    index, left = FixtureIndex(), dict[str, Fixture]()
    for _ in range(data.draw(st.integers(0, 25))):
        name = data.draw(st.sampled_from("abcdefgh"))
        if data.draw(st.booleans()):
            said = data.draw(MATCHES)
            match = checks(Match).validate_python(said)
            left[name] = Fixture(
                name, 0, data.draw(st.sampled_from(["m", "any"])), "any", match.asks(), 0, None, "", "", 0, b""
            )
            index.add(left[name])
        else:
            left.pop(name, None)
            index.remove((0, name))
    fresh = FixtureIndex(left.values())
    views = [RequestView(ChatRequest("m", "c", [{"role": "user", "content": text}]), date.min) for text in TEXTS]
    views += [RequestView(one, date.min) for one in data.draw(st.lists(ASKED, max_size=9))]

    assert list(index) == list(fresh) == sorted(left.values(), key=lambda one: one.rank)
    assert [index.best(view) for view in views] == [
        next((one for one in fresh if fits(one, view)), None) for view in views
    ]
    assert index.looks_at_heads() == any(one.asks.headers or one.asks.query for one in left.values())

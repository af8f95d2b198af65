"""The index of `contains` conditions finds what asking each of them finds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import ChatRequest
from mockserver.sources import fixtures
from mockserver.sources.contains_index import ContainsIndex
from mockserver.sources.fixtures import MANY, Fixtures

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WORDS = st.text(st.sampled_from("ab天 "), min_size=1, max_size=12)


@given(wanted=st.lists(WORDS, max_size=60), text=st.text(st.sampled_from("ab天 "), max_size=60))
@example(wanted=["a"] * 60, text="")
@example(wanted=["abababa"], text="abababa" * 9)
@settings(max_examples=150, deadline=None, database=None)
def test_nothing_that_is_contained_is_missed(wanted: list[str], text: str) -> None:
    """Whatever is wanted and sent, what the text contains is among the candidates, once."""
    found = list(ContainsIndex([(one, number) for number, one in enumerate(wanted)]).candidates(text))

    assert {number for number, one in enumerate(wanted) if one in text} <= set(found)
    assert len(found) == len(set(found))


def test_with_many_the_same_fixture_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most special fixture that fits is found with the index and without it, among other kinds of conditions."""
    folder = tmp_path / "any" / "any"
    folder.mkdir(parents=True)
    matches: list[dict[str, object]] = [{"user": {"contains": f"order {number}"}} for number in range(MANY + 8)]
    matches += [
        {"user": {"contains": "order"}, "system": "be brief"},
        {"user": "order 7"},
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

    def found() -> list[str | None]:
        made = Fixtures([tmp_path])
        assert made.refresh(0.0) == []
        return [None if (one := made.find(request, "")) is None else one.fixture.name for request in requests]

    with_index = found()
    monkeypatch.setattr(fixtures, "MANY", 10**6)

    assert with_index == found()
    assert len(set(with_index)) >= 5

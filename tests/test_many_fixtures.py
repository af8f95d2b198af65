"""Fixtures by the thousand: what each weighs, and what it says when it is asked for late."""

from __future__ import annotations

import gc
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.files.bounded import read_bounded
from mockserver.sources import fixture_file, fixture_index
from mockserver.sources.match import RequestView
from mockserver.sources.match import fits as match_fits
from tests.fixture_helpers import NEW_YEAR_S, found, loaded, request, user, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.sources.fixture_file import Fixture

MANY = 1500


def test_a_fixture_weighs_about_as_much_as_its_file(tmp_path: Path) -> None:
    """What a fixture says stays packed until it is said: a small one takes less than a KiB."""
    write(tmp_path, "0.json", {"user": "a"})
    loaded(tmp_path)  # what is made once, with the first file that is checked
    for number in range(MANY):
        write(tmp_path, f"{number}.json", {"user": f"What is the answer to question {number}?"})
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.json")) / MANY
    tracemalloc.start()
    try:
        fixtures = loaded(tmp_path)
        gc.collect()
        each = tracemalloc.get_traced_memory()[0] / MANY
    finally:
        tracemalloc.stop()

    assert found(fixtures, request(user(f"What is the answer to question {MANY - 1}?"))) == f"{MANY - 1}.json"
    assert each < size + 900


def test_what_was_not_asked_for_lately_is_read_again(tmp_path: Path) -> None:
    """Also where the file is broken by now: what it said before is served on."""
    path = write(tmp_path, "a.json", {"user": "a"}, answer={"text": "said"})
    fixtures = loaded(tmp_path)
    asked = request(user("a"))
    first = fixtures.find(asked, "")
    path.write_text("{", "utf-8")
    reports = fixtures.refresh(NEW_YEAR_S + 1)
    fixture_file._file.cache_clear()
    again = fixtures.find(asked, "")

    assert len(reports) == 1
    assert "what it said before is served on" in reports[0]
    assert first is not None
    assert again is not None
    assert again.said is not first.said
    assert again.said.text == first.said.text == "said"


def test_a_file_is_read_whole_also_where_its_size_is_not_told(tmp_path: Path) -> None:
    """A file that has grown since it was looked at, as those of /proc seem to have, is read to its end."""
    path = tmp_path / "long.json"
    path.write_text(json.dumps("x" * 200_000), "utf-8")

    assert read_bounded(path) == path.read_bytes()
    if Path("/proc/cpuinfo").is_file():
        assert len(read_bounded(Path("/proc/cpuinfo"))) > 0


@pytest.mark.parametrize(
    ("match", "asked"),
    [
        (lambda number: {"body": {"$.seed": number}}, {"seed": 7.0}),
        (lambda number: {"body": {"$.n": 1, "$.user": "７" if number == 7 else str(number)}}, {"n": 1, "user": " 7"}),
        (lambda number: {"query": {"case": str(number)}}, {"query": "case=7"}),
    ],
    ids=["a value", "a value that all others want too", "the query"],
)
def test_of_fixtures_that_want_different_values_few_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, match: Callable[[int], dict[str, Any]], asked: dict[str, Any]
) -> None:
    """However many there are; those that lie by no value of this request cannot fit."""
    for number in range(100):
        write(tmp_path, f"{number}.json", match(number))
    fixtures, query = loaded(tmp_path), asked.pop("query", "")
    looked_at: list[str] = []

    def fits(one: Fixture, view: RequestView) -> bool:
        looked_at.append(one.name)
        return match_fits(one, view)

    monkeypatch.setattr(fixture_index, "fits", fits)

    assert found(fixtures, replace(request(user("a"), **asked), query=query)) == "7.json"
    assert len(looked_at) <= 2

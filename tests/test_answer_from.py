"""Fixture files as scripted answers of a test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mockserver.core.errors import OperatorError
from tests.session_helpers import asked, control, said

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.testing.mock_server import MockServer
    from mockserver.testing.session import Session


class TestFixtureFiles:
    """Fixture files as scripted answers."""

    def test_a_folder(self, session: Session, tmp_path: Path) -> None:
        """Exact texts come before others, a chip's folder counts for that chip, sequences go on."""
        exact = {"match": {"user": "你是谁？"}, "answer": {"text": "exact"}}  # matched after NFKC
        chip = {"match": {"user": {"contains": "谁"}}, "answer": {"text": "chip3's"}}
        turns = {"match": {"user": {"regex": "^count"}}, "answers": [{"text": "one"}, {"text": "two"}], "then": "error"}
        for name, data in {"any/any/a.json": exact, "any/chip3/b.json": chip, "any/any/c.json": turns}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(data), "utf-8")
        session.answer_from(tmp_path)

        assert said(asked(session)) == "exact"
        assert said(asked(session.chip("chip3"), "谁?")) == "chip3's"
        assert said(asked(session, "谁?")) != "chip3's"
        assert [said(asked(session, "count")) for _ in range(2)] == ["one", "two"]
        assert asked(session, "count").status_code == 404

    def test_answers_that_cycle(self, session: Session, tmp_path: Path) -> None:
        """After the last the first comes again; all are used once each has been said."""
        cycle = {"match": {"user": "next"}, "answers": [{"text": "a"}, {"text": "b"}], "then": "cycle"}
        (tmp_path / "a.json").write_text(json.dumps(cycle), "utf-8")
        session.answer_from(tmp_path / "a.json")

        assert said(asked(session, "next")) == "a"
        assert [one["used"] for one in session.unmet] == [1]
        assert [said(asked(session, "next")) for _ in range(4)] == ["b", "a", "b", "a"]
        session.assert_all_used()

    def test_expired_files_of_a_folder(self, session: Session, tmp_path: Path) -> None:
        """They are left out, beside one whose last day is far."""
        for name, text, day in (("a", "old", "2024-02-29"), ("b", "new", "9999-12-31")):
            fixture = {"match": {"user": "which?"}, "answer": {"text": text}, "expires": day}
            (tmp_path / f"{name}.json").write_text(json.dumps(fixture), "utf-8")
        session.answer_from(tmp_path)

        assert said(asked(session, "which?")) == "new"
        assert len(control(session, "GET", "/answers").json()["answers"]) == 1

    def test_another_test_does_not_see_it(self, session: Session, mock: MockServer, tmp_path: Path) -> None:
        """What is scripted here is answered here alone."""
        (tmp_path / "a.json").write_text('{"match": {}, "answer": {"text": "mine"}}', "utf-8")
        session.answer_from(tmp_path / "a.json")

        with mock.session() as other:
            assert said(asked(session)) == "mine"
            assert said(asked(other)) != "mine"

    WRONG: list[tuple[str, str]] = [  # noqa: RUF012 - a table for the test below
        ('{"match": {}}', "give either answer or answers"),
        (
            '{"match": {}, "answer": {"text": "x"}, "expires": "2024-02-29"}',
            "expires: 2024-02-29 is over; it no longer fits any request",
        ),
        (
            '{"request": {}, "response": {"status": 99}}',
            "response.status: 99 is not allowed; allowed: greater than or equal to 200",
        ),
    ]

    @pytest.mark.parametrize(("data", "text"), WRONG, ids=["no answer", "expired", "recording"])
    def test_files_that_cannot_be_scripted(self, session: Session, tmp_path: Path, data: str, text: str) -> None:
        """One line names the file and what is allowed."""
        path = tmp_path / "a.json"
        path.write_text(data, "utf-8")

        with pytest.raises(OperatorError) as wrong:
            session.answer_from(path)

        assert str(wrong.value) == f"{path}: {text}"

    def test_places_without_fixtures(self, session: Session, tmp_path: Path) -> None:
        """A path that is missing, and a folder that holds nothing."""
        for path, text in {
            tmp_path / "nowhere": "no such file or folder",
            tmp_path: (
                "holds no fixture and no recording of a chat; they are *.json with match and answer, or with "
                "request and response"
            ),
        }.items():
            with pytest.raises(OperatorError) as wrong:
                session.answer_from(path)
            assert str(wrong.value) == f"{path}: {text}"

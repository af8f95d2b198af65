"""Fixture files that come, change, break and go while the mock runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mockserver.core.errors import OperatorError
from mockserver.sources.fixtures import Fixtures
from tests.fixture_helpers import DAY_S, NEW_YEAR_S, TWO, found, loaded, request, user, write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_file_answers_without_a_restart(tmp_path: Path) -> None:
    """Files in folders that were not there before are seen too."""
    fixtures = loaded(tmp_path)

    write(tmp_path, "mt/chip3/deep/er/a.json", {"user": "a"})
    fixtures.refresh(NEW_YEAR_S + 1)

    assert found(fixtures, request(user("a"))) == "mt/chip3/deep/er/a.json"


def test_an_edited_file_answers_with_its_new_text(tmp_path: Path) -> None:
    """An edit in place is seen, and its `answers` begin again."""
    path = write(tmp_path, "a.json", {}, answers=TWO)
    fixtures = loaded(tmp_path)
    found(fixtures, request(user("a")))

    write(tmp_path, "a.json", {}, answers=[{"text": "new"}, {"text": "newer"}])
    fixtures.refresh(NEW_YEAR_S + 1)

    assert path.exists()
    assert found(fixtures, request(user("a"))) == "new"


def test_a_removed_file_answers_no_more(tmp_path: Path) -> None:
    """Neither do the files of a folder that was removed."""
    path = write(tmp_path, "mt/chip3/a.json", {})
    fixtures = loaded(tmp_path)

    path.unlink()
    path.parent.rmdir()
    path.parent.parent.rmdir()
    fixtures.refresh(NEW_YEAR_S + 1)

    assert found(fixtures, request(user("a"))) is None


def test_a_file_that_is_put_in_place_of_another_is_seen(tmp_path: Path) -> None:
    """Editors and recorders write beside and rename: size and time may be the old ones."""
    path = write(tmp_path, "a.json", {}, answer={"text": "old"})
    seen = path.stat()
    fixtures = loaded(tmp_path)

    write(tmp_path, ".a.json.part", {}, answer={"text": "new"}).replace(path)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    fixtures.refresh(NEW_YEAR_S + 1)

    assert found(fixtures, request(user("a"))) == "new"


def test_the_disk_is_looked_at_twice_a_second_at_most(tmp_path: Path) -> None:
    """Requests in between see the files as they were; a clock that goes back does not stop the looking."""
    fixtures = loaded(tmp_path)
    write(tmp_path, "a.json", {})

    seen = []
    for now_s in (NEW_YEAR_S + 0.4, NEW_YEAR_S + 0.5):
        fixtures.refresh(now_s)
        seen.append(found(fixtures, request(user("a"))))
    write(tmp_path, "b.json", {}, priority=1)
    fixtures.refresh(NEW_YEAR_S - DAY_S)
    seen.append(found(fixtures, request(user("a"))))

    assert seen == [None, "a.json", "b.json"]


def test_hidden_files_other_endings_and_recordings_are_left_alone(tmp_path: Path) -> None:
    """What an editor or a recorder has not finished is no fixture, and a recording is none of the written form."""
    for name in (".a.json", ".git/a.json", "a.json.part", "README.md"):
        write(tmp_path, name, {})
    (tmp_path / "recorded.json").write_text('{"request": {}, "response": {}}')

    fixtures = loaded(tmp_path)

    assert list(fixtures) == []
    assert fixtures.broken == {}


def test_more_files_than_are_looked_at_in_one_go_are_all_kept_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many files, an edit in place is seen some looks later."""
    monkeypatch.setattr("mockserver.files.watch.FILES_A_LOOK", 2)
    for number in range(7):
        write(tmp_path, f"{number}.json", {"user": str(number)})
    fixtures = loaded(tmp_path)
    fixtures.refresh(NEW_YEAR_S + 1)
    fixtures.refresh(NEW_YEAR_S + 2)

    for number in range(7):
        write(tmp_path, f"{number}.json", {"user": str(number)}, answer={"text": "edited"})
    for look in range(3, 9):
        fixtures.refresh(NEW_YEAR_S + look)

    assert [found(fixtures, request(user(str(number)))) for number in range(7)] == ["edited"] * 7


def test_a_broken_file_is_told_once_and_the_rest_keep_working(tmp_path: Path) -> None:
    """One line at the start, none at the looks after it, another when it is broken anew, none when it is mended."""
    path = write(tmp_path, "mt/broken.json", {"usr": "a"})
    write(tmp_path, "good.json", {"user": "a"})
    fixtures = Fixtures([tmp_path])

    first = fixtures.refresh(NEW_YEAR_S)
    again = fixtures.refresh(NEW_YEAR_S + 1)
    broken = list(fixtures.broken.values())
    path.write_text("{")
    anew = fixtures.refresh(NEW_YEAR_S + 2)
    write(tmp_path, "mt/broken.json", {"user": "b"})
    mended = fixtures.refresh(NEW_YEAR_S + 3)

    assert first == broken == [f"{path}: match.usr: unknown key; did you mean user, query?"]
    assert (again, mended, fixtures.broken) == ([], [], {})
    assert anew == [f"{path}: not a JSON file: EOF while parsing an object at line 1 column 1"]
    assert [found(fixtures, request(user(text))) for text in "ab"] == ["good.json", "mt/broken.json"]


def test_a_file_that_breaks_says_what_it_said(tmp_path: Path) -> None:
    """An editor may be half through with it, so it answers as before, and the log says so."""
    path = write(tmp_path, "a.json", {})
    fixtures = loaded(tmp_path)

    path.write_text("{")
    told = fixtures.refresh(NEW_YEAR_S + 1)

    assert found(fixtures, request(user("a"))) == "a.json"
    assert [line.endswith("; what it said before is served on") for line in told] == [True]


@pytest.mark.skipif(os.name == "nt", reason="a file's rights are others there")
def test_a_file_that_may_be_read_again_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edited where it may not be read, it says what it said; once it may be read, what it says now."""
    path = write(tmp_path, "a.json", {}, answer={"text": "old"})
    fixtures = loaded(tmp_path)
    write(tmp_path, "a.json", {}, answer={"text": "newer"})
    path.chmod(0o200)
    with monkeypatch.context() as denied:  # as for everybody but root
        denied.setattr("mockserver.sources.fixture_file.read_bounded", _not_allowed)
        told = fixtures.refresh(NEW_YEAR_S + 1)
        assert found(fixtures, request(user("a"))) == "old"

    path.chmod(0o600)
    assert fixtures.refresh(NEW_YEAR_S + 2) == []

    assert [line.partition(": ")[2] for line in told] == ["Permission denied; what it said before is served on"]
    assert found(fixtures, request(user("a"))) == "newer"


def _not_allowed(path: Path) -> bytes:
    raise OperatorError(f"{path}: Permission denied")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("leads_to", ["itself.json", "nowhere.json", "/dev/null"])
@pytest.mark.parametrize("when", ["at the start", "later"])
def test_a_link_that_leads_to_no_file_is_passed_over(tmp_path: Path, when: str, leads_to: str) -> None:
    """A link in a circle, for one, whose file the system will not even look for."""
    write(tmp_path, "good.json", {})
    early = loaded(tmp_path) if when == "later" else None
    (tmp_path / "itself.json").symlink_to(leads_to)

    fixtures = early or loaded(tmp_path)

    assert fixtures.refresh(NEW_YEAR_S + 1) == []
    assert found(fixtures, request(user("a"))) == "good.json"
    assert not fixtures.broken


def test_a_root_that_is_missing_is_a_mistake_of_the_operator(tmp_path: Path) -> None:
    """A mistyped folder does not pass for an empty one."""
    with pytest.raises(OperatorError) as raised:
        Fixtures([tmp_path / "typo"])

    assert str(raised.value) == f"{tmp_path / 'typo'}: no such folder; fixtures lie in <model>/<chip>/ below it"

"""Fixture files as scripted answers: what they say goes to one namespace alone, and the files' folder serves nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import OperatorError
from mockserver.files.bounded import read_bounded
from mockserver.sources.fixture_file import Fixture, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path


def scripted(paths: Sequence[Path], today: date) -> Iterator[dict[str, Any]]:
    """Bodies for `POST /_mock/answers`, in the order in which they are tried.

    Args:
        paths: Fixture files, and folders that hold `<model>/<chip>/…json`; whatever fits in one goes before the next.
        today: What is expired on this day is left out.

    Raises:
        OperatorError: a path is missing or holds no fixture, or all that it holds are expired.
    """
    for path in paths:
        if path.is_file():
            files = [(path, _one(path))]
        elif path.is_dir():
            files = sorted(_below(path), key=lambda one: one[1].rank)
        else:
            raise OperatorError(f"{path}: no such file or folder")
        if not files:
            raise OperatorError(f"{path}: holds no fixture; fixtures are *.json with match and answer")
        expired = [(file, note) for file, fixture in files if (note := fixture.file.expiry(today))]
        if len(expired) == len(files):
            raise OperatorError("; ".join(f"{file}: {note}" for file, note in expired))
        for file, fixture in files:
            if not fixture.file.is_expired(today):
                yield _body(file, fixture)


def _one(path: Path) -> Fixture:
    """A file named by itself: its folder says nothing of model and chip."""
    found = read(path.parent, path.name)
    if found is None:
        raise OperatorError(f"{path}: is a recording; allowed here: a fixture with match and answer")
    return found


def _below(root: Path) -> list[tuple[Path, Fixture]]:
    found = ((path, read(root, path.relative_to(root).as_posix())) for path in sorted(root.rglob("*.json")))
    return [(path, fixture) for path, fixture in found if fixture is not None]


def _body(path: Path, fixture: Fixture) -> dict[str, Any]:
    data = json.loads(read_bounded(path).decode("utf-8-sig"))
    match = {**data["match"], "model": fixture.model, "chip": fixture.chip}
    if "answer" in data:
        return {"answer": data["answer"], "match": match, "times": None}
    return {"answers": data["answers"], "then": fixture.file.then, "match": match}

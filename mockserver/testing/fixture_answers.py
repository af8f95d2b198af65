"""Files as scripted answers: what they say goes to one namespace alone, and the files' folder serves nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import OperatorError
from mockserver.files.bounded import read_bounded
from mockserver.files.exchange_file import read_if_exchange
from mockserver.sources.fixture_file import Fixture, read
from mockserver.sources.recording_file import recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from mockserver.core.exchange import ChatRequest

Body = tuple["Path", dict[str, Any]]


def scripted(path: Path, today: date) -> Iterator[Body]:
    """Bodies for `POST /_mock/answers`, in the order in which they are tried, each with its file.

    Args:
        path: A fixture file, or a folder that holds `<model>/<chip>/…json`; its fixtures go before its recordings.
        today: What is expired on this day is left out.

    Raises:
        OperatorError: the path is missing or holds neither, or all that it holds are expired.
    """
    recorded: list[Body] = []
    if path.is_file():
        found = read(path.parent, path.name)  # a file named by itself: its folder says nothing of model and chip
        files = [] if found is None else [(path, found)]
    elif path.is_dir():
        names = sorted(path.rglob("*.json"))
        read_all = [(one, read(path, one.relative_to(path).as_posix())) for one in names]
        files = sorted(
            ((one, fixture) for one, fixture in read_all if fixture is not None), key=lambda one: one[1].rank
        )
        recorded = [body for one, fixture in read_all if fixture is None and (body := _recorded(one)) is not None]
    else:
        raise OperatorError(f"{path}: no such file or folder")
    if not files and not recorded:
        raise OperatorError(
            f"{path}: holds no fixture and no recording of a chat; they are *.json with match and answer, or with "
            "request and response"
        )
    expired = [(file, note) for file, fixture in files if (note := fixture.expiry(today))]
    if expired and len(expired) == len(files) and not recorded:
        raise OperatorError("; ".join(f"{file}: {note}" for file, note in expired))
    for file, fixture in files:
        if not fixture.is_expired(today):
            yield file, _body(file, fixture)
    yield from recorded


def _recorded(path: Path) -> Body | None:
    """A recording, for the dialogue that was recorded; None where its request was no chat."""
    file = read_if_exchange(path)
    one = recording(path, file) if file is not None else None
    if one is None:
        return None
    document = json.loads(path.read_bytes().decode("utf-8-sig"))
    return path, {"response": document["response"], "match": _match(one.request), "times": None}


def _match(asked: ChatRequest) -> dict[str, Any]:
    """What a request must hold to be the one that was recorded."""
    from mockserver.core.exchange import texts_of

    turns = [{"role": one.get("role", "user"), "content": "".join(texts_of(one))} for one in asked.messages]
    named = {"model": asked.model, "chip": asked.chip}
    return {
        **{name: value for name, value in named.items() if value},
        "stream": asked.stream,
        **({"messages": turns} if turns else {}),
    }


def _body(path: Path, fixture: Fixture) -> dict[str, Any]:
    data = json.loads(read_bounded(path).decode("utf-8-sig"))
    match = {**data["match"], "model": fixture.model, "chip": fixture.chip}
    if "answer" in data:
        return {"answer": data["answer"], "match": match, "times": None}
    return {"answers": data["answers"], "then": fixture.file.then, "match": match}

"""Stubs of other mocks as fixtures in the written form: what they ask and answer, as far as it means something here.

What a stub says and a fixture cannot say is told, line by line. Where a condition is left out the fixture fits more; a
stub that would then ask nothing at all is left out as a whole, since it would answer everything.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.files.bounded import read_bounded, without_byte_order_mark
from mockserver.files.secrets import Redactor
from mockserver.recording.formats import aimock, wiremock
from mockserver.recording.store import folder_name
from mockserver.sources import fixture_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mockserver.files.secrets import Scrubbing
    from mockserver.recording.formats.stub import Stub

_WORD: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME: Final = 60
FIRST_WINS: Final = "aimock"
"""Whose stubs count in the order of their file."""
KINDS: Final = {"aimock": (aimock.fits, aimock.stubs), "WireMock": (wiremock.fits, wiremock.stubs)}
"""Whose stubs are read: whether a JSON value holds some, and which."""


def stubs_in(source: Path) -> list[tuple[Path, str, list[Stub]]]:
    """Each file of stubs at a path, with whose they are; none for a path that holds no stubs.

    Raises:
        OperatorError: a file cannot be read.
    """
    paths = sorted(source.rglob("*.json")) if source.is_dir() else [source]
    found = []
    for path in paths:
        if path.suffix.lower() != ".json":
            continue
        try:
            value: Any = json.loads(without_byte_order_mark(read_bounded(path)))
        except (ValueError, RecursionError):
            continue  # it is none of these, and whoever reads it next says what is wrong with it
        kind = next((name for name, (fits, _) in KINDS.items() if fits(value)), None)
        if kind is not None:
            found.append((path, kind, list(KINDS[kind][1](value))))
    return found


def convert(
    found: list[tuple[Path, str, list[Stub]]], target: Path, scrubbing: Scrubbing, tell: Callable[[str], None]
) -> list[Path]:
    """Write stubs as fixtures into a folder; returns the files that were written.

    What is there is not overwritten. What looks like a key is masked.

    Args:
        found: As `stubs_in` gives them.
        target: The folder.
        scrubbing: What is masked besides.
        tell: Told in one line each what a file was taken for, and what of it is left out.

    Raises:
        OperatorError: the target is no folder, or cannot be written.
    """
    if target.suffix and not target.is_dir():
        raise OperatorError(f"{target}: stubs become fixtures, one a file; give a folder")
    redactor, made = Redactor(scrubbing=scrubbing), []
    for path, kind, stubs in found:
        tell(f"{path}: taken for stubs of {kind}")
        fixtures = list(_fixtures(stubs))
        for number, (stub, fixture) in enumerate(fixtures):
            if kind == FIRST_WINS and len(fixtures) > 1:
                fixture["priority"] = len(fixtures) - number
            for line in stub.left_out:
                tell(f"{path}: {stub.place}: left out: {line}")
            why = stub.useless or wrong(fixture)
            if why:
                tell(f"{path}: {stub.place}: no fixture: {why}")
                continue
            fixture["source"] = f"{kind}, {path.name}, {stub.place}"
            text = json.dumps(fixture, ensure_ascii=False, indent=2) + "\n"
            place = _free(target / folder_name(stub.model) / folder_name(stub.chip), stub.title or "stub")
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, redactor.masked(text.encode("utf-8", "backslashreplace")))
            made.append(place)
    if not made:
        raise OperatorError(f"{found[0][0]}: none of its stubs can be a fixture")
    return made


def _fixtures(stubs: list[Stub]) -> Iterator[tuple[Stub, dict[str, Any]]]:
    """Stubs with the fixtures that they make; those that answer one call after the other make one."""
    groups: dict[str, list[Stub]] = {}
    for number, stub in enumerate(stubs):
        same = json.dumps([stub.model, stub.chip, stub.match, stub.more], sort_keys=True)
        groups.setdefault(same if stub.turn is not None else f"{number}", []).append(stub)
    for group in groups.values():
        turns = sorted(group, key=lambda one: one.turn or 0)
        first = turns[0]
        for one in turns[1:]:
            first.left_out += one.left_out
        answers = [one.answer for one in turns]
        said = {"answer": answers[0]} if len(answers) == 1 else {"answers": answers}
        if first.turn is not None and [one.turn for one in turns] != list(range(len(turns))):
            first.leave_out("match.sequenceIndex", "calls are counted from the first one that is there")
        yield first, {"match": first.match, **said, **first.more}


def wrong(fixture: dict[str, Any]) -> str:
    """Why a fixture is none; empty where it is good."""
    if not fixture["match"].keys() - {"model", "chip"}:
        return "nothing is left that it asks, so it would answer everything"
    try:
        fixture_file.parse(json.dumps(fixture).encode(), "it")
    except OperatorError as error:
        return str(error).removeprefix("it: ")
    return ""


def _free(folder: Path, title: str) -> Path:
    """A path that is not taken."""
    stem = _WORD.sub("-", title.lower())[:_LONGEST_NAME].strip("-") or "stub"
    number = 1
    while True:
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        if not path.exists():
            return path
        number += 1

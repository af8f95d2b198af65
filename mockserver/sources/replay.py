"""The fixture source: answers from files, matched on the request.

A fixture in the answer form is one JSON object: `match` (what the request must hold) and `answer` (what is said).
Files lie in `<model>/<chip>/…json`; a folder named `any` stands for every model or chip.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from mockserver.errors import OperatorError
from mockserver.exchange import Answer, Usage
from mockserver.profile import Data, checked
from mockserver.sources import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mockserver.exchange import ChatRequest

ANY = "any"


class Match(Data):
    """What a request must hold; every key that is given must fit."""

    user: str | None = None
    """The last user message, compared after NFKC, so `？` and `?` are alike."""
    system: str | None = None
    """The first system message; absent means that it does not matter."""
    stream: bool | None = None


class FixtureUsage(Data):
    """Tokens where they are known; else they are counted."""

    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=1)


class FixtureAnswer(Data):
    """What is said: `text`, or `pieces` where the cuts are known."""

    text: str | None = None
    pieces: tuple[str, ...] | None = None
    finish_reason: str = "stop"
    usage: FixtureUsage | None = None
    id: str | None = None
    created: int | None = None

    @model_validator(mode="after")
    def _one_of(self) -> FixtureAnswer:
        if (self.text is None) == (self.pieces is None):
            raise ValueError("answer: give either text or pieces")
        return self


class FixtureFile(Data):
    """One file in the answer form."""

    match: Match
    answer: FixtureAnswer
    source: str = ""
    """Where the answer is from, for people."""


@dataclass(frozen=True, slots=True)
class Fixture:
    """A file and where it applies."""

    path: Path
    model: str
    chip: str
    file: FixtureFile

    def rank(self) -> tuple[int, ...]:
        """How special it is: more conditions come first, a named model and chip before `any`."""
        match = self.file.match
        return (
            sum(value is not None for value in (match.user, match.system, match.stream)),
            self.model != ANY,
            self.chip != ANY,
        )


def normal(text: str) -> str:
    """Text as it is compared: NFKC, without white space around it."""
    return unicodedata.normalize("NFKC", text).strip()


def load(root: Path) -> list[Fixture]:
    """All fixtures below a folder; raises OperatorError for the first broken one."""
    found = []
    for path in sorted(root.rglob("*.json")):
        parts = path.relative_to(root).parts
        if len(parts) < 3:
            raise OperatorError(f"{path}: a fixture lies in <model>/<chip>/ (either may be {ANY!r}) below {root}")
        found.append(Fixture(path, parts[0], parts[1], read(path)))
    return found


def read(path: Path) -> FixtureFile:
    """One fixture file; raises OperatorError with file and key."""
    try:
        data: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OperatorError(f"{path}: not a JSON file: {error}") from None
    return checked(data, FixtureFile, path)


class Fixtures:
    """Fixtures indexed by the last user message."""

    def __init__(self, fixtures: Iterable[Fixture]) -> None:
        self._by_user: dict[str | None, list[Fixture]] = {}
        for fixture in sorted(fixtures, key=Fixture.rank, reverse=True):
            user = fixture.file.match.user
            self._by_user.setdefault(None if user is None else normal(user), []).append(fixture)

    def find(self, request: ChatRequest) -> Fixture | None:
        """The most special fixture that fits."""
        said = last_text(request.messages, "user")
        for key in (None if said is None else normal(said), None):
            for fixture in self._by_user.get(key, ()):
                if fits(fixture, request):
                    return fixture
        return None


def fits(fixture: Fixture, request: ChatRequest) -> bool:
    """Whether model, chip, system message and stream fit; the user message was the index's key."""
    match = fixture.file.match
    if fixture.model not in {ANY, request.model} or fixture.chip not in {ANY, request.chip}:
        return False
    if match.stream is not None and match.stream != request.stream:
        return False
    if match.system is None:
        return True
    system = first_text(request.messages, "system")
    return system is not None and normal(system) == normal(match.system)


def last_text(messages: Sequence[Any], role: str) -> str | None:
    """The text of the last message with this role."""
    return first_text(messages[::-1], role)


def first_text(messages: Sequence[Any], role: str) -> str | None:
    """The text of the first message with this role."""
    for message in messages:
        if message.get("role", "user") == role:
            return "".join(tokens.texts(message))
    return None


def answer_of(fixture: Fixture, prompt_tokens: int) -> Answer:
    """The fixture's answer; tokens are counted where the file has no figures."""
    said = fixture.file.answer
    pieces = said.pieces if said.pieces is not None else tokens.pieces(said.text or "")
    if said.usage:
        usage = Usage(said.usage.prompt_tokens, said.usage.completion_tokens)
    else:
        usage = Usage(prompt_tokens, len(pieces) + 1)
    return Answer(
        pieces, usage, said.finish_reason, id=said.id, created=said.created, source=f"fixture:{fixture.path.name}"
    )

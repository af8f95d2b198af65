"""The written form of a fixture file, and reading it.

A fixture is one JSON object in a file of its own: `match` (what the request must hold) and `answer` (what is said), or
`answers` for one call after the other. It lies in `<model>/<chip>/…json`, or higher up: a folder that is missing, or
is named `any`, stands for every model or chip. A file in the recorded form (`request`, `response`) may lie there too.
"""

from __future__ import annotations

import os
from datetime import date
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic_core import from_json

from mockserver.core.data import ANY, shipped
from mockserver.core.errors import OperatorError
from mockserver.core.field_rules import Rule, exactly_one
from mockserver.core.fitting import plainly
from mockserver.core.immutable import immutable
from mockserver.core.strict_json import repeated_key
from mockserver.core.written import Reads, Written, key, trusted
from mockserver.files.bounded import decoded, read_bounded, without_byte_order_mark
from mockserver.sources.condition import (
    CONDITIONS,
    Condition,
    Same,
    Steps,
    head_condition,
    shown,
    steps,
    text_condition,
    value_condition,
)
from mockserver.sources.fixture_answer import FixtureAnswer, doubt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_CONTAINS = {"type": "string", "minLength": 1, "description": "A part of the text, compared after NFKC."}
_REGEX = {"type": "string", "format": "regex", "description": "A regular expression (RE2) that is found in the text."}
_EXISTS = {"type": "boolean", "description": "Whether the path leads to a value; null is one."}


def _one_key(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}


_TEXT_SCHEMA = {"anyOf": [{"type": "string"}, _one_key("contains", _CONTAINS), _one_key("regex", _REGEX)]}
_BODY_SCHEMA = {
    "type": "object",
    "propertyNames": {"pattern": r"^\$(\.[^.\[\]]+|\[-?[0-9]{1,9}\])*$"},
    "additionalProperties": {
        "anyOf": [
            _one_key("contains", _CONTAINS),
            _one_key("regex", _REGEX),
            _one_key("exists", _EXISTS),
            {"type": ["null", "boolean", "number", "string", "array"]},
            {"type": "object", "propertyNames": {"not": {"enum": list(CONDITIONS)}}},
            {"type": "object", "minProperties": 2},
        ]
    },
}

BodyConditions = tuple[tuple[str, Steps, Condition], ...]


def _body_conditions(value: object) -> BodyConditions:
    if not isinstance(value, dict):
        raise ValueError(f'{shown(value)} is not allowed; allowed: an object of paths, like {{"$.temperature": 0.7}}')  # noqa: TRY004 - for pydantic
    return tuple((path, steps(path), value_condition(wanted)) for path, wanted in value.items())


HeadConditions = tuple[tuple[str, Condition], ...]


def _head_conditions(value: object) -> HeadConditions:
    if not isinstance(value, dict):
        raise ValueError(f'{shown(value)} is not allowed; allowed: an object of names, like {{"x-team": "blue"}}')  # noqa: TRY004 - for pydantic
    return tuple((name, head_condition(wanted)) for name, wanted in value.items())


_HEAD_SCHEMA = {
    "type": "object",
    "additionalProperties": {"anyOf": [*_TEXT_SCHEMA["anyOf"], _one_key("exists", _EXISTS)]},
}
HeadValues = Annotated[HeadConditions, Reads(_head_conditions, _HEAD_SCHEMA)]
TextCondition = Annotated[Condition, Reads(text_condition, _TEXT_SCHEMA)]


@immutable(frozen=True, kw_only=True)
class Turn(Written):
    """One message of a whole dialogue."""

    role: str
    """Who speaks: system, user, assistant or tool."""
    content: TextCondition | None = None
    """The message's text, {"contains": …} or {"regex": …}; absent means any."""


@immutable(frozen=True, kw_only=True)
class Match(Written):
    """What a request must hold; every key that is given must fit, and no key fits every request."""

    user: TextCondition | None = None
    """The last user message, {"contains": …} or {"regex": …}; compared after NFKC, so `？` and `?` are alike."""
    system: TextCondition | None = None
    """The first system message, in the same forms; absent means that it does not matter."""
    messages: tuple[Turn, ...] | None = key(default=None, min_length=1)
    """The whole dialogue, message by message."""
    body: Annotated[BodyConditions, Reads(_body_conditions, _BODY_SCHEMA)] = key(
        default=(), json_schema_extra={"default": {}}
    )
    """Paths into the body, like $.tools[0].type: a value, {"contains": …}, {"regex": …} or {"exists": true}."""
    headers: HeadValues = key(default=(), json_schema_extra={"default": {}})
    """Request headers by name: a text, {"contains": …}, {"regex": …} or {"exists": true}; credentials are not seen."""
    query: HeadValues = key(default=(), json_schema_extra={"default": {}})
    """Parameters of the query by name, in the same forms; of equal names the last."""
    stream: bool | None = None
    """Whether a stream is asked for; absent means either."""
    model: str | None = None
    """The model that answers, instead of the folder's name; "any" for every one."""
    chip: str | None = None
    """The chip of the path, instead of the folder's name; "any" for every one."""

    def asks(self) -> Asked:
        """What it asks for beyond model and chip."""
        return Asked(self.user, self.system, self.messages, self.body, self.headers, self.query, self.stream)


@immutable(frozen=True, slots=True)
class Asked:
    """What a match asks for beyond model and chip, for as many fixtures as there are: a fifth of what a model weighs.

    Attributes:
        user: What the last user message must be; None for anything, here and below.
        system: The same of the first system message.
        messages: The same of the whole dialogue.
        body: Paths into the body, and what lies there.
        headers: Request headers by name.
        query: Parameters of the query by name.
        stream: Whether a stream is asked for.
    """

    user: Condition | None
    system: Condition | None
    messages: tuple[Turn, ...] | None
    body: BodyConditions
    headers: HeadConditions
    query: HeadConditions
    stream: bool | None

    @property
    def conditions(self) -> int:
        """How many things it asks for; each message of a dialogue and each path is one."""
        given = sum(value is not None for value in (self.user, self.system, self.stream))
        return given + len(self.messages or ()) + len(self.body) + len(self.headers) + len(self.query)

    @property
    def said(self) -> Condition | None:
        """What it asks of the last user message, whether by `user` or within `messages`."""
        if self.user is not None:
            return self.user
        return next((turn.content for turn in reversed(self.messages or ()) if turn.role == "user"), None)


KEPT_FILES: Final = 2048
"""Fixtures of which all is kept as it was read: about 5 MiB, where they are small."""
Then = Literal["repeat", "cycle", "error"]
"""After the last of some answers: the last one again, the first one again, or an error."""


def said_at(call: int, answers: Sequence[FixtureAnswer], then: Then) -> FixtureAnswer | None:
    """Which of some answers (at least one) is said at a call, counted from 0; None where they are used up."""
    if call < len(answers):
        return answers[call]
    return {"repeat": answers[-1], "cycle": answers[call % len(answers)], "error": None}[then]


@immutable(frozen=True, kw_only=True)
class FixtureFile(Written):
    """A written fixture: what a request must hold, and what is answered."""

    field_rules: ClassVar[tuple[Rule, ...]] = (exactly_one("answer", "answers", "give either answer or answers"),)

    schema_: str = key(default="", alias="$schema")
    """Where an editor finds this schema."""
    match: Match
    """What the request must hold."""
    answer: FixtureAnswer | None = None
    """What is said."""
    answers: tuple[FixtureAnswer, ...] | None = key(default=None, min_length=1)
    """What is said at the first call, the second and so on, counted for each namespace."""
    then: Then = "repeat"
    """After the last of `answers`: the last one again, the first one again, or an error."""
    priority: int = 0
    """Of several fixtures that fit, those with a higher number come first."""
    expires: date | None = None
    """The last day (YYYY-MM-DD, UTC) on which it fits."""
    source: str = ""
    """Where the answer is from, for people."""

    @property
    def doubts(self) -> str:
        """What looks like a slip in what is said; empty for nothing."""
        return "; ".join(filter(None, map(doubt, self.answers or filter(None, [self.answer]))))

    def said(self, call: int) -> FixtureAnswer | None:
        """What is said at a call, counted from 0; None where the answers are used up."""
        if self.answer is not None:
            return self.answer
        return said_at(call, self.answers or (), self.then)


@immutable(frozen=True, slots=True)
class Fixture:
    """A written fixture: where it applies and what it asks for. What it says is read when it is said.

    Attributes:
        name: Its path below the root, with `/`.
        root: The number of its root; 0 is the most important.
        model: The model that it is for, or ANY.
        chip: The chip that it is for, or ANY.
        asks: What a request must hold beyond that.
        priority: See `FixtureFile`.
        expires: See `FixtureFile`.
        doubts: What looks like a slip in what is said; empty for nothing.
        top: The path of its root.
        digest: Of the file's bytes, which were checked.
        data: These bytes, where they are kept; None where they are read again when they are asked for.
    """

    name: str
    root: int
    model: str
    chip: str
    asks: Asked
    priority: int
    expires: date | None
    doubts: str
    top: str
    digest: int
    data: bytes | None

    @property
    def file(self) -> FixtureFile:
        """What it holds; the last `KEPT_FILES` that were asked for are kept.

        Raises:
            OperatorError: what it holds must be read again, and the file went or holds something else by now.
        """
        return _file(f"{self.top}{self.name}", self.digest, self.data)

    def is_expired(self, today: date) -> bool:
        """Whether the last day is over."""
        return self.expires is not None and self.expires < today

    def expiry(self, today: date) -> str:
        """What is to be said of a fixture that is expired; empty where it is not."""
        return f"expires: {self.expires} is over; it no longer fits any request" if self.is_expired(today) else ""

    @property
    def rank(self) -> tuple[int | bool | str, ...]:
        """The smallest goes first: by root, priority, conditions, named model, named chip, exact text, path."""
        asks = self.asks
        exact = isinstance(asks.said, Same)
        return (
            self.root, -self.priority, -asks.conditions, self.model == ANY, self.chip == ANY, not exact, self.name
        )  # fmt: skip


@lru_cache(maxsize=KEPT_FILES)
def _file(path: str, digest: int, data: bytes | None) -> FixtureFile:
    if data is None:
        data = read_bounded(path)
    if hash(data) != digest:
        raise OperatorError(f"{path}: changed since it was read")
    return _checked_before(data)


def _checked_before(data: bytes) -> FixtureFile:
    return trusted(FixtureFile, from_json(without_byte_order_mark(data)))


def read(root: Path | str, name: str, number: int = 0, *, keep: bool = True) -> Fixture | None:
    """The fixture in a file; None for the recorded form.

    Args:
        root: A folder of fixtures.
        name: The file's path below it, with `/`.
        number: The number of the root.
        keep: Whether its bytes are kept.

    Raises:
        OperatorError: the file cannot be read or is no fixture; the text names file, key and what is allowed.
    """
    top = intern(os.path.join(root, "").removeprefix("./"))  # noqa: PTH118 - a Path keeps each of its parts for ever
    path = f"{top}{name}"
    data = read_bounded(path)
    file = parse(data, path, ours=str(root) == str(shipped("fixtures")))
    if file is None:
        return None
    model, chip, *_ = map(intern, [*name.split("/")[:-1], ANY, ANY])
    model, chip = file.match.model or model, file.match.chip or chip
    return Fixture(
        name, number, model, chip, file.match.asks(), file.priority, file.expires, file.doubts,
        top, hash(data), data if keep else None,
    )  # fmt: skip


def parse(data: bytes, where: Path | str, *, ours: bool = False) -> FixtureFile | None:
    """The bytes of a file as a fixture; None for the recorded form, OperatorError for what is neither.

    For `ours`, which are shipped, no start waits for pydantic.
    """
    data = without_byte_order_mark(data)
    try:
        value = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        decoded(data, where)  # which tells of what is no text
        raise OperatorError(f"{where}: not a JSON file: {error}") from None
    if isinstance(value, dict) and "response" in value:
        return None
    if not isinstance(value, dict):
        raise OperatorError(f"{where}: {shown(value)} is not allowed; allowed: an object with match and answer")
    if twice := repeated_key(data):
        raise OperatorError(f"{where}: {twice}: this key is there twice; keep one")
    if ours and (plain := plainly(FixtureFile, value)) is not None:
        return plain
    from pydantic import ValidationError

    from mockserver.core.checking import strictly
    from mockserver.files.checked import explain

    try:
        return strictly(FixtureFile, data, value)
    except ValidationError as wrong:
        raise OperatorError(f"{where}: {explain(wrong, FixtureFile)}") from None


def fixture_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a fixture file in the written form, with a description of every key."""
    from mockserver.core.checking import checks
    from mockserver.sources.described import with_sentences

    schema = checks(FixtureFile).json_schema(by_alias=True)
    with_sentences(schema, Written.__subclasses__())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A fixture of genstudio-mock",
    }

"""Whether a fixture fits a request, and if not, by how little it misses.

There is one description of fitting: `differences`, which is empty where the fixture fits.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs

from mockserver.core.data import ANY
from mockserver.core.exchange import text_of
from mockserver.files.kept_headers import SECRET_NAMES
from mockserver.sources.condition import MISSING, Missing, Text, normal, shown, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date
    from typing import Any

    from mockserver.core.exchange import ChatRequest
    from mockserver.sources.condition import Steps
    from mockserver.sources.fixture_file import Asked, Fixture, Match, Turn

COMPARED_FIXTURES: Final = 2000
"""So many fixtures, the most special first, are looked at for near misses."""
COMPARED_CHARACTERS: Final = 200
"""So many characters of two texts are compared for likeness."""
SHOWN_DIFFERENCES: Final = 5


def first_text(messages: Iterable[Mapping[str, Any]], role: str) -> str | None:
    """The text of the first message with this role; a message without a role is the user's."""
    for message in messages:
        if message.get("role", "user") == role:
            return text_of(message)
    return None


class RequestView:
    """A request as fixtures look at it; each text is normalised once.

    Attributes:
        request: The request.
        today: For `expires`.
        user: The last user message.
    """

    __slots__ = ("_system", "_turns", "_values", "request", "today", "user")

    def __init__(self, request: ChatRequest, today: date) -> None:
        self.request = request
        self.today = today
        self.user: Text | None = None
        for message in reversed(request.messages):
            if message.get("role", "user") == "user":
                self.user = Text(text_of(message))
                break
        self._values: dict[Steps, object] | None = None
        self._system: Text | Missing | None = (
            None  # made once: a lock around each, as `cached_property` has, costs more
        )
        self._turns: list[tuple[str, Text]] | None = None

    @property
    def system(self) -> Text | None:
        """The first system message."""
        if self._system is None:
            text = first_text(self.request.messages, "system")
            self._system = MISSING if text is None else Text(text)
        return None if isinstance(self._system, Missing) else self._system

    @property
    def turns(self) -> list[tuple[str, Text]]:
        """Role and text of every message."""
        if self._turns is None:
            self._turns = [(one.get("role", "user"), Text(text_of(one))) for one in self.request.messages]
        return self._turns

    def header(self, name: str) -> Text | Missing:
        """A request header; a credential counts as none, so that no message holds it."""
        value = self.request.headers.get(name.lower().encode("latin-1", "replace"))
        if value is None or SECRET_NAMES.search(name):
            return MISSING
        return Text(value.decode("utf-8", "replace"))

    def parameter(self, name: str) -> Text | Missing:
        """A parameter of the query; a credential counts as none."""
        values = parse_qs(self.request.query, keep_blank_values=True).get(name)
        return MISSING if values is None or SECRET_NAMES.search(name) else Text(values[-1])

    def at(self, path: Steps) -> object:
        """Where a path into the body leads, as `value_at` says."""
        if self._values is None:
            self._values = {}
        if path not in self._values:
            self._values[path] = value_at(self.request.body, path)
        return self._values[path]


class Shown(NamedTuple):
    """A value that is written as text only where somebody reads it."""

    value: object

    def __str__(self) -> str:
        return shown(self.value)


class Difference(NamedTuple):
    """One thing in which a request is not what a fixture asks for; `str` of each part is for people."""

    field: str
    expected: object
    got: object

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, got {self.got}"


class NearMiss(NamedTuple):
    """A fixture that does not fit, and why."""

    fixture: Fixture
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        told = [str(one) for one in self.differences[:SHOWN_DIFFERENCES]]
        if len(self.differences) > SHOWN_DIFFERENCES:
            told.append(f"and {len(self.differences) - SHOWN_DIFFERENCES} more")
        return f"{self.fixture.name}: {'; '.join(told)}"


def fits(fixture: Fixture, view: RequestView) -> bool:
    """Whether everything that the fixture asks for is there; what is seen at once is looked at first."""
    request, stream = view.request, fixture.asks.stream
    if stream is not None and stream != request.stream:
        return False
    if fixture.model not in (ANY, request.model) or fixture.chip not in (ANY, request.chip):
        return False
    if fixture.is_expired(view.today):
        return False
    for _ in match_differences(fixture.asks, view):
        return False
    return True


def differences(fixture: Fixture, view: RequestView) -> Iterator[Difference]:
    """What keeps the fixture from fitting, one after the other."""
    request = view.request
    if fixture.model not in {ANY, request.model}:
        yield Difference("model", Shown(fixture.model), Shown(request.model))
    if fixture.chip not in {ANY, request.chip}:
        yield Difference("chip", Shown(fixture.chip), Shown(request.chip))
    yield from match_differences(fixture.asks, view)
    if fixture.is_expired(view.today):
        yield Difference("expires", f"a day up to {fixture.expires}", view.today)


def match_differences(match: Match | Asked, view: RequestView) -> Iterator[Difference]:
    """What in a request is not what a match asks for beyond model and chip."""
    wanted = match.user
    if wanted is not None and not ((text := view.user) is not None and wanted.fits(text)):
        yield Difference("user", wanted, Shown(MISSING if text is None else text))
    wanted = match.system
    if wanted is not None and not ((text := view.system) is not None and wanted.fits(text)):
        yield Difference("system", wanted, Shown(MISSING if text is None else text))
    if match.messages is not None:
        yield from _turn_differences(match.messages, view.turns)
    if match.headers or match.query:
        for what, conditions in (("headers", match.headers), ("query", match.query)):
            for name, wanted in conditions:
                seen = view.header(name) if what == "headers" else view.parameter(name)
                if not wanted.fits(seen):
                    yield Difference(f"{what}.{name}", wanted, Shown(seen))
    for path, steps, wanted in match.body:
        value = view.at(steps)
        if not wanted.fits(value):
            yield Difference(path, wanted, Shown(value))
    if match.stream is not None and match.stream != view.request.stream:
        yield Difference("stream", Shown(match.stream), Shown(view.request.stream))


def _turn_differences(wanted: tuple[Turn, ...], turns: list[tuple[str, Text]]) -> Iterator[Difference]:
    if len(wanted) != len(turns):
        yield Difference("messages", _counted(len(wanted)), _counted(len(turns)))
        return
    for number, (turn, (role, text)) in enumerate(zip(wanted, turns, strict=True)):
        if turn.role != role:
            yield Difference(f"messages[{number}].role", Shown(turn.role), Shown(role))
        if turn.content is not None and not turn.content.fits(text):
            yield Difference(f"messages[{number}].content", turn.content, Shown(text))


def _counted(messages: int) -> str:
    return f"{messages} message" if messages == 1 else f"{messages} messages"


def near_misses(fixtures: Iterable[Fixture], view: RequestView, most: int = 3) -> list[NearMiss]:
    """The fixtures that miss the request by the least, best first.

    By number of differences, then likeness of the last user text, then the order of `fixtures`, of which the first
    `COMPARED_FIXTURES` are looked at.
    """
    misses = [NearMiss(one, tuple(differences(one, view))) for one in islice(fixtures, COMPARED_FIXTURES)]
    counts = sorted(len(miss.differences) for miss in misses)[:most]
    asked = "" if view.user is None else view.user.normal[:COMPARED_CHARACTERS]
    matcher = SequenceMatcher(None, "", asked, autojunk=False)

    def farness(miss: NearMiss) -> tuple[int, float]:
        said = miss.fixture.asks.said
        matcher.set_seq1("" if said is None else normal(said.text[:COMPARED_CHARACTERS]))
        return len(miss.differences), -matcher.quick_ratio()

    return nsmallest(most, (miss for miss in misses if len(miss.differences) <= counts[-1]), key=farness)

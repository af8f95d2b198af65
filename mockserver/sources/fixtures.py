"""The fixture source: answers from files, matched on the request, the most special first.

Files that come, change or go are seen without a restart, while requests come in. What a request gets depends on what
it holds; only where a fixture has several `answers`, also on how often the namespace has asked.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from mockserver.core.data import ANY
from mockserver.core.errors import OperatorError, Refusal
from mockserver.files.watch import Watch
from mockserver.sources.condition import SEARCHED, Contains, Same
from mockserver.sources.contains_index import ContainsIndex
from mockserver.sources.fixture_file import Fixture, read
from mockserver.sources.match import NearMiss, RequestView, fits, near_misses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mockserver.core.exchange import ChatRequest
    from mockserver.sources.fixture_answer import FixtureAnswer

MOST_NEAR: Final = 3
CHECK_EVERY_S: Final = 0.5
KEPT: Final = "; what it said before is served on"
"""Told of a file that was good and is broken now: an editor may be half through with it."""
MANY: Final = 32
"""From so many `contains` on they are found by an index; fewer are asked one after the other."""
_NO_TEXTS: Final[Mapping[str | None, tuple[int, ...]]] = {}
Place = tuple[int, str]
"""The number of a root, and a file's path below it."""


class Found(NamedTuple):
    """The fixture that fits a request, and what it says at this call."""

    fixture: Fixture
    said: FixtureAnswer


class Calls:
    """How often each namespace has asked for each fixture that has several answers."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, Place], int] = {}

    def next(self, namespace: str, place: Place) -> int:
        """How often it was asked before; counts."""
        self._calls[namespace, place] = call = self._calls.get((namespace, place), -1) + 1
        return call

    def forget(self, namespace: str) -> None:
        """Begin all of a namespace again."""
        self._calls = {key: calls for key, calls in self._calls.items() if key[0] != namespace}

    def drop(self, place: Place) -> None:
        """Begin a fixture again for all: its file changed."""
        for counter in [key for key in self._calls if key[1] == place]:
            del self._calls[counter]


class Fixtures:
    """The fixtures of some folders; `refresh` loads them and keeps them as they are on disk.

    Args:
        roots: Folders of fixtures, the most important first: whatever fits in one goes before all of the next.
        calls: Counts the calls of those that have several answers; None keeps count here.

    Raises:
        OperatorError: a root is no folder.

    Attributes:
        broken: What is wrong with each file that cannot be used, one line each. Of one that was good and is broken now
            (half written, mostly) the last good state stays.
        changes: How often what fits may have changed: files came, went or changed, or a day passed.
    """

    def __init__(self, roots: Sequence[Path], calls: Calls | None = None) -> None:
        for root in roots:
            if not root.is_dir():
                raise OperatorError(f"{root}: no such folder; fixtures lie in <model>/<chip>/ below it")
        self.broken: dict[Place, str] = {}
        self._roots = roots
        self._watches = [Watch(root) for root in roots]
        self._checked_s: float | None = None
        self._today = date.min
        self._fixtures: list[dict[str, Fixture]] = [{} for _ in roots]  # by name
        self._ordered: list[Fixture] = []
        self._index: dict[str, dict[str | None, tuple[int, ...]]] = {}  # by model, then by text
        self._containing: ContainsIndex[int] | None = None
        self._told: set[Place] = set()
        self._calls = calls or Calls()
        self.changes = 0
        self._looks_at_heads = False

    def __iter__(self) -> Iterator[Fixture]:
        """The fixtures that can be used, the most special first."""
        return iter(self._ordered)

    @property
    def looks_at_heads(self) -> bool:
        """Whether a fixture asks for headers or the query."""
        return self._looks_at_heads

    def refresh(self, now_s: float) -> list[str]:
        """See what changed on disk, at most every `CHECK_EVERY_S` seconds.

        Args:
            now_s: Unix seconds; their date decides what is expired.

        Returns:
            One line for each file that is broken or expired, once until it changes.
        """
        if self._checked_s is not None and abs(now_s - self._checked_s) < CHECK_EVERY_S:
            return []
        self._checked_s = now_s
        today, self._today = self._today, datetime.fromtimestamp(now_s, UTC).date()
        reports = []
        stale = False
        for number, watch in enumerate(self._watches):
            changed, gone = watch.look()
            for name in gone:
                self._forget((number, name))
            reports += [told for name in changed if (told := self._read((number, name))) is not None]
            stale = stale or bool(changed or gone)
        if stale:
            self._order()
        if stale or today != self._today:
            self.changes += 1
            reports += self._expired()
        return reports

    def find(self, request: ChatRequest, namespace: str) -> Found | None:
        """The most special fixture that fits, and what it says at this call of the namespace.

        Raises:
            Refusal: its answers are used up and it says `"then": "error"`.
        """
        fixture = self._best(RequestView(request, self._today))
        if fixture is None:
            return None
        file = fixture.file
        if file.answer is not None:
            return Found(fixture, file.answer)
        call = self._calls.next(namespace, (fixture.root, fixture.name))
        said = file.said(call)
        if said is None:
            answers = len(file.answers or ())
            seen = f"{fixture.name}: this is call {call + 1} and it has {answers} answers"
            raise Refusal("no-match", f'{seen}; by its "then": "error" no more are given')
        return Found(fixture, said)

    def forget_calls(self, namespace: str) -> None:
        """Begin all `answers` of a namespace from the first again."""
        self._calls.forget(namespace)

    def near_misses(self, request: ChatRequest) -> list[NearMiss]:
        """The three fixtures that miss the request by the least, best first, and the last root's after all others.

        That is the package's own, of which an operator asks nothing, where there are others.
        """
        view = RequestView(request, self._today)
        last = len(self._roots) - 1
        own = near_misses([one for one in self._ordered if one.root < last], view) if last else []
        shipped = [one for one in self._ordered if one.root == last]
        return [*own, *near_misses(shipped, view, MOST_NEAR - len(own))] if len(own) < MOST_NEAR else own

    def no_match(self, request: ChatRequest) -> Refusal:
        """The refusal of a request that no fixture fits, with its near misses."""
        near = self.near_misses(request)
        if not near:
            return Refusal("no-match", "no fixture fits: none is loaded; write one, or serve without --strict")
        told = "; ".join(f"({number}) {miss}" for number, miss in enumerate(near, 1))
        return Refusal("no-match", f"no fixture fits; nearest: {told}")

    def _best(self, view: RequestView) -> Fixture | None:
        """The first in order that fits: of the fixtures for this very text and of those for none, each by model."""
        said = None if view.user is None else view.user.normal
        ordered, model = self._ordered, view.request.model
        own, every = self._index.get(model, _NO_TEXTS), self._index.get(ANY, _NO_TEXTS)
        none = best = len(ordered)
        for places in (own.get(said), own.get(None), every.get(said), every.get(None)):
            if places is None:
                continue
            for place in places:
                if place >= best:
                    break
                if fits(ordered[place], view):
                    best = place
                    break
        if self._containing is not None and view.user is not None:
            for place in self._containing.candidates(view.user.folded[:SEARCHED]):
                if place < best and fits(ordered[place], view):
                    best = place
        return None if best == none else ordered[best]

    def _read(self, place: Place) -> str | None:
        """Take in a file that is new or changed; what is wrong with it, if anything."""
        number, name = place
        try:
            fixture = read(self._roots[number], name, number)
        except OperatorError as error:
            self.broken[place] = str(error)
            return f"{error}{KEPT if name in self._fixtures[number] else ''}"
        self._forget(place)
        if fixture is None:
            return None
        self._fixtures[number][name] = fixture
        return f"{self._roots[number] / name}: {fixture.doubts}" if fixture.doubts else None

    def _forget(self, place: Place) -> None:
        self._fixtures[place[0]].pop(place[1], None)
        self.broken.pop(place, None)
        self._told.discard(place)
        self._calls.drop(place)

    def _order(self) -> None:
        self._ordered = sorted(
            (one for root in self._fixtures for one in root.values()), key=lambda fixture: fixture.rank
        )
        self._looks_at_heads = any(one.asks.headers or one.asks.query for one in self._ordered)
        found: dict[str, dict[str | None, list[int]]] = {}
        containing = []
        many = sum(isinstance(fixture.asks.user, Contains) for fixture in self._ordered) >= MANY
        for place, fixture in enumerate(self._ordered):
            user, said = fixture.asks.user, fixture.asks.said
            if many and isinstance(user, Contains):
                containing.append((user.folded, place))
                continue
            text = said.normal if isinstance(said, Same) else None
            found.setdefault(fixture.model, {}).setdefault(text, []).append(place)
        self._index = {
            model: {text: tuple(places) for text, places in by_text.items()} for model, by_text in found.items()
        }
        self._containing = ContainsIndex(containing) if many else None

    def _expired(self) -> list[str]:
        """A line for each fixture that expired and was not yet told."""
        reports = []
        for fixture in self._ordered:
            note, place = fixture.expiry(self._today), (fixture.root, fixture.name)
            if note and place not in self._told:
                self._told.add(place)
                reports.append(f"{self._roots[place[0]] / place[1]}: {note}")
        return reports

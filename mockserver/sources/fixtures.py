"""The fixture source: answers from files, matched on the request, the most special first.

Files that come, change or go are seen without a restart, while requests come in. What a request gets depends on what
it holds; only where a fixture has several `answers`, also on how often the namespace has asked.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mockserver.core.errors import OperatorError, Refusal
from mockserver.files.watch import Watch
from mockserver.sources.fixture_file import Fixture, read
from mockserver.sources.fixture_index import FixtureIndex
from mockserver.sources.match import NearMiss, RequestView, fits, near_misses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mockserver.core.exchange import ChatRequest
    from mockserver.sources.fixture_answer import FixtureAnswer
    from mockserver.sources.fixture_index import Place

MOST_NEAR: Final = 3
CHECK_EVERY_S: Final = 0.5
KEPT: Final = "; what it said before is served on"
"""Told of a file that was good and is broken now: an editor may be half through with it."""
KEPT_BYTES: Final = 4 * 2**20
"""So much of the files is kept as it was read; what another one says is read again when it is first asked for."""
READ_A_STEP: Final = 25
"""Files that are read in about a millisecond."""


class Recorded(Protocol):
    """Who takes the files in the recorded form."""

    roots: int
    """How many of the roots are its concern, the first ones."""

    def take(self, path: Path) -> None:
        """Take in a file that is new or changed; raises OperatorError where it is broken."""

    def drop(self, path: Path) -> None:
        """Give up what a file held, if it held anything."""


class Found(NamedTuple):
    """The fixture that fits a request, and what it says at this call."""

    fixture: Fixture
    said: FixtureAnswer
    in_turn: bool
    """Whether it has several answers, of which this is one."""


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
        for counter in [key for key in list(self._calls) if key[0] == namespace]:
            del self._calls[counter]

    def drop(self, place: Place) -> None:
        """Begin a fixture again for all: its file changed."""
        for counter in [key for key in list(self._calls) if key[1] == place]:
            del self._calls[counter]


class Fixtures:
    """The fixtures of some folders; `refresh` loads them and keeps them as they are on disk.

    Args:
        roots: Folders of fixtures, the most important first: whatever fits in one goes before all of the next.
        calls: Counts the calls of those that have several answers; None keeps count here.
        recorded: Takes the recordings that lie there; None leaves them alone.

    Raises:
        OperatorError: a root is no folder.

    Attributes:
        broken: What is wrong with each file that cannot be used, one line each. Of one that was good and is broken now
            (half written, mostly) the last good state stays.
        changes: How often what fits may have changed: files came, went or changed, or a day passed.
    """

    def __init__(self, roots: Sequence[Path], calls: Calls | None = None, recorded: Recorded | None = None) -> None:
        for root in roots:
            if not root.is_dir():
                raise OperatorError(f"{root}: no such folder; fixtures lie in <model>/<chip>/ below it")
        self.broken: dict[Place, str] = {}
        self._roots = roots
        self._watches = [Watch(root) for root in roots]
        self._recorded = recorded
        self._recordings: set[Place] = set()
        self._checked_s: float | None = None
        self._today = date.min
        self._index = FixtureIndex()
        self._room = KEPT_BYTES
        self._told: set[Place] = set()
        self._calls = calls or Calls()
        self._reports: list[str] = []
        self.changes = 0

    def __iter__(self) -> Iterator[Fixture]:
        """The fixtures that can be used, the most special first."""
        return iter(self._index)

    def unordered(self) -> Iterator[Fixture]:
        """The same in any order, which costs less."""
        return self._index.unordered()

    def looks_at_heads(self) -> bool:
        """Whether a fixture asks for headers or the query."""
        return self._index.looks_at_heads()

    def refresh(self, now_s: float) -> list[str]:
        """See what changed on disk, at most every `CHECK_EVERY_S` seconds.

        Args:
            now_s: Unix seconds; their date decides what is expired.

        Returns:
            One line for each file that is broken or expired, once until it changes.
        """
        if self._checked_s is None or abs(now_s - self._checked_s) >= CHECK_EVERY_S:
            self._checked_s = now_s
            deque(self.looking(now_s), maxlen=0)
        return self.reports()

    def looking(self, now_s: float) -> Iterator[None]:
        """See what changed on disk, in steps of about a millisecond; what was read holds at once.

        One thread takes the steps, and others may ask meanwhile.
        """
        day = datetime.fromtimestamp(now_s, UTC).date()
        if day != self._today:
            self._today = day
            self.changes += 1
        for number, watch in enumerate(self._watches):
            changed: list[str] = []
            gone: list[str] = []
            yield from watch.looking(changed, gone)
            for name in gone:
                self._forget((number, name))
            for seen, name in enumerate(changed, 1):
                self._read((number, name))
                if seen % READ_A_STEP == 0:
                    self.changes += 1
                    yield
            self.changes += bool(changed or gone)
        self._tell_expired()

    def reports(self) -> list[str]:
        """One line for each file that was seen to be broken or expired since this was asked last."""
        told, self._reports = self._reports, []
        return told

    def find(self, request: ChatRequest, namespace: str) -> Found | None:
        """The most special fixture that fits, and what it says at this call of the namespace.

        Raises:
            Refusal: its answers are used up and it says `"then": "error"`.
        """
        view = RequestView(request, self._today)
        fixture = self._index.best(view)
        if fixture is None:
            return None
        try:
            file = fixture.file
        except OperatorError:
            fixture = self._best_now(fixture, view)
            if fixture is None:
                return None
            file = fixture.file
        if file.answer is not None:
            return Found(fixture, file.answer, in_turn=False)
        call = self._calls.next(namespace, (fixture.root, fixture.name))
        said = file.said(call)
        if said is None:
            answers = len(file.answers or ())
            seen = f"{fixture.name}: this is call {call + 1} and it has {answers} answers"
            raise Refusal("no-match", f'{seen}; by its "then": "error" no more are given')
        return Found(fixture, said, in_turn=True)

    def forget_calls(self, namespace: str) -> None:
        """Begin all `answers` of a namespace from the first again."""
        self._calls.forget(namespace)

    def near_misses(self, request: ChatRequest) -> list[NearMiss]:
        """The three fixtures that miss the request by the least, best first, and the last root's after all others.

        That is the package's own, of which an operator asks nothing, where there are others.
        """
        view = RequestView(request, self._today)
        last = len(self._roots) - 1
        own = near_misses((one for one in self._index if one.root < last), view) if last else []
        shipped = (one for one in self._index if one.root == last)
        return [*own, *near_misses(shipped, view, MOST_NEAR - len(own))] if len(own) < MOST_NEAR else own

    def no_match(self, request: ChatRequest) -> Refusal:
        """The refusal of a request that no fixture fits, with its near misses."""
        near = self.near_misses(request)
        if not near:
            return Refusal("no-match", "no fixture fits: none is loaded; write one, or serve without --strict")
        told = "; ".join(f"({number}) {miss}" for number, miss in enumerate(near, 1))
        return Refusal("no-match", f"no fixture fits; nearest: {told}")

    def _best_now(self, fixture: Fixture, view: RequestView) -> Fixture | None:
        """The most special that fits, where the file of the first of them is another one by now.

        What it holds now counts where that fits too; that it changed is seen by the next looks.
        """
        passed_over = []
        while True:
            try:
                now = read(self._roots[fixture.root], fixture.name, fixture.root)
            except OperatorError:
                now = None
            if now is not None and fits(now, view):
                return now
            passed_over.append(fixture)
            best = self._index.best(view, passed_over)
            if best is None:
                return None
            fixture = best

    def _read(self, place: Place) -> None:
        """Take in a file that is new or changed; note what is wrong with it, if anything."""
        number, name = place
        recorded = self._recorded
        try:
            fixture = read(self._roots[number], name, number, keep=self._room > 0)
            is_recorded = fixture is None and recorded is not None and number < recorded.roots
            if recorded is not None and is_recorded:
                recorded.take(self._path(place))
        except OperatorError as error:
            self.broken[place] = str(error)
            known = place in self._recordings or self._index.get(place) is not None
            self._reports.append(f"{error}{KEPT if known else ''}")
            return
        before = self._replaced(place)
        if fixture is not None:
            self._room -= len(fixture.data or b"")
            self._index.add(fixture)
            if fixture.doubts:
                self._reports.append(f"{self._path(place)}: {fixture.doubts}")
        elif before is not None:
            self._index.remove(place)
        if is_recorded:
            self._recordings.add(place)
        else:
            self._drop_recording(place)

    def _forget(self, place: Place) -> None:
        """Give up what a file held that went."""
        self._replaced(place)
        self._index.remove(place)
        self._drop_recording(place)

    def _replaced(self, place: Place) -> Fixture | None:
        """The fixture of a file that will be replaced; what was counted and told of it begins anew."""
        before = self._index.get(place)
        if before is not None:
            self._room += len(before.data or b"")
            self._calls.drop(place)
        self.broken.pop(place, None)
        self._told.discard(place)
        return before

    def _drop_recording(self, place: Place) -> None:
        if self._recorded is not None and place in self._recordings:
            self._recordings.remove(place)
            self._recorded.drop(self._path(place))

    def _path(self, place: Place) -> Path:
        return self._roots[place[0]] / place[1]

    def _tell_expired(self) -> None:
        """A line for each fixture that expired and was not yet told."""
        for fixture in self._index.dated():
            note, place = fixture.expiry(self._today), (fixture.root, fixture.name)
            if note and place not in self._told:
                self._told.add(place)
                self._reports.append(f"{self._path(place)}: {note}")

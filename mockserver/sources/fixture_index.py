"""Many fixtures, and the most special of them that fits a request: what is looked at does not grow with their number.

They lie by model, and there by the exact text that they want, by a part of the text, by a value that they want of the
body, of a header or of the query, or in the order of their ranks.
One that comes or goes changes its own place alone. A thread may change them while another asks: each change is one
assignment or one insertion, which who goes through the list meets as one seen twice at most; and what takes another's
place is there before that goes.
"""

from __future__ import annotations

from bisect import insort
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.data import ANY
from mockserver.sources.condition import Contains, Equal, Same, Text
from mockserver.sources.contains_index import ContainsIndex
from mockserver.sources.match import RequestView, fits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from mockserver.sources.condition import Condition, Steps
    from mockserver.sources.fixture_file import Fixture

Asked = tuple[str, "Steps | str"]
"""Where a value stands in a request: in which part of it, and there by which path or name."""
Place = tuple[int, str]
"""The number of a root, and a file's path below it."""
_RANK: Final = attrgetter("rank")


class FixtureIndex:
    """The fixtures that can be used.

    Args:
        fixtures: Those there are, each from a file of its own.
    """

    def __init__(self, fixtures: Iterable[Fixture] = ()) -> None:
        self._by_root: dict[int, dict[str, Fixture]] = {}
        self._models: dict[str, _OfModel] = {}
        self._dated: dict[Place, Fixture] = {}
        self._looking_at_heads = 0
        self._ordered: list[Fixture] | None = None
        for one in fixtures:
            self.add(one)

    def __iter__(self) -> Iterator[Fixture]:
        """All of them, the most special first."""
        ordered = self._ordered
        if ordered is None:
            ordered = self._ordered = sorted(self.unordered(), key=_RANK)
        return iter(ordered)

    def unordered(self) -> Iterator[Fixture]:
        """All of them."""
        for by_name in list(self._by_root.values()):
            yield from list(by_name.values())

    def get(self, place: Place) -> Fixture | None:
        """The one of a file; None where there is none."""
        return self._by_root.get(place[0], {}).get(place[1])

    def dated(self) -> list[Fixture]:
        """Those that expire one day."""
        return list(self._dated.values())

    def looks_at_heads(self) -> bool:
        """Whether one asks for headers or the query."""
        return self._looking_at_heads > 0

    def add(self, fixture: Fixture) -> None:
        """Take one in; the one that its file held before goes."""
        before = self.get((fixture.root, fixture.name))
        self._by_root.setdefault(fixture.root, {})[fixture.name] = fixture
        of_model = self._models.get(fixture.model)
        if of_model is None:
            of_model = self._models[fixture.model] = _OfModel()
        of_model.add(fixture)
        if fixture.expires is not None:
            self._dated[fixture.root, fixture.name] = fixture
        self._looking_at_heads += _looks_at_heads(fixture)
        self._ordered = None
        if before is not None:
            self._leave(before)

    def remove(self, place: Place) -> None:
        """Give up the one of a file, if there is one."""
        fixture = self._by_root.get(place[0], {}).pop(place[1], None)
        if fixture is not None:
            self._leave(fixture)

    def best(self, view: RequestView, without: Collection[Fixture] = ()) -> Fixture | None:
        """The most special one that fits, `without` aside."""
        found, text = None, view.user
        for model in (view.request.model, ANY):
            of_model = self._models.get(model)
            if of_model is None:
                continue
            if text is not None:
                exact = of_model.exact.get(text.normal)
                if exact is not None:
                    found = _first(exact, found, view, without)
                if of_model.containing.things:
                    for one in of_model.containing.candidates(text.folded):
                        if one.asks.user is None or not one.asks.user.fits(text):
                            continue  # most of them: what else they ask for need not be looked at
                        if (found is None or one.rank < found.rank) and fits(one, view) and one not in without:
                            found = one
            for alike in of_model.by_value.candidates(view):
                found = _first(alike, found, view, without)
            if of_model.others:
                found = _first(of_model.others, found, view, without)
        return found

    def _leave(self, fixture: Fixture) -> None:
        self._models[fixture.model].remove(fixture)
        if self._dated.get((fixture.root, fixture.name)) is fixture:
            del self._dated[fixture.root, fixture.name]
        self._looking_at_heads -= _looks_at_heads(fixture)
        self._ordered = None


class _OfModel:
    """The fixtures of one model, or of any.

    Attributes:
        exact: Those that want a text by that text, the most special first.
        containing: Those that want a part of one.
        by_value: Those that want a value elsewhere.
        others: All others, the most special first.
    """

    def __init__(self) -> None:
        self.exact: dict[str, Sequence[Fixture]] = {}
        self.containing: ContainsIndex[Fixture] = ContainsIndex()
        self.by_value = _ByValue()
        self.others: Sequence[Fixture] = []

    def add(self, fixture: Fixture) -> None:
        """Put one in its place."""
        user, said = fixture.asks.user, fixture.asks.said
        if isinstance(user, Contains):
            self.containing.add(user.folded, fixture)
        elif isinstance(said, Same):
            alike = self.exact.get(said.normal)
            self.exact[said.normal] = (fixture,) if alike is None else _with(alike, fixture)
        elif not self.by_value.add(fixture):
            self.others = _with(self.others, fixture)

    def remove(self, fixture: Fixture) -> None:
        """Give up one that is there."""
        user, said = fixture.asks.user, fixture.asks.said
        if isinstance(user, Contains):
            self.containing.remove(user.folded, fixture)
        elif isinstance(said, Same):
            left = _without(self.exact[said.normal], fixture)
            if left:
                self.exact[said.normal] = left
            else:
                del self.exact[said.normal]
        elif not self.by_value.remove(fixture):
            self.others = _without(self.others, fixture)


class _ByValue:
    """Fixtures by one value that each wants of the request: of several, by the one that the fewest others lie by."""

    def __init__(self) -> None:
        self._alike: dict[Asked, dict[object, Sequence[Fixture]]] = {}

    def add(self, fixture: Fixture) -> bool:
        """Put one in its place; False where it wants no such value."""
        alike, wanted = self._alike, list(_wanted(fixture))
        if not wanted:
            return False
        asked, value = min(wanted, key=lambda one: len(alike.get(one[0], {}).get(one[1], ())))
        values = alike.setdefault(asked, {})
        values[value] = _with(values[value], fixture) if value in values else (fixture,)
        return True

    def remove(self, fixture: Fixture) -> bool:
        """Give up one that is there; False where it is not."""
        for asked, value in _wanted(fixture):
            values = self._alike.get(asked, {})
            left = _without(values.get(value, ()), fixture)
            if len(left) == len(values.get(value, ())):
                continue
            if left:
                values[value] = left
            else:
                del values[value]
            return True
        return False

    def candidates(self, view: RequestView) -> Iterator[Sequence[Fixture]]:
        """Those whose value is in the request, the most special of each place first; no others can fit."""
        for (part, where), values in list(self._alike.items()):  # a thread may take others in meanwhile
            alike = values.get(_comparable(_SEEN[part](view, where)))
            if alike:
                yield alike


_SEEN: Final[dict[str, Callable[[RequestView, Any], object]]] = {
    "body": RequestView.at, "headers": RequestView.header, "query": RequestView.parameter,
}  # fmt: skip


def _wanted(fixture: Fixture) -> Iterator[tuple[Asked, object]]:
    """The values that a fixture wants to be these, and where."""
    asks = fixture.asks
    conditions: list[tuple[Asked, Condition]] = [(("body", steps), wanted) for _, steps, wanted in asks.body]
    conditions += [(("headers", name), wanted) for name, wanted in asks.headers]
    conditions += [(("query", name), wanted) for name, wanted in asks.query]
    for asked, wanted in conditions:
        value = _comparable(wanted.value) if isinstance(wanted, Equal) else None
        if isinstance(wanted, Same):
            yield asked, wanted.normal
        elif value is not None:
            yield asked, value


def _comparable(value: object) -> object:
    """What is equal for all values that a condition takes for equal; None where a value has no such thing."""
    if isinstance(value, Text):
        return value.normal
    if isinstance(value, bool):
        return (value,)  # which is not 1
    return value if isinstance(value, (int, float)) else None


def _first(
    fixtures: Iterable[Fixture], found: Fixture | None, view: RequestView, without: Collection[Fixture]
) -> Fixture | None:
    """The first of some in the order of their ranks that fits, unless what was found goes before it."""
    rank = None if found is None else found.rank
    for one in fixtures:
        if rank is not None and one.rank > rank:
            break
        if fits(one, view) and one not in without:
            return one
    return found


def _with(fixtures: Sequence[Fixture], fixture: Fixture) -> list[Fixture]:
    """Some in the order of their ranks, with one more: a list takes it in, since a copy for each would be many."""
    made = fixtures if isinstance(fixtures, list) else list(fixtures)
    insort(made, fixture, key=_RANK)
    return made


def _without(fixtures: Sequence[Fixture], fixture: Fixture) -> list[Fixture]:
    return [one for one in fixtures if one is not fixture]


def _looks_at_heads(fixture: Fixture) -> bool:
    return bool(fixture.asks.headers or fixture.asks.query)

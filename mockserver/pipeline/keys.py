"""The last step of stage `shape`: keys that a chunk or a body would lack or has otherwise, and the order of keys."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json = dict[str, Any]

PLACES: Final = ("chunk", "body", "choice", "body-choice", "delta", "message", "usage")
"""Where a key may stand: `choice` and `delta` in a stream, `body-choice` and `message` in a body, `usage` in both."""
OWN: Final = {
    "chunk": ("id", "object", "created", "model", "choices", "usage", "blocked", "error"),
    "body": ("id", "object", "created", "model", "choices", "usage", "blocked", "error"),
    "choice": ("index", "delta", "message", "finish_reason", "logprobs", "usage", "reasoning_content", "reasoning"),
    "body-choice": ("index", "delta", "message", "finish_reason", "logprobs", "reasoning_content", "reasoning"),
    "delta": ("role", "content"),
    "message": ("role", "content"),
    "usage": ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"),
}
"""Keys of each place that other settings decide, so that no two of them set one key."""
MOMENTS: Final = ("first", "middle", "finish", "behind")
"""Where a chunk stands in its stream: `finish` has the finish reason, `behind` follows it, `first` is before all."""
IN_STREAMS: Final = ("chunk", "choice", "delta")
"""Places of which a further key may be said for one moment alone, as `choice@finish`."""
SAID: Final = frozenset({"choices", "delta", "message", "content"})
"""Keys that hold what is said, which nothing may take away."""
ABSENT: Final = "absent"
CHANGES: Final = "~"
"""Before the value of a further key that is another in each answer: what is written is an example."""


@immutable(frozen=True, slots=True)
class KeySettings:
    """Further keys, keys that say something else, and the order of keys.

    Attributes:
        extra: `PLACE.NAME` and its value as JSON text, in the order in which they are written; behind `~` it is an
            example of what changes. A NAME with dots leads into objects, and PLACE may be that of one moment, as
            `choice@finish`, which goes before `choice`.
        fixed: The same of keys that are there: the value that they carry instead, or `absent`.
        order: A place, or `PLACE.NAME` of what is inside, and its keys with `+` between them; others stand behind.
    """

    extra: tuple[tuple[str, str], ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    order: tuple[tuple[str, str], ...] = ()


def write_keys(objects: Iterable[Json], settings: KeySettings, *, streamed: bool) -> None:
    """Write the keys into the chunks of a stream, or into the one body, in place.

    Args:
        objects: Chunks, or a body; of a further key what is there stays.
        settings: This step's settings.
        streamed: Whether they are chunks.
    """
    if not (settings.extra or settings.fixed or settings.order):
        return
    made = [*objects]
    for one, moment in zip(made, moments(made), strict=True):
        for place, held in placed(one, streamed=streamed):
            for path, key, value in (*_values(settings.extra, f"{place}@{moment}"), *_values(settings.extra, place)):
                for inner in _within(held, path, make=True):
                    inner.setdefault(key, deepcopy(value))  # other settings may write into it
            for path, key, value in _values(settings.fixed, place):
                for inner in _within(held, path):
                    if key in inner and value is _GONE:
                        del inner[key]
                    elif key in inner:
                        inner[key] = deepcopy(value)
            for path, names in _orders(settings.order, place):
                for inner in _within(held, path):
                    _sort(inner, names)


def moments(chunks: Iterable[Json]) -> list[str]:
    """Where each chunk of a stream stands."""
    found: list[str] = []
    for one in chunks:
        choices = one.get("choices")
        finished = isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices)
        behind = bool(found) and found[-1] in {"finish", "behind"}
        found.append("finish" if finished else "behind" if behind else "middle" if found else "first")
    return found


def kind_of(value: object) -> object:
    """What values that change have in common: their types, and the keys of objects."""
    if isinstance(value, dict):
        return {key: kind_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [kind_of(one) for one in value[:1]]
    return "number" if type(value) in (int, float) else type(value).__name__


def placed(one: Json, *, streamed: bool) -> Iterator[tuple[str, Json]]:
    """The objects of a chunk or a body, each with its place."""
    choices, usage = one.get("choices"), one.get("usage")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            said = choice.get("delta" if streamed else "message")
            if isinstance(said, dict):
                yield "delta" if streamed else "message", said
            if isinstance(choice.get("usage"), dict):
                yield "usage", choice["usage"]
            yield "choice" if streamed else "body-choice", choice
    if isinstance(usage, dict):
        yield "usage", usage
    yield "chunk" if streamed else "body", one


def merged(orders: Iterable[Iterable[str]]) -> tuple[str, ...] | None:
    """One order of all names that each of the orders agrees with; None where two contradict each other."""
    behind: dict[str, set[str]] = {}
    for order in orders:
        names = [*order]
        for number, name in enumerate(names):
            behind.setdefault(name, set()).update(names[:number])
    made: list[str] = []
    while len(made) < len(behind):
        free = next((name for name, before in behind.items() if name not in made and before <= {*made}), None)
        if free is None:
            return None
        made.append(free)
    return tuple(made)


def _sort(one: Json, names: tuple[str, ...]) -> None:
    order = [name for name in names if name in one]
    order += [name for name in one if name not in order]
    if order != [*one]:
        kept = dict(one)
        one.clear()
        one.update((name, kept[name]) for name in order)


def _within(one: Json, path: tuple[str, ...], *, make: bool = False) -> Iterator[Json]:
    """The objects at a path inside an object, through lists too; with `make` one that lacks is made."""
    if not path:
        yield one
        return
    inner = one.setdefault(path[0], {}) if make else one.get(path[0])
    for held in inner if isinstance(inner, list) else [inner]:
        if isinstance(held, dict):
            yield from _within(held, path[1:], make=make)


_GONE: Final = object()


@lru_cache(maxsize=256)
def _values(settings: tuple[tuple[str, str], ...], place: str) -> tuple[tuple[tuple[str, ...], str, Any], ...]:
    """The keys of a place: the path to the object that holds each, its name and its value."""
    found = []
    for where, text in settings:
        at, *path, key = where.split(".")
        if at == place:
            found.append((tuple(path), key, _GONE if text == ABSENT else json.loads(text.removeprefix(CHANGES))))
    return tuple(found)


@lru_cache(maxsize=256)
def _orders(settings: tuple[tuple[str, str], ...], place: str) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    split = [(where.split("."), tuple(text.split("+"))) for where, text in settings]
    return tuple((tuple(path), names) for (at, *path), names in split if at == place)

"""What one exchange shows of the families whose parts no table can list: further keys, words of the finish."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.reading import MIXED, one_of
from mockserver.pipeline.keys import ABSENT, CHANGES, IN_STREAMS, MOMENTS, OWN, PLACES, kind_of, moments, placed
from mockserver.profile.quirk_families import EXTRA_KEY, FINISH_WORD, FIXED_KEY, KEY_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.contract.clauses.reading import Reading, Shown
    from mockserver.pipeline.frame import Json
    from mockserver.profile.quirk_families import Family

SAYING: Final = frozenset({
    "reasoning_content", "reasoning", "tool_calls", "completion_tokens_details", "reasoning_tokens",
})  # fmt: skip
"""Keys that say something now and then: only where they say nothing do they show what fills them."""
_DETAILS: Final = {"prompt_tokens_details": ("cached_tokens",), "completion_tokens_details": ()}
"""Objects in usage whose keys are looked at one by one, with those that other settings decide."""
_ALWAYS: Final = {
    "body": ("id", "object", "created", "model", "usage"), "body-choice": ("index",), "message": ("role",),
    "usage": ("prompt_tokens", "completion_tokens", "total_tokens"),
}  # fmt: skip
"""Keys that no other setting takes away."""
_DUE: Final = {
    "body.object": '"chat.completion"',
    "chunk.object": '"chat.completion.chunk"',
    "message.role": '"assistant"',
}
"""Values that are the same in every answer."""
_KNOWN_WORDS: Final = ("stop", "length", "tool_calls", "content_filter")


def observe(r: Reading) -> dict[Family, dict[str, Shown]]:
    """The parts that are there, with their values, by family."""
    return {EXTRA_KEY: _extra_keys(r), FIXED_KEY: _fixed_keys(r), KEY_ORDER: _orders(r), FINISH_WORD: _finish_words(r)}


def observe_known(family: Family, r: Reading, part: str) -> Shown:
    """What the exchange shows of a part that is looked for, where `observe` does not find it; None for nothing."""
    if family not in {EXTRA_KEY, FIXED_KEY}:
        return None  # the standard word of a finish shows itself, and so does each order
    place, *path, key = part.split(".")
    if family is EXTRA_KEY:
        return "" if _silent(_inside(_objects(r, place), path), key) else None
    return one_of(_text(one, key) or ABSENT for one in _inside(_objects(r, place), path))


def _extra_keys(r: Reading) -> dict[str, Shown]:
    found: dict[str, Shown] = {}
    for place in PLACES:
        objects = _objects(r, place)
        found |= _by_moment(r, _further(place, objects, OWN[place]))
        if place == "usage":
            for key, own in _DETAILS.items():
                found |= _further(f"{place}.{key}", _inside(objects, [key]), own)
    return found


def has_kind(value: str, declared: str) -> bool:
    """Whether a value is of the kind of a declared one that changes."""
    if not declared.startswith(CHANGES) or value in {"", MIXED}:
        return False
    return kind_of(json.loads(value.removeprefix(CHANGES))) == kind_of(json.loads(declared.removeprefix(CHANGES)))


def _by_moment(r: Reading, found: dict[str, Shown]) -> dict[str, Shown]:
    """The same, but a key that is not alike in all chunks by the moments of the stream, where that tells it."""
    made: dict[str, Shown] = {}
    for part, value in found.items():
        place, _, key = part.partition(".")
        apart = {}
        if value == MIXED and place in IN_STREAMS:
            for at in (f"{place}@{moment}" for moment in MOMENTS):
                apart[f"{at}.{key}"] = {_text(one, key) for one in _silent(_objects(r, at), key)}
        if apart and all(len(values) <= 1 for values in apart.values()):
            made |= {name: one for name, values in apart.items() for one in values if one}
        else:
            made[part] = value
    return made


def _further(where: str, objects: list[Json], own: tuple[str, ...]) -> dict[str, Shown]:
    found: dict[str, Shown] = {}
    for key in dict.fromkeys(key for one in objects for key in one if key not in own):
        values = {_text(one, key) for one in _silent(objects, key)}
        if values and values != {""}:
            found[f"{where}.{key}"] = one_of(values)
    return found


def _fixed_keys(r: Reading) -> dict[str, Shown]:
    found: dict[str, Shown] = {}
    for place, keys in _ALWAYS.items():
        objects = _objects(r, place)
        for key in keys:
            if objects and not any(key in one for one in objects) and not r.blocked:
                found[f"{place}.{key}"] = ABSENT
    for part, due in _DUE.items():
        place, _, key = part.partition(".")
        values = {_text(one, key) for one in _objects(r, place) if key in one} - {due}
        if values:
            found[part] = one_of(values)
    return found


def _orders(r: Reading) -> dict[str, Shown]:
    if not (r.whole or r.completion):
        return {}
    orders = orders_in(r.objects, streamed=r.streamed)
    return {place: "|".join(map("+".join, listed)) for place, listed in orders.items()}


def orders_in(objects: Iterable[Json], *, streamed: bool) -> dict[str, list[list[str]]]:
    """The orders in which the keys of each place come, and those of the objects inside; each order once."""
    found: dict[str, list[list[str]]] = {}
    for one in objects:
        for place, held in placed(one, streamed=streamed):
            _note_orders(place, held, found)
    return found


def _note_orders(path: str, one: Json, found: dict[str, list[list[str]]]) -> None:
    if len(one) > 1 and [*one] not in found.setdefault(path, []):
        found[path].append([*one])
    for key, value in one.items():
        if key not in {"choices", "delta", "message", "usage", "arguments"}:
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    _note_orders(f"{path}.{key}", inner, found)


def _inside(objects: list[Json], path: list[str]) -> list[Json]:
    """The objects at a path inside others; one that is not there is empty."""
    for key in path:
        objects = [value if isinstance(value := one.get(key), dict) else {} for one in objects]
    return objects


def _objects(r: Reading, place: str) -> list[Json]:
    """All that stand in a place, or in that of one moment, where the answer came whole."""
    streamed = r.whole and not r.blocked
    place, _, due = place.partition("@")
    if due:
        timed = zip(r.objects, moments(r.objects), strict=True) if streamed and r.streamed else ()
        chunks = [one for one, moment in timed if moment == due]
        return [held for one in chunks for at, held in placed(one, streamed=True) if at == place]
    if place == "usage":
        return r.usages if streamed or r.completion else []
    if (place in {"chunk", "choice", "delta"}) is not streamed or not (streamed or r.completion):
        return []
    if place in {"chunk", "body"}:
        return r.objects
    return r.said if place in {"delta", "message"} else [choice for _, choice in r.choices]


def _silent(objects: list[Json], key: str) -> list[Json]:
    return [one for one in objects if not one.get(key)] if key in SAYING else objects


def _text(one: Json, key: str) -> str:
    """The value as JSON; empty where there is none."""
    if key not in one:
        return ""
    return json.dumps(one[key], ensure_ascii=False, separators=(",", ":"))


def _finish_words(r: Reading) -> dict[str, Shown]:
    word = r.finish_reason
    if not (r.whole or r.completion) or r.blocked or not isinstance(word, str):
        return {}
    if any(one.get("tool_calls") for one in r.said):
        return {} if word == "length" else {"tool_calls": "" if word == "tool_calls" else word}
    if word in _KNOWN_WORDS:
        return {word: ""}
    limits = [r.asked.get(name) for name in ("max_tokens", "max_completion_tokens")]
    limit, count = max((one for one in limits if type(one) is int), default=0), r.usage.get("completion_tokens")
    return {"length" if limit and type(count) is int and count >= limit else "stop": word}

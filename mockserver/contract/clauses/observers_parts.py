"""What one exchange shows of the families whose parts no table can list: further keys, words of the finish."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.reading import MIXED
from mockserver.pipeline.keys import OWN, PLACES
from mockserver.profile.quirk_families import EXTRA_KEY, FINISH_WORD

if TYPE_CHECKING:
    from mockserver.contract.clauses.reading import Reading, Shown
    from mockserver.pipeline.frame import Json
    from mockserver.profile.quirk_families import Family

SAYING: Final = frozenset({"reasoning_content", "reasoning", "tool_calls", "completion_tokens_details"})
"""Keys that say something now and then: only where they say nothing do they show what fills them."""
_KNOWN_WORDS: Final = ("stop", "length", "tool_calls", "content_filter")


def observe(r: Reading) -> dict[Family, dict[str, Shown]]:
    """The parts that are there, with their values, by family."""
    return {EXTRA_KEY: _extra_keys(r), FINISH_WORD: _finish_words(r)}


def can_show(family: Family, r: Reading, part: str) -> bool:
    """Whether the exchange shows that a part is not there, where it is not."""
    if family is FINISH_WORD:
        return False  # its standard word shows itself
    place, _, key = part.partition(".")
    return bool(_silent(_objects(r, place), key))


def _extra_keys(r: Reading) -> dict[str, Shown]:
    found: dict[str, Shown] = {}
    for place in PLACES:
        objects = _objects(r, place)
        for key in dict.fromkeys(key for one in objects for key in one if key not in OWN[place]):
            values = {_text(one, key) for one in _silent(objects, key)}
            if values and values != {""}:
                found[f"{place}.{key}"] = values.pop() if len(values) == 1 else MIXED
    return found


def _objects(r: Reading, place: str) -> list[Json]:
    """All that stand in a place, where the answer came whole."""
    streamed = r.whole and not r.blocked
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

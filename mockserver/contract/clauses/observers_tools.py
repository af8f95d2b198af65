"""What one exchange shows of the axes of calls of functions; the table is last.

As in `observers_frame`: the value that is seen, text where no quirk has it, None where this exchange cannot show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.reading import MIXED, one_of
from mockserver.pipeline.read import take_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.contract.clauses.reading import Reading, Shown
    from mockserver.pipeline.frame import Json

_Calls = list[list["Json"]]


def _listed(r: Reading) -> list[list[Json]]:
    """The parts of calls, as they stand in each delta or message."""
    said = [one["tool_calls"] for one in r.said if isinstance(one.get("tool_calls"), list)] if r.answered else []
    return [parts for parts in said if parts and all(isinstance(part, dict) for part in parts)]


def _calls(r: Reading) -> _Calls:
    """The calls of a whole stream, each as its parts."""
    calls: _Calls = []
    for parts in _listed(r) if r.whole else ():
        take_calls(calls, parts)
    return calls


def _function(part: Json) -> Json:
    function = part.get("function")
    return function if isinstance(function, dict) else {}


def _unsaid(one: Json, key: str, said: object) -> str:
    """How a key is written whose value has been said."""
    if key not in one:
        return "absent"
    value = one[key]
    return "null" if value is None else "empty" if value == "" else "repeated" if value == said else MIXED


def _opening(r: Reading) -> Shown:
    return one_of(map(_opening_of, _calls(r)))


def _opening_of(call: list[Json]) -> str | None:
    first = _function(call[0])
    if "arguments" not in first:
        return "absent"
    arguments = first["arguments"]
    if not isinstance(arguments, str):
        return "null" if arguments is None else None
    if arguments:
        return "piece" if len(call) > 1 else "whole"
    pieces = _names(call)[1]
    return "empty" if len(call) > 1 and not pieces else None


def _names(call: list[Json]) -> tuple[list[str], bool]:
    """How each later part writes the name, pieces of it left out; and whether it comes in pieces."""
    name, later, pieces = _function(call[0]).get("name"), [], False
    for part in call[1:]:
        function = _function(part)
        more = function.get("name")
        if isinstance(name, str) and isinstance(more, str) and more and more != name:
            name, pieces = name + more, True
        else:
            later.append(_unsaid(function, "name", name))
    return later, pieces


def _name(r: Reading) -> Shown:
    return one_of("pieces" if _names(call)[1] else "whole" for call in _calls(r) if len(call) > 1)


def _later(key: str) -> Callable[[Reading], Shown]:
    return lambda r: one_of(_unsaid(part, key, call[0].get(key)) for call in _calls(r) for part in call[1:])


def _later_name(r: Reading) -> Shown:
    return one_of(one for call in _calls(r) for one in _names(call)[0])


def _index(r: Reading) -> Shown:
    found = [call[0].get("index", "absent") for call in _calls(r)]
    if not found or found == [0]:
        return None  # of one call with 0 nothing is told of the others
    kinds = {"from-0": range(len(found)), "from-1": range(1, len(found) + 1), "always-0": [0] * len(found)}
    if found == ["absent"] * len(found):
        return "absent"
    return next((kind for kind, due in kinds.items() if found == list(due)), MIXED)


def _order(r: Reading) -> Shown:
    calls = _calls(r)
    if len(calls) < 2:
        return None
    listed = _listed(r)
    if any(len(parts) > 1 for parts in listed):
        return "together"
    if all(len(call) == 1 for call in calls[:-1]):
        return None
    owners = [next(n for n, call in enumerate(calls) if any(part is one for one in call)) for (part,) in listed]
    return "one-by-one" if owners == sorted(owners) else "interleaved"


def _whole_calls(r: Reading) -> _Calls:
    if r.completion is None:
        return _calls(r)
    return [[part] for parts in _listed(r) for part in parts]


def _arguments(r: Reading) -> Shown:
    return one_of(_kind(_function(part).get("arguments")) for call in _whole_calls(r) for part in call)


def _kind(arguments: object) -> str | None:
    if isinstance(arguments, dict):
        return "object"
    return "text" if isinstance(arguments, str) and arguments else None


def _no_arguments(r: Reading) -> Shown:
    found = [[_function(part).get("arguments") for part in call] for call in _whole_calls(r)]
    return one_of(_none_kind(values) for values in found)


def _none_kind(values: list[object]) -> str | None:
    if {} in values:
        return "braces"
    text = "".join(one for one in values if isinstance(one, str))
    if any(isinstance(one, dict) for one in values):
        return None
    return {"": "empty", "{}": "braces"}.get(text.strip())


def _content_beside_call(r: Reading) -> Shown:
    found = [one for one in r.said if one.get("tool_calls") and not one.get("content")] if r.whole else []
    return one_of(_unsaid(one, "content", None) for one in found)


def _body_content_beside_call(r: Reading) -> Shown:
    if r.completion is None:
        return None
    found = [one for one in r.said if one.get("tool_calls") and not one.get("content")]
    return one_of(_unsaid(one, "content", None) for one in found)


OBSERVERS: Final[dict[tuple[str, str], Callable[[Reading], Shown]]] = {
    ("tools", "opening"): _opening,
    ("tools", "later_id"): _later("id"),
    ("tools", "later_type"): _later("type"),
    ("tools", "later_name"): _later_name,
    ("tools", "name"): _name,
    ("tools", "index"): _index,
    ("tools", "order"): _order,
    ("tools", "arguments"): _arguments,
    ("tools", "no_arguments"): _no_arguments,
    ("chunk", "content_beside_call"): _content_beside_call,
    ("chunk", "body_content_beside_call"): _body_content_beside_call,
}

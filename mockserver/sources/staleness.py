"""Whether a request is still the one that an answer was recorded or written for, and what of it a recording pins.

A test that passes on a request which is no longer sent proves nothing, so what has changed is told: in the log, in the
journal, in the verdict and in the summary of a pytest run.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import printable
from mockserver.sources.condition import MISSING, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mockserver.core.exchange import Answer, ChatRequest, Plan

DIALOGUE, TOOLS, PARAMETERS, HEADERS = "dialogue", "tools", "parameters", "headers:"
ASPECTS: Final = (DIALOGUE, TOOLS, PARAMETERS)
"""What a recording may be found by beside model, chip and stream; and `headers:NAME` for each header."""
USUAL: Final = (DIALOGUE,)
IDENTITY: Final = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key", "request_id", "user_id"})
"""Fields that name who asks, not what is asked."""
OF_TOOLS: Final = frozenset({"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"})
_ELSEWHERE: Final = frozenset({"messages", "stream"})  # compared as the dialogue, and as what a recording is
_OF_STREAMS: Final = frozenset({"stream_options"})
MOST_TOLD: Final = 8


def changes(recorded: ChatRequest, asked: ChatRequest) -> tuple[str, ...]:
    """In what a request differs from a recorded one beyond dialogue and identity, one line each.

    What only streams have is not compared where one is streamed and the other is not.
    """
    left_out = IDENTITY | _ELSEWHERE | (_OF_STREAMS if recorded.stream != asked.stream else frozenset())
    found = _between(_without(recorded.body, left_out), _without(asked.body, left_out), "")
    told = tuple(islice(found, MOST_TOLD))
    more = sum(1 for _ in found)
    return (*told, f"and {more} more") if more else told


def pinned_changes(recorded: ChatRequest, asked: ChatRequest, match_on: Sequence[str]) -> list[str]:
    """In what a request differs from a recorded one of what recordings are found by, the dialogue aside."""
    found: list[str] = []
    ours, theirs = _without(asked.body, IDENTITY | _ELSEWHERE), _without(recorded.body, IDENTITY | _ELSEWHERE)
    if recorded.stream != asked.stream:
        ours, theirs = _without(ours, _OF_STREAMS), _without(theirs, _OF_STREAMS)
    for aspect in match_on:
        if aspect == TOOLS:
            found += _between(_only(theirs, OF_TOOLS), _only(ours, OF_TOOLS), "")
        elif aspect == PARAMETERS:
            found += _between(_without(theirs, OF_TOOLS | {"model"}), _without(ours, OF_TOOLS | {"model"}), "")
        elif aspect.startswith(HEADERS):
            name = aspect.removeprefix(HEADERS)
            values = [one.headers.get(name.encode("latin-1")) for one in (recorded, asked)]
            if values[0] != values[1]:
                texts = [MISSING if one is None else one.decode("latin-1") for one in values]
                found.append(_told(f"headers.{name}", *texts))
    return found


def pinned_headers(match_on: Sequence[str]) -> frozenset[str]:
    """The names of headers that recordings are found by; they are kept in the files."""
    return frozenset(one.removeprefix(HEADERS) for one in match_on if one.startswith(HEADERS))


def not_offered(said: Answer | Plan, asked: ChatRequest) -> tuple[str, ...]:
    """The functions that an answer calls and the request did not offer, in one line; nothing where there are none."""
    calls = getattr(said, "tool_calls", ())
    if not calls:
        return ()
    offered = [name for tool in _listed(asked.body.get("tools")) if isinstance(name := _name_of(tool), str)]
    offered += [one["name"] for one in _listed(asked.body.get("functions")) if isinstance(one, dict) and "name" in one]
    strangers = list(dict.fromkeys(call.name for call in calls if call.name not in offered))
    if not strangers:
        return ()
    named = ", ".join(map(shown, strangers))
    known = f"are {', '.join(map(shown, offered))}" if offered else "is nothing"
    return (f"tools: the answer calls {named}, offered {known}",)


def stale_detail(name: str, stale: Sequence[str]) -> str:
    """What is told where a request is refused that is another one than an answer is for."""
    return (
        f"{name}: the request is another one than the answer is for: {'; '.join(stale)}; record or write the answer "
        "anew, or serve without --strict-requests"
    )


def _name_of(tool: object) -> object:
    function = tool.get("function") if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _without(body: Mapping[str, Any], names: frozenset[str] | set[str]) -> dict[str, Any]:
    """The fields but these; null and an empty model say as much as nothing does."""
    return {
        name: value for name, value in body.items()
        if name not in names and value is not None and (name, value) != ("model", "")
    }  # fmt: skip


def _only(body: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name in names}


def _between(recorded: Any, asked: Any, path: str) -> Iterator[str]:
    """What differs, by the way to it."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for name in [*recorded, *(name for name in asked if name not in recorded)]:
            yield from _between(
                recorded.get(name, MISSING), asked.get(name, MISSING), f"{path}.{name}" if path else name
            )
    elif isinstance(recorded, list) and isinstance(asked, list):
        for number in range(max(len(recorded), len(asked))):
            here, there = (one[number] if number < len(one) else MISSING for one in (recorded, asked))
            yield from _between(here, there, f"{path}[{number}]")
    elif not _alike(recorded, asked):
        yield _told(path, recorded, asked)


def _alike(recorded: Any, asked: Any) -> bool:
    if MISSING in (recorded, asked):
        return recorded is asked
    return recorded == asked and isinstance(recorded, bool) is isinstance(asked, bool)


def _told(path: str, recorded: object, asked: object) -> str:
    return f"{printable(path)[:120]}: recorded {shown(recorded)}, asked {shown(asked)}"

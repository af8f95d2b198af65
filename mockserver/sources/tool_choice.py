"""Which functions the synthetic source calls, so that every loop of an agent comes to its end.

Where a call is left open, the question decides. Where calls are required, what the dialogue has called decides: each
function gets its turn, and the one that ends the work comes last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.pipeline.structure import Function, Structure

_WORD = "[A-Za-z]{3,}|[\u3400-\u9fff]{2,}"
_HUMP = "(?<=[a-z0-9])(?=[A-Z])"
_COMMON = {"the", "and", "for", "get", "with", "from", "this", "that", "what", "which", "you", "are", "can", "how"}
_CALL_IN_TEXT: Final = re.compile(r"""['"]name['"]: ?['"]([^'"]{1,200})['"]|([\w.-]{1,200})\(""")
"""A call as a serialised object in a text, or with its parenthesis."""
_ENDS_BY_NAME: Final = re.compile(
    r"final\b|\bdone\b|\bfinish(ed)?\b|\bcomplete(d)?\b|\bsubmit\b|\bterminate\b|\bexit\b|\bend\b|structured output"
    r"|^(answer|respond|response|reply|output|result|return)( (output|result|answer|response|user|to user))?$"
)
_ENDS_BY_DESCRIPTION: Final = re.compile(
    r"final (answer|result|response|output)|最终(答案|结果|回答)|结束(任务|对话)"
    r"|(ends?|finish(es)?|completes?|stops?) the (task|work|conversation|dialogue|run)"
    r"|(when|once) (you are|you're|the task is|everything is) (done|finished|complete)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Calls:
    """What a dialogue has called.

    Attributes:
        names: The functions, also those that an assistant's text names where a client flattens the history to text.
        turns: How many messages are the assistant's.
    """

    names: frozenset[str]
    turns: int


def calls_of(messages: Iterable[Mapping[str, Any]], functions: Iterable[Function]) -> Calls:
    """What a dialogue has called of these functions."""
    said = [message for message in messages if message.get("role") == "assistant"]
    names = {name for message in said for call in _listed(message) if (name := _name(call))}
    if not names:
        known = {one.name for one in functions}
        found = (match for message in said for text in texts_of(message) for match in _CALL_IN_TEXT.finditer(text))
        names = known.intersection(name for match in found for name in match.groups())
    return Calls(frozenset(names), len(said))


def _listed(message: Mapping[str, Any]) -> Sequence[Any]:
    calls = message.get("tool_calls")
    return calls if isinstance(calls, list) else ()


def _name(call: object) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def chosen(wanted: Structure, last_role: str, asked: str, called: Calls) -> tuple[Function, ...]:
    """The functions that an answer calls; none means that it is text.

    A named function is called. `auto` calls where the last message is the user's, so that a loop ends with the tool's
    result: the function whose name and description share the most words with the question, else the first. `required`
    calls always: in that order the first that the dialogue has not called, and one that ends the work (by its name, by
    its description, or as the output model that a framework adds last) when all others were; so is it ever after. With
    `parallel_tool_calls: true`, each function whose name stands in the question is called, in the request's order.

    Args:
        wanted: What the request asks for.
        last_role: The role of the last message.
        asked: The text of the last user message.
        called: What the dialogue has called.
    """
    if wanted.named is not None:
        return (wanted.named,)
    required = wanted.choice == "required"
    may = required or (wanted.choice == "auto" and last_role == "user")
    if not may or not wanted.functions:
        return ()
    left = tuple(one for one in wanted.functions if one.name not in called.names) if required else wanted.functions
    if wanted.parallel and left:
        lowered = asked.lower()
        spoken = tuple(f for f in left if f.name.lower() in lowered or _spaced(f.name) in lowered)
        if spoken:
            return spoken
    if not required:
        return (_nearest(wanted.functions, asked),)
    ending = _ending(wanted.functions)
    others = [one for one in left if one is not ending]
    if not others:
        return (ending or wanted.functions[-1],)
    first = _nearest(others, asked)
    if called.names or last_role != "user":
        return (first,)
    order = [first, *(one for one in others if one is not first), *([ending] if ending else [])]
    return (order[min(called.turns, len(order) - 1)],)  # a history without calls: each turn of the assistant was one


def _nearest(functions: Sequence[Function], asked: str) -> Function:
    words = _words(asked)
    return max(functions, key=lambda one: len(words & _words(f"{_spaced(one.name)} {one.description}")))


def _ending(functions: Sequence[Function]) -> Function | None:
    """The function that ends the work; None where none does."""
    for one in reversed(functions):
        if _ENDS_BY_NAME.search(_spaced(one.name)) or _ENDS_BY_DESCRIPTION.search(one.description[:2000]):
            return one
    last = functions[-1]
    is_class = last.name[:1].isupper() and not any(one.name[:1].isupper() for one in functions[:-1])
    return last if is_class and len(functions) > 1 else None


def _spaced(name: str) -> str:
    """The name as words: `get_weather` and `getWeather` are `get weather`."""
    return re.sub(_HUMP, " ", name).replace("_", " ").replace("-", " ").lower()


def _words(text: str) -> set[str]:
    """The words that may tell what a text is about: long enough in Latin letters, pairs of characters in Chinese."""
    found: set[str] = set()
    for word in re.findall(_WORD, text):
        if word.isascii():
            found.add(word.lower())
        else:
            found.update(word[at : at + 2] for at in range(len(word) - 1))
    return found - _COMMON

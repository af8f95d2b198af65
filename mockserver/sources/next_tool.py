"""Which functions an answer calls: the one that fits the question, and with `required` one not called before.

A loop of an agent feeds results back until it has what it wants. Under `auto` it ends with a text. Under `required` no
answer is a text, so the loop ends only when the function comes that ends it: when all others were called.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import texts_of
from mockserver.sources.prompt_tokens import media_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockserver.pipeline.structure import Function, Structure

_WORD = "[A-Za-z]{3,}|[\u3400-\u9fff]{2,}"
_HUMP = "(?<=[a-z])(?=[A-Z])"
_COMMON = {"the", "and", "for", "get", "with", "from", "this", "that", "what", "which", "you", "are", "can", "how"}
_IDENTIFIER = r"[\w-]+"
_NAME_TOLD = r"""\bname["']?\s*[:=]\s*["']([\w-]+)["']"""
_READ_OF_A_TURN: Final = 4000
"""Characters of an assistant's text that are searched for names of functions."""
_WHOLE = r"(?:conversation|dialogue?|run|loop|task|chat|session|work|job)"
_NAME_ENDS = (
    r"^(?:done|finish(?:ed)?|end|exit|stop|terminate|complete|respond|response|answer|output|result|submit|reply|json)$"
    r"|\bfinal\b|\b(?:finish|end|terminate|complete)\b.*\b"
    + _WHOLE
    + r"\b|\b"
    + _WHOLE
    + r" (?:done|completed?|finished)"
    r"|\b(?:structured|model|formatted) (?:output|response|answer)\b"
    r"|\b(?:submit|return|give|provide|attempt) (?:the )?(?:answer|result|response|output|report|completion)\b"
)
_TEXT_ENDS = (
    r"(?i)\bfinal (?:answer|result|response|output|report)\b"
    r"|\b(?:finish|complete|end|terminate)(?:s|es)? (?:the|this|your) " + _WHOLE + r"\b"
    r"|\bwhen (?:you are|you're|everything is|all is|the \w+ is) (?:done|finished|completed?|ready to answer)\b"
    r"|最终(?:的)?(?:答案|结果|回答|输出)|结束(?:对话|任务|会话)|任务完成|完成任务"
)


def chosen(wanted: Structure, messages: Sequence[Mapping[str, Any]], asked: str) -> tuple[Function, ...]:
    """The functions that an answer calls; none means that it is text.

    A named function is called. `required` calls always, `auto` where the user has asked last, so that a loop of an
    agent ends with the tool's result. One call is made, of the function whose name and description share the
    most words with the question, else of the first. With `parallel_tool_calls: true`, each function whose
    name stands in the question is called, in the request's order. With `required`, what this dialogue has called
    waits until all have been called, and what ends a loop comes last of them; of several, the last in the request.

    Args:
        wanted: What the request asks for.
        messages: The dialogue.
        asked: The text of the last user message.
    """
    if wanted.named is not None:
        return (wanted.named,)
    if not wanted.functions:
        return ()
    functions = wanted.functions
    if wanted.choice == "required":
        functions, asked = _next(functions, messages, asked)
    elif wanted.choice == "none" or not _user_asks(messages):
        return ()
    if wanted.parallel:
        lowered = asked.lower()
        spoken = tuple(f for f in functions if f.name.lower() in lowered or _spaced(f.name) in lowered)
        if spoken:
            return spoken
    return (max(functions, key=_fit(asked)),)


def _user_asks(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last message is a question of the user.

    It is none where it brings the pictures of a tool's result: a `tool` message has no place for them, so libraries
    send them behind it in the user's name.
    """
    brings_media = False
    for message in reversed(messages):
        role = message.get("role", "user")
        if role != "user" or not media_parts(message):
            return role == "user" or (brings_media and role != "tool")
        brings_media = True
    return True


def ends(functions: Sequence[Function]) -> tuple[Function, ...]:
    """The functions that end a loop, in the request's order.

    Their name or their description says so; else it is the last one, where it alone is named like a class (`Person`
    after `get_weather`): libraries add the model of the output behind the tools.
    """
    told = tuple(
        one for one in functions if re.search(_NAME_ENDS, _spaced(one.name)) or re.search(_TEXT_ENDS, one.description)
    )
    if told:
        return told
    *others, last = functions
    is_output = last.name[0].isupper() and not any(one.name[0].isupper() for one in others)
    return (last,) if is_output else ()


def _next(
    functions: tuple[Function, ...], messages: Sequence[Mapping[str, Any]], asked: str
) -> tuple[tuple[Function, ...], str]:
    """The functions of which one is due, and the question that decides among them.

    Each turn of the assistant tells what was called: by its calls; where no turn has any, since a library wrote the
    dialogue as plain text, by the names in its text; where it has none, it was the call that was due.
    """
    last = ends(functions)
    closing = last[-1].name if last else None
    names = {one.name for one in functions}
    turns = [message for message in messages if message.get("role") == "assistant"]
    calls = [_called(turn) for turn in turns]
    told = [[name for name in called if name in names] for called in calls]
    shown = any(calls)
    if not shown:
        told = [_named(turn, names) for turn in turns]
        if not all(told):
            asked = _first_question(messages)
    fit = _fit(asked)
    order = (
        [one.name for one in sorted(functions, key=lambda one: (one in last, one.name == closing, -fit(one)))]
        if turns
        else []
    )
    seen: set[str] = set()
    due = 0
    for turn in told:
        if not turn and not shown:
            while order[due] in seen:
                due += 1
            turn = [order[due]]  # noqa: PLW2901 - what an unnamed turn was
        for name in turn:
            seen.add(name)
            if name == closing or len(seen) == len(names):  # a round is over
                seen.clear()
                due = 0
    left = tuple(one for one in functions if one.name not in seen)
    others = tuple(one for one in left if one not in last) or tuple(one for one in left if one.name != closing)
    return others or left, asked


def _called(turn: Mapping[str, Any]) -> list[str]:
    """The names of the functions that a turn of the assistant calls, in today's form or in that before it."""
    calls = turn.get("tool_calls")
    entries = [*(calls if isinstance(calls, list) else ()), {"function": turn.get("function_call")}]
    functions = [entry.get("function") for entry in entries if isinstance(entry, dict)]
    names = [function.get("name") for function in functions if isinstance(function, dict)]
    return [name for name in names if isinstance(name, str)]


def _named(turn: Mapping[str, Any], names: set[str]) -> list[str]:
    """The functions whose names stand in what a turn says."""
    said = "".join(texts_of(turn))[:_READ_OF_A_TURN]
    told = names.intersection(re.findall(_NAME_TOLD, said)) or names.intersection(re.findall(_IDENTIFIER, said))
    return sorted(told)


def _first_question(messages: Sequence[Mapping[str, Any]]) -> str:
    """What the user said last before the first answer."""
    question = ""
    for message in messages:
        role = message.get("role", "user")
        if role == "assistant":
            break
        if role == "user":
            question = "".join(texts_of(message))
    return question


def _fit(asked: str) -> Any:
    """A measure of how well a function fits a question: how many words they share."""
    words = _words(asked)
    return lambda function: len(words & _words(f"{_spaced(function.name)} {function.description}"))


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

"""The way back, after `read`: whether what came is a whole answer, and whether it can be said anew.

The body decides, not the status alone: a stream with status 200 may hold an error, or never come to an end. What is
found here is told in words, since it is what the log and the journal say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.exchange import Ending
from mockserver.core.immutable import immutable
from mockserver.pipeline.coding import body_of
from mockserver.pipeline.frame import BOM
from mockserver.pipeline.read import ReadBody, choices_in, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.core.exchange import Plan
    from mockserver.pipeline.frame import Json

_ERROR_KEYS: Final = ("error", "errors", "error_code", "error_msg", "error_message")
_ERROR_EVENT: Final = re.compile(rb"(?:\A|[\r\n])event:[ \t]*[^\r\n]{0,40}error", re.IGNORECASE)
_MORE_SPEECH: Final = ("refusal", "function_call", "audio", "images", "annotations")
"""Keys of a delta or a message that say something for which `Answer` has no place."""


@immutable(frozen=True, slots=True)
class Judgement:
    """What a recorded answer is.

    Attributes:
        failure: Why it is no whole answer; empty where it is one.
        unsayable: Why it cannot be said anew without losing something; empty where it can.
    """

    failure: str = ""
    unsayable: str = ""

    @property
    def why(self) -> str:
        """Why it is played as it came; empty where it can be said anew."""
        return self.failure or self.unsayable


def judge(plan: Plan) -> Judgement:
    """What a plan's answer is; never raises."""
    if plan.status != 200:
        return Judgement(f"its status is {plan.status}")
    if plan.ending is not Ending.COMPLETE:
        return Judgement(f"it ended as {plan.ending}")
    try:
        data = body_of(plan)
    except ValueError as error:
        return Judgement(str(error))
    if not data.strip():
        return Judgement("its body is empty")
    if _ERROR_EVENT.search(data.removeprefix(BOM)):
        return Judgement("an event of it is named error")
    body = read(data)
    failure = next(_failures(body), "")
    return Judgement(failure, "" if failure else next(_unsayable(body.objects), ""))


def _failures(body: ReadBody) -> Iterator[str]:
    for number, one in enumerate(body.objects, 1):
        named = next((key for key in _ERROR_KEYS if one.get(key)), None)
        if named is not None:
            yield f"object {number} of its body holds {named!r}"
        elif not isinstance(one.get("choices"), list) and not ("choices" not in one and one.get("usage")):
            seen = "is no list" if "choices" in one else "are missing"
            yield f"choices {seen} in object {number} of its body"
        elif any(choice.get("error") for choice in choices_in(one)):
            yield f"a choice in object {number} of its body holds 'error'"
    if body.problem:
        yield body.problem
    choices = (choice for one in body.objects for choice in choices_in(one))
    if not any(isinstance(choice.get("finish_reason"), str) and choice["finish_reason"] for choice in choices):
        if not body.objects:
            yield "its body holds no completion"
        elif not body.blocked:
            yield "it never had a finish_reason"


def _unsayable(objects: list[Json]) -> Iterator[str]:
    calls: dict[int, tuple[str, str]] = {}
    for number, one in enumerate(objects, 1):
        choices = one.get("choices") or []
        where = f"object {number} of its body"
        if len(choices) > 1:
            yield f"{where} has {len(choices)} choices"
        for choice in choices:
            if not isinstance(choice, dict):
                yield f"a choice in {where} is no object"
                continue
            index = choice.get("index")
            if index is not None and (type(index) is not int or index):
                yield f"{where} has the choice index {str(index)[:20]!r}"
            yield from (f"{told} in {where}" for told in _unsaid(choice, calls))


def _unsaid(choice: Json, calls: dict[int, tuple[str, str]]) -> Iterator[str]:
    """What of a choice would be lost."""
    both = [key for key in ("delta", "message") if choice.get(key)]
    if len(both) > 1:
        yield "both delta and message"
    if choice.get("text"):
        yield "text beside the message"
    for key in both:
        said = choice[key]
        if not isinstance(said, dict):
            yield f"{key} is no object"
            continue
        yield from (f"{name} is said" for name in _MORE_SPEECH if said.get(name))
        thoughts = [said.get("reasoning_content"), said.get("reasoning"), choice.get("reasoning_content")]
        for name, value in (("content", said.get("content")), *(("reasoning", one) for one in thoughts)):
            if value and not isinstance(value, str):
                yield f"{name} is no text"
        if len({one for one in thoughts if isinstance(one, str) and one}) > 1:
            yield "two different reasonings"
        yield from _odd_calls(said.get("tool_calls"), calls)


def _odd_calls(parts: Any, calls: dict[int, tuple[str, str]]) -> Iterator[str]:
    """What keeps calls of functions from being put together: each index has one id, one name and text as arguments."""
    if not parts:
        return
    if not isinstance(parts, list):
        yield "tool_calls is no list"
        return
    for place, part in enumerate(parts):
        function = part.get("function") if isinstance(part, dict) else None
        index = part.get("index", place) if isinstance(part, dict) else None
        if index is None:
            index = place
        if not isinstance(part, dict) or not isinstance(function or {}, dict) or type(index) is not int:
            yield "a call that cannot be read"
            continue
        function = function or {}
        if function.get("arguments") and not isinstance(function["arguments"], str):
            yield "arguments that are no text"
        sent = str(part.get("id") or ""), str(function.get("name") or "")
        known = calls.get(index, ("", ""))
        if any(old and new and old != new for old, new in zip(known, sent, strict=True)):
            yield "a second call with the same index, or a name in pieces"
        calls[index] = known[0] or sent[0], known[1] or sent[1]

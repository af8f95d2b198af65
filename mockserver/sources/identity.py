"""The ids of a fixture's answer: its own in the first answer of a dialogue, new ones in the later ones.

A client may take `id` for the identity of a message (LangGraph.js does), and the id of a call for that of its result:
an answer whose id the dialogue already holds would take the place of the earlier one, without an error.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockserver.core.exchange import Answer


def identified(answer: Answer, messages: Sequence[Mapping[str, Any]]) -> Answer:
    """The answer, without its own `id` and `created` in a later turn of a dialogue, and no id of a call given twice.

    Args:
        answer: What a fixture says.
        messages: The dialogue that it answers.
    """
    turns = [message for message in messages if message.get("role") == "assistant"]
    if turns:
        answer = replace(answer, id=None, created=None)
    if turns and answer.tool_calls:
        given = {one for turn in turns for one in _ids(turn.get("tool_calls"))}
        calls = tuple(
            replace(call, id=_derived(call.id, len(turns))) if call.id in given else call for call in answer.tool_calls
        )
        answer = replace(answer, tool_calls=calls)
    return answer


def _ids(calls: object) -> list[str]:
    """The ids of the calls of a turn, as far as they are texts."""
    ids = [call.get("id") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [one for one in ids if isinstance(one, str)]


def _derived(given: str, turns: int) -> str:
    """An id for the same call in a later turn."""
    return "call_" + hashlib.blake2b(f"{turns}:{given}".encode(), digest_size=12).hexdigest()

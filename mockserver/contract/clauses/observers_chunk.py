"""What the chunks of one exchange show of the axes of the stages `shape` and `chunk`; the table is last.

As in `observers_frame`: the value that is seen, text where no quirk has it, None where this exchange cannot show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.reading import MIXED, one_of
from mockserver.core.errors import shown
from mockserver.core.route import parse
from mockserver.pipeline.chunk import REASONING_KEYS, USAGE_ORDERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.contract.clauses.reading import Reading, Shown
    from mockserver.pipeline.frame import Json

_FEWEST_CHUNKS: Final = 3  # with fewer, first and last are all there are


# --- shape --------------------------------------------------------------------------------------------------------


def _place(present: list[bool]) -> str | None:
    if not any(present):
        return "never" if present else None
    if all(present):
        return "every" if len(present) >= _FEWEST_CHUNKS else None
    if present[0] and not any(present[1:]):
        return "first"
    return "last" if present[-1] and not any(present[:-1]) else MIXED


def _placement(key: str) -> Callable[[Reading], Shown]:
    return lambda r: _place([key in chunk for chunk in r.chunks]) if r.whole else None


def _usage(r: Reading) -> Shown:
    if r.whole and _in_choice(r):
        return "last"
    place = _place([bool(chunk.get("usage")) for chunk in r.chunks]) if r.whole else None
    return None if place == "never" and (r.blocked or not r.wants_usage) else place


def _role(r: Reading) -> Shown:
    present = [bool(delta.get("role")) for delta in r.said] if r.whole else []
    if len(present) < _FEWEST_CHUNKS and r.finishes and any(present):
        return None  # the first chunk is all that is before the finish
    place = _place(present)
    if place == MIXED and r.finishes and present == [number < r.finishes[0] for number in range(len(present))]:
        return "before-finish"
    return place


def _role_elsewhere(r: Reading) -> Shown:
    if not r.whole:
        return None
    return one_of(_unsaid(delta, "role") for delta in r.said if not delta.get("role"))


def _finish_reason_open(r: Reading) -> Shown:
    if not r.whole or not r.finishes:
        return None
    return one_of(_unsaid(choice, "finish_reason") for _, choice in r.choices[: r.finishes[0]])


def _unsaid(one: Json, key: str) -> str:
    """How a value that is not there is written: absent, null, empty (a text), or mixed for what is no such thing."""
    if key not in one:
        return "absent"
    return "null" if one[key] is None else "empty" if one[key] == "" else MIXED


def _usage_when(r: Reading) -> Shown:
    if not r.whole or r.wants_usage or r.blocked:
        return None
    if r.usages:
        return "always"
    return "on-request"  # one exchange cannot tell it from never; learn, which sees all, does


def _usage_elsewhere(r: Reading) -> Shown:
    if not r.whole or r.blocked or _in_choice(r) or not (r.usages or r.wants_usage):
        return None
    found = {_without_counts(chunk) for chunk in r.chunks if not chunk.get("usage")}
    if not r.usages:
        found -= {"absent"}  # where no usage comes, the key may be missing for another reason
    return one_of(found)


def _usage_unasked(r: Reading) -> Shown:
    if not r.whole or r.blocked or r.wants_usage or r.usages:
        return None
    found = {_without_counts(chunk) for chunk in r.chunks}
    return found.pop() if len(found) == 1 else MIXED


def _without_counts(chunk: Json) -> str:
    return "object" if chunk.get("usage") == {} else _unsaid(chunk, "usage")


def _usage_choices(r: Reading) -> Shown:
    if _usage_chunk(r) != "own":
        return None
    if not r.chunks[-1].get("choices"):
        return "none"
    return "silent" if r.said and r.said[-1].get("content") == "" else "one"


def _choice_index(r: Reading) -> Shown:
    if not r.whole or not r.choices:
        return None
    found = [choice.get("index", "absent") for _, choice in r.choices]
    if found == ["absent"] * len(found):
        return "absent"
    if len(found) > 1 and found == list(range(len(found))):
        return "counts-up"
    return "zero" if found == [0] * len(found) else MIXED


def _message(r: Reading) -> Shown:
    return any("message" in choice and "delta" in choice for _, choice in r.choices) if r.whole and r.choices else None


# --- chunk --------------------------------------------------------------------------------------------------------


def _speaks(delta: Json) -> bool:
    return any(delta.get(key) for key in ("content", "tool_calls", *REASONING_KEYS))


def _thinks(one: Json) -> bool:
    return any(one.get(key) for key in REASONING_KEYS)


def _in_choice(r: Reading) -> bool:
    """Whether usage stands in a choice."""
    return any(isinstance(choice.get("usage"), dict) for _, choice in r.choices)


def _usage_chunk(r: Reading) -> Shown:
    last = r.chunks[-1] if r.whole and r.chunks else {}
    choices = last.get("choices")
    if r.whole and _in_choice(r):
        return "choice"
    if "usage" not in last or choices is None:
        return None
    if not choices:
        return "own"
    if not last["usage"]:
        return None
    return "own" if r.finishes and r.finishes[-1] < len(r.choices) - 1 else "finish"


def _usage_order(r: Reading) -> Shown:
    if not r.answered or not r.usage:
        return None
    names = [key.removesuffix("_tokens") for key in r.usage]
    order = tuple(name for name in names if name in USAGE_ORDERS["total-last"])
    return next((value for value, due in USAGE_ORDERS.items() if due == order), " ".join(order))


def _usage_details(r: Reading) -> Shown:
    if not r.answered or not r.usage:
        return None
    if "prompt_tokens_details" not in r.usage:
        return "absent"
    details = r.usage["prompt_tokens_details"]
    return "null" if details is None else "object" if isinstance(details, dict) else shown(details)


def _role_chunk(r: Reading) -> Shown:
    if not r.whole or r.blocked or not r.said or not (r.text or r.said[0].get("content") == ""):
        return None  # what the role's chunk has beside a call of a function is another matter
    first = r.said[0]
    if not any(delta.get("role") for delta in r.said):
        return "merged" if _speaks(first) else None  # no role, so no place of it, but no chunk is kept free for it
    if _speaks(first) or _thinks(r.choices[0][1]):
        return "merged"
    if first.get("content") == "" and _empty_deltas(r) and r.said[1:2] and r.said[1].get("content"):
        return "merged"  # with the empty piece before the first one
    return {"empty": "with-content", "null": "with-null", "absent": "alone"}.get(_unsaid(first, "content"), MIXED)


def _finish_chunk(r: Reading) -> Shown:
    if not r.whole or r.blocked or not r.finishes or not any(map(_speaks, r.said)):
        return None
    return "merged" if _speaks(r.said[r.finishes[0]]) else "own"


def _finish_delta(r: Reading) -> Shown:
    if not r.whole or not r.finishes or _speaks(r.said[r.finishes[0]]):
        return None
    return {"empty": "content", "absent": "empty"}.get(unsaid := _unsaid(r.said[r.finishes[0]], "content"), unsaid)


def _one_chunk(r: Reading) -> Shown:
    if not r.whole or r.blocked or len(r.text) < 12:
        return None
    return sum(bool(delta.get("content")) for delta in r.said) == 1


def _empty_deltas(r: Reading) -> Shown:
    if not r.whole or not r.text:
        return None
    between = [
        delta
        for number, ((chunk, choice), delta) in enumerate(zip(r.choices, r.said, strict=True))
        if 0 < number < (r.finishes or [len(r.choices)])[0] and "blocked" not in chunk
        if delta.get("content") or not (_speaks(delta) or any(choice.get(key) for key in REASONING_KEYS))
    ]  # an empty content beside a thought or a call is what those have beside them
    return any(delta.get("content") == "" for delta in between) if between else None


def _logprobs(r: Reading) -> Shown:
    if not r.answered or not r.choices:
        return None
    found = [choice["logprobs"] for _, choice in r.choices if "logprobs" in choice]
    return "object" if any(found) else bool(found)


def _reasoning(r: Reading) -> Shown:
    if not r.answered:
        return None
    if any(map(_thinks, r.said)):
        return "delta"
    if any(_thinks(choice) for _, choice in r.choices):
        return "choice"
    return "think-tags" if r.text.lstrip().startswith("<think>") else None


def _reasoning_key(r: Reading) -> Shown:
    if not r.answered:
        return None
    places = [*r.said, *(choice for _, choice in r.choices)]
    found = [key for key in REASONING_KEYS if any(place.get(key) for place in places)]
    return ("both" if len(found) > 1 else found[0]) if found else None


def _thoughts(r: Reading) -> list[Json]:
    """The deltas of a whole stream that carry reasoning, or stand beside it."""
    both = zip(r.choices, r.said, strict=True)
    return [delta for (_, choice), delta in both if _thinks(delta) or _thinks(choice)] if r.whole else []


def _reasoning_end(r: Reading) -> Shown:
    thoughts = _thoughts(r)
    if not thoughts or not r.text:
        return None
    return "merged" if any(delta.get("content") for delta in thoughts) else "apart"


def _content_beside_reasoning(r: Reading) -> Shown:
    return one_of(_unsaid(delta, "content") for delta in _thoughts(r) if not delta.get("content"))


def _model_echo(r: Reading) -> Shown:
    found = [one["model"] for one in r.objects if "model" in one] if r.answered else []
    route = parse(r.exchange.request.path)
    due = [one for one in (r.asked.get("model"), route and route.model) if isinstance(one, str) and one]
    if not found or not due:
        return None
    echoed = found[0]
    if echoed in due:
        return "{model}"
    if not isinstance(echoed, str):
        return "null" if echoed is None else MIXED
    return echoed.replace(due[0], "{model}")


def _blocked_chunk(r: Reading) -> Shown:
    if not r.whole or not r.blocked or not r.text:
        return None
    return "merged" if r.said[-1].get("content") else "own"


def _blocked_finish(r: Reading) -> Shown:
    if not r.answered or not r.blocked or not r.choices:
        return None
    return r.choices[-1][1].get("finish_reason") or "null"


def _blocked_usage(r: Reading) -> Shown:
    if not r.answered or not r.blocked or not r.complete or r.problem:
        return None
    if r.streamed and not r.usages and not r.wants_usage:
        return None  # it may be that usage is reported on request alone
    return bool(r.usages)


def _blocked_text(r: Reading) -> Shown:
    if r.completion is None or not r.blocked or not r.choices:
        return None
    if r.text:
        return "kept"
    if any(one.get("reasoning_content") for _, choice in r.choices for one in (choice, *r.said)):
        return None  # the review may have stopped the thought, before there was a text to keep
    return "emptied" if _number(r.usage.get("completion_tokens")) > 1 else None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


OBSERVERS: Final[dict[tuple[str, str], Callable[[Reading], Shown]]] = {
    ("shape", "id"): _placement("id"),
    ("shape", "object"): _placement("object"),
    ("shape", "created"): _placement("created"),
    ("shape", "model"): _placement("model"),
    ("shape", "usage"): _usage,
    ("shape", "role"): _role,
    ("shape", "role_elsewhere"): _role_elsewhere,
    ("shape", "finish_reason_open"): _finish_reason_open,
    ("shape", "usage_when"): _usage_when,
    ("shape", "usage_elsewhere"): _usage_elsewhere,
    ("shape", "usage_unasked"): _usage_unasked,
    ("shape", "usage_choices"): _usage_choices,
    ("shape", "choice_index"): _choice_index,
    ("shape", "message"): _message,
    ("chunk", "usage_chunk"): _usage_chunk,
    ("chunk", "usage_order"): _usage_order,
    ("chunk", "usage_details"): _usage_details,
    ("chunk", "role_chunk"): _role_chunk,
    ("chunk", "finish_chunk"): _finish_chunk,
    ("chunk", "finish_delta"): _finish_delta,
    ("chunk", "one_chunk"): _one_chunk,
    ("chunk", "empty_deltas"): _empty_deltas,
    ("chunk", "logprobs"): _logprobs,
    ("chunk", "reasoning"): _reasoning,
    ("chunk", "reasoning_key"): _reasoning_key,
    ("chunk", "reasoning_end"): _reasoning_end,
    ("chunk", "content_beside_reasoning"): _content_beside_reasoning,
    ("chunk", "model_echo"): _model_echo,
    ("chunk", "blocked_chunk"): _blocked_chunk,
    ("chunk", "blocked_finish"): _blocked_finish,
    ("chunk", "blocked_usage"): _blocked_usage,
    ("chunk", "blocked_text"): _blocked_text,
}

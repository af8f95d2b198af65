"""Clauses over two exchanges: the same question asked in another way, and what must then be alike.

The answer to a question is not known, but how two answers relate is. Each relation makes a twin of a request's body
and compares what came. A model that is not deterministic may break those on text without being wrong, so they are
`observed`; those on status and counts are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.clauses.clause import (
    NOT_APPLICABLE,
    Severity,
    Verdict,
    by_claim,
    by_field,
    claim_of,
    holds_if,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.contract.clauses.clause import Context
    from mockserver.contract.clauses.reading import Reading
    from mockserver.pipeline.frame import Json


@dataclass(frozen=True, slots=True)
class Relation:
    """One clause over a request and its twin.

    Attributes:
        id: What people type.
        sentence: What holds.
        source: Which document says so.
        severity: How much it weighs.
        twin: Makes the second body of the first; it changes nothing in place.
        compare: Looks at both exchanges, the first one's reading first.
        weigh: How much it weighs in a context, where that depends on a claim of the edition; None goes by its source.
    """

    id: str
    sentence: str
    source: str
    severity: Severity
    twin: Callable[[Json], Json]
    compare: Callable[[Reading, Reading], Verdict]
    weigh: Callable[[Context], Severity] | None = None

    def weight(self, context: Context) -> Severity:
        """How much it weighs where it is measured against this."""
        return self.weigh(context) if self.weigh else by_claim(claim_of(self.source), self.severity)


def streamed_twin(body: Json) -> Json:
    """The same question, streamed if it was not."""
    return {**body, "stream": not body.get("stream", False)}


def with_unknown_fields(body: Json) -> Json:
    """The same question with fields that no document has."""
    return {**body, "temperture": 0.5, "x_unknown": {"nested": [1, None, "文字"]}}


def reordered(body: Json) -> Json:
    """The same question with its keys the other way round."""
    return {key: _reordered(value) for key, value in reversed(body.items())}


def _reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return reordered(value)
    return [_reordered(one) for one in value] if isinstance(value, list) else value


def shorter(body: Json) -> Json:
    """The same question with a sixteenth of the tokens."""
    return {**body, "max_tokens": max((body.get("max_tokens") or 0) // 16, 1)}


def with_nulls(body: Json) -> Json:
    """The same question with optional fields that are null."""
    return {**body, "temperature": None, "max_tokens": body.get("max_tokens"), "top_p": None}


def same_text(first: Reading, second: Reading) -> Verdict:
    """Both texts are alike."""
    if not all(one.whole or one.completion for one in (first, second)) or first.blocked or second.blocked:
        return NOT_APPLICABLE  # one that is cut or cannot be read breaks other clauses
    return holds_if(first.text == second.text, f"the texts differ: {first.text[:40]!r} and {second.text[:40]!r}")


def same_status(first: Reading, second: Reading) -> Verdict:
    """Both are answered alike."""
    return holds_if(first.status == second.status, f"status {first.status}, and {second.status} for the twin")


def no_longer(first: Reading, second: Reading) -> Verdict:
    """The second has no more tokens than the first."""
    one, other = first.usage.get("completion_tokens"), second.usage.get("completion_tokens")
    if not isinstance(one, int) or not isinstance(other, int):
        return NOT_APPLICABLE
    return holds_if(other <= one, f"completion_tokens is {one}, and {other} with a smaller max_tokens")


def told_where_cut(first: Reading, second: Reading) -> Verdict:
    """The second, which was allowed fewer tokens than the first took, says that its length ended it."""
    limit, full = second.asked.get("max_tokens"), first.usage.get("completion_tokens")
    ended = all(one.whole or one.completion for one in (first, second))
    ended = ended and second.finish_reason is not None  # without one other clauses are broken
    if not ended or first.blocked or second.blocked or type(full) is not int or type(limit) is not int or full <= limit:
        return NOT_APPLICABLE
    why = f"the answer has {full} tokens, {limit} are allowed; finish_reason is {second.finish_reason!r}, due 'length'"
    return holds_if(second.finish_reason == "length", why)


def same_finish(first: Reading, second: Reading) -> Verdict:
    """The same text of as many tokens has the same finish reason."""
    counts = [one.usage.get("completion_tokens") for one in (first, second)]
    reasons = [one.finish_reason for one in (first, second)]
    alike = first.text == second.text and counts[0] == counts[1] and type(counts[0]) is int
    if not first.text or not alike or first.blocked or second.blocked or None in reasons:
        return NOT_APPLICABLE
    told = f"finish_reason {reasons[0]!r}, and {reasons[1]!r} for the same text of {counts[0]} tokens"
    return holds_if(reasons[0] == reasons[1], told)


def other_ids(first: Reading, second: Reading) -> Verdict:
    """Each answer has an id of its own."""
    one, other = (next((found["id"] for found in r.objects if found.get("id")), None) for r in (first, second))
    if not (first.answered and second.answered) or not isinstance(one, str) or not isinstance(other, str):
        return NOT_APPLICABLE
    return holds_if(one != other, f"two answers have the id {one!r}")


def other_traces(first: Reading, second: Reading) -> Verdict:
    """Each response has a traceresponse of its own."""
    one, other = (r.headers.get("traceresponse") for r in (first, second))
    return NOT_APPLICABLE if not one or not other else holds_if(one != other, f"two responses have traceresponse {one}")


def other_prompt(first: Reading, second: Reading) -> Verdict:
    """The second dialogue counts another number of prompt tokens."""
    one, other = (r.usage.get("prompt_tokens") for r in (first, second))
    if type(one) is not int or type(other) is not int:
        return NOT_APPLICABLE
    return holds_if(one != other, f"prompt_tokens is {one}, and {other} with a system message")


def same_completion(first: Reading, second: Reading) -> Verdict:
    """The same text has the same completion tokens."""
    one, other = first.usage.get("completion_tokens"), second.usage.get("completion_tokens")
    if not first.text or first.text != second.text or type(one) is not int or type(other) is not int:
        return NOT_APPLICABLE
    if not one or not other:
        return NOT_APPLICABLE  # usage that comes before the text cannot count it
    return holds_if(one == other, f"completion_tokens {one}, and {other} for the same text")


def prompt_grows(first: Reading, second: Reading) -> Verdict:
    """A dialogue's next turn has more prompt tokens."""
    one, other = first.usage.get("prompt_tokens"), second.usage.get("prompt_tokens")
    if not isinstance(one, int) or not isinstance(other, int):
        return NOT_APPLICABLE
    return holds_if(other > one, f"prompt_tokens {one}, and {other} for the longer dialogue")


def same_prompt(first: Reading, second: Reading) -> Verdict:
    """The same dialogue has the same prompt tokens."""
    one, other = first.usage.get("prompt_tokens"), second.usage.get("prompt_tokens")
    if not isinstance(one, int) or not isinstance(other, int):
        return NOT_APPLICABLE
    return holds_if(other == one, f"prompt_tokens {one}, and {other} for the same dialogue")


_SEED = "seeded, temperature 0: the same request gives the same answer"
_UNKNOWN = "live observation: clients send fields that no document has, and are not refused"

RELATIONS: Final[tuple[Relation, ...]] = (
    Relation("stream-is-body", "A stream says what the body says.", _SEED, Severity.OBSERVED, streamed_twin, same_text),
    Relation(
        "stream-counts-alike",
        "A stream counts the prompt as the body does.",
        "tutorial of 2024, both samples: 22",
        Severity.SHOULD,
        streamed_twin,
        same_prompt,
    ),
    Relation(
        "stream-completion-alike",
        "A stream counts the same text as the body does.",
        "tutorial of 2024, both samples counted: pieces and the end token",
        Severity.SHOULD,
        streamed_twin,
        same_completion,
    ),
    Relation(
        "stream-finish-alike",
        "A stream ends for the reason for which the same body does.",
        "API reference of late 2025, finish_reason",
        Severity.SHOULD,
        streamed_twin,
        same_finish,
    ),
    Relation(
        "fresh-id",
        "Two answers have two ids.",
        "clients: they keep what they said by it; no document promises it",
        Severity.OBSERVED,
        with_nulls,
        other_ids,
    ),
    Relation(
        "fresh-trace",
        "Two responses have two trace ids.",
        "clients: they tell responses apart by it; no document of the service promises it",
        Severity.OBSERVED,
        with_nulls,
        other_traces,
    ),
    Relation(
        "length-where-cut",
        "An answer that max_tokens cut has finish_reason length.",
        "API reference of late 2025, finish_reason",
        Severity.MUST,
        shorter,
        told_where_cut,
        by_field("max_tokens", Severity.MUST),
    ),
    Relation(
        "unknown-fields", "Unknown fields are tolerated.", _UNKNOWN, Severity.SHOULD, with_unknown_fields, same_status
    ),
    Relation(
        "key-order", "The order of keys does not matter.", "RFC 8259, section 4", Severity.MUST, reordered, same_status
    ),
    Relation(
        "key-order-text", "The order of keys does not change the text.", _SEED, Severity.OBSERVED, reordered, same_text
    ),
    Relation(
        "null-is-absent",
        "null in an optional field is as if it were absent.",
        "API reference of late 2025, request body",
        Severity.SHOULD,
        with_nulls,
        same_status,
        by_field("temperature", Severity.SHOULD),
    ),
    Relation(
        "max-tokens-monotone",
        "A smaller max_tokens gives no longer answer.",
        "API reference of late 2025, max_tokens",
        Severity.MUST,
        shorter,
        no_longer,
        by_field("max_tokens", Severity.MUST),
    ),
)

DIALOGUE: Final = Relation(
    "dialogue-grows",
    "Each turn of a dialogue has more prompt tokens than the one before.",
    "tutorial of 2024, multi-turn",
    Severity.SHOULD,
    lambda body: body,
    prompt_grows,
)

SYSTEM: Final = Relation(
    "system-counts",
    "A system message changes how many tokens the prompt has.",
    "tutorial of 2024, single turn with a system message; it may stand for one of the model's own, of any length",
    Severity.OBSERVED,
    lambda body: body,
    other_prompt,
)
"""Over a question and the same with a system message."""

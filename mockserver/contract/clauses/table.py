"""The contract: the table of its clauses. Each is a function over one exchange; `relations.py` has those over two."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses import answer, refusal, stream
from mockserver.contract.clauses.clause import NOT_APPLICABLE, Check, Severity, by_claim, by_field, word_of
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.relations import DIALOGUE, RELATIONS, SYSTEM, Relation
from mockserver.contract.clauses.wire_form import WIRE_CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.contract.clauses.clause import Context, Verdict
    from mockserver.core.exchange import Exchange

_MUST, _SHOULD, _OBSERVED = Severity.MUST, Severity.SHOULD, Severity.OBSERVED
_TUTORIAL = "tutorial of 2024"
_REFERENCE = "API reference of late 2025"


def _clause(
    name: str,
    severity: Severity,
    judge: Callable[[Reading, Context], Verdict],
    source: str,
    weigh: Callable[[Context], Severity] | None = None,
) -> Check:
    """One row; the sentence is the function's docstring on one line, so that it stands beside what it says."""
    return Check(name, " ".join((judge.__doc__ or name).split()), source, severity, judge, weigh)


CHECKS: Final[tuple[Check, ...]] = (
    _clause(
        "status",
        _MUST,
        answer.status,
        "edition: errors; the service's error table",
        answer.weigh_status,
    ),
    _clause("ends", _MUST, answer.ends, "RFC 9112, section 8"),
    _clause("utf8", _MUST, answer.utf8, "RFC 8259, section 8.1; WHATWG HTML, event streams"),
    _clause("readable", _MUST, answer.readable, "RFC 8259; WHATWG HTML, event streams"),
    _clause("unique-keys", _SHOULD, answer.unique_keys, "RFC 8259, section 4: names should be unique"),
    _clause("as-asked", _MUST, answer.as_asked, f"{_TUTORIAL}, single turn, both forms"),
    _clause("body-type", _MUST, answer.body_type, f"{_REFERENCE}, responses"),
    _clause("content-length", _MUST, answer.content_length, "RFC 9110, section 8.6"),
    _clause("completion-shape", _MUST, answer.completion_shape, f"{_TUTORIAL}, sample of a body"),
    _clause("chunk-shape", _MUST, stream.chunk_shape, f"{_TUTORIAL}, sample of a stream"),
    _clause("known-keys", _OBSERVED, answer.known_keys, f"{_REFERENCE}, schema of the response"),
    _clause("one-choice", _MUST, answer.one_choice, f"{_REFERENCE}, n: minimum 1, maximum 1"),
    _clause("one-identity", _MUST, answer.one_identity, f"{_TUTORIAL}, sample of a stream"),
    _clause("created", _MUST, answer.created, f"{_REFERENCE}, created"),
    _clause(
        "model-echo",
        _SHOULD,
        answer.model_echo,
        f"{_REFERENCE}, model: the model of this request",
        lambda context: by_claim(context.claim, _SHOULD),
    ),
    _clause("role", _MUST, stream.role, f"{_TUTORIAL}, sample of a stream"),
    _clause("says-something", _MUST, answer.says_something, f"{_TUTORIAL}, both samples counted"),
    _clause("finish-value", _MUST, answer.finish_value, f"{_REFERENCE}, finish_reason; tool_calls as observed"),
    _clause("finish-once", _MUST, stream.finish_once, f"{_TUTORIAL}, sample of a stream"),
    _clause("finish-last", _MUST, stream.finish_last, f"{_TUTORIAL}, sample of a stream"),
    _clause("done-last", _MUST, stream.done_last, f"{_REFERENCE}, stream: the last segment is [DONE]"),
    _clause(
        "usage-asked", _SHOULD, stream.usage_asked, f"{_TUTORIAL}, last line of the stream; stream_options as observed"
    ),
    _clause("usage-once", _SHOULD, stream.usage_once, f"{_TUTORIAL}, sample of a stream"),
    _clause("usage-adds-up", _MUST, answer.usage_adds_up, f"{_TUTORIAL}, both samples"),
    _clause("completion-count", _OBSERVED, stream.completion_count, f"{_TUTORIAL}, both samples counted"),
    _clause(
        "key-order-printed",
        _SHOULD,
        answer.key_order,
        f"{_TUTORIAL}, both samples; {_REFERENCE}, schema",
        lambda context: by_claim(context.edition.file.key_order.claim, _SHOULD),
    ),
    _clause(
        "announced", _MUST, stream.announced, f"{_TUTORIAL}, IMPORTANT; {_REFERENCE}, stream", stream.weigh_announced
    ),
    _clause("trace-form", _SHOULD, answer.trace_form, "live observation of 2026; W3C Trace Context, version 00"),
    _clause("limit-kept", _MUST, answer.limit_kept, f"{_REFERENCE}, max_tokens", by_field("max_tokens", _MUST)),
    _clause("stop-kept", _MUST, answer.stop_kept, f"{_REFERENCE}, stop", by_field("stop", _MUST)),
    _clause("blocked-due", _OBSERVED, answer.blocked_due, f"{_TUTORIAL}, note on the text review; the words are ours"),
    _clause("blocked-form", _MUST, answer.blocked_form, f"{_TUTORIAL}, note on the text review"),
    _clause(
        "tool-calls",
        _SHOULD,
        answer.tool_calls,
        f"{_REFERENCE}, tools; live observation of 2026: OpenAI's form",
        by_field("tools", _SHOULD),
    ),
    _clause("whole-characters", _MUST, stream.text_is_text, "RFC 8259, section 8.2"),
    _clause(
        "framed-to-the-byte",
        _SHOULD,
        stream.framed_to_the_byte,
        f"{_TUTORIAL}, the 19 lines of the sample",
        stream.weigh_spacing,
    ),
    _clause("error-type", _SHOULD, refusal.error_type, "live observation of 2026: 401 and 400", refusal.weigh_row),
    _clause("error-shape", _SHOULD, refusal.error_shape, "live observation of 2026: 401 and 400", refusal.weigh_row),
    _clause("error-charset", _OBSERVED, refusal.error_charset, "what the mock sends; nobody wrote it down"),
    _clause("error-words", _SHOULD, refusal.error_words, "live observation of 2026: codes 60000 and 10009"),
    _clause(
        "error-fits-status", _OBSERVED, refusal.error_fits_status, "clients: LiteLLM decides by it whether to try again"
    ),
    _clause("retry-told", _OBSERVED, refusal.retry_told, "clients wait as Retry-After says; no document has it"),
    _clause("retry-after", _SHOULD, refusal.retry_after, "RFC 9110, section 10.2.3"),
    _clause("allow", _OBSERVED, refusal.allow, "RFC 9110, section 15.5.6"),
    *WIRE_CHECKS,
)


CLAUSES: Final[tuple[Check | Relation, ...]] = (*CHECKS, *RELATIONS, SYSTEM, DIALOGUE)
"""Every clause: those over one exchange, those over two, and that over a dialogue."""
ON_ANY_BYTES: Final = frozenset({"status", "ends", "utf8", "content-length"})
"""Clauses that hold for whatever comes; the others are about an answer to a valid request, or about a refusal."""


def judge(exchange: Exchange, context: Context) -> dict[Check, Verdict]:
    """Every clause's verdict on one exchange, in the table's order.

    Where a refusal was due and an answer came, `status` alone says so: what such an answer looks like is nobody's rule.
    """
    reading = Reading(exchange)
    unrefused = context.refusal is not None and reading.answered
    return {
        check: NOT_APPLICABLE
        if unrefused and check.id not in ON_ANY_BYTES
        else word_of(partial(check.judge, reading, context))
        for check in CHECKS
    }

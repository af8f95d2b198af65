"""Which quirks and forms the fuzzer adds to a dialect: those that change nothing for who follows the standards.

Each quirk of the table that is not its axis's standard, and each form, stands among the harmless ones, among those that
many clients are known to lose, or among those that are left out, with the reason; a test holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses import dialect
from mockserver.contract.forms import FORMS, HALVES, NEVER_ENDS
from mockserver.contract.streams import can_stay_open
from mockserver.profile import quirks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.pipeline.wire_settings import WireSettings

HARMLESS: Final = (
    "data-nospace", "crlf", "cr", "comments", "event-field", "empty-deltas", "usage-chunk", "usage-never", "usage-null",
    "usage-every", "finish-merged", "finish-delta-content", "finish-delta-null", "role-merged", "role-with-content",
    "role-with-null", "role-every", "role-before-finish", "role-empty", "role-null", "one-chunk", "blank-line-between",
    "no-last-newline",
    "json-compact", "ascii-escapes", "logprobs-null", "no-done", "object-last", "created-last", "usage-details",
    "buffered", "type-event-stream", "type-event-stream-utf8", "usage-with-choice", "usage-with-silent-choice",
    "delta-and-message",
    "chunk-created=counts-up", "content-beside-call=null", "content-beside-call=empty", "tool-opening=no-arguments",
    "tool-opening=first-piece", "tool-opening=whole-call", "tool-later-id=empty", "tool-later-id=null",
    "tool-later-type=null", "tool-later-type=repeated", "tool-later-name=null", "tool-later-name=empty",
    "tool-order=interleaved", "tool-order=together", "extra-key=chunk.system_fingerprint:null",
    "extra-key=choice.token_ids:null", "extra-key=choice@finish.stop_reason:null",
    "extra-key=delta.reasoning_content:null", "extra-key=delta.tool_calls:null",
    "extra-key=usage.cost:0", "extra-key=usage.completion_tokens_details.audio_tokens:0",
    *(name for name in FORMS if name not in {HALVES, "retry-alone", "empty-data", "exponents"}),
)  # fmt: skip
"""Quirks and forms that change the bytes and not the meaning, in the order in which they are tried."""

_FIELD: Final = "no document allows it, servers in the field send it: "
KNOWN: Final[dict[str, str]] = {
    "bom": (
        "the standard allows it: an event stream may begin with one byte order mark (WHATWG HTML, 9.2.5); the official "
        "Python SDK loses the first event then"
    ),
    "retry-alone": (
        "the standard allows it: an event without data is passed over (WHATWG HTML, 9.2.6); the official Python SDK "
        "takes it for JSON"
    ),
    "empty-data": (
        "the standard allows it: an event whose data is empty is passed over (WHATWG HTML, 9.2.6); the official Python "
        "SDK takes it for JSON"
    ),
    "exponents": (
        "JSON allows it: a number may have a fraction and an exponent (RFC 8259, 6), as Lua has; who reads "
        "them into whole numbers fails"
    ),
    HALVES: (
        "the standard allows it: a text of JSON may hold half a surrogate pair, and what becomes of it is not said "
        "(RFC 8259, 8.2); strings of Go, Rust and jq cannot hold it, and Python cannot print it"
    ),
    "finish-empty": _FIELD + 'finish_reason "" while the answer goes on, where null is due',
    "usage-empty-object": _FIELD + "usage {} before the end, where null is due",
    "chunk-id=own": _FIELD + "an id of its own in each chunk, where all have one",
    "chunk-id=empty": _FIELD + 'id ""',
    "model-echo=null": _FIELD + "model null",
    "choice-index=counts-up": _FIELD + "a choice index that counts the chunks",
    "tool-index=absent": _FIELD + "calls without index, which their id alone tells apart",
    "tool-index=always-0": _FIELD + "calls that all have index 0, which their id alone tells apart",
    "tool-arguments=object": _FIELD + "arguments as an object, where their JSON text is due",
    "usage-in-choice": _FIELD + "usage inside the choice, where it is due beside the choices",
}
"""Quirks and forms that many clients lose, each with why it may come all the same; they are told and do not count."""


WITHOUT_EFFECT: Final = "no client can tell a generated stream with it from one without"
LEFT_OUT: Final[dict[str, tuple[str, ...]]] = {
    "harmful: a reader of events need not read bare lines": ("json-lines",),
    "harmful: the stream is announced as what it is not": (
        "type-json", "type-ndjson", "type-text", "type-octet-stream", "type-none", "type=text/plain",
    ),
    "harmful: a key is missing that a client may rely on": (
        "object-first", "object-never", "created-first", "created-never", "id-last", "id-first", "id-never",
        "model-last", "model-first", "model-never", "role-last", "role-never", "finish-absent",
        "choice-index=absent",
    ),
    "harmful: a key has a value that a client may not take": (
        "created-text", "created-float",
        "tool-index=from-1", "tool-opening=null-arguments", "tool-later-type=empty", "chunk-id=null", "model-echo=",
        "model-echo=gpt-4o", "model-echo=models/{model}", "finish-word=stop:eos", "finish-word=tool_calls:stop",
        "finish-word=length:max_tokens",
    ),
    "harmful: a client may join what is said again, or not join what comes in pieces": (
        "tool-later-id=repeated", "tool-later-name=repeated", "tool-name=in-pieces",
    ),
    "harmful: usage comes before what it counts": ("usage-first",),
    "a harmless one tries the same key": ("usage-details-null", "logprobs-null-in-stream"),
    WITHOUT_EFFECT: (  # the order of keys; usage is asked for; nothing thought or reviewed; no bodies, heads, silences
        "usage-total-second", "usage-completion-first", "usage-on-request", "reasoning-in-choice",
        "reasoning-in-think-tags", "blocked-merged", "blocked-finish-content-filter", "blocked-finish-null",
        "blocked-no-usage", "blocked-text-emptied", "blocked-no-done", "body-flush-lines", "body-compact",
        "body-spaced", "body-utf8-text", "body-ascii-escapes", "id-hex-32", "id-chatcmpl-uuid", "id-chatcmpl-hex",
        "no-trace-header", "request-id-x", "no-request-id", "heartbeat", "heartbeat-15s", "id-form=gen-{digits:10}",
        "id-form=cmpl-{hex:32}",
        "id-form={uuid}", "id-form=chatcmpl-{digits:1-3}", "usage-unasked-null", "reasoning-key=reasoning",
        "reasoning-key=both", "body-newline", "extra-key=body.timings:~{\"ms\":1.5}",
        "reasoning-end=merged", "content-beside-reasoning=null", "content-beside-reasoning=empty",
        "body-content-beside-call=empty", "body-content-beside-call=absent", "extra-key=body.service_tier:\"default\"",
        "tool-no-arguments=empty", "fixed-key=body.created:absent", "fixed-key=body.usage:absent",
        "fixed-key=body-choice.index:absent", "key-order=choice:delta+index", "key-order=body:id+choices+usage",
        "logprobs-null-in-body", "key-order=usage:total_tokens+prompt_tokens",
    ),
}  # fmt: skip
"""Quirks that are not added unless they are asked for by name, by the reason."""


def harmless(wire: WireSettings) -> tuple[str, ...]:
    """The harmless quirks and forms that change a byte of a dialect, and announce it as what it is."""
    return _changing(HARMLESS, wire)


def known(wire: WireSettings) -> tuple[str, ...]:
    """Those that many clients are known to lose, and that change a byte of a dialect."""
    return _changing(KNOWN, wire)


def _changing(names: Iterable[str], wire: WireSettings) -> tuple[str, ...]:
    events = wire.frame.framing == "sse"
    return tuple(name for name in names if _changes(name, wire) and (events or _about_any(name)))


def _changes(name: str, wire: WireSettings) -> bool:
    if name in FORMS:
        return name != NEVER_ENDS or can_stay_open(wire)
    return not dialect.alike(quirks.changed(wire, name), wire)


def _about_any(name: str) -> bool:
    """Whether it is not about event streams alone."""
    return not FORMS[name].events if name in FORMS else quirks.find(name)[0].field != "content_type"

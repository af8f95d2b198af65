"""Which quirks the fuzzer adds to a dialect: those that change nothing for a client that follows the standards.

Each quirk of the table that is not its axis's standard stands either among the harmless ones or among those that are
left out, with the reason; a test holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses import dialect
from mockserver.profile import quirks

if TYPE_CHECKING:
    from mockserver.pipeline.wire_settings import WireSettings

HARMLESS: Final = (
    "data-nospace", "crlf", "cr", "comments", "event-field", "empty-deltas", "usage-chunk", "usage-never", "usage-null",
    "usage-every", "finish-merged", "finish-delta-content", "role-merged", "role-with-content", "role-with-null",
    "role-every", "one-chunk", "bom", "blank-line-between", "no-last-newline", "json-compact", "ascii-escapes",
    "logprobs-null", "no-done", "object-last", "created-last", "usage-details", "buffered", "type-event-stream",
    "type-event-stream-utf8", "usage-with-choice", "delta-and-message", "chunk-created=counts-up",
    "content-beside-call=null", "content-beside-call=empty", "tool-opening=no-arguments", "tool-opening=first-piece",
    "tool-opening=whole-call", "tool-later-id=empty", "tool-later-id=null", "tool-later-type=null",
    "tool-later-type=repeated", "tool-later-name=null", "tool-later-name=empty", "tool-order=interleaved",
    "tool-order=together", "extra-key=chunk.system_fingerprint:null", "extra-key=choice.token_ids:null",
    "extra-key=delta.reasoning_content:null", "extra-key=delta.tool_calls:null", "extra-key=usage.cost:0",
)  # fmt: skip
"""Quirks that change the bytes and not the meaning, in the order in which they are tried."""

WITHOUT_EFFECT: Final = "no client can tell a generated stream with it from one without"
LEFT_OUT: Final[dict[str, tuple[str, ...]]] = {
    "harmful: a reader of events need not read bare lines": ("json-lines",),
    "harmful: the stream is announced as what it is not": (
        "type-json", "type-ndjson", "type-text", "type-octet-stream", "type-none",
    ),
    "harmful: a key is missing that a client may rely on": (
        "object-first", "object-never", "created-first", "created-never", "id-last", "id-first", "id-never",
        "model-last", "model-first", "model-never", "role-last", "role-never", "finish-absent", "choice-index=absent",
        "tool-index=absent",
    ),
    "harmful: a key has a value that a client may not take": (
        "usage-empty-object", "choice-index=counts-up", "tool-index=from-1", "tool-index=always-0",
        "tool-opening=null-arguments", "tool-later-type=empty", "tool-arguments=object", "chunk-id=own",
        "chunk-id=empty", "chunk-id=null", "model-echo=null", "model-echo=", "model-echo=gpt-4o",
        "model-echo=models/{model}", "finish-word=stop:eos", "finish-word=tool_calls:stop",
        "finish-word=length:max_tokens",
    ),
    "harmful: a client may join what is said again, or not join what comes in pieces": (
        "tool-later-id=repeated", "tool-later-name=repeated", "tool-name=in-pieces",
    ),
    "harmful: usage stands where a client does not look": ("usage-in-choice",),
    "harmful: what is no role, or no end, has the key of one": ("role-empty", "role-null", "finish-empty"),
    "harmful: usage comes before what it counts": ("usage-first",),
    "a harmless one tries the same key": ("usage-details-null", "logprobs-null-in-stream"),
    WITHOUT_EFFECT: (  # the order of keys; usage is asked for; nothing thought or reviewed; no bodies, heads, silences
        "usage-total-second", "usage-completion-first", "usage-on-request", "reasoning-in-choice",
        "reasoning-in-think-tags", "blocked-merged", "blocked-finish-content-filter", "blocked-finish-null",
        "blocked-no-usage", "blocked-text-emptied", "blocked-no-done", "body-flush-lines", "body-compact",
        "body-spaced", "body-utf8-text", "body-ascii-escapes", "id-hex-32", "id-chatcmpl-uuid", "id-chatcmpl-hex",
        "no-trace-header", "request-id-x", "no-request-id", "heartbeat", "heartbeat-15s", "id-form=gen-:digits:10",
        "id-form=cmpl-:hex:32",
        "id-form=:uuid:36", "usage-unasked-null", "reasoning-key=reasoning", "reasoning-key=both",
        "reasoning-end=merged", "content-beside-reasoning=null", "content-beside-reasoning=empty",
        "body-content-beside-call=empty", "body-content-beside-call=absent", "extra-key=body.service_tier:\"default\"",
        "tool-no-arguments=empty",
    ),
}  # fmt: skip
"""Quirks that are not added unless they are asked for by name, by the reason."""


def harmless(wire: WireSettings) -> tuple[str, ...]:
    """The harmless quirks that change a byte of a dialect, and announce it as what it is."""
    changing = [name for name in HARMLESS if not dialect.alike(quirks.changed(wire, name), wire)]
    if wire.frame.framing == "sse":
        return tuple(changing)
    return tuple(name for name in changing if quirks.find(name)[0].field != "content_type")

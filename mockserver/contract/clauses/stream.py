"""Clauses on streams: order, ends, counts and framing. The table is in `table.py`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.answer import other_charset
from mockserver.contract.clauses.clause import HOLDS, NOT_APPLICABLE, Severity, Verdict, broken, by_claim, holds_if
from mockserver.contract.clauses.dialect import observe, settled
from mockserver.core.errors import shown
from mockserver.pipeline.chunk import REASONING_KEYS
from mockserver.pipeline.frame import DONE, body, content_type, frames

if TYPE_CHECKING:
    from mockserver.contract.clauses.clause import Context
    from mockserver.contract.clauses.reading import Reading
    from mockserver.pipeline.frame import Json


def chunk_shape(r: Reading, _c: Context) -> Verdict:
    """Every chunk has choices with an index and a delta, and is a chat.completion.chunk where it says what it is."""
    if not r.streamed:
        return NOT_APPLICABLE
    for number, one in enumerate(r.chunks):
        choices = one.get("choices")
        if "error" in one:
            return broken(f"chunk {number} is an error: {json.dumps(one['error'], ensure_ascii=False)[:80]}")
        if not isinstance(choices, list):
            return broken(f"chunk {number} has no choices; its keys: {', '.join(one)}")
        if one.get("object", "chat.completion.chunk") != "chat.completion.chunk":
            return broken(f"chunk {number}: object is {shown(one['object'])}; due 'chat.completion.chunk'")
        for choice in choices:
            if not isinstance(choice, dict) or not isinstance(choice.get("delta"), dict):
                return broken(f"chunk {number} has a choice without a delta")
            content = choice["delta"].get("content")
            if content is not None and not isinstance(content, str):
                return broken(f"chunk {number}: delta.content is {type(content).__name__}; due a text")
    return HOLDS


def role(r: Reading, _c: Context) -> Verdict:
    """Every role is assistant; in which chunks roles stand is what `shape-role` says."""
    roles = [delta["role"] for delta in r.said if delta.get("role")]
    if not r.streamed or not roles:
        return NOT_APPLICABLE
    wrong = next((one for one in roles if one != "assistant"), None)
    return holds_if(wrong is None, f"role is {shown(wrong)}; due 'assistant'")


def finish_once(r: Reading, _c: Context) -> Verdict:
    """A body, or one chunk of a stream, has a finish reason (a blocked answer's may be null)."""
    if not (r.whole or (r.completion and r.choices)):
        return NOT_APPLICABLE
    if r.blocked and not r.finishes:
        return HOLDS
    if r.completion:
        return holds_if(
            bool(r.finishes), f"finish_reason is {json.dumps(r.choices[0][1].get('finish_reason'))}; due one"
        )
    return holds_if(len(r.finishes) == 1, f"chunks with a finish_reason: {len(r.finishes)}; due one")


def finish_last(r: Reading, c: Context) -> Verdict:
    """After the finish nothing comes but usage in a chunk without choices, or with one where the profile says so."""
    if not r.streamed or not r.finishes:
        return NOT_APPLICABLE
    after = len(r.choices) - 1 - r.finishes[0]
    allowed = int(c.chip.wire.shape.usage_choices != "none" and bool(r.chunks[-1].get("usage")))
    return holds_if(after <= allowed, f"chunks with choices after the one with finish_reason: {after}; due none")


def done_last(r: Reading, _c: Context) -> Verdict:
    """There is at most one done marker and nothing follows it."""
    if not r.streamed or not r.has_done:
        return NOT_APPLICABLE
    markers = len(r.events) - len(r.objects)
    after = len(r.events) - 1 - r.events.index(DONE)
    return holds_if(after == 0, f"done markers: {markers}, events after the first: {after}; due none")


def usage_once(r: Reading, c: Context) -> Verdict:
    """Where a stream reports usage, it does so at its end; every chunk's where the profile says so."""
    if not r.streamed or not r.usages:
        return NOT_APPLICABLE
    if c.chip.wire.shape.usage == "every":
        counts = [usage.get("completion_tokens", 0) for usage in r.usages]
        totals = [count for count in counts if isinstance(count, int)]
        return holds_if(totals == sorted(totals), f"completion_tokens falls: {totals}")
    return holds_if(len(r.usages) == 1, f"chunks that report usage: {len(r.usages)}; due one")


def usage_asked(r: Reading, c: Context) -> Verdict:
    """A stream reports usage where it was asked for, unless the profile says that it never does."""
    if not r.whole or r.blocked or not r.wants_usage or c.chip.wire.shape.usage == "never":
        return NOT_APPLICABLE
    return holds_if(bool(r.usages), "no chunk reports usage")


def completion_count(r: Reading, c: Context) -> Verdict:
    """A stream's completion tokens are its pieces, and the end token where it was not cut by its length."""
    wire = c.chip.wire.chunk
    if not r.whole or r.finish_reason not in ("stop", "length") or r.blocked or not r.usages or wire.one_chunk:
        return NOT_APPLICABLE
    if (
        any(delta.get("tool_calls") for delta in r.said)
        or wire.reasoning == "think-tags"
        or c.chip.wire.shape.usage == "first"
    ):
        return NOT_APPLICABLE
    places = [*r.said, *(choice for _, choice in r.choices)]
    pieces = sum(bool(place.get("content")) + any(map(place.get, REASONING_KEYS)) for place in places)
    count = r.usage.get("completion_tokens")
    if r.finish_reason == "length":
        return holds_if(count == pieces, f"completion_tokens is {count}; pieces that came: {pieces}")
    told = f"completion_tokens is {count}; pieces that came: {pieces}, with the end token {pieces + 1}"
    return holds_if(count == pieces + 1, told)


def announced(r: Reading, c: Context) -> Verdict:
    """A stream of events, and none but one, is announced as text/event-stream, unless the profile says otherwise.

    Whatever is announced is in UTF-8.
    """
    if not r.streamed:
        return NOT_APPLICABLE
    sent = r.headers.get("content-type", "none")
    events = sent.split(";")[0].strip().lower() == "text/event-stream"
    due = content_type(c.chip.wire.frame).startswith(b"text/event-stream")
    if charset := other_charset(sent):
        return broken(f"content type {sent}: the charset is {charset}; due utf-8")
    return holds_if(events == due, f"content type {sent}; due {'' if due else 'any but '}text/event-stream")


def weigh_announced(c: Context) -> Severity:
    """Documented, unless the chip's file claims another type."""
    claims = {claim.name: claim.claim for claim in c.chip.claims}
    framing, kind = claims.get("json-lines", "documented"), claims.get("type-event-stream", "documented")
    return by_claim("assumed" if "assumed" in {framing, kind} else "documented", Severity.MUST)


def weigh_spacing(c: Context) -> Severity:
    """The bytes between tokens weigh what the chip's file claims of them."""
    claims = {claim.name: claim.claim for claim in c.chip.claims}
    return by_claim(claims.get("json-spaced", claims.get("json-compact")), Severity.SHOULD)


def framed_to_the_byte(r: Reading, c: Context) -> Verdict:
    """What came, written again in the dialect that was seen, gives the same bytes."""
    if r.completion is not None:
        return _body_to_the_byte(r, r.completion, c)
    if not r.whole:
        return NOT_APPLICABLE
    seen = observe(r)
    if any(axis.field == "comments" and value is True for axis, value in seen.items()):
        return NOT_APPLICABLE  # where comments stand is not part of any dialect
    wire = settled(c.chip.wire, seen.items())
    try:
        due = b"".join(frames(r.objects, replace(wire.frame, done=r.has_done, blocked_done=r.has_done)))
    except ValueError as error:  # half a character, or a number past all bounds (1e999)
        return broken(f"what came cannot be written again: {error}")
    if due == r.body:
        return HOLDS
    at = next((n for n, (a, b) in enumerate(zip(due, r.body, strict=False)) if a != b), min(len(due), len(r.body)))
    return broken(f"at byte {at}: {r.body[at : at + 24]!r}; due {due[at : at + 24]!r}")


def _body_to_the_byte(r: Reading, completion: Json, c: Context) -> Verdict:
    wire = settled(c.chip.wire, observe(r).items())
    try:
        due = body(completion, wire.frame)
    except ValueError as error:
        return broken(f"what came cannot be written again: {error}")
    came = r.body.strip()
    at = next((n for n, (a, b) in enumerate(zip(due, came, strict=False)) if a != b), min(len(due), len(came)))
    return holds_if(due == came, f"at byte {at}: {came[at : at + 24]!r}; due {due[at : at + 24]!r}")


_TWICE: Final = re.compile(
    "[\u00c2-\u00df][\u0080-\u00bf]|[\u00e0-\u00ef][\u0080-\u00bf]{2}|[\u00f0-\u00f4][\u0080-\u00bf]{3}"
)
"""UTF-8 that was read as Latin-1 and encoded again."""


def _encoded_twice(text: str) -> str:
    """The first such place that holds a control character of Latin-1 too, which no text has; empty for none."""
    found = (one[0] for one in _TWICE.finditer(text))
    return next((one for one in found if any("\x80" <= each <= "\x9f" for each in one)), "")


def text_is_text(r: Reading, _c: Context) -> Verdict:
    """No text holds half a character, UTF-8 encoded twice, or a replacement character that nobody sent."""
    if not (r.streamed or r.completion) or not r.text:
        return NOT_APPLICABLE
    asked = json.dumps(r.asked, ensure_ascii=False)
    for number, said in enumerate(r.said):
        content = said.get("content") or ""
        if isinstance(content, str) and (
            ("\ufffd" in content and "\ufffd" not in asked) or any("\ud800" <= one <= "\udfff" for one in content)
        ):
            return broken(
                f"{f'chunk {number}' if r.streamed else 'the message'} holds half a character: {json.dumps(content)}"
            )
    twice = _encoded_twice(r.text)
    return holds_if(not twice or twice in asked, f"the text holds UTF-8 that was encoded twice: {json.dumps(twice)}")

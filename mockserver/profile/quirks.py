"""The table of quirks: every way in which a chip can differ on the wire, as an atom with a name.

A *quirk* sets one field of one stage's settings. The quirks of one field form an axis, whose first atom is the
standard (what an OpenAI-compatible server does); a profile names only the others. This table is the one place that
profiles, the header `X-Mock-Quirks`, the command line, the docs and the tests' generators read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from mockserver.core.errors import suggestion
from mockserver.pipeline.wire_settings import WireSettings

STANDARD: Final = WireSettings()


@dataclass(frozen=True, slots=True)
class Quirk:
    """One atom.

    Attributes:
        name: What people type.
        value: What it sets the axis's field to.
        says: One sentence, present tense, that stands on its own.
    """

    name: str
    value: str | bool
    says: str


@dataclass(frozen=True, slots=True)
class Axis:
    """The quirks of one field; the first is the standard.

    Attributes:
        stage: The field of `WireSettings`.
        field: The field of that stage's settings.
        quirks: At least two.
    """

    stage: str
    field: str
    quirks: tuple[Quirk, ...]

    @property
    def standard(self) -> Quirk:
        """What holds where no profile says otherwise."""
        return self.quirks[0]

    def without(self, name: str) -> Quirk:
        """What `-name` means: the standard, or for the standard the axis's first deviation."""
        return self.quirks[1] if name == self.standard.name else self.standard


class UnknownQuirkError(ValueError):
    """A name that no row has; the message lists the near ones."""


def _placement(key: str, standard: str, what: str) -> Axis:
    says = {
        "every": f"{what} stands in every chunk.",
        "first": f"{what} stands only in the first chunk.",
        "last": f"{what} stands only in the last chunk.",
        "never": f"{what} stands in no chunk.",
    }
    likely = ("last", "first", "never") if standard == "every" else ("never", "every", "first", "last")
    order = [standard, *(place for place in likely if place != standard)]
    return Axis("shape", key, tuple(Quirk(f"{key}-{place}", place, says[place]) for place in order))


AXES: Final[tuple[Axis, ...]] = (
    Axis("frame", "framing", (
        Quirk("sse", "sse", "A stream is data-only server-sent events."),
        Quirk("json-lines", "json-lines", "A stream is bare JSON lines: no data: prefix, no events."),
    )),
    Axis("frame", "done", (
        Quirk("done", True, "An event stream ends with data: [DONE]."),
        Quirk("no-done", False, "A stream ends without data: [DONE]; only the end of the body says so."),
    )),
    Axis("frame", "content_type", (
        Quirk("type-fitting", "fitting", "The type fits the framing: text/event-stream in UTF-8 or application/json."),
        Quirk("type-json", "json", "A stream is announced as application/json."),
        Quirk("type-event-stream", "event-stream", "A stream is announced as text/event-stream without a charset."),
        Quirk("type-event-stream-utf8", "event-stream-utf8", "A stream is announced as text/event-stream in UTF-8."),
        Quirk("type-ndjson", "ndjson", "A stream is announced as application/x-ndjson."),
        Quirk("type-text", "text", "A stream is announced as text/plain."),
        Quirk("type-octet-stream", "octet-stream", "A stream is announced as application/octet-stream."),
        Quirk("type-none", "none", "A stream has no Content-Type header."),
    )),
    _placement("object", "every", "object"),
    _placement("created", "every", "created"),
    _placement("id", "every", "id"),
    _placement("model", "every", "model"),
    _placement("usage", "last", "usage"),
    _placement("role", "first", "The delta's role"),
    Axis("shape", "role_elsewhere", (
        Quirk("role-absent", "absent", "Deltas without a role lack the key."),
        Quirk("role-empty", "empty", 'Deltas after the first carry role "".'),
        Quirk("role-null", "null", "Deltas after the first carry role null."),
    )),
    Axis("shape", "finish_reason_open", (
        Quirk("finish-null", "null", "finish_reason is null until the last chunk."),
        Quirk("finish-empty", "empty", 'finish_reason is "" until the last chunk.'),
        Quirk("finish-absent", "absent", "finish_reason is absent until the last chunk."),
    )),
    Axis("shape", "usage_when", (
        Quirk("usage-unasked", "always", "A stream reports usage without being asked."),
        Quirk("usage-on-request", "on-request", "A stream reports usage only with stream_options.include_usage."),
    )),
    Axis("shape", "usage_elsewhere", (
        Quirk("usage-absent", "absent", "Chunks without usage lack the key."),
        Quirk("usage-null", "null", "Chunks without usage carry usage: null."),
    )),
    Axis("chunk", "usage_chunk", (
        Quirk("usage-in-finish", "finish", "Usage stands in the chunk that carries finish_reason."),
        Quirk("usage-chunk", "own", "Usage comes after the finish in a chunk of its own with empty choices."),
    )),
    Axis("chunk", "usage_order", (
        Quirk("usage-total-last", "total-last", "Usage lists prompt, completion, total."),
        Quirk("usage-total-second", "total-second", "Usage lists prompt, total, completion."),
        Quirk("usage-completion-first", "completion-first", "Usage lists completion, prompt, total."),
    )),
    Axis("chunk", "usage_details", (
        Quirk("usage-details-absent", "absent", "Usage has no prompt_tokens_details."),
        Quirk("usage-details-null", "null", "Usage has prompt_tokens_details: null."),
        Quirk("usage-details", "object", "Usage has prompt_tokens_details with cached_tokens."),
    )),
    Axis("chunk", "role_chunk", (
        Quirk("role-alone", "alone", "The role comes first, in a chunk of its own without content."),
        Quirk("role-with-content", "with-content", 'The role comes first, in a chunk of its own with content "".'),
        Quirk("role-with-null", "with-null", "The role comes first, in a chunk of its own with content null."),
        Quirk("role-merged", "merged", "The role comes in the same chunk as the first content."),
    )),
    Axis("chunk", "finish_chunk", (
        Quirk("finish-own", "own", "finish_reason comes in a chunk of its own after the content."),
        Quirk("finish-merged", "merged", "finish_reason comes in the same chunk as the last content."),
    )),
    Axis("chunk", "finish_delta", (
        Quirk("finish-delta-empty", "empty", "The finish chunk has an empty delta."),
        Quirk("finish-delta-content", "content", 'The finish chunk has a delta with content "".'),
    )),
    Axis("chunk", "one_chunk", (
        Quirk("piecewise", False, "Each piece of the answer is a chunk."),
        Quirk("one-chunk", True, "The whole answer comes in one content chunk."),
    )),
    Axis("chunk", "empty_deltas", (
        Quirk("no-empty-deltas", False, "No content chunk is empty."),
        Quirk("empty-deltas", True, 'Chunks with content "" stand between the others.'),
    )),
    Axis("chunk", "logprobs", (
        Quirk("no-logprobs", False, "Choices have no key logprobs."),
        Quirk("logprobs-null", True, "Choices carry logprobs: null."),
        Quirk("logprobs-null-in-stream", "stream", "Choices of a stream carry logprobs: null, those of a body do not."),
    )),
    Axis("chunk", "reasoning", (
        Quirk("reasoning-in-delta", "delta", "Reasoning comes as reasoning_content in the delta or message."),
        Quirk("reasoning-in-choice", "choice", "Reasoning comes as reasoning_content beside the delta, in the choice."),
        Quirk("reasoning-in-think-tags", "think-tags", "Reasoning comes in the content, between <think> and </think>."),
    )),
    Axis("chunk", "blocked_chunk", (
        Quirk("blocked-own", "own", "blocked: true comes after the content, in the chunk that carries finish_reason."),
        Quirk("blocked-merged", "merged", "blocked: true comes in the same chunk as the last content."),
    )),
    Axis("chunk", "blocked_finish", (
        Quirk("blocked-finish-stop", "stop", "A blocked answer has finish_reason stop."),
        Quirk("blocked-finish-content-filter", "content_filter", "A blocked answer has finish_reason content_filter."),
        Quirk("blocked-finish-null", "null", "A blocked answer has finish_reason null."),
    )),
    Axis("chunk", "blocked_usage", (
        Quirk("blocked-usage", True, "A blocked answer reports usage."),
        Quirk("blocked-no-usage", False, "A blocked answer reports no usage."),
    )),
    Axis("chunk", "blocked_text", (
        Quirk("blocked-text-kept", "kept", "A blocked body keeps the text before the violation."),
        Quirk("blocked-text-emptied", "emptied", "A blocked body has empty content."),
    )),
    Axis("frame", "blocked_done", (
        Quirk("blocked-done", True, "data: [DONE] follows a blocked answer where it follows others."),
        Quirk("blocked-no-done", False, "A blocked answer ends without data: [DONE]."),
    )),
    Axis("frame", "data_space", (
        Quirk("data-space", True, "data: is followed by a space."),
        Quirk("data-nospace", False, "data: is not followed by a space."),
    )),
    Axis("frame", "newline", (
        Quirk("lf", "lf", "Lines end with LF."),
        Quirk("crlf", "crlf", "Lines end with CR LF."),
        Quirk("cr", "cr", "Lines of an event stream end with CR alone, which the standard allows."),
    )),
    Axis("frame", "lines_apart", (
        Quirk("line-after-line", "one", "One newline stands between JSON lines."),
        Quirk("blank-line-between", "two", "A blank line stands between JSON lines."),
    )),
    Axis("frame", "last_newline", (
        Quirk("last-newline", True, "The last JSON line ends with a newline."),
        Quirk("no-last-newline", False, "The last JSON line ends without a newline."),
    )),
    Axis("frame", "bom", (
        Quirk("no-bom", False, "A stream begins with its first frame."),
        Quirk("bom", True, "A stream begins with a UTF-8 byte order mark."),
    )),
    Axis("frame", "comments", (
        Quirk("no-comments", False, "An event stream has no comments."),
        Quirk("comments", True, "Comment lines (: keep-alive) stand between the events."),
    )),
    Axis("frame", "event_field", (
        Quirk("data-only", False, "Events have only a data field."),
        Quirk("event-field", True, "Events have an event: message field before their data."),
    )),
    Axis("frame", "delivery", (
        Quirk("streamed", "streamed", "A stream is sent as it is made, in the chunked coding."),
        Quirk("buffered", "buffered", "A stream is held back and sent at once with a Content-Length."),
    )),
    Axis("frame", "json", (
        Quirk("json-spaced", "spaced", "JSON has a space after each comma and colon."),
        Quirk("json-compact", "compact", "JSON has no spaces between tokens."),
    )),
    Axis("frame", "body_json", (
        Quirk("body-one-line", "same", "A body that is not streamed is on one line."),
        Quirk("body-flush-lines", "flush-lines", "A body that is not streamed has one key a line, not indented."),
        Quirk("body-compact", "compact", "A body that is not streamed has no spaces between tokens, whatever a stream has."),
        Quirk("body-spaced", "spaced", "A body that is not streamed has a space after each comma and colon."),
    )),
    Axis("frame", "escapes", (
        Quirk("utf8-text", "utf-8", "Chinese and emoji stand in the JSON as they are."),
        Quirk("ascii-escapes", "ascii", "Characters beyond ASCII are written as \\uXXXX."),
    )),
    Axis("frame", "body_escapes", (
        Quirk("body-escapes-alike", "same", "A body that is not streamed writes Chinese and emoji as a stream does."),
        Quirk("body-utf8-text", "utf-8", "In a body that is not streamed Chinese and emoji stand as they are."),
        Quirk("body-ascii-escapes", "ascii", "In a body that is not streamed characters beyond ASCII are \\uXXXX."),
    )),
    Axis("head", "id_form", (
        Quirk("id-chatcmpl-22", "chatcmpl-22", "Ids are chatcmpl- and 22 letters and digits."),
        Quirk("id-hex-32", "hex-32", "Ids are 32 hex digits without a prefix."),
        Quirk("id-chatcmpl-uuid", "chatcmpl-uuid", "Ids are chatcmpl- and a UUID."),
        Quirk("id-chatcmpl-hex", "chatcmpl-hex", "Ids are chatcmpl- and 32 hex digits."),
    )),
    Axis("head", "trace_header", (
        Quirk("trace-header", "traceresponse", "Every answer has a traceresponse header."),
        Quirk("no-trace-header", "", "Answers have no traceresponse header."),
    )),
    Axis("head", "request_id_header", (
        Quirk("request-id-maas", "x-maas-request-id", "Every answer has an x-maas-request-id header."),
        Quirk("request-id-x", "x-request-id", "Every answer has an x-request-id header instead of x-maas-request-id."),
        Quirk("no-request-id", "", "Answers have no request id header."),
    )),
    Axis("frame", "heartbeat", (
        Quirk("no-heartbeat", "none", "Nothing comes while the service thinks."),
        Quirk("heartbeat", "700ms", "In a silence a comment (: keep-alive), or a newline before a body, comes each 700 ms."),
        Quirk("heartbeat-15s", "15s", "In a silence a comment (: keep-alive), or a newline before a body, comes each 15 s."),
    )),
)  # fmt: skip

QUIRKS: Final[dict[str, tuple[Axis, Quirk]]] = {quirk.name: (axis, quirk) for axis in AXES for quirk in axis.quirks}


def find(name: str) -> tuple[Axis, Quirk]:
    """The row of a name; raises UnknownQuirkError with the near names."""
    try:
        return QUIRKS[name]
    except KeyError:
        raise UnknownQuirkError(f"unknown quirk {name!r}; {_near(name)}") from None


def _near(name: str) -> str:
    text = suggestion(name, QUIRKS)
    return text if text.startswith("did") else "genstudio-mock profiles --quirks lists them"


def apply(settings: WireSettings, axis: Axis, quirk: Quirk) -> WireSettings:
    """The settings with one quirk set."""
    stage: Any = replace(getattr(settings, axis.stage), **{axis.field: quirk.value})
    return replace(settings, **{axis.stage: stage})


def changed(settings: WireSettings, text: str) -> WireSettings:
    """The settings after the header `X-Mock-Quirks`, say `+no-done,-sse`; a bare name means `+`.

    Raises:
        UnknownQuirkError: a name is unknown.
    """
    for word in text.split(","):
        entry = word.strip()
        if not entry:
            continue
        name = entry[1:] if entry[0] in "+-" else entry
        axis, quirk = find(name)
        settings = apply(settings, axis, axis.without(name) if entry.startswith("-") else quirk)
    return settings


def deviations(settings: WireSettings) -> tuple[Quirk, ...]:
    """The quirks by which the settings differ from the standard, in the table's order."""
    found = []
    for axis in AXES:
        value = getattr(getattr(settings, axis.stage), axis.field)
        found += [quirk for quirk in axis.quirks[1:] if quirk.value == value]
    return tuple(found)

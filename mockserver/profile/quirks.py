"""The table of quirks: every way in which a chip can differ on the wire, as an atom with a name.

A *quirk* sets one field of one stage's settings. The quirks of one field form an axis, whose first atom is the
standard (what an OpenAI-compatible server does); a profile names only the others. This table is the one place that
profiles, the header `X-Mock-Quirks`, the command line, the docs and the tests' generators read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import suggestion
from mockserver.core.immutable import immutable
from mockserver.pipeline.wire_settings import WireSettings
from mockserver.profile.quirk_families import ECHO, FAMILIES, ID_FORM, TYPE, Family

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD: Final = WireSettings()
_HALF: Final = re.compile("[\ud800-\udfff]")
"""Half a character, which a target may send and no profile can hold."""


@immutable(frozen=True, slots=True)
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


@immutable(frozen=True, slots=True)
class Axis:
    """The quirks of one field; the first is the standard.

    Attributes:
        stage: The field of `WireSettings`.
        field: The field of that stage's settings.
        quirks: The quirks that have a name of their own; the first is the standard.
        family: The further quirks of this axis, which are named with a value; None for none.
        part: The part of the field that is set, where each part is an axis of its own; empty for the whole field.
    """

    stage: str
    field: str
    quirks: tuple[Quirk, ...]
    family: Family | None = None
    part: str = ""

    def __hash__(self) -> int:
        """Of what tells axes apart, not of all their quirks: every value that is seen is kept by its axis."""
        return hash((self.stage, self.field, self.part))

    @property
    def standard(self) -> Quirk:
        """What holds where no profile says otherwise."""
        return self.quirks[0]

    def value_in(self, settings: WireSettings) -> str | bool:
        """The value that settings give this axis."""
        value = getattr(getattr(settings, self.stage), self.field)
        found: str | bool = dict(value).get(self.part, "") if self.part else value
        return found

    def quirk_of(self, value: object) -> Quirk | None:
        """The quirk with this value; None where no quirk has it."""
        named = next((quirk for quirk in self.quirks if quirk.value == value), None)
        if named or self.family is None or not isinstance(value, str) or _HALF.search(self.part + value):
            return named
        try:
            text = self.family.written(self.part, value)
            part, read = self.family.read(text)
        except ValueError:
            return None
        return _valued(self.family, part, read) if (part, read) == (self.part, value) else None

    def quirk_in(self, settings: WireSettings) -> Quirk:
        """The quirk that settings have of this axis; raises ValueError for a value that none has."""
        found = self.quirk_of(self.value_in(settings))
        if found is None:
            raise ValueError(f"{self.stage}.{self.field}: no quirk has {self.value_in(settings)!r}")
        return found

    def without(self, name: str) -> Quirk:
        """What `-name` means: the standard, or for the standard the axis's first deviation where it has one."""
        return self.quirks[1] if name == self.standard.name and len(self.quirks) > 1 else self.standard


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
    ), TYPE),
    _placement("object", "every", "object"),
    _placement("created", "every", "created"),
    _placement("id", "every", "id"),
    _placement("model", "every", "model"),
    _placement("usage", "last", "usage"),
    Axis("shape", "role", (
        *_placement("role", "first", "The delta's role").quirks,
        Quirk("role-before-finish", "before-finish", "The delta's role stands in every chunk but the last."),
    )),
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
        Quirk("usage-empty-object", "object", "Chunks without usage carry usage: {}."),
    )),
    Axis("shape", "usage_unasked", (
        Quirk("usage-unasked-absent", "absent", "A stream that reports usage on request lacks the key unasked."),
        Quirk("usage-unasked-null", "null", "A stream that reports usage on request carries usage: null unasked."),
    )),
    Axis("shape", "usage_choices", (
        Quirk("usage-without-choice", "none", "A chunk of usage has empty choices."),
        Quirk("usage-with-choice", "one", "A chunk of usage has a choice with an empty delta."),
        Quirk("usage-with-silent-choice", "silent", 'A chunk of usage has a choice with content "" in its delta.'),
    )),
    Axis("shape", "choice_index", (
        Quirk("choice-index=0", "zero", "Every choice has index 0."),
        Quirk("choice-index=counts-up", "counts-up", "The choice's index counts up from chunk to chunk."),
        Quirk("choice-index=absent", "absent", "Choices of a stream have no index."),
    )),
    Axis("shape", "message", (
        Quirk("delta-alone", False, "A stream's choice has a delta."),
        Quirk("delta-and-message", True, "A stream's choice has a delta, and a message that says the same."),
    )),
    Axis("chunk", "usage_chunk", (
        Quirk("usage-in-finish", "finish", "Usage stands in the chunk that carries finish_reason."),
        Quirk("usage-chunk", "own", "Usage comes after the finish in a chunk of its own with empty choices."),
        Quirk("usage-in-choice", "choice", "Usage stands in the choice that carries finish_reason, not beside it."),
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
        Quirk("finish-delta-null", "null", "The finish chunk has a delta with content null."),
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
        Quirk("logprobs-null-in-body", "body", "Choices of a body carry logprobs: null, those of a stream do not."),
    )),
    Axis("chunk", "reasoning", (
        Quirk("reasoning-in-delta", "delta", "Reasoning comes as reasoning_content in the delta or message."),
        Quirk("reasoning-in-choice", "choice", "Reasoning comes as reasoning_content beside the delta, in the choice."),
        Quirk("reasoning-in-think-tags", "think-tags", "Reasoning comes in the content, between <think> and </think>."),
    )),
    Axis("chunk", "reasoning_key", (
        Quirk("reasoning-key=reasoning_content", "reasoning_content", "Reasoning is called reasoning_content."),
        Quirk("reasoning-key=reasoning", "reasoning", "Reasoning is called reasoning."),
        Quirk("reasoning-key=both", "both", "Reasoning comes twice, as reasoning_content and as reasoning."),
    )),
    Axis("chunk", "reasoning_end", (
        Quirk("reasoning-end=apart", "apart", "The last thought and the first content come in chunks of their own."),
        Quirk("reasoning-end=merged", "merged", "The last thought and the first content come in one delta."),
    )),
    Axis("chunk", "content_beside_reasoning", (
        Quirk("content-beside-reasoning=absent", "absent", "A delta with reasoning has no content."),
        Quirk("content-beside-reasoning=null", "null", "A delta with reasoning has content null."),
        Quirk("content-beside-reasoning=empty", "empty", 'A delta with reasoning has content "".'),
    )),
    Axis("chunk", "content_beside_call", (
        Quirk("content-beside-call=absent", "absent", "A delta with tool_calls has no content."),
        Quirk("content-beside-call=null", "null", "A delta with tool_calls has content null."),
        Quirk("content-beside-call=empty", "empty", 'A delta with tool_calls has content "".'),
    )),
    Axis("chunk", "body_content_beside_call", (
        Quirk("body-content-beside-call=null", "null", "A message with calls and no text has content null."),
        Quirk("body-content-beside-call=empty", "empty", 'A message with calls and no text has content "".'),
        Quirk("body-content-beside-call=absent", "absent", "A message with calls and no text has no content."),
    )),
    Axis("tools", "opening", (
        Quirk("tool-opening=empty-arguments", "empty", 'A call begins with its name and arguments "".'),
        Quirk("tool-opening=no-arguments", "absent", "A call begins with its name and no arguments."),
        Quirk("tool-opening=null-arguments", "null", "A call begins with its name and arguments null."),
        Quirk("tool-opening=first-piece", "piece", "A call begins with its name and the first piece of its arguments."),
        Quirk("tool-opening=whole-call", "whole", "A call comes whole, in one delta."),
    )),
    Axis("tools", "later_id", (
        Quirk("tool-later-id=absent", "absent", "Later deltas of a call have no id."),
        Quirk("tool-later-id=empty", "empty", 'Later deltas of a call have id "".'),
        Quirk("tool-later-id=null", "null", "Later deltas of a call have id null."),
        Quirk("tool-later-id=repeated", "repeated", "Later deltas of a call say its id again."),
    )),
    Axis("tools", "later_type", (
        Quirk("tool-later-type=absent", "absent", "Later deltas of a call have no type."),
        Quirk("tool-later-type=null", "null", "Later deltas of a call have type null."),
        Quirk("tool-later-type=empty", "empty", 'Later deltas of a call have type "".'),
        Quirk("tool-later-type=repeated", "repeated", "Later deltas of a call say type function again."),
    )),
    Axis("tools", "later_name", (
        Quirk("tool-later-name=absent", "absent", "Later deltas of a call have no name."),
        Quirk("tool-later-name=null", "null", "Later deltas of a call have name null."),
        Quirk("tool-later-name=empty", "empty", 'Later deltas of a call have name "".'),
        Quirk("tool-later-name=repeated", "repeated", "Later deltas of a call say its name again."),
    )),
    Axis("tools", "name", (
        Quirk("tool-name=whole", "whole", "The name of a call comes at once."),
        Quirk("tool-name=in-pieces", "pieces", "The name of a call comes in two pieces, in two deltas."),
    )),
    Axis("tools", "index", (
        Quirk("tool-index=from-0", "from-0", "Calls are numbered from 0."),
        Quirk("tool-index=from-1", "from-1", "Calls are numbered from 1."),
        Quirk("tool-index=always-0", "always-0", "Every call has index 0; only its id tells it from the one before."),
        Quirk("tool-index=absent", "absent", "Calls have no index."),
    )),
    Axis("tools", "order", (
        Quirk("tool-order=one-by-one", "one-by-one", "A call follows the one before it."),
        Quirk("tool-order=interleaved", "interleaved", "The deltas of several calls take turns."),
        Quirk("tool-order=together", "together", "Several calls come side by side in the same deltas."),
    )),
    Axis("tools", "arguments", (
        Quirk("tool-arguments=text", "text", "The arguments of a call are JSON as a text."),
        Quirk("tool-arguments=object", "object", "The arguments of a call are an object, in one delta."),
    )),
    Axis("tools", "no_arguments", (
        Quirk("tool-no-arguments=braces", "braces", 'A call without arguments has the arguments "{}".'),
        Quirk("tool-no-arguments=empty", "empty", 'A call without arguments has the arguments "".'),
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
    Axis("frame", "body_newline", (
        Quirk("body-no-newline", False, "A body that is not streamed ends with its last brace."),
        Quirk("body-newline", True, "A body that is not streamed ends with a newline."),
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
    ), ID_FORM),
    Axis("head", "chunk_id", (
        Quirk("chunk-id=same", "same", "All chunks of a stream have one id."),
        Quirk("chunk-id=own", "own", "Each chunk of a stream has an id of its own."),
        Quirk("chunk-id=empty", "empty", 'Chunks of a stream have id "".'),
        Quirk("chunk-id=null", "null", "Chunks of a stream have id null."),
    )),
    Axis("head", "chunk_created", (
        Quirk("chunk-created=same", "same", "All chunks of a stream have one created."),
        Quirk("chunk-created=counts-up", "counts-up", "created grows from chunk to chunk."),
    )),
    Axis("head", "created_type", (
        Quirk("created-integer", "integer", "created is a whole number."),
        Quirk("created-text", "text", "created is a number as a text."),
        Quirk("created-float", "float", "created is a number with a fraction."),
    )),
    Axis("chunk", "model_echo", (
        Quirk("model-echo", "{model}", "model is the model that answers."),
        Quirk("model-echo=null", "null", "model is null."),
        Quirk("model-echo=", "", 'model is "".'),
    ), ECHO),
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

EXAMPLES: Final = tuple(f"{family.name}={text}" for family in FAMILIES for text in family.examples)
"""Names of quirks of the families, one or more of each."""
QUIRKS: Final[dict[str, tuple[Axis, Quirk]]] = {quirk.name: (axis, quirk) for axis in AXES for quirk in axis.quirks}
"""The quirks with a name of their own."""


@lru_cache(maxsize=4096)
def axis_of(family: Family, part: str) -> Axis:
    """The axis of one part of a field, which a family's quirks set; its standard is that nothing is set."""
    if not family.parted:
        return next(axis for axis in AXES if axis.family is family)
    standard = Quirk(f"{family.name}={part}", "", family.says_not(part))
    return Axis(family.stage, family.field, (standard,), family, part)


def _valued(family: Family, part: str, value: str) -> Quirk:
    return Quirk(f"{family.name}={family.written(part, value)}", value, family.says(part, value))


def find(name: str) -> tuple[Axis, Quirk]:
    """The row of a name; raises UnknownQuirkError with the near names."""
    if name in QUIRKS:
        return QUIRKS[name]
    word, equals, text = name.partition("=")
    family = next((one for one in FAMILIES if one.name == word), None)
    if family is None or not equals:
        raise UnknownQuirkError(f"unknown quirk {name!r}; {_near(name)}")
    try:
        part, value = family.read(text)
    except ValueError as error:
        raise UnknownQuirkError(f"quirk {name!r}: {error}") from None
    axis = axis_of(family, part)
    return axis, axis.standard if family.parted and not value else _valued(family, part, value)


def _near(name: str) -> str:
    text = suggestion(name, (*QUIRKS, *(family.name + "=" for family in FAMILIES)))
    return text if text.startswith("did") else "genstudio-mock profiles --quirks lists them"


def apply(settings: WireSettings, axis: Axis, quirk: Quirk) -> WireSettings:
    """The settings with one quirk set."""
    stage = getattr(settings, axis.stage)
    value: object = quirk.value
    if axis.part:
        parts = {part: own for part, own in getattr(stage, axis.field) if quirk.value or part != axis.part}
        value = tuple((parts | ({axis.part: quirk.value} if quirk.value else {})).items())
    if value == getattr(stage, axis.field):
        return settings
    changed_stage: Any = replace(stage, **{axis.field: value})
    return replace(settings, **{axis.stage: changed_stage})


def words(text: str) -> Iterator[str]:
    """The entries between commas; a comma inside a JSON value is none of these."""
    depth, quoted, begin = 0, False, 0
    for mark in _MARKS.finditer(text):
        if mark[0] == '"':
            quoted = not quoted
        elif not quoted and mark[0] in "[{":
            depth += 1
        elif not quoted and mark[0] in "]}":
            depth -= 1
        elif not quoted and mark[0] == "," and depth <= 0:
            yield text[begin : mark.start()].strip()
            begin = mark.end()
    yield text[begin:].strip()


_MARKS: Final = re.compile(r'\\.|[",\[\]{}]')


def changed(settings: WireSettings, text: str) -> WireSettings:
    """The settings after the header `X-Mock-Quirks`, say `+no-done,-sse`; a bare name means `+`.

    Raises:
        UnknownQuirkError: a name is unknown.
    """
    for entry in words(text):
        if not entry:
            continue
        name = entry[1:] if entry[0] in "+-" else entry
        axis, quirk = find(name)
        settings = apply(settings, axis, axis.without(name) if entry.startswith("-") else quirk)
    return settings


def parts_of(settings: WireSettings) -> Iterator[Axis]:
    """The axes of the parts that settings set, which no table can list."""
    for family in FAMILIES:
        if family.parted:
            set_parts = getattr(getattr(settings, family.stage), family.field)
            yield from (axis_of(family, part) for part, _ in set_parts)


def deviations(settings: WireSettings) -> tuple[Quirk, ...]:
    """The quirks by which the settings differ from the standard, in the table's order."""
    found = [axis.quirk_in(settings) for axis in (*AXES, *parts_of(settings))]
    return tuple(quirk for quirk in found if quirk.name not in STANDARDS)


STANDARDS: Final = frozenset(axis.standard.name for axis in AXES)

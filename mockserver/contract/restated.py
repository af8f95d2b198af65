"""What a wire form cannot say: an answer that came, said again under the settings, and what then differs.

The answer is read from the chunks or the body, and the pure stages say it anew. Compared are the objects, one after
another: their number, their keys with nulls and order, and every value, since the words, the counts and the identity
are the same. Only where each chunk has an id or a time of its own, that of a clock that goes on too, is their form
compared.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.clauses.observers_frame import has_form, id_form_of
from mockserver.contract.clauses.reading import Reading
from mockserver.core.exchange import Head
from mockserver.core.route import parse
from mockserver.pipeline.keys import CHANGES, kind_of, placed
from mockserver.pipeline.read import answer_of
from mockserver.pipeline.render import body_object, render_body, render_stream, stream_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mockserver.core.exchange import Answer, Exchange
    from mockserver.pipeline.frame import Json
    from mockserver.pipeline.wire_settings import WireSettings


@dataclass(frozen=True, slots=True)
class Unlike:
    """One way in which answers differ from the mock's.

    Attributes:
        path: Where, as `choices[].delta.content`; `chunks` for one more or less, `… keys` for their order.
        came: What came.
        ours: What the mock says.
        answers: In how many answers.
    """

    path: str
    came: str
    ours: str
    answers: int = 1

    def __str__(self) -> str:
        return f"{self.path}: recorded {self.came}, the mock {self.ours} (in {self.answers})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of a comparison.

    Attributes:
        answers: How many answers could be said again.
        same: How many of them differ in nothing.
        differences: What differs, each once, the most frequent first.
    """

    answers: int
    same: int
    differences: tuple[Unlike, ...]


def compared(exchanges: Iterable[Exchange], wire: WireSettings) -> Comparison:
    """Say each whole answer again under the settings and compare."""
    found: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Unlike] = {}
    answers = same = 0
    for exchange in exchanges:
        reading = Reading(exchange)
        if not (reading.whole or reading.completion) or not reading.choices:
            continue
        answers += 1
        differing = {(one.path, _kind(one)): one for one in _differences(reading, wire)}
        same += not differing
        found.update(differing.keys())
        first = differing | first
    listed = tuple(replace(first[key], answers=count) for key, count in found.most_common())
    return Comparison(answers, same, listed)


def same_bytes(exchange: Exchange, wire: WireSettings) -> bool:
    """Whether the answer, said again, is the same to the byte; True where a part of it is another in each answer."""
    reading = Reading(exchange)
    changes = any(value.startswith(CHANGES) for _, value in wire.keys.extra) or wire.head.created_type == "float"
    if changes or wire.head.chunk_id == "own" or wire.head.chunk_created != "same" or _time_goes_on(reading):
        return True
    answer, head = _said(reading, wire), _head(reading)
    if reading.completion is not None:
        return render_body(answer, head, wire) == reading.body.lstrip()
    ours = b"".join(render_stream(answer, head, wire, include_usage=reading.wants_usage))
    return _COMMENT.sub(b"", ours) == _COMMENT.sub(b"", reading.body)


_COMMENT: Final = re.compile(rb"^:[^\r\n]*(\r\n|\r|\n)+", re.MULTILINE)
"""What fills a silence, as white space before a body does: how often it comes is a matter of the time that passed."""


def _kind(one: Unlike) -> str:
    """What tells two differences at one path apart: a key that is missing on one side, and null."""
    return " ".join(text if text in {_ABSENT, "null"} else "value" for text in (one.came, one.ours))


def _differences(reading: Reading, wire: WireSettings) -> Iterator[Unlike]:
    answer, head = _said(reading, wire), _head(reading)
    if reading.completion is not None:
        ours = [body_object(answer, head, wire)]
    else:
        ours = stream_objects(answer, head, wire, include_usage=reading.wants_usage)
    timed = wire.head.chunk_created != "same" or _time_goes_on(reading)
    theirs = [_masked(one, reading, wire, timed=timed) for one in reading.objects]
    ours = [_masked(one, reading, wire, timed=timed) for one in ours]
    if len(theirs) == len(ours):
        pairs = list(zip(theirs, ours, strict=True))
    else:
        yield Unlike("chunks", str(len(theirs)), str(len(ours)))
        texts, our_texts = ([json.dumps(one) for one in listed] for listed in (theirs, ours))
        pairs = []
        for _, a, b, c, d in SequenceMatcher(None, texts, our_texts, autojunk=False).get_opcodes():
            pairs += [(one, other) for one, other in zip_longest(theirs[a:b], ours[c:d]) if one and other]
    for one, other in pairs:
        yield from _walk(one, other, "")


def _said(reading: Reading, wire: WireSettings) -> Answer:
    """The answer, with the finish reason as it was before the settings change its word."""
    answer = answer_of([_numbered(one) for one in reading.objects])
    calls = bool(answer.tool_calls)
    words = [part for part, word in wire.chunk.finish_words if word == answer.finish_reason]
    due = next((part for part in words if (part == "tool_calls") is calls), answer.finish_reason)
    return replace(answer, finish_reason=due)


def _numbered(one: Json) -> Json:
    """A chunk whose first choice is choice 0, whatever its number."""
    choices = one.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return one
    return {**one, "choices": [{**choices[0], "index": 0}]}


def _head(reading: Reading) -> Head:
    """The identity that came; the model is the one that was asked for where the echo is another."""
    ids = [one["id"] for one in reading.objects if isinstance(one.get("id"), str)]
    times = [time for one in reading.objects if (time := _time_of(one)) is not None]
    models = [one["model"] for one in reading.objects if isinstance(one.get("model"), str)]
    route = parse(reading.exchange.request.path)
    due = [one for one in (reading.asked.get("model"), route and route.model) if isinstance(one, str) and one]
    model = next((one for one in due if one in models), due[0] if due else (models or [""])[0])
    return Head((ids or [""])[0], (times or [0])[0], model)


def _time_of(one: Json) -> int | None:
    """Unix seconds, whatever they are written as."""
    created = one.get("created")
    if isinstance(created, str) and created.isascii() and created.isdecimal() and len(created) <= _MOST_DIGITS:
        return int(created)
    return int(created) if isinstance(created, (int, float)) and not isinstance(created, bool) else None


_MOST_DIGITS: Final = 12


def _time_goes_on(reading: Reading) -> bool:
    """Whether `created` is each chunk's own time: a second or more passed while the stream came."""
    times = [time for one in reading.chunks if (time := _time_of(one)) is not None]
    plan = reading.exchange.plan
    if len(set(times)) < 2 or plan is None or times != sorted(times):
        return False
    passed: int = times[-1] - times[0]
    return passed <= 1 + (plan.at_ms[-1] if plan.at_ms else 0) / 1000


def _masked(one: Json, reading: Reading, wire: WireSettings, *, timed: bool) -> Json:
    """A chunk with the form of what is its own."""
    own: Json = {}
    if wire.head.chunk_id == "own" and isinstance(one.get("id"), str):
        form = id_form_of(one["id"])
        own["id"] = wire.head.id_form if has_form(form, wire.head.id_form) else form
    if (timed and type(one.get("created")) is int) or type(one.get("created")) is float:
        own["created"] = type(one["created"])(0)  # of a fraction no whole number tells the rest
    made = copy.deepcopy({key: own.get(key, value) for key, value in one.items()})
    changing = {where for where, value in wire.keys.extra if value.startswith(CHANGES)}
    for place, held in placed(made, streamed=reading.streamed) if changing else ():
        for where in changing:
            at, _, key = where.partition(".")
            if at.partition("@")[0] == place and key in held:
                held[key] = kind_of(held[key])
    return made


_ABSENT: Final = "absent"
_GONE: Final = object()


def _walk(came: Any, ours: Any, path: str) -> Iterator[Unlike]:
    """What differs between two values, by path."""
    if isinstance(came, dict) and isinstance(ours, dict):
        for key in dict.fromkeys([*came, *ours]):
            yield from _walk(came.get(key, _GONE), ours.get(key, _GONE), f"{path}.{key}".lstrip("."))
        shared, ours_shared = [key for key in came if key in ours], [key for key in ours if key in came]
        if shared != ours_shared:
            yield Unlike(f"{path} keys".strip(), " ".join(shared), " ".join(ours_shared))
    elif isinstance(came, list) and isinstance(ours, list):
        if len(came) != len(ours):
            yield Unlike(f"{path}[] length", str(len(came)), str(len(ours)))
        for one, other in zip(came, ours, strict=False):
            yield from _walk(one, other, f"{path}[]")
    elif type(came) is not type(ours) or came != ours:
        yield Unlike(path, _short(came), _short(ours))


def _short(value: object) -> str:
    text = _ABSENT if value is _GONE else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."

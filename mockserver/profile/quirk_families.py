"""Families of quirks: named with a value, `extra-key=chunk.service_tier:null`, since no table can list them all.

A family either widens an axis of the table (`id-form=…`), or sets one part of a field, and then each part is an axis of
its own (`extra-key=…`): a profile may name as many as it likes, each with its own claim.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from mockserver.core.drawn import DRAWN_FROM, is_form, parts_of_form
from mockserver.core.immutable import immutable
from mockserver.pipeline.keys import ABSENT, CHANGES, IN_STREAMS, MOMENTS, OWN, PLACES, SAID

if TYPE_CHECKING:
    from collections.abc import Callable


@immutable(frozen=True, slots=True)
class Family:
    """Quirks that are named `NAME=VALUE`.

    Attributes:
        name: What stands before the equals sign.
        form: What stands behind it, for people.
        about: One sentence on all of them.
        stage: The field of `WireSettings`.
        field: The field of that stage's settings.
        parted: Whether each part of the field is an axis of its own; the field then holds pairs of part and value.
        read: The part (empty where not parted) and the value that a text means; raises ValueError that says the form.
        written: The text of a part and a value.
        says: One sentence on one quirk, of its part and value.
        says_not: One sentence on the standard of a part.
        examples: Texts that are used where one needs some: in tests and by the fuzzer.
    """

    name: str
    form: str
    about: str
    stage: str
    field: str
    parted: bool
    read: Callable[[str], tuple[str, str]]
    written: Callable[[str, str], str]
    says: Callable[[str, str], str]
    says_not: Callable[[str], str]
    examples: tuple[str, ...]


# --- extra-key ----------------------------------------------------------------------------------------------------


def _placed(text: str, family: str, example: str, *, moments: bool = False) -> tuple[str, str, list[str]]:
    """Where a key stands, what is said of it, and the names of its place and path; a moment is left out of these."""
    where, _, value = text.partition(":")
    at, *names = where.split(".")
    place, mark, moment = at.partition("@")
    timed = moments and place in IN_STREAMS and moment in MOMENTS
    if place not in PLACES or (mark and not timed) or not names or not all(map(_NAME.fullmatch, names)):
        told = f"due PLACE.NAME:JSON, say {family}={example}; PLACE is one of {', '.join(PLACES)}"
        also = f"; {', '.join(IN_STREAMS)} may be those of one moment, as choice@finish: {', '.join(MOMENTS)}"
        raise ValueError(told + (also if moments else ""))
    return where, value, [place, *names]


_NAME: Final = re.compile(r"[^\s,.+:|\"\x00-\x1f\x7f]{1,80}")


def _as_json(where: str, value: str) -> str:
    try:
        return json.dumps(json.loads(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError(f'behind {where}: JSON is due, say null, "" or [1]; got {value[:40]!r}') from None


def _read_key(text: str) -> tuple[str, str]:
    """A key and its value: `PLACE.NAME:JSON`; without the value the standard of that key is meant."""
    where, value, (place, name, *deeper) = _placed(text, "extra-key", "chunk.service_tier:null", moments=True)
    if name in OWN[place] and not deeper:
        raise ValueError(f"{name} is no further key of {place}: other quirks decide it")
    example = CHANGES if value.startswith(CHANGES) else ""
    return where, example + _as_json(where, value.removeprefix(CHANGES)) if ":" in text else ""


_WHERE: Final = {
    "chunk": "Chunks", "body": "Bodies", "choice": "Choices of a stream", "body-choice": "Choices of a body",
    "delta": "Deltas", "message": "Messages of a body", "usage": "Usage",
}  # fmt: skip


_WHEN: Final = {
    "": "", "first": " in the first chunk", "middle": " in the chunks between the first and the finish",
    "finish": " in the chunk with the finish reason", "behind": " in the chunks behind the finish reason",
}  # fmt: skip


def _says_key(part: str, value: str) -> str:
    at, _, name = part.partition(".")
    place, _, moment = at.partition("@")
    carry = "carries" if place == "usage" else "carry"
    like = f", which changes, say {value.removeprefix(CHANGES)}" if value.startswith(CHANGES) else f": {value}"
    return f"{_WHERE[place]} that would lack {name} {carry} {name}{like}{_WHEN[moment]}."


EXTRA_KEY: Final = Family(
    "extra-key", "PLACE.NAME:JSON",
    "Where the place would lack NAME, it carries NAME with this value; behind ~ it is an example of what changes.",
    "keys", "extra", True, _read_key, lambda part, value: f"{part}:{value}", _says_key,
    lambda part: f"No key {part} is added.",
    ("chunk.system_fingerprint:null", "body.service_tier:\"default\"", "delta.reasoning_content:null",
     "delta.tool_calls:null", "choice.token_ids:null", "usage.cost:0",
     "choice@finish.stop_reason:null", "body.timings:~{\"ms\":1.5}",
     "usage.completion_tokens_details.audio_tokens:0"),
)  # fmt: skip


# --- fixed-key ----------------------------------------------------------------------------------------------------


def _read_fixed(text: str) -> tuple[str, str]:
    """A key and what it carries instead: `PLACE.NAME:JSON`, or `PLACE.NAME:absent`."""
    where, value, (_, *names) = _placed(text, "fixed-key", "body.created:absent")
    if SAID & {*names}:
        raise ValueError(f"{where} holds what is said, which no quirk takes away")
    if value == ABSENT or ":" not in text:
        return where, value
    return where, _as_json(where, value)


def _says_fixed(part: str, value: str) -> str:
    place, _, name = part.partition(".")
    if value == ABSENT:
        return f"{_WHERE[place]} {'lacks' if place == 'usage' else 'lack'} {name}."
    return f"{name} is always {value} where it stands in {_WHERE[place][0].lower()}{_WHERE[place][1:]}."


FIXED_KEY: Final = Family(
    "fixed-key", "PLACE.NAME:JSON", "Where the place has NAME, it carries this value instead, or lacks it: absent.",
    "keys", "fixed", True, _read_fixed, lambda part, value: f"{part}:{value}", _says_fixed,
    lambda part: f"{part} says what is due.",
    ("body.created:absent", "body.usage:absent", "body-choice.index:absent"),
)  # fmt: skip


# --- key-order ----------------------------------------------------------------------------------------------------


def _read_order(text: str) -> tuple[str, str]:
    where, colon, value = text.partition(":")
    place, *names = where.split(".")
    good = place in PLACES and all(map(_NAME.fullmatch, names)) and all(map(_NAME.fullmatch, value.split("+")))
    if not good and (colon or place not in PLACES):
        raise ValueError(
            f"due PLACE:NAME+NAME, say key-order=choice:delta+index; PLACE is one of {', '.join(PLACES)}, "
            "and .NAME leads inside"
        )
    return where, value


KEY_ORDER: Final = Family(
    "key-order", "PLACE:NAME+NAME", "The keys of the place come in this order, others behind them.",
    "keys", "order", True, _read_order, lambda part, value: f"{part}:{value}",
    lambda part, value: f"Keys of {part} come in the order {', '.join(value.split('+'))}.",
    lambda part: f"Keys of {part} come in the order of the printed samples.",
    ("choice:delta+index", "body:id+choices+usage", "usage:total_tokens+prompt_tokens"),
)  # fmt: skip


# --- finish-word --------------------------------------------------------------------------------------------------


def _read_word(text: str) -> tuple[str, str]:
    word, _, other = text.partition(":")
    if not re.fullmatch(r"[a-z_]+", word) or not re.fullmatch(r"[^\s,\"]*", other) or other == word:
        raise ValueError("due WORD:OTHER, say finish-word=stop:eos; OTHER has no white space, comma or quote")
    return word, other


FINISH_WORD: Final = Family(
    "finish-word", "WORD:OTHER", "Where finish_reason would be WORD, it is OTHER.",
    "chunk", "finish_words", True, _read_word, lambda part, value: f"{part}:{value}",
    lambda part, value: f"finish_reason is {value} where it would be {part}.",
    lambda part: f"finish_reason {part} is sent as it is.",
    ("stop:eos", "tool_calls:stop", "length:max_tokens"),
)  # fmt: skip


# --- id-form, model-echo ------------------------------------------------------------------------------------------

_ID: Final = re.compile(r"[!#-+\--~]{1,120}")


def _read_id(text: str) -> tuple[str, str]:
    if not _ID.fullmatch(text) or not is_form(text):
        names = ", ".join(DRAWN_FROM)
        raise ValueError(f"due a text, what is drawn in braces, say id-form=gen-{{digits:10}}; allowed: uuid, {names}")
    return "", text


_DRAWN_AS: Final = {
    "hex": "hex digits", "digits": "digits", "lower": "small letters and digits", "letters": "letters and digits",
    "base64": "letters, digits, + and /", "base64url": "letters, digits, - and _", "uuid": "a UUID",
}  # fmt: skip


def _says_id(_part: str, value: str) -> str:
    told = [
        part if isinstance(part, str) else " ".join(filter(None, (part[1], _DRAWN_AS[part[0]])))
        for part in parts_of_form(value)
    ]
    return f"Ids are {', then '.join(told)}."


ID_FORM: Final = Family(
    "id-form", "TEXT", "Ids are this text; {uuid}, {digits:10} or {hex:8-12} in it is drawn anew for each.",
    "head", "id_form", False, _read_id, lambda _part, value: value, _says_id,
    lambda _part: "", ("gen-{digits:10}", "cmpl-{hex:32}", "{uuid}", "chatcmpl-{digits:1-3}"),
)  # fmt: skip


def _read_echo(text: str) -> tuple[str, str]:
    if not re.fullmatch(r"[^\s,\"\x00-\x1f\x7f]{1,120}", text):
        raise ValueError("due a name, say model-echo=models/{model}; {model} stands for the model that answers")
    return "", text


ECHO: Final = Family(
    "model-echo", "TEXT", "model is this text; {model} in it stands for the model that answers.",
    "chunk", "model_echo", False, _read_echo, lambda _part, value: value,
    lambda _part, value: f"model is {value}.", lambda _part: "", ("models/{model}", "gpt-4o"),
)  # fmt: skip


def _read_type(text: str) -> tuple[str, str]:
    if not re.fullmatch(r"[!#-+\--~]+/[!#-+\--~]+(;[!#-+\--~]+)?", text) or len(text) > _LONGEST_TYPE:
        raise ValueError("due a media type without spaces, say type=text/plain")
    return "", text


_LONGEST_TYPE: Final = 120
TYPE: Final = Family(
    "type", "MEDIA/TYPE", "A stream is announced as this.",
    "frame", "content_type", False, _read_type, lambda _part, value: value,
    lambda _part, value: f"A stream is announced as {value}.", lambda _part: "", ("text/plain",),
)  # fmt: skip

FAMILIES: Final = (EXTRA_KEY, FIXED_KEY, KEY_ORDER, FINISH_WORD, ID_FORM, ECHO, TYPE)

"""Stage `shape`: which keys each chunk of a stream carries.

The chunk stage hands over whole chunks; here keys go away. The documented case (tutorial, third point of the note on
chip3, chip4 and chip5): `object` and `created` stand only in the last chunk.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from mockserver.core.immutable import immutable

Json = dict[str, Any]
Placement = Literal["every", "first", "last", "never"]

TOP_LEVEL_KEYS = ("id", "object", "created", "model", "usage")


@immutable(frozen=True, slots=True)
class ShapeSettings:
    """Where each key stands; `role` is that of the deltas, the others are top-level."""

    id: Placement = "every"
    object: Placement = "every"
    created: Placement = "every"
    model: Placement = "every"
    usage: Placement = "last"
    role: Placement | Literal["before-finish"] = "first"
    usage_when: Literal["always", "on-request"] = "always"
    usage_elsewhere: Literal["absent", "null", "object"] = "absent"
    usage_unasked: Literal["absent", "null"] = "absent"
    usage_choices: Literal["none", "one", "silent"] = "none"
    role_elsewhere: Literal["absent", "empty", "null"] = "absent"
    finish_reason_open: Literal["null", "empty", "absent"] = "null"
    choice_index: Literal["zero", "counts-up", "absent"] = "zero"
    message: bool = False


def shape(whole: list[Json], settings: ShapeSettings, *, include_usage: bool) -> list[Json]:
    """The chunks as this chip sends them.

    Args:
        whole: Chunks with every key, from the chunk stage; they are not changed.
        settings: This stage's settings.
        include_usage: The request's `stream_options.include_usage`.
    """
    if settings.usage_when == "on-request" and not include_usage:
        settings = _without_usage(settings)
        whole = [one for one in whole if one["choices"]]
    last = len(whole) - 1
    closing = max(number for number, one in enumerate(whole) if one["choices"])  # a chunk of usage may follow it
    shaped = [
        _shape_one(one, settings, number, last=number == last, closing=number == closing)
        for number, one in enumerate(whole)
    ]
    kept = [one for one in shaped if one["choices"] or "usage" in one]
    if settings.usage_choices != "none" and not kept[-1]["choices"]:
        delta: Json = {} if settings.usage_choices == "one" else {"content": ""}
        if delta and settings.role == "every":
            delta = {"role": "assistant", **delta}
        silent: Json = {"delta": delta, **({"message": dict(delta)} if settings.message else {}), "finish_reason": None}
        counted = {"index": closing + 1} if settings.choice_index == "counts-up" else {}
        kept[-1]["choices"] = [{**kept[-2]["choices"][0], **silent, **counted}]
    return kept


def stays(placement: str, *, first: bool, last: bool) -> bool:
    """Whether a key with this placement stands in a chunk at this position."""
    match placement:
        case "first":
            return first
        case "last":
            return last
        case "before-finish":
            return not last
    return placement == "every"


def _without_usage(settings: ShapeSettings) -> ShapeSettings:
    from dataclasses import replace

    return replace(settings, usage="never", usage_elsewhere=settings.usage_unasked)


def _shape_one(whole: Json, settings: ShapeSettings, number: int, *, last: bool, closing: bool) -> Json:
    kept: Json = {}
    first = number == 0
    for key, value in whole.items():
        if key == "choices":
            kept[key] = [_shape_choice(choice, settings, number, last=closing) for choice in value]
        elif key not in TOP_LEVEL_KEYS or stays(getattr(settings, key), first=first, last=last):
            kept[key] = value
        elif key == "usage" and settings.usage_elsewhere != "absent":
            kept[key] = None if settings.usage_elsewhere == "null" else {}
    return kept


def _shape_choice(whole: Json, settings: ShapeSettings, number: int, *, last: bool) -> Json:
    choice = dict(whole)
    first = number == 0
    delta = {key: value for key, value in choice["delta"].items() if key != "role"}
    if stays(settings.role, first=first, last=last):
        delta = {"role": "assistant", **delta}
    elif settings.role_elsewhere != "absent":
        delta = {"role": "" if settings.role_elsewhere == "empty" else None, **delta}
    choice["delta"] = delta
    if choice["finish_reason"] is None and not last:
        if settings.finish_reason_open == "empty":
            choice["finish_reason"] = ""
        elif settings.finish_reason_open == "absent":
            del choice["finish_reason"]
    if settings.usage == "never":
        choice.pop("usage", None)
    if settings.choice_index == "absent":
        del choice["index"]
    elif settings.choice_index == "counts-up":
        choice["index"] = number
    if settings.message:
        finish = choice.pop("finish_reason", _GONE)
        choice["message"] = dict(delta)
        if finish is not _GONE:
            choice["finish_reason"] = finish
    return choice


_GONE: Final = object()

"""The wire dialect seen in an exchange: for each axis of the quirk table, which of its values the bytes show.

Checks, `learn` and `drift` all read this one table.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.clauses import observers_chunk, observers_frame, observers_parts, observers_tools
from mockserver.core.exchange import Answer, Head, ToolCall, Usage
from mockserver.pipeline.frame import content_type
from mockserver.pipeline.keys import merged
from mockserver.pipeline.render import body_object, render_body, render_stream, stream_objects
from mockserver.profile import quirks
from mockserver.profile.quirk_families import EXTRA_KEY, KEY_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.contract.clauses.reading import Reading, Shown
    from mockserver.pipeline.wire_settings import WireSettings
    from mockserver.profile.quirks import Axis

OBSERVERS: Final = {**observers_frame.OBSERVERS, **observers_chunk.OBSERVERS, **observers_tools.OBSERVERS}


def declared(wire: WireSettings, axis: Axis) -> str | bool:
    """The value that the settings give an axis."""
    return axis.value_in(wire)


def name_of(axis: Axis, value: Shown) -> str | None:
    """The quirk with this value; None where no quirk of the axis has it."""
    quirk = axis.quirk_of(value)
    return quirk.name if quirk else None


def observe(reading: Reading, known: Iterable[Axis] = ()) -> dict[Axis, Shown]:
    """What one exchange shows of each axis; axes that it cannot show are absent.

    Args:
        reading: The exchange.
        known: Axes of parts that are looked for, say a further key that the profile declares; others are found.
    """
    looked_for = tuple(known)
    if looked_for in reading.shown:
        return reading.shown[looked_for]
    shown = {axis: watch(reading) for axis in quirks.AXES if (watch := OBSERVERS.get((axis.stage, axis.field)))}
    for axis in looked_for:
        if axis.family:
            shown[axis] = observers_parts.observe_known(axis.family, reading, axis.part)
    for family, parts in observers_parts.observe(reading).items():
        shown |= {quirks.axis_of(family, part): value for part, value in parts.items()}
    # A target may send a list where a text is due; as text it is a value that no quirk has.
    named: dict[Axis, Shown] = {
        axis: one if isinstance(one, (str, bool)) else str(one) for axis, one in shown.items() if one is not None
    }
    return reading.shown.setdefault(looked_for, named)


def settled(wire: WireSettings, seen: Iterable[tuple[Axis, Shown]]) -> WireSettings:
    """The settings with each seen value that a quirk has a name for."""
    for axis, value in seen:
        quirk = axis.quirk_of(value)
        if quirk is not None:
            wire = quirks.apply(wire, axis, quirk)
    return wire


def differs(wire: WireSettings, seen: dict[Axis, Shown], axis: Axis, *, streamed: bool) -> bool:
    """Whether what was seen on an axis contradicts the settings, and not only in a way that no byte could show.

    Two values are alike where everything else that was seen makes both write the same bytes: without event framing,
    say, a done marker is neither sent nor missed.

    Args:
        wire: The settings.
        seen: What one exchange showed.
        axis: The axis in question.
        streamed: Whether the exchange was a stream or one body.
    """
    value = seen.get(axis)
    if value is None or value == declared(wire, axis):
        return False
    if axis.field == "id_form" and observers_frame.has_form(str(value), str(declared(wire, axis))):
        return False
    if axis.family is EXTRA_KEY and observers_parts.has_kind(str(value), str(declared(wire, axis))):
        return False
    if axis.field == "usage_order" and "usage" in dict(wire.keys.order):
        return False  # which says the order of all its keys
    if axis.family is not KEY_ORDER and name_of(axis, value) is None:
        return True
    shown = settled(wire, [(other, one) for other, one in seen.items() if other.family is not KEY_ORDER])
    if axis.family is KEY_ORDER:  # an order is one of its own where no other setting explains it
        return all(_is_new(orders_of(str(value)), _orders(one).get(axis.part, [])) for one in (wire, shown))
    back = quirks.apply(shown, axis, axis.quirk_in(wire))
    return _forms(shown, streamed=streamed) != _forms(back, streamed=streamed)


def _is_new(seen: list[list[str]], known: list[list[str]]) -> bool:
    """Whether orders of keys contradict known ones, which may contradict each other: a call's and a text's."""
    new = [order for order in seen if order not in known]
    return bool(new) and merged([*new, *known]) is None


def orders_of(value: str) -> list[list[str]]:
    """The orders of keys that an exchange shows of one place."""
    return [order.split("+") for order in value.split("|")]


@lru_cache(maxsize=256)
def _orders(wire: WireSettings) -> dict[str, list[list[str]]]:
    """The orders in which the settings write the keys of each place."""
    head = Head("id", 1_700_000_000, "model")
    chunks = [one for answer in _SAMPLES for one in stream_objects(answer, head, wire, include_usage=True)]
    bodies = [body_object(answer, head, wire) for answer in _SAMPLES]
    streamed = observers_parts.orders_in(chunks, streamed=True)
    whole = observers_parts.orders_in(bodies, streamed=False)
    return {place: streamed.get(place, []) + whole.get(place, []) for place in (*streamed, *whole)}


def alike(one: WireSettings, other: WireSettings) -> bool:
    """Whether no exchange can tell two settings apart."""
    return all(_forms(one, streamed=streamed) == _forms(other, streamed=streamed) for streamed in (True, False))


@lru_cache(maxsize=1024)
def _forms(wire: WireSettings, *, streamed: bool) -> tuple[Any, ...]:
    """How the settings write a set of sample answers, as streams or as bodies."""
    head = Head("id", 1_700_000_000, "model")
    if not streamed:
        return (wire.head, *(render_body(answer, head, wire) for answer in _SAMPLES))
    written = [
        tuple(render_stream(answer, head, wire, include_usage=asked)) for answer in _SAMPLES for asked in (False, True)
    ]
    return (wire.head, content_type(wire.frame), wire.frame.delivery, *written)


_PIECES = ("我是", "一个", "模型", " that", " speaks")
_CALLS: Final = (ToolCall("call_1", "weather", ('{"city":', '"北京"}')), ToolCall("call_2", "time", ("{}",)))
_SAMPLES: Final = (
    Answer((), Usage(22, 6), "tool_calls", tool_calls=_CALLS),
    Answer(_PIECES, Usage(22, 6), "length"),
    Answer(_PIECES, Usage(22, 6)),
    Answer(_PIECES, Usage(22, 8, 2), reasoning=("想", "一想")),
    Answer(_PIECES[:3], Usage(22, 4), blocked=True),
    Answer((), Usage(22, 1), blocked=True),
)

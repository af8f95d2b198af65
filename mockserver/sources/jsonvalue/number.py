"""A number within the bounds of one or several schemas."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import shown_json
from mockserver.sources.jsonvalue.document import MOST_BITS, limits
from mockserver.sources.jsonvalue.errors import UnsatisfiableSchemaError
from mockserver.sources.jsonvalue.shape import exact

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

WINDOW: Final = 10
"""Values near a bound among which one is picked."""
_LARGEST: Final = 1 << 63  # what is larger is written as a float


class _Side:
    """The tightest lower (1) or upper (-1) bound, and who set it."""

    def __init__(self, side: int, parts: Sequence[tuple[Any, str]]) -> None:
        self.side = side
        self.bound: Fraction | None = None
        self.strict = False
        self.says = ""
        self.where = ""
        for schema, where in parts:
            for towards, keyword, bound, strict in limits(schema):
                if towards == side and (
                    self.bound is None or (side * bound, strict) > (side * self.bound, self.strict)
                ):
                    self.bound, self.strict, self.where = bound, strict, where
                    self.says = f"{keyword} {shown_json(schema[keyword])}"

    def nearest(self, step: Fraction) -> int | None:
        """How many steps from 0 the bound's nearest allowed multiple is."""
        if self.bound is None:
            return None
        steps = self.bound / step
        whole = math.ceil(steps) if self.side > 0 else math.floor(steps)
        return whole + self.side if self.strict and whole == steps else whole


def number_for(
    parts: Sequence[tuple[Any, str]],
    dice: random.Random,
    *,
    whole: bool,
    hint: tuple[float, float] | None = None,
    serial: int = 0,
) -> int | float:
    """A number that meets the bounds and `multipleOf` of every schema.

    Args:
        parts: Schemas, each with its path.
        dice: Decides among the numbers.
        whole: Only integers.
        hint: From and to, where such a number is more plausible.
        serial: 0, or a number that widens the choice.

    Raises:
        UnsatisfiableSchemaError: The bounds leave nothing between them.
    """
    low, high = _Side(1, parts), _Side(-1, parts)
    where = low.where or high.where or (parts[0][1] if parts else "schema")
    if low.bound is not None and high.bound is not None:
        gap = high.bound - low.bound
        if gap < 0 or (gap == 0 and (low.strict or high.strict)):
            raise UnsatisfiableSchemaError(
                where, f"{low.says} and {high.says} leave no number between them", "lower the one or raise the other"
            )
    step = _common(
        [exact(schema["multipleOf"]) for schema, _ in parts if "multipleOf" in schema] + [Fraction(1)] * whole,
        where,
    )
    if step is None:
        return _between(low, high, dice, hint, serial)
    first, last = low.nearest(step), high.nearest(step)
    if first is not None and last is not None and first > last:
        kind = "integer" if step == 1 else f"multiple of {_plain(step)}"
        raise UnsatisfiableSchemaError(where, f"no {kind} lies between {low.says} and {high.says}", "widen the bounds")
    return _plain(_pick(first, last, step, dice, hint, serial) * step)


def _common(steps: Sequence[Fraction], where: str) -> Fraction | None:
    """The least common multiple; None for none, UnsatisfiableSchemaError for one that is too large."""
    if not steps:
        return None
    bottom = math.lcm(*(step.denominator for step in steps))
    top = 1
    for step in steps:
        top = math.lcm(top, step.numerator * (bottom // step.denominator))
        if top.bit_length() > MOST_BITS or bottom.bit_length() > MOST_BITS:
            raise UnsatisfiableSchemaError(
                where, f"a common multiple takes more than {MOST_BITS} bits", "use fewer multipleOf"
            )
    return Fraction(top, bottom)


def _pick(
    first: int | None,
    last: int | None,
    step: Fraction,
    dice: random.Random,
    hint: tuple[float, float] | None,
    serial: int,
) -> int:
    """A count of steps: within the hint where that is allowed, else near the bound that is nearer to 0."""
    window = WINDOW * (1 + serial)
    if hint is not None and serial < 4:
        low, high = math.ceil(exact(hint[0]) / step), math.floor(exact(hint[1]) / step)
        low, high = max(low, first if first is not None else low), min(high, last if last is not None else high)
        if low <= high:
            return dice.randint(low, high)
    if serial and first is not None and last is not None:
        return first + serial % (last - first + 1)
    if first is None:
        return dice.randint(1, window) if last is None else dice.randint(last - window, last)
    if last is not None and last < 0:
        return dice.randint(max(last - window, first), last)
    if first <= 0 and (last is None or last > 0):
        first = 1 if serial == 0 else first
    return dice.randint(first, first + window if last is None else min(last, first + window))


def _between(
    low: _Side, high: _Side, dice: random.Random, hint: tuple[float, float] | None, serial: int
) -> int | float:
    """A number of few digits between the bounds."""
    for digits in range(1, 16):
        step = Fraction(1, 10**digits)
        first, last = low.nearest(step), high.nearest(step)
        if first is None or last is None or first <= last:
            return _plain(_pick(first, last, step, dice, hint, serial) * step)
    bounds = [side.bound for side in (low, high) if side.bound is not None]
    return _plain(sum(bounds, Fraction(0)) / len(bounds))


def _plain(number: Fraction) -> int | float:
    """The JSON number: an integer where it is a whole one of usual size; it has at most `MOST_BITS` bits."""
    if number.denominator == 1 and abs(number) < _LARGEST:
        return int(number)
    try:
        return float(number)
    except OverflowError:
        return int(number)

"""Whether what came of the probes is worth learning from; where it is not, one line says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.reading import Reading
from mockserver.core.errors import OperatorError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mockserver.core.exchange import Exchange

_MOST_SAID: Final = 200
"""Bytes of a body that stand in a message."""


def check_answered(exchanges: Mapping[str, Exchange], folder: Path) -> None:
    """Raises OperatorError where there is nothing to learn from.

    Args:
        exchanges: What came of the probes.
        folder: Where they are kept.
    """
    readings = [Reading(exchange) for exchange in exchanges.values()]
    if not any(one.answered for one in readings):
        said = "".join(f"; the first: {_said(one)}" for one in readings[:1])
        raise OperatorError(f"learn: none of {len(readings)} probes was answered with 200{said}; see {folder}")
    packed = {one.coding for one in readings if one.answered}
    if packed and "" not in packed:
        names = ", ".join(sorted(map(printable, packed)))
        raise OperatorError(
            f"learn: all answers are packed (content-encoding: {names}), which no probe asks for; see {folder}"
        )
    if not any((one.whole or one.completion) and one.choices for one in readings):
        raise OperatorError(f"learn: none of {len(readings)} answers is whole and has choices; see {folder}")


def _said(reading: Reading) -> str:
    return printable(f"{reading.status} {reading.body[:_MOST_SAID].decode('utf-8', 'replace')}".strip())

"""Which planted bugs of clients `fuzz` finds, with how many frames and seconds, and whether right clients pass."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from mockserver.contract.fuzz import Trial, find_bug
from mockserver.contract.harmless import harmless
from tests import buggy_clients, buggy_readers, buggy_sse
from tests.conftest import load
from tests.score import Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.contract.fuzz import Failure, Said

KINDS: Final[dict[str, list[Callable[[str], Said]]]] = {
    **{kind: list(bugs) for kind, bugs in buggy_readers.BUGS.items()},
    "lines, events and deltas": list(buggy_clients.BUGS),
    "a byte order mark": list(buggy_clients.KNOWN_BUGS),
    "others": list(buggy_readers.OTHERS),
    "libraries and snippets": list(buggy_sse.BUGS),
}
CHIPS: Final[dict[object, str]] = {client: chip for client, (chip, _) in buggy_clients.BUGS.items()}
NAMED: Final[dict[object, tuple[str, ...]]] = {
    client: names
    for table in (buggy_clients.KNOWN_BUGS, buggy_readers.COUNTED_BY_NAME, buggy_sse.COUNTED_BY_NAME)
    for client, names in table.items()
}
"""Quirks and forms that count only where they are named."""
RIGHT: Final = 1000
"""Streams that a right client reads."""


@dataclass(frozen=True)
class Hunt:
    """What came of one bug: the failure, the streams tried for it, and the seconds that it took."""

    failure: Failure | None
    streams: int
    seconds: float


def hunt(client: Callable[[str], Said], kind: str) -> Hunt:
    """Let `fuzz` look for one bug, on the chip that shows it."""
    wire = load("2024-tutorial").chips[CHIPS.get(client, "nvidia")].wire
    named = NAMED.get(client, ())
    trials: list[Trial] = []
    started = time.perf_counter()
    failure = find_bug(
        client,
        wire,
        further=tuple(dict.fromkeys((*harmless(wire), *named))),
        most_pause_ms=1000 if kind == "pauses" else 1,
        progress=trials.append,
    )
    return Hunt(failure, len(trials), time.perf_counter() - started)


def score() -> Score:
    """Look for every bug, kind by kind, then let a right client read."""
    rows: list[tuple[str, ...]] = []
    every: list[Hunt] = []
    missed: list[str] = []
    for kind, clients in KINDS.items():
        hunts = [hunt(client, kind) for client in clients]
        missed += [one.__name__ for one, came in zip(clients, hunts, strict=True) if came.failure is None]
        rows.append(_row(kind, hunts))
        every += hunts
    rows.append(_row("all", every))
    passed = _right_client()
    found = sum(one.failure is not None for one in every)
    lost = f"; missed: {', '.join(missed)}" if missed else ""
    sentence = (
        f"Of {len(every)} bugs {found} are found{lost}. Two clients that follow the standards, of events and of bare "
        f"lines, read {passed} streams, and none wrongly."
    )
    return Score(sentence, ("kind of bug", "bugs", "found", "frames", "streams tried", "seconds"), rows)


def _row(kind: str, hunts: list[Hunt]) -> tuple[str, ...]:
    """Of a kind: how many, how many found, and the medians of what finding one took."""
    frames = [len(one.failure.stream.frames) for one in hunts if one.failure]
    found = str(len(frames))
    return (
        kind, str(len(hunts)), found, f"{median(frames):g}" if frames else "·",
        f"{median(one.streams for one in hunts):g}", f"{median(one.seconds for one in hunts):.1f}",
    )  # fmt: skip


def _right_client() -> str:
    """How many streams right clients read; raises AssertionError where one is read wrongly."""
    from tests.right_clients import reads_rightly

    chips = load("2024-tutorial").chips
    trials: list[Trial] = []
    for chip, framing in (("nvidia", "sse"), ("chip3", "json-lines")):
        failure = find_bug(reads_rightly(framing), chips[chip].wire, examples=RIGHT, full=True, progress=trials.append)
        assert failure is None, failure
    return f"{len(trials):,}"

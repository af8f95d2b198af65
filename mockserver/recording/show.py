"""Exchange files for people: a list, a time line, a comparison; control characters never reach a terminal."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mockserver.core.errors import printable
from mockserver.files.exchange_file import plan_of
from mockserver.pipeline.coding import body_of
from mockserver.pipeline.read import objects_of
from mockserver.sources.recording_file import chat_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mockserver.core.exchange import Plan
    from mockserver.files.exchange_file import ExchangeFile

BAR_CELLS = 24
TEXT_LETTERS = 72
CLOSE_SHARE = 0.1  # times that differ by less than this share, and by less than CLOSE_MS, count as equal
CLOSE_MS = 2.0


def visible(text: str, letters: int = TEXT_LETTERS) -> str:
    """Text for one line of a terminal: what does not print as an escape, what is too long cut off."""
    shown = printable(text[: letters + 1])
    return shown if len(shown) <= letters else shown[: letters - 1] + "…"


def listed(files: Sequence[tuple[Path, ExchangeFile]], now: dt.datetime) -> Iterator[str]:
    """One line for each file: status, ending, chunks, bytes, first and last time, age, prompt, name."""
    yield "status ending   chunks    bytes  first ms   last ms   age  prompt · file"
    for path, file in files:
        plan = plan_of(file)
        size = sum(map(len, plan.frames))
        first, last = (plan.at_ms[0], plan.at_ms[-1]) if plan.at_ms else (0.0, 0.0)
        age = age_of(file, now)
        days = "?" if age is None else f"{age.days}d"
        yield (
            f"{plan.status:<6} {plan.ending:8} {len(plan.frames):>6} {size:>8} {first:>9.1f} {last:>9.1f} {days:>5}  "
            f"{visible(prompt_of(file), 32)} · {visible(str(path), 200)}"
        )


def as_data(files: Sequence[tuple[Path, ExchangeFile]]) -> list[dict[str, Any]]:
    """The list for programs: times are milliseconds after the request, and null where nothing came."""
    rows = []
    for path, file in files:
        plan = plan_of(file)
        rows.append({
            "file": str(path),
            "path": file.request.path,
            "prompt": prompt_of(file),
            "status": plan.status,
            "ending": plan.ending.value,
            "chunks": len(plan.frames),
            "bytes": sum(map(len, plan.frames)),
            "first_ms": plan.at_ms[0] if plan.at_ms else None,
            "last_ms": plan.at_ms[-1] if plan.at_ms else None,
            "recorded_at": file.provenance.recorded_at or None,
        })  # fmt: skip
    return rows


def prompt_of(file: ExchangeFile) -> str:
    """The text of the last message."""
    request = chat_request(file.request.path, file.request.body or {})
    said = request.messages[-1].get("content") if request and request.messages else None
    return said if isinstance(said, str) else ""


def age_of(file: ExchangeFile, now: dt.datetime) -> dt.timedelta | None:
    """How long ago it was recorded; None where the file does not tell."""
    try:
        at = dt.datetime.fromisoformat(file.provenance.recorded_at)
    except ValueError:
        return None
    return now - (at if at.tzinfo else at.replace(tzinfo=dt.UTC))


def time_line(file: ExchangeFile) -> Iterator[str]:
    """The stream as a time line: a row for each send with its time, the gap before it, its place and its text."""
    plan = plan_of(file)
    at_ms = plan.at_ms or ()
    yield f"{file.request.method} {visible(file.request.path)}  {visible(prompt_of(file))}"
    head = "" if plan.head_at_ms is None else f", head at {plan.head_at_ms:.1f} ms"
    chunks = f"{len(plan.frames)} chunk{'' if len(plan.frames) == 1 else 's'}"
    yield f"{plan.status}, {chunks}, {sum(map(len, plan.frames))} bytes, {plan.ending}{head}"
    for name, value in plan.headers:
        yield f"  {visible(name.decode('latin-1'))}: {visible(value.decode('latin-1'))}"
    yield f"{'at ms':>10} {'gap':>9} {'bytes':>7}"
    total, before = max(at_ms[-1] if at_ms else 0.0, plan.end_at_ms or 0.0) or 1.0, 0.0
    for at, frame in zip(at_ms, plan.frames, strict=True):
        cell = min(int(at / total * (BAR_CELLS - 1)), BAR_CELLS - 1)
        bar = "·" * cell + "█" + " " * (BAR_CELLS - 1 - cell)
        text = visible(frame.decode("utf-8", "backslashreplace"))
        yield f"{at:>10.1f} {at - before:>+9.1f} {len(frame):>7} |{bar}| {text}"
        before = at
    if plan.end_at_ms is not None:
        yield f"{plan.end_at_ms:>10.1f} {plan.end_at_ms - before:>+9.1f} {'':>7}  ends"
    for name, value in plan.trailers:
        yield f"{'':>10} trailer {visible(name.decode('latin-1'))}: {visible(value.decode('latin-1'))}"
    if plan.ending != "complete":
        yield f"{'':>10} {plan.ending}: the body did not end"


def compared(one: ExchangeFile, other: ExchangeFile) -> list[str]:
    """What differs between two answers: head, bytes, chunks, shape, timing; empty where nothing does."""
    first, second = plan_of(one), plan_of(other)
    return [*_head(first, second), *_bytes(first, second), *_chunks(first, second), *_shape(first, second),
            *_timing(first, second)]  # fmt: skip


def _head(first: Plan, second: Plan) -> Iterator[str]:
    if first.status != second.status:
        yield f"status: {first.status} / {second.status}"
    if first.ending != second.ending:
        yield f"ending: {first.ending} / {second.ending}"
    for kind, ours, theirs in (
        ("header", dict(first.headers), dict(second.headers)),
        ("trailer", dict(first.trailers), dict(second.trailers)),
    ):
        for name in sorted(ours.keys() | theirs.keys()):
            values = [visible(found[name].decode("latin-1")) if name in found else "absent" for found in (ours, theirs)]
            if values[0] != values[1]:
                yield f"{kind} {visible(name.decode('latin-1'))}: {values[0]} / {values[1]}"


def _bytes(first: Plan, second: Plan) -> Iterator[str]:
    ours, theirs = b"".join(first.frames), b"".join(second.frames)
    if ours == theirs:
        return
    at = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    shown = [visible(body[max(at - 8, 0) : at + 24].decode("utf-8", "backslashreplace"), 40) for body in (ours, theirs)]
    yield f"bytes: {len(ours)} / {len(theirs)}; first difference at byte {at}: ‹{shown[0]}› / ‹{shown[1]}›"


def _chunks(first: Plan, second: Plan) -> Iterator[str]:
    ours, theirs = list(map(len, first.frames)), list(map(len, second.frames))
    if ours != theirs:
        at = next(
            (n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
        )
        sizes = [f"{sizes[at]} bytes" if at < len(sizes) else "none" for sizes in (ours, theirs)]
        yield f"chunks: {len(ours)} / {len(theirs)}; first difference at chunk {at}: {sizes[0]} / {sizes[1]}"


def _shape(first: Plan, second: Plan) -> Iterator[str]:
    ours, theirs = shape_of(first), shape_of(second)
    for number in range(max(len(ours), len(theirs))):
        mine = ours[number] if number < len(ours) else "no object"
        its = theirs[number] if number < len(theirs) else "no object"
        if mine != its:
            yield f"shape: {len(ours)} / {len(theirs)} objects; first difference at object {number}: {mine} / {its}"
            return


def shape_of(plan: Plan) -> list[str]:
    """The keys of each object of a body, nested ones in braces, without their values."""
    try:
        return [_keys(one) for one in objects_of(body_of(plan))]
    except ValueError:
        return ["unreadable"]


def _keys(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{visible(key, 40)}{_keys(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(dict.fromkeys(_keys(one) for one in value)) + "]"
    return ""


def _timing(first: Plan, second: Plan) -> Iterator[str]:
    for name, ours, theirs in zip(
        ("head", "first send", "last send", "wait for the end", "median gap"),
        _times(first),
        _times(second),
        strict=True,
    ):
        if ours is None or theirs is None:
            continue
        apart = abs(ours - theirs)
        if apart > CLOSE_MS and apart > CLOSE_SHARE * max(ours, theirs):
            yield f"timing: {name} {ours:.1f} ms / {theirs:.1f} ms"


def _times(plan: Plan) -> tuple[float | None, float, float, float, float]:
    at = plan.at_ms or (0.0,)
    gaps = sorted(later - earlier for earlier, later in pairwise(at)) or [0.0]
    return plan.head_at_ms, at[0], at[-1], max((plan.end_at_ms or 0.0) - at[-1], 0.0), gaps[len(gaps) // 2]

"""The command `drift`: what has changed since a profile was written. Exit codes as for `contract`; 1 is drift."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mockserver.contract import cases, drift, learn, rehearsal, saved
from mockserver.contract.client import HttpTransport
from mockserver.contract.command import (
    BROKEN,
    HOLDS,
    add_target_arguments,
    budget_of,
    guarded,
    targets_of,
    write_whole,
)
from mockserver.contract.result import Clock
from mockserver.contract.runner import BudgetSpentError, Runner
from mockserver.contract.verdict import Severity
from mockserver.data import shipped
from mockserver.errors import OperatorError
from mockserver.profile import ChipFile, read_toml

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from mockserver.contract.drift import Row
    from mockserver.contract.library import Target
    from mockserver.exchange import Exchange
    from mockserver.profile import Edition

REFUSALS = 6  # how many of the broken requests are compared too

Pairs = list[tuple[str, "Exchange", "Exchange"]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `drift`."""
    add_target_arguments(parser, required=False)
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="compare with recorded exchanges instead of a target"
    )
    parser.add_argument("--patch", type=Path, metavar="FILE", help="write the chip's profile as it should be now")


def main(
    args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None = None
) -> int:
    """Run `drift`; returns the exit code."""
    return guarded(lambda: _drift(args, environ, out, err, clock), err)


def _drift(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None) -> int:
    if not args.base_url and not args.against:
        raise OperatorError("drift: nothing to compare with; say --base-url URL or --against DIR")
    if args.against:
        args.base_url = "http://127.0.0.1"  # never asked: it stands for the recordings
    edition, targets = targets_of(args, environ)
    code = HOLDS
    for target in targets:
        pairs = _recorded(args, edition, target) if args.against else _live(args, edition, target, err, clock)
        rows = drift.compare(edition.chips[target.chip], pairs)
        if any(row.severity is not Severity.OBSERVED for row in rows):
            code = BROKEN
        _tell(args, edition, target, pairs, rows, out)
    return code


def _mock(edition: Edition, target: Target) -> Runner:
    """A runner whose target is a mock in this process."""
    send = rehearsal.transport(rehearsal.service(edition), edition.file.defaults.created * 1000)
    return Runner(send, edition, edition.chips[target.chip], target.model, clock=Clock(lambda: 0.0, lambda _s: None))


def _live(args: argparse.Namespace, edition: Edition, target: Target, err: TextIO, clock: Clock | None) -> Pairs:
    """The contract's examples and some refusals, asked of both."""
    from mockserver.contract import library

    timed = clock or library.REAL_CLOCK
    send = HttpTransport(target.address, target.key, timed.seconds)
    chip = edition.chips[target.chip]
    budget = budget_of(args)
    runner = Runner(send, edition, chip, target.model, clock=timed, budget=budget, address=target.address)
    asked = list(learn.probes(edition, target.model, args.max_tokens).values())
    asked += cases.breaks(edition, target.model, args.max_tokens)[:REFUSALS]
    mock = _mock(edition, target)
    pairs: Pairs = []
    for number, case in enumerate(asked, 1):
        try:
            exchange = runner.ask(case)
        except BudgetSpentError:
            print(f"{len(asked) - number + 1} cases are left out, the budget does not reach", file=err)
            break
        print(f"{target.chip} {number}/{len(asked)} {case.name}", file=err, flush=True)
        pairs.append((case.name, mock.sent(mock.request(case)), exchange))
    return pairs


def _recorded(args: argparse.Namespace, edition: Edition, target: Target) -> Pairs:
    """The recordings of a folder for this chip, each with what the mock answers to its request."""
    if not args.against.is_dir():
        raise OperatorError(f"--against {args.against}: no such directory")
    mock = _mock(edition, target)
    pairs: Pairs = []
    for path in sorted(args.against.glob("*.json")):
        kept = saved.load(path)
        if kept.chip == target.chip:
            where = f"/maas/{target.model}/{target.chip}/chat/completions"
            request = replace(kept.exchange.request, path=where)
            pairs.append((path.stem, mock.sent(request), kept.exchange))
    if not pairs:
        raise OperatorError(f"--against {args.against}: holds no exchange of chip {target.chip}; learn records some")
    return pairs


def _tell(
    args: argparse.Namespace, edition: Edition, target: Target, pairs: Pairs, rows: Sequence[Row], out: TextIO
) -> None:
    drifted = [row for row in rows if row.severity is not Severity.OBSERVED]
    if not drifted:
        print(f"{target.chip}: no drift in {len(pairs)} exchanges", file=out)
        return
    print(f"{target.chip}: {len(drifted)} differences in {len(pairs)} exchanges", file=out)
    table = [("field", "mock", "live", "severity"), *((r.field, r.mock, r.live, r.severity.value) for r in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=out)
    path = _file_of(args, edition, target)
    exchanges = [live for _, _, live in pairs]
    source = f"drift from {args.against or args.base_url}"
    before = read_toml(path, ChipFile)
    after = drift.patched(before, edition.chips[target.chip], exchanges, source)
    if after.quirks != before.quirks:
        name = f"profiles/{edition.name}/{target.chip}.toml"
        text = learn.text_of(after)
        old = path.read_text("utf-8")
        out.writelines(difflib.unified_diff(old.splitlines(True), text.splitlines(True), f"a/{name}", f"b/{name}"))
        if args.patch:
            write_whole(args.patch, text)


def _file_of(args: argparse.Namespace, edition: Edition, target: Target) -> Path:
    roots: list[Path] = [*args.profiles, shipped("profiles")]
    return next(path for root in roots if (path := root / edition.name / f"{target.chip}.toml").is_file())

"""The command `learn`: probe a target and write its chip's profile. Exit codes as for `contract`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mockserver.contract import learn, saved
from mockserver.contract.client import HttpTransport
from mockserver.contract.command import (
    BROKEN,
    HOLDS,
    add_target_arguments,
    address_of,
    budget_of,
    guarded,
    key_of,
    write_whole,
)
from mockserver.contract.runner import BudgetSpentError, Runner
from mockserver.errors import OperatorError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from mockserver.contract.cases import Case
    from mockserver.contract.result import Clock
    from mockserver.exchange import Exchange
    from mockserver.profile import Edition


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `learn`."""
    add_target_arguments(parser)
    parser.add_argument("--output", type=Path, default=Path("learned"), metavar="DIR",
                        help="profiles directory to write to, for --profiles; default: %(default)s")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the probes and send nothing")


def main(
    args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None = None
) -> int:
    """Run `learn`; returns the exit code."""
    return guarded(lambda: _learn(args, environ, out, err, clock), err)


def _learn(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None) -> int:
    from mockserver.contract import library

    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", args.chip):
        raise OperatorError(f"--chip: {args.chip!r} is no name for a file; allowed: one name of a-z, 0-9, . _ -")
    edition = library.edition_of(args.edition, args.profiles)
    probes = learn.probes(edition, args.model, args.max_tokens)
    if args.dry_run:
        for number, case in enumerate(probes, 1):
            print(f"{number} {case.name}: {case.data.decode()}", file=out)
        print(f"{len(probes)} probes, none sent; at most {args.requests} requests are allowed", file=out)
        return HOLDS
    folder = args.output / edition.name
    now = (clock or library.REAL_CLOCK).unix_s
    date = _date(now() if now else 0)
    exchanges = _ask(args, environ, err, probes, folder / f"{args.chip}-probes", edition, clock)
    if not any(exchange.plan is not None and exchange.plan.status == 200 for exchange in exchanges.values()):
        raise OperatorError(
            f"learn: none of {len(exchanges)} probes was answered; see {folder / f'{args.chip}-probes'}"
        )
    file, notes = learn.learned(edition, args.chip, exchanges, date)
    path = folder / f"{args.chip}.toml"
    write_whole(path, learn.text_of(file, notes))
    quirks = [f"  {claim.name}: {claim.source}" for claim in file.quirks]
    print("\n".join([f"{args.chip}: {len(quirks)} quirks", *quirks, *(f"  note: {note}" for note in notes)]), file=out)
    print(f"  {file.latency.source}", file=out)
    print(f"wrote {path}; genstudio-mock serve --profiles {args.output} speaks so", file=out)
    return _check(args, edition, exchanges, out)


def _ask(
    args: argparse.Namespace,
    environ: Mapping[str, str],
    err: TextIO,
    probes: list[Case],
    folder: Path,
    edition: Edition,
    clock: Clock | None,
) -> dict[str, Exchange]:
    """Send the probes that have no answer yet, and keep each as a file, so that a run can be taken up again."""
    from mockserver.contract import library

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--output {folder}: {error.strerror or error}") from None
    address = address_of(args)
    timed = clock or library.REAL_CLOCK
    send = HttpTransport(address, key_of(args.api_key_env, environ), timed.seconds)
    profile = learn.blank(edition, args.chip)
    runner = Runner(send, edition, profile, args.model, clock=timed, budget=budget_of(args), address=address)
    found: dict[str, Exchange] = {}
    for number, case in enumerate(probes, 1):
        path = folder / f"{number:02}-{re.sub(r'[^a-z0-9]+', '-', case.name)}.json"
        if path.is_file():
            found[case.name] = saved.load(path).exchange
            print(f"{number}/{len(probes)} {case.name}: kept from {path}", file=err)
            continue
        try:
            exchange = runner.ask(case)
        except BudgetSpentError:
            print(f"{len(probes) - number + 1} probes are left out, the budget does not reach; run it again", file=err)
            break
        kept = saved.Saved("probe", case.name, edition.name, args.model, args.chip, None, exchange)
        write_whole(path, saved.dump(kept))
        found[case.name] = exchange
        status = exchange.plan.status if exchange.plan else "no answer"
        print(f"{number}/{len(probes)} {case.name}: {status}", file=err, flush=True)
    return found


def _check(args: argparse.Namespace, edition: Edition, exchanges: dict[str, Exchange], out: TextIO) -> int:
    """Whether the mock with the new profile keeps its contract and has the recorded wire form."""
    from mockserver.contract import library

    chip = library.edition_of(edition.name, [args.output, *args.profiles]).chips[args.chip]
    model = args.model if args.model in edition.models else next(iter(edition.models))
    result = learn.rehearse(edition, chip, model)
    faults = [f"{one.clause.id}: {one.evidence}" for one in result.broken]
    faults += learn.unlike(edition, chip, model, exchanges)
    if faults:
        print("the mock with this profile is not like the recordings:", *faults, sep="\n  ", file=out)
        return BROKEN
    print(
        f"checked: the mock with this profile keeps its contract and has the form of {len(exchanges)} exchanges",
        file=out,
    )
    return HOLDS


def _date(unix_s: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()

"""The command `learn`: probe a target and write its chip's profile. Exit codes as for `contract`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mockserver import __version__
from mockserver.cli.arguments import Parser, add_quiet
from mockserver.cli.progress import Progress
from mockserver.cli.target import add_target_arguments, address_of, budget_of, guarded, say_path
from mockserver.contract import in_process, learn, restated
from mockserver.contract.http_client import Address, HttpTransport, key_of
from mockserver.contract.result import ExitCode, counted
from mockserver.contract.runner import BudgetSpentError, Runner
from mockserver.core.errors import OperatorError, printable
from mockserver.files.atomic import write_whole
from mockserver.files.exchange_file import Provenance, exchange_of, file_of, read, written

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from mockserver.cli.terminal import Console
    from mockserver.contract.cases import Case
    from mockserver.contract.result import Clock
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import ChipProfile, Edition


SAYS = """\
Ask a live chip some thirty questions within a budget and write its profile: each quirk with the
exchange that proves it. Then check the mock with that profile against what was recorded."""
EXAMPLES = (
    ("genstudio-mock learn --base-url URL --model M --chip C --api-key-env KEY", "writes C.toml"),
    ("genstudio-mock learn --base-url URL --model M --chip C --dry-run", "shows the probes"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Run the command; returns the exit code."""
    found = parser().read(argv, console)
    return 0 if found is None else main(found, console.environ, console.out, console.err)


def parser() -> Parser:
    """The parser of `learn`."""
    made = Parser("learn", SAYS, EXAMPLES)
    add_arguments(made)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `learn`."""
    add_target_arguments(parser)
    parser.add_argument("--output", type=Path, default=Path("learned"), metavar="DIR",
                        help="profiles directory to write to, for --profiles; default: %(default)s")  # fmt: skip
    add_quiet(parser)
    parser.add_argument("--json", action="store_true", help="tell what was found for programs")
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
        for name, case in probes.items():
            print(f"{name}: {case.data.decode()}", file=out)
        print(f"{len(probes)} probes, none sent; at most {args.requests} requests are allowed", file=out)
        return ExitCode.HOLDS
    path = args.output / edition.name / f"{args.chip}.toml"
    folder = path.with_name(f"{args.chip}-probes")
    with Progress(err, environ, quiet=args.quiet) as steps:
        exchanges = _ask(args, environ, err, steps, probes, folder, edition, clock or library.REAL_CLOCK)
    if not any(exchange.plan is not None and exchange.plan.status == 200 for exchange in exchanges.values()):
        raise OperatorError(f"learn: none of {len(exchanges)} probes was answered with 200; see {folder}")
    date = max(read(folder / f"{name}.json").provenance.recorded_at for name in exchanges)[:10]
    found = learn.learned(edition, args.model, args.chip, exchanges, date)
    file, notes = found.file, [f"note: {note}" for note in found.notes]
    if found.implied:
        notes.insert(0, f"these follow from them, and change no byte more: {', '.join(found.implied)}")
    write_whole(path, learn.text_of(file, notes))
    quirks = [f"{claim.name}: {claim.source}" for claim in file.quirks]
    if args.json:
        code, checked = _check(args, edition, exchanges)
        claims = [claim.model_dump(mode="json") for claim in file.quirks]
        told = {"chip": args.chip, "path": str(path), "quirks": claims, "notes": notes, "checked": checked}
        print(json.dumps({**told, "holds": code is ExitCode.HOLDS}, ensure_ascii=False, indent=1), file=out)
        return code
    print(
        "\n  ".join([f"{args.chip}: {counted(len(quirks), 'quirk')}", *quirks, *notes, file.latency.source]), file=out
    )
    print(f"wrote {path}; genstudio-mock serve --profiles {args.output} speaks so", file=out)
    code, checked = _check(args, edition, exchanges)
    if code is not ExitCode.HOLDS:
        print("the mock with this profile is not like the recordings:", *checked, sep="\n  ", file=out)
    else:
        print(f"checked: the mock with this profile keeps its contract; {'; '.join(checked)}", file=out)
    return code


def _ask(
    args: argparse.Namespace,
    environ: Mapping[str, str],
    err: TextIO,
    steps: Progress,
    probes: Mapping[str, Case],
    folder: Path,
    edition: Edition,
    clock: Clock,
) -> dict[str, Exchange]:
    """Send the probes and keep each answer as an exchange file, which `serve --fixtures` plays too.

    A run that stopped midway is taken up again: only what has no answer yet is asked. A finished one is asked anew.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--output {folder}: {error.strerror or error}") from None
    place = Address("http://127.0.0.1").path(args.model, args.chip)
    kept = {name: file for name, case in probes.items() if (file := _kept(folder / f"{name}.json", place, case))}
    if len(kept) == len(probes):
        kept = {}
    address = address_of(args)
    if not args.quiet:
        say_path(args, err)
    send = HttpTransport(address, key_of(args.api_key_env, environ), clock.seconds)
    profile, budget = learn.blank(edition, args.chip), budget_of(args)
    runner = Runner(send, edition, profile, args.model, clock=clock, budget=budget, address=address)
    found: dict[str, Exchange] = {}
    for number, (name, case) in enumerate(probes.items(), 1):
        path = folder / f"{name}.json"
        if name in kept:
            found[name] = kept[name]
            steps.step(number, len(probes), f"{case.name}: kept from {path}")
            continue
        try:
            exchange = runner.ask(case)
        except BudgetSpentError as stopped:
            left = counted(len(probes) - len(found), "probe")
            steps.note(f"{left} left out: {str(stopped) or 'the budget does not reach'}; run it again")
            break
        plan = exchange.plan
        if plan is None:
            steps.step(number, len(probes), f"{case.name}: no answer", kept=True)
            continue
        exchange = replace(exchange, request=replace(exchange.request, path=place))
        write_whole(path, written(file_of(exchange, _provenance(edition, clock))))
        found[name] = exchange
        steps.step(number, len(probes), f"{case.name}: {plan.status}")
    return found


def _kept(path: Path, place: str, case: Case) -> Exchange | None:
    """The answer that an earlier run kept to this very probe."""
    file = read(path) if path.is_file() else None
    same = file is not None and file.request.path == place and file.request.body == case.body
    return exchange_of(file) if file is not None and same else None


def _provenance(edition: Edition, clock: Clock) -> Provenance:
    now = datetime.fromtimestamp(clock.unix_s() if clock.unix_s else 0, UTC).isoformat().replace("+00:00", "Z")
    tool = f"genstudio-mock {__version__}"
    return Provenance(recorded_at=now, edition=edition.name, origin="learn", tool=tool, body_sha256="")


def _check(
    args: argparse.Namespace, edition: Edition, exchanges: dict[str, Exchange]
) -> tuple[ExitCode, Sequence[str]]:
    """Whether the mock with the new profile keeps its contract and has the recorded wire form, and what tells so."""
    from mockserver.contract import library

    chip = library.edition_of(edition.name, [args.output, *args.profiles]).chips[args.chip]
    edition = in_process.with_model(edition, args.model)
    result = learn.rehearse(edition, chip, args.model)
    faults = [f"{one.clause.id}: {one.evidence}" for one in result.broken]
    faults += learn.unlike(edition, chip, args.model, exchanges)
    if faults:
        return ExitCode.BROKEN, faults
    return ExitCode.HOLDS, _restated(chip, exchanges)


def _restated(chip: ChipProfile, exchanges: dict[str, Exchange]) -> list[str]:
    """What the mock says of the recorded answers, key by key; what is not an answer is compared by its status alone."""
    found = restated.compared(exchanges.values(), chip.wire)
    others = len(exchanges) - found.answers
    lines = [f"of {counted(found.answers, 'answer')} it says {found.same} again with the same keys, nulls and values"]
    if found.differences:
        lines.append("differs:\n  " + "\n  ".join(map(printable, map(str, found.differences))))
    if others:
        lines.append(f"not compared: {counted(others, 'exchange')} without a whole answer")
    return lines

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
from mockserver.contract import in_process, learn, learn_compare, learn_edition, learn_name
from mockserver.contract.clauses.clause import Context
from mockserver.contract.http_client import Address, HttpTransport, key_of
from mockserver.contract.learn_worth import check_answered
from mockserver.contract.result import ExitCode, counted
from mockserver.contract.runner import BudgetSpentError, Runner
from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError, printable
from mockserver.core.written import keys_of
from mockserver.files.atomic import check_folder, write_whole
from mockserver.files.bounded import read_bounded
from mockserver.files.checked import read_toml
from mockserver.files.exchange_file import Provenance, exchange_of, file_of, read, written
from mockserver.profile.edition_file import EditionFile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from mockserver.cli.terminal import Console
    from mockserver.contract.cases import Case
    from mockserver.contract.result import Clock
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import Edition


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
    runner = _runner(args, environ, err, edition, clock or library.REAL_CLOCK)
    with Progress(err, environ, quiet=args.quiet) as steps:
        exchanges = _ask(args, steps, probes, folder, edition, runner, clock or library.REAL_CLOCK)
    check_answered(exchanges, folder)
    date = max(read(folder / f"{name}.json").provenance.recorded_at for name in exchanges)[:10]
    found = learn.learned(edition, args.model, args.chip, exchanges, date)
    fresh = learn_edition.fresh(args.model, args.max_tokens)
    address = address_of(args)
    most = max(budget_of(args).requests - len(probes) - len(fresh), 0)
    broken = learn_edition.refusals(edition, args.model, most, names_chip=address.names_chip)
    with Progress(err, environ, quiet=args.quiet) as steps:
        refused = _more(runner, broken, "refusals", steps)
    file = learn_name.with_own_name(found.file, args.model, refused, date)
    chip = learn.profile_of(edition, args.chip, file)
    ours = learn.asked_of_mock(edition, chip, args.model, [*probes.values(), *(case for case, _ in refused)])
    changed = learn_edition.learned(edition, refused, list(exchanges.values()), ours, date)
    wrote, anew = _edition(args, edition, changed)
    notes = [f"note: {note}" for note in (*found.notes, *anew)]
    if found.implied:
        notes.insert(0, f"these follow from them, and change no byte more: {', '.join(found.implied)}")
    write_whole(path, learn.text_of(file, notes))
    with Progress(err, environ, quiet=args.quiet) as steps:
        checked = [(probes[name], came) for name, came in exchanges.items()]
        checked += [*refused, *_more(runner, fresh, "fresh questions", steps)]
    code, said = _check(args, edition, exchanges, checked, refusals=wrote is None)
    if args.json:
        claims = [keys_of(claim) for claim in file.quirks]
        told = {"chip": args.chip, "path": str(path), "quirks": claims, "notes": notes, "checked": said}
        told |= {"edition": None if wrote is None else str(wrote), "holds": code is ExitCode.HOLDS}
        print(json.dumps(told, ensure_ascii=False, indent=1), file=out)
        return code
    quirks = [f"{claim.name}: {claim.source}" for claim in file.quirks]
    print(
        "\n  ".join([f"{args.chip}: {counted(len(quirks), 'quirk')}", *quirks, *notes, file.latency.source]), file=out
    )
    print(f"wrote {path}; genstudio-mock serve --profiles {args.output} speaks so", file=out)
    if wrote:
        print(f"wrote {wrote}: how it refuses, which rules it keeps, the headers of every response", file=out)
    if code is ExitCode.HOLDS:
        print(f"checked: the mock with this profile keeps its contract; {said[0]}", file=out)
    else:
        print("the mock with this profile is not like the recordings:", file=out)
    for line in said[code is ExitCode.HOLDS :]:
        print(f"  {line}", file=out)
    return code


def _edition(args: argparse.Namespace, edition: Edition, changed: EditionFile) -> tuple[Path | None, list[str]]:
    """Write the edition's file beside the chip's where the target differs from it; one that others need is joined.

    Returns:
        Its path, None where nothing differs; and notes on what it says anew of chips that were learnt before.
    """
    path: Path = args.output / edition.name / "edition.toml"
    others = sorted(one.stem for one in path.parent.glob("*.toml") if one.stem not in {"edition", args.chip})
    anew: list[str] = []
    if others:
        before = read_toml(path, EditionFile) if path.is_file() else edition.file
        changed, named = learn_edition.joined(edition.file, before, changed)
        anew = [f"edition.toml says of {', '.join(others)} too, since it is one for all chips: {one}" for one in named]
    if changed == edition.file:
        path.unlink(missing_ok=True)
        return None, anew
    roots: list[Path] = [*args.profiles, shipped("profiles")]
    source = next(root for root in roots if (root / edition.name / "edition.toml").is_file())
    text = read_bounded(source / edition.name / "edition.toml").decode()
    write_whole(path, learn_edition.edited(text, edition.file, changed))
    return path, anew


def _more(runner: Runner, cases: Sequence[Case], what: str, steps: Progress) -> list[tuple[Case, Exchange]]:
    """Ask further cases as far as the budget goes; those without an answer are left out."""
    found = []
    for number, case in enumerate(cases, 1):
        try:
            exchange = runner.ask(case)
        except BudgetSpentError as stopped:
            left = counted(len(cases) - number + 1, "case")
            steps.note(f"{what}: {left} left out: {str(stopped) or 'the budget does not reach'}")
            break
        status = "no answer" if exchange.plan is None else exchange.plan.status
        steps.step(number, len(cases), f"{case.name}: {status}", about=what)
        if exchange.plan is not None:
            found.append((case, exchange))
    return found


def _runner(
    args: argparse.Namespace, environ: Mapping[str, str], err: TextIO, edition: Edition, clock: Clock
) -> Runner:
    """Who asks the target, within the budget, and where what it says can be kept."""
    check_folder(args.output, f"--output {args.output}")
    address = address_of(args)
    if not args.quiet:
        say_path(args, err)
    send = HttpTransport(address, key_of(args.api_key_env, environ), clock.seconds)
    profile = learn.blank(edition, args.chip)
    return Runner(send, edition, profile, args.model, clock=clock, budget=budget_of(args), address=address)


def _ask(
    args: argparse.Namespace,
    steps: Progress,
    probes: Mapping[str, Case],
    folder: Path,
    edition: Edition,
    runner: Runner,
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
            steps.step(number, len(probes), f"{case.name}: no answer")
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
    args: argparse.Namespace,
    edition: Edition,
    exchanges: dict[str, Exchange],
    checked: Sequence[tuple[Case, Exchange]],
    *,
    refusals: bool,
) -> tuple[ExitCode, list[str]]:
    """Whether the mock with the new profile keeps its contract and has the recorded form, and what tells so."""
    from mockserver.contract import library

    edition = library.edition_of(edition.name, [args.output, *args.profiles])
    chip = edition.chips[args.chip]
    edition = in_process.with_model(edition, args.model)
    result = learn.rehearse(edition, chip, args.model, refusals=refusals)
    theirs = learn.broken_by(Context(edition, chip, args.model), exchanges)
    faults = [f"{one.clause.id}: {one.evidence}" for one in result.broken if one.clause.id not in theirs]
    faults += learn.unlike(edition, chip, args.model, exchanges)
    if faults:
        return ExitCode.BROKEN, faults
    same, differs = learn_compare.form_of(edition, chip, args.model, checked)
    listed = [f"{printable(what)} (in {count})" for what, count in differs.most_common()]
    told = f"{same} of {counted(len(checked), 'exchange')} have the same form{'; differs:' if listed else ''}"
    return ExitCode.HOLDS, [told, *listed]

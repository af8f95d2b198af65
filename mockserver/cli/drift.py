"""The command `drift`: what has changed since a profile was written. Exit codes as for `contract`; 1 is drift."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mockserver.cli import drift_patch
from mockserver.cli.arguments import Parser, add_json, add_quiet
from mockserver.cli.drift_pairs import Compared, asked_live, recorded
from mockserver.cli.progress import Progress
from mockserver.cli.target import add_target_arguments, guarded, say_path, targets_of
from mockserver.contract import drift, library
from mockserver.contract.clauses.clause import Context, Severity
from mockserver.contract.result import Clock, ExitCode, counted
from mockserver.core.errors import OperatorError
from mockserver.files.atomic import check_file, check_folder, write_whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from mockserver.cli.terminal import Console
    from mockserver.contract.drift_rows import Pair, Row
    from mockserver.profile.edition import Edition

SAYS = """\
Ask the mock and the live service the same, and compare schema, wire dialect and timing. Exit code
1 where they drifted apart, with a patch to the profile."""
EXAMPLES = (
    ("genstudio-mock drift --base-url URL --model M --chip C --api-key-env KEY", "against the live service"),
    ("genstudio-mock drift --against recordings --model M --chip C", "against recordings"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Run the command; returns the exit code."""
    found = parser().read(argv, console)
    return 0 if found is None else main(found, console.environ, console.out, console.err)


def parser() -> Parser:
    """The parser of `drift`."""
    made = Parser("drift", SAYS, EXAMPLES)
    add_arguments(made)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `drift`."""
    add_target_arguments(parser, required=False)
    parser.add_argument(
        "--fixtures",
        type=Path,
        metavar="DIR",
        help="ask what was asked in these recordings, not the documents' examples",
    )
    parser.add_argument("--against", type=Path, metavar="DIR", help="compare with these recordings instead of a target")
    parser.add_argument("--report", choices=["json", "html"], help="print this instead of the table")
    add_json(parser)
    add_quiet(parser)
    parser.add_argument("--patch", type=Path, metavar="FILE", help="write the patch there, for patch -p1 or git apply")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="write the chip's profile as it should be there, for --profiles"
    )


def main(
    args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None = None
) -> int:
    """Run `drift`; returns the exit code."""
    return guarded(lambda: _drift(args, environ, out, err, clock or library.REAL_CLOCK), err)


def _drift(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock) -> int:
    if not args.base_url and not args.against:
        raise OperatorError("drift: nothing to compare with; say --base-url URL or --against DIR")
    if args.against:
        args.base_url = "http://127.0.0.1"  # never asked: it stands for the recordings
    edition, targets = targets_of(args, environ)
    if args.output:
        check_folder(args.output, f"--output {args.output}")
    if args.patch:
        check_file(args.patch, f"--patch {args.patch}")
    if not args.quiet:
        say_path(args, err)
    date = datetime.fromtimestamp(clock.unix_s() if clock.unix_s else 0, UTC).date().isoformat()
    where = args.against or args.base_url
    with Progress(err, environ, quiet=args.quiet or bool(args.against)) as steps:
        every = [
            recorded(args.against, edition, one) if args.against else asked_live(args, edition, one, steps, clock)
            for one in targets
        ]
    reports: list[dict[str, Any]] = []
    patches = [drift_patch.of_chip(args, edition, one, f"drift from {where}, {date}") for one in every]
    patches[-1] += drift_patch.of_edition(args, edition, every, date)
    for one, patch in zip(every, patches, strict=True):
        context = Context(edition, edition.chips[one.target.chip], one.target.model)
        rows = drift.compare(context, one.pairs, one.by_name)
        told = {"chip": one.target.chip, "exchanges": len(one.found), "rows": list(map(asdict, rows)), "patch": patch}
        reports.append({**told, "notes": one.notes})
        if not args.report:
            _tell(one, rows, patch, out)
    if args.report == "html":
        out.write(_page(edition, where, reports, [one.pairs for one in every]))
    elif args.report:
        print(json.dumps(reports, ensure_ascii=False, indent=1), file=out)
    if args.patch and any(patches):
        write_whole(args.patch, "".join(patches))
    stopped = next((one.stopped for one in every if one.stopped), "")
    if stopped:
        print(f"genstudio-mock: {stopped}", file=err)
        return ExitCode.UNREACHABLE
    drifted = any(row["severity"] is not Severity.OBSERVED for one in reports for row in one["rows"])
    return ExitCode.BROKEN if drifted else ExitCode.HOLDS


# --- what is told -------------------------------------------------------------------------------------------------


def _tell(compared: Compared, rows: Sequence[Row], patch: str, out: TextIO) -> None:
    drifted = [row for row in rows if row.severity is not Severity.OBSERVED]
    found = counted(len(drifted), "difference") if drifted else "no drift"
    more = len(rows) - len(drifted)
    observed = f", {more} more observed" if drifted and more else "; only observed:" if more else ""
    chip, count = compared.target.chip, counted(len(compared.found), "exchange")
    print(f"{chip}: {found} in {count}{observed}", file=out)
    if rows:
        table = [("field", "mock", "live", "severity"), *((r.field, r.mock, r.live, r.severity.value) for r in rows)]
        widths = [max(len(row[column]) for row in table) for column in range(4)]
        for row in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=out)
    for note in compared.notes:
        print(f"{chip}: note: {note}", file=out)
    out.write(patch)


def _page(edition: Edition, source: object, reports: Sequence[dict[str, Any]], drawn: Sequence[Sequence[Pair]]) -> str:
    """The rows and patches, and below them each pair of answers side by side, as one page."""
    from mockserver.page.recorded import drawn_kept
    from mockserver.page.standalone import document

    chips = []
    for one, pairs in zip(reports, drawn, strict=True):
        sides = (
            [drawn_kept(ours, f"mock: {name}", edition.name), drawn_kept(live, name, edition.name)]
            for name, ours, live in pairs
        )
        chips.append({**one, "pairs": [pair for pair in sides if all(pair)]})
    return document(f"Drift of {edition.name} at {source}", "drift", {"chips": chips})

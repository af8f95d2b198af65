"""The command `drift`: what has changed since a profile was written. Exit codes as for `contract`; 1 is drift."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO
from urllib.parse import urlsplit

from mockserver.cli.arguments import Parser, add_json, add_quiet
from mockserver.cli.progress import Progress
from mockserver.cli.target import add_target_arguments, budget_of, guarded, say_path, targets_of
from mockserver.contract import cases, drift, in_process, learn, library
from mockserver.contract.cases import Case, Phase
from mockserver.contract.clauses.clause import Context, Severity
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.contract.result import Clock, ExitCode, counted
from mockserver.contract.runner import BudgetSpentError, Runner
from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.core.route import parse
from mockserver.files.atomic import check_file, check_folder, write_whole
from mockserver.files.bounded import read_bounded
from mockserver.files.checked import read_toml
from mockserver.files.exchange_file import exchange_of, read_if_exchange
from mockserver.profile.edition import ChipFile
from mockserver.sources.recordings import chat_request

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from mockserver.cli.terminal import Console
    from mockserver.contract.drift import Row
    from mockserver.contract.library import Target
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import Edition

REFUSALS = 6  # how many of the broken requests are compared too

Pairs = list[tuple[str, "Exchange", "Exchange"]]


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
    reports: list[dict[str, Any]] = []
    patches, drawn = [], []
    for target in targets:
        if args.against:
            pairs = _recorded(args.against, edition, target)
        else:
            with Progress(err, environ, quiet=args.quiet) as steps:
                pairs = _live(args, edition, target, steps, clock)
        rows = drift.compare(Context(edition, edition.chips[target.chip], target.model), pairs)
        patch = _patch(args, edition, target, pairs, f"drift from {args.against or args.base_url}, {date}")
        patches.append(patch)
        drawn.append(pairs)
        reports.append({"chip": target.chip, "exchanges": len(pairs), "rows": list(map(asdict, rows)), "patch": patch})
        if not args.report:
            _tell(target.chip, len(pairs), rows, patch, out)
    if args.report == "html":
        out.write(_page(edition, args.against or args.base_url, reports, drawn))
    elif args.report:
        print(json.dumps(reports, ensure_ascii=False, indent=1), file=out)
    if args.patch and any(patches):
        write_whole(args.patch, "".join(patches))
    drifted = any(row["severity"] is not Severity.OBSERVED for one in reports for row in one["rows"])
    return ExitCode.BROKEN if drifted else ExitCode.HOLDS


# --- what is compared ---------------------------------------------------------------------------------------------


def _mock(edition: Edition, target: Target) -> Runner:
    """A runner whose target is a mock in this process; where no path names the chip, the target's answers."""
    edition = in_process.with_model(edition, target.model)
    send = in_process.transport(in_process.service(edition), edition.file.defaults.created * 1000, chip=target.chip)
    chip, clock = edition.chips[target.chip], Clock(lambda: 0.0, lambda _s: None)
    return Runner(send, edition, chip, target.model, clock=clock, address=_mocks_address(target))


def _mocks_address(target: Target) -> Address | None:
    """Where the mock is asked: as the target is, where the service has such a path without a chip; else as usual."""
    address = target.address
    route = parse(address.path(target.model, target.chip))
    if route is None or route.chip:
        return None
    return Address("http://127.0.0.1", urlsplit(address.base_url).path.rstrip("/") + address.path_template)


def _live(args: argparse.Namespace, edition: Edition, target: Target, steps: Progress, clock: Clock) -> Pairs:
    """The same requests, asked of both: those of recordings, or the contract's examples and some refusals."""
    send = HttpTransport(target.address, target.key, clock.seconds)
    chip, budget = edition.chips[target.chip], budget_of(args)
    runner = Runner(send, edition, chip, target.model, clock=clock, budget=budget, address=target.address)
    if args.fixtures:
        asked = [
            Case(name, Phase.EXAMPLES, _cheap(_body(exchange, target), args.max_tokens))
            for name, exchange in _recordings(args.fixtures, "--fixtures", target.chip, edition)
        ]
    else:
        asked = list(learn.probes(edition, target.model, args.max_tokens).values())
        asked += cases.breaks(edition, target.model, args.max_tokens)[:REFUSALS]
    mock = _mock(edition, target)
    pairs: Pairs = []
    for number, case in enumerate(asked, 1):
        try:
            exchange = runner.ask(case)
        except BudgetSpentError as stopped:
            left = counted(len(asked) - number + 1, "case")
            steps.note(f"{left} left out: {str(stopped) or 'the budget does not reach'}")
            break
        steps.step(number, len(asked), case.name, about=target.chip)
        pairs.append((case.name, mock.sent(mock.request(case)), exchange))
    return pairs


def _recorded(folder: Path, edition: Edition, target: Target) -> Pairs:
    """The recordings of a folder for this chip, each with what the mock answers to its request."""
    mock = _mock(edition, target)
    pairs: Pairs = []
    for name, exchange in _recordings(folder, "--against", target.chip, edition):
        request = mock.request(Case(name, Phase.EXAMPLES, _body(exchange, target)))
        route = parse(exchange.request.path)
        if route is not None and not route.chip:
            request = replace(request, path=route.path)
        pairs.append((name, mock.sent(request), exchange))
    return pairs


def _recordings(folder: Path, flag: str, chip: str, edition: Edition) -> Iterator[tuple[str, Exchange]]:
    """The recordings of one chip below a folder, whoever recorded them; other files are left.

    Those whose path names no chip are of the edition's default chip, as `serve` has it.
    """
    if not folder.is_dir():
        raise OperatorError(f"{flag} {folder}: no such directory")
    count = 0
    for path in sorted(folder.rglob("*.json")):
        file = read_if_exchange(path)
        asked = file and chat_request(file.request.path, file.request.body or {}, edition.default_chip)
        if file and asked and asked.chip == chip:
            count += 1
            yield str(path.relative_to(folder).with_suffix("")), exchange_of(file)
    if not count:
        raise OperatorError(
            f"{flag} {folder}: holds no recording of chip {chip}; genstudio-mock record and learn make some"
        )


def _body(exchange: Exchange, target: Target) -> dict[str, Any]:
    """What was asked, of the target's model."""
    asked = Reading(exchange).asked
    return {**asked, "model": target.model} if "model" in asked or not target.address.names_model else asked


def _cheap(body: dict[str, Any], most: int) -> dict[str, Any]:
    """The request with no higher limit of tokens than is allowed."""
    key = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
    asked = body.get(key)
    return {**body, key: min(asked, most) if isinstance(asked, int) else most}


# --- what is told -------------------------------------------------------------------------------------------------


def _tell(chip: str, count: int, rows: Sequence[Row], patch: str, out: TextIO) -> None:
    drifted = [row for row in rows if row.severity is not Severity.OBSERVED]
    found = counted(len(drifted), "difference") if drifted else "no drift"
    observed = "" if drifted or not rows else "; only observed:"
    print(f"{chip}: {found} in {counted(count, 'exchange')}{observed}", file=out)
    if rows:
        table = [("field", "mock", "live", "severity"), *((r.field, r.mock, r.live, r.severity.value) for r in rows)]
        widths = [max(len(row[column]) for row in table) for column in range(4)]
        for row in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=out)
    out.write(patch)


def _page(edition: Edition, source: object, reports: Sequence[dict[str, Any]], drawn: Sequence[Pairs]) -> str:
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


def _patch(args: argparse.Namespace, edition: Edition, target: Target, pairs: Pairs, source: str) -> str:
    """The change to the chip's file that mends what a quirk is for, as a unified diff; empty for none."""
    roots: list[Path] = [*args.profiles, shipped("profiles")]
    root = next(root for root in roots if (root / edition.name / f"{target.chip}.toml").is_file())
    path = root / edition.name / f"{target.chip}.toml"
    before, old = read_toml(path, ChipFile), read_bounded(path).decode()
    after = drift.patched(before, edition.chips[target.chip], {name: live for name, _, live in pairs}, source)
    if after.quirks == before.quirks:
        return ""
    new = drift.edited(old, after)
    if args.output:
        _save(args.output / edition.name / path.name, new)
    here = Path.cwd()
    shown = path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path.relative_to(root.parent)
    name = shown.as_posix()
    lines = difflib.unified_diff(_LINE.findall(old), _LINE.findall(new), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines would split at U+2028 and its like too


def _save(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--output {path.parent}: {error.strerror or error}") from None
    write_whole(path, text)

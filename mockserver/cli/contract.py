"""The commands `contract` and `contract replay`: arguments in, exit code out.

Exit codes: 0 the contract holds, 1 it is broken, 2 wrong usage, 3 the target cannot be reached, 4 a clause could not be
judged, by a fault of this tool.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mockserver.cli.arguments import Parser, add_json, add_quiet
from mockserver.cli.hypothesis_folder import keep_elsewhere
from mockserver.cli.progress import Progress
from mockserver.cli.target import add_target_arguments, address_of, budget_of, guarded, say_path, targets_of
from mockserver.contract.clauses.clause import Context, Outcome, Severity, word_of
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.http_client import HttpTransport, key_of
from mockserver.contract.result import ExitCode
from mockserver.core.errors import OperatorError, suggestion
from mockserver.files.atomic import check_file, check_folder, write_whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from mockserver.cli.terminal import Console
    from mockserver.contract.cases import Case
    from mockserver.contract.findings import Run
    from mockserver.contract.library import Target
    from mockserver.contract.result import Budget, Clock


SAYS = """\
Run the contract against any base URL, the mock's or the live service's: documented examples, one
rule broken, generated requests, a dialogue. Exit code 0: holds, 1: broken, 2: wrong use, 3:
nobody there, 4: this tool failed."""
_CODES = {Outcome.BROKEN: ExitCode.BROKEN, Outcome.RAISED: ExitCode.TOOL_FAILED}
EXAMPLES = (
    ("genstudio-mock contract --base-url http://127.0.0.1:8777 --model mt-infini-3b --chip chip3", "the mock"),
    ("genstudio-mock contract --base-url URL --model M --chip C --api-key-env KEY", "the live service, politely"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Run the command; returns the exit code."""
    found = parser().read(argv, console)
    if found is None:
        return 0
    keep_elsewhere(console.environ)
    return main(found, console.environ, console.out, console.err)


def parser() -> Parser:
    """The parser of `contract`."""
    made = Parser("contract", SAYS, EXAMPLES)
    add_arguments(made)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `contract`."""
    from mockserver.contract.report import WRITERS

    parser.add_argument(
        "replay", nargs="*", metavar="replay FILE", help="judge a saved exchange; with --base-url again"
    )
    add_target_arguments(parser, required=False)
    parser.add_argument("--report", choices=list(WRITERS), help="write this instead of the matrix")
    add_json(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there")
    parser.add_argument("--exchanges", type=Path, metavar="DIR", help="save the exchange of each failure there")
    parser.add_argument("--fail-on", choices=["must", "should"], default="should",
                        help="the least severity that makes exit code 1; default: %(default)s")  # fmt: skip
    add_quiet(parser)


def main(
    args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None = None
) -> int:
    """Run `contract`; returns the exit code."""
    return guarded(
        lambda: _replay(args, environ, out) if args.replay else _contract(args, environ, out, err, clock), err
    )


def _contract(
    args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None
) -> int:
    from mockserver.contract import library, report
    from mockserver.contract.findings import Run

    edition, targets = targets_of(args, environ)
    budget = budget_of(args)
    if args.output:
        check_file(args.output, f"--output {args.output}")
    if args.exchanges:
        check_folder(args.exchanges, f"--exchanges {args.exchanges}")
    if not args.quiet:
        say_path(args, err)
    results = []
    with Progress(err, environ, quiet=args.quiet) as steps:
        for target in targets:
            tell = _progress(target, budget, steps)
            results.append(library.check(target, budget=budget, progress=tell, clock=clock or library.REAL_CLOCK))
    run = Run(args.base_url, address_of(args).path_template, edition.name, args.model, results, Severity(args.fail_on))
    text = report.WRITERS[args.report](run) if args.report else report.terminal(run)
    if args.output:
        write_whole(args.output, text)
    else:
        out.write(text)
    if args.exchanges:
        _save(run, args.exchanges, out if args.output or not args.report else err)
    return run.exit_code


def _progress(target: Target, budget: Budget, steps: Progress) -> Callable[[Case, Sequence[str]], None]:
    count = 0

    def tell(case: Case, broken: Sequence[str]) -> None:
        nonlocal count
        count += 1
        came = f"broken: {', '.join(broken)}" if broken else "ok"
        what = f"{case.phase}: {case.name}: {came}"
        steps.step(count, budget.requests, what, about=target.chip, kept=bool(broken))

    return tell


def _save(run: Run, folder: Path, out: TextIO) -> None:
    from mockserver.contract.findings import name_of_file

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--exchanges {folder}: {error.strerror or error}") from None
    for result in run.results:
        for finding in [*result.findings, *result.raised]:
            path = folder / name_of_file(finding)
            try:
                from mockserver.contract import finding_file

                text = finding_file.dump(finding_file.of_finding(finding, run.edition, run.model))
            except OperatorError as error:
                print(f"not saved: {error}", file=out)
                continue
            write_whole(path, text)
            print(f"saved {path}; genstudio-mock contract replay {path}", file=out)


# --- replay -------------------------------------------------------------------------------------------------------


def _replay(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    """Judge a saved exchange by its clause; with a base URL, send its request again first."""
    from mockserver.contract import library
    from mockserver.contract.clauses.table import CHECKS

    if args.replay[0] != "replay" or len(args.replay) < 2:
        raise OperatorError(f"contract: {' '.join(args.replay)!r} is not known; say contract replay FILE")
    known = {one.id: one for one in CHECKS}
    code = ExitCode.HOLDS
    for name in args.replay[1:]:
        from mockserver.contract import finding_file

        kept = finding_file.load(Path(name))
        if kept.clause not in known:
            raise OperatorError(
                f"{name}: clause {kept.clause!r} is not judged on one exchange; {suggestion(kept.clause, known)}"
            )
        edition = library.edition_of(kept.edition, args.profiles)
        exchange = kept.exchange
        if args.base_url:
            key = key_of(args.api_key_env, environ)
            send = HttpTransport(address_of(args), key, library.REAL_CLOCK.seconds)
            headers = {n: v for n, v in exchange.request.headers.items() if n != b"host"}
            exchange = send(replace(exchange.request, headers=headers))
        context = Context(edition, library.chip_of(edition, kept.chip), kept.model, kept.refusal)
        verdict = word_of(partial(known[kept.clause].judge, Reading(exchange), context))
        evidence = f": {verdict.evidence}" if verdict.evidence else ""
        print(f"{name}: {kept.clause} on {kept.chip}: {verdict.outcome}{evidence}", file=out)
        code = max(code, _CODES.get(verdict.outcome, ExitCode.HOLDS))
    return code

"""The commands `contract` and `contract replay`: arguments in, exit code out.

Exit codes: 0 the contract holds, 1 it is broken, 2 wrong usage, 3 the target cannot be reached.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO
from urllib.parse import urlsplit

from mockserver.contract import saved
from mockserver.contract.client import DEFAULT_PATH, DEFAULT_TIMEOUT_S, Address, HttpTransport, UnreachableError
from mockserver.contract.reading import Reading
from mockserver.contract.result import Budget
from mockserver.contract.verdict import Context, Outcome
from mockserver.errors import OperatorError, suggestion

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from mockserver.contract.cases import Case
    from mockserver.contract.library import Target
    from mockserver.contract.report import Run
    from mockserver.contract.result import Clock
    from mockserver.profile import Edition

HOLDS, BROKEN, USAGE, UNREACHABLE = 0, 1, 2, 3
POLITE_PER_MINUTE: Final = 12.0
"""Requests a minute where the target is not on this machine: the service's free tier allows no more."""
LONGEST_TIMEOUT_S: Final = 3600.0


def add_target_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The arguments that say who is asked and what it may cost; `learn` and `drift` have them too."""
    target = parser.add_argument_group("target")
    target.add_argument(
        "--base-url", required=required, help="say http://127.0.0.1:8777 or https://cloud.infini-ai.com"
    )
    target.add_argument("--model", required=required, help="the model to ask")
    target.add_argument("--chip", required=required, help="the chip type, or several with commas, or all")
    target.add_argument("--edition", help="the state of the documents to hold it to; default: the default edition")
    target.add_argument("--profiles", type=Path, action="append", default=[], metavar="DIR", help="further profiles")
    target.add_argument("--path-template", default=DEFAULT_PATH, help="say /v1/chat/completions; default: %(default)s")
    target.add_argument("--api-key-env", metavar="VAR", help="environment variable that holds the API key")
    target.add_argument("--ca", metavar="FILE", help="https: trust the certificates of this file, not the system's")
    silence = "longest silence; default: %(default)g"
    target.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT_S, metavar="SECONDS", help=silence)
    cost = parser.add_argument_group("cost, for each chip")
    standard = Budget()
    cost.add_argument("--requests", type=int, default=standard.requests, help="at most; default: %(default)s")
    cost.add_argument("--tokens", type=int, default=standard.tokens, help="at most; default: %(default)s")
    cost.add_argument(
        "--max-tokens", type=int, default=standard.max_tokens, help="of each answer; default: %(default)s"
    )
    polite = f"requests a minute; default: no limit on this machine, else {POLITE_PER_MINUTE:g}"
    cost.add_argument("--per-minute", type=float, metavar="N", help=polite)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `contract`."""
    from mockserver.contract.report import WRITERS

    parser.add_argument(
        "replay", nargs="*", metavar="replay FILE", help="judge a saved exchange; with --base-url again"
    )
    add_target_arguments(parser, required=False)
    parser.add_argument("--report", choices=list(WRITERS), help="write this instead of the matrix")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there")
    parser.add_argument("--exchanges", type=Path, metavar="DIR", help="save the exchange of each failure there")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def main(
    args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None = None
) -> int:
    """Run `contract`; returns the exit code."""
    return guarded(
        lambda: _replay(args, environ, out) if args.replay else _contract(args, environ, out, err, clock), err
    )


def guarded(work: Callable[[], int], err: TextIO) -> int:
    """Do the work; a mistake of the operator's and an unreachable target become one line and their exit code."""
    try:
        return work()
    except OperatorError as error:
        print(f"genstudio-mock: {error}", file=err)
        return USAGE
    except UnreachableError as error:
        print(f"genstudio-mock: {error}", file=err)
        return UNREACHABLE


def _contract(
    args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO, clock: Clock | None
) -> int:
    from mockserver.contract import library, report

    edition, targets = targets_of(args, environ)
    budget = budget_of(args)
    results = []
    for target in targets:
        tell = _progress(target, budget, err) if not args.quiet else lambda _case, _broken: None
        one = library.check(target, budget=budget, progress=tell, clock=clock or library.REAL_CLOCK)
        results.append(one)
    run = report.Run(args.base_url, args.path_template, edition.name, args.model, results)
    text = report.WRITERS[args.report](run) if args.report else report.terminal(run)
    if args.output:
        write_whole(args.output, text)
    else:
        out.write(text)
    if args.exchanges:
        _save(run, args.exchanges, out if args.output or not args.report else err)
    return run.exit_code


def _progress(target: Target, budget: Budget, err: TextIO) -> Callable[[Case, Sequence[str]], None]:
    count = 0

    def tell(case: Case, broken: Sequence[str]) -> None:
        nonlocal count
        count += 1
        came = f"broken: {', '.join(broken)}" if broken else "ok"
        print(f"{target.chip} {count}/{budget.requests} {case.phase}: {case.name}: {came}", file=err, flush=True)

    return tell


def _save(run: Run, folder: Path, out: TextIO) -> None:
    from mockserver.contract.report import name_of_file

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--exchanges {folder}: {error.strerror or error}") from None
    for result in run.results:
        for finding in result.findings:
            path = folder / name_of_file(finding)
            try:
                text = saved.dump(saved.of_finding(finding, run.edition, run.model))
            except OperatorError as error:
                print(f"not saved: {error}", file=out)
                continue
            write_whole(path, text)
            print(f"saved {path}; genstudio-mock contract replay {path}", file=out)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is whole or absent; raises OperatorError where that cannot be."""
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OperatorError(f"{path}: cannot be written: {error.strerror or error}") from None


# --- arguments ----------------------------------------------------------------------------------------------------


def targets_of(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[Edition, list[Target]]:
    """The edition and one target a chip; raises OperatorError for what is missing or unknown."""
    from mockserver.contract.library import Target, chip_of, edition_of

    for name in ("base_url", "model", "chip"):
        if not getattr(args, name):
            raise OperatorError(f"--{name.replace('_', '-')}: missing; say --base-url URL --model MODEL --chip CHIP")
    for folder in args.profiles:
        if not folder.is_dir():
            raise OperatorError(f"--profiles {folder}: no such directory")
    edition = edition_of(args.edition, args.profiles)
    names = list(edition.chips) if args.chip == "all" else [one.strip() for one in args.chip.split(",") if one.strip()]
    key = key_of(args.api_key_env, environ)
    made = [
        Target(
            args.base_url,
            args.model,
            chip_of(edition, name).name,
            edition,
            key,
            args.path_template,
            args.ca,
            args.timeout,
        )
        for name in names
    ]
    address_of(args)
    return edition, made


def address_of(args: argparse.Namespace) -> Address:
    """Where the target listens; raises OperatorError for what cannot be."""
    if not 0 < args.timeout <= LONGEST_TIMEOUT_S:
        raise OperatorError(
            f"--timeout: {args.timeout:g} is not allowed; allowed: more than 0, at most {LONGEST_TIMEOUT_S:g} seconds"
        )
    return Address(args.base_url, args.path_template, args.ca, args.timeout)


def key_of(variable: str | None, environ: Mapping[str, str]) -> str:
    """The API key from the environment; a made-up one where no variable is named. It is never shown."""
    if variable is None:
        return "sk-test"
    key = environ.get(variable, "").strip()
    if not key:
        raise OperatorError(f"--api-key-env {variable}: the variable is not set; export {variable}=<key>")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise OperatorError(
            f"--api-key-env {variable}: its value is no API key; allowed: printable ASCII without spaces"
        )
    return key


def budget_of(args: argparse.Namespace) -> Budget:
    """The budget that the arguments allow."""
    for name in ("requests", "tokens", "max_tokens"):
        if getattr(args, name) < 1:
            raise OperatorError(
                f"--{name.replace('_', '-')}: {getattr(args, name)} is not allowed; allowed: at least 1"
            )
    per_minute = args.per_minute
    if per_minute is not None and not per_minute > 0:
        raise OperatorError(f"--per-minute: {per_minute:g} is not allowed; allowed: more than 0")
    if per_minute is None:
        host = urlsplit(args.base_url).hostname or ""
        per_minute = 0.0 if host in {"localhost", "::1"} or host.startswith("127.") else POLITE_PER_MINUTE
    return replace(
        Budget(), requests=args.requests, tokens=args.tokens, max_tokens=args.max_tokens, per_second=per_minute / 60
    )


# --- replay -------------------------------------------------------------------------------------------------------


def _replay(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    """Judge a saved exchange by its clause; with a base URL, send its request again first."""
    from mockserver.contract import library
    from mockserver.contract.checks import CHECKS

    if args.replay[0] != "replay" or len(args.replay) < 2:
        raise OperatorError(f"contract: {' '.join(args.replay)!r} is not known; say contract replay FILE")
    known = {one.id: one for one in CHECKS}
    code = HOLDS
    for name in args.replay[1:]:
        kept = saved.load(Path(name))
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
        verdict = known[kept.clause].judge(Reading(exchange), context)
        evidence = f": {verdict.evidence}" if verdict.evidence else ""
        print(f"{name}: {kept.clause} on {kept.chip}: {verdict.outcome}{evidence}", file=out)
        code = BROKEN if verdict.outcome is Outcome.BROKEN else code
    return code

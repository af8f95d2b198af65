"""The command `fuzz`: find the stream that breaks a client. Exit codes: 0 none found, 1 found, 2 wrong usage."""

from __future__ import annotations

import argparse
import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from mockserver.cli.arguments import Parser, add_quiet
from mockserver.cli.hypothesis_folder import keep_elsewhere
from mockserver.cli.progress import Progress
from mockserver.cli.target import guarded
from mockserver.contract.forms import FORMS
from mockserver.contract.http_client import Address
from mockserver.core.errors import OperatorError
from mockserver.core.extras import to_install
from mockserver.core.route import CHAT
from mockserver.profile import quirks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from mockserver.cli.terminal import Console
    from mockserver.contract.fuzz import Fuzzed, Trial
    from mockserver.pipeline.wire_settings import WireSettings

EXAMPLE = "genstudio-mock fuzz --chip {} -- python client.py"


SAYS = """\
Generate valid streams for a chip and cut them into network writes anywhere; your client reads
each on a real socket and prints its text, which is compared with the truth. The smallest stream
that it reads wrongly is shown in words and with a hexdump, and saved. What the standards allow but
many clients lose is told as known and does not count."""
EXAMPLES = (
    ("genstudio-mock fuzz --chip chip3 -- python client.py", "the client reads $OPENAI_BASE_URL"),
    ("genstudio-mock fuzz --chip chip3 --output found -- node client.mjs", "keep what was found"),
    ("genstudio-mock fuzz --chip chip3 --stay --keep-going -- python client.py", "one process, all bugs"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Run the command; returns the exit code."""
    found = parser().read(argv, console, ordered=True)
    if found is None:
        return 0
    keep_elsewhere(console.environ)
    return main(found, console.environ, console.out, console.err)


def parser() -> Parser:
    """The parser of `fuzz`."""
    made = Parser("fuzz", SAYS, EXAMPLES, "-- CLIENT [ARGUMENT …]")
    add_arguments(made)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fuzz`."""
    parser.add_argument("--chip", help="the chip whose streams are generated")
    parser.add_argument("--edition", help="the state of the documents; default: the default edition")
    parser.add_argument("--profiles", type=Path, action="append", default=[], metavar="DIR", help="further profiles")
    parser.add_argument(
        "--quirks",
        metavar="NAMES",
        help="quirks and forms that may be added, with commas; none: only the chip's; --quirks=-crlf,+bom: all harmless"
        " ones but the one, and one that otherwise does not count; default: all harmless ones",
    )
    parser.add_argument("--examples", type=int, default=150, help="streams to try; default: %(default)s")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same streams; default: %(default)s"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="for one stream; default: %(default)s"
    )
    parser.add_argument(
        "--max-pause-ms",
        type=int,
        default=1000,
        metavar="MS",
        help="longest pause between two network writes; 0: none; default: %(default)s",
    )
    parser.add_argument("--keep-going", action="store_true", help="look for further bugs behind the first")
    parser.add_argument("--report", choices=["json", "junit"], help="print this instead of the text")
    parser.add_argument(
        "--stay",
        action="store_true",
        help="start the client once: it reads a base URL from each line of its input, and prints a line for it, the "
        'object of --client-json or {"error": "…"}',
    )
    parser.add_argument(
        "--client-json",
        action="store_true",
        help="the client prints a JSON object with any of text, finish_reason, usage, tool_calls; all are compared",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where the smallest failing stream is saved; default: fuzz-failures"
    )
    parser.add_argument(
        "--serve",
        type=Path,
        metavar="FILE",
        help="answer whatever is asked with a saved stream, or any recording, until interrupted",
    )
    add_quiet(parser)
    parser.add_argument("--port", type=int, default=8778, help="for --serve; default: %(default)s")
    parser.add_argument(
        "client", nargs=argparse.REMAINDER, metavar="-- CLIENT …",
        help=f"reads a stream from $OPENAI_BASE_URL{CHAT} and prints its text",
    )  # fmt: skip


def main(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Run `fuzz`; returns the exit code."""
    return guarded(lambda: _serve(args, out) if args.serve else _fuzz(args, environ, out, err), err)


def _fuzz(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    from mockserver.contract.fuzz_program import Program
    from mockserver.contract.fuzz_staying import StayingProgram
    from mockserver.contract.library import chip_of, edition_of
    from mockserver.files.atomic import check_folder

    words = _client(args)
    _check(args)
    check_folder(args.output or FAILURES, f"--output {args.output or FAILURES}")
    edition = edition_of(args.edition, args.profiles)
    wire = chip_of(edition, args.chip).wire
    fuzz = _library()
    further = _further(args.quirks, wire)
    options = fuzz.FuzzOptions(
        further=further,
        known=_known(args.quirks, wire),
        examples=args.examples,
        number=args.seed,
        full=args.client_json or None,
        path=Address("http://127.0.0.1").path(next(iter(edition.models)), args.chip),
        most_pause_ms=args.max_pause_ms,
        keep_going=args.keep_going,
    )

    def progress(trial: Trial) -> None:
        told = f"{_SEARCHES.get(trial.search, 'looking for a smaller one: ')}{trial.tried}: {trial.problem or 'ok'}"
        counted = trial.search == "bug"
        steps.step(trial.number, args.examples if counted else 0, told, kept=counted and bool(trial.problem))

    environ = environ or os.environ
    client = (
        StayingProgram(words, environ, args.timeout)
        if args.stay
        else Program(words, environ, args.timeout, as_json=args.client_json)
    )
    with closing(client), Progress(err, environ, quiet=args.quiet) as steps:
        found = fuzz.find_bugs(client, wire, options, progress)
    return _tell(args, words, edition.name, found, out)


_SEARCHES: Final = {"bug": "", "known": "known: "}


def _client(args: argparse.Namespace) -> list[str]:
    """The client's command line."""
    if not args.chip:
        raise OperatorError(f"--chip: missing; say {EXAMPLE.format('CHIP')}")
    words = args.client[1:] if args.client[:1] == ["--"] else args.client
    if not words:
        raise OperatorError(f"fuzz: no client; say {EXAMPLE.format(args.chip)}")
    if shutil.which(words[0]) is None:
        raise OperatorError(f"fuzz: {words[0]} is no program that can be run; give its path, or one on PATH")
    return list(words)


def _check(args: argparse.Namespace) -> None:
    if args.examples < 1:
        raise OperatorError(f"--examples: {args.examples} is not allowed; allowed: at least 1")
    if not args.timeout > 0:
        raise OperatorError(f"--timeout: {args.timeout:g} is not allowed; allowed: more than 0 seconds")
    if not 0 <= args.max_pause_ms <= MOST_PAUSE_MS:
        raise OperatorError(
            f"--max-pause-ms: {args.max_pause_ms} is not allowed; allowed: 0 to {MOST_PAUSE_MS} milliseconds"
        )


MOST_PAUSE_MS: Final = 600_000
FAILURES: Final = Path("fuzz-failures")


def _tell(args: argparse.Namespace, words: Sequence[str], edition: str, found: Fuzzed, out: TextIO) -> int:
    """Save what was found, and print the report; returns the exit code."""
    from mockserver.contract.failure import ASKED
    from mockserver.contract.fuzz_files import save
    from mockserver.contract.fuzz_report import WRITERS, FuzzRun, terminal

    saved, served = {}, {}
    for failure in [*found.failures, *(found.known if args.output else ())]:
        lines = _client_lines(words, args.timeout, as_json=args.client_json, stay=args.stay)
        paths = save(failure, args.output or FAILURES, lines, edition)
        url = f"http://127.0.0.1:{args.port}{failure.exchange.request.path}"
        saved[id(failure)] = paths
        served[id(failure)] = f"genstudio-mock fuzz --serve {paths[0]} & curl -sN {url} -d '{ASKED.decode()}'"
    run = FuzzRun(args.chip, edition, found, saved, served)
    out.write(WRITERS[args.report](run) if args.report else terminal(run))
    return run.exit_code


def _library() -> ModuleType:
    try:
        from mockserver.contract import fuzz
    except ImportError:
        raise OperatorError(f"fuzz: hypothesis is not installed; {to_install('contract')}") from None
    return fuzz


def _names(text: str) -> list[str]:
    """The names of `--quirks`, each with its sign where it has one."""
    names = [] if text == "none" else [one for one in quirks.words(text) if one]
    for name in names:
        plain = name.lstrip("+-")
        try:
            _ = plain in FORMS or quirks.find(plain)
        except quirks.UnknownQuirkError as error:
            raise OperatorError(f"--quirks: {error}") from None
    return names


def _further(text: str | None, wire: WireSettings) -> Sequence[str] | None:
    """What may be added: all harmless ones with changes where the names have signs, else the names."""
    if text is None:
        return None
    from mockserver.contract.harmless import harmless

    names = _names(text)
    less = {name[1:] for name in names if name.startswith("-")}
    kept = [name.lstrip("+") for name in names if not name.startswith("-")]
    signed = bool(names) and all(name[0] in "+-" for name in names)
    base = [name for name in harmless(wire) if name not in less] if signed else []
    return [*base, *(name for name in kept if name not in base and name not in less)]


def _known(text: str | None, wire: WireSettings) -> Sequence[str] | None:
    """What is tried and does not count: nothing where the names of those that may be added are all told."""
    if text is None:
        return None
    from mockserver.contract.harmless import known

    names = _names(text)
    signed = bool(names) and all(name[0] in "+-" for name in names)
    return [name for name in known(wire) if name not in {one[1:] for one in names}] if signed else ()


def _client_lines(words: Sequence[str], timeout_s: float, *, as_json: bool, stay: bool) -> str:
    more = ", as_json=True" if as_json else ""
    made = f"Program({list(words)!r}, os.environ, {timeout_s!r}{more})(base_url)"
    if not stay:
        return (
            "def read(base_url):\n"
            "    import os\n\n"
            "    from mockserver.contract.fuzz_program import Program\n\n"
            f"    return {made}"
        )
    return (
        "def read(base_url):\n"
        "    import os\n"
        "    from contextlib import closing\n\n"
        "    from mockserver.contract.fuzz_staying import StayingProgram\n\n"
        f"    with closing(StayingProgram({list(words)!r}, os.environ, {timeout_s!r})) as client:\n"
        "        return client(base_url)"
    )


def _serve(args: argparse.Namespace, out: TextIO) -> int:
    import threading

    from mockserver.contract.fuzz_server import StreamServer, load

    exchange = load(args.serve)
    try:
        server = StreamServer(exchange, args.port)
    except OSError as error:
        raise OperatorError(f"--port {args.port}: cannot be bound: {error.strerror or error}") from None
    try:
        print(f"serving {args.serve} at {server.base_url}{CHAT}; Ctrl-C ends", file=out, flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.close()
    return 0

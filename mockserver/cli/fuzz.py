"""The command `fuzz`: find the stream that breaks a client. Exit codes: 0 none found, 1 found, 2 wrong usage."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mockserver.cli.arguments import Parser, add_quiet
from mockserver.cli.hypothesis_folder import keep_elsewhere
from mockserver.cli.progress import Progress
from mockserver.cli.target import guarded
from mockserver.contract.http_client import Address
from mockserver.contract.result import counted
from mockserver.core.errors import OperatorError
from mockserver.core.extras import to_install
from mockserver.core.route import CHAT
from mockserver.profile import quirks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from mockserver.cli.terminal import Console
    from mockserver.pipeline.wire_settings import WireSettings

EXAMPLE = "genstudio-mock fuzz --chip {} -- python client.py"


SAYS = """\
Generate valid streams for a chip and cut them into network writes anywhere; your client reads
each on a real socket and prints its text, which is compared with the truth. The smallest stream
that it reads wrongly is shown with a hexdump and saved."""
EXAMPLES = (
    ("genstudio-mock fuzz --chip chip3 -- python client.py", "the client reads $OPENAI_BASE_URL"),
    ("genstudio-mock fuzz --chip chip3 --output found -- node client.mjs", "keep what was found"),
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
    made = Parser("fuzz", SAYS, EXAMPLES)
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
        help="quirks that may be added, with commas; none: only the chip's; --quirks=-bom: all harmless ones but that; "
        "default: all harmless ones",
    )
    parser.add_argument("--examples", type=int, default=100, help="streams to try; default: %(default)s")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same streams; default: %(default)s"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="for one stream; default: %(default)s"
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
    from mockserver.contract.library import chip_of, edition_of

    if not args.chip:
        raise OperatorError(f"--chip: missing; say {EXAMPLE.format('CHIP')}")
    words = args.client[1:] if args.client[:1] == ["--"] else args.client
    if not words:
        raise OperatorError(f"fuzz: no client; say {EXAMPLE.format(args.chip)}")
    if shutil.which(words[0]) is None:
        raise OperatorError(f"fuzz: {words[0]} is no program that can be run; give its path, or one on PATH")
    if args.examples < 1:
        raise OperatorError(f"--examples: {args.examples} is not allowed; allowed: at least 1")
    if not args.timeout > 0:
        raise OperatorError(f"--timeout: {args.timeout:g} is not allowed; allowed: more than 0 seconds")
    edition = edition_of(args.edition, args.profiles)
    wire = chip_of(edition, args.chip).wire
    fuzz = _library()
    tried, found = 0, False

    def progress(count: int, problem: str) -> None:
        nonlocal tried, found
        told = problem or "ok"
        if found:
            steps.step(count, 0, f"looking for a smaller one: {told}")
        else:
            steps.step(count, args.examples, told, kept=bool(problem))
        tried, found = count, found or bool(problem)

    with Progress(err, environ, quiet=args.quiet) as steps:
        failure = fuzz.find_bug(
            Program(words, environ or os.environ, args.timeout, as_json=args.client_json),
            wire,
            further=_further(args.quirks, wire),
            examples=args.examples,
            number=args.seed,
            full=args.client_json,
            path=Address("http://127.0.0.1").path(next(iter(edition.models)), args.chip),
            progress=progress,
        )
    if failure is None:
        print(f"{counted(tried, 'stream')}, all read rightly", file=out)
        return 0
    from mockserver.contract.fuzz_files import save

    out.write(failure.explain())
    lines = _client_lines(words, args.timeout, as_json=args.client_json)
    paths = save(failure, args.output or Path("fuzz-failures"), lines, edition.name)
    print(f"saved {', '.join(map(str, paths))}", file=out)
    url = f"http://127.0.0.1:{args.port}{failure.exchange.request.path}"
    print(f"again: pytest {paths[-1]}", file=out)
    print(f"drawn: {paths[2]}", file=out)
    print(f"served: genstudio-mock fuzz --serve {paths[0]} & curl -sN {url} -d '{fuzz.ASKED.decode()}'", file=out)
    return 1


def _library() -> ModuleType:
    try:
        from mockserver.contract import fuzz
    except ImportError:
        raise OperatorError(f"fuzz: hypothesis is not installed; {to_install('contract')}") from None
    return fuzz


def _further(text: str | None, wire: WireSettings) -> Sequence[str] | None:
    if text is None:
        return None
    from mockserver.contract.harmless import harmless

    names = [] if text == "none" else [one.strip() for one in text.split(",") if one.strip()]
    for name in names:
        try:
            quirks.find(name.removeprefix("-"))
        except quirks.UnknownQuirkError as error:
            raise OperatorError(f"--quirks: {error}") from None
    less = {name[1:] for name in names if name.startswith("-")}
    kept = [name for name in names if not name.startswith("-")]
    return kept if kept or not less else [name for name in harmless(wire) if name not in less]


def _client_lines(words: Sequence[str], timeout_s: float, *, as_json: bool) -> str:
    more = ", as_json=True" if as_json else ""
    return (
        "def read(base_url):\n"
        "    import os\n\n"
        "    from mockserver.contract.fuzz_program import Program\n\n"
        f"    return Program({list(words)!r}, os.environ, {timeout_s!r}{more})(base_url)"
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

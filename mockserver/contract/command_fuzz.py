"""The command `fuzz`: find the stream that breaks a client. Exit codes: 0 none found, 1 found, 2 wrong usage."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mockserver import quirks
from mockserver.contract.command import guarded
from mockserver.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from mockserver.quirks import WireSettings

SAVED_NAME = "stream"
EXAMPLE = "genstudio-mock fuzz --chip {} -- python client.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fuzz`."""
    parser.add_argument("--chip", help="the chip whose streams are generated")
    parser.add_argument("--edition", help="the state of the documents; default: the default edition")
    parser.add_argument("--profiles", type=Path, action="append", default=[], metavar="DIR", help="further profiles")
    parser.add_argument(
        "--quirks", help="quirks that may be added, with commas; none: only the chip's; default: harmless ones"
    )
    parser.add_argument("--examples", type=int, default=50, help="streams to try; default: %(default)s")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same streams; default: %(default)s"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="for one stream; default: %(default)s"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="save the smallest failing stream there")
    parser.add_argument("--serve", type=Path, metavar="FILE", help="serve a saved stream until interrupted, for curl")
    parser.add_argument("--port", type=int, default=8778, help="for --serve; default: %(default)s")
    parser.add_argument(
        "client", nargs=argparse.REMAINDER, metavar="-- CLIENT …",
        help="reads a stream from $OPENAI_BASE_URL/chat/completions and prints its text",
    )  # fmt: skip


def main(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Run `fuzz`; returns the exit code."""
    return guarded(lambda: _serve(args, out) if args.serve else _fuzz(args, environ, out, err), err)


def _fuzz(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
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
    wire = chip_of(edition_of(args.edition, args.profiles), args.chip).wire
    fuzz = _library()

    def progress(count: int, problem: str) -> None:
        total = f"{count}/{args.examples}" if count <= args.examples else f"{count}, looking for a smaller one"
        print(f"{total}: {problem or 'ok'}"[:160], file=err, flush=True)

    failure = fuzz.find_bug(
        command_client(words, environ, args.timeout),
        wire,
        further=_further(args.quirks, wire, fuzz.HARMLESS),
        examples=args.examples,
        number=args.seed,
        progress=progress,
    )
    if failure is None:
        print(f"{args.examples} streams, all read rightly", file=out)
        return 0
    out.write(failure.explain())
    folder = args.save or Path("fuzz-failures")
    paths = fuzz.save(failure, folder, SAVED_NAME, _client_lines(words, args.timeout))
    print(f"saved {', '.join(map(str, paths))}", file=out)
    url = f"http://127.0.0.1:{args.port}{fuzz.PATH}"
    print(f"again: pytest {paths[-1]}", file=out)
    print(f"or: genstudio-mock fuzz --serve {paths[0]} & curl -sN {url} -d '{fuzz.ASKED.decode()}'", file=out)
    return 1


def _library() -> ModuleType:
    try:
        from mockserver.contract import fuzz
    except ImportError:
        raise OperatorError("fuzz: hypothesis is not installed; pip install hypothesis") from None
    return fuzz


def _further(text: str | None, wire: WireSettings, harmless: Sequence[str]) -> Sequence[str]:
    if text is None:
        return harmless
    names = [] if text == "none" else [one.strip() for one in text.split(",") if one.strip()]
    for name in names:
        try:
            quirks.changed(wire, name)
        except quirks.UnknownQuirkError as error:
            raise OperatorError(f"--quirks: {error}") from None
    return names


def command_client(words: Sequence[str], environ: Mapping[str, str], timeout_s: float) -> Callable[[str], str]:
    """A client that is a program: run for each stream, its standard output is the text that it read."""

    def read(base_url: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - the operator named the program
                list(words),
                capture_output=True,
                check=False,
                timeout=timeout_s,
                stdin=subprocess.DEVNULL,
                env={**(environ or os.environ), **client_environ(base_url)},
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"it did not end within {timeout_s:g} s") from None
        if done.returncode:
            last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise RuntimeError(f"exit code {done.returncode}: {last}")
        return done.stdout.decode("utf-8", "replace")

    return read


def client_environ(base_url: str) -> dict[str, str]:
    """Where the program finds the stream, by the names that SDKs read."""
    return {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "sk-test", "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1"}


def _client_lines(words: Sequence[str], timeout_s: float) -> str:
    return (
        "def read(base_url):\n"
        "    import os\n\n"
        "    from mockserver.contract.command_fuzz import command_client\n\n"
        f"    return command_client({list(words)!r}, os.environ, {timeout_s!r})(base_url)"
    )


def _serve(args: argparse.Namespace, out: TextIO) -> int:
    import threading

    fuzz = _library()
    try:
        server = fuzz.StreamServer(fuzz.load(args.serve), args.port)
    except OSError as error:
        raise OperatorError(f"--port {args.port}: cannot be bound: {error.strerror or error}") from None
    print(f"serving {args.serve} at {server.base_url}/chat/completions; Ctrl-C ends", file=out, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.close()
    return 0

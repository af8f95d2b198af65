"""`python -m bench`: measure, print the table, and with `--check` fail where a goal is missed."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.cases import BENCHMARKS, prepare
from bench.documents import write_documents
from bench.peers import WANTED as PEERS_WANTED
from bench.report import Figure, as_json, chart, machine, table
from bench.servers import pin_client

EVERYTHING = "all"
PROFILE = "profile"


def main(argv: list[str]) -> int:
    """The exit code: 1 where a goal is missed under `--check`."""
    given = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="genstudio-mock-bench-") as folder:
        bench = prepare(Path(folder))
        if PROFILE in given.what:
            from bench.profiling import print_profiles

            print_profiles(bench)
            return 0
        pin_client()
        figures: list[Figure] = []
        everything = [name for name in BENCHMARKS if name != "peers" or PEERS_WANTED]
        for name in everything if EVERYTHING in given.what else given.what:
            print(f"measuring {name} …", file=sys.stderr)
            figures += BENCHMARKS[name](bench)
    if given.json:
        print(json.dumps(as_json(figures, machine()), indent=2, ensure_ascii=False))
    else:
        print("\n".join(f"{name}: {fact}" for name, fact in machine().items()), end="\n\n")
        print(table(figures))
    if given.docs:
        write_documents(figures, machine(), whole=EVERYTHING in given.what)
    if given.svg:
        given.svg.write_text(chart(figures), "utf-8")
    missed = [figure for figure in figures if figure.reached is False]
    return 1 if given.check and missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the mock against a bare ASGI app on the same uvicorn, in the same run.",
        epilog="Read the ratios: absolute figures belong to one machine and one moment.",
    )
    parser.add_argument(
        "what", nargs="*", default=EVERYTHING, choices=[*BENCHMARKS, EVERYTHING, PROFILE],
        metavar="WHAT", help=f"{', '.join(BENCHMARKS)}, {EVERYTHING} (default), or {PROFILE}: where the time goes",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw the ratios as a chart")
    parser.add_argument("--docs", action="store_true", help="write them into the documents; other parts stay")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a goal is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`genstudio-mock fixtures`: look at recordings, compare them, turn them into other forms."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mockserver.cli.arguments import Parser
from mockserver.cli.scrubbing import add_scrub_arguments, scrubbing_of
from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.files.bounded import visible_path
from mockserver.files.exchange_file import read, read_if_exchange
from mockserver.recording.formats.imported_exchange import FORMS, Hints
from mockserver.recording.show import age_of, as_data, compared, listed, time_line, visible
from mockserver.recording.store import files
from mockserver.recording.verify import notes, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TextIO

    from mockserver.cli.terminal import Console
    from mockserver.files.exchange_file import ExchangeFile
_SPAN = re.compile(r"(\d+)([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


SAYS = """\
Look at recorded exchanges, compare them, find those that are too old or hold a key, and convert
them from and to HAR, VCR.py cassettes, curl dumps and bare bodies."""
EXAMPLES = (
    ("genstudio-mock fixtures show FILE", "a stream as a time line"),
    ("genstudio-mock fixtures diff A B --html OUT", "two streams side by side, as a page"),
    ("genstudio-mock fixtures verify fixtures", "exit code 1 where a file holds a key"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Run the command; returns the exit code."""
    parser = Parser("fixtures", SAYS, EXAMPLES)
    add_arguments(parser)
    found = parser.read(argv, console, ordered=True)
    return 0 if found is None else main(found, console.environ, console.out, console.err)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of `fixtures`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = commands.add_parser("list", help="what is recorded")
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    one.add_argument("--json", action="store_true", help="print a list of objects, for programs")
    one = commands.add_parser("show", help="a recording as a time line")
    one.add_argument("paths", nargs="+", type=Path, metavar="FILE")
    _add_html(one)
    one = commands.add_parser("diff", help="what differs in bytes, chunks, shape and timing; exit code 1 if anything")
    one.add_argument("paths", nargs=2, type=Path, metavar="FILE")
    _add_html(one)
    one = commands.add_parser(
        "convert", help="from and to HAR, VCR.py, curl dumps and bare bodies; reads what is pasted"
    )
    one.add_argument("source", type=Path)
    one.add_argument("target", type=Path, help="a folder for exchange files, or .har .yaml .http .txt .jsonl .sse")
    one.add_argument("--model", default="", help="the path's model where the source has another path")
    one.add_argument("--chip", default="", help="the path's chip where the source has another path")
    one.add_argument("--prompt", default="", help="the user's message, for a source without its request")
    one.add_argument("--stream", action=argparse.BooleanOptionalAction, default=None,
                     help="whether it answers a streamed request, for a source without its request")  # fmt: skip
    one.add_argument("--as", dest="form", choices=list(FORMS), default="",
                     help="take the whole file, to the byte, for a body of this form")  # fmt: skip
    add_scrub_arguments(one)
    one = commands.add_parser("age", help="recordings that are too old; exit code 1 if there are any")
    one.add_argument("--max", required=True, metavar="SPAN", help="such as 30d, 12h, 90m")
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    one = commands.add_parser("verify", help="look for keys in fixture files; exit code 1 if there are any")
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")


def _add_html(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--html", type=Path, metavar="OUT", help="draw it there, as one page that needs no server")


def main(args: argparse.Namespace, _environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Run `fixtures`.

    Returns:
        The exit code: 0, or 1 where `diff`, `age` or `verify` found something.

    Raises:
        OperatorError: wrong use, or wrong files.
    """
    if args.action == "convert":
        return _convert(args, out, err)
    return ACTIONS[args.action](args, out)


def _list(args: argparse.Namespace, out: TextIO) -> int:
    paths = list(args.paths) or _default_folders()
    found = _exchanges(paths)
    if args.json:
        out.write(json.dumps(as_data(found), ensure_ascii=False, indent=1) + "\n")
        return 0
    none = [f"no recordings in {', '.join(map(str, paths))}; genstudio-mock record makes them"]
    _write(out, listed(found, _now()) if found else none)
    return 0


def _show(args: argparse.Namespace, out: TextIO) -> int:
    files = [(path, read(path)) for path in args.paths]
    if args.html:
        from mockserver.page.recorded import drawn_file
        from mockserver.page.standalone import exchange_document

        title = ", ".join(str(path) for path in args.paths)
        _write_page(args.html, exchange_document(title, [drawn_file(file, path.name) for path, file in files]), out)
        return 0
    for _, file in files:
        _write(out, time_line(file))
    return 0


def _write_page(path: Path, text: str, out: TextIO) -> None:
    write_whole(path, text, named=f"--html {path}")
    out.write(f"{path}\n")


def _diff(args: argparse.Namespace, out: TextIO) -> int:
    one, other = (read(path) for path in args.paths)
    lines = compared(one, other)
    if args.html:
        from mockserver.page.recorded import drawn_file
        from mockserver.page.standalone import document

        names = [path.name for path in args.paths]
        names = names if names[0] != names[1] else [str(path) for path in args.paths]
        pair = [drawn_file(file, name) for file, name in zip((one, other), names, strict=True)]
        _write_page(args.html, document(" | ".join(names), "compare", {"pair": pair}), out)
        return 1 if lines else 0
    _write(out, lines or ["no difference in head, bytes, chunks, shape and timing"])
    return 1 if lines else 0


def _convert(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from mockserver.recording.formats.convert import convert

    def tell(line: str) -> None:
        err.write(visible(line, 500) + "\n")

    hints = Hints(args.model, args.chip, args.prompt, args.stream, args.form)
    made = convert(args.source, args.target, hints, scrubbing_of(args), tell)
    _write(out, map(str, made))
    return 0


def _age(args: argparse.Namespace, out: TextIO) -> int:
    most, old = span(args.max), 0
    now = _now()
    for path, file in _exchanges(args.paths):
        age = age_of(file, now)
        if age is None or age > most:
            old += 1
            _write(out, [f"{path}: {'no date' if age is None else f'{age.days} days old'}"])
    out.write(f"{old} older than {args.max}\n" if old else f"none is older than {args.max}\n")
    return 1 if old else 0


def _verify(args: argparse.Namespace, out: TextIO) -> int:
    paths = list(files(args.paths or _default_folders()))
    bad = 0
    for path in paths:
        found = list(problems(path))
        bad += bool(found)
        _write(out, [f"{path}: {line}" for line in found])
        _write(out, [f"{path}: note: {line}" for line in notes(path)])
    out.write(f"{len(paths)} files, {bad} with problems\n")
    return 1 if bad else 0


def _write(out: TextIO, lines: Iterable[str]) -> None:
    """Lines for a terminal, which takes no command from the name of a file."""
    out.writelines(visible_path(line) + "\n" for line in lines)


def span(text: str) -> dt.timedelta:
    """A span of time such as `30d`; raises OperatorError."""
    found = _SPAN.fullmatch(text)
    if found is None or len(found[1]) > 6:
        raise OperatorError(f"--max {text!r}: give a number and a unit (s, m, h, d, w); example: 30d")
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})


def _exchanges(paths: Sequence[Path]) -> list[tuple[Path, ExchangeFile]]:
    found = ((path, read_if_exchange(path)) for path in files(list(paths) or _default_folders()))
    return [(path, file) for path, file in found if file is not None]


def _default_folders() -> list[Path]:
    return [Path("fixtures")] if Path("fixtures").is_dir() else [shipped("fixtures")]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


ACTIONS: Final[dict[str, Callable[[Any, Any], int]]] = {
    "list": _list,
    "show": _show,
    "diff": _diff,
    "age": _age,
    "verify": _verify,
}

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
    ("genstudio-mock fixtures diff A B --report html --output OUT", "two streams side by side, as a page"),
    ("genstudio-mock fixtures verify fixtures", "exit code 1 where a file holds a key"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Run the command; returns the exit code."""
    found = parser().read(argv, console, ordered=True)
    return 0 if found is None else main(found, console.environ, console.out, console.err)


def parser() -> Parser:
    """The parser of `fixtures`."""
    made = Parser("fixtures", SAYS, EXAMPLES)
    add_arguments(made)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of `fixtures`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = commands.add_parser("list", help="what is recorded")
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    _add_json(one)
    one = commands.add_parser("show", help="a recording as a time line")
    one.add_argument("paths", nargs="+", type=Path, metavar="FILE")
    _add_page(one)
    one = commands.add_parser("diff", help="what differs in bytes, chunks, shape and timing; exit code 1 if anything")
    one.add_argument("paths", nargs=2, type=Path, metavar="FILE")
    _add_json(one)
    _add_page(one)
    one = commands.add_parser(
        "convert",
        help="from and to HAR, VCR.py, curl dumps and bare bodies; reads what is pasted, and stubs of aimock "
        "and WireMock",
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
    _add_json(one)
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    one = commands.add_parser("verify", help="look for keys in fixture files; exit code 1 if there are any")
    _add_json(one)
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print it for programs")


def _add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--report", choices=["html"], help="draw it, as one page that needs no server")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the page there")
    parser.add_argument("--html", type=Path, help=argparse.SUPPRESS)  # what these two were in one


def main(args: argparse.Namespace, _environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Run `fixtures`.

    Returns:
        The exit code: 0, or 1 where `diff`, `age` or `verify` found something.

    Raises:
        OperatorError: wrong use, or wrong files.
    """
    if getattr(args, "html", None):
        args.report, args.output = "html", args.html
    if getattr(args, "output", None) and not args.report:
        raise OperatorError(f"--output {args.output}: there is no page to write; say --report html too")
    if args.action == "convert":
        return _convert(args, out, err)
    return ACTIONS[args.action](args, out)


def _list(args: argparse.Namespace, out: TextIO) -> int:
    paths = list(args.paths) or _default_folders()
    found = _exchanges(paths)
    if args.json:
        _write_json(as_data(found), out)
        return 0
    none = [f"no recordings in {', '.join(map(str, paths))}; genstudio-mock record makes them"]
    _write(out, listed(found, _now()) if found else none)
    return 0


def _show(args: argparse.Namespace, out: TextIO) -> int:
    files = [(path, read(path)) for path in args.paths]
    if args.report:
        from mockserver.page.recorded import drawn_file
        from mockserver.page.standalone import exchange_document

        title = ", ".join(str(path) for path in args.paths)
        _write_page(args.output, exchange_document(title, [drawn_file(file, path.name) for path, file in files]), out)
        return 0
    for _, file in files:
        _write(out, time_line(file))
    return 0


def _write_page(path: Path | None, text: str, out: TextIO) -> None:
    if path is None:
        out.write(text)
        return
    write_whole(path, text, named=f"--output {path}")
    out.write(f"{path}\n")


def _write_json(data: object, out: TextIO) -> None:
    out.write(json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def _diff(args: argparse.Namespace, out: TextIO) -> int:
    one, other = (read(path) for path in args.paths)
    lines = compared(one, other)
    if args.report:
        from mockserver.page.recorded import drawn_file
        from mockserver.page.standalone import document

        names = [path.name for path in args.paths]
        names = names if names[0] != names[1] else [str(path) for path in args.paths]
        pair = [drawn_file(file, name) for file, name in zip((one, other), names, strict=True)]
        _write_page(args.output, document(" | ".join(names), "compare", {"pair": pair}), out)
        return 1 if lines else 0
    if args.json:
        _write_json(lines, out)
        return 1 if lines else 0
    _write(out, lines or ["no difference in head, bytes, chunks, shape and timing"])
    return 1 if lines else 0


def _convert(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from mockserver.recording.formats.convert import convert
    from mockserver.recording.formats.stubs import convert as convert_stubs
    from mockserver.recording.formats.stubs import stubs_in

    def tell(line: str) -> None:
        err.write(visible(line, 500) + "\n")

    stubs = [] if args.form else stubs_in(args.source)
    if stubs:
        _write(out, map(str, convert_stubs(stubs, args.target, scrubbing_of(args), tell)))
        return 0
    hints = Hints(args.model, args.chip, args.prompt, args.stream, args.form)
    made = convert(args.source, args.target, hints, scrubbing_of(args), tell)
    _write(out, map(str, made))
    return 0


def _age(args: argparse.Namespace, out: TextIO) -> int:
    most, now = span(args.max), _now()
    ages = [(path, age_of(file, now)) for path, file in _exchanges(args.paths)]
    old = [(path, age) for path, age in ages if age is None or age > most]
    if args.json:
        _write_json([{"path": str(path), "days": None if age is None else age.days} for path, age in old], out)
        return 1 if old else 0
    _write(out, [f"{path}: {'no date' if age is None else f'{age.days} days old'}" for path, age in old])
    out.write(f"{len(old)} older than {args.max}\n" if old else f"none is older than {args.max}\n")
    return 1 if old else 0


def _verify(args: argparse.Namespace, out: TextIO) -> int:
    paths = list(files(args.paths or _default_folders()))
    found = [(path, list(problems(path)), list(notes(path))) for path in paths]
    bad = sum(bool(wrong) for _, wrong, _ in found)
    if args.json:
        rows = [{"path": str(path), "problems": wrong, "notes": told} for path, wrong, told in found if wrong or told]
        _write_json(rows, out)
        return 1 if bad else 0
    for path, wrong, told in found:
        _write(out, [f"{path}: {line}" for line in wrong])
        _write(out, [f"{path}: note: {line}" for line in told])
    out.write(f"{len(paths)} file{'' if len(paths) == 1 else 's'}, {bad} wrong\n")
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

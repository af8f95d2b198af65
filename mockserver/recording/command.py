"""The commands `record` and `fixtures`: their arguments, and what they do."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mockserver.data import shipped
from mockserver.errors import OperatorError
from mockserver.exchange_file import read, read_if_exchange
from mockserver.recording.imported import Hints
from mockserver.recording.secrets import SHORTEST_SECRET, Scrubbing
from mockserver.recording.show import age_of, compared, listed, time_line, visible
from mockserver.recording.store import Store, files
from mockserver.recording.verify import notes, problems

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from mockserver.errors import Refusal
    from mockserver.exchange import Plan
    from mockserver.exchange_file import ExchangeFile

MODES: Final = ("none", "once", "new-episodes", "all")
MODES_HELP: Final = (
    "none: only replay, a miss is a 404; once: record where the folder holds no recording yet, else replay; "
    "new-episodes: replay what is there, record the rest (default); all: ask every time"
)
GRACE_SECONDS: Final = 5.0
_SPAN = re.compile(r"(\d+)([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `record`."""
    add = parser.add_argument
    add("--upstream", required=True, metavar="URL", help="the live service; any OpenAI-compatible server")
    add("--out", type=Path, default=Path("fixtures"), metavar="FOLDER", help="where files go (default: fixtures)")
    add("--mode", choices=MODES, default="new-episodes", help=MODES_HELP)
    add("--map", action="append", default=[], metavar="FROM=TO", help="path prefix for the upstream, repeatable; "
        "example: /maas/{model}/{chip}=/v1")  # fmt: skip
    add("--upstream-key-env", metavar="NAME", help="environment variable with the upstream's API key; without it the "
        "client's own key passes through")  # fmt: skip
    add("--upstream-ca", metavar="FILE", help="certificates (PEM) to trust instead of the system's")
    add("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long the upstream may say nothing (120)")
    add("--speed", type=float, default=0.0, metavar="X", help="of replayed answers: 0 at once (default), 1 as recorded")
    add("--edition", metavar="NAME", help="the edition noted in the files")
    add("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)")
    add("--port", type=int, default=8777, help="port to listen on; 0 takes a free one (default: 8777)")
    add("--port-file", type=Path, metavar="PATH", help="file that holds the port while connections are accepted")
    add_scrub_arguments(parser)


def add_scrub_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is masked besides keys, cookies and organisations."""
    parser.add_argument("--scrub-field", action="append", default=[], metavar="NAME",
                        help="mask the value of this JSON field, at any depth; repeatable")  # fmt: skip
    parser.add_argument("--scrub-pattern", action="append", default=[], metavar="REGEX",
                        help="mask what matches (RE2); repeatable")  # fmt: skip


def add_fixtures_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of `fixtures`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = commands.add_parser("list", help="what is recorded")
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    one = commands.add_parser("show", help="a recording as a time line")
    one.add_argument("paths", nargs="+", type=Path, metavar="FILE")
    one = commands.add_parser("diff", help="what differs in bytes, chunks, shape and timing; exit code 1 if anything")
    one.add_argument("paths", nargs=2, type=Path, metavar="FILE")
    one = commands.add_parser("convert", help="from and to HAR, VCR.py, curl -i -N dumps and pasted lines")
    one.add_argument("source", type=Path)
    one.add_argument("target", type=Path, help="a folder for exchange files, or .har .yaml .http .txt .jsonl .sse")
    one.add_argument("--model", default="", help="the path's model where the source has another path")
    one.add_argument("--chip", default="", help="the path's chip where the source has another path")
    one.add_argument("--prompt", default="", help="the user's message, for a source without its request")
    add_scrub_arguments(one)
    one = commands.add_parser("age", help="recordings that are too old; exit code 1 if there are any")
    one.add_argument("--max", required=True, metavar="SPAN", help="such as 30d, 12h, 90m")
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    one = commands.add_parser("verify", help="look for keys in fixture files; exit code 1 if there are any")
    one.add_argument("paths", nargs="*", type=Path, metavar="PATH")


def main(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Run `record` (arguments with `upstream`) or `fixtures` (with `action`).

    Returns:
        The exit code: 0, or 1 where `diff`, `age` or `verify` found something.

    Raises:
        OperatorError: Wrong use, wrong files, an address that cannot be had.
    """
    if hasattr(args, "upstream"):
        return record(args, environ, out, err)
    return ACTIONS[args.action](args, out)


def record(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Serve the recording proxy until a signal comes."""
    from mockserver.pipeline.refuse import refuse
    from mockserver.profile import default_edition, load_edition
    from mockserver.recording.address import upstream_of
    from mockserver.recording.keeper import Keeper
    from mockserver.recording.paths import path_map
    from mockserver.recording.proxy import RecordingProxy
    from mockserver.recording.secrets import proxy_secrets
    from mockserver.server.run import address_of, port_file, run, tcp_socket
    from mockserver.sources.recordings import Recordings, load

    check_record_arguments(args)
    roots = [shipped("profiles")]
    edition = load_edition(args.edition or default_edition(roots), roots)
    upstream = upstream_of(args.upstream, environ, args.timeout, args.upstream_ca)
    key = upstream_key(args.upstream_key_env, environ)
    known = load(args.out) if args.out.is_dir() else []

    def tell(line: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it; what is to be kept is kept all the same
            err.write(visible(line, 500) + "\n")
            err.flush()

    def refusal(refused: Refusal) -> Plan:
        return refuse(refused, edition.file.errors[refused.kind])

    secrets = frozenset({key} if key else set()) | proxy_secrets(upstream.via_header)
    keeper = Keeper(
        Store(args.out),
        args.mode,
        Recordings(known),
        edition.name,
        upstream.host_class,
        secrets,
        scrubbing_of(args),
        tell,
    )
    maps = [path_map(text) for text in args.map]
    proxy = RecordingProxy(upstream, keeper, refusal, maps=maps, key=key, speed=args.speed)
    listening = tcp_socket(args.host, args.port)
    host, port = listening.getsockname()[:2]
    where = address_of(listening)

    def ready() -> None:
        if args.port_file is not None:
            held.enter_context(port_file(args.port_file, port))
        doing = f"replaying {args.out}" if keeper.offline else f"recording {args.upstream} into {args.out}"
        with contextlib.suppress(OSError):
            out.write(f"{doing}\nbase_url {where}/maas/MODEL/CHIP\n")
            out.flush()
        if key and not host.startswith("127.") and host != "::1":
            tell(f"warning: whoever reaches {where} uses the key of {args.upstream_key_env}")

    with contextlib.ExitStack() as held:
        held.callback(listening.close)
        run(proxy, listening, ready, GRACE_SECONDS)
    return 0


def check_record_arguments(args: argparse.Namespace) -> None:
    """Raise OperatorError for a value that its flag does not take."""
    if not 0 < args.timeout < math.inf:
        raise OperatorError(f"--timeout {args.timeout:g}: give seconds over 0; example: --timeout 120")
    if not 0 <= args.speed < math.inf:
        raise OperatorError(f"--speed {args.speed:g}: give a number, 0 or more; example: --speed 1")
    if not 0 <= args.port <= 65535:
        raise OperatorError(f"--port {args.port}: give 0 to 65535; 0 takes a free one")
    there = next(path for path in (args.out, *args.out.parents) if path.exists())
    if not there.is_dir():
        named = "" if there == args.out else f"{there} "
        raise OperatorError(f"--out {args.out}: {named}is no folder; give a folder, which is made where there is none")
    if args.mode != "none" and not os.access(there, os.W_OK | os.X_OK):
        raise OperatorError(f"--out {args.out}: {there} may not be written to; give a folder that may")


def upstream_key(name: str | None, environ: Mapping[str, str]) -> bytes:
    """The upstream's key from the environment; empty where none was named; raises OperatorError."""
    if name is None:
        return b""
    key = environ.get(name, "").strip()
    if not key:
        raise OperatorError(f"--upstream-key-env {name}: the variable is not set; example: export {name}=sk-…")
    if not key.isascii() or not key.isprintable() or len(key) < SHORTEST_SECRET:
        raise OperatorError(
            f"--upstream-key-env {name}: a key is at least {SHORTEST_SECRET} printable ASCII characters"
        )
    return key.encode()


def scrubbing_of(args: argparse.Namespace) -> Scrubbing:
    """What `--scrub-field` and `--scrub-pattern` say; raises OperatorError for a bad pattern."""
    return Scrubbing(tuple(args.scrub_field), tuple(compiled(text) for text in args.scrub_pattern))


def compiled(text: str) -> Any:
    """A pattern over bytes, in linear time; raises OperatorError."""
    import re2

    from mockserver.checked import compile_pattern

    compile_pattern(text, "--scrub-pattern")
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    return re2.compile(text.encode(), options)


def _list(args: argparse.Namespace, out: TextIO) -> int:
    paths = list(args.paths) or _default_folders()
    found = _exchanges(paths)
    none = [f"no recordings in {', '.join(map(str, paths))}; genstudio-mock record makes them"]
    out.writelines(line + "\n" for line in (listed(found, _now()) if found else none))
    return 0


def _show(args: argparse.Namespace, out: TextIO) -> int:
    for path in args.paths:
        out.writelines(line + "\n" for line in time_line(read(path)))
    return 0


def _diff(args: argparse.Namespace, out: TextIO) -> int:
    lines = compared(*(read(path) for path in args.paths))
    out.writelines(line + "\n" for line in lines or ["no difference in head, bytes, chunks, shape and timing"])
    return 1 if lines else 0


def _convert(args: argparse.Namespace, out: TextIO) -> int:
    from mockserver.recording.convert import convert

    made = convert(args.source, args.target, Hints(args.model, args.chip, args.prompt), scrubbing_of(args))
    out.writelines(f"{path}\n" for path in made)
    return 0


def _age(args: argparse.Namespace, out: TextIO) -> int:
    most, old = span(args.max), 0
    now = _now()
    for path, file in _exchanges(args.paths):
        age = age_of(file, now)
        if age is None or age > most:
            old += 1
            out.write(f"{path}: {'no date' if age is None else f'{age.days} days old'}\n")
    out.write(f"{old} older than {args.max}\n" if old else f"none is older than {args.max}\n")
    return 1 if old else 0


def _verify(args: argparse.Namespace, out: TextIO) -> int:
    paths = list(files(args.paths or _default_folders()))
    bad = 0
    for path in paths:
        found = list(problems(path))
        bad += bool(found)
        out.writelines(f"{path}: {line}\n" for line in found)
        out.writelines(f"{path}: note: {line}\n" for line in notes(path))
    out.write(f"{len(paths)} files, {bad} with problems\n")
    return 1 if bad else 0


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
    "convert": _convert,
    "age": _age,
    "verify": _verify,
}

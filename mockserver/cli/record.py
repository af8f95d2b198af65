"""`genstudio-mock record`: keep what a live service answers."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockserver.cli.arguments import Parser, help_of
from mockserver.cli.header_flag import add_header_argument, headers_of
from mockserver.cli.scrubbing import add_scrub_arguments, scrubbing_of
from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.core.route import BASE_TEMPLATE, Route
from mockserver.core.web_address import bare_host
from mockserver.files.atomic import check_folder
from mockserver.files.secrets import SHORTEST_SECRET
from mockserver.recording.modes import DEFAULT, MODES
from mockserver.recording.show import visible
from mockserver.recording.store import Store
from mockserver.settings.config import SETTINGS
from mockserver.settings.value_kinds import Place

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from mockserver.cli.terminal import Console
    from mockserver.core.errors import Refusal
    from mockserver.core.exchange import Plan

GRACE_SECONDS: Final = 5.0


SAYS = """\
Pass requests on to a live service, pass its answers through as they arrive, and keep each
exchange as a fixture file: every transfer chunk with its time, and how the answer ended. Keys,
cookies and organisations have no place in the files."""
EXAMPLES = (
    (
        "genstudio-mock record --base-url https://cloud.infini-ai.com",
        "same paths as the service; files go to fixtures/",
    ),
    (
        f"genstudio-mock record --base-url http://127.0.0.1:8000 --map '{BASE_TEMPLATE}=/v1'",
        "any OpenAI-compatible server",
    ),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Run the command; returns the exit code."""
    found = parser().read(argv, console)
    return 0 if found is None else main(found, console.environ, console.out, console.err)


def parser() -> Parser:
    """The parser of `record`."""
    made = Parser("record", SAYS, EXAMPLES)
    add_arguments(made)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `record`."""
    add = parser.add_argument
    add("--base-url", required=True, metavar="URL", help="the live service; any OpenAI-compatible server")
    add("--output", type=Path, default=Path("fixtures"), metavar="DIR", help="where files go (default: fixtures)")
    modes = "; ".join(f"{mode}: {says}{' (default)' if mode == DEFAULT else ''}" for mode, says in MODES.items())
    add("--mode", choices=list(MODES), default=DEFAULT, help=modes)
    add("--map", action="append", default=[], metavar="FROM=TO", help="path prefix for the upstream, repeatable; "
        f"example: {BASE_TEMPLATE}=/v1")  # fmt: skip
    add("--api-key-env", metavar="VAR", help="environment variable with the upstream's API key; without it the "
        "client's own key passes through")  # fmt: skip
    add_header_argument(parser)
    add("--ca", metavar="FILE", help="https: trust the certificates of this file, not the system's")
    add("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long the upstream may say nothing (120)")
    add("--speed", type=float, default=0.0, metavar="X", help="of replayed answers: 0 at once (default), 1 as recorded")
    row = SETTINGS["match_on"]
    add(row.flag, metavar=row.metavar, help=help_of(row))
    add("--edition", metavar="NAME", help="the edition noted in the files")
    for name, kind in (("host", str), ("port", int), ("port_file", Path)):
        row = SETTINGS[name]
        add(row.flag, type=kind, default=row.default, metavar=row.metavar, help=help_of(row))
    add_scrub_arguments(parser)


def main(args: argparse.Namespace, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Serve the recording proxy until a signal comes."""
    from mockserver.files.secrets import further_secrets, proxy_secrets
    from mockserver.pipeline.refuse import refuse
    from mockserver.profile.edition import default_edition, load_edition
    from mockserver.recording.path_map import path_map
    from mockserver.recording.proxy import RecordingProxy
    from mockserver.recording.recorder import Recorder
    from mockserver.recording.upstream_address import upstream_of
    from mockserver.server.guard import Guard, is_loopback
    from mockserver.server.log_writer import LogWriter
    from mockserver.server.port_file import PortFile
    from mockserver.server.serving import address_of, run, tcp_socket
    from mockserver.server.uvicorn_fit import need_own_connection
    from mockserver.sources.recordings import Recordings, load
    from mockserver.sources.staleness import pinned_headers

    need_own_connection("genstudio-mock record")
    check_record_arguments(args)
    roots = [shipped("profiles")]
    edition = load_edition(args.edition or default_edition(roots), roots)
    upstream = upstream_of(args.base_url, environ, args.timeout, args.ca)
    key = upstream_key(args.api_key_env, environ)
    headers = [(name.lower().encode(), value.encode()) for name, value in headers_of(args)]
    known = load(args.output) if args.output.is_dir() else []
    row = SETTINGS["match_on"]
    match_on = row.default if args.match_on is None else row.read(args.match_on, Place(row.flag, Path()), text=True)

    maps = [path_map(text) for text in args.map]
    told = LogWriter(err, str)  # where nobody reads it, what is to be kept is kept all the same

    def tell(line: str) -> None:
        told.add(lambda: visible(line, 500))

    def refusal(refused: Refusal) -> Plan:
        return refuse(refused, edition.file.errors[refused.kind])

    secrets = frozenset({key} if key else set()) | proxy_secrets(upstream.via_header) | further_secrets(headers)
    recorder = Recorder(
        Store(args.output),
        args.mode,
        Recordings(known, match_on),
        edition.name,
        upstream.host_class,
        secrets,
        scrubbing_of(args),
        tell,
        pinned_headers(match_on),
    )
    port_file = PortFile(args.port_file)
    listening = tcp_socket(args.host, args.port)  # last: nothing is opened where something else is wrong
    guard = Guard(names=frozenset({bare_host(args.host).lower()}), any_address=not is_loopback(listening))
    proxy = RecordingProxy(
        upstream, recorder, refusal, maps=maps, key=key, headers=headers, speed=args.speed, guard=guard
    )

    where = address_of(listening)

    def ready() -> None:
        port_file.write(listening.getsockname()[1])
        doing = f"replaying {args.output}" if recorder.offline else f"recording {args.base_url} into {args.output}"
        with contextlib.suppress(OSError):
            out.write(f"{doing}\nbase_url {where}{Route('MODEL', 'CHIP').base}\n")
            out.flush()
        if key and not is_loopback(listening):
            tell(f"warning: whoever reaches {where} uses the key of {args.api_key_env}")

    with contextlib.ExitStack() as held:
        held.callback(told.close)
        held.callback(listening.close)
        held.callback(port_file.remove)
        run(proxy, listening, ready, GRACE_SECONDS, proxy, on_closing=port_file.remove)
    return 0


def check_record_arguments(args: argparse.Namespace) -> None:
    """Raise OperatorError for a value that its flag does not take."""
    if not 0 < args.timeout < math.inf:
        raise OperatorError(f"--timeout {args.timeout:g}: give seconds over 0; example: --timeout 120")
    if not 0 <= args.speed < math.inf:
        raise OperatorError(f"--speed {args.speed:g}: give a number, 0 or more; example: --speed 1")
    if not 0 <= args.port <= 65535:
        raise OperatorError(f"--port {args.port}: give 0 to 65535; 0 takes a free one")
    check_folder(args.output, f"--output {args.output}", written=args.mode != "none")


def upstream_key(name: str | None, environ: Mapping[str, str]) -> bytes:
    """The upstream's key from the environment; empty where none was named; raises OperatorError."""
    if name is None:
        return b""
    key = environ.get(name, "").strip()
    if not key:
        raise OperatorError(f"--api-key-env {name}: the variable is not set; example: export {name}=sk-…")
    if not key.isascii() or not key.isprintable() or len(key) < SHORTEST_SECRET:
        raise OperatorError(f"--api-key-env {name}: a key is at least {SHORTEST_SECRET} printable ASCII characters")
    return key.encode()

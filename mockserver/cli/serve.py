"""`genstudio-mock serve`: listen, say so, answer until a signal comes."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.cli.arguments import Parser, configuration
from mockserver.core.errors import OperatorError
from mockserver.core.route import CHAT_PATHS
from mockserver.settings.config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Console
    from mockserver.settings.config import Config, Loaded

SAYS = f"""\
Answer POST {CHAT_PATHS[0]} as the service does, on this machine.

Each flag is also a variable (--log-level is GENSTUDIO_MOCK_LOG_LEVEL; lists with commas) and a key
of the configuration file (log_level). A flag counts before a variable, a variable before the file.
The table [moderation] is set in the file only: genstudio-mock schema config describes it."""
EXAMPLES = (
    ("genstudio-mock serve", "on 127.0.0.1:8777"),
    ("genstudio-mock serve --port 0 --port-file port.txt", "on a free port, for scripts"),
    ("genstudio-mock serve --pace first_token_ms=300,inter_token_ms=30", "slow enough to watch"),
    ("genstudio-mock serve --fixtures answers --strict", "nothing but recorded answers"),
    ("genstudio-mock serve --workers 4", "four processes on one port"),
    ("genstudio-mock serve --print-config", "which setting comes from where"),
)

ENGINE: Final = ("from_json", "to_json", "SchemaError", "SchemaValidator")
"""What a server asks of pydantic's engine, whose parser of JSON takes a third of the time of Python's. The rest of the
package, and pydantic itself, are imported where something is to be checked that people wrote."""


def run(argv: Sequence[str], console: Console) -> int:
    """Serve until a signal comes, or print the configuration."""
    found = parser().read(argv, console)
    if found is None:
        return 0
    loaded = configuration(found, console)
    if found.print_config:
        console.print(*config_table(loaded, console))
        return 0
    try:
        if found.lease:
            from mockserver.cli.lease import serve_leased

            serve_leased(loaded.config, console)
            return 0
        return serve(loaded.config, console)
    except OperatorError as error:
        raise OperatorError(_by_where_set(str(error), loaded)) from None


def parser() -> Parser:
    """The parser of `serve`: all settings, and what else it can do."""
    made = Parser("serve", SAYS, EXAMPLES)
    made.add_settings(name for name, row in SETTINGS.items() if not row.file_only)
    made.add_argument("--print-config", action="store_true", help="show each setting and where it comes from")
    made.add_argument(
        "--lease", action="store_true",
        help="for test runners: on a free port, until the last connection to a second one ends; says both in JSON",
    )  # fmt: skip
    return made


def serve(config: Config, console: Console) -> int:
    """Serve what the configuration describes; returns when a signal came and the answers in flight are done.

    Returns:
        The exit code: 0, or that of a process of several that failed at its start.

    Raises:
        OperatorError: the address cannot be had, or a profile, a fixture or the port file is wrong.
    """
    from mockserver.cli.late_package import late_package

    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to find them it reads what each package here says
    late_package("uvicorn", {"Config": "uvicorn.config"})  # which `uvicorn.lifespan.off` asks for
    late_package("pydantic_core", dict.fromkeys(ENGINE, "pydantic_core._pydantic_core"))

    from mockserver.cli.ready import tell_ready
    from mockserver.server import log
    from mockserver.server.app import App
    from mockserver.server.guard import guard_of
    from mockserver.server.port_file import PortFile
    from mockserver.server.serving import ended_by_sigterm, tcp_socket, unix_socket
    from mockserver.server.serving import run as run_server
    from mockserver.settings.assemble import build
    from mockserver.settings.tls import tls_of

    if config.uds and config.port_file:
        raise OperatorError(f"--port-file {config.port_file}: there is no port with --uds; drop one of them")
    if config.workers > 1:
        from mockserver.cli.serve_workers import serve_workers

        return serve_workers(config, console)
    port_file = PortFile(config.port_file)
    with log.logging_to(console.err, config.log_format, config.log_level) as tell, contextlib.ExitStack() as held:
        held.callback(port_file.remove)
        held.enter_context(ended_by_sigterm())
        mock = build(config, tell, early=True)
        tls = held.enter_context(tls_of(config))
        if tls and tls.ca:
            config = replace(config, tls_ca=tls.ca)
        listening = unix_socket(config.uds) if config.uds else tcp_socket(config.host, config.port)
        held.callback(listening.close)
        if config.uds:
            held.callback(config.uds.unlink, missing_ok=True)
        guard = guard_of(listening, config.host, config.control_token) if config.control else None
        run_server(
            App(mock, guard, page=config.ui), listening,
            lambda: tell_ready(listening, mock.edition, guard, config, console, port_file), config.grace_seconds, mock,
            mock.namespaces, port_file.remove, tls.context if tls else None,
        )  # fmt: skip
    return 0


def _by_where_set(trouble: str, loaded: Loaded) -> str:
    """What is wrong with a setting, said of the variable or the file that has it, where that is no flag."""
    for name, row in SETTINGS.items():
        said = next((one for one in (row.flag, name) if trouble.startswith((f"{one}: ", f"{one} "))), "")
        origin = loaded.origins[name]
        if said and origin not in (row.flag, "default"):
            return (origin if origin == row.variable else f"{origin}: {name}") + trouble.removeprefix(said)
    return trouble


def config_table(loaded: Loaded, console: Console) -> list[str]:
    """Each setting's effective value and where it came from."""
    from mockserver.profile.edition import default_edition
    from mockserver.settings.assemble import profile_roots

    config = loaded.config
    if config.edition is None:
        config = replace(config, edition=default_edition(profile_roots(config)))
    rows = []
    for name, row in SETTINGS.items():
        origin = loaded.origins[name]
        style = "dim" if origin == "default" else "bold"
        rows.append(((name, style), row.show(getattr(config, name)) or "-", (origin, style)))
    return console.columns([(("setting", "dim"), ("value", "dim"), ("from", "dim")), *rows], indent=0)

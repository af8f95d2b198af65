"""`genstudio-mock serve --workers N`: one parent, N processes that answer, one port, one log."""

from __future__ import annotations

import contextlib
import gc
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

from mockserver.cli.ready import tell_ready
from mockserver.files.atomic import temporary
from mockserver.server import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.cli.terminal import Console
    from mockserver.settings.config import Config


def serve_workers(config: Config, console: Console) -> int:
    """Serve with several processes; returns when a signal came and all have ended, with the exit code.

    What all need is made once, before they are forked. The parent keeps no thread, since a thread does not live through
    a fork: its log is there while it has something to say.

    Raises:
        OperatorError: the address cannot be had, or a profile, a fixture or the port file is wrong.
    """
    from mockserver.server.app import App
    from mockserver.server.guard import guard_of
    from mockserver.server.metrics import shared_figures
    from mockserver.server.port_file import PortFile
    from mockserver.server.serving import ended_by_sigterm, unix_socket
    from mockserver.server.serving import run as run_server
    from mockserver.server.uvicorn_fit import connection_class
    from mockserver.server.workers import Workers, need_fork, sockets_for
    from mockserver.settings.assemble import build
    from mockserver.settings.tls import tls_of

    need_fork()
    from mockserver.server.sharing import Shares  # which no system without fork could import

    port_file = PortFile(config.port_file)
    if config.state is None:
        config = replace(config, ui=False)  # the inspector would show the exchanges of one process
    with contextlib.ExitStack() as held:
        held.callback(port_file.remove)
        held.enter_context(ended_by_sigterm())
        with temporary(f"--workers {config.workers}"):
            turn = held.enter_context(tempfile.TemporaryFile())

        def logging() -> contextlib.AbstractContextManager[Callable[..., None] | None]:
            return log.logging_to(console.err, config.log_format, config.log_level, turn.fileno())

        def tell(text: str) -> None:
            with logging():
                log.log.warning("%s", text)

        figures = held.enter_context(shared_figures()) if config.metrics else None
        with logging():
            mock = build(config, figures=figures)
            mock.workers = config.workers
            connection_class()  # where uvicorn cannot be used it is told once
        sockets = [unix_socket(config.uds)] if config.uds else sockets_for(config.workers, config.host, config.port)
        shares = Shares(config.workers, sockets)
        held.callback(shares.close)
        if config.uds:
            held.callback(config.uds.unlink, missing_ok=True)
        tls = held.enter_context(tls_of(config))
        if tls and tls.ca:
            config = replace(config, tls_ca=tls.ca)
        guard = guard_of(sockets[0], config.host, config.control_token) if config.control else None

        def work(number: int, ready: Callable[[], None]) -> None:
            door = shares.door(number)
            with logging() as told, ended_by_sigterm():
                mock.on_exchange = told
                app = App(mock, guard, page=config.ui)
                run_server(
                    app, door, ready, config.grace_seconds, mock, mock.namespaces, tls=tls.context if tls else None
                )

        def ended(number: int, process: int) -> None:
            shares.leave(number)
            if mock.metrics:
                mock.metrics.forget(process)

        gc.freeze()  # what is here before the fork stays shared memory: no process's collector writes to it
        return Workers(
            config.workers, work, lambda: tell_ready(sockets[0], mock.edition, guard, config, console, port_file), tell,
            config.grace_seconds, port_file.remove, ended,
        ).run()  # fmt: skip

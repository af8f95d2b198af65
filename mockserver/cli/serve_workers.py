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
        for one in sockets:
            held.callback(one.close)
        if config.uds:
            held.callback(config.uds.unlink, missing_ok=True)
        tls = held.enter_context(tls_of(config))
        if tls and tls.ca:
            config = replace(config, tls_ca=tls.ca)
        if len(sockets) == 1:
            tell("all workers accept from one socket here, so one may take several connections while others are idle")
        guard = guard_of(sockets[0], config.host, config.control_token) if config.control else None

        def work(number: int, ready: Callable[[], None]) -> None:
            own = sockets[number % len(sockets)]
            for other in sockets:
                if other is not own:
                    other.close()
            with logging() as told, ended_by_sigterm():
                mock.on_exchange = told
                app = App(mock, guard, page=config.ui)
                context = tls.context if tls else None
                run_server(app, own, ready, config.grace_seconds, mock, mock.namespaces, tls=context)

        gc.freeze()  # what is here before the fork stays shared memory: no process's collector writes to it
        return Workers(
            config.workers, work, lambda: tell_ready(sockets[0], mock.edition, guard, config, console, port_file), tell,
            config.grace_seconds, port_file.remove, mock.metrics.forget if mock.metrics else None,
        ).run()  # fmt: skip

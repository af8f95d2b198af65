"""`python -m mockserver.cli.lease`: the process of a mock that tests share; it serves while somebody holds a lease.

The other side is `testing/shared_mock.py`, which starts it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import OperatorError
from mockserver.testing.shared_mock import OTHERS_STAY, WELCOME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.settings.config import Config

FIRST_LEASE_SECONDS: Final = 30.0


class Landlord:
    """Gives leases and waits until the last of them is over."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._leases: dict[int, socket.socket] = {}
        self.port: int = self._listening.getsockname()[1]

    def wait(self) -> None:
        """Wait for the last lease to end, or until it is clear that nobody comes.

        The last lease stays half open: to whoever gave it back, its end is that of this process.
        """
        with selectors.DefaultSelector() as selector, self._listening as listening:
            selector.register(listening, selectors.EVENT_READ)
            while True:
                ready = selector.select(None if self._leases else FIRST_LEASE_SECONDS)
                if not ready:
                    return
                for key, _ in ready:
                    if key.fileobj is listening:
                        selector.register(self._give(), selectors.EVENT_READ)
                    else:
                        selector.unregister(key.fileobj)
                        if self._take_back(key.fd):
                            return

    def _give(self) -> socket.socket:
        lease, _ = self._listening.accept()
        self._leases[lease.fileno()] = lease
        with contextlib.suppress(OSError):  # who asked is gone; that is seen at the next turn
            lease.send(WELCOME)
        return lease

    def _take_back(self, number: int) -> bool:
        """Whether it was the last one."""
        if len(self._leases) == 1:
            return True
        with contextlib.suppress(OSError), self._leases.pop(number) as lease:
            lease.send(OTHERS_STAY)
        return False


def configured(flags: Sequence[str], cwd: Path) -> Config:
    """The configuration of a run's private mock from flags of `serve`, variables and files.

    Raises:
        OperatorError: a flag, a variable or the configuration file is wrong.
    """
    from mockserver.cli.arguments import configuration
    from mockserver.cli.serve import serve_parser
    from mockserver.cli.terminal import Console
    from mockserver.settings.private import private

    console = Console(sys.stdout, sys.stderr, os.environ)
    found = serve_parser().read(flags, console)
    if found is None:
        raise OperatorError("--help: not a setting; run genstudio-mock serve --help")
    return private(configuration(found, console, cwd).config)


def main(flags: Sequence[str]) -> int:
    """Serve for as long as somebody holds a lease; says where on standard output."""
    from mockserver.testing.mock_server import MockServer

    landlord = Landlord()
    try:
        mock = MockServer(configured(flags, Path.cwd())).start()
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps({"url": mock.url, "lease_port": landlord.port}) + "\n")
    sys.stdout.close()
    landlord.wait()
    mock.stop()
    return 0


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(exit_code)  # at once: whoever left last waits for our end, and would see an end of the lease before it

"""`genstudio-mock serve --lease`: the process of a mock that tests share; it serves while somebody holds a lease.

A lease is a connection to `lease_port`, on which `+` comes at once. Who closes its sending side gives the lease back:
`-` comes where others hold one, else the connection ends with the process. `testing/mock_lease.py` is the other side.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
from typing import TYPE_CHECKING, Final

from mockserver.testing.mock_lease import OTHERS_STAY, WELCOME

if TYPE_CHECKING:
    from mockserver.cli.terminal import Console
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

        The last lease stays half open: to whoever gave it back, its end is that of this process, with which the
        kernel closes it.
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
            self._leases.pop(number).detach()
            return True
        with contextlib.suppress(OSError), self._leases.pop(number) as lease:
            lease.send(OTHERS_STAY)
        return False


def serve_leased(config: Config, console: Console) -> None:
    """Serve for as long as somebody holds a lease; says where, as one line of JSON on standard output.

    Address, keys and token are not the configuration's: a free port of this machine, open to every key.

    Raises:
        OperatorError: a profile or a fixture is wrong.
    """
    from mockserver.settings.private import private
    from mockserver.testing.mock_server import MockServer

    with MockServer(private(config)) as mock:
        landlord = Landlord()
        console.print(json.dumps({"url": mock.url, "lease_port": landlord.port}))
        landlord.wait()

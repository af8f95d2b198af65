"""Processes that accept on one port have equally many connections: one that has more than another hands a new one on.

The system shares connections out by a hash, or to whoever wakes first: of 16, one process of two may get 11. So each
tells in memory common to all how many it has, and one that accepts a connection while another has fewer sends it there
through a Unix socket. Nobody stands between the port and the processes, and what waits in such a socket outlives the
process that was to read it. How many wait there the system tells, so that no count can go wrong with a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from fcntl import ioctl
from functools import partial
from itertools import chain
from mmap import mmap
from termios import FIONREAD
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from uvicorn.config import Config
    from uvicorn.server import Protocols, ServerState

log = logging.getLogger("mockserver")

ABSENT: Final = 2**62
"""How many connections one counts as having that does not accept: more than any other."""
REST_SECONDS: Final = 1.0
"""How long none is handed to a process that had no file number left for one."""
_CLOSE_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_ONE: Final = b"\0"  # what a connection is sent with: how many bytes wait is how many connections wait


class Shares:
    """What all the processes share; made before they are forked.

    Args:
        count: How many processes there are.
        listening: The sockets that they accept on, one for each or one for all.
    """

    def __init__(self, count: int, listening: Sequence[socket.socket]) -> None:
        self._listening = listening
        self._open = memoryview(mmap(-1, 8 * count)).cast("q")  # each writes its own alone, the parent that of the dead
        self._ways = [socket.socketpair() for _ in range(count)]
        for number, ends in enumerate(self._ways):
            self.leave(number)
            for end in ends:
                end.setblocking(False)

    def door(self, number: int) -> Door:
        """The door of a process; called in that process, which keeps no other's listening socket open."""
        own = self._listening[number % len(self._listening)]
        for other in self._listening:
            if other is not own:
                other.close()
        return Door(self, number, own)

    def tell(self, number: int, connections: int) -> None:
        """Note how many connections a process has."""
        self._open[number] = connections

    def leave(self, number: int) -> None:
        """Note that a process accepts none, so that it is handed none."""
        self._open[number] = ABSENT

    def place(self, own: int) -> int:
        """Which process is to have a connection that `own` accepted: itself, unless another has fewer."""
        chosen, fewest = own, self._open[own] + self._waiting(own)
        for number, connections in enumerate(self._open):
            if connections < fewest and (among := connections + self._waiting(number)) < fewest:
                chosen, fewest = number, among
        return chosen

    def hand_on(self, connection: int, to: int) -> bool:
        """Send a connection, by its file number, to a process; whether that went, and ours can be closed."""
        try:
            socket.send_fds(self._ways[to][0], [_ONE], [connection])
        except OSError:  # it reads none, or too many are on their way
            return False
        return True

    def way_in(self, number: int) -> socket.socket:
        """Where a process reads what is handed to it."""
        return self._ways[number][1]

    def close(self) -> None:
        """Close all; connections that wait there are closed with the last process that has it open."""
        for one in (*self._listening, *chain.from_iterable(self._ways)):
            one.close()

    def _waiting(self, number: int) -> int:
        return int(struct.unpack("i", ioctl(self.way_in(number), FIONREAD, bytes(4)))[0])


class Door:
    """Where the connections of one process come in, accepted or handed on; uvicorn closes it like a server of asyncio.

    Args:
        shares: What the processes share.
        number: Which one this is.
        listening: Where it accepts.
    """

    def __init__(self, shares: Shares, number: int, listening: socket.socket) -> None:
        self._shares, self._number, self._listening = shares, number, listening
        self._begun: set[Protocols] = set()
        self._open = _Open(self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._lets_in = self._closed = False

    async def open(self, protocol: Callable[[], Protocols], state: ServerState, config: Config) -> None:
        """Let connections in.

        Args:
            protocol: Makes what speaks on one; it adds itself to the state's connections, and takes itself off.
            state: uvicorn's, of this process.
            config: uvicorn's, for TLS and for how many connections may wait to be accepted.
        """
        self._protocol, self._tls, self._loop = protocol, config.ssl, asyncio.get_running_loop()
        state.connections = self._open
        self._let_in()
        arrival = partial(_Arrival, self)
        self._server = await self._loop.create_server(arrival, sock=self._listening, backlog=config.backlog)

    def close(self) -> None:
        """Let none in any more; those that were handed on and not taken in are closed."""
        self._closed = True
        self._server.close()
        self._listening.close()
        self._let_none_in()
        while connection := self._handed():
            connection.close()

    async def wait_closed(self) -> None:
        """Return at once: connections are waited for by uvicorn."""

    def count(self) -> None:
        """Tell the others how many connections this process has."""
        if self._lets_in:
            self._shares.tell(self._number, len(self._open) + len(self._begun))

    def begun(self, protocol: Any) -> None:
        """Count a connection no more among those that have only begun."""
        self._begun.discard(protocol)

    def arrived(self, transport: asyncio.Transport) -> None:
        """Have a connection that was accepted here go on here, or where it is handed on to."""
        accepted = transport.get_extra_info("socket").fileno()
        to = self._shares.place(self._number)
        if to != self._number and self._shares.hand_on(accepted, to):
            transport.abort()  # closes our file number alone
        elif self._tls is None:
            protocol = self._protocol()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
        else:
            connection = self._socket(os.dup(accepted))
            transport.abort()
            self._take_in(connection)

    def _let_in(self) -> None:
        if not self._closed:
            self._lets_in = True
            self.count()
            self._loop.add_reader(self._shares.way_in(self._number), self._receive)

    def _let_none_in(self) -> None:
        self._lets_in = False
        self._shares.leave(self._number)
        self._loop.remove_reader(self._shares.way_in(self._number))

    def _receive(self) -> None:
        connection = self._handed()
        if connection is not None:
            self._take_in(connection)

    def _handed(self) -> socket.socket | None:
        """The next connection that was handed to this process; None where there is none."""
        try:
            read, numbers, _, _ = socket.recv_fds(self._shares.way_in(self._number), len(_ONE), 1, _CLOSE_ON_EXEC)
        except BlockingIOError:
            return None
        if numbers:
            return self._socket(numbers[0])
        if read and self._lets_in:
            log.warning("a connection is lost, since the system has no file number left for it")
            self._let_none_in()
            self._loop.call_later(REST_SECONDS, self._let_in)
        return None

    def _socket(self, number: int) -> socket.socket:
        like = self._listening
        return socket.socket(like.family, like.type, like.proto, fileno=number)

    def _take_in(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        protocol = self._protocol()
        self._begun.add(protocol)
        self.count()
        task = self._loop.create_task(self._begin(connection, protocol))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, connection: socket.socket, protocol: Protocols) -> None:
        try:
            with contextlib.suppress(OSError):  # the client left, or knows another TLS
                await self._loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
                if self._closed:  # uvicorn has told those that it saw
                    protocol.shutdown()
        finally:
            self.begun(protocol)
            self.count()


class _Arrival(asyncio.Protocol):
    """A connection that was accepted, until it is known where it goes on."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bring it there before anything is read from it."""
        self._door.arrived(cast("asyncio.Transport", transport))


class _Open(set[Any]):
    """uvicorn's set of open connections, which tells its door of each change."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    def add(self, protocol: Any) -> None:
        """One more."""
        super().add(protocol)
        self._door.begun(protocol)
        self._door.count()

    def discard(self, protocol: Any) -> None:
        """One less."""
        super().discard(protocol)
        self._door.count()

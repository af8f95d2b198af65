"""The bytes of one response as they come, bounded in time and in number."""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


class Incoming(io.RawIOBase):
    """What a socket brings, for as long as it may take and as much as it may be, whatever reads it.

    Each read of the standard library's client waits anew, so a target that drips, or that says 100 Continue for ever,
    would hold it for hours.

    Args:
        sock: The connection.
        file: What keeps it open while it is read, also where the target closes it behind its response.
        silence_s: The longest wait for a read, in seconds.
        left_s: Seconds that are left for all of it; a read with none left raises TimeoutError.
        most: Bytes of all of it; more raise HTTPException.
    """

    def __init__(
        self, sock: socket.socket, file: io.BufferedIOBase, silence_s: float, left_s: Callable[[], float], most: int
    ) -> None:
        super().__init__()
        self._sock = sock
        self._file = file
        self._silence = silence_s
        self._left_s = left_s
        self._left = most

    def close(self) -> None:
        """Let go of the connection."""
        self._file.close()
        super().close()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What comes next; 0 at the end."""
        left = self._left_s()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(min(self._silence, left))
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise http.client.HTTPException("the response has no end")
        return count

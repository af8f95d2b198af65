"""An answer while it comes: its parts become sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mockserver.recording.upstream import Part

KEPT_BYTES: Final = 16 * 2**20
"""Longest answer that is kept, each send counted as its bytes and `SEND_COST`; a longer one only passes through."""
SEND_COST: Final = 200


class Taking:
    """The sends of one answer as they come; it forgets them all when they are too long to be kept."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.at_ms: list[float] = []
        self.too_long = False
        self._weight = 0
        self._open: list[bytes] = []

    def add(self, part: Part, at_ms: float) -> None:
        """Take a part; a send has the time of its first byte."""
        if self.too_long:
            return
        self._weight += len(part.data) + SEND_COST
        if self._weight > KEPT_BYTES:
            self.too_long = True
            self.frames, self.at_ms, self._open = [], [], []
            return
        if part.starts and part.ends:
            self.frames.append(part.data)
            self.at_ms.append(at_ms)
            return
        if part.starts or not self._open:
            self.at_ms.append(at_ms)
        self._open.append(part.data)
        if part.ends:
            self.finish()

    def finish(self) -> None:
        """The last send where it was cut off."""
        if self._open:
            self.frames.append(b"".join(self._open))
            self._open = []

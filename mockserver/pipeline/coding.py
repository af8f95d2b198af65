"""A body without its codings: the content coding of any, and the transfer coding of network writes made by a fault."""

from __future__ import annotations

import contextlib
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mockserver.core.exchange import Plan

UNPACKED_LIMIT_BYTES: Final = 64 * 2**20


def body_of(plan: Plan, frames: int | None = None) -> bytes:
    """A plan's body, or that of so many of its frames, without its codings.

    Raises:
        ValueError: The content coding cannot be taken off.
    """
    data = b"".join(plan.frames[:frames])
    return unpacked(_body_of_writes(data) if plan.raw else data, coding_of(plan))


def coding_of(plan: Plan) -> bytes:
    """The content coding of a plan's body; empty for none."""
    return next((value for name, value in plan.headers if name.lower() == b"content-encoding"), b"")


def unpacked(data: bytes, coding: bytes) -> bytes:
    """A body without its content coding; raises ValueError for one that is unknown, broken or far too long."""
    name = coding.strip().lower()
    if name in {b"", b"identity"}:
        return data
    if name not in {b"gzip", b"x-gzip", b"deflate"}:
        raise ValueError(f"content-encoding {coding.decode('latin-1')!r} is not read; known: gzip, deflate, identity")
    try:
        return _inflated(data, zlib.MAX_WBITS | 32)
    except zlib.error as error:
        if name == b"deflate":  # some send it without the header that it ought to have
            with contextlib.suppress(zlib.error):
                return _inflated(data, -zlib.MAX_WBITS)
        raise ValueError(f"content-encoding {name.decode()}: {error}") from None


def _inflated(data: bytes, window_bits: int) -> bytes:
    """All members of a packed body, one after another; a body that was cut gives what came."""
    made, room = [], UNPACKED_LIMIT_BYTES
    while data:
        machine = zlib.decompressobj(window_bits)
        made.append(machine.decompress(data, room))
        room -= len(made[-1])
        if machine.unconsumed_tail or room <= 0:
            raise ValueError(f"the unpacked body is over {UNPACKED_LIMIT_BYTES >> 20} MiB")
        data = machine.unused_data
    return b"".join(made)


def _body_of_writes(data: bytes) -> bytes:
    """The body in network writes that hold status line, headers and transfer coding, as far as these can be read."""
    head, _, rest = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest
    body = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        try:
            length = int(size, 16)
        except ValueError:
            break
        body.append(rest[:length])
        rest = rest[length + 2 :]
    return b"".join(body)

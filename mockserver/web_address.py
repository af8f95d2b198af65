"""Which address of a server a client can connect to: checked once, before the first request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

SENDABLE: Final = re.compile(r"[!-~]*")
"""What a request line can carry: printable ASCII without a space."""


def web_address(url: str) -> SplitResult:
    """The parts of `http(s)://host[:port][/path]`; the host may be a name in any script.

    Raises:
        ValueError: it is no such address, or no host can have that name.
    """
    parts = urlsplit(url)
    known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    if not known or parts.query or parts.fragment or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("give http(s)://host[:port][/path]")
    if not SENDABLE.fullmatch(parts.path):
        raise ValueError("a path is ASCII, other characters are written as %E4%BD%A0")
    try:
        (parts.hostname or "").encode("idna")
    except UnicodeError:
        raise ValueError("no host has such a name") from None
    return parts

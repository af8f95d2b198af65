"""Which address of a server a client can connect to, and through which proxy: checked before the first request."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from mockserver.core.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping
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


class Proxy(NamedTuple):
    """The proxy that leads to a server.

    Attributes:
        host: Its name or address.
        port: Its TCP port.
        authorization: What it is sent as `Proxy-Authorization`; empty for nothing.
    """

    host: str
    port: int
    authorization: str


def https_proxy(host: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that `HTTPS_PROXY` names, unless `NO_PROXY` names the host; None for a direct connection.

    Raises:
        OperatorError: the variable is no address of an http proxy.
    """
    url = environ.get("https_proxy") or environ.get("HTTPS_PROXY")
    if not url or _bypassed(host, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise OperatorError("HTTPS_PROXY: give http://[user:password@]host[:port]")
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    authorization = f"Basic {b64encode(pair.encode()).decode()}" if parts.username else ""
    return Proxy(parts.hostname, port, authorization)


def _bypassed(host: str, rule: str) -> bool:
    """Whether `NO_PROXY` names the host: `*`, the name itself, or a domain above it."""
    names = [name.strip().lstrip(".").lower() for name in rule.split(",") if name.strip()]
    return "*" in names or any(host.lower() == name or host.lower().endswith(f".{name}") for name in names)

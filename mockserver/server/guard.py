"""Who may use the control API, and the recorder: nobody from another web page; the first asks for a token off loopback.

A page in the developer's browser can send requests to 127.0.0.1, and with DNS rebinding read the answers. So `Host`
must name this machine or the address that was asked for, `Origin` and `Sec-Fetch-Site` must not name another site, a
body must be announced as JSON (a page cannot do that without asking first), and nothing ever allows another origin.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import MOST_DETAIL_CHARACTERS, without_middle
from mockserver.core.web_address import bare_host

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

PREFIX: Final = "/_mock"
"""Where the control API lies."""
NOT_KEPT: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""What every answer there says to a browser: keep nothing of it, and take it for nothing but what it says it is."""
JSON_ALONE: Final = (b"application/json",)
TOKEN_HEADER: Final = b"x-mock-token"
LOCAL_NAMES: Final = frozenset({"localhost", "ip6-localhost", "genstudio-mock"})


def is_control(path: str) -> bool:
    """Whether a path is the control API's."""
    return f"{path}/".startswith(f"{PREFIX}/")


class ForbiddenError(Exception):
    """A control request that is not let in; `status` is 401 or 403, or 415 for a body of the wrong kind."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(without_middle(detail, MOST_DETAIL_CHARACTERS))
        self.status = status


@dataclass(frozen=True, slots=True)
class Guard:
    """What decides.

    Attributes:
        token: What `X-Mock-Token` must hold; None asks for none (loopback only).
        names: Further names that `Host` may have.
        any_address: Whether `Host` may be any IP address: for who listens off loopback. No page is lured here by one.
    """

    token: str | None = None
    names: frozenset[str] = frozenset()
    any_address: bool = False

    def check(self, method: str, headers: Mapping[bytes, bytes], takes: Sequence[bytes] = JSON_ALONE) -> None:
        """Let a request in, or raise ForbiddenError; `takes` are the kinds of bodies that are read."""
        self.check_site(headers)
        if self.token is not None:
            given = headers.get(TOKEN_HEADER, b"")
            if not hmac.compare_digest(given, self.token.encode()):
                raise ForbiddenError(401, "X-Mock-Token: missing or wrong; the server printed it when it started")
        if method in {"POST", "PUT", "PATCH"} and _announces_body(headers):
            kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
            if kind not in takes:
                known = ", ".join(one.decode() for one in takes)
                raise ForbiddenError(415, f"Content-Type: the control API reads {known} alone")

    def check_site(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise ForbiddenError for what another site asks, by its origin too: enough where nothing secret is told."""
        self.check_page(headers)
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
            raise ForbiddenError(403, f"Origin: {origin.decode('latin-1')!r} is another site; there is no CORS here")

    def check_page(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise ForbiddenError for what a page of another site sends, also one whose name was bound to this address."""
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._known(host_name(host)):
            raise ForbiddenError(
                403, f"Host: {host[:100]!r} is not this server; allowed: localhost, an IP address, --host"
            )
        site = headers.get(b"sec-fetch-site", b"none")
        if site not in {b"none", b"same-origin"}:
            seen = site[:100].decode("latin-1")
            raise ForbiddenError(403, f"Sec-Fetch-Site: {seen!r} is not let in; allowed: same-origin")

    def _known(self, name: str) -> bool:
        if self.token is not None or name in LOCAL_NAMES or name in self.names:
            return True  # who knows the token is no page that was lured here by a name
        try:
            return ipaddress.ip_address(name).is_loopback or self.any_address
        except ValueError:
            return False


def guard_of(listening: socket.socket, host: str, token: str | None) -> Guard:
    """The guard of a listening socket: off loopback it asks for a token.

    Args:
        listening: The socket.
        host: The name it was asked to listen on, which `Host` may have.
        token: The token; None makes one where there must be one.
    """
    return Guard(token or (None if is_loopback(listening) else _new_token()), frozenset({bare_host(host).lower()}))


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine reaches a listening socket."""
    name = listening.getsockname()
    return isinstance(name, str) or ipaddress.ip_address(name[0].partition("%")[0]).is_loopback


def _new_token() -> str:
    import secrets  # late: most mocks listen on loopback and need no token

    return secrets.token_urlsafe(16)


def _announces_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body comes, or is said to be of some kind."""
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers or b"content-type" in headers


def host_name(host: str) -> str:
    """The name in a `Host` header, without its port; IPv6 without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()

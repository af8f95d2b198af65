"""Where the live service is: read from flags and environment, fixed for the whole run."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mockserver.core.errors import OperatorError
from mockserver.core.web_address import https_proxy, web_address

if TYPE_CHECKING:
    from collections.abc import Mapping

HostClass = Literal["loopback", "private", "public", "unknown"]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the live service is.

    Attributes:
        host: Name or address.
        port: TCP port.
        tls: Context for https; None for http.
        base: Path before every request's path, without a slash at its end.
        via: Host and port of the proxy of `HTTPS_PROXY`; None for a direct connection.
        via_header: The proxy's `Proxy-Authorization` line, or empty.
        silence_seconds: How long the upstream may say nothing.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    base: str = ""
    via: tuple[str, int] | None = None
    via_header: bytes = b""
    silence_seconds: float = 120.0

    @property
    def authority(self) -> bytes:
        """The `Host` header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.tls else 80
        ascii_name = name if name.isascii() else name.encode("idna").decode()
        return (ascii_name if self.port == usual else f"{ascii_name}:{self.port}").encode()

    @property
    def host_class(self) -> HostClass:
        """What a recording tells of the host, instead of its name."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return "loopback"
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return "public" if "." in self.host else "private"
        if address.is_loopback:
            return "loopback"
        return "private" if address.is_private else "public"


def upstream_of(url: str, environ: Mapping[str, str], silence_seconds: float, ca_file: str | None = None) -> Upstream:
    """The upstream of `--base-url URL`; raises OperatorError for what is no usable address."""
    try:
        parts = web_address(url)
    except ValueError as error:
        raise OperatorError(f"--base-url {url!r}: {error}; example: https://cloud.infini-ai.com") from None
    if parts.username or parts.password:
        raise OperatorError("--base-url: credentials do not belong into the address; use --api-key-env NAME")
    tls = None
    if parts.scheme == "https":
        try:
            tls = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise OperatorError(f"--ca {ca_file}: {error.strerror or error}") from None
        tls.set_alpn_protocols(["http/1.1"])
    host = parts.hostname or ""
    proxy = https_proxy(host, environ) if tls else None
    via = None if proxy is None else (proxy.host, proxy.port)
    via_header = f"Proxy-Authorization: {proxy.authorization}\r\n".encode() if proxy and proxy.authorization else b""
    port = parts.port or (443 if tls else 80)
    return Upstream(host, port, tls, parts.path.rstrip("/"), via, via_header, silence_seconds)

"""Where the live service is: read from flags and environment, fixed for the whole run."""

from __future__ import annotations

import ipaddress
import ssl
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from mockserver.errors import OperatorError
from mockserver.web_address import web_address

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
    """The upstream of `--upstream URL`; raises OperatorError for what is no usable address."""
    try:
        parts = web_address(url)
    except ValueError as error:
        raise OperatorError(f"--upstream {url!r}: {error}; example: https://cloud.infini-ai.com") from None
    if parts.username or parts.password:
        raise OperatorError("--upstream: credentials do not belong into the address; use --upstream-key-env NAME")
    tls = None
    if parts.scheme == "https":
        try:
            tls = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise OperatorError(f"--upstream-ca {ca_file}: {error.strerror or error}") from None
        tls.set_alpn_protocols(["http/1.1"])
    host = parts.hostname or ""
    via, via_header = _proxy(host, environ) if tls else (None, b"")
    port = parts.port or (443 if tls else 80)
    return Upstream(host, port, tls, parts.path.rstrip("/"), via, via_header, silence_seconds)


def _proxy(host: str, environ: Mapping[str, str]) -> tuple[tuple[str, int] | None, bytes]:
    url = environ.get("https_proxy") or environ.get("HTTPS_PROXY")
    bypass = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not url or _bypassed(host, bypass):
        return None, b""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise OperatorError("HTTPS_PROXY: give http://[user:password@]host[:port]")
    header = b""
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        header = b"Proxy-Authorization: Basic " + b64encode(pair.encode()) + b"\r\n"
    return (parts.hostname, port), header


def _bypassed(host: str, rule: str) -> bool:
    """Whether `NO_PROXY` names the host: `*`, the name itself, or a domain above it."""
    names = [name.strip().lstrip(".").lower() for name in rule.split(",") if name.strip()]
    return "*" in names or any(host.lower() == name or host.lower().endswith(f".{name}") for name in names)

"""Which address of a server a client can connect to, and through which proxy: checked before the first request.

Clients do not agree on the spelling of the proxy's variables: most look at `no_proxy` first, Go's at `NO_PROXY`, and
some know one alone. What is read here is read in both, lower case first; what is set is set in both.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from mockserver.core.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from urllib.parse import SplitResult

SENDABLE: Final = re.compile(r"[!-~]*")
"""What a request line can carry: printable ASCII without a space."""
BYPASS: Final = "no_proxy"


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


def bare_host(host: str) -> str:
    """A host as sockets take it: an IPv6 address without the brackets that it has in a URL."""
    inner = host[1:-1]
    return inner if host.startswith("[") and host.endswith("]") and ":" in inner else host


def in_url(host: str) -> str:
    """A host as a URL takes it: an IPv6 address in brackets, what follows its `%` escaped (RFC 6874)."""
    return f"[{host.replace('%', '%25')}]" if ":" in host else host


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
    url = next(_values("https_proxy", environ), None)
    if url is None or _bypassed(host, next(_values(BYPASS, environ), "")):
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


def past_proxy(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """`NO_PROXY`, in both its spellings, with the host of an http URL added to it.

    Where a proxy is set, clients would ask it for a server on this machine too, and it knows nothing of our loopback.

    Returns:
        Nothing where no proxy is set, or where the host is excepted already, whichever spelling a client reads.
    """
    if not [*_values("http_proxy", environ), *_values("all_proxy", environ)]:
        return {}
    host = urlsplit(url).hostname or ""
    rules = list(_values(BYPASS, environ))
    if rules and all(_bypassed(host, rule) for rule in rules):
        return {}
    joined = ",".join(dict.fromkeys([*_names("".join(rules[:1])), host]))
    return {BYPASS.upper(): joined, BYPASS: joined}


def _values(name: str, environ: Mapping[str, str]) -> Iterator[str]:
    """What a variable of the proxy holds in its two spellings, lower case first; an empty one is not set."""
    return (environ[spelt] for spelt in (name, name.upper()) if environ.get(spelt))


def _bypassed(host: str, rule: str) -> bool:
    """Whether `NO_PROXY` names the host: `*`, the name itself, or a domain above it."""
    names = [name.lstrip(".").lower() for name in _names(rule)]
    return "*" in names or any(host.lower() == name or host.lower().endswith(f".{name}") for name in names)


def _names(rule: str) -> list[str]:
    return [name.strip() for name in rule.split(",") if name.strip()]


def without_password(url: str) -> str:
    """The address of a server as it may be shown: without user and password, and without what follows a `?`."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.partition("?")[0].rpartition("@")[2]

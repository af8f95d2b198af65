"""What `doctor` sees of the network of this machine: ports and who has them, proxies, localhost, clients' variables."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mockserver.cli.doctor_messages import say
from mockserver.core.route import CHAT, Route, parse
from mockserver.core.web_address import past_proxy, web_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mockserver.cli.doctor_messages import Said
    from mockserver.settings.config import Config

PATIENCE_S: Final = 2.0
"""How long anything on this machine may take to answer."""
LONGEST_S: Final = 10.0
"""How long an answer may go on, for it may have no end."""
LARGEST: Final = 64 * 2**20
CLIENT_VARIABLES: Final = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
PROXY_VARIABLES: Final = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Running:
    """A mock that answers.

    Attributes:
        host: What it is reached by.
        port: Its port.
        health: What it says of itself.
    """

    host: str
    port: int
    health: Mapping[str, Any]

    @property
    def url(self) -> str:
        """Its address."""
        return address(self.host, self.port)


def reached_by(host: str) -> str:
    """The address by which clients on this machine reach what listens on a host."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))  # noqa: S104 - read, not bound


def address(host: str, port: int) -> str:
    """The URL of a host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def asked(host: str, port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[str, Any]:
    """What a server on this machine names itself, and the JSON that it gives; None for anything else.

    No proxy is asked.

    Raises:
        OSError: nobody listens there.
    """
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    connection.connect()
    try:
        connection.request(
            "GET", path, headers={"Host": address(host, port).removeprefix("http://"), **(headers or {})}
        )
        response = connection.getresponse()
        server, data, late = response.headers.get("Server", ""), b"", time.monotonic() + LONGEST_S
        while part := response.read1(1 << 16):
            data += part
            if len(data) > LARGEST or time.monotonic() > late:
                return server, None
        return server, _json_of(data)
    except (OSError, http.client.HTTPException):
        return "", None
    finally:
        connection.close()


def _json_of(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def running(config: Config) -> Running | None:
    """The mock that listens where the configuration says, or where its port file does."""
    host = reached_by(config.host)
    for number in filter(None, (config.port, _held(config.port_file))):
        with contextlib.suppress(OSError):
            _, health = asked(host, number, "/_mock/health")
            if isinstance(health, dict) and {"version", "edition"} <= health.keys():
                return Running(host, number, health)
    return None


def port(config: Config, mock: Running | None) -> Said:
    """Whether the port can be had, and else who has it."""
    where = {"host": config.host, "port": config.port}
    if mock is not None:
        seen = {"version": mock.health["version"], "edition": mock.health["edition"]}
        return say("ok", "port", "port-mock", url=mock.url, **seen)
    if config.port == 0:
        return say("ok", "port", "port-any")
    try:
        listens(reached_by(config.host), config.port)
    except OSError:
        pass
    else:
        return say("wrong", "port", "port-taken", **where, by=_holder(reached_by(config.host), config.port))
    error = _unbindable(config.host.strip("[]"), config.port)
    return (
        say("wrong", "port", "port-refused", **where, error=error) if error else say("ok", "port", "port-free", **where)
    )


def listens(host: str, number: int) -> None:
    """Return where somebody listens; raises OSError where nobody does."""
    socket.create_connection((host, number), PATIENCE_S).close()


def _unbindable(host: str, number: int) -> str:
    """Why an address cannot be listened on; empty where it can."""
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            if sys.platform != "win32":
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(name)
    except (OSError, UnicodeError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""


def _holder(host: str, number: int) -> str:
    """Who listens on a port, as well as this system tells."""
    name = _holder_by_proc(number) if sys.platform == "linux" else _holder_by_lsof(number)
    with contextlib.suppress(OSError):
        server, _ = asked(host, number, "/")
        if server:
            return say("note", "", "by-http", by=name, server=server).text
    return name


def _holder_by_proc(number: int) -> str:
    """The process whose socket listens on the port (proc(5): net/tcp, and the links of fd)."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text("ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == number:
                    inodes.add(f"socket:[{columns[9]}]")
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(link.readlink()) in inodes:
                words = (link.parents[1] / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                return f"process {link.parents[1].name} ({' '.join(words).strip()[:80]})"
    return say("note", "", "by-unknown").text


def _holder_by_lsof(number: int) -> str:
    """The process, as lsof tells it, where that is."""
    program = shutil.which("lsof")
    if program:
        words = [program, "-nP", f"-iTCP:{number}", "-sTCP:LISTEN", "-Fpc"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(words, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603 - our words
            told = {line[0]: line[1:] for line in done.stdout.splitlines() if line}
            if "p" in told:
                return f"process {told['p']} ({told.get('c', '')})"
    return say("note", "", "by-unknown").text


def _held(path: Path | None) -> int | None:
    """The port that a port file holds; None where it holds none."""
    try:
        number = int(path.read_text("ascii")[:16]) if path is not None else 0
    except (OSError, ValueError):
        return None
    return number if 0 < number < 65536 else None


def port_file(config: Config) -> Iterator[Said]:
    """Whether a port file names a port where nobody is any more."""
    path = config.port_file
    if path is None or not path.is_file():
        return
    number = _held(path)
    if number is None:
        with contextlib.suppress(OSError):
            yield say("wrong", "port file", "port-file-wrong", path=path, held=path.read_bytes()[:40])
        return
    try:
        listens(reached_by(config.host), number)
    except OSError:
        yield say("wrong", "port file", "port-file-stale", path=path, port=number)
    else:
        yield say("ok", "port file", "port-file-live", path=path, port=number)


def proxies(config: Config, environ: Mapping[str, str]) -> Iterator[Said]:
    """Whether clients would ask a proxy for this machine."""
    host = reached_by(config.host)
    needed = past_proxy(environ, address(host, config.port))
    if not needed:
        yield say("ok", "proxy", "proxy-none", host=host)
        return
    names = " and ".join(name for name in PROXY_VARIABLES if environ.get(name))
    yield say("wrong", "proxy", "proxy", variables=names, host=host, rules=needed["no_proxy"])


def localhost(config: Config) -> Iterator[Said]:
    """Where the name localhost leads: the mock listens on an address, and clients may try another one first."""
    host = reached_by(config.host)
    if host not in HERE - {"localhost"}:
        return
    try:
        found = socket.getaddrinfo("localhost", config.port, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    shown = ", ".join(addresses) or "–"
    if host not in addresses:
        yield say("wrong", "localhost", "localhost-none", addresses=shown, host=host)
        return
    if host == "127.0.0.1" and "::1" in addresses and config.port:
        with contextlib.suppress(OSError):
            listens("::1", config.port)
            yield say("wrong", "localhost", "localhost-other", host=host, port=config.port)
            return
    if addresses[0] != host:
        yield say("note", "localhost", "localhost-ipv6", first=addresses[0], host=host)
        return
    yield say("ok", "localhost", "localhost", addresses=shown)


def clients(config: Config, environ: Mapping[str, str], route: Route) -> Iterator[Said]:
    """Whether the variables of OpenAI's clients lead to the mock.

    Args:
        config: Where it listens.
        environ: The environment.
        route: A model and chip to suggest.
    """
    given = {name: environ[name] for name in CLIENT_VARIABLES if environ.get(name)}
    if not given:
        yield say("ok", "clients", "clients-none")
        return
    host = reached_by(config.host)
    suggestion = address(host, config.port) + route.base
    good = []
    for name, url in given.items():
        shown = _without_password(url)
        try:
            parts = web_address(url)
            number = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            yield say("wrong", "clients", "client-wrong", name=name, url=shown, suggestion=suggestion)
            continue
        if not (parts.hostname == host or {parts.hostname, host} <= HERE) or number != config.port:
            yield say("note", "clients", "client-elsewhere", name=name, url=shown, host=host, port=config.port)
        elif parse(parts.path.rstrip("/") + CHAT) is None:
            yield say("wrong", "clients", "client-path", name=name, url=shown, chat=CHAT, suggestion=suggestion)
        elif not _answers(parts.hostname or host, number):
            yield say("note", "clients", "client-dead", name=name, url=shown)
        else:
            good.append(name)
        if not environ.get("OPENAI_API_KEY"):
            yield say("note", "clients", "client-key", name=name)
    if good:
        yield say("ok", "clients", "clients", names=" and ".join(good), url=_without_password(given[good[0]]))


def _answers(host: str, number: int) -> bool:
    try:
        listens(host, number)
    except OSError:
        return False
    return True


def _without_password(url: str) -> str:
    """A URL that may be shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url[:200]
    return url.replace(f"{parts.netloc.rpartition('@')[0]}@", "***@")[:200] if "@" in parts.netloc else url[:200]

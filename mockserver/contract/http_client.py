"""The runner's own HTTP/1.1 client: it keeps when each piece of a body came, and how the body ended.

Built on the standard library's `http.client`. One connection a request; redirects are not followed; https goes through
the proxy of `HTTPS_PROXY`, unless `NO_PROXY` names the host. The API key never leaves this file but on the wire:
exchanges hold a placeholder, and the key's bytes are cut out of what comes back.
"""

from __future__ import annotations

import http.client
import io
import os
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from mockserver.contract.incoming import Incoming
from mockserver.core.errors import OperatorError, printable
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.route import CHAT, PATH_TEMPLATE, filled
from mockserver.core.web_address import SENDABLE, https_proxy, web_address

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

PLACEHOLDER: Final = "$API_KEY"
HEADER_PLACEHOLDER: Final = "$HEADER"
DEFAULT_TIMEOUT_S: Final = 30.0
READ_BYTES: Final = 64 * 1024
MOST_AROUND: Final = 2**20
"""Bytes of a response beside its body: heads, answers 1xx before it, lengths of chunks, trailers."""
MOST_INTERIM: Final = 100
"""Answers 1xx before the final one."""


class UnreachableError(Exception):
    """There is no one to hold a contract against; the text says who and why, and what to do, in one line."""

    __module__ = "mockserver"


def key_of(variable: str | None, environ: Mapping[str, str]) -> str:
    """The API key from the environment; a made-up one where no variable is named. It is never shown."""
    if variable is None:
        return "sk-test"
    key = environ.get(variable, "").strip()
    if not key:
        raise OperatorError(f"--api-key-env {variable}: the variable is not set; export {variable}=<key>")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise OperatorError(
            f"--api-key-env {variable}: its value is no API key; allowed: printable ASCII without spaces"
        )
    return key


def template_of(base_url: str) -> str:
    """The path to ask below a base URL where nobody gives one.

    It is the service's, but for a base URL as OpenAI clients take it, which ends in `/v1`: that of OpenAI.
    """
    return CHAT if base_url.rstrip("/").endswith("/v1") else PATH_TEMPLATE


class Transport(Protocol):
    """What sends a request and tells what came of it."""

    def __call__(self, request: Request) -> Exchange:
        """The finished exchange; raises UnreachableError where there is no one to talk to."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a target listens.

    Attributes:
        base_url: `http://host:port`, with a path before the template's where the target has one.
        path_template: With `{model}` and `{chip}`; other OpenAI-compatible servers want `/v1/chat/completions`.
        ca_file: Trusts the certificates of this file instead of the system's.
        timeout_s: Seconds for the connection, and for the silence between two reads.
        headers: Further request headers, for gateways that want more. As the key, they are put on the wire alone, and
            values of eight characters or more are cut out of what comes back.
    """

    base_url: str
    path_template: str = PATH_TEMPLATE
    ca_file: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        try:
            parts = web_address(self.base_url)
        except ValueError:
            raise OperatorError(
                f"--base-url: {self.base_url!r} is no address; allowed: http://host:port or https://host"
            ) from None
        if parts.username or parts.password:
            raise OperatorError("--base-url: credentials do not belong into the address; use --api-key-env NAME")
        if not self.path_template.startswith("/"):
            raise OperatorError(f"--path-template: {self.path_template!r} does not begin with a slash")
        fixed = self.path_template.replace("{model}", "").replace("{chip}", "")
        if not SENDABLE.fullmatch(fixed) or "{" in fixed or "}" in fixed:
            raise OperatorError(
                f"--path-template: {self.path_template!r} is no path; allowed: ASCII, {{model}} and {{chip}}"
            )

    @property
    def names_model(self) -> bool:
        """Whether the path says which model is asked."""
        return "{model}" in self.path_template

    @property
    def names_chip(self) -> bool:
        """Whether the path says which chip is asked."""
        return "{chip}" in self.path_template

    def path(self, model: str, chip: str) -> str:
        """The path of one endpoint."""
        return urlsplit(self.base_url).path.rstrip("/") + filled(self.path_template, model, chip)


class HttpTransport:
    """Sends requests to one address.

    Args:
        address: Where to.
        key: The API key; put in place of the placeholder, and never kept.
        clock: Seconds on a clock that does not go back.
        longest_s: For a whole answer, its head too, however it drips; one that goes on is noted as hanging.
        most_bytes: Of a body; what goes on is noted as hanging.
    """

    def __init__(
        self,
        address: Address,
        key: str,
        clock: Callable[[], float],
        *,
        longest_s: float = 60.0,
        most_bytes: int = 2**20,
    ) -> None:
        self._address = address
        self._parts = urlsplit(address.base_url)
        self._tls = _tls(address.ca_file) if self._parts.scheme == "https" else None
        self._key = key
        secrets = [(key, PLACEHOLDER), *((value, HEADER_PLACEHOLDER) for _, value in address.headers)]
        self._secrets = [(one.encode("latin-1", "replace"), shown.encode()) for one, shown in secrets if len(one) >= 8]
        self._clock = clock
        self._longest = longest_s
        self._most = most_bytes

    def __call__(self, request: Request) -> Exchange:
        """Send a request and read what comes."""
        connection = self._connect()
        started = self._clock()
        connection.response_class = self._bounded(started + self._longest)  # type: ignore[assignment]
        try:
            try:
                self._send(connection, request)
                response = connection.getresponse()
            except http.client.BadStatusLine as error:
                if isinstance(error, http.client.RemoteDisconnected):
                    return Exchange(request, duration_ms=self._since(started), ending=_ending_of(error))
                said = self._clean(str(error.args[0]).encode("latin-1", "replace")).decode("latin-1")
                raise UnreachableError(
                    f"{self._address.base_url} does not speak HTTP: it says {said[:60]!r}; is --base-url right?"
                ) from None
            except http.client.HTTPException as error:  # a head that is too long, or of another version
                why = printable(str(error)[:60]) or type(error).__name__
                raise UnreachableError(
                    f"{self._address.base_url} does not speak HTTP/1.1 that can be read: {why}; is --base-url right?"
                ) from None
            except OSError as error:
                ending = _ending_of(error)
                return Exchange(request, duration_ms=self._since(started), ending=ending)
            frames, times, ending = self._read(response, started)
            if self._clean(b"".join(frames)) != b"".join(map(self._clean, frames)):  # the key lies across two pieces
                frames, times = [b"".join(frames)], times[-1:]
            headers = tuple((n.encode("latin-1"), self._clean(v.encode("latin-1"))) for n, v in response.getheaders())
            headers = _same_length(headers, sum(map(len, frames)), sum(len(self._clean(one)) for one in frames))
            plan = Plan(response.status, headers, [self._clean(one) for one in frames], times, ending)
            took = self._since(started)
            return Exchange(request, plan, frames_sent=len(frames), duration_ms=took, ending=ending)
        finally:
            connection.close()

    def _bounded(self, until: float) -> Callable[..., http.client.HTTPResponse]:
        """What makes responses that end in time, and are no longer than one may be."""

        def made(sock: socket.socket, *args: Any, **words: Any) -> http.client.HTTPResponse:
            response = _FinalResponse(sock, *args, **words)
            raw = Incoming(
                sock, response.fp, self._address.timeout_s, lambda: until - self._clock(), self._most + MOST_AROUND
            )
            response.fp = io.BufferedReader(raw)
            return response

        return made

    def _connect(self) -> http.client.HTTPConnection:
        host, port, timeout = self._parts.hostname or "", self._parts.port, self._address.timeout_s
        made: http.client.HTTPConnection
        if self._tls is None:
            made = http.client.HTTPConnection(host, port, timeout=timeout)
        elif via := https_proxy(host, os.environ):
            made = http.client.HTTPSConnection(via.host, via.port, timeout=timeout, context=self._tls)
            made.set_tunnel(host, port, {"Proxy-Authorization": via.authorization} if via.authorization else {})
        else:
            made = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        try:
            made.connect()
        except (OSError, http.client.HTTPException) as error:
            made.close()
            raise UnreachableError(f"{self._address.base_url} cannot be reached: {_reason(error)}") from None
        return made

    def _send(self, connection: http.client.HTTPConnection, request: Request) -> None:
        own_host = b"host" in request.headers
        connection.putrequest(request.method, request.path, skip_host=own_host, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value.replace(PLACEHOLDER.encode(), self._key.encode("latin-1", "replace")))
        for further, text in self._address.headers:
            connection.putheader(further, text)
        connection.putheader("content-length", str(len(request.body)))
        try:
            connection.endheaders(request.body)
        except (BrokenPipeError, ConnectionResetError):
            if len(request.body) <= READ_BYTES:
                raise
            # who refuses a large body need not read it; the refusal may be there

    def _read(self, response: http.client.HTTPResponse, started: float) -> tuple[list[bytes], list[float], Ending]:
        frames: list[bytes] = []
        times: list[float] = []
        size = 0
        while True:
            try:
                data = response.read1(READ_BYTES)
            except (OSError, http.client.HTTPException) as error:
                return frames, times, _ending_of(error)
            if not data:
                return frames, times, Ending.CUT if response.length else Ending.COMPLETE
            frames.append(data)
            times.append(self._since(started))
            size += len(data)
            if size > self._most or times[-1] > self._longest * 1000:
                return frames, times, Ending.HANG

    def _since(self, started: float) -> float:
        return (self._clock() - started) * 1000

    def _clean(self, data: bytes) -> bytes:
        for secret, shown in self._secrets:
            data = data.replace(secret, shown)
        return data


class _FinalResponse(http.client.HTTPResponse):
    """The final response: the library passes over 100 Continue alone, and would take 103 Early Hints for it."""

    def begin(self) -> None:
        """Read the head behind all answers 1xx; 101 is final, for what follows is no HTTP."""
        for _ in range(MOST_INTERIM + 1):
            self.headers = None  # type: ignore[assignment] # by which `begin` knows that nothing was read yet
            super().begin()
            if self.status >= 200 or self.status == http.client.SWITCHING_PROTOCOLS:
                return
        raise http.client.HTTPException(f"more than {MOST_INTERIM} answers 1xx before the final one")


def _same_length(headers: tuple[tuple[bytes, bytes], ...], came: int, kept: int) -> tuple[tuple[bytes, bytes], ...]:
    """The headers with a right content-length right still, where an echoed key was cut out of the body."""
    was, now = b"%d" % came, b"%d" % kept
    return tuple((n, now if n.lower() == b"content-length" and v == was else v) for n, v in headers)


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise OperatorError(f"--ca {ca_file}: no certificates can be read: {error.strerror or error}") from None


def _reason(error: Exception) -> str:
    """Why there is no connection, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); --ca FILE trusts the certificates of a file"
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS as it should ({error.reason or error}); is https right?"
    if isinstance(error, TimeoutError):
        return "it does not take the connection in time; is --base-url right?"
    return (
        f"{getattr(error, 'strerror', None) or error or type(error).__name__}; is it running, and is --base-url right?"
    )


def _ending_of(error: Exception) -> Ending:
    if isinstance(error, TimeoutError):
        return Ending.HANG
    return Ending.RESET if isinstance(error, ConnectionResetError) else Ending.CUT

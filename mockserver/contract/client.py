"""The runner's own HTTP/1.1 client: it keeps when each piece of a body came, and how the body ended.

Built on the standard library's `http.client`. One connection a request, no redirects, no proxy. The API key never
leaves this file but on the wire: exchanges hold a placeholder, and the key's bytes are cut out of what comes back.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote, urlsplit

from mockserver.errors import OperatorError
from mockserver.exchange import Ending, Exchange, Plan, Request

if TYPE_CHECKING:
    from collections.abc import Callable

PLACEHOLDER: Final = "$API_KEY"
DEFAULT_PATH: Final = "/maas/{model}/{chip}/chat/completions"
READ_BYTES: Final = 64 * 1024


class UnreachableError(Exception):
    """The target took no connection; the text says which and why, in one line."""


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
    """

    base_url: str
    path_template: str = DEFAULT_PATH

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        try:
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise OperatorError(
                f"--base-url: {self.base_url!r} is no address; allowed: http://host:port or https://host"
            )
        if not self.path_template.startswith("/"):
            raise OperatorError(f"--path-template: {self.path_template!r} does not begin with a slash")

    def path(self, model: str, chip: str) -> str:
        """The path of one endpoint."""
        named = self.path_template.replace("{model}", quote(model, safe="")).replace("{chip}", quote(chip, safe=""))
        return urlsplit(self.base_url).path.rstrip("/") + named


class HttpTransport:
    """Sends requests to one address.

    Args:
        address: Where to.
        key: The API key; put in place of the placeholder, and never kept.
        clock: Seconds on a clock that does not go back.
        timeout_s: For the connection, and between two reads.
        longest_s: For a whole answer; a stream that goes on is noted as hanging.
        most_bytes: Of a body; what goes on is noted as hanging.
    """

    def __init__(
        self,
        address: Address,
        key: str,
        clock: Callable[[], float],
        *,
        timeout_s: float = 30.0,
        longest_s: float = 60.0,
        most_bytes: int = 4 * 2**20,
    ) -> None:
        self._parts = urlsplit(address.base_url)
        self._key = key
        self._clock = clock
        self._timeout = timeout_s
        self._longest = longest_s
        self._most = most_bytes

    def __call__(self, request: Request) -> Exchange:
        """Send a request and read what comes."""
        connection = self._connect()
        started = self._clock()
        try:
            try:
                self._send(connection, request)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                ending = _ending_of(error)
                return Exchange(request, duration_ms=self._since(started), ending=ending)
            frames, times, ending = self._read(response, started)
            if self._clean(b"".join(frames)) != b"".join(map(self._clean, frames)):  # the key lies across two pieces
                frames, times = [b"".join(frames)], times[-1:]
            headers = tuple((n.encode("latin-1"), self._clean(v.encode("latin-1"))) for n, v in response.getheaders())
            plan = Plan(response.status, headers, [self._clean(one) for one in frames], times, ending)
            took = self._since(started)
            return Exchange(request, plan, frames_sent=len(frames), duration_ms=took, ending=ending)
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        made: http.client.HTTPConnection
        if self._parts.scheme == "https":
            made = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=ssl.create_default_context())
        else:
            made = http.client.HTTPConnection(host, port, timeout=self._timeout)
        try:
            made.connect()
        except OSError as error:
            made.close()
            reason = error.strerror or str(error) or type(error).__name__
            raise UnreachableError(f"{self._parts.scheme}://{self._parts.netloc} cannot be reached: {reason}") from None
        return made

    def _send(self, connection: http.client.HTTPConnection, request: Request) -> None:
        own_host = b"host" in request.headers
        connection.putrequest(request.method, request.path, skip_host=own_host, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value.replace(PLACEHOLDER.encode(), self._key.encode("latin-1", "replace")))
        connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body)

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
        key = self._key.encode("latin-1", "replace")
        return data.replace(key, PLACEHOLDER.encode()) if len(key) >= 8 else data


def _ending_of(error: Exception) -> Ending:
    if isinstance(error, TimeoutError):
        return Ending.HANG
    return Ending.RESET if isinstance(error, ConnectionResetError) else Ending.CUT

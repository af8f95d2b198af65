"""The control API of a mock that runs somewhere, over HTTP. Only the standard library is imported."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mockserver import __version__
from mockserver.core.errors import suggestion
from mockserver.core.route import Route
from mockserver.core.web_address import web_address

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

CONTROL: Final = "/_mock"
CALL_TIMEOUT_S: Final = 10.0


class MockError(Exception):
    """The mock cannot be reached, or refuses what it was asked; the text names the place and what is allowed.

    Attributes:
        reason: What the mock itself said, without the place; empty where it said nothing.
    """

    __module__ = "mockserver"

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ServedEdition:
    """What a mock imitates.

    Attributes:
        name: The state of the documents.
        chips: Its chips.
        models: Its models.
        distinct_chips: The first chip of each wire form; empty where the mock is of a version that does not tell.
    """

    name: str
    chips: tuple[str, ...]
    models: tuple[str, ...]
    distinct_chips: tuple[str, ...] = ()


class ControlClient:
    """Asks the control API of a mock that runs somewhere.

    Args:
        url: The mock's address, say `http://127.0.0.1:8777`.
        token: What its control API asks for off loopback.
        ca: Certificates (PEM) to trust beside the system's, for https.

    Raises:
        MockError: that is no address, or the certificates cannot be read.
    """

    _edition: ServedEdition | None = None
    _fault_types: dict[str, dict[str, str]] | None = None

    def __init__(self, url: str, token: str | None = None, ca: Path | None = None) -> None:
        try:
            parts = web_address(url)
        except ValueError:
            raise MockError(f"{url!r} is not the address of a mock; allowed: http(s)://HOST:PORT") from None
        self._url = f"{parts.scheme}://{parts.netloc}"
        self._tls = _trusted(ca) if parts.scheme == "https" else None
        self._edition = None
        self._token = token
        self._address = (parts.hostname or "", parts.port or (443 if self._tls else 80))

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return self._url

    @property
    def edition(self) -> ServedEdition:
        """What the mock imitates.

        Raises:
            MockError: it cannot be reached, is no mock, or is of a version with another control API.
        """
        if self._edition is None:
            health = self.call("GET", "/health")
            try:
                version = str(health["version"])
                chips, distinct = tuple(health["chips"]), tuple(health.get("distinct_chips", ()))
                served = ServedEdition(health["edition"], chips, tuple(health["models"]), distinct)
            except (KeyError, TypeError):
                raise MockError(f"{self._url}: no health of a mock, but {health!r:.80}; is this a mock?") from None
            if _api_of(version) != _api_of(__version__):
                raise MockError(
                    f"{self._url}: genstudio-mock {version} runs there and {__version__} is installed here, whose "
                    f"control APIs differ; install {'.'.join(_api_of(version))} here, or start "
                    f"{'.'.join(_api_of(__version__))} there"
                )
            self._edition = served
        return self._edition

    @property
    def fault_types(self) -> dict[str, dict[str, str]]:
        """The faults that the mock knows, each with the JSON type of each of its settings."""
        if self._fault_types is None:
            rows = self.call("GET", "/fault-types")
            self._fault_types = {name: row["types"] for name, row in rows.items()}
        return self._fault_types

    def base_url(self, model: str | None = None, chip: str | None = None) -> str:
        """What an OpenAI client takes as its base URL.

        Args:
            model: A model of the edition; None takes its first one.
            chip: A chip of the edition; None takes its first one.

        Raises:
            MockError: the edition does not have it, or the mock cannot be reached.
        """
        edition = self.edition
        chosen = []
        for what, name, known in (("model", model, edition.models), ("chip", chip, edition.chips)):
            if name is not None and name not in known:
                raise MockError(f"{what} {name!r} is not in edition {edition.name}; {suggestion(name, known)}")
            chosen.append(name or known[0])
        return self.url + Route(*chosen).base

    def call(
        self, method: str, path: str, body: object = None, *, key: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> Any:
        """One operation of the control API: the JSON that came back; else as `text`."""
        return json.loads(self.text(method, path, body, key=key, timeout_s=timeout_s))

    def text(
        self, method: str, path: str, body: object = None, *, key: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> str:
        """One operation of the control API.

        Args:
            method: HTTP method.
            path: Below `/_mock`, with its query.
            body: What is sent as JSON; None sends none.
            key: The API key whose namespace is meant.
            timeout_s: How long to wait for an answer.

        Returns:
            The text of the JSON that came back.

        Raises:
            MockError: the mock cannot be reached or refuses.
        """
        headers = {"Host": self.url.partition("://")[2]}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if self._token is not None:
            headers["X-Mock-Token"] = self._token
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = (
            http.client.HTTPConnection(*self._address, timeout=timeout_s)
            if self._tls is None
            else http.client.HTTPSConnection(*self._address, timeout=timeout_s, context=self._tls)
        )
        try:
            connection.request(method, CONTROL + path, data, headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or error or type(error).__name__
            raise MockError(f"{self._url}: no mock answers there: {reason}; genstudio-mock serve starts one") from None
        finally:
            connection.close()
        try:
            text = data.decode()
            value = json.loads(text)
        except ValueError:
            raise MockError(f"{self._url}: {response.status} without JSON; is this a mock?") from None
        if response.status >= 400:
            reason = value.get("error", value) if isinstance(value, dict) else value
            raise MockError(f"{method} {CONTROL}{path}: {response.status}: {reason}", str(reason))
        return text


def _trusted(ca: Path | None) -> ssl.SSLContext:
    """What the system trusts, and these certificates."""
    import ssl

    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:
            raise MockError(f"{ca}: cannot be read as certificates (PEM): {error}") from None
    return context


def _api_of(version: str) -> list[str]:
    """The part of a version with which the control API stays the same: the first number, up to 0.x the first two."""
    numbers = version.split(".")
    return numbers[:2] if numbers[0] == "0" else numbers[:1]

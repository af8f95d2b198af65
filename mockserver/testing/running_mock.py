"""A mock that runs somewhere, and its control API over plain HTTP. Only the standard library is imported."""

from __future__ import annotations

import http.client
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mockserver.core.errors import suggestion
from mockserver.core.route import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.testing.session import Session

CONTROL: Final = "/_mock"
CALL_TIMEOUT_S: Final = 10.0
PROXIES: Final = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


class MockError(Exception):
    """The mock cannot be reached, or refuses what it was asked; the text names the place and what is allowed."""


@dataclass(frozen=True, slots=True)
class Edition:
    """What a mock imitates.

    Attributes:
        name: The state of the documents.
        chips: Its chips.
        models: Its models.
    """

    name: str
    chips: tuple[str, ...]
    models: tuple[str, ...]


class RunningMock:
    """A mock that runs somewhere.

    Args:
        url: Its address, say `http://127.0.0.1:8777`.
        token: What its control API asks for off loopback.
    """

    _edition: Edition | None = None

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise MockError(f"{url!r} is not the address of a mock; allowed: http://HOST:PORT")
        self._url = f"http://{parts.netloc}"
        self._edition = None
        self._token = token
        self._address = (parts.hostname, parts.port or 80)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return self._url

    @property
    def edition(self) -> Edition:
        """What it imitates."""
        if self._edition is None:
            health = self.call("GET", "/health")
            self._edition = Edition(health["edition"], tuple(health["chips"]), tuple(health["models"]))
        return self._edition

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

    def session(self, api_key: str | None = None) -> Session:
        """A namespace of its own, empty; None makes a random key.

        Raises:
            MockError: the mock cannot be reached.
        """
        from mockserver.testing.session import Session

        made = Session(self, api_key or f"test-{secrets.token_hex(12)}")
        made.reset()
        return made

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
        headers = {"Host": self.url.removeprefix("http://")}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if self._token is not None:
            headers["X-Mock-Token"] = self._token
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection(*self._address, timeout=timeout_s)
        try:
            connection.request(method, CONTROL + path, data, headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise MockError(f"{self._url}: no mock answers there: {error or type(error).__name__}") from None
        finally:
            connection.close()
        try:
            text = data.decode()
            value = json.loads(text)
        except ValueError:
            raise MockError(f"{self._url}: {response.status} without JSON; is this a mock?") from None
        if response.status >= 400:
            reason = value.get("error", value) if isinstance(value, dict) else value
            raise MockError(f"{method} {CONTROL}{path}: {response.status}: {reason}")
        return text


def past_proxy(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """`NO_PROXY`, in both its spellings, with the host of a URL added to it.

    Where a proxy is set, clients would ask it for the mock too, and it knows nothing of this machine's loopback.

    Returns:
        Nothing where no proxy is set, or where the host is named already.
    """
    if not any(environ.get(name) for name in PROXIES):
        return {}
    host = urlsplit(url).hostname or ""
    names = [name.strip() for name in (environ.get("no_proxy") or environ.get("NO_PROXY", "")).split(",")]
    if host in names or "*" in names:
        return {}
    joined = ",".join([*filter(None, names), host])
    return {"NO_PROXY": joined, "no_proxy": joined}

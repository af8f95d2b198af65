"""A mock that runs somewhere, as a test holds it. Only the standard library is imported."""

from __future__ import annotations

import secrets

from mockserver.testing.control_client import ControlClient
from mockserver.testing.session import Session


class RunningMock(ControlClient):
    """A mock that runs somewhere: in this process, in another one, in a container.

    Args:
        url: Its address, say `http://127.0.0.1:8777`.
        token: What its control API asks for off loopback.
        ca: Certificates (PEM) to trust beside the system's, for https.

    Raises:
        MockError: that is no address, or the certificates cannot be read.
    """

    def session(self, api_key: str | None = None) -> Session:
        """A namespace of its own, empty; None makes a random key.

        Raises:
            MockError: the mock cannot be reached, asks for a token, or is of a version with another control API.
        """
        _ = self.edition  # it answers, and in words that are understood here
        made = Session(self, api_key or f"test-{secrets.token_hex(12)}")
        made.reset()
        return made

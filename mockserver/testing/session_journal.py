"""What happened in a namespace of a running mock, and whether the client took it well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack
from urllib.parse import urlencode

from mockserver.files.atomic import draft
from mockserver.testing.control_client import CALL_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.testing.client_verdict import ClientVerdict
    from mockserver.testing.control_client import ControlClient
    from mockserver.testing.seen_exchange import SeenExchange
    from mockserver.testing.session_arguments import ExchangeQuery

WAIT_TIMEOUT_S: Final = 10.0
LONGEST_WAIT_MS: Final = 5_000
"""How long the control API lets one request wait; a longer wait is several requests."""


class SessionJournal:
    """What happened in one namespace of a mock: looked at, waited for, kept and judged.

    Args:
        mock: The mock.
        api_key: The key that names the namespace.
    """

    def __init__(self, mock: ControlClient, api_key: str) -> None:
        self.mock = mock
        self.api_key = api_key

    def call(self, method: str, path: str, body: object = None, *, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """One operation of the control API on this namespace; see `ControlClient.call`."""
        return self.mock.call(method, path, body, key=self.api_key, timeout_s=timeout_s)

    def exchanges(self, **query: Unpack[ExchangeQuery]) -> list[SeenExchange]:
        """What happened, oldest first, then what is in flight.

        Args:
            query: Only exchanges with this model, chip, status, stream, text in the request's body, after a number, or
                in flight.
        """
        return self._exchanges(query, CALL_TIMEOUT_S)

    def wait_for(
        self, count: int, timeout_s: float = WAIT_TIMEOUT_S, **query: Unpack[ExchangeQuery]
    ) -> list[SeenExchange]:
        """The exchanges, as soon as so many have ended; with `in_flight=True`, as soon as so many are answered.

        Nobody sleeps meanwhile. What is in flight is given too, behind what has ended, unless the query says otherwise.

        Raises:
            TimeoutError: there are still fewer when the time is over.
        """
        left_ms = round(timeout_s * 1000)
        while True:
            wait_ms = min(left_ms, LONGEST_WAIT_MS)
            found = self._exchanges({**query, "count": count, "timeout_ms": wait_ms}, CALL_TIMEOUT_S)
            if query.get("in_flight"):
                counted = [one for one in found if one.source or one.faults]  # it is known what answers
            else:
                counted = [one for one in found if not one.in_flight]
            if len(counted) >= count:
                return found
            left_ms -= wait_ms
            if left_ms <= 0:
                seen = "; ".join(map(str, found)) or "none"
                raise TimeoutError(f"waited {timeout_s:g} s for {count} exchanges and saw {len(counted)}: {seen}")

    def _exchanges(self, query: Mapping[str, Any], timeout_s: float) -> list[SeenExchange]:
        from mockserver.testing.seen_exchange import seen_exchange

        words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        found = self.call("GET", f"/exchanges?{urlencode({**words, 'frames': 'true'})}", timeout_s=timeout_s)
        return [seen_exchange(one) for one in found]

    def save(self, path: str | Path, number: int | None = None) -> None:
        """Write an exchange as a fixture file, for `serve --fixtures` to answer with; never with the API key.

        Args:
            path: The file; what stood there is replaced.
            number: The exchange's number; None takes the last one.

        Raises:
            MockError: there is no such exchange, or it cannot be replayed; the text says why.
            AssertionError: no request came.
            OSError: the file cannot be written.
        """
        chosen = self.last.number if number is None else number
        text = self.mock.text("GET", f"/exchanges/{chosen}/fixture", key=self.api_key)
        path = Path(path)
        with draft(path.parent, text) as whole:
            whole.replace(path)

    @property
    def last(self) -> SeenExchange:
        """The latest exchange; raises NothingAskedError, an AssertionError, where there is none."""
        from mockserver.testing.client_saw import NO_REQUEST, NothingAskedError
        from mockserver.testing.language import advised

        found = self.exchanges()
        if not found:
            raise NothingAskedError(advised(NO_REQUEST))
        return found[-1]

    def verdict(self) -> ClientVerdict:
        """What the exchanges say of the client."""
        from mockserver.testing.client_verdict import verdict_of

        return verdict_of(self.call("GET", "/verdict"))

    def assert_resilient(self) -> None:
        """Fail where the client took an error badly; the message says how, and what to do about it.

        Raises:
            AssertionError: a finding is bad, or no request came at all.
        """
        from mockserver.testing.client_verdict import told

        __tracebackhide__ = True
        _ = self.last
        verdict = self.verdict()
        bad = [told(one) for one in verdict.findings if one.mark == "bad"]
        if bad:
            raise AssertionError("the client is not resilient:\n" + "\n".join(bad))

    def assert_client_saw(self, text: str | None, *, exchanges: int = 1) -> None:
        """Fail where the application shows another text than went over the wire.

        Args:
            text: What the application shows; white space around it does not count.
            exchanges: How many of the last exchanges it shows, joined.

        Raises:
            SilentEmptyError: the wire carried content, and the text is empty.
            WrongTextError: the text is another one.
            NothingAskedError: no request came.
        """
        from mockserver.testing.client_saw import compare

        __tracebackhide__ = True
        compare(text, self.exchanges()[-exchanges:])

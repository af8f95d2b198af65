"""A test's handle on a running mock: arm a fault, script an answer, see what happened.

Everything goes through the control API over plain HTTP, so the mock may run in a thread, in another process or in a
container. Only the standard library is imported until a fault or a fixture file is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypedDict, Unpack
from urllib.parse import urlencode

from mockserver.running import CALL_TIMEOUT_S, MockError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.pipeline.fault import Fault
    from mockserver.running import RunningMock
    from mockserver.seen import Seen, Verdict

WAIT_TIMEOUT_S: Final = 10.0
LONGEST_WAIT_MS: Final = 5_000
"""How long the control API lets one request wait; a longer wait is several requests."""


class Match(TypedDict, total=False):
    """Which requests are meant; a key that is absent does not matter."""

    model: str
    """The model that answers."""
    chip: str
    """The chip of the path."""
    stream: bool
    """Whether a stream is asked for."""
    contains: str
    """What the last user message holds."""


class Said(Match, total=False):
    """What is said, in the form of a fixture's `answer`, and to which requests."""

    pieces: Sequence[str]
    """The content where its cuts matter: one chunk each in a stream."""
    reasoning: str
    """What the model thinks first."""
    tool_calls: Sequence[Mapping[str, Any]]
    """Functions that are called: `{"name": …, "arguments": {…}}`."""
    error: str | Mapping[str, Any]
    """An error instead: a kind like `rate-limited`, or `{"status": …, "code": …, "message": …}`."""
    blocked: bool
    """Whether the text review stops the answer after what is said."""
    delay_ms: float
    """Milliseconds before the answer begins."""
    finish_reason: str
    """Why it ends: stop, length or tool_calls."""
    usage: Mapping[str, int]
    """prompt_tokens and completion_tokens."""


class Which(TypedDict, total=False):
    """Which exchanges are meant; a key that is absent does not matter."""

    model: str
    """The model of the request."""
    chip: str
    """The chip of the request."""
    status: int
    """The HTTP status of the answer."""
    stream: bool
    """Whether a stream was asked for."""
    text: str
    """What the request's body holds."""
    after: int
    """Only exchanges with a higher number."""
    in_flight: bool
    """Only those in flight, or only those that have ended."""


class SupportsSetenv(Protocol):
    """What sets variables, as pytest's monkeypatch does."""

    def setenv(self, name: str, value: str) -> None:
        """Set a variable."""


class Clock:
    """The clock of one namespace, on which quotas run."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds on it."""
        elapsed: float = self._session.call("GET", "/clock")["elapsed_ms"]
        return elapsed

    def advance(self, ms: float) -> None:
        """Move it on; nobody waits, and no other namespace notices."""
        self._session.call("POST", "/clock", {"advance_ms": ms})


class Session:
    """One namespace of a running mock: what a test has set up and what it has seen, apart from all other tests.

    A context manager that gives the namespace up at the end. `chip` and `model` give the same namespace seen through
    another chip or model.

    Args:
        mock: The mock.
        api_key: The key that names the namespace; every request with it belongs to the session.
        model: The model of `base_url`; None takes the edition's first one.
        chip: The chip of `base_url`; None takes the edition's first one.
    """

    def __init__(self, mock: RunningMock, api_key: str, model: str | None = None, chip: str | None = None) -> None:
        self.mock = mock
        self.api_key = api_key
        self._model = model
        self._chip = chip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, path: str, body: object = None, *, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """One operation of the control API on this namespace; see `RunningMock.call`."""
        return self.mock.call(method, path, body, key=self.api_key, timeout_s=timeout_s)

    @property
    def url(self) -> str:
        """The mock's address."""
        return self.mock.url

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return self.mock.base_url(self._model, self._chip)

    def chip(self, name: str) -> Session:
        """The same namespace through another chip; raises MockError for one that the edition does not have."""
        return self._through(self._model, name)

    def model(self, name: str) -> Session:
        """The same namespace through another model; raises MockError for one that the edition does not have."""
        return self._through(name, self._chip)

    def _through(self, model: str | None, chip: str | None) -> Session:
        self.mock.base_url(model, chip)
        return Session(self.mock, self.api_key, model, chip)

    def env(self) -> dict[str, str]:
        """The variables from which OpenAI's clients take address and key."""
        base_url = self.base_url
        return {"OPENAI_BASE_URL": base_url, "OPENAI_API_BASE": base_url, "OPENAI_API_KEY": self.api_key}

    def set_env(self, monkeypatch: SupportsSetenv) -> None:
        """Set these variables until the test ends; `monkeypatch` is pytest's fixture."""
        for name, value in self.env().items():
            monkeypatch.setenv(name, value)

    def arm(
        self,
        fault: str | Mapping[str, Any] | Fault,
        *,
        times: int | None = None,
        every: int = 1,
        probability: float = 1.0,
        **match: Unpack[Match],
    ) -> None:
        """Let something go wrong.

        Args:
            fault: As in the header `X-Mock-Fault` (`cut;after_frames=3`, several with commas), as a mapping with
                `type`, or as a value of `mockserver.pipeline.disturb`.
            times: How often it fires; None for always.
            every: It fires at every k-th request that fits.
            probability: Chance to fire, from 0 to 1, drawn with the exchange's seed.
            match: Which requests it is for: model, chip, stream, contains.

        Raises:
            MockError: there is no such fault or setting; the text names what is allowed.
        """
        from mockserver.pipeline.disturb import FaultError, fault_of, faults_of_header

        try:
            if isinstance(fault, str):
                faults = faults_of_header(fault)
            else:
                faults = [fault_of(dict(fault)) if isinstance(fault, Mapping) else fault]
        except FaultError as error:
            raise MockError(str(error)) from None
        for one in faults:
            data = one.model_dump(exclude_none=True)
            body = {"fault": data, "match": match, "times": times, "every": every, "probability": probability}
            self.call("POST", "/faults", body)

    def disarm(self) -> None:
        """Disarm all faults."""
        self.call("DELETE", "/faults")

    def answer(self, text: str | None = None, *, times: int | None = 1, **said: Unpack[Said]) -> None:
        """Say what the next answer is; further calls queue further answers.

        Args:
            text: The content.
            times: How often it answers; None for always.
            said: `pieces`, `reasoning`, `tool_calls`, `error`, `blocked`, `delay_ms`, `finish_reason` and `usage` say
                more; `model`, `chip`, `stream` and `contains` which requests it is for.

        Raises:
            MockError: the parts do not go together.
        """
        match = {name: value for name, value in said.items() if name in Match.__annotations__}
        answer: dict[str, Any] = {name: value for name, value in said.items() if name not in match}
        if text is not None:
            answer["text"] = text
        self.call("POST", "/answers", {"answer": answer, "match": match, "times": times})

    def answer_from(self, *paths: str | Path) -> None:
        """Answer from fixture files: each file or folder in turn, and the most special fixture of a folder first.

        Raises:
            OperatorError: a file is no fixture, or is expired; in a folder, all of them are.
        """
        from datetime import UTC, datetime

        from mockserver.fixture_script import scripted

        for one in scripted([Path(path) for path in paths], datetime.now(UTC).date()):
            self.call("POST", "/answers", one)

    def exchanges(self, **query: Unpack[Which]) -> list[Seen]:
        """What happened, oldest first, then what is in flight.

        Args:
            query: Only exchanges with this model, chip, status, stream, text in the request's body, after a number, or
                in flight.
        """
        return self._exchanges(query, CALL_TIMEOUT_S)

    def wait_for(self, count: int, timeout_s: float = WAIT_TIMEOUT_S, **query: Unpack[Which]) -> list[Seen]:
        """The exchanges, as soon as so many have ended; with `in_flight=True`, as soon as so many are in flight.

        Nobody sleeps meanwhile. What is in flight is given too, behind what has ended, unless the query says otherwise.

        Raises:
            TimeoutError: there are still fewer when the time is over.
        """
        left_ms = round(timeout_s * 1000)
        while True:
            wait_ms = min(left_ms, LONGEST_WAIT_MS)
            found = self._exchanges({**query, "count": count, "timeout_ms": wait_ms}, CALL_TIMEOUT_S)
            counted = found if query.get("in_flight") else [one for one in found if not one.in_flight]
            if len(counted) >= count:
                return found
            left_ms -= wait_ms
            if left_ms <= 0:
                seen = "; ".join(map(str, found)) or "none"
                raise TimeoutError(f"waited {timeout_s:g} s for {count} exchanges and saw {len(counted)}: {seen}")

    def _exchanges(self, query: Mapping[str, Any], timeout_s: float) -> list[Seen]:
        from mockserver.seen import seen_of

        words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        found = self.call("GET", f"/exchanges?{urlencode({**words, 'frames': 'true'})}", timeout_s=timeout_s)
        return [seen_of(one) for one in found]

    @property
    def last(self) -> Seen:
        """The latest exchange; raises AssertionError where there is none."""
        found = self.exchanges()
        if not found:
            raise AssertionError("no request came to this namespace; see that the client uses base_url and api_key")
        return found[-1]

    def verdict(self) -> Verdict:
        """What the exchanges say of the client."""
        from mockserver.seen import verdict_of

        return verdict_of(self.call("GET", "/verdict"))

    def assert_resilient(self) -> None:
        """Fail where the client took an error badly; the message says how, and what to do about it.

        Raises:
            AssertionError: a finding is bad, or no request came at all.
        """
        from mockserver.seen import told

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
        from mockserver.client_saw import compare

        __tracebackhide__ = True
        compare(text, self.exchanges()[-exchanges:])

    @property
    def unmet(self) -> list[dict[str, Any]]:
        """Scripted answers that were not used as often as set up, each with its number, match, times and used."""
        return [one for one in self.call("GET", "/answers")["answers"] if not one["met"]]

    @property
    def unexpected(self) -> int:
        """How many requests no scripted answer was for, though some were set up."""
        count: int = self.call("GET", "/answers")["unexpected"]
        return count

    def assert_all_used(self) -> None:
        """Fail where a scripted answer was not used as often as set up, or a request came that none was for.

        Raises:
            AssertionError: with a line for each.
        """
        __tracebackhide__ = True
        lines = [
            f"answer {one['number']} ({_shown(one['match'])}) was used {one['used']} of {one['times'] or 'any'} times"
            for one in self.unmet
        ]
        unexpected = self.unexpected
        if unexpected:
            lines.append(f"{unexpected} request{'' if unexpected == 1 else 's'} came that no scripted answer was for")
        if lines:
            raise AssertionError("\n".join(lines))

    @property
    def clock(self) -> Clock:
        """The namespace's clock."""
        return Clock(self)

    def reset(self) -> None:
        """Forget what was set up and what happened."""
        self.call("POST", "/reset", {})

    def close(self) -> None:
        """Give the namespace up, and with it all that was set up in it."""
        self.call("DELETE", "/namespace")


def _shown(match: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in match.items()) or "for every request"

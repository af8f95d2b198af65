"""A test's handle on a running mock: arm a fault, script an answer; `session_journal` sees what happened.

Everything goes through the control API over plain HTTP, so the mock may run in a thread, in another process or in a
container. Only the standard library is imported until a fixture file is given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from mockserver.core.errors import OperatorError
from mockserver.core.fault_text import named_faults, typed_fault
from mockserver.core.web_address import past_proxy
from mockserver.testing.control_client import MockError
from mockserver.testing.raw_answers import exchange_document, raw_answer, raw_file
from mockserver.testing.session_arguments import RequestMatch
from mockserver.testing.session_journal import SessionJournal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.pipeline.faults.fault import Fault
    from mockserver.testing.control_client import ControlClient
    from mockserver.testing.session_arguments import AnswerParts, SupportsSetenv

ABOUT_THE_FAULT: Final = "fault: "
"""What the control API's words begin with where it is the fault that is wrong."""


class SessionClock:
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


class Session(SessionJournal):
    """One namespace of a running mock: what a test has set up and what it has seen, apart from all other tests.

    A context manager that gives the namespace up at the end. `chip` and `model` give the same namespace seen through
    another chip or model.

    Args:
        mock: The mock.
        api_key: The key that names the namespace; every request with it belongs to the session.
        model: The model of `base_url`; None takes the edition's first one.
        chip: The chip of `base_url`; None takes the edition's first one.

    Attributes:
        stale: Once it is closed: which answers were recorded or written for other requests than those that came, and
            in what these differ.
    """

    stale: tuple[str, ...] = ()

    def __init__(self, mock: ControlClient, api_key: str, model: str | None = None, chip: str | None = None) -> None:
        super().__init__(mock, api_key)
        self._model = model
        self._chip = chip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        """Set these variables until the test ends; `monkeypatch` is pytest's fixture.

        Where a proxy is set, `NO_PROXY` names the mock's host too.
        """
        for name, value in {**self.env(), **past_proxy(os.environ, self.url)}.items():
            monkeypatch.setenv(name, value)

    def arm(
        self,
        fault: str | Mapping[str, Any] | Fault,
        *,
        times: int | None = None,
        every: int = 1,
        probability: float = 1.0,
        **match: Unpack[RequestMatch],
    ) -> None:
        """Let something go wrong.

        Args:
            fault: As in the header `X-Mock-Fault` (`cut;after_frames=3`, several with commas: all are armed, or none),
                as a mapping with `type`, or as a value like `mockserver.Cut(after_frames=3)`.
            times: How often it fires; None for always.
            every: It fires at every k-th request that fits.
            probability: Chance to fire, from 0 to 1, drawn with the exchange's seed.
            match: Which requests it is for: model, chip, stream, contains.

        Raises:
            MockError: there is no such fault, setting, model or chip; the text names what is allowed.
        """
        faults = self._faults(fault)
        self._known(match)
        armed: list[int] = []
        try:
            for one in faults:
                body = {"fault": one, "match": match, "times": times, "every": every, "probability": probability}
                armed.append(self.call("POST", "/faults", body)["number"])
        except MockError as error:
            for number in armed:
                self.call("DELETE", f"/faults/{number}")
            if error.reason.startswith(ABOUT_THE_FAULT):
                raise MockError(error.reason.removeprefix(ABOUT_THE_FAULT), error.reason) from None
            raise

    def _faults(self, fault: str | Mapping[str, Any] | Fault) -> list[Any]:
        """The faults as the control API takes them, which says what is wrong with one.

        Raises:
            MockError: a text names no fault, or a setting without a value.
        """
        if not isinstance(fault, (str, Mapping)):
            return [fault.model_dump() if hasattr(fault, "model_dump") else fault]
        try:
            faults = named_faults(fault) if isinstance(fault, str) else [fault]
        except ValueError as error:
            raise MockError(str(error)) from None
        if not faults:
            raise MockError(f"{fault!r} names no fault; give one like cut;after_frames=3")
        types = self.mock.fault_types
        return [typed_fault(one, types.get(str(one.get("type")), {})) for one in faults]

    def disarm(self) -> None:
        """Disarm all faults."""
        self.call("DELETE", "/faults")

    def answer(self, text: str | None = None, *, times: int | None = 1, **said: Unpack[AnswerParts]) -> None:
        """Say what the next answer is; further calls queue further answers.

        Args:
            text: The content.
            times: How often it answers; None for always.
            said: `pieces`, `reasoning`, `tool_calls`, `error`, `blocked`, `delay_ms`, `finish_reason` and `usage` say
                more; `raw` the bytes themselves: bytes, a text, a path whose file is sent as it is, or a list of what
                is sent one after the other, where a pair is a delay in milliseconds and its bytes; `model`, `chip`,
                `stream` and `contains` which requests it is for.

        Raises:
            MockError: the parts do not go together, or there is no such model or chip.
            OperatorError: the file of `raw` cannot be read.
        """
        self._known(said)
        match = {name: value for name, value in said.items() if name in RequestMatch.__annotations__}
        answer: dict[str, Any] = {name: value for name, value in said.items() if name not in match}
        if text is not None:
            answer["text"] = text
        if "raw" in answer:
            answer["raw"] = raw_answer(answer["raw"])
        self.call("POST", "/answers", {"answer": answer, "match": match, "times": times})

    def _known(self, match: RequestMatch) -> None:
        """Refuse a model or a chip that no request can ask for: what is for it would wait for ever."""
        self.mock.base_url(match.get("model"), match.get("chip"))

    def answer_from(self, *paths: str | Path) -> None:
        """Answer from files: each file or folder in turn.

        A fixture answers the requests that it is for; of a folder's, the most special goes first. A recording, or any
        exchange file, answers the next request, whatever that is, at the times that it tells; those of a folder answer
        the dialogues that were recorded, as with `serve --fixtures`. Any other file (`.sse`, `.txt`, …) is sent to the
        next request as it is.

        Fixtures are read here, which needs pydantic; all else of a session needs the standard library alone.

        Raises:
            OperatorError: a file is nothing of that, or is expired; in a folder, all of them are; or pydantic is
                missing.
        """
        for path in map(Path, paths):
            for where, body in _scripted(path):
                try:
                    self.call("POST", "/answers", body)
                except MockError as error:
                    raise OperatorError(f"{where}: {error.reason or error}") from None

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
    def clock(self) -> SessionClock:
        """The namespace's clock."""
        return SessionClock(self)

    def reset(self) -> None:
        """Forget what was set up and what happened."""
        self.call("POST", "/reset", {})

    def close(self) -> None:
        """Give the namespace up, and with it all that was set up in it."""
        self.stale = tuple(self.call("DELETE", "/namespace")["stale"])


def _scripted(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What a file or a folder says, as bodies for `POST /_mock/answers`, each with its file."""
    if not path.is_dir():
        if path.suffix != ".json" and path.exists():
            yield path, raw_file(path)
            return
        document = exchange_document(path)
        if document is not None:
            yield path, document
            return
    from datetime import UTC, datetime

    try:
        from mockserver.testing.fixture_answers import scripted
    except ImportError as missing:
        raise OperatorError(
            f"answer_from: fixture files are read with {missing.name}, which is not installed here; install it, "
            "or let the mock read them: genstudio_mock_args = --fixtures FOLDER"
        ) from None
    yield from scripted(path, datetime.now(UTC).date())


def _shown(match: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in match.items()) or "for every request"

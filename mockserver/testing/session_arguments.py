"""What the methods of a session take by name: which requests, what is said, which exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockserver.testing.raw_answers import Raw


class RequestMatch(TypedDict, total=False):
    """Which requests are meant; a key that is absent does not matter."""

    model: str
    """The model that answers."""
    chip: str
    """The chip of the path."""
    stream: bool
    """Whether a stream is asked for."""
    contains: str
    """What the last user message holds."""
    headers: Mapping[str, Any]
    """What request headers hold: a text, `{"contains": …}`, `{"regex": …}` or `{"exists": True}` by the name."""
    query: Mapping[str, Any]
    """What parameters of the query hold, in the same forms."""


class AnswerParts(RequestMatch, total=False):
    """What is said, in the form of a fixture's `answer`, and to which requests."""

    pieces: Sequence[str]
    """The content where its cuts matter: one chunk each in a stream."""
    reasoning: str
    """What the model thinks first."""
    tool_calls: Sequence[Mapping[str, Any]]
    """Functions that are called: `{"name": …, "arguments": {…}}`."""
    error: str | Mapping[str, Any]
    """An error instead: a kind like `rate-limited`, or `{"status": …}` with `code` and `message`, or with a `body`."""
    raw: Raw
    """The bytes instead, as they are sent: bytes, a text, a path, or a list of them, each alone or with its delay."""
    blocked: bool
    """Whether the text review stops the answer after what is said."""
    delay_ms: float
    """Milliseconds before the answer begins."""
    finish_reason: str
    """Why it ends, in any word."""
    usage: Mapping[str, int]
    """prompt_tokens and completion_tokens."""


class ExchangeQuery(TypedDict, total=False):
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

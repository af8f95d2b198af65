"""Comparing what an application shows with what went over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.testing.language import advised
from mockserver.testing.seen_exchange import said, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.testing.seen_exchange import SeenExchange

ADVICE: Final = {
    "json-lines": (
        "these are bare JSON lines without `data:`, which a reader of server-sent events, that of the OpenAI SDKs "
        "among them, skips without an error: read the body line by line and parse each line as JSON, or ask with "
        "stream=false"
    ),
    "sse": "these are server-sent events: see that the reader joins delta.content of every event up to data: [DONE]",
    "json": "this is one JSON body: see that the client reads choices[0].message.content",
}
"""What to do about a silent empty answer, by wire format."""
NO_REQUEST: Final = "no request came to this namespace; see that the client uses the session's base_url and api_key"


class ClientSawError(AssertionError):
    """The application does not show what went over the wire.

    Attributes:
        exchanges: What went over the wire.
    """

    __module__ = "mockserver"

    def __init__(self, message: str, exchanges: Sequence[SeenExchange] = ()) -> None:
        super().__init__(message)
        self.exchanges = tuple(exchanges)


class SilentEmptyError(ClientSawError):
    """The wire carried content, and the application shows nothing and raised nothing."""

    __module__ = "mockserver"


class WrongTextError(ClientSawError):
    """The application shows another text than went over the wire."""

    __module__ = "mockserver"


class NothingAskedError(ClientSawError):
    """No request came, so there is nothing to compare with."""

    __module__ = "mockserver"


def compare(text: str | None, exchanges: Sequence[SeenExchange]) -> None:
    """Compare a text with the content of exchanges, joined; white space around it does not count.

    Args:
        text: What the application shows; None counts as nothing.
        exchanges: The exchanges that it shows, oldest first.

    Raises:
        NothingAskedError: there is no exchange.
        SilentEmptyError: the wire carried content, and the text is empty.
        WrongTextError: the text is another one.
    """
    __tracebackhide__ = True
    if not exchanges:
        raise NothingAskedError(advised(NO_REQUEST))
    shown, sent = (text or "").strip(), "".join(one.carried.text for one in exchanges).strip()
    if shown == sent:
        return
    what = _told(exchanges)
    if not shown:
        advice = advised(ADVICE.get(exchanges[-1].carried.framing, ""))
        raise SilentEmptyError(f"the client saw nothing, but {what}; {advice}", exchanges)
    raise WrongTextError(f"the client saw {short(shown)}, but {what}{_difference(shown, sent)}", exchanges)


def _told(exchanges: Sequence[SeenExchange]) -> str:
    """Who sent what."""
    return " and ".join(
        f"{one.chip or 'the mock'} sent {said(one.carried)} "
        f"(exchange {one.number}, {one.status} {one.content_type}, {one.ending})"
        for one in exchanges
    )


def _difference(shown: str, sent: str) -> str:
    """Where two texts part."""
    if not sent:
        return "; there was no content on the wire"
    same = next((at for at, (a, b) in enumerate(zip(shown, sent, strict=False)) if a != b), min(len(shown), len(sent)))
    if same == len(shown):
        return f"; what the client saw stops after {same} of {len(sent)} characters"
    if same == len(sent):
        return f"; the client saw {len(shown) - same} more characters: {short(shown[same:])}"
    return f"; they part at character {same}: {short(shown[same : same + 20])} for {short(sent[same : same + 20])}"

"""What a client read, compared with what the stream says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from mockserver.core.errors import OperatorError, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

    Client = Callable[[str], "Said"]

Said = str | Mapping[str, Any]
"""What a client read: the text, or several keys of `truth_of`."""


@runtime_checkable
class TimedClient(Protocol):
    """A client that is ended where it takes too long, and is to be given more time where a stream pauses."""

    def __call__(self, base_url: str, more_s: float = 0.0) -> Said:
        """What it read; `more_s` is how long the stream itself pauses."""

    def close(self) -> None:
        """End it where it still runs."""


SHOWN: Final = 300  # characters of a problem
NEAR: Final = 20  # characters around a difference


def judge(client: Client, base_url: str, truth: Mapping[str, Any]) -> str:
    """What a client does wrong with a stream, in one line; empty where nothing."""
    try:
        read = client(base_url)
    except OperatorError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a client raises at a valid stream is its fault
        first = str(error).strip().partition("\n")[0]
        return f"the client raised {type(error).__name__}: {first}"[:SHOWN]
    return difference(read, truth)


def difference(read: Said, truth: Mapping[str, Any]) -> str:
    """In what a client's reading differs from the truth, in one line; empty where in nothing.

    A line end after the text does not count: many programs print one. Where the truth has characters in halves, it does
    not count whether they were joined, which not every language's strings can tell.

    Args:
        read: The text, or several keys of the truth.
        truth: What is due, by key.

    Raises:
        OperatorError: the client tells of a key that the truth does not have.
    """
    for key, told in ({"text": read} if isinstance(read, str) else read).items():
        if key not in truth:
            raise OperatorError(f"fuzz: the client tells {key!r}, which is not compared; {suggestion(key, truth)}")
        value, due = told, truth[key]
        if key == "text" and isinstance(value, str) and not _can_be_written(due):
            value, due = _whole(value), _whole(due)
        if key == "text" and isinstance(value, str) and _same_text(value, due):
            continue
        if key == "text" and not value:
            return f"silent: the client read nothing and raised nothing; the stream says {_short(due)}"
        if value != due:
            what = "" if key == "text" else f"{key} "
            return f"the client read {what}{_short(value)}; the stream says {_short(due)}{_where(value, due)}"
    return ""


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character
        return False
    return True


def _whole(text: str) -> str:
    """The text, in which two halves of a character are one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _same_text(read: str, due: str) -> bool:
    if os.name == "nt":  # where programs print \r\n for \n
        read, due = read.replace("\r\n", "\n"), due.replace("\r\n", "\n")
    return read in (due, f"{due}\n", f"{due}\r\n")


def _where(read: object, due: object) -> str:
    """Where two texts begin to differ, if that is not seen at a glance."""
    if not isinstance(read, str) or not isinstance(due, str) or max(len(read), len(due)) <= SHOWN:
        return ""
    at = next((at for at, (one, other) in enumerate(zip(read, due, strict=False)) if one != other), None)
    if at is None:
        at = min(len(read), len(due))
    near = slice(max(at - NEAR, 0), at + NEAR)
    return f"; from character {at + 1:,} on they differ: read {read[near]!r}, due {due[near]!r}"


def _short(value: object) -> str:
    text = repr(value)
    if len(text) <= SHOWN:
        return text
    if isinstance(value, str):
        return f"{value[:NEAR]!r}… ({len(value):,} characters)"
    return text[:SHOWN] + "…"

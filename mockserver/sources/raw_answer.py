"""A raw answer: status, headers and bytes as they are to be sent, and when; and how that becomes a plan.

It is said in no wire form of a chip. Its short forms are a text, and a list of what is sent one after the other. The
`response` of an exchange file is one too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from mockserver.core.body_types import type_of
from mockserver.core.exchange import Ending, Plan
from mockserver.core.headers import LENGTH, has_length, with_length, without_length
from mockserver.core.immutable import immutable
from mockserver.core.sent_headers import HeaderPair, SentPairs
from mockserver.core.written import Written, key
from mockserver.files.byte_text import Text, bytes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_MS: Final = 3_600_000
_BODILESS: Final = frozenset({204, 304})


@immutable(frozen=True, kw_only=True)
class RawSend(Written):
    """What is sent at once; a text is short for its `data`."""

    data: Text
    """The bytes: a text, or texts and `{"hex": …}` in turn."""
    at_ms: float | None = key(default=None, ge=0, le=LONGEST_MS)
    """Milliseconds after the request; never before what stands above."""
    delay_ms: float = key(default=0.0, ge=0, le=LONGEST_MS)
    """Milliseconds after what stands above, or after at_ms."""

    @staticmethod
    def from_short(value: Any) -> Any:
        """See `Written`."""
        if isinstance(value, dict) and "hex" in value:
            return {"data": (value,)}
        return {"data": value} if isinstance(value, str) else value

    @staticmethod
    def short_schemas(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `Written`."""
        del properties
        return [{"type": "string"}]


@immutable(frozen=True, kw_only=True)
class RawAnswer(Written):
    """Status, headers and bytes as they are sent; a text, or a list of sends, is short for `sends`."""

    status: int = key(default=200, ge=200, le=999)
    """HTTP status."""
    headers: SentPairs = ()
    """Response headers, by name or as pairs; a content-type that is absent follows from the bytes."""
    sends: tuple[RawSend, ...] = ()
    """The body, in the order in which it is sent."""
    head_at_ms: float | None = key(default=None, ge=0, le=LONGEST_MS)
    """When the head is sent, in milliseconds after the request; absent sends it with the first bytes."""
    ending: Literal["complete", "cut", "reset", "hang"] = "complete"
    """How it stops after the last of them."""
    trailers: tuple[HeaderPair, ...] = ()
    """Headers after a chunked body, as pairs."""

    @staticmethod
    def from_short(value: Any) -> Any:
        """See `Written`."""
        if isinstance(value, str):
            return {"sends": (value,)}
        if isinstance(value, list | tuple):
            return _frozen({"sends": value})
        if isinstance(value, dict) and isinstance(value.get("headers"), dict):
            value = {**value, "headers": list(value["headers"].items())}
        return _frozen(value)

    @staticmethod
    def short_schemas(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `Written`."""
        return [{"type": "string"}, {**properties["sends"]}]

    @property
    def _whole(self) -> bool:
        return self.ending == "complete"

    def plan(self, source: str, delay_ms: float = 0.0) -> Plan:
        """What is sent, byte by byte.

        Args:
            source: Where it came from, for the journal.
            delay_ms: How much later all of it comes.
        """
        frames, at, now = [], [], delay_ms
        for send in self.sends:
            now = max(now, (send.at_ms or 0.0) + delay_ms) + send.delay_ms
            frames.append(bytes_of(send.data))
            at.append(now)
        body = b"".join(frames)
        headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers)
        if not any(name.lower() == b"content-type" for name, _ in headers):
            headers = ((b"content-type", type_of(body).encode()), *headers)
        if self.status in _BODILESS:
            frames, at, headers = [b""], at[:1], without_length(headers)
        elif has_length(headers):
            headers = with_length(headers, len(body), or_more=not self._whole)
        elif self._whole and not any(one in _type(headers) for one in _STREAMED):
            headers = (*headers, (LENGTH, b"%d" % len(body)))
        head_at_ms = None if self.head_at_ms is None else self.head_at_ms + delay_ms
        return Plan(
            self.status, headers, tuple(frames) or (b"",), tuple(at) if any(at) else None, Ending(self.ending),
            head_at_ms, source=source, joinable=False,
            trailers=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in self.trailers),
        )  # fmt: skip


_STREAMED: Final = (b"event-stream", b"ndjson", b"octet-stream")
"""Types of bodies that come in the chunked coding, whose length nobody knows beforehand."""


def _type(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return next((value.lower() for name, value in headers if name.lower() == b"content-type"), b"")


def _frozen(value: Any) -> Any:
    """The value with tuples for its lists: where a validator comes first, a strict model takes no list for one."""
    if isinstance(value, dict):
        return {name: _frozen(one) for name, one in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value

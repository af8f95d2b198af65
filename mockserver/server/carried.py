"""What the bytes of an exchange said to a client that could read them, whatever the wire format.

The bytes decide, not the profile: a fault may have made them something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mockserver.pipeline.body import read, wire_format_of
from mockserver.pipeline.frame import DONE

if TYPE_CHECKING:
    from mockserver.core.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Carried:
    """What went over the wire.

    Attributes:
        framing: The wire format: `sse`, `json-lines`, `json`, or empty for an empty body.
        chunks: How many objects held content.
        text: The content, joined.
        tool_calls: Names of the functions that were called.
        finish_reason: The last one that was sent; None for none.
        blocked: Whether the text review stopped the answer.
        done: Whether the done marker was sent.
        problem: Why reading stopped before the end; empty where it did not.
    """

    framing: str = ""
    chunks: int = 0
    text: str = ""
    tool_calls: tuple[str, ...] = ()
    finish_reason: str | None = None
    blocked: bool = False
    done: bool = False
    problem: str = ""


def carried(exchange: Exchange) -> Carried:
    """What an exchange carried, as far as its bytes can be read; never raises."""
    body = b"".join(data for _, data in exchange.sends)
    if exchange.plan is not None and exchange.plan.raw:
        body = _body_of_writes(body)
    if not body.strip():
        return Carried()
    framing = wire_format_of(body)
    found, problem = read(body, framing)
    objects = [one for one in found if isinstance(one, dict)]
    choices = [choice for one in objects for choice in _list(one.get("choices")) if isinstance(choice, dict)]
    said = [_object(choice.get("delta")) or _object(choice.get("message")) for choice in choices]
    pieces = [one["content"] for one in said if isinstance(one.get("content"), str) and one["content"]]
    calls = [
        _object(_object(call).get("function")).get("name") for one in said for call in _list(one.get("tool_calls"))
    ]
    finishes = [choice["finish_reason"] for choice in choices if isinstance(choice.get("finish_reason"), str)]
    return Carried(
        framing,
        len(pieces),
        "".join(pieces),
        tuple(name for name in calls if isinstance(name, str) and name),
        finishes[-1] if finishes else None,
        any(one.get("blocked") is True for one in objects),
        any(one is DONE for one in found),
        problem,
    )


def _body_of_writes(data: bytes) -> bytes:
    """The body in network writes that hold status line, headers and transfer coding, as far as these can be read."""
    head, _, rest = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest
    body = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        try:
            length = int(size, 16)
        except ValueError:
            break
        body.append(rest[:length])
        rest = rest[length + 2 :]
    return b"".join(body)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

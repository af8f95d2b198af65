"""Mutants: ways in which a service may go wrong, each a change of the bytes between it and its client.

They know nothing of quirks, faults or clauses: a proxy in front of a mock makes them (`tests/mutating_proxy.py`), or a
test lays them over what a mock in this process answers. `missed_once` are those that the contract once did not find.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.core.exchange import Headers, Request


@dataclass(frozen=True)
class Response:
    """What the proxy got, or sends.

    Attributes:
        asked: The request.
        status: HTTP status.
        headers: As they came, names in lower case; without those of one connection alone.
        body: All of it.
    """

    asked: Request
    status: int
    headers: Headers
    body: bytes

    @property
    def wants(self) -> dict[str, Any]:
        """The request's JSON object; empty where it was none."""
        try:
            wants = json.loads(self.asked.body)
        except ValueError:
            return {}
        return wants if isinstance(wants, dict) else {}

    @property
    def streamed(self) -> bool:
        """Whether it is an answer in pieces."""
        return self.status == 200 and self.wants.get("stream") is True


@dataclass(frozen=True)
class Mutant:
    """One way to go wrong.

    Attributes:
        name: What the client sees, in a few words.
        clause: The clause that watches for it.
        counts: Whether it must make the contract fail: a document says otherwise, or it was seen.
        change: What the proxy does to a response.
        ask: What it does to a request.
        edition: Of the mock behind it, and of the contract.
        chip: Who is asked.
    """

    name: str
    clause: str
    counts: bool
    change: Callable[[Response], Response] = lambda response: response
    ask: Callable[[Request], Request] = lambda request: request
    edition: str = "2025-reference"
    chip: str = "nvidia"


# --- ways to change a response ---


def body(change: Callable[[bytes], bytes]) -> Callable[[Response], Response]:
    """Change the bytes of each body; an announced length is kept true."""

    def changed(response: Response) -> Response:
        data = change(response.body)
        headers = tuple((n, b"%d" % len(data) if n == b"content-length" else v) for n, v in response.headers)
        return replace(response, headers=headers, body=data)

    return changed


def text(old: str, new: str, count: int = -1) -> Callable[[Response], Response]:
    """Replace what stands in a body."""
    return body(lambda data: data.replace(old.encode(), new.encode(), count))


def header(name: str, value: str | None) -> Callable[[Response], Response]:
    """Set a header, or take it away."""
    key = name.encode()

    def changed(response: Response) -> Response:
        kept = tuple((n, v) for n, v in response.headers if n != key)
        return replace(response, headers=kept if value is None else (*kept, (key, value.encode())))

    return changed


def where(
    applies: Callable[[Response], bool], change: Callable[[Response], Response]
) -> Callable[[Response], Response]:
    """Change only such responses."""
    return lambda response: change(response) if applies(response) else response


def refused(response: Response) -> bool:
    """It is a refusal."""
    return response.status >= 400


def answered(response: Response) -> bool:
    """It is an answer."""
    return response.status == 200


def plain(response: Response) -> bool:
    """It is an answer in one body."""
    return response.status == 200 and not response.streamed


def streamed(response: Response) -> bool:
    """It is an answer in pieces."""
    return response.streamed


def swapped(first: str, second: str) -> Callable[[Response], Response]:
    """Two pairs of key and plain value that stand beside each other change places."""
    pair = rf'"{first}": ?[^,{{}}\[\]]*?(?:"[^"]*")?'
    both = re.compile(rf'({pair})(, ?)("{second}": ?(?:"[^"]*"|[^,{{}}\[\]]*))'.encode())
    return body(lambda data: both.sub(rb"\3\2\1", data))


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Response], Response]:
    """Change the list of a stream's events, each with its end."""

    def changed(data: bytes) -> bytes:
        end = b"\n\n" if data.startswith(b"data:") else b"\n"
        return b"".join(change([one + end for one in data.split(end) if one]))

    return where(streamed, body(changed))


# --- those that were missed once ---

missed_once: Final = (
    Mutant("swapped keys of a chunk", "key-order-printed", True, where(streamed, swapped("id", "object"))),
    Mutant("swapped keys of a body", "key-order-printed", True, where(plain, swapped("id", "object"))),
    Mutant(
        "a byte order mark before a body", "readable", True, where(plain, body(lambda data: b"\xef\xbb\xbf" + data))
    ),
    Mutant("NaN in a body", "readable", True, where(plain, text('"index":0', '"index":NaN'))),
    Mutant("NaN in a chunk", "readable", True, where(streamed, text('"index":0', '"index":NaN'))),
)

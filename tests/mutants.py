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


def each(change: Callable[[Any], None]) -> Callable[[Response], Response]:
    """Change each JSON object of a body, be it one or a stream's events; the bytes between tokens stay."""

    def changed(data: bytes) -> bytes:
        if data.startswith(b"{\n"):  # one key a line
            return _changed(data, change)
        return _OBJECT.sub(lambda found: _changed(found[0], change), data)

    return body(changed)


_OBJECT: Final = re.compile(rb"^\{.*\}$|(?<=data: )\{.*\}", re.MULTILINE)


def _changed(data: bytes, change: Callable[[Any], None]) -> bytes:
    one = json.loads(data)
    change(one)
    if data.startswith(b"{\n"):
        return json.dumps(one, ensure_ascii=False, indent=0).encode()
    apart = (", ", ": ") if b'": ' in data else (",", ":")
    return json.dumps(one, ensure_ascii=False, separators=apart).encode()


def at(place: str, value: Any) -> Callable[[Response], Response]:
    """Set what stands at a place, say `choices.0.message.content`, wherever there is one; a function changes it."""
    *path, last = place.split(".")

    def change(one: Any) -> None:
        for key in path:
            one = _step(one, key)
        if isinstance(one, dict) and last in one:
            one[last] = value(one[last]) if callable(value) else value

    return each(change)


def without(place: str) -> Callable[[Response], Response]:
    """Take a key away, wherever it is."""
    *path, last = place.split(".")

    def change(one: Any) -> None:
        for key in path:
            one = _step(one, key)
        if isinstance(one, dict):
            one.pop(last, None)

    return each(change)


def _step(one: Any, key: str) -> Any:
    if isinstance(one, list):
        return one[int(key)] if int(key) < len(one) else None
    return one.get(key) if isinstance(one, dict) else None


def status(old: int, new: int) -> Callable[[Response], Response]:
    """Another status where this one is due."""
    return where(lambda response: response.status == old, lambda response: replace(response, status=new))


def both(*changes: Callable[[Response], Response]) -> Callable[[Response], Response]:
    """One change after another."""

    def changed(response: Response) -> Response:
        for change in changes:
            response = change(response)
        return response

    return changed


# --- ways to change a request ---


def asking(change: Callable[[dict[str, Any]], Any]) -> Callable[[Request], Request]:
    """Change the JSON object of a request: the server behind the proxy does not get to see what was asked."""

    def changed(request: Request) -> Request:
        try:
            one = json.loads(request.body)
        except ValueError:
            return request
        if not isinstance(one, dict):
            return request
        change(one)
        return replace(request, body=json.dumps(one, ensure_ascii=False).encode())

    return changed


def path(pattern: str, new: str) -> Callable[[Request], Request]:
    """Another path."""
    return lambda request: replace(request, path=re.sub(pattern, new, request.path))


def request_header(name: str, value: str) -> Callable[[Request], Request]:
    """Set a request header."""
    return lambda request: replace(request, headers={**request.headers, name.encode(): value.encode()})

"""Heads of chat requests that were read before: a client's next one is mostly the same, byte for byte.

The parser decides what a head means, once. The same bytes at the beginning of a request mean the same again, so they
are looked up then, and what follows from a head alone is worked out once; a head that differs from one in the digits of
its `content-length` alone is known too. A head that was not seen, or that says anything unusual of its body, goes the
parser's way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from mockserver.core.exchange import Request
from mockserver.core.route import parse_decoded
from mockserver.server.asgi_request import api_key, head_trouble, kept, kept_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Headers
    from mockserver.core.route import Route

MOST_HEADS: Final = 512
LONGEST_BYTES: Final = 4096
"""Of a head that is remembered: all of them together hold a few MiB at most."""
LONGEST_BODY_BYTES: Final = 64 * 1024
"""A larger body is the parser's, which stops reading where too much waits."""
MOST_DIGITS: Final = 6
"""Of a `content-length` that is looked at."""
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length"
_LENGTHS: Final = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""How clients write it."""
_FRAMING: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"te"})
"""Headers with which a body, or what comes behind it, may be another one than `content-length` says."""


class KnownHead(NamedTuple):
    """A head, and what follows from it.

    Attributes:
        size: Bytes of it.
        request_size: Bytes of it and of the body that it announces.
        asked: What it says, without a body.
        kept: The same as it may be kept.
        unread: What is kept of it while its body is not there.
        headers: Its headers in their order, names in lower case.
        key: The API key.
        route: Where it asks.
        keeps_alive: Whether the connection stays open behind the answer.
    """

    size: int
    request_size: int
    asked: Request
    kept: Request
    unread: Request
    headers: Sequence[tuple[bytes, bytes]]
    key: str
    route: Route
    keeps_alive: bool

    def with_length(self, head: bytes, length: bytes) -> KnownHead:
        """The same head, written with another `content-length`."""
        asked, may_keep = (
            Request(one.method, one.path, {**one.headers, _LENGTH: length}, query=one.query)
            for one in (self.asked, self.kept)
        )
        headers = [(name, length if name == _LENGTH else value) for name, value in self.headers]
        size = len(head) + int(length)
        return self._replace(size=len(head), request_size=size, asked=asked, kept=may_keep, headers=headers)


class KnownHeads:
    """The heads that were learned.

    Args:
        body_limit_bytes: A larger body is refused, which is not done here.
    """

    def __init__(self, body_limit_bytes: int) -> None:
        self._most_body_bytes = min(body_limit_bytes, LONGEST_BODY_BYTES)
        self._heads: dict[bytes, KnownHead] = {}
        self._forms: dict[bytes, KnownHead] = {}

    def __len__(self) -> int:
        """How many are known; those that differ in their length alone are one."""
        return len(self._forms)

    def find(self, data: bytes) -> KnownHead | None:
        """The known head that data begins with; None where it does not, or where more than its request is there."""
        written = data[: data.find(_END, 0, LONGEST_BYTES) + len(_END)]
        head = self._heads.get(written) or self._of_another_length(written)
        return head if head is not None and head.request_size >= len(data) else None

    def _of_another_length(self, written: bytes) -> KnownHead | None:
        """A head that is known but for its `content-length`."""
        form, length = _parted(written)
        if (known := self._forms.get(form)) is None or int(length) > self._most_body_bytes:
            return None
        head = known.with_length(written, length)
        self._keep(written, head)
        return head

    def _keep(self, written: bytes, head: KnownHead) -> None:
        if len(self._heads) >= MOST_HEADS:
            self._heads.clear()
        self._heads[written] = head

    def learn(self, data: bytes, headers: Headers, url: bytes, *, keeps_alive: bool) -> None:
        """Know the head at the beginning of data from now on, where it is one of a plain chat.

        Args:
            data: What was received, from the request's first byte on.
            headers: What the parser read in it: names in lower case.
            url: The target that it read.
            keeps_alive: What it says of the connection.
        """
        head = data[: data.find(_END, 0, LONGEST_BYTES) + len(_END)]
        if not _is_one_head(head):
            return
        known = dict(headers)
        length = known.get(_LENGTH, b"")
        path, _, query = url.decode("latin-1").partition("?")
        route = parse_decoded(path := unquote(path)) if path.startswith("/") else None
        if (
            route is None
            or not length.isdigit()
            or int(length) > self._most_body_bytes
            or len(known) != len(headers)  # of two with one name it is the application's matter which one counts
            or head_trouble(headers, "1.1") is not None
            or not known.keys().isdisjoint(_FRAMING)
        ):
            return
        asked, key = Request("POST", path, known, query=query), api_key(known)
        size, path = len(head), kept_path(path, key)
        made = KnownHead(
            size, size + int(length), asked, kept(asked, key), Request("POST", path), headers, key, route, keeps_alive
        )
        self._keep(head, made)
        if form := _parted(head)[0]:
            if len(self._forms) >= MOST_HEADS:
                self._forms.clear()
            self._forms[form] = made


def _parted(head: bytes) -> tuple[bytes, bytes]:
    """A head without the digits of its `content-length`, and those; nothing where it is not written as clients do."""
    for name in _LENGTHS:
        if (at := head.find(name)) >= 0:
            start = at + len(name)
            end = head.find(b"\r", start, start + MOST_DIGITS + 1)
            length = head[start:end]
            return (head[:start] + head[end:], length) if end > start and length.isdigit() else (b"", b"")
    return b"", b""


def _is_one_head(head: bytes) -> bool:
    """Whether these are a request line of HTTP/1.1 and headers that end where they seem to, in any parser's eyes."""
    line, *_ = head.split(b"\r\n", 1)
    return (
        line.startswith(b"POST /")
        and line.endswith(b" HTTP/1.1")
        and b"#" not in line
        and head.endswith(_END)
        and head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")
    )

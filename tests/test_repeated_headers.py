"""Headers of a request that come more than once."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.server.asgi_request import request_headers

REPEATED: dict[str, tuple[list[tuple[bytes, bytes]], dict[bytes, bytes]]] = {
    "once": ([(b"x-foo", b"a"), (b"x-bar", b"b")], {b"x-foo": b"a", b"x-bar": b"b"}),
    "twice": ([(b"x-foo", b"a"), (b"x-bar", b"b"), (b"x-foo", b"c")], {b"x-foo": b"a, c", b"x-bar": b"b"}),
    "two keys": ([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")], {b"authorization": b"Bearer b"}),
    "two types": ([(b"content-type", b"text/plain"), (b"content-type", b"a/b")], {b"content-type": b"a/b"}),
}


@pytest.mark.parametrize(("sent", "read"), REPEATED.values(), ids=REPEATED)
def test_equal_names_are_one_list(sent: list[tuple[bytes, bytes]], read: dict[bytes, Any]) -> None:
    """As RFC 9110, section 5.3, has it; of what holds one value the last counts."""
    assert request_headers({"type": "http", "headers": sent}) == read

"""JSON as people write it: where an object has a key twice."""

from __future__ import annotations

import pytest

from mockserver.core.strict_json import repeated_key

TWICE = {
    b'{"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}': "",
    b'{"a": "\\"a\\": \\"a\\":"}': "",
    b'["a", "a"]': "",
    b"7": "",
    b'{"a": 1, "a": 1}': "a",
    b'{"a": 1, "\\u0061": 2}': "a",
    b'{"a": {"b": [0, {"c": 1, "d": 2, "c": 3}]}}': "a.b[1].c",
    b'{"a": {"x": 1, "x": 2}, "a": 3}': "a",
}


@pytest.mark.parametrize(("text", "where"), TWICE.items(), ids=[text.decode() for text in TWICE])
def test_where_a_key_is_there_twice(text: bytes, where: str) -> None:
    """However it is spelled; texts, and other objects with the same key, are none."""
    assert repeated_key(text) == where

"""How a body's length is announced: found, set where it stands, taken away."""

from __future__ import annotations

import pytest

from mockserver.core.headers import has_length, of_body, with_length, without_length

KIND = (b"Content-Type", b"text/plain")
HUGE = b"9" * 5000


@pytest.mark.parametrize(
    ("announced", "or_more", "then"),
    [
        pytest.param(b"5", False, b"7", id="too little"),
        pytest.param(b"9", False, b"7", id="too much"),
        pytest.param(b"7", False, b"7", id="right"),
        pytest.param(b"9", True, b"9", id="more, of a body that was cut"),
        pytest.param(b"5", True, b"7", id="less is never right"),
        pytest.param(b"many", True, b"7", id="no number"),
        pytest.param(HUGE, True, b"7", id="no number of bytes that there could be"),
    ],
)
def test_a_length_is_set_where_it_stands(announced: bytes, or_more: bool, then: bytes) -> None:
    """Its name keeps its case and its place; what else there is stays."""
    headers = ((b"Content-LENGTH", announced), KIND)

    assert with_length(headers, 7, or_more=or_more) == ((b"Content-LENGTH", then), KIND)


def test_a_length_is_not_added() -> None:
    """A chunked body has none."""
    assert with_length((KIND,), 7) == (KIND,)


def test_a_length_is_found_and_taken_away() -> None:
    """Whatever the case of its name, and however often it stands there."""
    headers = (KIND, (b"Content-Length", b"1"), (b"content-length", b"2"))

    assert (has_length(headers), without_length(headers), has_length((KIND,))) == (True, (KIND,), False)


def test_a_body_of_known_length_begins_with_two_headers() -> None:
    """The length is in bytes."""
    assert of_body(b"text/plain", "你".encode()) == ((b"content-type", b"text/plain"), (b"content-length", b"3"))

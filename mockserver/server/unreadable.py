"""Why what came on a connection is no HTTP/1.1 request, in words for who sent it."""

from __future__ import annotations

from typing import Final

_OTHERS: Final = {
    b"\x16\x03": "TLS came to a port that serves plain HTTP; ask http:// and not https://",
    b"PRI * HTTP/2": "HTTP/2 came without being asked for; HTTP/1.1 is served here",
    b"\xef\xbb\xbf": "a byte order mark came before the request line; send none",
}
"""How what other programs take for a beginning begins."""


def why_unreadable(data: bytes, reason: str) -> str:
    """What was seen, on one line.

    Args:
        data: What was read when the parser gave up.
        reason: What the parser says.
    """
    for beginning, told in _OTHERS.items():
        if data.startswith(beginning):
            return told
    return f"what came is no HTTP/1.1 request: {reason}"

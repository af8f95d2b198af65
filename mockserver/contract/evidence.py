"""Bytes for people: rows of hex and text, and the part of an answer that a text cannot show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.contract.clauses.reading import Reading

if TYPE_CHECKING:
    from mockserver.contract.result import Finding

ROW: Final = 16
ROWS: Final = 3
FRAMING: Final = "frame-"
OF_BYTES: Final = frozenset({"framed-to-the-byte", "readable", "utf8", "whole-characters"})
"""Clauses about the bytes, beside those on the framing."""


def hex_rows(data: bytes, start: int = 0) -> list[str]:
    """Rows of sixteen bytes, each with its place, the bytes in hex, and as ASCII.

    Args:
        data: The bytes.
        start: The place of the first one.
    """
    rows = []
    for at in range(0, len(data), ROW):
        part = data[at : at + ROW]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        rows.append(f"{start + at:04x}  {part.hex(' ').ljust(47)}  {text}")
    return rows


def unseen_bytes(finding: Finding) -> list[str]:
    """The first bytes of the answer that a text cannot show, in three rows; none where the clause is not about bytes.

    Such are what is no UTF-8, a byte order mark, carriage returns and other characters that do not print.
    """
    if not finding.clause.id.startswith(FRAMING) and finding.clause.id not in OF_BYTES:
        return []
    body = Reading(finding.exchange).body
    at = _first_unseen(body)
    if at is None:
        return []
    start = max(at // ROW - 1, 0) * ROW
    return hex_rows(body[start : start + ROWS * ROW], start)


def _first_unseen(body: bytes) -> int | None:
    try:
        text, broken = body.decode(), None
    except UnicodeDecodeError as error:
        text, broken = body[: error.start].decode(), error.start
    at = next((at for at, one in enumerate(text) if one not in "\t\n" and not one.isprintable()), None)
    return broken if at is None else len(text[:at].encode())

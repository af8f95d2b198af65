"""Bytes as people can read them in JSON: text as UTF-8, and what is no text in hexadecimal beside it."""

from __future__ import annotations

import re
from typing import ClassVar

from mockserver.core.immutable import immutable
from mockserver.core.written import Written, key

_SHORT = 64  # bytes that are read at a glance, whatever they are
_STRAY = re.compile("[\udc80-\udcff]+")


@immutable(frozen=True, kw_only=True)
class Hex(Written):
    """Bytes that are no UTF-8, in hexadecimal."""

    passes: ClassVar[bool] = True

    hex: str = key(pattern=r"^([0-9a-f]{2})+$", description="two digits for each byte")


Text = str | tuple[str | Hex, ...]
"""Bytes as text, or as text and stray bytes in turn."""


def text_of(data: bytes) -> Text:
    """Bytes as readable text; stray bytes as `Hex` between the texts, packed or random bytes as one `Hex`.

    Of those about half are stray, and each letter between them would cost an object and some fifteen bytes of file.
    """
    try:
        return data.decode()  # nearly always, and it costs a tenth of looking for stray bytes
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    strays = list(_STRAY.finditer(text))
    if sum(stray.end() - stray.start() for stray in strays) * 4 > len(data) > _SHORT:
        return (Hex(hex=data.hex()),)
    parts: list[str | Hex] = []
    at = 0
    for stray in strays:
        if stray.start() > at:
            parts.append(text[at : stray.start()])
        parts.append(Hex(hex=stray.group().encode("utf-8", "surrogateescape").hex()))
        at = stray.end()
    return (*parts, text[at:]) if at < len(text) else tuple(parts)


def bytes_of(text: Text) -> bytes:
    """The way back from `text_of`."""
    if isinstance(text, str):
        return text.encode()
    return b"".join(part.encode() if isinstance(part, str) else bytes.fromhex(part.hex) for part in text)


def plain(text: Text) -> str | list[str | dict[str, str]]:
    """The text as plain JSON values."""
    return text if isinstance(text, str) else [part if isinstance(part, str) else {"hex": part.hex} for part in text]

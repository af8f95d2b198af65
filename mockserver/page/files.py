"""The page's files, as they lie in `static/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).resolve().parent / "static"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def names() -> frozenset[str]:
    """The names of the files."""
    return frozenset(path.name for path in STATIC.iterdir() if path.suffix in TYPES)


@cache
def content(name: str) -> bytes:
    """A file of the page; raises KeyError for a name that no file has."""
    if name not in names():
        raise KeyError(name)
    return (STATIC / name).read_bytes()

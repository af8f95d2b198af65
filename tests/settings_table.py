"""The tables of docs/settings.md, read off the one table of settings.

`make tables` writes them anew; tests/test_settings_table.py holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.settings.config import SETTINGS
from mockserver.settings.keywords import AppKeywords, Keywords
from tests.snippets import ROOT

if TYPE_CHECKING:
    from mockserver.settings.config import Setting

DOCUMENT: Final = ROOT / "docs" / "settings.md"
MARK: Final = "<!-- from here on: make tables -->\n"
HEADINGS: Final = ("key", "flag", "variable", "what it is", "allowed", "default", "keyword of")
NONE: Final = "–"


def row(one: Setting) -> tuple[str, ...]:
    """A setting's cells."""
    switch = isinstance(one.default, bool)
    flag = f"`{one.flag}`, `--no-{one.flag[2:]}`" if switch else f"`{one.flag}`"
    doors = {"MockServer": Keywords.__optional_keys__, "asgi_app": AppKeywords.__optional_keys__}
    return (
        f"`{one.name}`",
        NONE if one.file_only else flag,
        NONE if one.file_only else f"`{one.variable}`",
        one.says,
        f"a list: {one.kind.allowed}" if one.many else one.kind.allowed,
        f"`{one.show(one.default)}`" if one.show(one.default) else NONE,
        ", ".join(f"`{door}`" for door, keywords in doors.items() if one.name in keywords) or NONE,
    )


def tables() -> str:
    """A section with its table for each group of settings, as `serve --help` has them."""
    lines = []
    for group in dict.fromkeys(one.group for one in SETTINGS.values()):
        rows = [row(one) for one in SETTINGS.values() if one.group == group]
        lines += ["", f"## {group.capitalize()}", ""]
        lines += [line(cells) for cells in (HEADINGS, ("---",) * len(HEADINGS), *rows)]
    return "\n".join(lines) + "\n"


def line(cells: tuple[str, ...]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def document() -> str:
    """The document with its tables made anew, and the rest as it stands."""
    return DOCUMENT.read_text("utf-8").partition(MARK)[0] + MARK + tables()

"""Invented people, places and figures: what the examples in synthetic answers tell of.

They were drawn once with faker and lie in two files beside this one, which `make tables` writes; so answering needs no
faker, and another release of it changes no answer.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.sources.phrases import Language

CASTS: Final = 256
"""Casts of one language."""
COLUMNS: Final = (
    "name", "colleague", "company", "city", "town", "date", "count", "percent", "few", "days", "pages",
)  # fmt: skip


def cast_file(language: Language) -> Path:
    """The file with a language's casts: a note, the columns, and a line for each, parted by tabs."""
    return Path(__file__).with_name(f"cast_{language.code}.tsv")


@cache
def casts(language: Language) -> tuple[Mapping[str, str], ...]:
    """The casts of a language, read when they are first needed: what stands in a story's braces, by its name."""
    _note, _columns, *rows = cast_file(language).read_text("utf-8").splitlines()
    return tuple(dict(zip(COLUMNS, row.split("\t"), strict=True)) for row in rows)

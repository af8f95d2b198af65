"""The casts of synthetic answers: files that faker made, and that answering needs nothing else for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faker import VERSION

from mockserver.sources.cast import CASTS, COLUMNS, cast_file, casts
from tests.cast_files import LANGUAGES, document

if TYPE_CHECKING:
    from mockserver.sources.phrases import Language

CODES = [language.code for language in LANGUAGES]


@pytest.mark.parametrize("language", LANGUAGES, ids=CODES)
def test_a_file_is_what_the_command_writes(language: Language) -> None:
    """`make tables` writes the file again; with the release of faker that its first line names, to the byte."""
    text = cast_file(language).read_text("utf-8")
    if f"faker {VERSION}," not in text.partition("\n")[0]:
        pytest.skip(f"the file is another faker's than {VERSION}")

    assert text == document(language), "make tables writes it anew"


@pytest.mark.parametrize("language", LANGUAGES, ids=CODES)
def test_a_cast_fills_every_sentence(language: Language) -> None:
    """Each cast has a value for each brace of the stories, and nothing that a sentence could trip over."""
    assert len(casts(language)) == CASTS
    assert len({cast["name"] for cast in casts(language)}) > CASTS // 2
    for cast in casts(language):
        assert tuple(cast) == COLUMNS
        assert all(value and value == value.strip() and value.isprintable() for value in cast.values())
        for sentence in language.story:
            assert "{" not in sentence.format_map(cast)

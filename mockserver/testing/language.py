"""In which language people are told what to look at: English, or Chinese where the locale is Chinese.

What was seen (numbers, names, bytes) stays English, as logs and reports of bugs quote it; what to do about it is said
in the reader's language. The table is the inspector's own, so the page and the terminal say the same.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Final

from mockserver.page.files import content
from mockserver.settings.config import LANGUAGE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

ADVICE_TABLE: Final = "advice.js"
SENTENCES_TABLE: Final = "sentences.js"
VARIABLES: Final = (LANGUAGE_VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG")
"""The first that is set counts; those of the locale of messages are in POSIX's order (section 8.2)."""


def language(environ: Mapping[str, str]) -> str:
    """`zh` or `en`: what GENSTUDIO_MOCK_LANG says, or else the locale; its other values end the commands."""
    told = next((environ[name] for name in VARIABLES if environ.get(name)), "")
    return "zh" if told.lower().startswith("zh") else "en"


def advised(english: str, environ: Mapping[str, str] = os.environ) -> str:
    """A sentence of advice in the reader's language; one that the table does not have stays as it is."""
    return english if not english or language(environ) == "en" else chinese(ADVICE_TABLE).get(english, english)


@cache
def chinese(name: str) -> dict[str, str]:
    """The Chinese of each sentence of one of the inspector's tables, by its English."""
    text = content(name).decode()
    table: dict[str, str] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return table

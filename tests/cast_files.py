"""The invented people, places and figures that synthetic answers tell of, as `make tables` writes them with faker."""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING, Final

from faker import VERSION, Faker

from mockserver.sources.cast import CASTS, COLUMNS, cast_file
from mockserver.sources.phrases import CHINESE, ENGLISH

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.sources.phrases import Language

SEED: Final = 2026
NOTE: Final = f"# written by `make tables` with faker {VERSION}, seed {SEED}"
LANGUAGES: Final = (CHINESE, ENGLISH)


def document(language: Language) -> str:
    """The file of one language: what made it, the columns' names, a line for each cast."""
    maker, dice = Faker(language.locale), random.Random(SEED)
    maker.seed_instance(SEED)
    rows = (_row(maker, dice, chinese=language is CHINESE) for _ in range(CASTS))
    return "\n".join((NOTE, "\t".join(COLUMNS), *("\t".join(row[name] for name in COLUMNS) for row in rows), ""))


def _row(maker: Faker, dice: random.Random, *, chinese: bool) -> dict[str, str]:
    def person() -> str:
        return maker.name() if chinese else f"{maker.first_name()} {maker.last_name()}"

    def place() -> str:
        return str(maker.city_name()) if chinese else maker.city()

    day = maker.date_between(start_date=date(2015, 1, 1), end_date=date(2024, 12, 31))
    return {
        "name": person(),
        "colleague": person(),
        "company": maker.company(),
        "city": place(),
        "town": place(),
        "date": f"{day.year}年{day.month}月{day.day}日" if chinese else f"{day.day} {day:%B} {day.year}",
        "count": str(dice.randrange(120, 9000)),
        "percent": str(dice.randrange(11, 90)),
        "few": str(dice.randrange(3, 8)),
        "days": str(dice.randrange(3, 28)),
        "pages": str(dice.randrange(8, 60)),
    }


def documents() -> dict[Path, str]:
    """Each file with the text that belongs into it."""
    return {cast_file(language): document(language) for language in LANGUAGES}

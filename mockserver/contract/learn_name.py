"""Under which model's name a target answers: one that serves a single model may say its name whatever is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mockserver.contract.clauses.reading import Reading
from mockserver.contract.learn import summary_of
from mockserver.profile.edition_file import QuirkClaim
from mockserver.profile.quirk_families import ECHO
from mockserver.profile.quirks import AXES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockserver.contract.cases import Case
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition_file import ChipFile


def with_own_name(file: ChipFile, model: str, asked: Iterable[tuple[Case, Exchange]], date: str) -> ChipFile:
    """The profile, with the one name that all answers have where an unknown model was answered under it too.

    Args:
        file: As the probes show it, which ask for a model that is there.
        model: The model that they ask for.
        asked: The cases with one rule broken, with what came.
        date: When, as `2026-11-22`.
    """
    quirk = next(axis for axis in AXES if axis.field == "model_echo").quirk_of(model)
    if quirk is None or any(claim.name.startswith(f"{ECHO.name}=") for claim in file.quirks):
        return file
    for case, came in asked:
        reading = Reading(came)
        names = {str(one["model"]) for one in reading.objects if "model" in one}
        if case.rule == "unknown-model" and not reading.refused and names == {model}:
            claims = (*file.quirks, QuirkClaim(name=quirk.name, claim="observed", source=f"{case.name}, {date}"))
            return replace(file, quirks=claims, summary=summary_of(claims, date))
    return file
